import type { Pool, PoolClient } from 'pg'
import type { Db, Reader, Tx, WriteOptions } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import { isRetriable, postgresFault } from './postgres-faults.ts'
import { rowTypes } from './postgres-rows.ts'
import { PostgresSockets } from './postgres-sockets.ts'
import { PostgresTx } from './postgres-tx.ts'
import { CHANNEL, PostgresWatch } from './postgres-watch.ts'
import { Turns } from './turns.ts'

const DEADLINE_MS = 10_000
const CONNECTIONS = 8
/** A process that was stopped in the middle of a write is given up while those who wait for its locks still do. */
const PATIENCE = 1 / 3
/** Reads, and writes that say that they may pause. */
const PAUSE_MS = 60_000
/** Either end of a connection asks whether the other one is still there; by themselves they do after two hours. */
const KEEP_ALIVE_MS = 5_000
const KEEP_ALIVE_OF_SERVER =
  'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 5; set tcp_user_timeout = 10000'
/** Connections are said goodbye to; a server that does not hear it is not waited for. */
const GOODBYE_MS = 2_000
const RETRY_FIRST_MS = 2
const RETRY_MOST_MS = 50

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; TLS as its `sslmode` says. */
  readonly url: string
}

/**
 * Opens a store in PostgreSQL 13 or newer. `pg` is loaded only here.
 *
 * A write whose work fails because of a deadlock or a serialisation failure is run again until the deadline, so work
 * must not have effects outside of its transaction. So is one that the server ended because it was idle for a third of
 * its deadline: whoever waits for its locks as long can go on. When the connection is lost during the commit the answer
 * is `STORE_UNAVAILABLE`, and the write may or may not have happened.
 *
 * @throws {Fault} `STORE_UNAVAILABLE` when it can't be reached or is set up to lose acknowledged writes
 */
export async function openPostgres(options: PostgresOptions): Promise<Db> {
  const where = withoutPassword(options.url)
  const { Client, Pool } = await import('pg')
  const sockets = new PostgresSockets()
  const config = {
    connectionString: options.url,
    connectionTimeoutMillis: DEADLINE_MS,
    application_name: 'sallyport',
    statement_timeout: 30_000,
    lock_timeout: DEADLINE_MS,
    idle_in_transaction_session_timeout: PAUSE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    pipeline: true,
    types: rowTypes,
    stream: () => sockets.made(),
  }
  const pool = new Pool({ ...config, max: CONNECTIONS, allowExitOnIdle: true })
  // A connection that dies while idle is replaced; without a listener it would end the process.
  pool.on('error', () => {})
  const watch = new PostgresWatch(() => new Client(config))
  const db = new PostgresDb(pool, watch, sockets, where)
  try {
    await db.read((reader) => reader.get('select 1 as one'))
  } catch (error) {
    await db.close()
    throw error
  }
  return db
}

class PostgresDb implements Db {
  readonly dialect = 'postgres'
  readonly #pool: Pool
  readonly #watch: PostgresWatch
  readonly #sockets: PostgresSockets
  readonly #where: string
  readonly #turns = new Turns(CONNECTIONS)
  readonly #durable = new WeakSet<PoolClient>()
  /** Why a connection ended. */
  readonly #dead = new WeakMap<PoolClient, unknown>()
  readonly #id = newId<string>()
  /** Gives up whatever still waits. */
  #late: NodeJS.Timeout | undefined
  #isClosed = false
  #isGivenUp = false

  constructor(pool: Pool, watch: PostgresWatch, sockets: PostgresSockets, where: string) {
    this.#pool = pool
    this.#watch = watch
    this.#sockets = sockets
    this.#where = where
  }

  read<T>(work: (reader: Reader) => Promise<T>): Promise<T> {
    const deadline = monotonicMs() + DEADLINE_MS
    return this.#onConnection(deadline, async (client) => {
      const tx = new PostgresTx(client, this.#where)
      tx.control('begin isolation level repeatable read read only')
      try {
        return await work(tx)
      } finally {
        tx.end()
        await rollback(client)
      }
    })
  }

  async write<T>(work: (tx: Tx) => Promise<T>, options: WriteOptions = {}): Promise<T> {
    const deadline = monotonicMs() + (options.deadlineMs ?? DEADLINE_MS)
    for (let wait = RETRY_FIRST_MS; ; wait = Math.min(wait * 2, RETRY_MOST_MS)) {
      const outcome = await this.#onConnection(deadline, (client) =>
        this.#writeOn(client, work, deadline, options),
      )
      if ('result' in outcome) {
        if (options.durability !== 'soon') this.#watch.announce()
        return outcome.result
      }
      if (monotonicMs() + wait > deadline) throw outcome.error
      await sleep(wait * (0.5 + Math.random()))
    }
  }

  writeAtOnce(): null {
    return null
  }

  glance(): Promise<null> {
    return Promise.resolve(null)
  }

  /** Every commit waits for the disk. */
  async settle(): Promise<void> {
    this.#requireOpen()
  }

  scrub(): Promise<boolean> {
    return Promise.resolve(false)
  }

  watch(listener: () => void): () => void {
    this.#requireOpen()
    return this.#watch.add(listener, this.#id)
  }

  changeMark(): unknown {
    return Symbol('unknown')
  }

  endWithin(ms: number): void {
    clearTimeout(this.#late)
    this.#late = setTimeout(() => {
      this.#isGivenUp = true
      void this.#watch.close()
      this.#sockets.destroy()
    }, ms)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.endWithin(GOODBYE_MS)
    await this.#watch.close()
    await this.#pool.end()
    // What is left of them must not keep the process, nor must this.
    this.#late?.unref()
  }

  async #writeOn<T>(
    client: PoolClient,
    work: (tx: Tx) => Promise<T>,
    deadline: number,
    { deadlineMs = DEADLINE_MS, durability, mayPause = false }: WriteOptions,
  ): Promise<{ readonly result: T } | { readonly error: unknown }> {
    const tx = new PostgresTx(client, this.#where)
    const lockMs = Math.max(1, Math.ceil(deadline - monotonicMs()))
    const idleMs = mayPause ? PAUSE_MS : Math.ceil(deadlineMs * PATIENCE)
    tx.control(
      `begin; set local lock_timeout = ${lockMs}; set local idle_in_transaction_session_timeout = ${idleMs}`,
    )
    try {
      const result = await work(tx)
      tx.requireSettled()
      if (durability !== 'soon') tx.control(`notify ${CHANNEL}, '${this.#id}'`)
      await tx.commit()
      return { result }
    } catch (error) {
      tx.end()
      await rollback(client)
      if (tx.mayRetry || isRetriable(this.#dead.get(client))) return { error }
      throw error
    }
  }

  /** Runs `step` on a connection of its own, and gives the connection up when it ended in an unknown state. */
  async #onConnection<T>(deadline: number, step: (client: PoolClient) => Promise<T>): Promise<T> {
    await this.#turns.take(deadline)
    let client: PoolClient | undefined
    try {
      this.#requireOpen()
      client = await this.#connect()
      return await step(client)
    } finally {
      client?.release(client.getTransactionStatus() !== 'I' || this.#dead.has(client))
      this.#turns.give()
    }
  }

  async #connect(): Promise<PoolClient> {
    try {
      const client = await this.#pool.connect()
      if (this.#durable.has(client)) return client
      // Its statements fail by themselves; the event alone would end the process.
      client.on('error', (error) => {
        if (!this.#dead.has(client)) this.#dead.set(client, error)
      })
      try {
        await Promise.all([client.query(KEEP_ALIVE_OF_SERVER), this.#requireDurable(client)])
      } catch (error) {
        client.release(true)
        throw error
      }
      this.#durable.add(client)
      return client
    } catch (error) {
      throw postgresFault(error, this.#where)
    }
  }

  /** An acknowledged write must survive a power cut; `synchronous_commit` can differ per role and database. */
  async #requireDurable(client: PoolClient): Promise<void> {
    const { rows } = await client.query<Record<string, string>>(
      `select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
        current_setting('synchronous_commit') as synchronous_commit`,
    )
    for (const [setting, value] of Object.entries(rows[0] ?? { fsync: 'unknown' }))
      if (value === 'off' || value === 'unknown')
        throw new Fault(
          'STORE_UNAVAILABLE',
          `The PostgreSQL store at '${this.#where}' can lose acknowledged writes: ${setting} is ${value}; set ${setting} = on.`,
          { details: { database: this.#where, setting } },
        )
  }

  #requireOpen(): void {
    if (this.#isClosed || this.#isGivenUp)
      throw new Fault('STORE_UNAVAILABLE', 'The store is closed.')
  }
}

/** Leaves a broken connection to the check at its release. */
async function rollback(client: PoolClient): Promise<void> {
  await client.query('rollback').catch(() => {})
}

function withoutPassword(url: string): string {
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new Fault(
      'BAD_INPUT',
      'The database URL must read postgres://user:password@host:port/database.',
      { details: { field: 'databaseUrl' } },
    )
  const { hostname, host, pathname, searchParams } = new URL(url)
  return `${hostname === '' ? (searchParams.get('host') ?? 'localhost') : host}${pathname}`
}
