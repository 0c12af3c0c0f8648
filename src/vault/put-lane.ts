import type { RecordDraft, RowRevision, Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId, type SecretId } from '../core/ids.ts'
import { principalName } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { EpochMs } from '../core/time.ts'
import type { Metadata, SecretType, StoredVersion } from '../core/vault-port.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { Permission } from '../policy/index.ts'
import {
  type Refused,
  type Request,
  refuse,
  refused,
  revokeSeen,
  secretNotFound,
  versionConflict,
} from './access.ts'
import type { Fingerprints } from './fingerprints.ts'
import { type ActApprovals, type AskedPolicy, askedFor } from './needs-person.ts'
import { checkExpiry, checkMaxReads, checkMetadata, checkType, checkValue } from './put-checks.ts'
import { payersOf, type Quotas } from './quotas.ts'
import type { CallerRights, VaultRights } from './rights.ts'
import {
  insertSealed,
  type SecretRow,
  type VaultTables,
  type VersionRow,
} from './rows-repository.ts'
import { sealValue } from './sealing.ts'
import { type VaultKeys } from './vault-keys.ts'

/** A value to become the current version of a path. */
export interface StoreRequest extends Request {
  readonly value: SecretText
  /** True where the person typed the value and saw what it replaces. */
  readonly asked: boolean
  readonly ifVersion: number | undefined
  /** Rotation needs something to rotate and keeps its type, metadata and limits. */
  readonly mode: 'put' | 'rotate'
  readonly type: SecretType | undefined
  readonly metadata: Metadata | undefined
  readonly expiresAt: EpochMs | null
  readonly maxReads: number | null
  /** What a value that is made here is made of; without it, the value came with the request. */
  readonly made?: { readonly length: number | null; readonly charset: string | null }
  /** By the person's word: fingerprints are kept of a value that can be guessed, too. */
  readonly rememberWeak: boolean
}

export interface PutParts {
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly keys: StoreKeys
  readonly vaultKeys: VaultKeys
  readonly fingerprints: Fingerprints
  readonly quotas: Quotas
  /** Without it, nothing is stored where a policy asks for the word of people. */
  readonly actApprovals?: ActApprovals
}

/** Stores one new version. The version it replaces keeps its own counters from then on. */
export async function storeVersion(
  parts: PutParts,
  tx: Tx,
  request: StoreRequest,
  at: EpochMs,
): Promise<Settled<StoredVersion>> {
  const { tables } = parts
  const rightsAt = await parts.rights.at(tx, at)
  const rights = await rightsAt.of(request)
  const allowed = storingAllowed(rights, request)
  const { actApprovals } = parts
  const asked =
    allowed.any || actApprovals === undefined ? null : askedFor(rights.judge(request.path, 'write'))
  if (!allowed.any && asked === null) return refuse(tx, tables, request, rights, 'write')
  const current = await tables.secrets.get(tx, 'vault_id = ? and path = ?', [
    request.vaultId,
    request.path,
  ])
  if (current !== null && !allowed.overExisting && asked === null)
    return refuse(tx, tables, request, rights, 'write')
  if (request.mode === 'rotate' && !isLive(current))
    return refused(request, secretNotFound(request.path))
  const conflict = conflictOf(request, current)
  if (conflict !== null) return refused(request, conflict)
  const payers = payersOf(request.caller.principal)
  const quota = await parts.quotas.open(tx, rightsAt.revision, () => payers, at)
  const exhausted = quota?.refusal(payers, 'writes') ?? null
  if (exhausted !== null) return refused(request, exhausted)
  const approved =
    asked === null || actApprovals === undefined
      ? NOTHING
      : await storingApproved(parts, actApprovals, tx, request, asked, at)
  if ('fault' in approved) return approved
  const written = await write(parts, tx, request, current, at)
  const revoked = await revokeSeen(tx, tables, request, rights)
  const spent = quota?.spend(payers, 'writes') ?? []
  await quota?.save(tx)
  const rows = [...written.record.rows, ...approved, ...revoked, ...spent]
  return { ...written, record: { ...written.record, rows } }
}

const NOTHING: readonly RowRevision[] = []

/** What people said to storing this value, used up. A value that is made here is another one each time. */
async function storingApproved(
  { tables, keys }: PutParts,
  approvals: ActApprovals,
  tx: Tx,
  request: StoreRequest,
  asked: AskedPolicy,
  at: EpochMs,
): Promise<readonly RowRevision[] | Refused> {
  const { approvedWithin, valueDigest } = await import('./path-approval.ts')
  const { made, value, ifVersion, type, metadata, expiresAt, maxReads } = request
  const content =
    made === undefined
      ? { bytes: value.byteLength, value: await valueDigest(keys, tx, value) }
      : { made }
  const args = {
    ...content,
    ifVersion: ifVersion ?? null,
    type: type ?? null,
    metadata: metadata === undefined ? null : (metadata as unknown),
    expiresAt,
    maxReads,
  }
  const act = { request, permission: 'write', args } as const
  return approvedWithin({ tables, approvals }, tx, act, asked, at)
}

function storingAllowed(
  rights: CallerRights,
  request: StoreRequest,
): { any: boolean; overExisting: boolean } {
  const may = (permission: Permission): boolean => rights.judge(request.path, permission).allowed
  const overExisting = may('write') || (request.asked && may('ask'))
  return { any: overExisting || may('create'), overExisting }
}

function isLive(row: SecretRow | null): row is SecretRow {
  return row !== null && row.deleted_at === null
}

function conflictOf(request: StoreRequest, current: SecretRow | null): Fault | null {
  if (request.ifVersion === undefined) return null
  const version = isLive(current) ? current.version : 0
  if (version === request.ifVersion) return null
  return versionConflict(request.path, version, request.ifVersion)
}

interface Written {
  readonly value: StoredVersion
  readonly record: RecordDraft & { readonly rows: readonly RowRevision[] }
}

async function write(
  parts: PutParts,
  tx: Tx,
  request: StoreRequest,
  current: SecretRow | null,
  at: EpochMs,
): Promise<Written> {
  const { tables } = parts
  const kept = request.mode === 'rotate' ? current : null
  const type = kept?.type ?? checkType(request.type ?? (isLive(current) ? current.type : 'api_key'))
  const { isBinary } = checkValue(request.value, type)
  const version = (current?.version ?? 0) + 1
  const row: SecretRow = {
    id: current?.id ?? newId<SecretId>(),
    vault_id: request.vaultId,
    path: request.path,
    type,
    metadata:
      request.metadata === undefined
        ? isLive(current)
          ? current.metadata
          : '{}'
        : checkMetadata(request.metadata),
    created_at: current?.created_at ?? at,
    updated_at: at,
    deleted_at: null,
    version,
    state: 'active',
    reads: 0,
    max_reads: kept === null ? checkMaxReads(request.maxReads) : kept.max_reads,
    expires_at: kept === null ? checkExpiry(request.expiresAt, at) : keptExpiry(kept, at),
    byte_length: request.value.byteLength,
    is_binary: isBinary ? 1 : 0,
    revision: (current?.revision ?? 0) + 1,
  }
  const vaultKey = await parts.vaultKeys.forNewVersion(tx, request.vaultId)
  const place = { vaultId: row.vault_id, secretId: row.id, version }
  await insertSealed(tx, sealValue(parts.keys.storeId, place, vaultKey.key, request.value))
  const versions = await saveVersions(tables, tx, row, current, request, at)
  await tables.secrets.save(tx, [row])
  const isRecognised = await parts.fingerprints.stored(tx, {
    principal: principalName(request.caller.principal),
    place,
    replaced: current?.version ?? null,
    value: request.value,
    type,
    rememberWeak: request.rememberWeak,
    at,
  })
  return {
    value: {
      id: row.id,
      vaultId: row.vault_id,
      path: row.path,
      type,
      version,
      replaced: isLive(current) ? current.version : null,
      metadata: JSON.parse(row.metadata) as Metadata,
      createdAt: row.updated_at,
      expiresAt: row.expires_at,
      ...(isRecognised ? {} : { notRedactable: true }),
    },
    record: {
      kind: 'change',
      action: request.action,
      caller: request.caller,
      vault: request.vaultId,
      path: request.path,
      version,
      ...(request.rememberWeak ? { detail: { remember_weak: true } } : {}),
      rows: [['secrets', row.id, row.revision], ...versions, ...vaultKey.changed],
    },
  }
}

/** An expiry that has passed is not carried over: the new value would be born dead. */
function keptExpiry(kept: SecretRow, at: EpochMs): EpochMs | null {
  return kept.expires_at !== null && kept.expires_at <= at ? null : kept.expires_at
}

async function saveVersions(
  tables: VaultTables,
  tx: Tx,
  row: SecretRow,
  current: SecretRow | null,
  request: StoreRequest,
  at: EpochMs,
): Promise<readonly RowRevision[]> {
  const changed: RowRevision[] = []
  if (current !== null) {
    const settled = await settleCounters(tables, tx, current)
    if (settled !== null) changed.push(settled)
  }
  const next: VersionRow = {
    secret_id: row.id,
    version: row.version,
    state: 'active',
    type: row.type,
    created_at: at,
    created_by: principalName(request.caller.principal),
    reads: 0,
    max_reads: row.max_reads,
    expires_at: row.expires_at,
    byte_length: row.byte_length,
    is_binary: row.is_binary,
    revision: 1,
  }
  await tables.versions.save(tx, [next])
  changed.push(['versions', tables.versions.idOf(next), 1])
  return changed
}

/** Writes the counters that `secrets` kept for the current version into its own row, before another takes its place. */
async function settleCounters(
  tables: VaultTables,
  tx: Tx,
  current: SecretRow,
): Promise<RowRevision | null> {
  const row = await tables.versions.get(tx, 'secret_id = ? and version = ?', [
    current.id,
    current.version,
  ])
  if (row === null) return null
  const next: VersionRow = {
    ...row,
    reads: current.reads,
    state: current.state,
    revision: row.revision + 1,
  }
  await tables.versions.save(tx, [next])
  return ['versions', tables.versions.idOf(next), next.revision]
}
