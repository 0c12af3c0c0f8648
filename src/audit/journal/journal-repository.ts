import { allRows, changeRows, type Glance, type Reader, type Steps } from '../../core/db-port.ts'
import { Fault } from '../../core/faults.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { MacKey } from '../../crypto/index.ts'
import type { ChangedCounts, CountRow } from './counter-state.ts'

/** How far the journal is in the tree and the counters. One row. */
export interface JournalRow {
  readonly generation: number
  /** Of the file, random. */
  readonly id: string
  /** Everything before it is there. */
  readonly offset: number
  /** Time of the last charge before it. */
  readonly lastAt: EpochMs
}

interface JournalColumns {
  readonly generation: number
  readonly name: string
  readonly place: number
  readonly last_at: number
  readonly mac: Uint8Array
}

export function journalPath(base: string, generation: number, id: string): string {
  return `${base}.calls-${generation}-${id}`
}

const JOURNAL = 'select generation, name, place, last_at, mac from call_journal where id = 1'

/** @throws {Fault} `STORE_TAMPERED` */
function journalOf(key: MacKey, row: JournalColumns | undefined): JournalRow | null {
  if (row === undefined) return null
  const { generation, name: id, place: offset, last_at } = row
  const journal = { generation, id, offset, lastAt: epochMs(last_at) }
  if (!key.verify(message(journal), row.mac))
    throw new Fault('STORE_TAMPERED', 'The row of the call journal was changed outside Sallyport.')
  return journal
}

function message({ generation, id, offset, lastAt }: JournalRow): Buffer {
  return Buffer.from(`call-journal ${generation} ${id} ${offset} ${lastAt}`, 'utf8')
}

export function* readJournal(key: MacKey): Steps<JournalRow | null> {
  const [row] = yield* allRows<JournalColumns>(JOURNAL, [])
  return journalOf(key, row)
}

/** The file that the row names, whether or not it verifies; null where there is none yet. */
export async function namedJournal(
  reader: Reader,
  base: string,
): Promise<{ readonly path: string; readonly offset: number } | null> {
  const row = await reader.get<JournalColumns>(JOURNAL)
  if (row === undefined) return null
  return { path: journalPath(base, row.generation, row.name), offset: row.place }
}

/** As it stands in the row, even if that does not verify: the next one is another. */
export function* lastGeneration(): Steps<number> {
  const [row] = yield* allRows<JournalColumns>(JOURNAL, [])
  return row?.generation ?? 0
}

/** The row alone; for its snapshot together with the counters, see `journalWithCounts`. */
export function glanceAtJournal(key: MacKey, glance: Glance): JournalRow | null {
  return journalOf(key, glance.get<JournalColumns>(JOURNAL, []))
}

/** The row, and what was counted as of it. */
export function journalWithCounts(
  key: MacKey,
  glance: Glance,
): { readonly row: JournalRow; readonly counts: readonly CountRow[] } | null {
  return glance.snapshot(() => {
    const row = glanceAtJournal(key, glance)
    if (row === null) return null
    const counts = glance.all<CountRow>(
      'select counter, bucket, used, ends_at as "endsAt" from gateway_counters where ends_at > ?',
      [row.lastAt],
    )
    return { row, counts }
  })
}

export function* saveJournal(key: MacKey, row: JournalRow): Steps<void> {
  const { generation, id, offset, lastAt } = row
  yield* changeRows(
    `insert into call_journal (id, generation, name, place, last_at, mac) values (1, ?, ?, ?, ?, ?)
     on conflict (id) do update set generation = excluded.generation, name = excluded.name,
       place = excluded.place, last_at = excluded.last_at, mac = excluded.mac`,
    [generation, id, offset, lastAt, key.sign(message(row))],
  )
}

/** Makes the counters what they are as of the row that is saved with them. */
export function* saveCounts({ rows, endedBy }: ChangedCounts): Steps<void> {
  // First, because what was counted since by a clock that was put back may end before that.
  yield* changeRows('delete from gateway_counters where ends_at <= ?', [endedBy])
  for (const { counter, bucket, used, endsAt } of rows)
    yield* changeRows(
      `insert into gateway_counters (counter, bucket, used, ends_at) values (?, ?, ?, ?)
       on conflict (counter, bucket) do update set used = excluded.used, ends_at = excluded.ends_at`,
      [counter, bucket, used, endsAt],
    )
}

/** Calls whose end is not known yet: what is recorded of them, by where they stand in the journal. */
export function* savePlaces(places: Iterable<readonly [place: number, seq: number]>): Steps<void> {
  for (const [place, seq] of places)
    yield* changeRows(
      'insert into call_places (place, seq) values (?, ?) on conflict (place) do update set seq = excluded.seq',
      [place, seq],
    )
}

/** Their record. @param isOver whether nothing more is to come of the call */
export function* seqOfPlace(place: number, isOver: boolean): Steps<number | null> {
  const [row] = yield* allRows<{ seq: number }>('select seq from call_places where place = ?', [
    place,
  ])
  if (row !== undefined && isOver)
    yield* changeRows('delete from call_places where place = ?', [place])
  return row?.seq ?? null
}

/** Forgets calls of processes that ended before they did. */
export function* dropPlacesBefore(place: number): Steps<void> {
  yield* changeRows('delete from call_places where place < ?', [place])
}
