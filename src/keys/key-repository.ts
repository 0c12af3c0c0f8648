import type { Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { KeyId, StoreId, VaultId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { KeyPurpose, RowMac, WrappedKey } from '../crypto/index.ts'
import { MacTable } from './mac-table-repository.ts'

/** How the root key of this store is sealed. One row. */
export interface SealRow {
  readonly storeId: StoreId
  readonly source: string
  readonly sealKeyId: string
  readonly params: string
  readonly rootKeyId: KeyId
  readonly sealedRoot: Uint8Array
  readonly createdAt: EpochMs
  readonly revision: number
}

interface SealColumns {
  readonly store_id: StoreId
  readonly source: string
  readonly seal_key_id: string
  readonly params: string
  readonly root_key_id: KeyId
  readonly sealed_root: Uint8Array
  readonly created_at: EpochMs
  readonly revision: number
}

export async function readSeal(reader: Reader): Promise<SealRow | null> {
  const row = await reader.get<SealColumns>('select * from seal where id = 1')
  if (row === undefined) return null
  return {
    storeId: row.store_id,
    source: row.source,
    sealKeyId: row.seal_key_id,
    params: row.params,
    rootKeyId: row.root_key_id,
    sealedRoot: row.sealed_root,
    createdAt: row.created_at,
    revision: row.revision,
  }
}

/**
 * The seal, with every other transaction that asks kept waiting until this one ends: while there is no seal yet there is
 * no row of its own to lock, and two processes must not both make one.
 */
export async function lockSeal(tx: Tx): Promise<SealRow | null> {
  await tx.get('select id from rights where id = 1 /*lock*/')
  return readSeal(tx)
}

export async function writeSeal(tx: Tx, seal: SealRow): Promise<void> {
  await tx.run(
    `insert into seal (id, store_id, source, seal_key_id, params, root_key_id, sealed_root, created_at, revision)
     values (1, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (id) do update set source = excluded.source, seal_key_id = excluded.seal_key_id,
       params = excluded.params, root_key_id = excluded.root_key_id, sealed_root = excluded.sealed_root,
       created_at = excluded.created_at, revision = excluded.revision`,
    [
      seal.storeId,
      seal.source,
      seal.sealKeyId,
      seal.params,
      seal.rootKeyId,
      seal.sealedRoot,
      seal.createdAt,
      seal.revision,
    ],
  )
}

export type KeyState = 'active' | 'decrypt-only'

/** A stored key with its counters. */
export interface KeyRow extends WrappedKey {
  readonly state: KeyState
  /** How many keys or values it has wrapped. */
  readonly wraps: number
  readonly createdAt: EpochMs
  readonly revision: number
}

interface KeyColumns {
  readonly id: KeyId
  readonly purpose: KeyPurpose
  readonly vault_id: VaultId | null
  readonly root_key_id: KeyId
  readonly state: KeyState
  readonly wrapped: Uint8Array
  readonly wraps: number
  readonly created_at: EpochMs
  readonly revision: number
}

/** Rows of `keys`. */
export class KeyRepository {
  readonly table: MacTable<KeyColumns>

  constructor(mac: RowMac) {
    this.table = new MacTable<KeyColumns>(
      mac,
      'keys',
      [
        'id',
        'purpose',
        'vault_id',
        'root_key_id',
        'state',
        'wrapped',
        'wraps',
        'created_at',
        'revision',
      ],
      ['id'],
    )
  }

  async byId(reader: Reader, id: KeyId): Promise<KeyRow> {
    const row = await this.table.get(reader, 'id = ?', [id])
    if (row === null)
      throw new Fault('STORE_TAMPERED', `The key '${id}' that a row names is gone.`, {
        details: { keyId: id },
      })
    return keyOf(row)
  }

  /** The newest active key of a purpose, or null when there is none. */
  async active(
    reader: Reader,
    purpose: KeyPurpose,
    vaultId: VaultId | null,
  ): Promise<KeyRow | null> {
    const row = await this.table.get(
      reader,
      `purpose = ? and coalesce(vault_id, '') = ? and state = 'active' order by created_at desc, id limit 1`,
      [purpose, vaultId ?? ''],
    )
    return row === null ? null : keyOf(row)
  }

  /** Keys of a purpose that belongs to no vault, the oldest first. */
  async ofPurpose(reader: Reader, purpose: KeyPurpose): Promise<readonly KeyRow[]> {
    const rows = await this.table.select(reader, 'purpose = ? order by created_at, id', [purpose])
    return rows.map(keyOf)
  }

  async all(reader: Reader): Promise<readonly KeyRow[]> {
    const rows = await this.table.select(reader, '1 = 1 order by created_at, id', [])
    return rows.map(keyOf)
  }

  async save(tx: Tx, row: KeyRow): Promise<void> {
    await this.table.save(tx, [
      {
        id: row.id,
        purpose: row.purpose,
        vault_id: row.vaultId,
        root_key_id: row.rootKeyId,
        state: row.state,
        wrapped: row.wrapped,
        wraps: row.wraps,
        created_at: row.createdAt,
        revision: row.revision,
      },
    ])
  }
}

function keyOf(row: KeyColumns): KeyRow {
  return {
    id: row.id,
    purpose: row.purpose,
    vaultId: row.vault_id,
    rootKeyId: row.root_key_id,
    state: row.state,
    wrapped: row.wrapped,
    wraps: row.wraps,
    createdAt: row.created_at,
    revision: row.revision,
  }
}

/** The row-MAC key's own row, before any MAC can be checked: its wrapping authenticates it. */
export async function readRowMacKey(reader: Reader): Promise<WrappedKey | null> {
  const row = await reader.get<KeyColumns>(
    `select * from keys where purpose = 'row-mac' order by created_at, id limit 1`,
  )
  if (row === undefined) return null
  return {
    id: row.id,
    purpose: row.purpose,
    vaultId: row.vault_id,
    rootKeyId: row.root_key_id,
    wrapped: row.wrapped,
  }
}
