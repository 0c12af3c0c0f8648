import type { RowRevision, Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { EpochMs } from '../core/time.ts'
import type { Permission } from '../policy/index.ts'
import {
  type Refused,
  type Request,
  refuse,
  refused,
  secretNotFound,
  versionConflict,
} from './access.ts'
import { bumpKnown, endVersion } from './fingerprints-repository.ts'
import { type ActApprovals, askedFor } from './needs-person.ts'
import type { VaultRights } from './rights.ts'
import {
  deleteSealed,
  type SecretRow,
  type VaultTables,
  type VersionRow,
} from './rows-repository.ts'

export interface LifecycleParts {
  readonly tables: VaultTables
  readonly rights: VaultRights
  /** Without it, nothing is done where a policy asks for the word of people. */
  readonly actApprovals?: ActApprovals
}

/** The secret's row, for a caller who may, or who may once people have said yes to it. */
interface Admitted {
  readonly row: SecretRow
  /** Uses up what they said, when nothing else stands against the act. */
  approved(args: Readonly<Record<string, unknown>>): Promise<readonly RowRevision[] | Refused>
}

/** A request for one version of a secret. */
export interface VersionRequest extends Request {
  readonly version: number
}

export interface DeleteRequest extends Request {
  /** The version that must be current; undefined: any. */
  readonly ifVersion: number | undefined
}

/** The secret's row for a caller with the permission, deleted or not; else the refusal. */
async function admitted(
  parts: LifecycleParts,
  tx: Tx,
  request: Request,
  permission: Permission,
  at: EpochMs,
): Promise<Admitted | Refused> {
  const rights = await (await parts.rights.at(tx, at)).of(request)
  const judgement = rights.judge(request.path, permission)
  const { tables, actApprovals: approvals } = parts
  const asked = approvals === undefined ? null : askedFor(judgement)
  if (!judgement.allowed && asked === null)
    return refuse(tx, parts.tables, request, rights, permission)
  const row = await parts.tables.secrets.get(tx, 'vault_id = ? and path = ?', [
    request.vaultId,
    request.path,
  ])
  if (row === null) return refused(request, secretNotFound(request.path))
  return {
    row,
    async approved(args) {
      if (asked === null || approvals === undefined) return []
      const { approvedWithin } = await import('./path-approval.ts')
      return approvedWithin({ tables, approvals }, tx, { request, permission, args }, asked, at)
    },
  }
}

function changed(
  request: Request,
  version: number | undefined,
  rows: readonly RowRevision[],
): Settled<never>['record'] {
  return {
    kind: 'change',
    action: request.action,
    caller: request.caller,
    vault: request.vaultId,
    path: request.path,
    ...(version === undefined ? {} : { version }),
    rows,
  }
}

async function saveSecret(
  parts: LifecycleParts,
  tx: Tx,
  row: SecretRow,
  change: Partial<SecretRow>,
): Promise<{ next: SecretRow; revision: RowRevision }> {
  const next: SecretRow = { ...row, ...change, revision: row.revision + 1 }
  await parts.tables.secrets.save(tx, [next])
  return { next, revision: ['secrets', next.id, next.revision] }
}

/** Soft delete: the path answers 404 from now on, all versions stay. */
export async function softDelete(
  parts: LifecycleParts,
  tx: Tx,
  request: DeleteRequest,
  at: EpochMs,
): Promise<Settled<SecretRow>> {
  const admission = await admitted(parts, tx, request, 'delete', at)
  if ('fault' in admission) return admission
  const { row } = admission
  if (row.deleted_at !== null) return refused(request, secretNotFound(request.path))
  if (request.ifVersion !== undefined && request.ifVersion !== row.version)
    return refused(request, versionConflict(request.path, row.version, request.ifVersion))
  const used = await admission.approved({ ifVersion: request.ifVersion ?? null })
  if ('fault' in used) return used
  const { next, revision } = await saveSecret(parts, tx, row, { deleted_at: at, updated_at: at })
  await endVersion(tx, { secretId: row.id, version: row.version }, at)
  return { value: next, record: changed(request, row.version, [revision, ...used]) }
}

export async function undelete(
  parts: LifecycleParts,
  tx: Tx,
  request: Request,
  at: EpochMs,
): Promise<Settled<SecretRow>> {
  const admission = await admitted(parts, tx, request, 'write', at)
  if ('fault' in admission) return admission
  const { row } = admission
  if (row.deleted_at === null)
    return refused(
      request,
      new Fault('CONFLICT', `The secret at '${request.path}' is not deleted.`, {
        details: { path: request.path },
      }),
    )
  if (row.state === 'destroyed') return refused(request, secretNotFound(request.path), 'destroyed')
  const used = await admission.approved({})
  if ('fault' in used) return used
  const { next, revision } = await saveSecret(parts, tx, row, { deleted_at: null, updated_at: at })
  await endVersion(tx, { secretId: row.id, version: row.version }, null)
  await bumpKnown(tx)
  return { value: next, record: changed(request, row.version, [revision, ...used]) }
}

export interface Destroyed {
  readonly path: string
  readonly versions: readonly number[]
}

/** Deletes the wrapped keys and sealed values, of one version or of all; what is left says that they existed. */
export async function destroyVersions(
  parts: LifecycleParts,
  tx: Tx,
  request: Request & { readonly version: number | null },
  at: EpochMs,
): Promise<Settled<Destroyed>> {
  const admission = await admitted(parts, tx, request, 'delete', at)
  if ('fault' in admission) return admission
  const { row } = admission
  const versions = await parts.tables.versions.select(tx, 'secret_id = ? order by version', [
    row.id,
  ])
  const doomed = versions.filter(
    (one) =>
      one.state !== 'destroyed' && (request.version === null || one.version === request.version),
  )
  if (doomed.length === 0) return refused(request, secretNotFound(request.path), 'destroyed')
  const used = await admission.approved({ version: request.version })
  if ('fault' in used) return used
  const rows: RowRevision[] = [...used]
  for (const version of doomed) {
    await deleteSealed(tx, row.id, version.version)
    await endVersion(tx, { secretId: row.id, version: version.version }, at)
    rows.push(await saveVersion(parts, tx, version, { state: 'destroyed' }))
  }
  if (doomed.some((one) => one.version === row.version)) {
    const { revision } = await saveSecret(parts, tx, row, {
      state: 'destroyed',
      updated_at: at,
      // With nothing left that could be read, the path is free again.
      ...(request.version === null || doomed.length === versions.length
        ? { deleted_at: row.deleted_at ?? at }
        : {}),
    })
    rows.push(revision)
  }
  return {
    value: { path: request.path, versions: doomed.map((one) => one.version) },
    record: changed(request, request.version ?? undefined, rows),
  }
}

async function saveVersion(
  parts: LifecycleParts,
  tx: Tx,
  row: VersionRow,
  change: Partial<VersionRow>,
): Promise<RowRevision> {
  const next: VersionRow = { ...row, ...change, revision: row.revision + 1 }
  await parts.tables.versions.save(tx, [next])
  return ['versions', parts.tables.versions.idOf(next), next.revision]
}

/** A disabled version answers 410 until it is enabled again. */
export async function setVersionEnabled(
  parts: LifecycleParts,
  tx: Tx,
  request: VersionRequest & { readonly enabled: boolean },
  at: EpochMs,
): Promise<Settled<{ readonly secret: SecretRow; readonly version: VersionRow }>> {
  const admission = await admitted(parts, tx, request, 'write', at)
  if ('fault' in admission) return admission
  const { row } = admission
  if (row.deleted_at !== null) return refused(request, secretNotFound(request.path))
  const version = await parts.tables.versions.get(tx, 'secret_id = ? and version = ?', [
    row.id,
    request.version,
  ])
  if (version === null || version.state === 'destroyed')
    return refused(request, secretNotFound(request.path))
  const used = await admission.approved({ version: request.version })
  if ('fault' in used) return used
  const state = request.enabled ? 'active' : 'disabled'
  const next: VersionRow = { ...version, state, revision: version.revision + 1 }
  await parts.tables.versions.save(tx, [next])
  const rows: RowRevision[] = [
    ['versions', parts.tables.versions.idOf(next), next.revision],
    ...used,
  ]
  if (row.version !== request.version)
    return {
      value: { secret: row, version: next },
      record: changed(request, request.version, rows),
    }
  const saved = await saveSecret(parts, tx, row, { state, updated_at: at })
  return {
    value: { secret: saved.next, version: next },
    record: changed(request, request.version, [...rows, saved.revision]),
  }
}
