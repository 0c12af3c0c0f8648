import { randomBytes } from 'node:crypto'
import { changeLane, type Lane, type Ledger } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'

/** What a store knows of counters that stand apart from it. */
export interface CounterMark {
  readonly marker: string
  /** So many changes were made there, at least. */
  readonly changes: number
}

/** Puts a marker there. @returns what is there then */
type Put = (marker: string) => Promise<CounterMark>

/** The mark of counters that stand apart from the store: what has to be there as long as nothing was lost. */
export class CounterMarks {
  readonly #db: Db
  readonly #ledger: Ledger
  readonly #beginning: Lane<Put, CounterMark>
  readonly #accepting: Lane<Accepting, CounterMark>

  constructor({ db, ledger, clock }: { db: Db; ledger: Ledger; clock: Clock }) {
    this.#db = db
    this.#ledger = ledger
    this.#beginning = changeLane('counters.begin', async (tx, put: Put) => {
      const known = await lockedMark(tx)
      if (known !== null) return { value: known, record: null }
      const mark = await put(newMarker())
      await tx.run(
        'insert into counter_marks (id, marker, changes, changed_at) values (1, ?, ?, ?)',
        [mark.marker, mark.changes, clock()],
      )
      return { value: mark, record: { kind: 'event', action: 'counters.begin', caller: null } }
    })
    this.#accepting = changeLane(
      'counters.accept',
      async (tx, { caller, found, put }: Accepting) => {
        const known = await lockedMark(tx)
        const there = await found()
        if (known === null || (there?.marker === known.marker && there.changes >= known.changes))
          throw new Fault('CONFLICT', 'Nothing of what was counted is known to be lost.', {
            details: { remedy: 'look at sallyport status' },
          })
        const mark = await put(newMarker())
        await tx.run(
          'update counter_marks set marker = ?, changes = ?, changed_at = ? where id = 1',
          [mark.marker, mark.changes, clock()],
        )
        const detail = { known: known.changes, found: there?.changes ?? 0 }
        return {
          value: mark,
          record: { kind: 'event', action: 'counters.accept', caller, detail },
        }
      },
    )
  }

  read(): Promise<CounterMark | null> {
    return this.#db.read(readMark)
  }

  /** Writes down that counting begins; the first of several processes does. */
  async begin(put: Put): Promise<CounterMark> {
    return (await this.#ledger.commit(this.#beginning, put)).value
  }

  /**
   * Takes what is there as what was counted, after some of it was lost.
   *
   * @throws {Fault} `CONFLICT` when nothing was
   */
  async accept(
    caller: Caller,
    { found, put }: { readonly found: () => Promise<CounterMark | null>; readonly put: Put },
  ): Promise<CounterMark> {
    return (await this.#ledger.commit(this.#accepting, { caller, found, put })).value
  }

  /** Writes down how many changes were seen there. It may be lost with the power. */
  async saw({ marker, changes }: CounterMark): Promise<void> {
    await this.#db.write(
      (tx) =>
        tx.run('update counter_marks set changes = ? where marker = ? and changes < ?', [
          changes,
          marker,
          changes,
        ]),
      { durability: 'soon' },
    )
  }
}

interface Accepting {
  readonly caller: Caller
  readonly found: () => Promise<CounterMark | null>
  readonly put: Put
}

const MARK = 'select marker, changes from counter_marks where id = 1'

async function readMark(reader: Reader): Promise<CounterMark | null> {
  return markOf(await reader.get<CounterMark>(MARK))
}

async function lockedMark(tx: Tx): Promise<CounterMark | null> {
  return markOf(await tx.get<CounterMark>(`${MARK} /*lock*/`))
}

function markOf(row: CounterMark | undefined): CounterMark | null {
  return row === undefined ? null : { marker: row.marker, changes: row.changes }
}

function newMarker(): string {
  return randomBytes(12).toString('base64url')
}
