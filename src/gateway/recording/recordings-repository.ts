import type { Reader, Tx } from '../../core/db-port.ts'
import type { KeyId } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'

/** The key of one day, wrapped: of everything that is kept until that day is over. */
export interface DayRow {
  readonly day: number
  readonly key_id: KeyId
  /** The key of the store that wraps it. */
  readonly wrapped_by: KeyId
  readonly wrapped: Uint8Array
  readonly ends_at: EpochMs
}

/** Calls that were written together: those of one process, of one server, that end on one day. */
export interface BatchRow {
  /** Of the process that wrote it. */
  readonly run: string
  readonly seq: number
  readonly server: string
  readonly day: number
  readonly first_at: EpochMs
  readonly last_at: EpochMs
  readonly ends_at: EpochMs
  readonly sealed: Uint8Array
}

export async function dayOf(reader: Reader, day: number): Promise<DayRow | null> {
  return (await reader.get<DayRow>('select * from recorded_days where day = ?', [day])) ?? null
}

/** Of two processes that add a day, the second finds that of the first. */
export async function addDay(tx: Tx, row: DayRow): Promise<void> {
  const { day, key_id, wrapped_by, wrapped, ends_at } = row
  await tx.run(
    `insert into recorded_days (day, key_id, wrapped_by, wrapped, ends_at) values (?, ?, ?, ?, ?)
     on conflict (day) do nothing`,
    [day, key_id, wrapped_by, wrapped, ends_at],
  )
}

export async function addBatch(tx: Tx, row: BatchRow): Promise<void> {
  const { run, seq, server, day, first_at, last_at, ends_at, sealed } = row
  await tx.run(
    `insert into recorded_calls (run, seq, server, day, first_at, last_at, ends_at, sealed)
     values (?, ?, ?, ?, ?, ?, ?, ?)`,
    [run, seq, server, day, first_at, last_at, ends_at, sealed],
  )
}

/** Behind which batch the next ones are read. */
export type BatchPlace = Pick<BatchRow, 'first_at' | 'run' | 'seq'>

/** Batches that still count, the oldest first. @param server null: of all servers */
export function batchesAfter(
  reader: Reader,
  look: { readonly server: string | null; readonly since: EpochMs; readonly now: EpochMs },
  after: BatchPlace | null,
  most: number,
): Promise<readonly BatchRow[]> {
  const { server, since, now } = look
  return reader.all<BatchRow>(
    `select * from recorded_calls where ends_at > ? and last_at >= ?
     ${server === null ? '' : 'and server = ?'}
     ${after === null ? '' : 'and (first_at, run, seq) > (?, ?, ?)'}
     order by first_at, run, seq limit ${most}`,
    [
      now,
      since,
      ...(server === null ? [] : [server]),
      ...(after === null ? [] : [after.first_at, after.run, after.seq]),
    ],
  )
}

export async function isAnythingOver(reader: Reader, now: EpochMs): Promise<boolean> {
  for (const table of ['recorded_calls', 'recorded_days'])
    if ((await reader.all(`select 1 from ${table} where ends_at <= ? limit 1`, [now])).length > 0)
      return true
  return false
}

/** Removes what is over, and the keys of days that are. @returns how many rows went */
export async function dropOver(tx: Tx, now: EpochMs): Promise<number> {
  const calls = await tx.run('delete from recorded_calls where ends_at <= ?', [now])
  return calls + (await tx.run('delete from recorded_days where ends_at <= ?', [now]))
}
