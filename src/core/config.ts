import { readFileSync } from 'node:fs'
import { homedir, platform } from 'node:os'
import { join, resolve } from 'node:path'
import { type CountersAddress, parseCountersAddress } from './counters-address.ts'
import { Fault } from './faults.ts'
import { readLimits, type ServerLimits, USUAL_LIMITS } from './server-limits.ts'

/** The switches of inspection have a name beside the older one, with and without `MCP_`. */
function switchNames<N extends string>(
  name: N,
): readonly [`SALLYPORT_MCP_${N}`, `SALLYPORT_${N}`, `ONECLAW_MCP_${N}`] {
  return [`SALLYPORT_MCP_${name}`, `SALLYPORT_${name}`, `ONECLAW_MCP_${name}`]
}

/** One row per setting: docs/config.md is printed from this table, and `loadSettings` reads nothing that is not in it. */
export const SETTINGS = {
  home: {
    env: ['SALLYPORT_HOME'],
    summary: 'One folder for data, state and configuration, instead of the platform directories.',
  },
  dataDir: { env: ['SALLYPORT_DATA_DIR'], summary: 'Where the SQLite store lives (0700).' },
  stateDir: {
    env: ['SALLYPORT_STATE_DIR'],
    summary: 'Where the head of the audit tree and the unlock socket live, apart from the store.',
  },
  configDir: {
    env: ['SALLYPORT_CONFIG_DIR'],
    summary: 'Where the choice of key source and the key file live.',
  },
  databaseUrl: {
    env: ['SALLYPORT_DATABASE_URL'],
    summary:
      'postgres://… to keep the store in PostgreSQL instead of SQLite. Or SALLYPORT_DATABASE_URL_FILE: a file that holds it.',
  },
  counters: {
    env: ['SALLYPORT_COUNTERS_URL'],
    summary:
      'redis://…, rediss://… (TLS) or unix:///SOCKET of a Redis or Valkey that counts the limits on tool calls for many nodes. Or SALLYPORT_COUNTERS_URL_FILE: a file that holds it. Default: the store counts.',
  },
  vault: {
    env: ['SALLYPORT_VAULT', 'ONECLAW_VAULT_ID'],
    summary: 'Name or id of the vault that paths refer to. Default: default.',
  },
  baseUrl: {
    env: ['SALLYPORT_BASE_URL', 'ONECLAW_BASE_URL'],
    summary:
      'https://… of a server whose vault sallyport mcp serves, instead of the one on this machine.',
  },
  agentId: {
    env: ['SALLYPORT_AGENT_ID', 'ONECLAW_AGENT_ID'],
    summary: 'With a base URL: the agent whose key this is. The server finds out by itself.',
  },
  agentKey: {
    env: ['SALLYPORT_AGENT_API_KEY', 'ONECLAW_AGENT_API_KEY'],
    summary: 'With a base URL: the key that is exchanged for short-lived tokens.',
  },
  agentToken: {
    env: ['SALLYPORT_AGENT_TOKEN', 'ONECLAW_AGENT_TOKEN'],
    summary: 'With a base URL: a token, used as it is until it ends, instead of a key.',
  },
  port: { env: ['SALLYPORT_PORT'], summary: 'Port of sallyport up on loopback. Default: 4747.' },
  publicUrl: {
    env: ['SALLYPORT_PUBLIC_URL'],
    summary:
      'https://… where browsers find this server: its pages, links and passkeys are for this name. Default: http://localhost:PORT, for this machine alone.',
  },
  nodeUrl: {
    env: ['SALLYPORT_NODE_URL'],
    summary:
      'Where several servers share a store: http(s)://… at which the others reach this one. Default: the address it listens at, unless that is every address.',
  },
  oidcIssuer: {
    env: ['SALLYPORT_OIDC_ISSUER'],
    summary: 'https://… of an OpenID Connect provider at which people may sign in.',
  },
  oidcClientId: {
    env: ['SALLYPORT_OIDC_CLIENT_ID'],
    summary:
      'With an issuer: the client that this server is there; its redirect address is PUBLIC_URL/sign-in/back.',
  },
  oidcClientSecret: {
    env: ['SALLYPORT_OIDC_CLIENT_SECRET'],
    summary: 'With an issuer: the secret of that client, if it has one.',
  },
  oidcLabel: {
    env: ['SALLYPORT_OIDC_LABEL'],
    summary: 'How the sign-in page names the provider. Default: the host of the issuer.',
  },
  oidcDomains: {
    env: ['SALLYPORT_OIDC_DOMAINS'],
    summary:
      'Who may come without an invitation: example.org=member, example.net=auditor; the provider must say that the address is verified. Default: nobody.',
  },
  clientDocument: {
    env: ['SALLYPORT_CLIENT_METADATA_URL'],
    summary:
      'https://… of a document that says who this program is to authorization servers of MCP servers that fetch one (docs/gateway.md). Default: none; they register it, or a person does.',
  },
  logLevel: {
    env: ['SALLYPORT_LOG_LEVEL'],
    summary: 'debug, info, warn, error or silent. JSON lines on stderr. Default: info.',
  },
  projectDir: {
    env: ['CLAUDE_PROJECT_DIR'],
    summary: 'Folder from which the project is looked up. Default: the working directory.',
  },
  keySource: {
    env: ['SALLYPORT_KEY_SOURCE'],
    summary:
      'First run only: keychain, passphrase or keyfile. Later runs use what was written down.',
  },
  localOnly: {
    env: ['SALLYPORT_LOCAL_ONLY', 'ONECLAW_LOCAL_ONLY'],
    summary:
      'true: sallyport mcp lists inspect_content alone and opens no vault, no key and no account. Default: false.',
  },
  securityEnabled: {
    env: switchNames('SECURITY_ENABLED'),
    summary: 'false: calls are neither inspected nor redacted. Default: true.',
  },
  sanitizationMode: {
    env: switchNames('SANITIZATION_MODE'),
    summary:
      'What happens to arguments with severe findings: block, surgical or log_only. Default: block.',
  },
  redactSecrets: {
    env: switchNames('REDACT_SECRETS'),
    summary: 'false: known secret values stay in answers. Default: true.',
  },
  piiDetection: {
    env: switchNames('PII_DETECTION'),
    summary: 'false: personal data is not reported. Default: true.',
  },
  exfilProtection: {
    env: switchNames('EXFIL_PROTECTION'),
    summary:
      'What happens to arguments that hold a known secret value: block, warn or off. block refuses in every mode. Default: warn.',
  },
  inspectionFile: {
    env: ['SALLYPORT_INSPECTION_FILE'],
    summary:
      'What is let through: detectors that are off, thresholds, allowed findings. Default: inspection.json in the configuration folder.',
  },
  rateLimits: {
    env: ['SALLYPORT_RATE_LIMITS'],
    summary:
      'Requests a second that all processes of one store answer together, twice as many at once: token=50,agent=100,address=200. Default: no limits.',
  },
  billingUrl: {
    env: ['SALLYPORT_BILLING_URL'],
    summary: 'Address that a refusal names when a quota is exhausted.',
  },
  netCa: {
    env: ['SALLYPORT_NET_CA'],
    summary:
      'PEM file with certificates of authorities that are trusted beside those of the system, wherever this program asks: issuers of workloads and people, webhooks, sinks, servers.',
  },
  maxMessageMb: {
    env: ['SALLYPORT_MAX_MESSAGE_MB'],
    summary:
      'The largest message that the gateway passes on, in MiB, 1 to 1024. What is larger than 2 MiB is put aside in a sealed temporary file. Default: 128.',
  },
  serverLimits: {
    env: ['SALLYPORT_SERVER_LIMITS'],
    summary:
      'How long servers behind the gateway may take and how much they bear, where server add does not say: start (until the first answer), call (without an answer or progress), idle (until sallyport up ends it), open (calls at once), late (calls in a row that came too late before it is left alone), rest (for how long). Default: start=2m,call=1h,idle=30m,open=1000,late=5,rest=30s.',
  },
  netAllow: {
    env: ['SALLYPORT_NET_ALLOW'],
    summary:
      'What may be requested although it is not public: addresses and ranges (10.0.0.0/8), hosts (idp.lan, *.corp.lan, idp.lan:8443), origins (http://idp.lan:8080, the only form that lets plain HTTP through). Separated by commas or spaces.',
  },
} as const satisfies Record<string, { env: readonly string[]; summary: string }>

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
