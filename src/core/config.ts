import { readFileSync } from 'node:fs'
import { homedir, platform } from 'node:os'
import { join, resolve } from 'node:path'
import { type CountersAddress, parseCountersAddress } from './counters-address.ts'
import { Fault } from './faults.ts'
import { readLimits, type ServerLimits, USUAL_LIMITS } from './server-limits.ts'
import { SETTINGS } from './settings-table.ts'

export { SETTINGS }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

export type KeySourceKind = 'keychain' | 'passphrase' | 'keyfile'
export const KEY_SOURCE_KINDS: readonly KeySourceKind[] = ['keychain', 'passphrase', 'keyfile']

export const SANITIZATION_MODES = ['block', 'surgical', 'log_only'] as const
export type SanitizationMode = (typeof SANITIZATION_MODES)[number]

export const EXFIL_PROTECTIONS = ['block', 'warn', 'off'] as const
export type ExfilProtection = (typeof EXFIL_PROTECTIONS)[number]

/** How the calls of agents are inspected. */
export interface InspectionSwitches {
  readonly isEnabled: boolean
  readonly mode: SanitizationMode
  readonly redactsSecrets: boolean
  readonly detectsPii: boolean
  readonly exfiltration: ExfilProtection
}

export const DEFAULT_SWITCHES: InspectionSwitches = {
  isEnabled: true,
  mode: 'block',
  redactsSecrets: true,
  detectsPii: true,
  exfiltration: 'warn',
}

/** A server whose vault is served, and how this process proves who it is there. */
export interface RemoteSettings {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly credential:
    | { readonly kind: 'key'; readonly key: string; readonly agentId: string | null }
    | { readonly kind: 'token'; readonly token: string }
}

/** Requests a second; null is without a limit. */
export interface RequestLimits {
  readonly token: number | null
  readonly agent: number | null
  readonly address: number | null
}

export interface Settings {
  readonly dataDir: string
  readonly stateDir: string
  readonly configDir: string
  readonly databaseUrl: string | null
  /** Where limits on tool calls are counted; null: in the store. */
  readonly counters: CountersAddress | null
  readonly vault: string
  readonly port: number
  readonly logLevel: LogLevel
  readonly projectDir: string | null
  readonly keySource: KeySourceKind | null
  readonly localOnly: boolean
  /** Null: the vault on this machine. */
  readonly remote: RemoteSettings | null
  readonly inspection: InspectionSwitches
  /** JSON; need not exist. */
  readonly inspectionFile: string
  /** Entries of the allow list of outgoing requests, not yet read. */
  readonly netAllow: readonly string[]
  /** A larger message of a client or a server is refused, in bytes. */
  readonly maxMessageBytes: number
  /** Of servers behind the gateway that have none of their own. */
  readonly serverLimits: ServerLimits
  /** PEM file of authorities that outgoing requests trust as well, or null. */
  readonly netCa: string | null
  readonly billingUrl: string | null
  readonly rateLimits: RequestLimits | null
  /** Origin of the server's pages, or null: this machine alone. */
  readonly publicUrl: string | null
  /** Origin at which other servers of the same store reach this one, or null where it is not said. */
  readonly nodeUrl: string | null
  readonly oidc: OidcSettings | null
  /** Address of the document that says who this program is to authorization servers, or null. */
  readonly clientDocument: string | null
}

/** An OpenID Connect provider at which people may sign in. */
export interface OidcSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string | null
  readonly label: string
  /** Roles of those who come uninvited, by the domain of their address. */
  readonly domains: ReadonlyMap<string, 'admin' | 'member' | 'auditor'>
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment of this process. The only place that reads it. */
export function processEnvironment(): Environment {
  return process.env
}

/** @throws {Fault} `BAD_INPUT` naming the variable whose value is not usable */
export function loadSettings(env: Environment = processEnvironment()): Settings {
  const home = read(env, 'home')
  const directories = home === undefined ? platformDirectories(env) : directoriesUnder(home)
  const configDir = resolve(read(env, 'configDir') ?? directories.configDir)
  return {
    dataDir: resolve(read(env, 'dataDir') ?? directories.dataDir),
    stateDir: resolve(read(env, 'stateDir') ?? directories.stateDir),
    configDir,
    databaseUrl: read(env, 'databaseUrl') ?? null,
    counters: countersFrom(env),
    vault: read(env, 'vault') ?? 'default',
    port: portNumber(read(env, 'port') ?? '4747'),
    logLevel: oneOf('logLevel', read(env, 'logLevel') ?? 'info', LOG_LEVELS),
    projectDir: read(env, 'projectDir') ?? null,
    keySource: optionalKeySource(read(env, 'keySource')),
    localOnly: isOn(env, 'localOnly', false),
    remote: remoteFrom(env),
    inspection: switchesFrom(env),
    inspectionFile: resolve(read(env, 'inspectionFile') ?? join(configDir, 'inspection.json')),
    billingUrl: read(env, 'billingUrl') ?? null,
    rateLimits: rateLimitsFrom(env),
    publicUrl: publicUrlFrom(env),
    nodeUrl: nodeUrlFrom(env),
    oidc: oidcFrom(env),
    clientDocument: clientDocumentFrom(env),
    netCa: resolvedOrNull(read(env, 'netCa')),
    netAllow: (read(env, 'netAllow') ?? '').split(/[\s,]+/).filter((entry) => entry !== ''),
    maxMessageBytes: maxMessageBytes(env),
    serverLimits: {
      ...USUAL_LIMITS,
      ...readLimits(read(env, 'serverLimits') ?? '', SETTINGS.serverLimits.env[0]),
    },
  }
}

function resolvedOrNull(path: string | undefined): string | null {
  return path === undefined ? null : resolve(path)
}

function countersFrom(env: Environment): CountersAddress | null {
  const text = read(env, 'counters')
  if (text === undefined) return null
  const address = parseCountersAddress(text)
  if (typeof address === 'string') throw refusedSetting('counters', address)
  return address
}

const MAX_PER_SECOND = 1_000_000

const MIB = 1_048_576

function maxMessageBytes(env: Environment): number {
  const text = read(env, 'maxMessageMb') ?? '128'
  const mib = /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN
  if (!(mib <= 1_024))
    throw refusedSetting('maxMessageMb', 'must be a whole number from 1 to 1024.')
  return mib * MIB
}

function rateLimitsFrom(env: Environment): RequestLimits | null {
  const text = read(env, 'rateLimits')
  if (text === undefined) return null
  const limits = { token: null, agent: null, address: null } as {
    -readonly [K in keyof RequestLimits]: RequestLimits[K]
  }
  for (const entry of text.split(/[\s,]+/).filter((one) => one !== '')) {
    const [, name, count] = /^(token|agent|address)=([1-9]\d{0,6})$/.exec(entry) ?? []
    if (name === undefined || Number(count) > MAX_PER_SECOND)
      throw refusedSetting('rateLimits', 'must be a list such as token=50,agent=100,address=200.')
    limits[name as keyof RequestLimits] = Number(count)
  }
  return limits
}

function remoteFrom(env: Environment): RemoteSettings | null {
  const text = read(env, 'baseUrl')
  if (text === undefined) return null
  const baseUrl = URL.parse(text)
  if (baseUrl === null || !/^https?:$/.test(baseUrl.protocol) || baseUrl.username !== '')
    throw refusedSetting('baseUrl', 'must be a URL that begins with https:// or http://.')
  const key = read(env, 'agentKey')
  const token = read(env, 'agentToken')
  const place = { baseUrl: baseUrl.href.replace(/\/+$/, '') }
  if (key !== undefined)
    return { ...place, credential: { kind: 'key', key, agentId: read(env, 'agentId') ?? null } }
  if (token !== undefined) return { ...place, credential: { kind: 'token', token } }
  throw refusedSetting(
    'baseUrl',
    `needs a credential: ${SETTINGS.agentKey.env.join(' or ')}, else ${SETTINGS.agentToken.env.join(' or ')}.`,
  )
}

function publicUrlFrom(env: Environment): string | null {
  const text = read(env, 'publicUrl')
  if (text === undefined) return null
  const url = URL.parse(text)
  const isHere = url !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isHere)))
    throw refusedSetting('publicUrl', 'must be a URL that begins with https://.')
  if (url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw refusedSetting('publicUrl', 'must be a name and a port, without a path.')
  return url.origin
}

function nodeUrlFrom(env: Environment): string | null {
  const text = read(env, 'nodeUrl')
  if (text === undefined) return null
  const url = URL.parse(text)
  const isOrigin = url?.pathname === '/' && url.search === '' && url.hash === ''
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || !isOrigin)
    throw refusedSetting('nodeUrl', 'must be http(s)://, a name and a port, without a path.')
  return url.origin
}

/** Draft of OAuth client ids that are metadata documents: https, a path, and nothing that two readers could take apart. */
function clientDocumentFrom(env: Environment): string | null {
  const text = read(env, 'clientDocument')
  if (text === undefined) return null
  const url = URL.parse(text)
  const isPlace = url !== null && url.protocol === 'https:' && url.pathname !== '/'
  if (!isPlace || url.username !== '' || url.hash !== '' || url.href !== text)
    throw refusedSetting(
      'clientDocument',
      'must be an address that begins with https:// and has a path, written out as browsers write it.',
    )
  return text
}

const OIDC_ROLES = ['admin', 'member', 'auditor'] as const

function oidcFrom(env: Environment): OidcSettings | null {
  const issuer = read(env, 'oidcIssuer')
  if (issuer === undefined) return null
  const url = URL.parse(issuer)
  const isHere = url !== null && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isHere)))
    throw refusedSetting('oidcIssuer', 'must be a URL that begins with https://.')
  const clientId = read(env, 'oidcClientId')
  if (clientId === undefined)
    throw refusedSetting('oidcIssuer', `needs ${SETTINGS.oidcClientId.env[0]} as well.`)
  const domains = new Map<string, (typeof OIDC_ROLES)[number]>()
  for (const entry of (read(env, 'oidcDomains') ?? '').split(/[\s,]+/)) {
    if (entry === '') continue
    const [domain = '', text] = entry.toLowerCase().split('=')
    const role = OIDC_ROLES.find((one) => one === text)
    if (!/^[a-z0-9.-]+\.[a-z0-9-]+$/.test(domain) || role === undefined)
      throw refusedSetting(
        'oidcDomains',
        `must list entries such as example.org=member; roles are ${OIDC_ROLES.join(', ')}.`,
      )
    domains.set(domain, role)
  }
  return {
    issuer,
    clientId,
    clientSecret: read(env, 'oidcClientSecret') ?? null,
    label: read(env, 'oidcLabel') ?? url.host,
    domains,
  }
}

function refusedSetting(name: keyof typeof SETTINGS, rest: string): Fault {
  const variable = SETTINGS[name].env[0]
  return new Fault('BAD_INPUT', `${variable} ${rest}`, { details: { field: variable } })
}

function switchesFrom(env: Environment): InspectionSwitches {
  const { isEnabled, mode, redactsSecrets, detectsPii, exfiltration } = DEFAULT_SWITCHES
  return {
    isEnabled: isOn(env, 'securityEnabled', isEnabled),
    mode: oneOfNamed(env, 'sanitizationMode', mode, SANITIZATION_MODES),
    redactsSecrets: isOn(env, 'redactSecrets', redactsSecrets),
    detectsPii: isOn(env, 'piiDetection', detectsPii),
    exfiltration: oneOfNamed(env, 'exfilProtection', exfiltration, EXFIL_PROTECTIONS),
  }
}

/** A switch that says neither true nor false is refused: guessing would switch protection off for somebody. */
function isOn(env: Environment, name: keyof typeof SETTINGS, otherwise: boolean): boolean {
  const words = ['true', 'false'] as const
  return oneOfNamed(env, name, otherwise ? 'true' : 'false', words) === 'true'
}

/** The value of a setting with several names, in any case; what is refused is named as it was set. */
function oneOfNamed<T extends string>(
  env: Environment,
  name: keyof typeof SETTINGS,
  otherwise: T,
  allowed: readonly T[],
): T {
  const names: readonly string[] = SETTINGS[name].env
  const variable = names.find((one) => env[one] !== undefined && env[one] !== '')
  if (variable === undefined) return otherwise
  const text = env[variable]?.trim().toLowerCase()
  const found = allowed.find((one) => one === text)
  if (found === undefined)
    throw new Fault('BAD_INPUT', `${variable} must be one of ${allowed.join(', ')}.`, {
      details: { field: variable },
    })
  return found
}

/** Settings that say where a vault is and hold nothing secret. A database URL may hold a password. */
const PLACES = ['home', 'dataDir', 'stateDir', 'configDir', 'vault'] as const

/** The variables of this process that another one needs to find the same vault. */
export function placeVariables(
  env: Environment = processEnvironment(),
): Readonly<Record<string, string>> {
  const names: readonly string[] = PLACES.flatMap((place) => SETTINGS[place].env)
  const found: Record<string, string> = {}
  for (const name of names) {
    const value = env[name]
    if (value === undefined || value === '') continue
    // The other process may be started in another folder.
    found[name] = SETTINGS.vault.env.some((one) => one === name) ? value : resolve(value)
  }
  return found
}

function read(env: Environment, name: keyof typeof SETTINGS): string | undefined {
  for (const variable of SETTINGS[name].env) {
    const value = env[variable]
    if (value !== undefined && value !== '') return value
  }
  return SECRETS.has(name) ? fromFile(env, name) : undefined
}

/** Settings that may hold a password: a file can hold them too, so that they stand in no environment. */
const SECRETS: ReadonlySet<keyof typeof SETTINGS> = new Set([
  'databaseUrl',
  'counters',
  'agentKey',
  'agentToken',
  'oidcClientSecret',
] as const)
const MAX_SECRET_BYTES = 16_384

function fromFile(env: Environment, name: keyof typeof SETTINGS): string | undefined {
  for (const setting of SETTINGS[name].env) {
    const variable = `${setting}_FILE`
    const file = env[variable]
    if (file === undefined || file === '') continue
    let text: string
    try {
      text = readFileSync(file, 'utf8').trim()
    } catch (cause) {
      throw refused(variable, 'names a file that cannot be read.', cause)
    }
    if (text === '' || text.length > MAX_SECRET_BYTES)
      throw refused(variable, 'names a file that is empty or too large.')
    return text
  }
  return undefined
}

function refused(variable: string, rest: string, cause?: unknown): Fault {
  return new Fault('BAD_INPUT', `${variable} ${rest}`, {
    details: { field: variable },
    ...(cause === undefined ? {} : { cause }),
  })
}

function optionalKeySource(text: string | undefined): KeySourceKind | null {
  return text === undefined ? null : oneOf('keySource', text, KEY_SOURCE_KINDS)
}

function oneOf<T extends string>(
  name: keyof typeof SETTINGS,
  text: string,
  allowed: readonly T[],
): T {
  const found = allowed.find((one) => one === text)
  if (found === undefined)
    throw new Fault('BAD_INPUT', `${SETTINGS[name].env[0]} must be one of ${allowed.join(', ')}.`, {
      details: { field: SETTINGS[name].env[0] },
    })
  return found
}

function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65535)
    throw new Fault('BAD_INPUT', 'SALLYPORT_PORT must be a port between 0 and 65535.', {
      details: { field: 'SALLYPORT_PORT' },
    })
  return port
}

interface Directories {
  readonly dataDir: string
  readonly stateDir: string
  readonly configDir: string
}

function directoriesUnder(home: string): Directories {
  return {
    dataDir: join(home, 'data'),
    stateDir: join(home, 'state'),
    configDir: join(home, 'config'),
  }
}

/** XDG on Linux and BSD, Library on macOS, AppData on Windows. */
export function platformDirectories(
  env: Environment,
  os: NodeJS.Platform = platform(),
  userHome: string = homedir(),
): Directories {
  if (os === 'darwin') {
    const base = join(userHome, 'Library', 'Application Support', 'Sallyport')
    return {
      dataDir: join(base, 'Data'),
      stateDir: join(base, 'State'),
      configDir: join(base, 'Config'),
    }
  }
  if (os === 'win32') {
    const local = env['LOCALAPPDATA'] ?? join(userHome, 'AppData', 'Local')
    const roaming = env['APPDATA'] ?? join(userHome, 'AppData', 'Roaming')
    return {
      dataDir: join(local, 'Sallyport', 'Data'),
      stateDir: join(local, 'Sallyport', 'State'),
      configDir: join(roaming, 'Sallyport'),
    }
  }
  const xdg = (name: string, fallback: string): string => {
    const value = env[name]
    // The XDG specification says that a relative path is to be ignored.
    return value?.startsWith('/') === true ? value : join(userHome, fallback)
  }
  return {
    dataDir: join(xdg('XDG_DATA_HOME', '.local/share'), 'sallyport'),
    stateDir: join(xdg('XDG_STATE_HOME', '.local/state'), 'sallyport'),
    configDir: join(xdg('XDG_CONFIG_HOME', '.config'), 'sallyport'),
  }
}

/** The version of this package, from its package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const parsed = JSON.parse(text) as { version?: unknown }
  return typeof parsed.version === 'string' ? parsed.version : '0.0.0'
}
