import type { Reader } from '../core/db-port.ts'
import type { CallerStanding, StandingAt, StandingPort } from '../core/identity-port.ts'
import type { OrgId, VaultId } from '../core/ids.ts'
import {
  type Access,
  type Caller,
  isRegistered,
  principalName,
  type RegisteredPrincipal,
} from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { unauthenticated } from '../core/unauthenticated.ts'
import { rightsRevision } from '../keys/index.ts'
import { freezesOf } from './freezes.ts'
import { type AgentRow, type IdentityTables, listOf } from './identity-rows.ts'
import { organisationOf } from './organisation.ts'
import { sessionEnd } from './people-rows.ts'
import type { RefusedBy } from './refused.ts'

/** Whether a credential counts as of one revision of the rights; time alone is judged anew each time. */
export type Judged = { readonly standing: CallerStanding } | { readonly by: RefusedBy }

const USER_CREDENTIALS: ReadonlySet<Access['credential']['kind']> = new Set([
  'user-key',
  'session',
  'token',
] as const)

/** Credentials that are remembered for one revision. */
const MAX_JUDGED = 20_000

/** Who still counts, read inside the transactions of those who ask. */
export class Standing implements StandingPort {
  readonly #tables: IdentityTables
  #newest: StandingOfRevision
  #revision = -1

  constructor(tables: IdentityTables) {
    this.#tables = tables
    this.#newest = new StandingOfRevision(tables)
  }

  /** An older snapshot that is still being read keeps what is remembered of it to itself. */
  atRevision(revision: number): StandingOfRevision {
    if (revision !== this.#revision) {
      this.#newest = new StandingOfRevision(this.#tables)
      this.#revision = revision
    }
    return this.#newest
  }

  async standingOf(reader: Reader, caller: Caller, at: EpochMs): Promise<CallerStanding> {
    return this.atRevision(await rightsRevision(reader)).standingOf(reader, caller, at)
  }

  async ofPrincipal(
    reader: Reader,
    principal: RegisteredPrincipal,
    at: EpochMs,
  ): Promise<CallerStanding | null> {
    return this.atRevision(await rightsRevision(reader)).ofPrincipal(reader, principal, at)
  }

  async frozen(reader: Reader): Promise<ReadonlySet<string>> {
    return this.atRevision(await rightsRevision(reader)).frozen(reader)
  }
}

export class StandingOfRevision implements StandingAt {
  readonly #tables: IdentityTables
  readonly #byAccess = new WeakMap<Access, { readonly judged: Judged; readonly id: string }>()
  readonly #byCredential = new Map<string, Judged>()
  #frozen: ReadonlySet<string> | null = null
  #org: OrgId | null = null

  constructor(tables: IdentityTables) {
    this.#tables = tables
  }

  standingOf(
    reader: Reader,
    caller: Caller,
    at: EpochMs,
  ): CallerStanding | Promise<CallerStanding> {
    const { access, principal } = caller
    if (access !== undefined) {
      const known = this.#byAccess.get(access)
      if (known !== undefined && known.id === principal.id) return counted(known.judged, at)
    }
    return this.judge(reader, caller).then((judged) => counted(judged, at))
  }

  /** As `standingOf`, with the reason of a refusal for the audit. */
  async judge(reader: Reader, { principal, access }: Caller): Promise<Judged> {
    if (access === undefined || !isRegistered(principal)) return { by: 'unknown' }
    const { expiresAt, credential } = access
    const { kind, id, keyId } = credential
    // A token is judged before it is made, when its end is not known yet.
    const name = `${principal.kind} ${principal.id} ${kind} ${id} ${keyId} ${expiresAt}`
    let judged = this.#byCredential.get(name)
    if (judged === undefined) {
      judged = await this.#judge(reader, principal, access)
      if (this.#byCredential.size >= MAX_JUDGED) this.#byCredential.clear()
      this.#byCredential.set(name, judged)
    }
    this.#byAccess.set(access, { judged, id: principal.id })
    return judged
  }

  async ofPrincipal(
    reader: Reader,
    principal: RegisteredPrincipal,
    at: EpochMs,
  ): Promise<CallerStanding | null> {
    const judged = await this.#judge(reader, principal, null)
    return 'by' in judged || hasEnded(judged.standing.endsAt, at) ? null : judged.standing
  }

  frozen(reader: Reader): ReadonlySet<string> | Promise<ReadonlySet<string>> {
    return this.#frozen ?? this.#readFrozen(reader)
  }

  async #readFrozen(reader: Reader): Promise<ReadonlySet<string>> {
    this.#frozen = new Set((await freezesOf(this.#tables, reader)).map((row) => row.id))
    return this.#frozen
  }

  /** @param access null: what stands of the principal whatever it comes with */
  async #judge(
    reader: Reader,
    principal: RegisteredPrincipal,
    access: Access | null,
  ): Promise<Judged> {
    const frozen = await this.frozen(reader)
    if (frozen.has('all') || frozen.has(principalName(principal))) return { by: 'frozen' }
    this.#org ??= (await organisationOf(this.#tables, reader))?.id ?? null
    if (this.#org === null) return { by: 'unknown' }
    return principal.kind === 'user'
      ? this.#judgeUser(reader, this.#org, principal.id, access)
      : this.#judgeAgent(reader, this.#org, principal.id, access, frozen)
  }

  async #judgeAgent(
    reader: Reader,
    orgId: OrgId,
    id: string,
    access: Access | null,
    frozen: ReadonlySet<string>,
  ): Promise<Judged> {
    const row = await this.#tables.agents.get(reader, 'id = ?', [id])
    if (row === null) return { by: 'deleted' }
    const by = await this.#agentProblem(reader, row, access, frozen)
    if (by !== null) return { by }
    return {
      standing: {
        type: 'agent',
        orgId,
        vaultIds: bothOf(listOf<VaultId>(row.vault_ids), access?.vaultIds ?? null),
        scopes: scopesOf(listOf(row.scopes), access?.scopes ?? null),
        role: null,
        environment: row.environment,
        labels: listOf(row.labels) ?? [],
        endsAt: earliest(
          access?.expiresAt ?? null,
          row.expires_at,
          isOfKey(row, access) ? row.key_expires_at : null,
        ),
      },
    }
  }

  async #agentProblem(
    reader: Reader,
    row: AgentRow,
    access: Access | null,
    frozen: ReadonlySet<string>,
  ): Promise<RefusedBy | null> {
    if (row.state !== 'active') return 'disabled'
    if (access === null) return null
    const { credential } = access
    if (credential.kind === 'agent-key') return row.key_id === credential.id ? null : 'rotated'
    if (credential.kind === 'grant') {
      if (frozen.has(`grant:${credential.id}`)) return 'frozen'
      const grant = await this.#tables.grants.get(reader, 'id = ?', [credential.id])
      if (grant === null || grant.agent_id !== row.id) return 'deleted'
      if (grant.revoked_at !== null) return 'revoked'
      return grant.key_id === credential.keyId ? null : 'rotated'
    }
    if (credential.kind !== 'token') return 'unknown'
    if (credential.keyId === undefined) return 'unknown'
    if (row.key_id !== credential.keyId) {
      const rules = this.#tables.workloadRules
      const rule = await rules.get(reader, 'id = ?', [credential.keyId])
      if (rule?.agent_id !== row.id) return 'rotated'
    }
    return (await this.#isEnded(reader, credential.id)) ? 'revoked' : null
  }

  async #judgeUser(
    reader: Reader,
    orgId: OrgId,
    id: string,
    access: Access | null,
  ): Promise<Judged> {
    const user = await this.#tables.users.get(reader, 'id = ?', [id])
    if (user === null) return { by: 'deleted' }
    if (user.state !== 'active') return { by: 'disabled' }
    if (access === null) return { standing: userStanding(orgId, user.role, null) }
    const { kind, id: shownId, keyId } = access.credential
    if (kind === 'token' && (await this.#isEnded(reader, shownId))) return { by: 'revoked' }
    // A token lives with what it was changed for: a key, or the session of the password.
    const heldId = kind === 'token' ? keyId : shownId
    if (heldId === undefined || !USER_CREDENTIALS.has(kind)) return { by: 'unknown' }
    const session =
      kind === 'user-key' ? null : await this.#tables.userSessions.get(reader, 'id = ?', [heldId])
    if (session !== null)
      return session.user_id === user.id && (session.via === 'token') === (kind === 'token')
        ? {
            standing: userStanding(
              orgId,
              user.role,
              earliest(access.expiresAt, sessionEnd(session)),
            ),
          }
        : { by: 'unknown' }
    if (kind === 'session') return { by: 'revoked' }
    const key = await this.#tables.userKeys.get(reader, 'id = ?', [heldId])
    if (key === null || key.user_id !== user.id) return { by: 'deleted' }
    if (key.revoked_at !== null) return { by: 'revoked' }
    return {
      standing: {
        ...userStanding(orgId, user.role, earliest(access.expiresAt, key.expires_at)),
        vaultIds: access.vaultIds,
        scopes: scopesOf(listOf(key.scopes), access.scopes),
      },
    }
  }

  async #isEnded(reader: Reader, tokenId: string): Promise<boolean> {
    return (await this.#tables.endedTokens.get(reader, 'id = ?', [tokenId])) !== null
  }
}

/** Whether what was shown dies with the agent's key, and not with the rule of a workload. */
function isOfKey(row: AgentRow, access: Access | null): boolean {
  if (access?.credential.kind === 'grant') return false
  if (access === null || access.credential.kind !== 'token') return true
  return access.credential.keyId === row.key_id
}

/** @throws {Fault} `UNAUTHENTICATED` */
function counted(judged: Judged, at: EpochMs): CallerStanding {
  if ('by' in judged || hasEnded(judged.standing.endsAt, at)) throw unauthenticated()
  return judged.standing
}

export function hasEnded(endsAt: EpochMs | null, at: EpochMs): boolean {
  return endsAt !== null && endsAt <= at
}

export function earliest(...ends: readonly (EpochMs | null)[]): EpochMs | null {
  let first: EpochMs | null = null
  for (const end of ends) if (end !== null && (first === null || end < first)) first = end
  return first
}

/** Bound twice is bound to what is in both. */
function bothOf(
  own: readonly VaultId[] | null,
  other: readonly VaultId[] | null,
): readonly VaultId[] | null {
  if (own === null || other === null) return own ?? other
  return own.filter((id) => other.includes(id))
}

function userStanding(
  orgId: OrgId,
  role: CallerStanding['role'],
  endsAt: EpochMs | null,
): CallerStanding {
  return { type: 'user', orgId, vaultIds: null, scopes: [], role, environment: null, endsAt }
}

/** Every list that narrows, once. */
function scopesOf(
  own: readonly string[] | null,
  other: readonly string[] | null,
): readonly (readonly string[])[] {
  const lists = [own, other].filter((list) => list !== null)
  const [first, second] = lists
  return first !== undefined && second !== undefined && first.join('\n') === second.join('\n')
    ? [first]
    : lists
}
