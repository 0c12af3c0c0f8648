import { createHash } from 'node:crypto'
import { Writable } from 'node:stream'
import type { ClientBase, QueryArrayResult } from 'pg'
import type { SqlValue, Tx } from '../core/db-port.ts'
import { countPlaceholders, toPostgres } from './placeholders.ts'
import { requirePortable } from './portable.ts'
import { isRetriable, postgresFault } from './postgres-faults.ts'
import { toRows } from './postgres-rows.ts'

/** SQL texts that the server keeps prepared per connection; texts beyond are sent in full each time. */
const PREPARED = 400

const NOTHING: readonly SqlValue[] = []

interface Statement {
  readonly name: string | undefined
  readonly text: string
  readonly parameters: number
}

const statements = new Map<string, Statement>()

function statementOf(sql: string): Statement {
  const known = statements.get(sql)
  if (known !== undefined) return known
  const text = toPostgres(sql)
  const isNamed = statements.size < PREPARED
  const name = isNamed
    ? `sp_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
    : undefined
  const statement: Statement = { name, text, parameters: countPlaceholders(sql) }
  if (isNamed) statements.set(sql, statement)
  return statement
}

/**
 * One transaction on one connection. Statements are sent without waiting for the answers before them, so what the
 * caller does not await costs no round trip. A statement that failed ends the transaction, or the innermost savepoint
 * around it: until that is rolled back every further statement fails with the first error.
 */
export class PostgresTx implements Tx {
  readonly dialect = 'postgres'
  readonly #client: ClientBase
  readonly #where: string
  #isOver = false
  #failure: unknown
  #epoch = 0
  #depth = 0
  #mayRetry = false
  #isHolding = false

  constructor(client: ClientBase, where: string) {
    this.#client = client
    this.#where = where
  }

  /** True when a neighbour made it fail: a deadlock, a serialisation failure or one that did not wait any longer. */
  get mayRetry(): boolean {
    return this.#mayRetry
  }

  async all<R extends object>(sql: string, params: readonly SqlValue[] = NOTHING): Promise<R[]> {
    const result = await this.#send(sql, params)
    return toRows(result.fields, result.rows) as R[]
  }

  async get<R extends object>(
    sql: string,
    params: readonly SqlValue[] = NOTHING,
  ): Promise<R | undefined> {
    const result = await this.#send(sql, params)
    return toRows(result.fields, result.rows.slice(0, 1))[0] as R | undefined
  }

  async run(sql: string, params: readonly SqlValue[] = NOTHING): Promise<number> {
    return (await this.#send(sql, params)).rowCount ?? 0
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    this.#requireAlive()
    const depth = this.#depth + 1
    this.#depth = depth
    this.control(`savepoint s${depth}`)
    try {
      const result = await work()
      if (this.#depth !== depth) throw new Error('savepoints of one transaction must not overlap')
      this.#requireAlive()
      this.control(`release s${depth}`)
      this.#depth = depth - 1
      return result
    } catch (error) {
      if (this.#isOver || this.#depth !== depth) throw error
      // Answers that are still on their way belong to what is undone here.
      this.#epoch += 1
      this.#failure = undefined
      this.control(`rollback to s${depth}; release s${depth}`)
      this.#depth = depth - 1
      throw error
    }
  }

  /**
   * Holds the socket until the caller waits for an answer: what was sent up to then leaves in one packet. On a loopback
   * connection a packet costs the sender more than a statement does.
   */
  #hold(): void {
    if (this.#isHolding) return
    const stream = streamOf(this.#client)
    if (stream === undefined) return
    this.#isHolding = true
    stream.cork()
    process.nextTick(() => {
      this.#isHolding = false
      stream.uncork()
    })
  }

  /** Sends a statement of transaction control without waiting; its failure is the transaction's. */
  control(sql: string): void {
    const epoch = this.#epoch
    this.#hold()
    this.#client.query(sql).catch((error: unknown) => this.#failed(error, epoch))
  }

  /** @throws what made a statement fail, when the caller swallowed it: such a transaction must not look committed */
  requireSettled(): void {
    this.#requireAlive()
    if (this.#depth !== 0) throw new Error('a savepoint was still open when its transaction ended')
  }

  /** @throws {Fault} `STORE_UNAVAILABLE` when the connection was lost: then nobody knows whether it was committed */
  async commit(): Promise<void> {
    const epoch = this.#epoch
    this.end()
    let command: string
    this.#hold()
    try {
      command = (await this.#client.query('commit')).command
    } catch (error) {
      throw this.#failed(error, epoch)
    }
    // Of a transaction that has failed COMMIT makes a rollback, and says so only by its tag.
    if (command !== 'COMMIT')
      throw this.#failure ?? new Error(`the transaction ended with ${command}`)
  }

  end(): void {
    this.#isOver = true
  }

  async #send(sql: string, params: readonly SqlValue[]): Promise<QueryArrayResult<SqlValue[]>> {
    this.#requireAlive()
    const epoch = this.#epoch
    try {
      const { name, text, parameters } = statementOf(sql)
      requirePortable(params, parameters)
      this.#hold()
      const query = { text, values: [...params], rowMode: 'array' as const }
      return await this.#client.query<SqlValue[]>(name === undefined ? query : { ...query, name })
    } catch (error) {
      throw this.#failed(error, epoch)
    }
  }

  #failed(error: unknown, epoch: number): unknown {
    const fault = postgresFault(error, this.#where)
    if (isRetriable(error)) this.#mayRetry = true
    if (epoch === this.#epoch) this.#failure ??= fault
    return fault
  }

  #requireAlive(): void {
    if (this.#isOver) throw new Error('the transaction is over')
    if (this.#failure !== undefined) throw this.#failure
  }
}

/** The socket under a client, which its types do not name. */
function streamOf(client: ClientBase): Writable | undefined {
  const { connection } = client as { connection?: { stream?: unknown } }
  return connection?.stream instanceof Writable ? connection.stream : undefined
}
