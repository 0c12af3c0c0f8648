/** A policy on the tools of a server, whatever it was written in. */
export interface ToolPolicy {
  /** For tools that are not named. */
  readonly fallback: 'allow' | 'deny'
  /** `*` hides all. */
  readonly hide: ReadonlySet<string>
  /** Tools that the policy denies outright stay in the list of tools. */
  readonly listsDenied: boolean
  /** Of every call. */
  readonly limits: readonly ToolLimit[]
  readonly tools: ReadonlyMap<string, ToolRule>
  /** Names of `tools` and `hide`, folded: a call by another spelling of one is denied. */
  readonly foldedNames: ReadonlySet<string>
}

export interface ToolRule {
  readonly action: 'allow' | 'deny' | 'hide'
  /** What is said where a clause has no text of its own. */
  readonly reason: string | null
  /** JSON Pointer of the rule in its document. */
  readonly pointer: string
  /** A call has to meet all of them. */
  readonly require: readonly Clause[]
  /** A call that meets one is denied. */
  readonly denyIf: readonly Clause[]
  readonly limits: readonly ToolLimit[]
}

export interface Clause {
  /** All of them together; none are always met. */
  readonly conditions: readonly Condition[]
  readonly onDeny: string | null
  readonly pointer: string
}

export const OPERATORS = [
  'eq',
  'neq',
  'lt',
  'lte',
  'gt',
  'gte',
  'in',
  'not_in',
  'exists',
  'regex',
  'contains',
] as const
export type Operator = (typeof OPERATORS)[number]

/** `doubt`: the value is of a kind that the operator does not judge, or another reader may see another one. */
export type Outcome = boolean | 'doubt'

export interface Condition {
  readonly steps: readonly string[]
  /** Whether steps of digits are places in a list. */
  readonly isPointer: boolean
  readonly op: Operator
  /** Judges a value that is there. */
  readonly meets: (value: unknown) => Outcome
  /** What holds where there is no value. */
  readonly whenMissing: boolean
}

export const WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month'] as const
export type WindowName = (typeof WINDOWS)[number]

export const SCOPES = ['grant', 'session', 'server', 'agent', 'org'] as const
/** Whose calls are counted together. */
export type LimitScope = (typeof SCOPES)[number]

export const ALGORITHMS = ['sliding', 'calendar'] as const
/** `sliding`: never more than `max` in any interval of that length. `calendar`: from one boundary in UTC to the next. */
export type LimitAlgorithm = (typeof ALGORITHMS)[number]

export interface ToolLimit {
  readonly counter: string
  /** A name, or seconds. */
  readonly window: WindowName | number
  readonly max: number
  readonly scope: LimitScope
  readonly algorithm: LimitAlgorithm
  readonly onDeny: string | null
  readonly pointer: string
}
