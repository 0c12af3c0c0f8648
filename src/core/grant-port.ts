import type { Expectation } from './expectation.ts'
import type { AgentId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

/** A labelled bearer of one agent, which counts at one server of the gateway and under the policies it names. */
export interface GrantInfo {
  readonly id: string
  /** Names its state, for an `Expectation`. */
  readonly tag: string
  readonly agentId: AgentId
  /** What people call it: the client or machine that holds it. */
  readonly label: string
  /** Name of the server behind the gateway; nowhere else is its bearer anybody's. */
  readonly server: string
  /** Names of the policies that its calls are judged by, beside those of its server. */
  readonly policies: readonly string[]
  /** First characters of its bearer, to tell it from others. */
  readonly prefix: string
  readonly createdAt: EpochMs
  readonly createdBy: string
  readonly rotatedAt: EpochMs | null
  readonly expiresAt: EpochMs | null
  readonly revokedAt: EpochMs | null
}

export interface GrantRequest {
  readonly label: string
  readonly server: string
  readonly policies: readonly string[]
  readonly expiresAt?: EpochMs | null
}

/** A grant whose bearer was just made: it is shown once, and only its keyed hash is stored. */
export interface GrantWithBearer {
  readonly grant: GrantInfo
  readonly bearer: SecretText
}

/**
 * Grants of agents. Owners and admins change them, in a session only after a step-up, and so does the person at this
 * machine; looking is open to the local agent and to the agent itself, as there is no bearer to be seen.
 * A change with an `expected` state is made only in that, else `VERSION_CONFLICT`.
 */
export interface GrantPort {
  /** The oldest first, also those that were revoked. @param agentId null: of all agents */
  list(caller: Caller, agentId: string | null): Promise<readonly GrantInfo[]>
  /** @throws {Fault} `BAD_INPUT`; `NOT_FOUND` for an unknown agent; `CONFLICT` for a label that it has already */
  create(caller: Caller, agentId: string, request: GrantRequest): Promise<GrantWithBearer>
  /** A new bearer in place of the old one, which is dead at once. @throws {Fault} `NOT_FOUND` */
  rotate(caller: Caller, id: string, expected?: Expectation): Promise<GrantWithBearer>
  /** Its bearer is dead at once, and nobody else's is. @throws {Fault} `NOT_FOUND` */
  revoke(caller: Caller, id: string, expected?: Expectation): Promise<GrantInfo>
  /**
   * Has its calls judged by one more policy. Only a person who is there does that.
   *
   * @throws {Fault} `NOT_FOUND` for the grant; `CONFLICT` when it names the policy already
   */
  attach(caller: Caller, id: string, policy: string): Promise<GrantInfo>
  /** @throws {Fault} `NOT_FOUND` for the grant, or when it does not name the policy */
  detach(caller: Caller, id: string, policy: string): Promise<GrantInfo>
  /**
   * The grant that somebody came with, as of now.
   *
   * @throws {Fault} `UNAUTHENTICATED` when he came with none, or it no longer counts
   */
  held(caller: Caller): Promise<GrantInfo>
}
