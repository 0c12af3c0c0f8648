import type { Reader } from '../core/db-port.ts'
import { type Fault, isFault } from '../core/faults.ts'
import type { CallerStanding, StandingAt } from '../core/identity-port.ts'
import type { VaultId } from '../core/ids.ts'
import type { PolicyApproval } from '../core/policy-port.ts'
import {
  type Access,
  type Caller,
  isPersonPresent,
  isSession,
  type Principal,
  principalName,
  type RegisteredPrincipal,
} from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import {
  type AccessPolicy,
  type AccessSubject,
  accessPermissionFor,
  type CompiledAccess,
  compileAccess,
  type Judgement,
  type Permission,
} from '../policy/index.ts'
import type { PathPolicyRow, VaultRow, VaultTables } from './rows-repository.ts'
import { isNowhere } from './vaults.ts'

/** What a registered principal may do in one vault, as of one state of the store. */
export interface RegisteredJudge {
  judge(path: string, permission: Permission): Judgement
  /** Why nothing is allowed any more: the credential or its owner no longer counts. */
  readonly ended?: Fault
  readonly access?: CompiledAccess
  readonly isOwner: boolean
}

const ABSENT: Access = {
  credential: { kind: 'token', id: '' },
  scopes: null,
  vaultIds: null,
  expiresAt: null,
  address: null,
}

/** Rights of people and agents with an account: identity's part, then the path policies, then who made the vault. */
export class RegisteredRights {
  readonly #tables: VaultTables
  /** Judges by the standing they were made for: identity makes a new one with every revision of the rights. */
  readonly #access = new WeakMap<CallerStanding, CompiledAccess>()
  /** Who made a vault never changes; that it is there may. */
  readonly #makers = new Map<VaultId, string>()

  constructor(tables: VaultTables) {
    this.#tables = tables
  }

  /** What is known of vaults is asked for anew: the rights are other ones. */
  forget(): void {
    this.#makers.clear()
  }

  of(
    reader: Reader,
    standings: StandingAt,
    caller: Caller,
    vaultId: VaultId,
    at: EpochMs,
  ): RegisteredJudge | Promise<RegisteredJudge> {
    try {
      const standing = standings.standingOf(reader, caller, at)
      if (standing instanceof Promise)
        return standing.then((own) => this.#judge(reader, caller, own, vaultId, at)).catch(ended)
      const judge = this.#judge(reader, caller, standing, vaultId, at)
      return judge instanceof Promise ? judge.catch(ended) : judge
    } catch (error) {
      return ended(error)
    }
  }

  /** Of a principal that is not calling, whatever it could call with; null when it no longer counts. */
  async ofAbsent(
    reader: Reader,
    standings: StandingAt,
    principal: RegisteredPrincipal,
    vaultId: VaultId,
    address: string | null,
    at: EpochMs,
  ): Promise<RegisteredJudge | null> {
    const standing = await standings.ofPrincipal(reader, principal, at)
    if (standing === null) return null
    const access = { ...ABSENT, address }
    return this.#judge(reader, { principal, channel: 'http', access }, standing, vaultId, at)
  }

  #judge(
    reader: Reader,
    caller: Caller,
    standing: CallerStanding,
    vaultId: VaultId,
    at: EpochMs,
  ): RegisteredJudge | Promise<RegisteredJudge> {
    const access = this.#access.get(standing)
    const maker = this.#makers.get(vaultId)
    if (access !== undefined && maker !== undefined)
      return judgeOf(access, caller, standing, vaultId, maker, at)
    return this.#load(reader, caller, standing, vaultId).then(([access, maker]) =>
      judgeOf(access, caller, standing, vaultId, maker, at),
    )
  }

  async #load(
    reader: Reader,
    caller: Caller,
    standing: CallerStanding,
    vaultId: VaultId,
  ): Promise<readonly [access: CompiledAccess, maker: string]> {
    const vault = await this.#tables.vaults.get(reader, 'id = ?', [vaultId])
    const rows = await this.#tables.pathPolicies.select(
      reader,
      'principal_type = ? and principal_id = ?',
      [standing.type, caller.principal.id],
    )
    const access = compileAccess(subjectOf(caller.principal, standing), rows.map(accessPolicy))
    this.#access.set(standing, access)
    const maker = vault?.created_by ?? ''
    // Of what is nowhere the same is remembered, so that it takes no longer to refuse.
    if (vault !== null || isNowhere({ id: vaultId })) this.#makers.set(vaultId, maker)
    return [access, maker]
  }

  /** Those of the vaults in which the caller may do anything at all. */
  async visible(
    reader: Reader,
    standings: StandingAt,
    caller: Caller,
    vaults: readonly VaultRow[],
    at: EpochMs,
  ): Promise<readonly VaultRow[]> {
    const standing = await standings.standingOf(reader, caller, at)
    const rows = await this.#tables.pathPolicies.select(
      reader,
      `principal_type = ? and principal_id = ? and effect = 'allow'`,
      [standing.type, caller.principal.id],
    )
    const named = new Set(
      rows
        .filter((row) => row.expires_at === null || row.expires_at > at)
        .map((row) => row.vault_id),
    )
    return vaults.filter(
      (vault) =>
        (standing.vaultIds?.includes(vault.id) ?? true) &&
        (named.has(vault.id) || isMaker(caller.principal, standing, vault.created_by)),
    )
  }
}

export function subjectOf(principal: Principal, standing: CallerStanding): AccessSubject {
  const { type, orgId, vaultIds, scopes, role } = standing
  return { type, id: principal.id, orgId, vaultIds, scopes, role }
}

export function accessPolicy(row: PathPolicyRow): AccessPolicy {
  return {
    id: row.id,
    vaultId: row.vault_id,
    pattern: row.pattern,
    principalType: row.principal_type,
    principalId: row.principal_id,
    effect: row.effect,
    permissions: JSON.parse(row.permissions) as AccessPolicy['permissions'],
    conditions:
      row.conditions === null ? null : (JSON.parse(row.conditions) as AccessPolicy['conditions']),
    priority: row.priority,
    expiresAt: row.expires_at,
    approval: row.approval === null ? null : (JSON.parse(row.approval) as PolicyApproval),
  }
}

/** Vaults made by the store itself or at its machine belong to the owners of the organisation. */
export function isMaker(principal: Principal, standing: CallerStanding, maker: string): boolean {
  if (maker === principalName(principal)) return true
  return standing.role === 'owner' && (maker === 'sallyport' || maker.endsWith(':local'))
}

/** Why a session may not do what it could: nobody proved lately that its person is there. */
export const STEP_UP = 'step-up'

/** What shows a value, destroys it or hands it on. Whoever else may do it is judged by the policies alone. */
const IN_PERSON: ReadonlySet<Permission> = new Set(['read', 'delete', 'share'] as const)

function judgeOf(
  access: CompiledAccess,
  caller: Caller,
  standing: CallerStanding,
  vaultId: VaultId,
  maker: string,
  at: EpochMs,
): RegisteredJudge {
  const isOwner = isMaker(caller.principal, standing, maker)
  const isAway = isSession(caller) && !isPersonPresent(caller, at)
  const { orgId, environment } = standing
  const address = caller.access?.address ?? null
  return {
    access,
    isOwner,
    judge(path, permission) {
      const { allowed, by, layer, approval } = access.decide({
        orgId,
        vaultId,
        path,
        permission: accessPermissionFor(permission),
        at,
        address,
        environment,
        isOwner,
      })
      if (allowed && isAway && IN_PERSON.has(permission)) return { allowed: false, by: STEP_UP }
      // Not allowed by itself: whoever does not ask people does not do it.
      if (approval !== undefined) return { allowed: false, by, approval }
      return { allowed, by: by ?? layer }
    },
  }
}

function ended(error: unknown): RegisteredJudge {
  if (!isFault(error, 'UNAUTHENTICATED')) throw error
  return { judge: () => ({ allowed: false, by: 'unauthenticated' }), ended: error, isOwner: false }
}
