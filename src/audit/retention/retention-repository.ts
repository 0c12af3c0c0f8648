import type { Reader, SqlValue, Tx } from '../../core/db-port.ts'
import type { EpochMs } from '../../core/time.ts'
import type { RowMac } from '../../crypto/index.ts'
import { MacTable } from '../../keys/index.ts'

const HASH_BYTES = 32
/** Leaves of one row: 32 KiB, whether of SQLite's pages or PostgreSQL's. */
const CHUNK_LEAVES = 1_024

/** How long records are kept, and where those that were pruned end. One row; none before the first setting or prune. */
export interface RetentionRow {
  readonly id: 'all'
  /** Null: for ever. */
  readonly keep_ms: number | null
  /** How many records were pruned: those from 1 to this number. */
  readonly size: number
  /** Of the tree when it had that size. */
  readonly frontier: Uint8Array
  /** `vouchedDigest` of what the pruned records vouched for. */
  readonly vouched: Uint8Array
  readonly pruned_at: EpochMs | null
  readonly revision: number
}

export type RetentionTable = MacTable<RetentionRow>

export function retentionTable(mac: RowMac): RetentionTable {
  return new MacTable<RetentionRow>(
    mac,
    'audit_retention',
    ['id', 'keep_ms', 'size', 'frontier', 'vouched', 'pruned_at', 'revision'],
    ['id'],
  )
}

/** @throws {Fault} `STORE_TAMPERED` */
export function readRetention(table: RetentionTable, reader: Reader): Promise<RetentionRow | null> {
  return table.get(reader, "id = 'all'", [])
}

/** The hash of a record, which stays when the record itself is pruned. */
export interface Leaf {
  readonly seq: number
  readonly hash: Buffer
}

interface LeavesColumns {
  readonly first: number
  readonly last: number
  readonly hashes: Uint8Array
}

/** How many records have left nothing but their hashes, for all that is stored. */
export async function prunedSize(reader: Reader): Promise<number> {
  const row = await reader.get<{ readonly size: number | null }>(
    'select max(last) as size from audit_leaves',
  )
  return row?.size ?? 0
}

/** Hashes of pruned records with `seq > after`, oldest first; fewer than `limit` only at the end or where they break off. */
export async function prunedLeaves(
  reader: Reader,
  after: number,
  limit: number,
): Promise<readonly Leaf[]> {
  const leaves: Leaf[] = []
  let last = after
  while (leaves.length < limit) {
    const row = await reader.get<LeavesColumns>(
      'select first, last, hashes from audit_leaves where last > ? order by last limit 1',
      [last],
    )
    if (row === undefined || !isWhole(row) || row.first > last + 1) break
    const hashes = Buffer.from(row.hashes)
    for (let seq = last + 1; seq <= row.last && leaves.length < limit; seq++) {
      const at = (seq - row.first) * HASH_BYTES
      leaves.push({ seq, hash: hashes.subarray(at, at + HASH_BYTES) })
      last = seq
    }
  }
  return leaves
}

function isWhole({ first, last, hashes }: LeavesColumns): boolean {
  return first <= last && hashes.byteLength === (last - first + 1) * HASH_BYTES
}

/** @param leaves one after another without a gap */
export async function insertLeaves(tx: Tx, leaves: readonly Leaf[]): Promise<void> {
  for (let at = 0; at < leaves.length; at += CHUNK_LEAVES) {
    const chunk = leaves.slice(at, at + CHUNK_LEAVES)
    await tx.run('insert into audit_leaves (first, last, hashes) values (?, ?, ?)', [
      chunk[0]?.seq ?? 0,
      chunk.at(-1)?.seq ?? 0,
      Buffer.concat(chunk.map(({ hash }) => hash)),
    ])
  }
}

/** The newest revision of a row of the store that records vouch for, and when it was recorded. */
export interface Vouched {
  /** Null: the row is gone. */
  readonly revision: number | null
  readonly at: number
}

/** By `TABLE/ID`. */
export type VouchedRows = ReadonlyMap<string, Vouched>

/** What pruned records vouched for. Rows that they said were gone are left out: nothing vouches for those either. */
export async function readVouched(reader: Reader): Promise<Map<string, Vouched>> {
  const rows = await reader.all<{
    readonly place: string
    readonly revision: number
    readonly at: number
  }>('select place, revision, at from audit_vouched')
  return new Map(rows.map(({ place, revision, at }) => [place, { revision, at }]))
}

/** Rows in one statement. */
const VOUCHED_AT_ONCE = 64

export async function saveVouched(tx: Tx, changes: VouchedRows): Promise<void> {
  const there: SqlValue[][] = []
  const gone: string[] = []
  for (const [place, { revision, at }] of changes)
    if (revision === null) gone.push(place)
    else there.push([place, revision, at])
  for (let from = 0; from < there.length; from += VOUCHED_AT_ONCE) {
    const some = there.slice(from, from + VOUCHED_AT_ONCE)
    await tx.run(
      `insert into audit_vouched (place, revision, at) values ${some.map(() => '(?, ?, ?)').join(', ')}
       on conflict (place) do update set revision = excluded.revision, at = excluded.at`,
      some.flat(),
    )
  }
  for (let from = 0; from < gone.length; from += VOUCHED_AT_ONCE) {
    const some = gone.slice(from, from + VOUCHED_AT_ONCE)
    await tx.run(
      `delete from audit_vouched where place in (${some.map(() => '?').join(', ')})`,
      some,
    )
  }
}

/** Removes the records up to one. @returns how many there were */
export function deleteRecordsTo(tx: Tx, seq: number): Promise<number> {
  return tx.run('delete from audit_records where seq <= ?', [seq])
}

/** How many records stand where only hashes should be. */
export async function countRecordsTo(reader: Reader, seq: number): Promise<number> {
  const row = await reader.get<{ readonly count: number }>(
    'select count(*) as count from audit_records where seq <= ?',
    [seq],
  )
  return row?.count ?? 0
}
