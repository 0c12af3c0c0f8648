import type { Reader } from './db-port.ts'
import type { Expectation } from './expectation.ts'
import type { AgentId, OrgId, UserId, VaultId } from './ids.ts'
import type { Caller, RegisteredPrincipal } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

export const ROLES = ['owner', 'admin', 'member', 'auditor'] as const
export type Role = (typeof ROLES)[number]

/** What identity says of a registered caller as of one snapshot of the store. */
export interface CallerStanding {
  readonly type: 'user' | 'agent'
  readonly orgId: OrgId
  /** Vaults it is bound to, its own binding and its credential's taken together; null: every vault. */
  readonly vaultIds: readonly VaultId[] | null
  /** Path globs, each of which must cover a path: the agent's and the credential's. An empty list is no narrowing. */
  readonly scopes: readonly (readonly string[])[]
  /** Of people. */
  readonly role: Role | null
  /** Environment that conditions of policies are judged by. */
  readonly environment: string | null
  /** Of agents, for rules on tools. */
  readonly labels?: readonly string[]
  /** When it counts no longer, even if nothing changes: the end of who it is, or of what was shown. */
  readonly endsAt: EpochMs | null
}

/** What the vault asks of identity inside its own transactions, so that a revocation that committed first wins. */
export interface StandingPort extends StandingAt {
  /**
   * What stands as of one revision of the rights, as `rightsRevision` read it. Ask once per snapshot, so that what is
   * remembered of an older one never counts for a newer.
   */
  atRevision(revision: number): StandingAt
}

export interface StandingAt {
  /**
   * At once when nothing has to be read; a batch asks for each of its members. The same object until rights change.
   *
   * @throws {Fault} `UNAUTHENTICATED` when the credential, the principal or the whole organisation no longer counts:
   *   revoked, rotated, disabled, expired, frozen
   */
  standingOf(reader: Reader, caller: Caller, at: EpochMs): CallerStanding | Promise<CallerStanding>
  /** What stands of a principal whatever it comes with; null when it is unknown, disabled, frozen or at its end. */
  ofPrincipal(
    reader: Reader,
    principal: RegisteredPrincipal,
    at: EpochMs,
  ): Promise<CallerStanding | null>
  /** What is frozen: `all`, `agent:local`, `agent:<uuid>`, `user:<uuid>`, `grant:<id>`. */
  frozen(reader: Reader): ReadonlySet<string> | Promise<ReadonlySet<string>>
}

export interface OrgInfo {
  readonly id: OrgId
  readonly name: string
}

export interface AgentInfo {
  readonly id: AgentId
  /** Names the state of its record, for an `Expectation`. */
  readonly tag: string
  readonly name: string
  readonly description: string | null
  readonly isActive: boolean
  /** Path globs that its tokens are narrowed to; null when only policies decide. */
  readonly scopes: readonly string[] | null
  /** Vaults it is bound to; null: any vault that a policy names. */
  readonly vaultIds: readonly VaultId[] | null
  /** Life of its tokens, seconds. */
  readonly tokenTtlSeconds: number
  readonly environment: string | null
  /** What rules on tools know it by, in order. */
  readonly labels: readonly string[]
  readonly expiresAt: EpochMs | null
  /** First characters of its key, to tell it from others; null for workload identities. */
  readonly keyPrefix: string | null
  readonly keyExpiresAt: EpochMs | null
  readonly createdAt: EpochMs
  readonly createdBy: string
}

export interface AgentRequest {
  readonly name: string
  readonly description?: string | null
  readonly scopes?: readonly string[] | null
  readonly vaultIds?: readonly VaultId[] | null
  /** 60–86 400. Default 3600. */
  readonly tokenTtlSeconds?: number
  readonly environment?: string | null
  /** At most 32; an empty list takes all away. */
  readonly labels?: readonly string[]
  readonly expiresAt?: EpochMs | null
  readonly keyExpiresAt?: EpochMs | null
}

/**
 * Registered agents and their keys. A change with an `expected` state is made only in that, else `VERSION_CONFLICT`. Owners, admins and the person at this machine may call these; looking is open to
 * the local agent too.
 */
export interface AgentPort {
  list(caller: Caller): Promise<readonly AgentInfo[]>
  /** An agent may look at itself. @throws {Fault} `NOT_FOUND` */
  get(caller: Caller, id: string): Promise<AgentInfo>
  /** @returns the key, shown once; only its keyed hash is stored */
  create(
    caller: Caller,
    request: AgentRequest,
  ): Promise<{ readonly agent: AgentInfo; readonly key: SecretText }>
  update(
    caller: Caller,
    id: string,
    change: Partial<AgentRequest> & { readonly isActive?: boolean },
    expected?: Expectation,
  ): Promise<AgentInfo>
  /** A new key in place of the old one; the old one and every token of it are dead at once. */
  rotateKey(
    caller: Caller,
    id: string,
    expected?: Expectation,
  ): Promise<{ readonly agent: AgentInfo; readonly key: SecretText }>
  remove(caller: Caller, id: string, expected?: Expectation): Promise<void>
}

/** Workloads that need no key: what another issuer says of them is enough. */
export interface WorkloadRule {
  readonly id: string
  readonly agentId: AgentId
  /** `https://token.actions.githubusercontent.com`, exactly as its tokens say. */
  readonly issuer: string
  /** For whom its tokens must be. */
  readonly audience: string
  /** The subject, in pieces between `:` and `/`; `*` stands for one whole piece, never for one of the first two. */
  readonly subject: string
  readonly createdAt: EpochMs
  readonly createdBy: string
}

/** Which workloads are which agents. Who may call this is who may change agents; looking is as it is there. */
export interface WorkloadPort {
  list(caller: Caller): Promise<readonly WorkloadRule[]>
  /** @param rule its audience defaults to the issuer of this organisation's tokens: what is for us is for nobody else */
  add(
    caller: Caller,
    agentId: string,
    rule: { readonly issuer: string; readonly audience?: string; readonly subject: string },
  ): Promise<WorkloadRule>
  /** Tokens that were given out by the rule are dead at once. */
  remove(caller: Caller, id: string): Promise<void>
}

export interface TokenExchange {
  readonly token: SecretText
  readonly expiresInSeconds: number
  readonly agent: AgentInfo
  /** Thumbprint (RFC 7638) of the key that the token is bound to, or null. */
  readonly boundTo: string | null
}

/** Where all servers of the gateway are asked for: a grant counts there too, for its own one. */
export const EVERY_SERVER = '*'

/** Where a request came from, for conditions, throttles and audit. */
export interface Origin {
  /** Address of the client after trusted proxies, or null. */
  readonly address: string | null
  readonly channel: 'http' | 'mcp-http' | 'page'
  readonly client?: string
  /** Server of the gateway that is asked for, or `EVERY_SERVER`. A grant counts at its own, and nowhere without one. */
  readonly server?: string
  /** What came with the request to prove that its sender holds the key that the token is bound to (RFC 9449). */
  readonly proof?: RequestProof
}

export interface RequestProof {
  /** The `DPoP` header; empty when the scheme asks for one and none came. */
  readonly jwt: string
  readonly method: string
  /** The address of the request as its client named it; query and fragment do not count. */
  readonly url: string
  /** With `DPoP` the proof must name the token (`ath`). Clients of 1claw show a `Bearer` and leave that out. */
  readonly scheme: 'Bearer' | 'DPoP'
}

export interface AuthenticationPort {
  /**
   * Changes an agent's key for a signed token.
   *
   * @param agentId when given, the key must be this agent's
   * @param boundTo a public JWK that the token is bound to; a proof of `origin` binds it too, to the same key
   * @throws {Fault} `UNAUTHENTICATED`, the same text whatever was wrong; `THROTTLED`; `BAD_INPUT` for another JWK
   */
  exchange(
    key: string,
    agentId: string | null,
    origin: Origin,
    boundTo?: unknown,
  ): Promise<TokenExchange>
  /**
   * Changes what another issuer signed for a workload for a token of the agent that the workload is (RFC 8693).
   *
   * @param agentId which agent, where the workload is several
   * @throws {Fault} as `exchange`; `NET_FAILED` and the like when the issuer's keys cannot be had
   */
  exchangeWorkload(
    subjectToken: string,
    agentId: string | null,
    origin: Origin,
    boundTo?: unknown,
  ): Promise<TokenExchange>
  /**
   * Who shows this bearer: an agent's token or key, a person's key. Cached until it ends, because what may have
   * changed since is read again in each transaction.
   *
   * @throws {Fault} `UNAUTHENTICATED`, the same text whatever was wrong
   */
  authenticate(bearer: string, origin: Origin): Promise<Caller>
  /**
   * How many changes were made in this process: who was let in before the last one is to be asked for anew. Null where
   * that is to be done with every request.
   */
  changes(): number | null
  /** Ends the token that is shown. */
  revoke(bearer: string, origin: Origin): Promise<void>
  /** Public keys as a JWK set: those of every token that may still be valid. */
  keySet(): Promise<{ readonly keys: readonly Readonly<Record<string, string>>[] }>
  org(): Promise<OrgInfo>
}

/** What a request is judged by that no vault judges. */
export interface CallerPort {
  /** @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts */
  check(caller: Caller): Promise<void>
  /**
   * How much of the audit a caller may read: people who own, administer or audit the organisation all of it, with a
   * credential that is not narrowed; everybody else what they did themselves.
   *
   * @throws {Fault} `UNAUTHENTICATED`
   */
  auditReach(caller: Caller): Promise<'all' | 'own'>
  /** @throws {Fault} `ACCESS_DENIED` when that is not all of it; the refusal is recorded as `action` */
  demandAudit(caller: Caller, action: string): Promise<void>
}

/** What a freeze stops: everything, everything one agent does, or one grant. */
export type FreezeTarget =
  | { readonly kind: 'all' }
  | { readonly kind: 'agent'; readonly id: AgentId | 'local' }
  | { readonly kind: 'user'; readonly id: UserId }
  | { readonly kind: 'grant'; readonly id: string }

export interface Freeze {
  readonly target: FreezeTarget
  readonly at: EpochMs
  readonly by: string
  readonly reason: string | null
}

/** The kill switch: freezing is always allowed to those who administer; lifting passes the presence gate or step-up. */
export interface FreezePort {
  freeze(caller: Caller, target: FreezeTarget, reason: string | null): Promise<Freeze>
  lift(caller: Caller, target: FreezeTarget): Promise<void>
  list(caller: Caller): Promise<readonly Freeze[]>
}
