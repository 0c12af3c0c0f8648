import type { RowRevision, Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights, type MacRow, type MacTable, type StoreKeys } from '../keys/index.ts'
import { administrationProblem } from './administration.ts'
import { endVersion } from './fingerprints-repository.ts'
import type { VaultRights } from './rights.ts'
import { deleteSealed, type SecretRow, type VaultRow, type VaultTables } from './rows-repository.ts'
import { DEFAULT_VAULT, unknownVault, vaultFor } from './vaults.ts'

/** One record names every row that changed. */
const MAX_VERSIONS = 10_000

export interface VaultDeletion {
  readonly caller: Caller
  readonly vault: string
}

export interface VaultDeletionParts {
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly standing: StandingPort
  readonly keys: StoreKeys
}

/**
 * Removes a vault for ever. Its keys and sealed values are gone, what gave rights in it too; the rows that say which
 * secrets it held stay, destroyed, so that redaction goes on knowing values that were given out.
 */
export async function deleteVault(
  parts: VaultDeletionParts,
  tx: Tx,
  { caller, vault }: VaultDeletion,
  at: EpochMs,
): Promise<Settled<VaultRow>> {
  const { tables } = parts
  const row = await vaultFor(tables, tx, caller, vault)
  const problem = await administrationProblem(parts.standing, tx, caller, row.created_by, at)
  if (problem !== null) {
    const [visible] = await (await parts.rights.at(tx, at)).visible(caller, [row])
    const record = { kind: 'refusal', action: 'vault.delete', caller, vault: row.id } as const
    const fault = visible === undefined ? unknownVault(vault) : problem
    return { fault, record: { ...record, by: fault.code } }
  }
  if (row.revision === 0) return { fault: unknownVault(vault), record: null }
  if (row.name === DEFAULT_VAULT)
    return {
      fault: conflict(`The vault '${DEFAULT_VAULT}' stays: programs count on it.`),
      record: null,
    }
  const secrets = await tables.secrets.select(tx, 'vault_id = ? order by path', [row.id])
  const isInUse = secrets.some(({ deleted_at: deletedAt }) => deletedAt === null)
  if (isInUse && caller.principal.kind === 'registered-agent')
    return {
      fault: conflict(
        `The vault '${row.name}' holds secrets.`,
        'delete them first, or ask a person',
      ),
      record: null,
    }
  const rows: RowRevision[] = await destroyed(parts, tx, row.id, secrets, at)
  const clear = <R extends MacRow>(table: MacTable<R>): Promise<RowRevision[]> =>
    cleared(table, tx, row.id)
  rows.push(
    ...(await clear(tables.pathPolicies)),
    ...(await clear(tables.canaries)),
    ...(await clear(tables.shares)),
    ...(await clear(tables.envVars)),
    ...(await clear(tables.environments)),
    ...(await clear(parts.keys.rows.table)),
  )
  await tables.vaults.remove(tx, row)
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'vault.delete',
      caller,
      vault: row.id,
      rows: [...rows, ['vaults', row.id, null]],
      detail: { name: row.name, secrets: secrets.length },
    },
  }
}

async function destroyed(
  { tables }: VaultDeletionParts,
  tx: Tx,
  vaultId: VaultId,
  secrets: readonly SecretRow[],
  at: EpochMs,
): Promise<RowRevision[]> {
  const versions = await tables.versions.select(
    tx,
    `state <> 'destroyed' and secret_id in (select id from secrets where vault_id = ?)`,
    [vaultId],
  )
  if (versions.length > MAX_VERSIONS)
    throw conflict(
      `The vault holds more than ${MAX_VERSIONS} versions.`,
      'destroy some of its secrets first',
    )
  for (const { secret_id: secretId, version } of versions) {
    await deleteSealed(tx, secretId, version)
    await endVersion(tx, { secretId, version }, at)
  }
  const ended = versions.map((one) => ({
    ...one,
    state: 'destroyed' as const,
    revision: one.revision + 1,
  }))
  const emptied = secrets
    .filter(({ state, deleted_at }) => state !== 'destroyed' || deleted_at === null)
    .map((one) => ({
      ...one,
      state: 'destroyed' as const,
      deleted_at: one.deleted_at ?? at,
      updated_at: at,
      revision: one.revision + 1,
    }))
  await tables.versions.save(tx, ended)
  await tables.secrets.save(tx, emptied)
  return [
    ...ended.map((one): RowRevision => ['versions', tables.versions.idOf(one), one.revision]),
    ...emptied.map((one): RowRevision => ['secrets', one.id, one.revision]),
  ]
}

/** Takes away what a table has of the vault. */
async function cleared<R extends MacRow>(
  table: MacTable<R>,
  tx: Tx,
  vaultId: VaultId,
): Promise<RowRevision[]> {
  const rows = await table.select(tx, 'vault_id = ?', [vaultId])
  for (const row of rows) await table.remove(tx, row)
  return rows.map((row): RowRevision => [table.name, table.idOf(row), null])
}

function conflict(message: string, remedy?: string): Fault {
  return new Fault('CONFLICT', message, {
    details: { field: 'vault', ...(remedy === undefined ? {} : { remedy }) },
  })
}
