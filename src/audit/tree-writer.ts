import type { Tx } from '../core/db-port.ts'
import type { KeyId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import { MacKey } from '../crypto/index.ts'
import type { ChangedRow, StoreKeys } from '../keys/index.ts'
import { insertRecords, type RecordRow, saveTree, type TreeRow } from './audit-repository.ts'
import { encodeRecord, type RecordDraft } from './record.ts'
import { Frontier, leafHash } from './tree.ts'

export const EPOCH_RECORDS = 1_000
const EPOCH_MS = 3_600_000

/** Appends records to the tree, each under the MAC of its epoch. Whoever calls holds the lock of the tree. */
export class TreeWriter {
  readonly #keys: StoreKeys
  readonly #macs = new Map<KeyId, MacKey>()

  constructor(keys: StoreKeys) {
    this.#keys = keys
  }

  /** Undefined when it has to be read first. */
  heldMac(id: KeyId): MacKey | undefined {
    return this.#macs.get(id)
  }

  async append(
    tx: Tx,
    tree: TreeRow,
    at: EpochMs,
    drafts: readonly RecordDraft[],
  ): Promise<{ readonly after: Buffer; readonly rows: readonly RecordRow[] }> {
    const mac = await this.mac(tx, tree.epochKeyId)
    const frontier = new Frontier(tree.size, tree.frontier)
    const rows = drafts.map((draft) => rowOf(frontier, tree.epochKeyId, mac, at, draft))
    const packed = frontier.pack()
    await Promise.all([
      insertRecords(tx, rows),
      saveTree(tx, { ...tree, size: frontier.size, frontier: packed }),
    ])
    return { after: packed, rows }
  }

  /** The tree with the epoch that new records belong to; a new epoch begins with a record of its key. */
  async epoch(
    tx: Tx,
    stored: TreeRow | null,
    at: EpochMs,
    drafts: RecordDraft[],
  ): Promise<TreeRow> {
    const size = stored?.size ?? 0
    if (stored !== null && !isEpochOver(stored, at)) return stored
    const key = await this.#keys.add(tx, 'audit-mac', null)
    // The epochs before are over; whoever reads them has their keys from the store.
    this.#macs.clear()
    this.#macs.set(key.id, new MacKey(key.key))
    drafts.push({
      kind: 'event',
      action: 'audit.epoch',
      caller: null,
      rows: [key.changed satisfies ChangedRow],
    })
    return {
      size,
      frontier: stored?.frontier ?? new Uint8Array(),
      epochKeyId: key.id,
      epochStart: at,
      epochFrom: size,
    }
  }

  async mac(tx: Tx, id: KeyId): Promise<MacKey> {
    const held = this.#macs.get(id)
    if (held !== undefined) return held
    const mac = new MacKey(await this.#keys.byId(tx, id))
    this.#macs.set(id, mac)
    return mac
  }
}

export function isEpochOver({ size, epochFrom, epochStart }: TreeRow, at: EpochMs): boolean {
  // A clock that was stepped back ends the epoch too: it must not last longer than it says.
  return size - epochFrom >= EPOCH_RECORDS || Math.abs(at - epochStart) >= EPOCH_MS
}

/** The record behind the frontier, which grows by it. */
export function rowOf(
  frontier: Frontier,
  epochKeyId: KeyId,
  mac: MacKey,
  at: EpochMs,
  draft: RecordDraft,
): RecordRow {
  return rowOfBody(frontier, epochKeyId, mac, encodeRecord(frontier.size + 1, at, draft))
}

/** @param body of the record behind the frontier, with its number in it */
export function rowOfBody(
  frontier: Frontier,
  epochKeyId: KeyId,
  mac: MacKey,
  body: Buffer,
): RecordRow {
  const seq = frontier.size + 1
  const leaf = leafHash(body)
  frontier.append(leaf)
  return { seq, epochKeyId, body, mac: mac.sign(recordMessage(seq, leaf)) }
}

/** What a record's MAC covers: its place, 64-bit big-endian, and the hash of its bytes. */
export function recordMessage(seq: number, leaf: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(8 + leaf.byteLength)
  message.writeUInt32BE(Math.floor(seq / 2 ** 32), 0)
  message.writeUInt32BE(seq % 2 ** 32, 4)
  message.set(leaf, 8)
  return message
}
