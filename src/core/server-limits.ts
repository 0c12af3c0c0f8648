import { Fault } from './faults.ts'

/** How long a server may take, and how much it bears. Milliseconds and counts. */
export interface ServerLimits {
  /** Until its first answer. */
  readonly startMs: number
  /** Of a call without an answer or progress. */
  readonly callMs: number
  /** Nobody uses it for so long, and `sallyport up` ends it. */
  readonly idleMs: number
  /** Calls that may be open at once. */
  readonly maxOpen: number
  /** So many calls one after another that were not answered in time keep others away from it. */
  readonly lateInARow: number
  /** For how long. */
  readonly restMs: number
}

/** What is said of one server; the rest is as for all. */
export type OwnLimits = Partial<ServerLimits>

export type LimitName = 'start' | 'call' | 'idle' | 'open' | 'late' | 'rest'

interface LimitKind {
  readonly key: keyof ServerLimits
  readonly isTime: boolean
  readonly least: number
  readonly most: number
  readonly usual: number
  /** The end of a sentence part: `how long …`. */
  readonly summary: string
}

const SECOND = 1_000
const DAY = 86_400_000

export const LIMITS = {
  start: {
    key: 'startMs',
    isTime: true,
    least: SECOND,
    most: DAY,
    usual: 120_000,
    summary: 'how long its first answer may take',
  },
  call: {
    key: 'callMs',
    isTime: true,
    least: SECOND,
    most: 7 * DAY,
    usual: 3_600_000,
    summary: 'how long a call may go without an answer or progress',
  },
  idle: {
    key: 'idleMs',
    isTime: true,
    // As often as it is looked at.
    least: SECOND,
    most: 7 * DAY,
    usual: 1_800_000,
    summary: 'how long nobody may use it before sallyport up ends it',
  },
  open: {
    key: 'maxOpen',
    isTime: false,
    least: 1,
    most: 100_000,
    usual: 1_000,
    summary: 'how many calls may be open at once',
  },
  late: {
    key: 'lateInARow',
    isTime: false,
    least: 1,
    most: 100_000,
    usual: 5,
    summary: 'how many calls in a row may come too late before it is left alone',
  },
  rest: {
    key: 'restMs',
    isTime: true,
    least: SECOND,
    most: DAY,
    usual: 30_000,
    summary: 'for how long it is left alone then',
  },
} as const satisfies Record<LimitName, LimitKind>

export const LIMIT_NAMES = Object.keys(LIMITS) as readonly LimitName[]

export const USUAL_LIMITS: ServerLimits = {
  startMs: LIMITS.start.usual,
  callMs: LIMITS.call.usual,
  idleMs: LIMITS.idle.usual,
  maxOpen: LIMITS.open.usual,
  lateInARow: LIMITS.late.usual,
  restMs: LIMITS.rest.usual,
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND,
  m: 60_000,
  h: 3_600_000,
  d: DAY,
}

/** `60s`, `2m`, `100`. @returns milliseconds or a count; null for what is neither or out of bounds */
export function limitValue(name: LimitName, text: string): number | null {
  const { isTime, least, most } = LIMITS[name]
  const [, digits = '', unit = ''] = /^(\d{1,9})(ms|[smhd])?$/.exec(text) ?? []
  if (digits === '' || (isTime ? unit === '' : unit !== '')) return null
  const value = Number(digits) * (isTime ? (UNITS[unit] ?? Number.NaN) : 1)
  return value >= least && value <= most ? value : null
}

/** As `limitValue` reads it. */
export function limitText(name: LimitName, value: number): string {
  if (!LIMITS[name].isTime) return String(value)
  const unit = ['d', 'h', 'm', 's'].find((one) => value % (UNITS[one] ?? 1) === 0) ?? 'ms'
  return `${value / (UNITS[unit] ?? 1)}${unit}`
}

/** What a value has to be, as the end of a sentence. */
export function limitBounds(name: LimitName): string {
  const { isTime, least, most } = LIMITS[name]
  const example = isTime ? 'a time such as 60s, 5m or 1h' : 'a whole number'
  return `must be ${example}, from ${limitText(name, least)} to ${limitText(name, most)}`
}

/** `call=60s open=10`. @throws {Fault} `BAD_INPUT` naming the field */
export function readLimits(text: string, field: string): OwnLimits {
  const limits: { -readonly [K in keyof ServerLimits]?: number } = {}
  for (const entry of text.split(/[\s,]+/).filter((one) => one !== '')) {
    const [, word = '', value = ''] = /^([a-z]+)=(.*)$/.exec(entry) ?? []
    const name = LIMIT_NAMES.find((one) => one === word)
    if (name === undefined)
      throw bad(field, `must be a list of ${LIMIT_NAMES.join('=, ')}=, such as call=60s,open=100`)
    const read = limitValue(name, value)
    if (read === null) throw bad(field, `'${name}' ${limitBounds(name)}`)
    limits[LIMITS[name].key] = read
  }
  return limits
}

/** @throws {Fault} `BAD_INPUT` naming the field */
export function checkedLimits(limits: OwnLimits): OwnLimits {
  const checked: { -readonly [K in keyof ServerLimits]?: number } = {}
  for (const name of LIMIT_NAMES) {
    const { key, least, most } = LIMITS[name]
    const value = limits[key]
    if (value === undefined) continue
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw bad(`limits.${name}`, limitBounds(name))
    checked[key] = value
  }
  return checked
}

function bad(field: string, problem: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${problem}.`, { details: { field } })
}
