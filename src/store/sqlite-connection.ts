import { platform } from 'node:os'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Durability, Glance, Row as PortRow, SqlValue, TxAtOnce } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import { countPlaceholders } from './placeholders.ts'
import { requirePortable } from './portable.ts'
import { isBusy, sqliteFault } from './sqlite-faults.ts'

/** Different SQL texts kept compiled per connection. */
const STATEMENTS = 256

/** As long as a few transactions of another process. */
const EAGER_MS = 4
const RETRY_FIRST_MS = 0.5
const RETRY_MOST_MS = 20

interface Compiled {
  readonly statement: StatementSync
  readonly parameters: number
  /** Names of the result's columns, once there was a result. */
  columns: readonly string[]
}

const NO_COLUMNS: readonly string[] = []

/**
 * A row without a prototype's members, so that no column name is special. All rows of a statement get their columns in
 * the same order and so share a shape; the objects that node:sqlite makes do not, and cost twice as much.
 */
class Row {
  [column: string]: unknown
}
Object.setPrototypeOf(Row.prototype, null)
Reflect.deleteProperty(Row.prototype, 'constructor')

/** One connection with the durability that an acknowledged write depends on, and its compiled statements. */
export class SqliteConnection implements TxAtOnce, Glance {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Compiled>()
  readonly #file: string

  readonly #busyMs: number
  #waitsMs: number
  #durability: Durability = 'now'

  private constructor(database: DatabaseSync, file: string, busyMs: number) {
    this.#database = database
    this.#file = file
    this.#busyMs = busyMs
    this.#waitsMs = busyMs
  }

  /**
   * @param busyMs how long one call may block the event loop waiting for a lock
   * @param deadline monotonic milliseconds
   * @throws {Fault} `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_BUSY`
   */
  static async open(
    file: string,
    role: 'writer' | 'reader',
    busyMs: number,
    deadline: number,
  ): Promise<SqliteConnection> {
    let database: DatabaseSync
    try {
      database = new DatabaseSync(file, { timeout: busyMs })
    } catch (error) {
      throw sqliteFault(error, file)
    }
    const connection = new SqliteConnection(database, file, busyMs)
    try {
      await connection.whenFree(deadline, () => connection.#configure(role))
      connection.#requireDurable()
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction
  }

  /** @throws {Fault} see `sqliteFault` */
  all<R extends object = PortRow>(sql: string, params: readonly SqlValue[]): R[] {
    const compiled = this.#compiled(sql)
    requirePortable(params, compiled.parameters)
    try {
      const rows = compiled.statement.all(...params) as unknown as unknown[][]
      return rows.map((values) => rowOf(compiled, values) as R)
    } catch (error) {
      throw sqliteFault(error, this.#file)
    }
  }

  get<R extends object = PortRow>(sql: string, params: readonly SqlValue[]): R | undefined {
    const compiled = this.#compiled(sql)
    requirePortable(params, compiled.parameters)
    try {
      const values = compiled.statement.get(...params) as unknown[] | undefined
      return values === undefined ? undefined : (rowOf(compiled, values) as R)
    } catch (error) {
      throw sqliteFault(error, this.#file)
    }
  }

  run(sql: string, params: readonly SqlValue[]): number {
    const { statement, parameters } = this.#compiled(sql)
    requirePortable(params, parameters)
    try {
      return Number(statement.run(...params).changes)
    } catch (error) {
      throw sqliteFault(error, this.#file)
    }
  }

  /** Savepoints: no parameters, no result. */
  control(sql: string): void {
    try {
      this.#compiled(sql).statement.run()
    } catch (error) {
      throw sqliteFault(error, this.#file)
    }
  }

  /**
   * Starts a write transaction: one at a time over all processes. A transaction takes about a millisecond, and SQLite's
   * own waiting sleeps that long at a time: so the lock is asked for at every turn of the event loop first.
   *
   * @throws {Fault} `STORE_BUSY` after the deadline
   */
  async begin(deadline: number, durability: Durability): Promise<void> {
    this.#setDurability(durability)
    this.#setBusy(0)
    const until = Math.min(deadline, monotonicMs() + EAGER_MS)
    do {
      try {
        this.control('begin immediate')
        return
      } catch (error) {
        if (!isBusy(error)) throw error
      }
      await new Promise((resolve) => setImmediate(resolve))
    } while (monotonicMs() < until)
    this.#setBusy(this.#busyMs)
    await this.whenFree(deadline, () => this.control('begin immediate'))
  }

  /** @returns false when somebody else is writing */
  beginAtOnce(durability: Durability): boolean {
    this.#setDurability(durability)
    this.#setBusy(0)
    try {
      this.control('begin immediate')
      return true
    } catch (error) {
      if (isBusy(error)) return false
      throw error
    }
  }

  /** Whether a commit waits for the disk from now on: of the log, which holds all commits in their order. */
  #setDurability(durability: Durability): void {
    if (this.#durability === durability) return
    this.#database.exec(`pragma synchronous = ${durability === 'now' ? 'full' : 'normal'}`)
    this.#durability = durability
    if (durability === 'now') this.#requireDurable()
  }

  /** How long SQLite itself waits for a lock from now on. */
  #setBusy(ms: number): void {
    if (this.#waitsMs === ms) return
    this.#database.exec(`pragma busy_timeout = ${ms}`)
    this.#waitsMs = ms
  }

  /** From how many pages in the log on a commit brings them into the database. */
  setCheckpointPages(pages: number): void {
    if (this.#database.isOpen) this.#database.exec(`pragma wal_autocheckpoint = ${pages}`)
  }

  /** Starts a read transaction whose snapshot is taken now, not at its first statement. */
  beginSnapshot(deadline: number): Promise<void> {
    return this.whenFree(deadline, () => {
      this.control('begin')
      try {
        this.get('select 1 from sqlite_schema', [])
      } catch (error) {
        this.rollback()
        throw error
      }
    })
  }

  snapshot<T>(work: () => T): T {
    this.control('begin')
    try {
      return work()
    } finally {
      this.rollback()
    }
  }

  commit(): void {
    this.control('commit')
  }

  /** Ends the transaction if SQLite has not done so by itself, as it does when the disk is full. */
  rollback(): void {
    if (this.#database.isTransaction) this.control('rollback')
  }

  /**
   * Tries until no other connection is in the way. Waiting yields to the event loop and is jittered, because a long
   * native wait blocks this process and starves the others.
   *
   * @throws {Fault} `STORE_BUSY` after the deadline
   */
  async whenFree(deadline: number, step: () => void): Promise<void> {
    let wait = RETRY_FIRST_MS
    for (;;) {
      try {
        step()
        return
      } catch (error) {
        if (!isBusy(error) || monotonicMs() + wait > deadline) throw sqliteFault(error, this.#file)
      }
      await sleep(wait * (0.5 + Math.random()))
      wait = Math.min(wait * 2, RETRY_MOST_MS)
    }
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #compiled(sql: string): Compiled {
    const known = this.#statements.get(sql)
    if (known === undefined) return this.#compile(sql)
    // Which was used last only matters when one must go.
    if (this.#statements.size >= STATEMENTS) {
      this.#statements.delete(sql)
      this.#statements.set(sql, known)
    }
    return known
  }

  #compile(sql: string): Compiled {
    let statement: StatementSync
    try {
      statement = this.#database.prepare(sql)
    } catch (error) {
      throw sqliteFault(error, this.#file)
    }
    if (this.#statements.size >= STATEMENTS)
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest)
        break
      }
    statement.setReturnArrays(true)
    const compiled: Compiled = {
      statement,
      parameters: countPlaceholders(sql),
      columns: NO_COLUMNS,
    }
    this.#statements.set(sql, compiled)
    return compiled
  }

  #configure(role: 'writer' | 'reader'): void {
    this.#database.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma foreign_keys = on;
      pragma secure_delete = on;
      pragma trusted_schema = off;
      pragma cell_size_check = on;
      pragma temp_store = memory;
      ${platform() === 'darwin' ? 'pragma fullfsync = on; pragma checkpoint_fullfsync = on;' : ''}
      ${role === 'reader' ? 'pragma query_only = on;' : ''}
    `)
  }

  /** What SQLite says it does, not what it was asked to: a setting that does not apply is silent. */
  #requireDurable(): void {
    const settings: (readonly [pragma: string, expected: string | number])[] = [
      ['journal_mode', 'wal'],
      ['synchronous', 2],
      ['foreign_keys', 1],
      ['secure_delete', 1],
    ]
    if (platform() === 'darwin') settings.push(['fullfsync', 1])
    for (const [pragma, expected] of settings) {
      const row = this.#database.prepare(`pragma ${pragma}`).get()
      const actual = row === undefined ? undefined : Object.values(row)[0]
      if (actual !== expected)
        throw new Fault(
          'STORE_UNAVAILABLE',
          `The store '${this.#file}' can't be made durable here: ${pragma} is ${String(actual)} instead of ${expected}. Keep it on a local disk.`,
          { details: { file: this.#file, setting: pragma } },
        )
    }
  }
}

function rowOf(compiled: Compiled, values: readonly unknown[]): Row {
  // A table that was altered has other columns than when the statement was compiled.
  if (compiled.columns.length !== values.length)
    compiled.columns = compiled.statement.columns().map(({ name }) => name)
  const row = new Row()
  let at = 0
  for (const column of compiled.columns) row[column] = values[at++]
  return row
}
