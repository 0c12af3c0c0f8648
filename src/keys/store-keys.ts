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
 * Other processes may rekey meanwhile: whatever needs the root asks `withNamedRoot` for the one that the store names.
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
    const isMade = (await options.db.read((reader) => readSeal(reader))) !== null
    if (isMade) return StoreKeys.#opened(options)
    const kind = await options.firstSource()
    // Six processes may start together: whoever comes second finds the first one's root.
    const created = await options.db.write(
      async (tx) => ((await lockSeal(tx)) === null ? StoreKeys.#created(options, kind, tx) : null),
      { mayPause: true },
    )
    return created ?? StoreKeys.#opened(options)
  }

  static #opened(options: KeysOptions): Promise<StoreKeys> {
    return withNamedRoot(options, new Map(), readRowMacKey, (root, { storeId }, stored) => {
      if (stored === null)
        throw new Fault('STORE_TAMPERED', 'The key that authenticates rows is gone from the store.')
      return new StoreKeys(options, root, storeId, new RowMac(root.unwrap(stored)), false)
    })
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
    const key =
      this.#roots.get(row.rootKeyId)?.unwrap(row) ??
      (await withNamedRoot(
        this.#options,
        this.#roots,
        (now) => this.rows.byId(now, row.id),
        (root, _seal, now) => root.unwrap(now),
        reader,
      ))
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

  /** Reads on one snapshot, with the root key that it names. */
  async readWithRoot<T>(work: (reader: Reader, root: RootKey) => Promise<T>): Promise<T> {
    for (let left = MOST_LOOKS; left > 0; left -= 1) {
      const root = await this.#currentRoot()
      const done = await this.#options.db.read(async (reader) =>
        (await this.sealRow(reader)).rootKeyId === root.id
          ? { value: await work(reader, root) }
          : null,
      )
      if (done !== null) return done.value
    }
    throw new Fault('STORE_BUSY', 'The keys of this store are being replaced all the time.')
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

  /** The root that the store names now. @param within where its seal is read first */
  #currentRoot(within?: Reader): Promise<RootKey> {
    const nothing = (): Promise<null> => Promise.resolve(null)
    return withNamedRoot(this.#options, this.#roots, nothing, (root) => root, within)
  }
}

function lostSeal(): Fault {
  return new Fault('STORE_TAMPERED', 'The store has lost its seal.')
}

/** So often the keys may be replaced while somebody looks for them. */
const MOST_LOOKS = 50

/**
 * What is made of the root that the store names and of what stands beside it. A rekey by another process forgets the
 * seal key that it replaced: whoever looked at the store before and for the key after it looks again, at a snapshot of
 * its own.
 *
 * @param roots that are open here; the one that was opened is added
 * @param within where it is looked first
 */
async function withNamedRoot<S, T>(
  options: KeysOptions,
  roots: Map<KeyId, RootKey>,
  look: (reader: Reader) => Promise<S>,
  make: (root: RootKey, seal: SealRow, seen: S) => T,
  within?: Reader,
): Promise<T> {
  const lookAt = async (reader: Reader): Promise<{ seal: SealRow; seen: S }> => {
    const seal = await readSeal(reader)
    if (seal === null) throw lostSeal()
    return { seal, seen: await look(reader) }
  }
  let { seal, seen } = within === undefined ? await options.db.read(lookAt) : await lookAt(within)
  for (let left = MOST_LOOKS; ; left -= 1)
    try {
      const root = roots.get(seal.rootKeyId) ?? (await openRoot(options, seal))
      roots.set(root.id, root)
      return make(root, seal, seen)
    } catch (error) {
      const next = await options.db.read(lookAt)
      if (left === 0 || next.seal.sealKeyId === seal.sealKeyId) throw error
      ;({ seal, seen } = next)
    }
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
