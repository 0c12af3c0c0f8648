import type { RowRevision } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import type { VaultId } from '../core/ids.ts'
import type { HeldKey, KeyRow, StoreKeys } from '../keys/index.ts'
import { rewrapSealed, vaultExists, wrappedKeysOf } from './rows-repository.ts'
import { rewrapVersionKey } from './sealing.ts'
import { unknownVault } from './vaults.ts'

/** Half of what random 96-bit nonces allow a key. @see NIST SP 800-38D section 8.3 */
export const MAX_WRAPS = 2 ** 31

/** The key of each vault: counted, replaced in time, and rotated on demand. */
export class VaultKeys {
  readonly #keys: StoreKeys
  readonly #maxWraps: number

  /** @param maxWraps a vault's key is replaced before it has wrapped this many version keys */
  constructor(keys: StoreKeys, maxWraps: number = MAX_WRAPS) {
    this.#keys = keys
    this.#maxWraps = maxWraps
  }

  /** The vault's active key with this use counted; a new one when there is none or the old one is used up. */
  async forNewVersion(
    tx: Tx,
    vaultId: VaultId,
  ): Promise<{ readonly key: HeldKey; readonly changed: readonly RowRevision[] }> {
    const changed: RowRevision[] = []
    let row = await this.#keys.rows.active(tx, 'vault', vaultId)
    if (row !== null && row.wraps + 1 >= this.#maxWraps) {
      changed.push(await this.#retire(tx, row))
      row = null
    }
    if (row === null) {
      // The key of a vault that was deleted is gone with it: whoever still has its id must not bring it back.
      if (!(await vaultExists(tx, vaultId))) throw unknownVault(vaultId)
      await this.#keys.add(tx, 'vault', vaultId)
      row = await this.#keys.rows.active(tx, 'vault', vaultId)
      if (row === null) throw new RangeError('a key that was just added is not there')
    }
    const counted: KeyRow = { ...row, wraps: row.wraps + 1, revision: row.revision + 1 }
    await this.#keys.rows.save(tx, counted)
    changed.push(['keys', counted.id, counted.revision])
    return { key: { id: row.id, key: await this.#keys.unwrap(tx, row) }, changed }
  }

  /** A new key for the vault, and every version key wrapped anew under it. */
  async rotate(
    tx: Tx,
    vaultId: VaultId,
  ): Promise<{ readonly rewrapped: number; readonly changed: readonly RowRevision[] }> {
    const changed: RowRevision[] = []
    const old = await this.#keys.rows.active(tx, 'vault', vaultId)
    if (old !== null) changed.push(await this.#retire(tx, old))
    const added = await this.#keys.add(tx, 'vault', vaultId)
    const to: HeldKey = added
    const wrapped = await wrappedKeysOf(tx, vaultId)
    for (const row of wrapped) {
      const from: HeldKey = { id: row.key_id, key: await this.#keys.byId(tx, row.key_id) }
      const place = { vaultId, secretId: row.secret_id, version: row.version }
      await rewrapSealed(tx, {
        secret_id: row.secret_id,
        version: row.version,
        key_id: to.id,
        wrapped_key: rewrapVersionKey(this.#keys.storeId, place, from, to, row.wrapped_key),
      })
    }
    const fresh = await this.#keys.rows.byId(tx, to.id)
    const counted: KeyRow = { ...fresh, wraps: wrapped.length, revision: fresh.revision + 1 }
    await this.#keys.rows.save(tx, counted)
    changed.push(['keys', counted.id, counted.revision])
    return { rewrapped: wrapped.length, changed }
  }

  async #retire(tx: Tx, row: KeyRow): Promise<RowRevision> {
    const next: KeyRow = { ...row, state: 'decrypt-only', revision: row.revision + 1 }
    await this.#keys.rows.save(tx, next)
    return ['keys', next.id, next.revision]
  }
}
