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
): Promise<SecretRow | Refused> {
  const rights = await (await parts.rights.at(tx, at)).of(request)
  if (!rights.judge(request.path, permission).allowed)
    return refuse(tx, parts.tables, request, rights, permission)
  const row = await parts.tables.secrets.get(tx, 'vault_id = ? and path = ?', [
    request.vaultId,
    request.path,
  ])
  return row ?? refused(request, secretNotFound(request.path))
}

function isRefused(result: SecretRow | Refused): result is Refused {
  return 'fault' in result
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
  const row = await admitted(parts, tx, request, 'delete', at)
  if (isRefused(row)) return row
  if (row.deleted_at !== null) return refused(request, secretNotFound(request.path))
  if (request.ifVersion !== undefined && request.ifVersion !== row.version)
    return refused(request, versionConflict(request.path, row.version, request.ifVersion))
  const { next, revision } = await saveSecret(parts, tx, row, { deleted_at: at, updated_at: at })
  await endVersion(tx, { secretId: row.id, version: row.version }, at)
  return { value: next, record: changed(request, row.version, [revision]) }
}

export async function undelete(
  parts: LifecycleParts,
  tx: Tx,
  request: Request,
  at: EpochMs,
): Promise<Settled<SecretRow>> {
  const row = await admitted(parts, tx, request, 'write', at)
  if (isRefused(row)) return row
  if (row.deleted_at === null)
    return refused(
      request,
      new Fault('CONFLICT', `The secret at '${request.path}' is not deleted.`, {
        details: { path: request.path },
      }),
    )
  if (row.state === 'destroyed') return refused(request, secretNotFound(request.path), 'destroyed')
  const { next, revision } = await saveSecret(parts, tx, row, { deleted_at: null, updated_at: at })
  await endVersion(tx, { secretId: row.id, version: row.version }, null)
  await bumpKnown(tx)
  return { value: next, record: changed(request, row.version, [revision]) }
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
  const row = await admitted(parts, tx, request, 'delete', at)
  if (isRefused(row)) return row
  const versions = await parts.tables.versions.select(tx, 'secret_id = ? order by version', [
    row.id,
  ])
  const doomed = versions.filter(
    (one) =>
      one.state !== 'destroyed' && (request.version === null || one.version === request.version),
  )
  if (doomed.length === 0) return refused(request, secretNotFound(request.path), 'destroyed')
  const rows: RowRevision[] = []
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
  const row = await admitted(parts, tx, request, 'write', at)
  if (isRefused(row)) return row
  if (row.deleted_at !== null) return refused(request, secretNotFound(request.path))
  const version = await parts.tables.versions.get(tx, 'secret_id = ? and version = ?', [
    row.id,
    request.version,
  ])
  if (version === null || version.state === 'destroyed')
    return refused(request, secretNotFound(request.path))
  const state = request.enabled ? 'active' : 'disabled'
  const next: VersionRow = { ...version, state, revision: version.revision + 1 }
  await parts.tables.versions.save(tx, [next])
  const rows: RowRevision[] = [['versions', parts.tables.versions.idOf(next), next.revision]]
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
