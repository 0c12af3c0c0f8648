import type { Expectation } from './expectation.ts'
import type { PolicyId, VaultId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { EpochMs } from './time.ts'

export const ACCESS_PERMISSIONS = ['list', 'read', 'write', 'delete', 'use', 'share'] as const
/** `write` covers creating; `use` puts a value where the agent does not see it; `share` hands on what one holds. */
export type AccessPermission = (typeof ACCESS_PERMISSIONS)[number]

/** When a policy counts. All that are given must hold. */
export interface AccessConditions {
  /** Addresses and CIDR ranges of the client. */
  readonly ipAllowlist?: readonly string[]
  readonly timeWindow?: {
    /** Whole hours 0–24 of local time; an end at or before the start wraps over midnight. */
    readonly startHour?: number
    readonly endHour?: number
    /** 0 is Sunday. */
    readonly daysOfWeek?: readonly number[]
    /** IANA name. Default UTC. */
    readonly timezone?: string
    /** Six fields: second, minute, hour, day of month, month, day of week. */
    readonly cronExpr?: string
  }
  readonly environmentIn?: readonly string[]
}

/** What a policy that allows asks for besides: the word of people, before each use of what it allows. */
export interface PolicyApproval {
  /** How many different people must say yes, 1 to 10. */
  readonly needed: number
  /** How long they have, and how long their yes can be used: 30 to 604 800. */
  readonly expiresInSeconds: number
}

/** What one principal may do at the paths of a vault that a pattern covers. */
export interface PathPolicyInfo {
  readonly id: PolicyId
  /** Names its state, for an `Expectation`. */
  readonly tag: string
  readonly vaultId: VaultId
  /** `*` stands for one segment, `**` for any depth. */
  readonly pattern: string
  readonly principalType: 'user' | 'agent'
  readonly principalId: string
  readonly effect: 'allow' | 'deny'
  readonly permissions: readonly AccessPermission[]
  readonly conditions: AccessConditions | null
  /** Says which policy is named as the reason when several decide alike; a deny wins over every allow. */
  readonly priority: number
  readonly expiresAt: EpochMs | null
  /** Asked for before reading, writing, deleting and using, not before listing; sharing cannot wait. Null: never. */
  readonly approval: PolicyApproval | null
  readonly createdAt: EpochMs
  readonly createdBy: string
}

export type PathPolicyRequest = Pick<
  PathPolicyInfo,
  'pattern' | 'principalType' | 'principalId' | 'permissions'
> &
  Partial<Pick<PathPolicyInfo, 'effect' | 'conditions' | 'priority' | 'expiresAt' | 'approval'>>

export interface AccessExplanation {
  readonly allowed: boolean
  readonly layer: string
  /** Policy that decided, or null. */
  readonly by: PolicyId | null
  readonly reason: string
  /** Where it is allowed, what is asked for before each use; null: nothing. */
  readonly approval: PolicyApproval | null
  /** What it would be without the policy that decided. */
  readonly withoutIt: { readonly allowed: boolean; readonly reason: string } | null
  readonly considered: readonly { readonly policy: PathPolicyInfo; readonly outcome: string }[]
}

/** Path policies of registered principals. @throws {Fault} `ACCESS_DENIED`, `BAD_INPUT`, `NOT_FOUND` */
export interface PolicyPort {
  list(caller: Caller, vault: string): Promise<readonly PathPolicyInfo[]>
  /**
   * Nobody grants more than he holds, longer than he holds it, or on a path he may not share. What an agent hands on
   * waits for a person's word, which is asked for here and used up in the transaction of the grant.
   *
   * @throws {Fault} `APPROVAL_REQUIRED` with `details.approval`; the same call passes once it is approved
   */
  create(caller: Caller, vault: string, request: PathPolicyRequest): Promise<PathPolicyInfo>
  /** Of an agent it waits as `create` does. @throws {Fault} `VERSION_CONFLICT` when it is not in the state that is expected */
  update(
    caller: Caller,
    vault: string,
    id: string,
    change: Partial<
      Pick<
        PathPolicyInfo,
        'permissions' | 'conditions' | 'expiresAt' | 'effect' | 'priority' | 'approval'
      >
    >,
    expected?: Expectation,
  ): Promise<PathPolicyInfo>
  remove(caller: Caller, vault: string, id: string, expected?: Expectation): Promise<void>
  /** Allowing policies, made before `since`, on whose paths their principal did nothing since then. */
  unused(caller: Caller, vault: string, since: EpochMs): Promise<readonly PathPolicyInfo[]>
  explain(
    caller: Caller,
    vault: string,
    question: {
      readonly principalType: 'user' | 'agent'
      readonly principalId: string
      readonly path: string
      readonly permission: AccessPermission
    },
  ): Promise<AccessExplanation>
}

/** Granting as tools see it, in the vault here or in one at a server. Throws as `PolicyPort.create`. */
export interface AccessGranting {
  create(caller: Caller, vault: string, request: PathPolicyRequest): Promise<GrantedAccess>
}

export type GrantedAccess = Pick<
  PathPolicyInfo,
  'id' | 'vaultId' | 'pattern' | 'principalType' | 'principalId' | 'permissions' | 'expiresAt'
>
