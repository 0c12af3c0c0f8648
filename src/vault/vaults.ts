import type { RowRevision, Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, newId, type VaultId } from '../core/ids.ts'
import { type Caller, isRegistered, principalName } from '../core/principals.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import { UNSET_PRESENCE, type VaultRow, type VaultTables } from './rows-repository.ts'

export const DEFAULT_VAULT = 'default'
const NAME = /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,99}$/
const MAX_DESCRIPTION = 500

/** @param name a vault's name or id. @throws {Fault} `VAULT_NOT_FOUND` */
export async function findVault(
  tables: VaultTables,
  reader: Reader,
  name: string,
): Promise<VaultRow> {
  const row = await tables.vaults.get(reader, isUuid(name) ? 'id = ?' : 'name = ?', [name])
  if (row === null) throw unknownVault(name)
  return row
}

/** Stands for a vault that is not there: nobody made it and no policy names it. */
const NOWHERE: VaultRow = {
  id: '00000000-0000-0000-0000-000000000000' as VaultId,
  name: '',
  description: null,
  created_at: epochMs(0),
  created_by: '',
  revision: 0,
}

export function isNowhere({ id }: Pick<VaultRow, 'id'>): boolean {
  return id === NOWHERE.id
}

/**
 * The vault as this caller may learn of it. For whoever comes with an account, one that is not there is a place where
 * nothing is allowed, and is judged, recorded and answered like one in which he has no rights: names and ids cannot be
 * tried out.
 *
 * @throws {Fault} `VAULT_NOT_FOUND` to those who may know every vault
 */
export async function vaultFor(
  tables: VaultTables,
  reader: Reader,
  { principal }: Pick<Caller, 'principal'>,
  name: string,
): Promise<VaultRow> {
  if (!isRegistered(principal)) return findVault(tables, reader, name)
  const by = isUuid(name) ? 'id = ?' : 'name = ?'
  return (await tables.vaults.get(reader, by, [name])) ?? NOWHERE
}

/** Also said of a vault that is none of the caller's business. */
export function unknownVault(name: string): Fault {
  return new Fault('VAULT_NOT_FOUND', `There is no vault '${name.slice(0, 100)}'.`, {
    details: { field: 'vault' },
  })
}

export interface NewVault {
  readonly caller: Caller | null
  readonly name: string
  readonly description: string | null
}

export function checkNewVault(request: {
  readonly name: string
  readonly description?: string
}): Omit<NewVault, 'caller'> {
  if (!NAME.test(request.name) || isUuid(request.name))
    throw new Fault(
      'BAD_INPUT',
      'name must begin with a letter or digit and have 1 to 100 of letters, digits, space, dot, dash, underscore.',
      { details: { field: 'name' } },
    )
  if ((request.description?.length ?? 0) > MAX_DESCRIPTION)
    throw new Fault('BAD_INPUT', `description may have at most ${MAX_DESCRIPTION} characters.`, {
      details: { field: 'description' },
    })
  return { name: request.name, description: request.description ?? null }
}

export async function createVault(
  tables: VaultTables,
  tx: Tx,
  request: NewVault,
  at: EpochMs,
): Promise<Settled<VaultRow>> {
  const existing = await tables.vaults.get(tx, 'name = ?', [request.name])
  if (existing !== null)
    return {
      fault: new Fault('CONFLICT', `There is a vault '${request.name}' already.`, {
        details: { field: 'name' },
      }),
      record: null,
    }
  const row: VaultRow = {
    id: newId<VaultId>(),
    name: request.name,
    description: request.description,
    created_at: at,
    created_by: request.caller === null ? 'sallyport' : principalName(request.caller.principal),
    revision: 1,
  }
  await tables.vaults.save(tx, [row])
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'vault.create',
      caller: request.caller,
      vault: row.id,
      rows: [['vaults', row.id, 1]],
    },
  }
}

/** The first record of a store: its keys, its first vault and its gate. Whoever comes second finds it done. */
export async function beginStore(
  tables: VaultTables,
  keys: StoreKeys,
  tx: Tx,
  at: EpochMs,
): Promise<Settled<null>> {
  const existing = await tables.vaults.select(tx, '1 = 1 limit 1', [])
  if (existing.length > 0) return { value: null, record: null }
  const made = await createVault(
    tables,
    tx,
    { caller: null, name: DEFAULT_VAULT, description: null },
    at,
  )
  if ('fault' in made) return made
  await tables.presence.save(tx, [UNSET_PRESENCE])
  const rows: RowRevision[] = (await keys.rows.all(tx)).map((key) => ['keys', key.id, key.revision])
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'store.create',
      caller: null,
      vault: made.value.id,
      rows: [...rows, ['vaults', made.value.id, 1], ['presence', '1', UNSET_PRESENCE.revision]],
      detail: { store: keys.storeId },
    },
  }
}
