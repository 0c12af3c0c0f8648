import type { SqlValue, Tx } from '../core/db-port.ts'
import type { SqliteConnection } from './sqlite-connection.ts'

const NOTHING: readonly SqlValue[] = []

/**
 * One transaction on one connection. As on Postgres, a statement that failed ends the transaction, or the innermost
 * savepoint around it: until that is rolled back every further statement fails with the first error.
 */
export class SqliteTx implements Tx {
  readonly dialect = 'sqlite'
  readonly #connection: SqliteConnection
  #isOver = false
  #failure: unknown
  #depth = 0

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  // Not async functions: they sit on the hot path, and a settled promise is all they need.
  all<R extends object>(sql: string, params: readonly SqlValue[] = NOTHING): Promise<R[]> {
    try {
      this.#requireAlive()
      return Promise.resolve(this.#connection.all<R>(sql, params))
    } catch (error) {
      return Promise.reject(this.#failed(error))
    }
  }

  get<R extends object>(
    sql: string,
    params: readonly SqlValue[] = NOTHING,
  ): Promise<R | undefined> {
    try {
      this.#requireAlive()
      return Promise.resolve(this.#connection.get<R>(sql, params))
    } catch (error) {
      return Promise.reject(this.#failed(error))
    }
  }

  run(sql: string, params: readonly SqlValue[] = NOTHING): Promise<number> {
    try {
      this.#requireAlive()
      return Promise.resolve(this.#connection.run(sql, params))
    } catch (error) {
      return Promise.reject(this.#failed(error))
    }
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    this.#requireAlive()
    const depth = this.#depth + 1
    this.#depth = depth
    this.#connection.control(`savepoint s${depth}`)
    try {
      const result = await work()
      if (this.#depth !== depth) throw new Error('savepoints of one transaction must not overlap')
      this.#requireAlive()
      this.#connection.control(`release s${depth}`)
      this.#depth = depth - 1
      return result
    } catch (error) {
      // A full disk makes SQLite end the whole transaction by itself; nothing is left to go back to.
      if (this.#isOver || this.#depth !== depth || !this.#connection.isInTransaction) throw error
      this.#connection.control(`rollback to s${depth}`)
      this.#connection.control(`release s${depth}`)
      this.#depth = depth - 1
      this.#failure = undefined
      throw error
    }
  }

  /** @throws what made a statement fail, when the caller swallowed it: such a transaction must not look committed */
  requireSettled(): void {
    this.#requireAlive()
    if (this.#depth !== 0) throw new Error('a savepoint was still open when its transaction ended')
  }

  /** From here on this object is of no use: it must not reach into the next transaction. */
  end(): void {
    this.#isOver = true
  }

  #requireAlive(): void {
    if (this.#isOver) throw new Error('the transaction is over')
    if (this.#failure !== undefined) throw this.#failure
  }

  #failed(error: unknown): unknown {
    this.#failure ??= error
    return error
  }
}
