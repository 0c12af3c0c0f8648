import type { Reader, Tx } from './db-port.ts'
import type { Expectation } from './expectation.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

/** `consumed`: used up. `expired`: nobody decided, or nobody used it, in time; both count as no. */
export const APPROVAL_STATUSES = [
  'pending',
  'approved',
  'denied',
  'expired',
  'cancelled',
  'consumed',
] as const
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number]

/**
 * Exactly what is to be done. Another target, other arguments or another revision of the policy are another act, and
 * need another approval.
 */
export interface ApprovalAct {
  /** `gateway.call`, `share.create`, … */
  readonly action: string
  readonly target: ApprovalTarget
  /** `jsonDigest` of the arguments, hex. What is kept of it is a MAC, which nobody can try guesses against. */
  readonly argumentsDigest: string
  /** Any text that is another one when the rules that ask for the approval are others. */
  readonly policyRevision: string
  /** Where a scoped grant may stand in for an approval of this very act. */
  readonly within?: GrantedPlace & {
    /** Judged by the pattern of the grant. */
    readonly path: string
  }
}

export interface ApprovalTarget {
  /** `secret`, `tool`, `agent`, … */
  readonly type: string
  readonly id: string
}

export interface GrantedPlace {
  /** What the paths are of: the id of a vault, the name of a server. */
  readonly place: string
  readonly permission: string
}

/** "read api-keys/** for 15 minutes", "5 uses"; at least one of the two limits it. */
export interface GrantScope extends GrantedPlace {
  /** Glob over paths. */
  readonly pattern: string
  /** From the decision on. */
  readonly seconds: number | null
  readonly uses: number | null
}

/** A scope around an act: its place and permission, these paths, until one of the limits is reached. */
export type Widening = Pick<GrantScope, 'pattern' | 'seconds' | 'uses'>

/** What the person is shown. Names, never a secret's value. */
export interface ApprovalPreview {
  readonly title: string
  readonly body?: string
  readonly fields?: readonly { readonly label: string; readonly value: string }[]
}

export interface ApprovalRequest extends ApprovalAct {
  readonly preview: ApprovalPreview
  /** In the words of whoever asks. */
  readonly reason?: string
  /** 30 to 604 800. Default 900. */
  readonly expiresInSeconds?: number
  /** How many people must say yes, 1 to 10. Default 1. */
  readonly needed?: number
}

/** What an agent asks of people in words of its own. Nothing that Sallyport enforces is ever passed by it. */
export interface OwnRequest {
  /** `namespace.verb`. */
  readonly action: string
  readonly target: ApprovalTarget
  /** Is kept as its digest alone. */
  readonly payload?: unknown
  readonly preview: ApprovalPreview
  readonly reason?: string
  readonly expiresInSeconds?: number
  readonly needed?: number
}

export interface ApprovalVote {
  /** Principal: `user:<uuid>`, `person:local`. */
  readonly by: string
  readonly decision: 'approve' | 'deny'
  readonly reason: string | null
  readonly at: EpochMs
}

export interface ApprovalInfo {
  readonly id: string
  /**
   * `act`: filed by what enforces it. `own`: filed by the requester in words of his own. `grant`: of a scope.
   */
  readonly kind: 'act' | 'own' | 'grant'
  /** Principal. */
  readonly requester: string
  /** Folder of the local agent's project, or null. */
  readonly project: string | null
  /** Name that the client of the requester gave of itself. */
  readonly client: string | null
  readonly action: string
  readonly target: ApprovalTarget
  /** Names the arguments: a MAC over their digest and whoever asks, hex. */
  readonly argumentsDigest: string
  readonly policyRevision: string
  readonly preview: ApprovalPreview
  readonly reason: string | null
  readonly status: ApprovalStatus
  readonly needed: number
  readonly votes: readonly ApprovalVote[]
  /** Only of grants. `until` is known once it is approved. */
  readonly grant: (GrantScope & { readonly used: number; readonly until: EpochMs | null }) | null
  readonly createdAt: EpochMs
  /** Until then it can be decided and used. */
  readonly expiresAt: EpochMs
  /** Of acts: where a yes may be widened to a scope. */
  readonly within: ApprovalAct['within'] | null
  /** When it was approved, denied or cancelled. */
  readonly decidedAt: EpochMs | null
  readonly consumedAt: EpochMs | null
}

/** An approval that was used up for one act that has not begun yet. */
export interface ConsumedApproval {
  readonly approval: ApprovalInfo
  /** Revision of its row, so that only what was just taken can be given back. */
  readonly revision: number
}

/** Whether an act may be done now. `none`: nobody has been asked. */
export type Consumption =
  | { readonly outcome: 'granted'; readonly taken: ConsumedApproval }
  | { readonly outcome: 'pending' | 'denied'; readonly approval: ApprovalInfo }
  | { readonly outcome: 'none' }

export interface ApprovalFilter {
  readonly status?: ApprovalStatus
  /** Principal. */
  readonly requester?: string
  readonly kinds?: readonly ApprovalInfo['kind'][]
  /** 1 to 500. Default 50. */
  readonly limit?: number
  /** Only what was asked for before this one: the page after it. */
  readonly before?: string
}

/**
 * What people are asked before something is done, and what they said. Who asks sees what he asked for; owners, admins
 * and auditors, the maker of an agent, and whoever is at this machine see what they could be asked about.
 */
export interface ApprovalPort {
  /**
   * Asks people for one act. The same act of the same caller is asked once: what is pending, approved or denied and
   * not yet expired is answered again.
   *
   * @throws {Fault} `BAD_INPUT`; `THROTTLED` when too much of this caller is pending; `UNAUTHENTICATED`
   */
  request(caller: Caller, request: ApprovalRequest): Promise<ApprovalInfo>
  /** Asks people in the caller's own words. Throws as `request`. */
  ask(caller: Caller, request: OwnRequest): Promise<ApprovalInfo>
  /** Asks people for a scope. Throws as `request`. */
  askGrant(
    caller: Caller,
    request: GrantScope & {
      readonly policyRevision: string
      readonly reason?: string
      readonly expiresInSeconds?: number
      readonly needed?: number
    },
  ): Promise<ApprovalInfo>
  /**
   * Uses up the approval of an act, or one use of a grant that covers it, in a transaction of its own.
   *
   * @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts
   */
  consume(caller: Caller, act: ApprovalAct): Promise<Consumption>
  /** Undoes a consumption whose act failed before it began. Once; nothing happens when it was given back already. */
  giveBack(caller: Caller, taken: ConsumedApproval): Promise<void>
  /**
   * Uses up the approval of an act, or asks for it.
   *
   * @throws {Fault} `APPROVAL_REQUIRED` with `details.approval`; `ACCESS_DENIED` when people said no
   */
  pass(caller: Caller, request: ApprovalRequest): Promise<ConsumedApproval>
  /** Asks for an act that has to wait. Always throws, as `pass` does when it does not pass. */
  demand(caller: Caller, request: ApprovalRequest): Promise<never>
  /**
   * As `consume`, inside the transaction of the act itself, which undoes it when the act fails. The record of the act
   * must name `rows`.
   */
  consumeWithin(
    tx: Tx,
    caller: Caller,
    act: ApprovalAct,
    at: EpochMs,
  ): Promise<{
    readonly consumption: Consumption
    readonly rows: readonly (readonly [table: string, id: string, revision: number | null])[]
  }>
  /** Whether `consumeWithin` would find what it needs now, looked at without using it up. */
  isApproved(reader: Reader, caller: Caller, act: ApprovalAct, at: EpochMs): Promise<boolean>
  /**
   * Uses up what the caller asked for in his own words, so that he does it once.
   *
   * @throws {Fault} `NOT_FOUND`; `CONFLICT` when it is not approved, used up or of another digest
   */
  useOwn(caller: Caller, id: string, expected?: string): Promise<ApprovalInfo>
  /** @throws {Fault} `NOT_FOUND`, also where it is none of the caller's business */
  status(caller: Caller, id: string): Promise<ApprovalInfo>
  /** The newest first. */
  list(caller: Caller, filter?: ApprovalFilter): Promise<readonly ApprovalInfo[]>
  /** By whoever asked, or by who could decide it. A cancelled one can no longer be used. */
  cancel(caller: Caller, id: string, reason?: string): Promise<ApprovalInfo>
  /**
   * What a person says to it. Only of a session that was stepped up within five minutes, or behind the presence gate;
   * never of the requester himself. One no is a no; `needed` different people make a yes.
   *
   * @param options with `expected`, `argumentsDigest` must be that one; with `widen`, a yes to an act is also one to a
   *   scope around it, for the same requester under the same rules: not where several people must say yes
   * @throws {Fault} `ACCESS_DENIED` to keys, tokens, the requester and who has no say in it; `STEP_UP_REQUIRED`;
   *   `NOT_FOUND`; `CONFLICT` when it is decided, expired or of another digest
   */
  decide(
    caller: Caller,
    id: string,
    decision: 'approve' | 'deny',
    options?: { readonly reason?: string; readonly expected?: string; readonly widen?: Widening },
  ): Promise<ApprovalInfo>
  /**
   * Waits until it is no longer pending, also when another process decides.
   *
   * @throws the signal's reason
   */
  decided(caller: Caller, id: string, signal: AbortSignal): Promise<ApprovalInfo>
  /** Told of what this process has filed, once it is committed. @returns ends it */
  onPending(listener: (approval: ApprovalInfo) => void): () => void
}

/** What became of a request, for whoever asked. */
export interface AskedState {
  readonly id: string
  readonly status: ApprovalStatus
  readonly expiresAt: EpochMs | null
  /** Of whoever said the last word, in his words. */
  readonly decisionReason: string | null
  /** Page on which a person decides, where there is a server with one. */
  readonly url: string | null
}

/** People who can be asked, here or at a server. Throws as `ApprovalPort`. */
export interface AskPeople {
  ask(caller: Caller, request: OwnRequest): Promise<AskedState>
  state(caller: Caller, id: string): Promise<AskedState>
  /**
   * Waits until it is no longer pending, whoever decides it where.
   *
   * @throws the signal's reason
   */
  decided(caller: Caller, id: string, signal: AbortSignal): Promise<AskedState>
}

/** What webhooks are told of. A name that ends in `.*` stands for all that begin so. */
export const WEBHOOK_EVENTS = [
  'approval.requested',
  'approval.approved',
  'approval.denied',
  'approval.cancelled',
  'approval.consumed',
  'canary.triggered',
] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

export interface WebhookInfo {
  readonly id: string
  /** Names its state, for an `Expectation`. */
  readonly tag: string
  readonly url: string
  readonly events: readonly string[]
  readonly description: string | null
  readonly isActive: boolean
  readonly createdAt: EpochMs
  readonly createdBy: string
}

/** Addresses that are told, with signed requests, what happened. Owners, admins and the person at this machine. */
export interface WebhookPort {
  list(caller: Caller): Promise<readonly WebhookInfo[]>
  /** @returns the key that its requests are signed with, shown once */
  create(
    caller: Caller,
    request: {
      readonly url: string
      readonly events: readonly string[]
      readonly description?: string | null
    },
  ): Promise<{ readonly webhook: WebhookInfo; readonly secret: SecretText }>
  /** @throws {Fault} `NOT_FOUND`; `VERSION_CONFLICT` when it is not in the state that is expected */
  update(
    caller: Caller,
    id: string,
    change: {
      readonly url?: string
      readonly events?: readonly string[]
      readonly description?: string | null
      readonly isActive?: boolean
    },
    expected?: Expectation,
  ): Promise<WebhookInfo>
  remove(caller: Caller, id: string, expected?: Expectation): Promise<void>
}
