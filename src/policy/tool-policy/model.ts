import type { EpochMs } from '../../core/time.ts'

/** A policy on what goes through a server, whatever it was written in. */
export interface ToolPolicy {
  /** For tools and methods that are not named. */
  readonly fallback: 'allow' | 'deny'
  /** `*` hides all. */
  readonly hide: ReadonlySet<string>
  /** Tools that the policy denies outright stay in the list of tools. */
  readonly listsDenied: boolean
  /** Holds for every call of a tool, besides the rule of the tool. */
  readonly allTools: Rule
  readonly tools: ReadonlyMap<string, Rule>
  /** The class of tools that the policy itself classifies. */
  readonly classes: ReadonlyMap<string, string>
  /** For tools that are not named, by their class. */
  readonly byClass: ReadonlyMap<string, Rule>
  /** By method, or by family: `resources/*`. */
  readonly methods: ReadonlyMap<string, Rule>
  /** Names of tools anywhere in the policy, folded: a call by another spelling of one is denied. */
  readonly foldedTools: ReadonlySet<string>
  /** Those of them that are hidden. */
  readonly foldedHidden: ReadonlySet<string>
  readonly foldedMethods: ReadonlySet<string>
  /** How long calls are recorded that no rule says otherwise of, in seconds; null: they are not. */
  readonly recordSeconds: number | null
  /** Whether any call is. */
  readonly records: boolean
}

export const ACTIONS = ['allow', 'deny', 'hide', 'shadow', 'require_approval'] as const
/** `shadow`: what the rule denies passes and is told. `require_approval`: what passes waits for a person. */
export type RuleAction = (typeof ACTIONS)[number]

export interface Rule {
  readonly action: RuleAction
  /** What is said where a clause has no text of its own. */
  readonly reason: string | null
  /** JSON Pointer of the rule in its document. */
  readonly pointer: string
  /** A call that meets one is denied. */
  readonly denyIf: readonly Clause[]
  /** A call has to meet all of them. */
  readonly require: readonly Clause[]
  /** A call that meets one waits for a person. */
  readonly approveIf: readonly Clause[]
  /** Of the answer; null when it is not judged. */
  readonly onResult: {
    readonly denyIf: readonly Clause[]
    readonly require: readonly Clause[]
  } | null
  readonly limits: readonly ToolLimit[]
  /** The call is in the audit for good before it is sent. */
  readonly isDurable: boolean
  /** How long an approval is waited for; null: as long as approvals are. */
  readonly approvalSeconds: number | null
  /** How long its calls are recorded, in seconds; 0: they are not; null: as the policy says. */
  readonly recordSeconds: number | null
}

export interface Clause {
  /** All of them together; none are always met. */
  readonly tests: readonly Test[]
  /** What is said when it denies, or asks for a person. */
  readonly says: string | null
  /** What its author calls it. */
  readonly name: string | null
  readonly pointer: string
}

/** Something that is so or not of a call. */
export type Test = Condition | TestGroup | TimeTest

export interface TestGroup {
  readonly kind: 'all' | 'any' | 'not'
  /** Of `not` it is one. */
  readonly tests: readonly Test[]
}

export interface TimeTest {
  readonly kind: 'time'
  readonly isOpen: (at: EpochMs) => Outcome
  /** As it is written in explanations. */
  readonly shown: string
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
  readonly kind: 'condition'
  readonly path: SubjectPath
  readonly op: Operator
  /** Judges a value that is there. */
  readonly meets: (value: unknown) => Outcome
  /** What holds where there is no value. */
  readonly whenMissing: boolean
  /** What values are compared with: one, or those of a list. */
  readonly wanted: readonly unknown[]
  readonly shown: string
}

export const ROOTS = [
  'args',
  'params',
  'result',
  'text',
  'annotations',
  'principal',
  'labels',
  'client',
  'class',
  'tool',
  'method',
] as const
export type PathRoot = (typeof ROOTS)[number]

/** Where a value stands in what is judged. */
export interface SubjectPath {
  readonly root: PathRoot
  readonly steps: readonly string[]
  /** Whether steps of digits are places in a list. */
  readonly isPointer: boolean
}

/** Who calls, and when. */
export interface Asker {
  /** As `principalName` has it: `agent:local`, `agent:<uuid>`, `user:<uuid>`. */
  readonly principal: string
  /** Of the agent behind the credential; null when nobody could say. */
  readonly labels: readonly string[] | null
  /** The name that the client gave of itself, or null. */
  readonly client: string | null
  readonly at: EpochMs
}

/** A call of a tool, as policies judge it. */
export interface CallSubject extends Asker {
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
  /** As the server's list of tools has them: `{}` for none, null when the tool was not seen in a list. */
  readonly annotations: Readonly<Record<string, unknown>> | null
  /** Of a catalogue; the policy's own table goes before it. */
  readonly toolClass: string | null
}

/** A request of another method, of the client or of the server, as policies judge it. */
export interface MethodSubject extends Asker {
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
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
  /** In units of `10 ** -scale`. */
  readonly max: number
  /** Digits behind the point that are counted, 0 to 9; the same in all limits of a policy that count together. */
  readonly scale: number
  readonly cost: Cost
  readonly scope: LimitScope
  readonly algorithm: LimitAlgorithm
  /** What is said when it is reached: its own text, or that of its rule. */
  readonly onDeny: string | null
  readonly name: string | null
  readonly pointer: string
}

/** What a call costs, in units of the limit. */
export type Cost =
  | { readonly kind: 'fixed'; readonly units: number }
  | { readonly kind: 'argument'; readonly path: SubjectPath }
  /** Known when the answer is: until then the estimate is taken. */
  | {
      readonly kind: 'result'
      readonly path: SubjectPath
      readonly estimate: number | SubjectPath
    }
