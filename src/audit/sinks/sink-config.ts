import { isAbsolute } from 'node:path'
import { Fault } from '../../core/faults.ts'

/** `required`: nothing is released that the sink does not have. `best-effort`: it gets everything as soon as it can. */
export type SinkMode = 'required' | 'best-effort'

interface Common {
  readonly name: string
  readonly mode: SinkMode
  /** How long one delivery may take. */
  readonly deadlineMs: number
  /** Whether a new sink gets what was recorded before it. */
  readonly from: 'beginning' | 'now'
  /** How long records may stand in it without a signed checkpoint after them; 0: for ever. */
  readonly checkpointMinutes: number
}

export const CHECKPOINT_MINUTES = 5

export interface FileSinkConfig extends Common {
  readonly kind: 'file'
  readonly path: string
  /** A file that would grow beyond this is put aside. */
  readonly maxBytes: number
}

export interface SyslogSinkConfig extends Common {
  readonly kind: 'syslog'
  readonly transport: 'udp' | 'tcp' | 'tls' | 'unix'
  /** For `udp`, `tcp`, `tls`. */
  readonly host: string
  readonly port: number
  /** For `unix`: a stream socket. */
  readonly path: string
  /** RFC 5424 table 1. */
  readonly facility: number
}

export interface WebhookSinkConfig extends Common {
  readonly kind: 'webhook'
  readonly url: string
  readonly key: string
}

export interface S3SinkConfig extends Common {
  readonly kind: 's3'
  /** Of the service, without the bucket. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** Before the name of each object; ends with a slash or is empty. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly lockMode: 'COMPLIANCE' | 'GOVERNANCE' | null
  readonly retainDays: number
}

export type SinkConfig = FileSinkConfig | SyslogSinkConfig | WebhookSinkConfig | S3SinkConfig

/** What a second configuration may leave out: the sink of that name keeps the one it has. */
const SECRETS: Readonly<Record<SinkConfig['kind'], readonly string[]>> = {
  file: [],
  syslog: [],
  webhook: ['key'],
  s3: ['secretAccessKey'],
}

const NAME = /^[a-z][a-z0-9-]{0,39}$/
const MAX_SINKS = 8
/** Callers of the ledger wait five seconds. */
const MAX_REQUIRED_MS = 4_500

/**
 * @param text JSON: `{"sinks": [{"name", "kind", "mode", …}]}`
 * @param before what holds now: a sink of the same name and kind keeps the secrets that are left out
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function parseSinkConfigs(
  text: string,
  before: readonly SinkConfig[] = [],
): readonly SinkConfig[] {
  const root = objectIn(parsed(text), 'the file')
  onlyKnown(root, ['sinks'], 'the file')
  const list = root['sinks']
  if (!Array.isArray(list) || list.length > MAX_SINKS)
    throw bad('sinks', `must be a list of at most ${MAX_SINKS}`)
  const configs = (list as readonly unknown[]).map((one, at) =>
    sinkConfig(new FieldReader(objectIn(one, `sinks[${at}]`), `sinks[${at}]`), before),
  )
  for (const [at, { name }] of configs.entries())
    if (configs.findIndex((one) => one.name === name) !== at)
      throw bad(`sinks[${at}].name`, `names '${name}' twice`)
  return configs
}

function sinkConfig(fields: FieldReader, before: readonly SinkConfig[]): SinkConfig {
  const kind = fields.oneOf('kind', ['file', 'syslog', 'webhook', 's3'])
  const name = fields.matching('name', NAME, 'lower case letters, digits and dashes')
  const kept = before.find((one) => one.name === name && one.kind === kind)
  for (const secret of SECRETS[kind]) fields.keep(secret, kept)
  const mode = fields.oneOf('mode', ['required', 'best-effort'])
  const most = mode === 'required' ? MAX_REQUIRED_MS : 60_000
  const common: Common = {
    name,
    mode,
    deadlineMs: fields.count('deadlineMs', 100, most, 2_000),
    from: fields.oneOf('from', ['beginning', 'now'], 'beginning'),
    checkpointMinutes: fields.count('checkpointMinutes', 0, 1_440, CHECKPOINT_MINUTES),
  }
  const config = CONFIGS[kind](fields, common)
  fields.end()
  return config
}

const CONFIGS: Readonly<
  Record<SinkConfig['kind'], (fields: FieldReader, common: Common) => SinkConfig>
> = {
  file(fields, common) {
    const path = fields.text('path')
    if (!isAbsolute(path)) throw bad(fields.at('path'), 'must be an absolute path')
    const maxBytes = fields.count('maxBytes', 65_536, 2 ** 40, 100 * 2 ** 20)
    return { ...common, kind: 'file', path, maxBytes }
  },
  syslog(fields, common) {
    const transport = fields.oneOf('transport', ['udp', 'tcp', 'tls', 'unix'])
    if (transport === 'udp' && common.mode === 'required')
      throw bad(fields.at('transport'), 'cannot be udp and required: nobody says that it arrived')
    const isUnix = transport === 'unix'
    return {
      ...common,
      kind: 'syslog',
      transport,
      host: isUnix ? '' : fields.text('host'),
      port: isUnix ? 0 : fields.count('port', 1, 65_535, transport === 'tls' ? 6514 : 514),
      path: isUnix ? fields.text('path') : '',
      // 13: log audit.
      facility: fields.count('facility', 0, 23, 13),
    }
  },
  webhook(fields, common) {
    const url = fields.url('url')
    const key = fields.text('key')
    if (key.length < 32) throw bad(fields.at('key'), 'must have 32 characters or more')
    return { ...common, kind: 'webhook', url, key }
  },
  s3(fields, common) {
    const prefix = fields.text('prefix', '')
    const lock = fields.oneOf('lockMode', ['COMPLIANCE', 'GOVERNANCE', 'none'], 'COMPLIANCE')
    return {
      ...common,
      kind: 's3',
      endpoint: fields.url('endpoint'),
      region: fields.matching('region', /^[a-z0-9-]{1,40}$/, 'a region such as eu-central-1'),
      bucket: fields.matching('bucket', /^[a-z0-9][a-z0-9.-]{1,62}$/, 'the name of a bucket'),
      prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`,
      accessKeyId: fields.text('accessKeyId'),
      secretAccessKey: fields.text('secretAccessKey'),
      lockMode: lock === 'none' ? null : lock,
      retainDays: fields.count('retainDays', 1, 36_500, 365),
    }
  },
}

/** The members of one sink, each asked for once; what nobody asked for is a mistake. */
class FieldReader {
  readonly #fields: Record<string, unknown>
  readonly #where: string
  readonly #asked = new Set<string>()

  constructor(fields: Readonly<Record<string, unknown>>, where: string) {
    this.#fields = { ...fields }
    this.#where = where
  }

  at(name: string): string {
    return `${this.#where}.${name}`
  }

  keep(name: string, from: SinkConfig | undefined): void {
    const held = from === undefined ? undefined : new Map(Object.entries(from)).get(name)
    if (this.#fields[name] === undefined && held !== undefined) this.#fields[name] = held
  }

  text(name: string, otherwise?: string): string {
    const value = this.#take(name) ?? otherwise
    if (typeof value !== 'string' || (value === '' && otherwise !== '') || value.length > 2_000)
      throw bad(this.at(name), 'must be a text')
    return value
  }

  matching(name: string, pattern: RegExp, what: string): string {
    const value = this.text(name)
    if (!pattern.test(value)) throw bad(this.at(name), `must be ${what}`)
    return value
  }

  url(name: string): string {
    const value = this.text(name)
    const url = URL.parse(value)
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.hash !== '')
      throw bad(this.at(name), 'must be an https URL without a user')
    return value
  }

  count(name: string, min: number, max: number, otherwise: number): number {
    const value = this.#take(name) ?? otherwise
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
      throw bad(this.at(name), `must be a whole number between ${min} and ${max}`)
    return value
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], otherwise?: T): T {
    const value = this.#take(name) ?? otherwise
    const found = allowed.find((one) => one === value)
    if (found === undefined) throw bad(this.at(name), `must be one of ${allowed.join(', ')}`)
    return found
  }

  end(): void {
    onlyKnown(this.#fields, [...this.#asked], this.#where)
  }

  #take(name: string): unknown {
    this.#asked.add(name)
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
  }
}

function onlyKnown(
  fields: Readonly<Record<string, unknown>>,
  known: readonly string[],
  where: string,
): void {
  const other = Object.keys(fields).find((name) => !known.includes(name))
  if (other !== undefined) throw bad(where, `has the member '${other}', which means nothing there`)
}

function objectIn(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(where, 'must be an object')
  return value as Readonly<Record<string, unknown>>
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may hold keys.
    throw bad('the file', 'must be JSON')
  }
}

function bad(field: string, rest: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${rest}.`, { details: { field } })
}
