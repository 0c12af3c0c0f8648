import { statSync } from 'node:fs'
import type { CallJournal } from './journal/call-journal.ts'
import { namedJournal } from './journal/journal-repository.ts'
import type { CallJournalParts } from './journal/journal-start.ts'

/**
 * The journal of calls of a store, opened when somebody writes to it or an earlier process left something in it. Most
 * commands do neither.
 */
export class JournalDoor {
  readonly #parts: CallJournalParts
  #opened: Promise<CallJournal | null> | null = null

  constructor(parts: CallJournalParts) {
    this.#parts = parts
  }

  /** Null where the database is not in this process. */
  opened(): Promise<CallJournal | null> {
    this.#opened ??= import('./journal/call-journal.ts')
      .then(({ CallJournal }) => CallJournal.open(this.#parts))
      .catch((error: unknown) => {
        this.#opened = null
        throw error
      })
    return this.#opened
  }

  /** Has all that any process wrote so far taken into the audit. */
  async ingest(): Promise<void> {
    if (this.#opened === null && !(await this.#isAnythingLeft())) return
    await (await this.opened())?.ingest()
  }

  async close(): Promise<void> {
    await (await this.#opened?.catch(() => null))?.close()
  }

  async #isAnythingLeft(): Promise<boolean> {
    const { db, base } = this.#parts
    if (db.dialect !== 'sqlite') return false
    const named = await db.read((reader) => namedJournal(reader, base))
    if (named === null) return false
    const size = statSync(named.path, { throwIfNoEntry: false })?.size
    return size !== named.offset
  }
}
