import { randomBytes } from 'node:crypto'
import { changeLane, type Ledger } from '../../audit/index.ts'
import type { Db, Reader, Tx } from '../../core/db-port.ts'
import { type KeyId, newId } from '../../core/ids.ts'
import { type Clock, type EpochMs, epochMs } from '../../core/time.ts'
import { newKeyBytes, open, type SealContext, seal } from '../../crypto/index.ts'
import type { HeldKey, StoreKeys } from '../../keys/index.ts'
import { packed, type RecordedEntry, unpacked } from './recorded-call.ts'
import {
  addBatch,
  addDay,
  type BatchPlace,
  type BatchRow,
  batchesAfter,
  type DayRow,
  dayOf,
  dropOver,
  isAnythingOver,
} from './recordings-repository.ts'

const DAY_MS = 86_400_000
const PURPOSE = 'recording'
const BATCH_UNITS = 1_048_576
/** Batches that are read at a time. */
const PAGE = 32

export interface RecordingsParts {
  readonly db: Db
  readonly keys: StoreKeys
  readonly ledger: Ledger
  readonly clock: Clock
}

/** An entry, ready to be written. */
export interface Line {
  readonly server: string
  readonly at: EpochMs
  readonly ends: EpochMs
  readonly text: string
}

/** An entry, and the process that wrote it. */
export interface ReadEntry {
  readonly run: string
  readonly entry: RecordedEntry
}

/**
 * Recorded calls in the store, sealed. What ends on one day is sealed under one key, which goes when the day is over:
 * then nothing opens what was sealed under it, wherever a copy of the bytes may be. The keys of days are wrapped by one
 * of the store's own, and they stand in no backup.
 */
export class Recordings {
  readonly #parts: RecordingsParts
  /** Names what this process writes. */
  readonly #run = randomBytes(12).toString('hex')
  readonly #days = new Map<number, HeldKey>()
  #seq = 0

  constructor(parts: RecordingsParts) {
    this.#parts = parts
  }

  /** @throws {Fault} when the store does not take them: then none of them is written */
  async add(lines: readonly Line[]): Promise<void> {
    const batches = [...Map.groupBy(lines, batchOf).values()].flatMap(parted)
    const wrapping = await this.#wrapping()
    // Numbers are given once: a transaction may be run again.
    const first = this.#seq
    this.#seq += batches.length
    await this.#parts.db.write(
      async (tx) => {
        for (const [at, batch] of batches.entries())
          await addBatch(tx, await this.#sealed(tx, wrapping, first + at, batch))
      },
      { durability: 'soon' },
    )
  }

  /**
   * What was recorded of calls and still counts, in the order in which it happened.
   *
   * @param server null: of all servers
   * @param onUnreadable told of what does not open any more
   */
  async *entries(
    look: { readonly server: string | null; readonly since: EpochMs },
    onUnreadable: () => void,
  ): AsyncGenerator<ReadEntry> {
    const now = this.#parts.clock()
    const held: ReadEntry[] = []
    let after: BatchPlace | null = null
    for (;;) {
      const page: readonly BatchRow[] = await this.#parts.db.read((reader) =>
        batchesAfter(reader, { ...look, now }, after, PAGE),
      )
      for (const row of page) {
        const entries = await this.#opened(row)
        if (entries === null) onUnreadable()
        else held.push(...entries.map((entry) => ({ run: row.run, entry })))
      }
      const last = page.at(-1)
      after = last ?? after
      held.sort((a, b) => a.entry.at - b.entry.at)
      // What is not read yet is not older than the first of its batch.
      const isDone = page.length < PAGE || last === undefined
      const until = isDone ? Number.POSITIVE_INFINITY : last.first_at
      const ready = held.findIndex(({ entry }) => entry.at >= until)
      for (const one of held.splice(0, ready === -1 ? held.length : ready))
        if (one.entry.ends > now && one.entry.at >= look.since) yield one
      if (isDone) return
    }
  }

  /** Removes what is over, and its keys for good. */
  async prune(): Promise<void> {
    const { db, clock } = this.#parts
    const now = clock()
    for (const day of this.#days.keys()) if (endOf(day) <= now) this.#days.delete(day)
    if (!(await db.read((reader) => isAnythingOver(reader, now)))) return
    await db.write((tx) => dropOver(tx, now))
    await db.scrub()
  }

  async #sealed(tx: Tx, wrapping: HeldKey, seq: number, lines: readonly Line[]): Promise<BatchRow> {
    const ends = epochMs(Math.max(...lines.map((line) => line.ends)))
    const row = {
      run: this.#run,
      seq,
      server: lines[0]?.server ?? '',
      day: dayAt(ends),
      first_at: epochMs(Math.min(...lines.map(({ at }) => at))),
      last_at: epochMs(Math.max(...lines.map(({ at }) => at))),
      ends_at: ends,
    }
    const { id, key } = await this.#dayKey(tx, wrapping, row.day)
    const bytes = packed(lines.map(({ text }) => text))
    return { ...row, sealed: seal(key, this.#batchContext(row, id), bytes) }
  }

  async #opened(row: BatchRow): Promise<readonly RecordedEntry[] | null> {
    const held =
      this.#days.get(row.day) ??
      (await this.#parts.db.read((reader) => this.#readDay(reader, row.day)))
    if (held === null) return null
    this.#days.set(row.day, held)
    return unpacked(open(held.key, this.#batchContext(row, held.id), row.sealed))
  }

  async #dayKey(tx: Tx, wrapping: HeldKey, day: number): Promise<HeldKey> {
    const known = this.#days.get(day) ?? (await this.#readDay(tx, day))
    if (known !== null) {
      this.#days.set(day, known)
      return known
    }
    const id = newId<KeyId>()
    const wrapped = seal(wrapping.key, this.#dayContext(day, id, wrapping.id), newKeyBytes())
    await addDay(tx, { day, key_id: id, wrapped_by: wrapping.id, wrapped, ends_at: endOf(day) })
    const added = await this.#readDay(tx, day)
    if (added === null) throw new TypeError('a day that was added is not there')
    return added
  }

  async #readDay(reader: Reader, day: number): Promise<HeldKey | null> {
    const row: DayRow | null = await dayOf(reader, day)
    if (row === null) return null
    const wrapping = await this.#parts.keys.byId(reader, row.wrapped_by)
    const context = this.#dayContext(day, row.key_id, row.wrapped_by)
    return { id: row.key_id, key: open(wrapping, context, row.wrapped) }
  }

  #dayContext(day: number, id: KeyId, keyId: KeyId): SealContext {
    const { storeId } = this.#parts.keys
    const subject = `day/${id}`
    return { purpose: PURPOSE, tenant: storeId, vault: null, subject, version: day, keyId }
  }

  #batchContext(row: Omit<BatchRow, 'sealed'>, keyId: KeyId): SealContext {
    const { run, seq, server, day, first_at: from, last_at: to, ends_at: ends } = row
    const subject = JSON.stringify([run, seq, server, from, to, ends])
    const { storeId } = this.#parts.keys
    return { purpose: PURPOSE, tenant: storeId, vault: null, subject, version: day, keyId }
  }

  /** The key that wraps those of days, made by the first call that is recorded. */
  async #wrapping(): Promise<HeldKey> {
    const { db, keys, ledger } = this.#parts
    const active = async (reader: Reader): Promise<HeldKey | null> => {
      const row = await keys.rows.active(reader, PURPOSE, null)
      return row && { id: row.id, key: await keys.unwrap(reader, row) }
    }
    const found = await db.read(active)
    if (found !== null) return found
    const lane = changeLane<null, HeldKey>('recording.key', async (tx) => {
      const other = await active(tx)
      if (other !== null) return { value: other, record: null }
      const { id, key, changed } = await keys.add(tx, PURPOSE, null)
      const record = {
        kind: 'event',
        action: 'recording.key',
        caller: null,
        rows: [changed],
      } as const
      return { value: { id, key }, record }
    })
    return (await ledger.commit(lane, null)).value
  }
}

/** What is over between two midnights in UTC is over with one of them. */
function dayAt(at: EpochMs): number {
  return Math.ceil(at / DAY_MS)
}

function endOf(day: number): EpochMs {
  return epochMs(day * DAY_MS)
}

/** Whoever reads holds a batch in memory. */
function parted(lines: readonly Line[]): readonly (readonly Line[])[] {
  const parts: Line[][] = []
  let units = Number.POSITIVE_INFINITY
  for (const line of lines) {
    if (units + line.text.length > BATCH_UNITS) {
      parts.push([])
      units = 0
    }
    parts.at(-1)?.push(line)
    units += line.text.length
  }
  return parts
}

function batchOf({ server, ends }: Line): string {
  return `${dayAt(ends)} ${server}`
}
