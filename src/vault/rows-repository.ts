import type { Reader, SqlValue, Tx } from '../core/db-port.ts'
import type { KeyId, PolicyId, SecretId, VaultId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { SecretType } from '../core/vault-port.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'
import { type SharingTables, sharingTables } from './sharing-rows.ts'

export interface VaultRow {
  readonly id: VaultId
  readonly name: string
  readonly description: string | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

export type SecretState = 'active' | 'disabled' | 'destroyed'

/** A secret with the rights and counters of its current version; older versions keep theirs in `versions`. */
export interface SecretRow {
  readonly id: SecretId
  readonly vault_id: VaultId
  readonly path: string
  readonly type: SecretType
  /** JSON. */
  readonly metadata: string
  readonly created_at: EpochMs
  readonly updated_at: EpochMs
  readonly deleted_at: EpochMs | null
  readonly version: number
  readonly state: SecretState
  readonly reads: number
  readonly max_reads: number | null
  readonly expires_at: EpochMs | null
  readonly byte_length: number
  readonly is_binary: number
  readonly revision: number
}

export interface VersionRow {
  readonly secret_id: SecretId
  readonly version: number
  readonly state: SecretState
  readonly type: SecretType
  readonly created_at: EpochMs
  readonly created_by: string
  /** Reads of an older version; of the current one they are counted in `secrets`. */
  readonly reads: number
  readonly max_reads: number | null
  readonly expires_at: EpochMs | null
  readonly byte_length: number
  readonly is_binary: number
  readonly revision: number
}

/** A value as it is stored: nothing here has rights, its context authenticates it. */
export interface SealedRow {
  readonly secret_id: SecretId
  readonly version: number
  readonly key_id: KeyId
  readonly wrapped_key: Uint8Array
  readonly sealed: Uint8Array
}

export interface TrustedFileRow {
  readonly id: string
  readonly project: string
  readonly file: string
  readonly digest: Uint8Array
  /** JSON: name of the file's format, allow, run. */
  readonly lists: string
  readonly state: 'approved' | 'revoked'
  readonly approved_at: EpochMs
  readonly approved_by: string
  readonly revision: number
}

export interface TokenRow {
  readonly id: string
  readonly label: string
  readonly project: string | null
  readonly digest: Uint8Array
  readonly created_at: EpochMs
  readonly revoked_at: EpochMs | null
  readonly revision: number
}

/**
 * The gate's one row. It is made with the store, before any passphrase is set: a row that is missing was removed, and
 * must not look like a gate that waits for its first passphrase.
 */
export interface PresenceRow {
  readonly id: 1
  /** Argon2id record of the passphrase, or null until the first one is set. */
  readonly record: string | null
  readonly set_at: EpochMs | null
  readonly changed_at: EpochMs | null
  readonly failures: number
  readonly blocked_until: EpochMs | null
  /** JSON array of acts. */
  readonly exempt: string
  readonly revision: number
}

export const UNSET_PRESENCE: PresenceRow = {
  id: 1,
  record: null,
  set_at: null,
  changed_at: null,
  failures: 0,
  blocked_until: null,
  exempt: '[]',
  revision: 1,
}

/** What one registered principal may do at paths of one vault. */
export interface PathPolicyRow {
  readonly id: PolicyId
  readonly vault_id: VaultId
  readonly pattern: string
  readonly principal_type: 'user' | 'agent'
  readonly principal_id: string
  readonly effect: 'allow' | 'deny'
  /** JSON array. */
  readonly permissions: string
  /** JSON, or null. */
  readonly conditions: string | null
  readonly priority: number
  readonly expires_at: EpochMs | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
  /** JSON of what is asked for before each use, or null. */
  readonly approval: string | null
}

/** The tables of the vault whose rows carry rights. */
export interface VaultTables extends SharingTables {
  readonly vaults: MacTable<VaultRow>
  readonly secrets: MacTable<SecretRow>
  readonly versions: MacTable<VersionRow>
  readonly trustedFiles: MacTable<TrustedFileRow>
  readonly tokens: MacTable<TokenRow>
  readonly presence: MacTable<PresenceRow>
  readonly pathPolicies: MacTable<PathPolicyRow>
}

export function vaultTables(mac: RowMac): VaultTables {
  return {
    ...sharingTables(mac),
    vaults: new MacTable<VaultRow>(
      mac,
      'vaults',
      ['id', 'name', 'description', 'created_at', 'created_by', 'revision'],
      ['id'],
    ),
    secrets: new MacTable<SecretRow>(mac, 'secrets', SECRET_COLUMNS, ['id']),
    versions: new MacTable<VersionRow>(
      mac,
      'versions',
      [
        'secret_id',
        'version',
        'state',
        'type',
        'created_at',
        'created_by',
        'reads',
        'max_reads',
        'expires_at',
        'byte_length',
        'is_binary',
        'revision',
      ],
      ['secret_id', 'version'],
    ),
    trustedFiles: new MacTable<TrustedFileRow>(
      mac,
      'trusted_files',
      [
        'id',
        'project',
        'file',
        'digest',
        'lists',
        'state',
        'approved_at',
        'approved_by',
        'revision',
      ],
      ['id'],
    ),
    tokens: new MacTable<TokenRow>(
      mac,
      'tokens',
      ['id', 'label', 'project', 'digest', 'created_at', 'revoked_at', 'revision'],
      ['id'],
    ),
    presence: new MacTable<PresenceRow>(
      mac,
      'presence',
      ['id', 'record', 'set_at', 'changed_at', 'failures', 'blocked_until', 'exempt', 'revision'],
      ['id'],
    ),
    pathPolicies: new MacTable<PathPolicyRow>(
      mac,
      'path_policies',
      POLICY_COLUMNS,
      ['id'],
      ['approval'],
    ),
  }
}

const POLICY_COLUMNS = [
  'id',
  'vault_id',
  'pattern',
  'principal_type',
  'principal_id',
  'effect',
  'permissions',
  'conditions',
  'priority',
  'expires_at',
  'created_at',
  'created_by',
  'revision',
  'approval',
] as const satisfies readonly (keyof PathPolicyRow)[]

const SECRET_COLUMNS = [
  'id',
  'vault_id',
  'path',
  'type',
  'metadata',
  'created_at',
  'updated_at',
  'deleted_at',
  'version',
  'state',
  'reads',
  'max_reads',
  'expires_at',
  'byte_length',
  'is_binary',
  'revision',
] as const satisfies readonly (keyof SecretRow)[]

/** A secret's row beside the sealed value of its current version, unverified. */
export type SecretWithValue = SecretRow & {
  readonly mac: Uint8Array
  readonly key_id: KeyId | null
  readonly wrapped_key: Uint8Array | null
  readonly sealed: Uint8Array | null
}

const LIST_SIZES = [1, 4, 16, 64, 256] as const

/** Pads a list to one of a few sizes with its last entry, so that few statements are prepared. */
function padded(values: readonly string[]): readonly string[] {
  const size = LIST_SIZES.find((one) => one >= values.length) ?? values.length
  const last = values[values.length - 1] ?? ''
  return [...values, ...Array.from({ length: size - values.length }, () => last)]
}

const WITH_VALUES = new Map<number, string>()

/** The rows of some paths of a vault, each with its current sealed value. At most 256 paths. */
export async function secretsWithValues(
  reader: Reader,
  vaultId: VaultId,
  paths: readonly string[],
): Promise<readonly SecretWithValue[]> {
  const list = padded(paths)
  let sql = WITH_VALUES.get(list.length)
  if (sql === undefined) {
    sql = `select s.*, x.key_id, x.wrapped_key, x.sealed from secrets s
      left join sealed_values x on x.secret_id = s.id and x.version = s.version
      where s.vault_id = ? and s.path in (${list.map(() => '?').join(', ')})`
    WITH_VALUES.set(list.length, sql)
  }
  return reader.all<SecretWithValue>(sql, [vaultId, ...list])
}

export async function sealedValue(
  reader: Reader,
  secretId: SecretId,
  version: number,
): Promise<SealedRow | null> {
  const row = await reader.get<SealedRow>(
    'select * from sealed_values where secret_id = ? and version = ?',
    [secretId, version],
  )
  return row ?? null
}

export async function insertSealed(tx: Tx, row: SealedRow): Promise<void> {
  await tx.run(
    'insert into sealed_values (secret_id, version, key_id, wrapped_key, sealed) values (?, ?, ?, ?, ?)',
    [row.secret_id, row.version, row.key_id, row.wrapped_key, row.sealed],
  )
}

export async function rewrapSealed(
  tx: Tx,
  row: Pick<SealedRow, 'secret_id' | 'version' | 'key_id' | 'wrapped_key'>,
): Promise<void> {
  await tx.run(
    'update sealed_values set key_id = ?, wrapped_key = ? where secret_id = ? and version = ?',
    [row.key_id, row.wrapped_key, row.secret_id, row.version],
  )
}

export async function deleteSealed(tx: Tx, secretId: SecretId, version: number): Promise<void> {
  await tx.run('delete from sealed_values where secret_id = ? and version = ?', [secretId, version])
}

/** Wrapped keys of a vault's versions, without the values, in pages by key. */
export async function wrappedKeysOf(
  reader: Reader,
  vaultId: VaultId,
): Promise<readonly Omit<SealedRow, 'sealed'>[]> {
  return reader.all<Omit<SealedRow, 'sealed'>>(
    `select x.secret_id, x.version, x.key_id, x.wrapped_key from sealed_values x
     join secrets s on s.id = x.secret_id where s.vault_id = ? order by x.secret_id, x.version`,
    [vaultId],
  )
}

/** Differs whenever a secret of the vault was stored, changed or deleted; reads do not change it. */
export async function listingStamp(reader: Reader, vaultId: VaultId): Promise<string> {
  const row = await reader.get<{ count: number; versions: number | null; at: number | null }>(
    `select count(*) as count, cast(sum(version) as bigint) as versions, max(updated_at) as at
     from secrets where vault_id = ?`,
    [vaultId],
  )
  return `${row?.count} ${row?.versions} ${row?.at}`
}

export async function countSecrets(reader: Reader, vaultId: VaultId): Promise<number> {
  const row = await reader.get<{ n: number }>(
    'select count(*) as n from secrets where vault_id = ? and deleted_at is null',
    [vaultId],
  )
  return row?.n ?? 0
}

export async function vaultExists(reader: Reader, vaultId: VaultId): Promise<boolean> {
  return (await reader.get('select id from vaults where id = ?', [vaultId])) !== undefined
}

/** `like` pattern of a literal prefix; `\` escapes. */
export function prefixPattern(prefix: string): SqlValue {
  return `${prefix.replaceAll(/[\\%_]/g, (one) => `\\${one}`)}%`
}

/** Those of a vault's paths that hold a secret. At most 256. */
export async function existingPaths(
  reader: Reader,
  vaultId: VaultId,
  paths: readonly string[],
): Promise<ReadonlySet<string>> {
  const list = padded(paths)
  const rows = await reader.all<{ path: string }>(
    `select path from secrets
     where vault_id = ? and path in (${list.map(() => '?').join(', ')}) and deleted_at is null`,
    [vaultId, ...list],
  )
  return new Set(rows.map(({ path }) => path))
}
