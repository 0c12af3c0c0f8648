import type { Ledger, RowRevision, Settled } from '../audit/index.ts'
import type { AuditPort } from '../core/admin-port.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { type Expectation, stateTag, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { CallerStanding, StandingPort } from '../core/identity-port.ts'
import {
  type AgentId,
  isUuid,
  newId,
  type PolicyId,
  type UserId,
  type VaultId,
} from '../core/ids.ts'
import type { PathPolicyInfo, PathPolicyRequest, PolicyPort } from '../core/policy-port.ts'
import {
  type Caller,
  isPersonPresent,
  isRegistered,
  isSession,
  principalName,
  type RegisteredPrincipal,
} from '../core/principals.ts'
import { stepUpRequired } from '../core/step-up-required.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import {
  type AccessPolicy,
  checkAccessPolicy,
  checkGrant,
  compileGlob,
  explainAccess,
  parsePath,
} from '../policy/index.ts'
import { accessDenied } from './access.ts'
import { changeLane } from './change-lane.ts'
import { consumeGrantApproval } from './grant-approval.ts'
import { type ActApprovals, askingPerson } from './needs-person.ts'
import { accessPolicy, isMaker, subjectOf } from './registered-rights.ts'
import type { PathPolicyRow, VaultRow, VaultTables } from './rows-repository.ts'
import { isNowhere, unknownVault, vaultFor } from './vaults.ts'

export interface PathPolicyParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
  readonly standing: StandingPort
  readonly clock: Clock
  readonly approvals: ActApprovals
  readonly audit: Pick<AuditPort, 'query'>
}

type Change = Partial<
  Pick<
    PathPolicyInfo,
    'permissions' | 'conditions' | 'expiresAt' | 'effect' | 'priority' | 'approval'
  >
>

interface Creation {
  readonly caller: Caller
  readonly vault: string
  readonly wanted: AccessPolicy
}

interface Edit {
  readonly caller: Caller
  readonly vault: string
  readonly id: string
  /** Null removes the policy. */
  readonly change: Change | null
  readonly expected: Expectation | undefined
}

/** Path policies as rows: who may do what at which paths, granted only by those who hold it. */
export function createPathPolicies(parts: PathPolicyParts): PolicyPort {
  const { db, ledger, tables, clock } = parts
  const create = changeLane('policy.create', async (tx, creation: Creation, at) =>
    isAway(creation.caller, at) ? away() : createPolicy(parts, tx, creation, at),
  )
  const edit = changeLane('policy.edit', async (tx, request: Edit, at) =>
    // Taking away needs no proof.
    request.change !== null && isAway(request.caller, at)
      ? away()
      : editPolicy(parts, tx, request, at),
  )

  return {
    async list(caller, vault) {
      return db.read(async (reader) => {
        const row = await vaultFor(tables, reader, caller, vault)
        const granter = await granterOf(parts, reader, caller, row, vault, clock())
        const rows = await tables.pathPolicies.select(
          reader,
          'vault_id = ? order by pattern, created_at, id',
          [row.id],
        )
        // Whoever may not administer the vault sees what is about himself.
        return rows.filter((one) => granter.seesAll || isAbout(one, caller)).map(pathPolicyInfo)
      })
    },
    async create(caller, vault, request) {
      const wanted = requested(request)
      return askingPerson(parts.approvals, caller, async () => {
        const { value } = await ledger.commit(create, { caller, vault, wanted })
        return pathPolicyInfo(value)
      })
    },
    async update(caller, vault, id, change, expected) {
      return askingPerson(parts.approvals, caller, async () => {
        const { value } = await ledger.commit(edit, { caller, vault, id, change, expected })
        return pathPolicyInfo(value)
      })
    },
    async remove(caller, vault, id, expected) {
      await ledger.commit(edit, { caller, vault, id, change: null, expected })
    },
    async unused(caller, vault, since) {
      const { vaultId, rows } = await db.read(async (reader) => {
        const row = await vaultFor(tables, reader, caller, vault)
        const granter = await granterOf(parts, reader, caller, row, vault, clock())
        if (!granter.seesAll) throw accessDenied(null, null)
        const found = await tables.pathPolicies.select(
          reader,
          `vault_id = ? and effect = 'allow' and created_at < ? order by created_at, id`,
          [row.id, since],
        )
        return { vaultId: row.id, rows: found }
      })
      const uses = new Uses(parts.audit, vaultId, since)
      const unused: PathPolicyInfo[] = []
      for (const row of rows) {
        const isCovered = compileGlob(row.pattern)
        const paths = await uses.of(`${row.principal_type}:${row.principal_id}`)
        if (!paths.some(isCovered)) unused.push(pathPolicyInfo(row))
      }
      return unused
    },
    async explain(caller, vault, question) {
      parsePath(question.path)
      return db.read(async (reader) => {
        const row = await vaultFor(tables, reader, caller, vault)
        const granter = await granterOf(parts, reader, caller, row, vault, clock())
        const isSelf = nameOfCaller(caller) === `${question.principalType}:${question.principalId}`
        if (!granter.seesAll && !isSelf) throw accessDenied(null, null)
        const asked = askedPrincipal(question)
        const standings = parts.standing.atRevision(await rightsRevision(reader))
        const standing = await standings.ofPrincipal(reader, asked, clock())
        if (standing === null) throw unknownPrincipal(question.principalId)
        const rows = await tables.pathPolicies.select(
          reader,
          'principal_type = ? and principal_id = ?',
          [question.principalType, question.principalId],
        )
        const infos = new Map(rows.map((one) => [one.id as string, pathPolicyInfo(one)]))
        const explained = explainAccess(subjectOf(asked, standing), rows.map(accessPolicy), {
          orgId: standing.orgId,
          vaultId: row.id,
          path: question.path,
          permission: question.permission,
          at: clock(),
          address: null,
          environment: standing.environment,
          isOwner: isMaker(asked, standing, row.created_by),
        })
        return {
          allowed: explained.decision.allowed,
          layer: explained.decision.layer,
          by: explained.decision.by as PolicyId | null,
          reason: explained.decision.reason,
          approval: explained.decision.approval ?? null,
          withoutIt: explained.withoutIt,
          considered: explained.considered.flatMap(({ id, outcome }) => {
            const policy = infos.get(id)
            return policy === undefined ? [] : [{ policy, outcome }]
          }),
        }
      })
    },
  }
}

/** Whether a session's person may have gone away since. */
function isAway(caller: Caller, at: EpochMs): boolean {
  return isSession(caller) && !isPersonPresent(caller, at)
}

function away(): Settled<PathPolicyRow> {
  return { fault: stepUpRequired(), record: null }
}

const AUDIT_PAGE = 1000

/** At which paths of a vault principals did something, as the audit has it. */
class Uses {
  readonly #audit: Pick<AuditPort, 'query'>
  readonly #vaultId: VaultId
  readonly #since: EpochMs
  readonly #paths = new Map<string, readonly string[]>()

  constructor(audit: Pick<AuditPort, 'query'>, vaultId: VaultId, since: EpochMs) {
    this.#audit = audit
    this.#vaultId = vaultId
    this.#since = since
  }

  async of(actor: string): Promise<readonly string[]> {
    const known = this.#paths.get(actor)
    if (known !== undefined) return known
    const paths = new Set<string>()
    for (let before: number | null = null; ; ) {
      const page = await this.#audit.query({
        actor,
        from: this.#since,
        limit: AUDIT_PAGE,
        ...(before === null ? {} : { before }),
      })
      for (const { kind, path, vault } of page)
        if (kind !== 'refusal' && path !== null && vault === this.#vaultId) paths.add(path)
      const last = page.at(-1)
      if (last === undefined || page.length < AUDIT_PAGE) break
      before = last.seq
    }
    const found = [...paths]
    this.#paths.set(actor, found)
    return found
  }
}

/** What the one who asks holds in a vault. */
interface Granter {
  /** May see what is granted to others: who administers the vault or the organisation, and auditors. */
  readonly seesAll: boolean
  /** May change what others granted. */
  readonly administers: boolean
  /** Nothing more is asked: the person at this machine. */
  readonly isPerson: boolean
  readonly isMaker: boolean
  readonly standing: CallerStanding | null
  readonly policies: readonly AccessPolicy[]
}

const PERSON: Granter = {
  seesAll: true,
  administers: true,
  isPerson: true,
  isMaker: true,
  standing: null,
  policies: [],
}

/**
 * @param name of the vault as it was asked for
 * @throws {Fault} `ACCESS_DENIED` to the local agent, `UNAUTHENTICATED`, `VAULT_NOT_FOUND` to whoever may know them all
 */
async function granterOf(
  parts: PathPolicyParts,
  reader: Reader,
  caller: Caller,
  vault: VaultRow,
  name: string,
  at: EpochMs,
): Promise<Granter> {
  if (caller.principal.kind === 'person') return PERSON
  if (!isRegistered(caller.principal)) throw accessDenied(null, null)
  const standings = parts.standing.atRevision(await rightsRevision(reader))
  const standing = await standings.standingOf(reader, caller, at)
  const rows = await parts.tables.pathPolicies.select(
    reader,
    'principal_type = ? and principal_id = ?',
    [standing.type, caller.principal.id],
  )
  const maker = isMaker(caller.principal, standing, vault.created_by)
  const isAdmin = standing.role === 'owner' || standing.role === 'admin'
  const administers = (maker || isAdmin) && isUnnarrowed(standing, vault.id)
  const seesAll = administers || standing.role === 'auditor'
  if (seesAll && isNowhere(vault)) throw unknownVault(name)
  return {
    seesAll,
    administers,
    isPerson: false,
    isMaker: maker,
    standing,
    policies: rows.map(accessPolicy),
  }
}

/** A credential that is narrowed to some paths grants no more than those, whoever holds it. */
function isUnnarrowed(standing: CallerStanding, vaultId: VaultId): boolean {
  return standing.scopes.length === 0 && (standing.vaultIds?.includes(vaultId) ?? true)
}

/** Why the policy may not be granted by this caller, or null when it may. */
function grantProblem(
  caller: Caller,
  granter: Granter,
  wanted: AccessPolicy,
  at: EpochMs,
): Fault | null {
  if (granter.isPerson) return null
  if (granter.standing === null) return accessDenied(null, null)
  const { standing, policies, isMaker: isOwner } = granter
  const checked = checkGrant(
    { subject: subjectOf(caller.principal, standing), policies, isOwner },
    wanted,
    at,
    { address: caller.access?.address ?? null, environment: standing.environment },
  )
  if (checked.ok) return null
  return new Fault('ACCESS_DENIED', checked.reason, { details: { field: 'secret_path_pattern' } })
}

async function createPolicy(
  parts: PathPolicyParts,
  tx: Tx,
  { caller, vault, wanted }: Creation,
  at: EpochMs,
): Promise<Settled<PathPolicyRow>> {
  const row = await vaultFor(parts.tables, tx, caller, vault)
  const granter = await granterOf(parts, tx, caller, row, vault, at)
  const policy = { ...wanted, vaultId: row.id }
  if (policy.expiresAt !== null && policy.expiresAt <= at)
    return { fault: badField('expires_at', 'expires_at must be in the future.'), record: null }
  const problem = grantProblem(caller, granter, policy, at)
  if (problem !== null)
    return { fault: problem, record: refusal(caller, 'policy.create', row.id, problem) }
  const used = await consumeGrantApproval(parts.approvals, tx, caller, row, policy, null, at)
  const next: PathPolicyRow = {
    id: newId<PolicyId>(),
    vault_id: row.id,
    pattern: policy.pattern,
    principal_type: policy.principalType,
    principal_id: policy.principalId,
    effect: policy.effect,
    permissions: JSON.stringify(policy.permissions),
    conditions: policy.conditions === null ? null : JSON.stringify(policy.conditions),
    priority: policy.priority,
    expires_at: policy.expiresAt,
    created_at: at,
    created_by: principalName(caller.principal),
    revision: 1,
    approval: approvalText(policy),
  }
  return saved(parts.tables, tx, caller, 'policy.create', next, used)
}

async function editPolicy(
  parts: PathPolicyParts,
  tx: Tx,
  { caller, vault, id, change, expected }: Edit,
  at: EpochMs,
): Promise<Settled<PathPolicyRow>> {
  const { tables } = parts
  const action = change === null ? 'policy.remove' : 'policy.update'
  const row = await vaultFor(tables, tx, caller, vault)
  const granter = await granterOf(parts, tx, caller, row, vault, at)
  const current = isUuid(id)
    ? await tables.pathPolicies.get(tx, 'id = ? and vault_id = ?', [id, row.id])
    : null
  if (current === null || (!granter.administers && current.created_by !== nameOfCaller(caller)))
    return { fault: unknownPolicy(id), record: null }
  const conflict = unmet(expected, pathPolicyInfo(current).tag)
  if (conflict !== null) return { fault: conflict, record: null }
  if (change === null) {
    await tables.pathPolicies.remove(tx, current)
    await bumpRights(tx)
    return {
      value: current,
      record: {
        kind: 'change',
        action,
        caller,
        vault: row.id,
        rows: [['path_policies', current.id, null]],
        detail: { policy: current.id, pattern: current.pattern },
      },
    }
  }
  const before = accessPolicy(current)
  const wanted = checkAccessPolicy({
    ...before,
    permissions: change.permissions ?? before.permissions,
    conditions: change.conditions === undefined ? before.conditions : change.conditions,
    effect: change.effect ?? before.effect,
    priority: change.priority ?? before.priority,
    expiresAt: change.expiresAt === undefined ? before.expiresAt : change.expiresAt,
    approval: change.approval === undefined ? before.approval : change.approval,
  })
  const problem = grantProblem(caller, granter, wanted, at)
  if (problem !== null) return { fault: problem, record: refusal(caller, action, row.id, problem) }
  const used = await consumeGrantApproval(parts.approvals, tx, caller, row, wanted, before, at)
  const next = {
    ...current,
    permissions: JSON.stringify(wanted.permissions),
    conditions: wanted.conditions === null ? null : JSON.stringify(wanted.conditions),
    effect: wanted.effect,
    priority: wanted.priority,
    expires_at: wanted.expiresAt,
    revision: current.revision + 1,
    approval: approvalText(wanted),
  }
  return saved(tables, tx, caller, action, next, used)
}

async function saved(
  tables: VaultTables,
  tx: Tx,
  caller: Caller,
  action: string,
  row: PathPolicyRow,
  used: readonly RowRevision[],
): Promise<Settled<PathPolicyRow>> {
  await tables.pathPolicies.save(tx, [row])
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action,
      caller,
      vault: row.vault_id,
      rows: [['path_policies', row.id, row.revision], ...used],
      detail: {
        policy: row.id,
        pattern: row.pattern,
        principal: `${row.principal_type}:${row.principal_id}`,
        effect: row.effect,
        permissions: JSON.parse(row.permissions) as string[],
        ...(row.approval === null ? {} : { approval: row.approval }),
      },
    },
  }
}

/** What was asked for, with defaults; the vault is filled in where it is known. */
function requested(request: PathPolicyRequest): AccessPolicy {
  if (!isUuid(request.principalId))
    throw badField('principal_id', 'principal_id must be the id of an agent or a user.')
  return checkAccessPolicy({
    id: '',
    vaultId: '',
    pattern: request.pattern,
    principalType: request.principalType,
    principalId: request.principalId,
    effect: request.effect ?? 'allow',
    permissions: request.permissions,
    conditions: request.conditions ?? null,
    priority: request.priority ?? 0,
    expiresAt: request.expiresAt ?? null,
    approval: request.approval ?? null,
  })
}

function approvalText({ approval = null }: AccessPolicy): string | null {
  return approval === null ? null : JSON.stringify(approval)
}

export function pathPolicyInfo(row: PathPolicyRow): PathPolicyInfo {
  const { permissions, conditions, approval = null } = accessPolicy(row)
  return {
    id: row.id,
    tag: stateTag(row.revision),
    vaultId: row.vault_id,
    pattern: row.pattern,
    principalType: row.principal_type,
    principalId: row.principal_id,
    effect: row.effect,
    permissions,
    conditions,
    priority: row.priority,
    expiresAt: row.expires_at,
    approval,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

function isAbout(row: PathPolicyRow, caller: Caller): boolean {
  return `${row.principal_type}:${row.principal_id}` === nameOfCaller(caller)
}

function nameOfCaller(caller: Caller): string {
  return principalName(caller.principal)
}

function unknownPrincipal(id: string): Fault {
  return new Fault('NOT_FOUND', `Nobody who may call has the id '${id.slice(0, 64)}'.`, {
    details: { field: 'principal_id' },
  })
}

function askedPrincipal(question: {
  principalType: 'user' | 'agent'
  principalId: string
}): RegisteredPrincipal {
  return question.principalType === 'user'
    ? { kind: 'user', id: question.principalId as UserId }
    : { kind: 'registered-agent', id: question.principalId as AgentId }
}

function refusal(caller: Caller, action: string, vault: VaultId, fault: Fault) {
  return { kind: 'refusal', action, caller, vault, by: fault.code } as const
}

function badField(field: string, message: string): Fault {
  return new Fault('BAD_INPUT', message, { details: { field } })
}

function unknownPolicy(id: string): Fault {
  return new Fault('NOT_FOUND', `There is no policy '${id.slice(0, 64)}' in this vault.`)
}
