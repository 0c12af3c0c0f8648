import type { Environment } from '../core/config.ts'
import type { UpstreamHeader } from '../core/gateway-port.ts'
import type { EpochMs } from '../core/time.ts'

/** Lines and columns from 1; the problem is a sentence part. */
export interface PolicyFinding {
  readonly line: number
  readonly column: number
  readonly problem: string
}

export const POLICY_FORMS = ['json', 'yaml', 'hosted'] as const
export type PolicyFormName = (typeof POLICY_FORMS)[number]

/** A call, or a request of another method, that a policy is asked about. */
export interface PolicyQuestion {
  /** A tool, or a method. */
  readonly name: string
  readonly isMethod: boolean
  /** Of the tool, or the `params` of the method; an object, as text. */
  readonly args: string
  readonly principal: string
  readonly labels: readonly string[]
  readonly client: string | null
  readonly at: EpochMs | null
  /** Objects, as text. Null: not known, and no answer yet. */
  readonly annotations: string | null
  readonly toolClass: string | null
  readonly result: string | null
}

export interface SeenCondition {
  readonly shown: string
  /** Null: in doubt. */
  readonly met: boolean | null
  readonly saw: string | null
  readonly within: readonly SeenCondition[]
}

export interface PolicyAnswer {
  readonly verdict: 'allowed' | 'denied' | 'hidden' | 'limited' | 'approval' | 'withheld'
  /** Of what decided: JSON Pointer or a word in brackets. */
  readonly rule: string
  readonly name: string | null
  readonly reason: string | null
  /** What a rule in shadow would have done. */
  readonly shadow: {
    readonly wouldBe: 'denied' | 'limited' | 'approval'
    readonly rule: string
    readonly reason: string | null
  } | null
  readonly isDurable: boolean
  readonly judgesResult: boolean
  /** For how long the call is recorded; 0 and null: it is not. */
  readonly recordSeconds: number | null
  readonly clauses: readonly {
    readonly kind: string
    readonly pointer: string
    readonly name: string | null
    readonly met: boolean | null
    readonly tests: readonly SeenCondition[]
  }[]
  /** What the call would be counted as. */
  readonly charges: readonly {
    readonly counter: string
    readonly amount: string
    readonly max: string
    readonly window: string
    readonly scope: string
    readonly algorithm: string
    readonly pointer: string
  }[]
  /** Of a hidden tool: what is made of its call, as of one of a tool that nothing names. Else null. */
  readonly unnamed: PolicyAnswer | null
}

export interface PolicyCaseRun {
  readonly name: string
  readonly line: number
  readonly passed: boolean
  readonly expected: CaseEnd
  readonly got: CaseEnd
}

/** Null: not asked for, or without a reason. */
export interface CaseEnd {
  readonly outcome: string
  readonly rule: string | null
  readonly reason: string | null
}

/** A server that is asked for its tools. */
export interface AskedServer {
  /** One that was added, which is reached as it was registered; with null, by what follows. */
  readonly server: string | null
  readonly command: readonly string[]
  /** In place of a command, or null. */
  readonly url: string | null
  readonly headers: readonly UpstreamHeader[]
  readonly variables: readonly string[]
  readonly environment: Environment
  readonly name: string | null
}

/** What is done with policies on tools as texts. Opens no vault, but for `suggested`: for secrets in headers, and what was added. */
export interface PolicyTools {
  check(
    file: string,
    bytes: Uint8Array,
  ): Promise<{
    readonly problems: readonly PolicyFinding[]
    readonly warnings: readonly PolicyFinding[]
  }>
  /**
   * Whether a file can be kept as a policy of a name.
   *
   * @throws {Fault} `BAD_INPUT` for what is no valid policy
   */
  keepable(file: string, name: string, bytes: Uint8Array): Promise<void>
  /** @throws {Fault} `BAD_INPUT` for what is no valid policy */
  formatted(file: string, bytes: Uint8Array): Promise<string>
  /** Without text where something a call is decided by could not be kept. Throws as `formatted`. */
  converted(
    file: string,
    bytes: Uint8Array,
    to: PolicyFormName,
  ): Promise<{
    readonly text: string | null
    readonly notes: readonly string[]
    readonly problems: readonly PolicyFinding[]
  }>
  /** @throws {Fault} `BAD_INPUT` for what is no valid policy, a field that is no object, or a call that is refused before any policy sees it */
  explained(file: string, bytes: Uint8Array, question: PolicyQuestion): Promise<PolicyAnswer>
  /**
   * Runs the cases of a file.
   *
   * @param read - another file, as it is named from the folder of this one
   * @throws {Fault} `BAD_INPUT` for a file of cases or a policy that is not valid
   */
  tried(
    file: string,
    bytes: Uint8Array,
    read: (file: string) => Promise<Uint8Array>,
  ): Promise<readonly PolicyCaseRun[]>
  /**
   * A first policy for a server, in YAML.
   *
   * @throws {Fault} `BAD_INPUT` when it cannot be started, `NOT_FOUND` when none was added by that name, `NET_FAILED` or `NET_TIMED_OUT` when it does not answer
   */
  suggested(server: AskedServer, signal: AbortSignal): Promise<string>
}
