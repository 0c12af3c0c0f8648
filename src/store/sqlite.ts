import { type FileHandle, open } from 'node:fs/promises'
import type { Db, Glance, Reader, Tx, TxAtOnce, WriteOptions } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'
import { Checkpoints } from './checkpoints.ts'
import { SqliteConnection } from './sqlite-connection.ts'
import { corruptFault, isBusy, unwritableFault } from './sqlite-faults.ts'
import { fileSize, prepareFile } from './sqlite-files.ts'
import { SqliteTx } from './sqlite-tx.ts'
import { Turns } from './turns.ts'

const DEADLINE_MS = 10_000
const MOST_BUSY_MS = 25
const WATCH_MS = 200
/** Readers at once; the rest wait their turn. A read may take as long as its caller's awaits. */
const READERS = 4
/** Above this, checking every page would be felt at each start. */
const CHECKED_BYTES = 64 * 1024 * 1024

export interface SqliteOptions {
  /** Path of the database file; it and its directory are made when missing. */
  readonly file: string
  /** Milliseconds that one call may block waiting for a lock, at most and by default 25. */
  readonly busyMs?: number
}

/**
 * Opens the embedded store. Several processes may have it open at once.
 *
 * @throws {Fault} `STORE_UNAVAILABLE` when it can't be used or others could read it, `STORE_CORRUPT`, `STORE_BUSY`
 * @see https://www.sqlite.org/wal.html
 */
export async function openSqlite(options: SqliteOptions): Promise<Db> {
  const file = prepareFile(options.file)
  const busyMs = Math.min(options.busyMs ?? MOST_BUSY_MS, MOST_BUSY_MS)
  const deadline = monotonicMs() + DEADLINE_MS
  const writer = await SqliteConnection.open(file, 'writer', busyMs, deadline)
  try {
    if (fileSize(file) <= CHECKED_BYTES) await requireSound(writer, file, deadline)
    // SQLite gave these the right mode; files left by something else may not have it.
    prepareFile(file)
  } catch (error) {
    writer.close()
    throw error
  }
  return new SqliteDb(writer, file, busyMs)
}

async function requireSound(
  connection: SqliteConnection,
  file: string,
  deadline: number,
): Promise<void> {
  let rows: unknown[] = []
  await connection.whenFree(deadline, () => {
    rows = connection.all('pragma quick_check(1)', [])
  })
  const first = rows[0] as { quick_check?: unknown } | undefined
  if (first?.quick_check !== 'ok') throw corruptFault(file)
}

class SqliteDb implements Db {
  readonly dialect = 'sqlite'
  readonly #writer: SqliteConnection
  readonly #file: string
  readonly #busyMs: number
  readonly #writing = new Turns(1)
  readonly #reading = new Turns(READERS)
  readonly #idleReaders: SqliteConnection[] = []
  readonly #listeners = new Set<() => void>()
  #poll: NodeJS.Timeout | undefined
  #seenVersion: unknown
  #log: Promise<FileHandle> | undefined
  #glance: Promise<SqliteConnection> | undefined
  readonly #checkpoints: Checkpoints
  /** Commits of this handle that are of interest to others. */
  #commits = 0
  #isClosed = false

  constructor(writer: SqliteConnection, file: string, busyMs: number) {
    this.#writer = writer
    this.#file = file
    this.#busyMs = busyMs
    this.#checkpoints = new Checkpoints(file, (pages) => writer.setCheckpointPages(pages))
  }

  async read<T>(work: (reader: Reader) => Promise<T>): Promise<T> {
    const deadline = monotonicMs() + DEADLINE_MS
    await this.#reading.take(deadline)
    let connection: SqliteConnection | undefined
    try {
      this.#requireOpen()
      connection =
        this.#idleReaders.pop() ??
        (await SqliteConnection.open(this.#file, 'reader', this.#busyMs, deadline))
      return await this.#readOn(connection, work, deadline)
    } finally {
      if (connection !== undefined) this.#putBack(connection)
      this.#reading.give()
    }
  }

  async write<T>(work: (tx: Tx) => Promise<T>, options: WriteOptions = {}): Promise<T> {
    const { deadlineMs = DEADLINE_MS, durability = 'now' } = options
    const deadline = monotonicMs() + deadlineMs
    await this.#writing.take(deadline)
    try {
      this.#requireOpen()
      await this.#writer.begin(deadline, durability)
      return await this.#writeOn(work, durability === 'now')
    } finally {
      this.#writing.give()
      this.#checkpoints.committed(durability)
    }
  }

  writeAtOnce<T extends object>(work: (tx: TxAtOnce) => T | null): T | null {
    if (this.#isClosed || !this.#writing.takeFree()) return null
    const writer = this.#writer
    try {
      if (!writer.beginAtOnce('soon')) return null
      try {
        const result = work(writer)
        if (result === null) writer.rollback()
        else {
          writer.commit()
          this.#checkpoints.committed('soon')
        }
        return result
      } catch (error) {
        writer.rollback()
        throw error
      }
    } finally {
      this.#writing.give()
    }
  }

  glance(): Promise<Glance> {
    this.#requireOpen()
    this.#glance ??= SqliteConnection.open(
      this.#file,
      'reader',
      this.#busyMs,
      monotonicMs() + DEADLINE_MS,
    ).catch((error: unknown) => {
      this.#glance = undefined
      throw error
    })
    return this.#glance
  }

  async settle(): Promise<void> {
    this.#requireOpen()
    try {
      // What is not in the log any more was on the disk before it left it. Nobody removes the log while we are here.
      this.#log ??= open(`${this.#file}-wal`, 'r+')
      await (await this.#log).datasync()
    } catch (error) {
      this.#log = undefined
      throw unwritableFault(this.#file, error)
    }
  }

  async scrub(): Promise<boolean> {
    await this.#writing.take(monotonicMs() + DEADLINE_MS)
    try {
      this.#requireOpen()
      const row = this.#writer.get('pragma wal_checkpoint(truncate)', []) as
        | { busy?: unknown }
        | undefined
      return row?.busy === 0
    } catch (error) {
      if (isBusy(error)) return false
      throw error
    } finally {
      this.#writing.give()
    }
  }

  watch(listener: () => void): () => void {
    this.#requireOpen()
    const own = (): void => listener()
    this.#listeners.add(own)
    if (this.#poll === undefined) {
      this.#seenVersion = this.#dataVersion()
      this.#poll = setInterval(() => this.#lookForChange(), WATCH_MS)
      this.#poll.unref()
    }
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size === 0) this.#stopPolling()
    }
  }

  changeMark(): unknown {
    const version = this.#dataVersion()
    return typeof version === 'number' ? `${this.#commits} ${version}` : Symbol('unknown')
  }

  endWithin(): void {
    // Nothing is waited for that is not in this process.
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    const deadline = monotonicMs() + DEADLINE_MS
    await this.#writing.take(deadline)
    try {
      this.#isClosed = true
      this.#listeners.clear()
      this.#stopPolling()
      await this.#checkpoints.close()
      for (const reader of this.#idleReaders.splice(0)) reader.close()
      await (await this.#log?.catch(() => undefined))?.close()
      ;(await this.#glance?.catch(() => undefined))?.close()
      this.#writer.close()
    } finally {
      this.#writing.give()
    }
  }

  async #writeOn<T>(work: (tx: Tx) => Promise<T>, isAnnounced: boolean): Promise<T> {
    const tx = new SqliteTx(this.#writer)
    try {
      const result = await work(tx)
      tx.requireSettled()
      tx.end()
      this.#writer.commit()
      if (isAnnounced) {
        this.#commits += 1
        for (const listener of this.#listeners) queueMicrotask(listener)
      }
      return result
    } catch (error) {
      tx.end()
      this.#writer.rollback()
      throw error
    }
  }

  async #readOn<T>(
    connection: SqliteConnection,
    work: (reader: Reader) => Promise<T>,
    deadline: number,
  ): Promise<T> {
    await connection.beginSnapshot(deadline)
    const reader = new SqliteTx(connection)
    try {
      return await work(reader)
    } finally {
      reader.end()
      connection.rollback()
    }
  }

  #putBack(connection: SqliteConnection): void {
    if (this.#isClosed || connection.isInTransaction) connection.close()
    else this.#idleReaders.push(connection)
  }

  #lookForChange(): void {
    const version = this.#dataVersion()
    if (version === undefined || version === this.#seenVersion) return
    this.#seenVersion = version
    for (const listener of this.#listeners) listener()
  }

  /** Changes when another connection commits, not for commits of this one. Undefined when it could not be read now. */
  #dataVersion(): unknown {
    try {
      return (this.#writer.get('pragma data_version', []) as { data_version: unknown }).data_version
    } catch {
      return undefined
    }
  }

  #stopPolling(): void {
    clearInterval(this.#poll)
    this.#poll = undefined
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new Fault('STORE_UNAVAILABLE', 'The store is closed.')
  }
}
