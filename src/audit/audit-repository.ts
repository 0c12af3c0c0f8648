import {
  changeRows,
  type Reader,
  type SqlValue,
  type Steps,
  type Tx,
  type TxAtOnce,
} from '../core/db-port.ts'
import type { KeyId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { RecordRef } from './lane.ts'

/** The tree as of the last committed record, and the epoch whose key authenticates new records. */
export interface TreeRow {
  readonly size: number
  readonly frontier: Uint8Array
  readonly epochKeyId: KeyId
  readonly epochStart: EpochMs
  /** Sequence number of the epoch's first record. */
  readonly epochFrom: number
}

interface TreeColumns {
  readonly size: number
  readonly frontier: Uint8Array
  readonly epoch_key_id: KeyId
  readonly epoch_start: EpochMs
  readonly epoch_from: number
}

export interface RecordRow {
  readonly seq: number
  readonly epochKeyId: KeyId
  readonly body: Uint8Array
  readonly mac: Uint8Array
}

interface RecordColumns {
  readonly seq: number
  readonly epoch_key_id: KeyId
  readonly body: Uint8Array
  readonly mac: Uint8Array
}

function treeOf(row: TreeColumns | undefined): TreeRow | null {
  if (row === undefined) return null
  return {
    size: row.size,
    frontier: row.frontier,
    epochKeyId: row.epoch_key_id,
    epochStart: row.epoch_start,
    epochFrom: row.epoch_from,
  }
}

const LOCKED_TREE = 'select * from audit_tree where id = 1 /*lock*/'

/** The tree, locked until the transaction ends: writers append one after another. */
export async function lockTree(tx: Tx): Promise<TreeRow | null> {
  const tree = await tx.get<TreeColumns>(LOCKED_TREE)
  if (tree !== undefined) return treeOf(tree)
  // Before the first record there is no row to lock; this one is always there.
  await tx.get('select id from rights where id = 1 /*lock*/')
  return treeOf(await tx.get<TreeColumns>(LOCKED_TREE))
}

/** Null before the first record. */
export function treeAtOnce(tx: TxAtOnce): TreeRow | null {
  return treeOf(tx.get<TreeColumns>(LOCKED_TREE, []))
}

export async function readTree(reader: Reader): Promise<TreeRow | null> {
  return treeOf(await reader.get<TreeColumns>('select * from audit_tree where id = 1'))
}

export async function saveTree(tx: Tx, tree: TreeRow): Promise<void> {
  await tx.run(
    `insert into audit_tree (id, size, frontier, epoch_key_id, epoch_start, epoch_from) values (1, ?, ?, ?, ?, ?)
     on conflict (id) do update set size = excluded.size, frontier = excluded.frontier,
       epoch_key_id = excluded.epoch_key_id, epoch_start = excluded.epoch_start, epoch_from = excluded.epoch_from`,
    [tree.size, tree.frontier, tree.epochKeyId, tree.epochStart, tree.epochFrom],
  )
}

/** Whether the store still has a record of this process. One in a file loses nothing that the process lives to ask for. */
export async function isRecorded(reader: Reader, { seq, mac }: RecordRef): Promise<boolean> {
  if (reader.dialect === 'sqlite') return true
  const row = await reader.get<Pick<RecordColumns, 'mac'>>(
    'select mac from audit_records where seq = ?',
    [seq],
  )
  return row !== undefined && Buffer.compare(row.mac, mac) === 0
}

/** Few statement shapes, so that they stay prepared: a batch is cut into at most one of each but the largest. */
const CHUNKS = [64, 32, 16, 8, 4, 2, 1] as const
const ROW = '(?, ?, ?, ?)'
const INSERT = 'insert into audit_records (seq, epoch_key_id, body, mac) values'
const INSERTS = new Map(
  CHUNKS.map((count) => [
    count,
    `${INSERT} ${Array.from({ length: count }, () => ROW).join(', ')}`,
  ]),
)

export async function insertRecords(tx: Tx, rows: readonly RecordRow[]): Promise<void> {
  const sent: Promise<number>[] = []
  for (const [sql, params] of insertsOf(rows)) sent.push(tx.run(sql, params))
  await Promise.all(sent)
}

/** Records behind the tree, and the tree with them. */
export function* appendRecords(tree: TreeRow, rows: readonly RecordRow[]): Steps<void> {
  for (const [sql, params] of insertsOf(rows)) yield* changeRows(sql, params)
  yield* changeRows('update audit_tree set size = ?, frontier = ? where id = 1', [
    tree.size,
    tree.frontier,
  ])
}

function* insertsOf(
  rows: readonly RecordRow[],
): Generator<readonly [sql: string, params: readonly SqlValue[]]> {
  let at = 0
  for (const chunk of CHUNKS) {
    const sql = INSERTS.get(chunk)
    if (sql === undefined) continue
    for (; rows.length - at >= chunk; at += chunk) {
      const params: SqlValue[] = []
      for (let i = at; i < at + chunk; i++) {
        const row = rows[i]
        if (row !== undefined) params.push(row.seq, row.epochKeyId, row.body, row.mac)
      }
      yield [sql, params]
    }
  }
}

function recordOf(row: RecordColumns): RecordRow {
  return { seq: row.seq, epochKeyId: row.epoch_key_id, body: row.body, mac: row.mac }
}

/** Records with `seq > after`, oldest first. */
export async function recordsAfter(
  reader: Reader,
  after: number,
  limit: number,
): Promise<readonly RecordRow[]> {
  const rows = await reader.all<RecordColumns>(
    'select seq, epoch_key_id, body, mac from audit_records where seq > ? order by seq limit ?',
    [after, limit],
  )
  return rows.map(recordOf)
}

/** Records with `seq < before`, newest first. */
export async function recordsBefore(
  reader: Reader,
  before: number,
  limit: number,
): Promise<readonly RecordRow[]> {
  const rows = await reader.all<RecordColumns>(
    'select seq, epoch_key_id, body, mac from audit_records where seq < ? order by seq desc limit ?',
    [before, limit],
  )
  return rows.map(recordOf)
}
