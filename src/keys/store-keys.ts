import type { KeySourceKind } from '../core/config.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { type KeyId, newId, type StoreId, type VaultId } from '../core/ids.ts'
import type { Clock } from '../core/time.ts'
import {
  type KeyPurpose,
  type KeySource,
  newKeyBytes,
  RootKey,
  RowMac,
  type WrappedKey,
} from '../crypto/index.ts'
import {
  KeyRepository,
  type KeyRow,
  lockSeal,
  readRowMacKey,
  readSeal,
  type SealRow,
  writeSeal,
} from './key-repository.ts'

/** A key in the clear, for use inside this process. */
export interface HeldKey {
  readonly id: KeyId
  readonly key: Buffer
}

/** A seal key that was made and is in no store yet. */
export interface NewSeal {
  readonly source: KeySourceKind
  readonly sealKeyId: KeyId
  readonly key: Buffer
  readonly params: string
}

/** A row whose revision changed: what an audit record says of it. */
export type ChangedRow = readonly [table: string, id: string, revision: number]

export interface KeysOptions {
  readonly db: Db
  readonly clock: Clock
  /** The source for a kind; asked only for the kind that the store names, or `firstSource` on the first run. */
  readonly sourceOf: (kind: KeySourceKind) => KeySource
  /** Chosen when the store has no root key yet. */
  readonly firstSource: () => Promise<KeySourceKind>
}

/**
 * The keys of one store: the root opened from its source once, everything below unwrapped when first used.
 * Other processes may rekey meanwhile: whatever needs the root re-reads which root the store names.
 */
export class StoreKeys {
  readonly storeId: StoreId
  readonly rowMac: RowMac
  readonly rows: KeyRepository
  /** True when this call made the store's keys. */
  readonly isNew: boolean
  readonly #options: KeysOptions
  readonly #held = new Map<KeyId, Buffer>()
  /** Roots that were opened here: an older snapshot may still name the one before. */
  readonly #roots = new Map<KeyId, RootKey>()

  private constructor(
    options: KeysOptions,
    root: RootKey,
    storeId: StoreId,
    rowMac: RowMac,
    isNew: boolean,
  ) {
    this.#options = options
    this.#roots.set(root.id, root)
    this.storeId = storeId
    this.rowMac = rowMac
    this.rows = new KeyRepository(rowMac)
    this.isNew = isNew
  }

  /**
   * Opens the store's root key, or makes one in an empty store.
   *
   * @throws {Fault} `KEY_SOURCE_UNAVAILABLE`, `VAULT_LOCKED`, `KEY_INVALID`, `STORE_TAMPERED`
   */
  static async open(options: KeysOptions): Promise<StoreKeys> {
    const seal = await options.db.read((reader) => readSeal(reader))
    if (seal !== null) return StoreKeys.#openedOrRekeyed(options, seal)
    const kind = await options.firstSource()
    return options.db.write(async (tx) => {
      // Six processes may start together: whoever comes second finds the first one's root.
      const made = await lockSeal(tx)
      return made === null
        ? StoreKeys.#created(options, kind, tx)
        : StoreKeys.#opened(options, made, tx)
    })
  }

  /** A rekey that ended between the look at the seal and at its key took that key away: look again. */
  static async #openedOrRekeyed(options: KeysOptions, seal: SealRow): Promise<StoreKeys> {
    try {
      return await StoreKeys.#opened(options, seal)
    } catch (error) {
      const now = await options.db.read((reader) => readSeal(reader))
      if (now === null || now.sealKeyId === seal.sealKeyId) throw error
      return StoreKeys.#openedOrRekeyed(options, now)
    }
  }

  static async #opened(options: KeysOptions, seal: SealRow, within?: Tx): Promise<StoreKeys> {
    const root = await openRoot(options, seal)
    const stored =
      within === undefined
        ? await options.db.read((reader) => readRowMacKey(reader))
        : await readRowMacKey(within)
    if (stored === null)
      throw new Fault('STORE_TAMPERED', 'The key that authenticates rows is gone from the store.')
    return new StoreKeys(options, root, seal.storeId, new RowMac(root.unwrap(stored)), false)
  }

  static async #created(options: KeysOptions, kind: KeySourceKind, tx: Tx): Promise<StoreKeys> {
    const storeId = newId<StoreId>()
    const sealKeyId = newId<KeyId>()
    const root = new RootKey(newId<KeyId>(), storeId, newKeyBytes())
    const sealKey = await options.sourceOf(kind).create(storeId, sealKeyId)
    await writeSeal(tx, {
      storeId,
      source: kind,
      sealKeyId,
      params: sealKey.params,
      rootKeyId: root.id,
      sealedRoot: root.sealUnder(sealKey.key, sealKeyId),
      createdAt: options.clock(),
      revision: 1,
    })
    const rowMacKey = newKeyBytes()
    const keys = new StoreKeys(options, root, storeId, new RowMac(rowMacKey), true)
    await keys.#insert(tx, root, 'row-mac', null, rowMacKey)
    for (const purpose of ['head-mac', 'token-lookup', 'fingerprint', 'cursor'] as const)
      await keys.#insert(tx, root, purpose, null, newKeyBytes())
    return keys
  }

  /** The active key of a purpose. */
  async active(
    reader: Reader,
    purpose: KeyPurpose,
    vaultId: VaultId | null = null,
  ): Promise<HeldKey> {
    const row = await this.rows.active(reader, purpose, vaultId)
    if (row === null) throw new Fault('STORE_TAMPERED', `The store has no ${purpose} key any more.`)
    return { id: row.id, key: await this.unwrap(reader, row) }
  }

  async byId(reader: Reader, id: KeyId): Promise<Buffer> {
    return this.#held.get(id) ?? this.unwrap(reader, await this.rows.byId(reader, id))
  }

  /** A key that this process already holds, without touching the store. */
  heldKey(id: KeyId): Buffer | undefined {
    return this.#held.get(id)
  }

  async unwrap(reader: Reader, row: WrappedKey): Promise<Buffer> {
    const held = this.#held.get(row.id)
    if (held !== undefined) return held
    const root = this.#roots.get(row.rootKeyId) ?? (await this.#currentRoot(reader))
    const key = root.unwrap(row)
    this.#held.set(row.id, key)
    return key
  }

  /** Makes a new active key inside `tx`. */
  async add(
    tx: Tx,
    purpose: KeyPurpose,
    vaultId: VaultId | null,
  ): Promise<HeldKey & { changed: ChangedRow }> {
    const key = newKeyBytes()
    const row = await this.#insert(tx, await this.#currentRoot(tx), purpose, vaultId, key)
    return { id: row.id, key, changed: ['keys', row.id, row.revision] }
  }

  /** The active key of a purpose that a store has from its first use on; `changed` where this was it. */
  async activeOrNew(
    tx: Tx,
    purpose: KeyPurpose,
  ): Promise<HeldKey & { readonly changed: ChangedRow | null }> {
    const row = await this.rows.active(tx, purpose, null)
    if (row === null) return this.add(tx, purpose, null)
    return { id: row.id, key: await this.unwrap(tx, row), changed: null }
  }

  /**
   * Makes a new seal key, in another source if `kind` says so. It is made before the transaction that puts it to use,
   * because a person may have to type, and everybody else would have to wait.
   */
  async prepareRekey(kind?: KeySourceKind): Promise<NewSeal> {
    const { source } = await this.#options.db.read((reader) => this.sealRow(reader))
    const to = kind ?? (source as KeySourceKind)
    const sealKeyId = newId<KeyId>()
    const { key, params } = await this.#options.sourceOf(to).create(this.storeId, sealKeyId)
    return { source: to, sealKeyId, key, params }
  }

  /**
   * Makes a new root, sealed under a seal key that `prepareRekey` made, and wraps every key anew, inside `tx`.
   *
   * @returns what to do once the transaction is committed: the old seal key is forgotten only then
   */
  async rekey(
    tx: Tx,
    to: NewSeal,
  ): Promise<{ rewrapped: number; changed: readonly ChangedRow[]; finish: () => Promise<void> }> {
    const old = await this.#lockedSeal(tx)
    const root = new RootKey(newId<KeyId>(), this.storeId, newKeyBytes())
    const rows = await this.rows.all(tx)
    const changed: ChangedRow[] = []
    for (const row of rows) {
      const wrapped = root.wrap(row.id, row.purpose, row.vaultId, await this.unwrap(tx, row))
      const next: KeyRow = { ...row, ...wrapped, revision: row.revision + 1 }
      await this.rows.save(tx, next)
      changed.push(['keys', row.id, next.revision])
    }
    await writeSeal(tx, {
      ...old,
      source: to.source,
      sealKeyId: to.sealKeyId,
      params: to.params,
      rootKeyId: root.id,
      sealedRoot: root.sealUnder(to.key, to.sealKeyId),
      createdAt: this.#options.clock(),
      revision: old.revision + 1,
    })
    return {
      rewrapped: rows.length,
      changed,
      finish: async () => {
        this.#roots.set(root.id, root)
        await this.#options.sourceOf(old.source as KeySourceKind).forget(old)
      },
    }
  }

  async sealRow(reader: Reader): Promise<SealRow> {
    const seal = await readSeal(reader)
    if (seal === null) throw lostSeal()
    return seal
  }

  /** The root key that `reader`'s snapshot names, sealed under another key, for a backup. */
  async sealRootUnder(
    reader: Reader,
    key: Uint8Array,
    keyId: string,
  ): Promise<{ rootKeyId: KeyId; sealed: Buffer }> {
    const root = await this.#currentRoot(reader)
    return { rootKeyId: root.id, sealed: root.sealUnder(key, keyId) }
  }

  async #insert(
    tx: Tx,
    root: RootKey,
    purpose: KeyPurpose,
    vaultId: VaultId | null,
    key: Buffer,
  ): Promise<KeyRow> {
    const row: KeyRow = {
      ...root.wrap(newId<KeyId>(), purpose, vaultId, key),
      state: 'active',
      wraps: 0,
      createdAt: this.#options.clock(),
      revision: 1,
    }
    await this.rows.save(tx, row)
    this.#held.set(row.id, key)
    return row
  }

  async #lockedSeal(tx: Tx): Promise<SealRow> {
    const seal = await lockSeal(tx)
    if (seal === null) throw lostSeal()
    return seal
  }

  /** The root that the store names now: another process may have rekeyed. */
  async #currentRoot(reader: Reader): Promise<RootKey> {
    const seal = await this.sealRow(reader)
    const known = this.#roots.get(seal.rootKeyId)
    if (known !== undefined) return known
    const root = await openRoot(this.#options, seal)
    this.#roots.set(root.id, root)
    return root
  }
}

function lostSeal(): Fault {
  return new Fault('STORE_TAMPERED', 'The store has lost its seal.')
}

async function openRoot(options: KeysOptions, seal: SealRow): Promise<RootKey> {
  const key = await options.sourceOf(seal.source as KeySourceKind).open(seal)
  try {
    return RootKey.openSealed(seal.rootKeyId, seal.storeId, key, seal.sealKeyId, seal.sealedRoot)
  } catch (cause) {
    throw new Fault(
      'KEY_INVALID',
      `The key from the ${seal.source} does not open this store: it belongs to another store or was changed.`,
      { cause },
    )
  }
}
