import type { Db, Reader } from '../core/db-port.ts'
import { ed25519Pair, publicPem } from '../crypto/index.ts'
import type { KeyRow, StoreKeys } from '../keys/index.ts'
import { changeLane } from './change-lane.ts'
import type { CheckpointKey } from './checkpoint.ts'
import type { Ledger } from './ledger.ts'

const PURPOSE = 'checkpoint-signing'

/**
 * The key that signs checkpoints, made when the first one is asked for. Its public half is what verifiers keep, so it
 * stays the same as long as the store does.
 */
export class CheckpointKeys {
  readonly #db: Db
  readonly #keys: StoreKeys
  readonly #ledger: Ledger
  #signing: CheckpointKey | null = null

  constructor(db: Db, keys: StoreKeys, ledger: Ledger) {
    this.#db = db
    this.#keys = keys
    this.#ledger = ledger
  }

  async signing(): Promise<CheckpointKey> {
    const found =
      this.#signing ??
      (await this.#db.read((reader) => this.#newest(reader))) ??
      (await this.#made())
    this.#signing = found
    return found
  }

  /** PEM blocks, the newest last. */
  async publicKeys(reader: Reader): Promise<string> {
    const rows = await this.#keys.rows.ofPurpose(reader, PURPOSE)
    const blocks: string[] = []
    for (const row of rows) blocks.push(publicPem((await this.#held(reader, row)).pair.publicKey))
    return blocks.join('')
  }

  async #newest(reader: Reader): Promise<CheckpointKey | null> {
    const row = (await this.#keys.rows.ofPurpose(reader, PURPOSE)).at(-1)
    return row === undefined ? null : this.#held(reader, row)
  }

  async #held(reader: Reader, row: KeyRow): Promise<CheckpointKey> {
    return { id: row.id, pair: ed25519Pair(await this.#keys.unwrap(reader, row)) }
  }

  async #made(): Promise<CheckpointKey> {
    const lane = changeLane<null, CheckpointKey>('audit.checkpoint-key', async (tx) => {
      // Of two processes that found none, the second finds the first one's.
      const other = await this.#newest(tx)
      if (other !== null) return { value: other, record: null }
      const { id, key, changed } = await this.#keys.add(tx, PURPOSE, null)
      return {
        value: { id, pair: ed25519Pair(key) },
        record: { kind: 'event', action: 'audit.checkpoint-key', caller: null, rows: [changed] },
      }
    })
    return (await this.#ledger.commit(lane, null)).value
  }
}
