import { hash } from 'node:crypto'
import type { Db, Tx } from '../core/db-port.ts'
import type { RateLimit, RatePort, RateStanding } from '../core/rate-port.ts'
import type { Clock } from '../core/time.ts'
import { openSqlite } from './sqlite.ts'

/** Buckets are counted in microseconds: of a million a second each is one. */
const MICROS = 1_000_000
const DROP_EVERY_MICROS = 60 * MICROS
const MAX_REFUSED = 10_000
/** Names in one statement. */
const MAX_NAMES = 64

interface Waiting {
  readonly limit: RateLimit
  readonly settle: ((standing: RateStanding) => void)[]
  readonly fail: ((error: unknown) => void)[]
}

export interface RateBucketParts {
  /** Where the buckets are, opened when one is first asked for. */
  readonly db: () => Promise<Db>
  readonly clock: Clock
}

/**
 * Buckets in a table: of each the instant at which it is full again, from which follows how many are left (the generic
 * cell rate algorithm). Whoever asks while a transaction is under way is served together by the next one, so many
 * callers cost few transactions and nothing is ever set aside that another process could have used. A bucket that is
 * full is no row.
 *
 * Losing the last moments with the power is fine: commits wait for no disk.
 */
export class RateBuckets implements RatePort {
  readonly #parts: RateBucketParts
  #waiting = new Map<string, Waiting>()
  #isServing = false
  #dropAt = 0
  /** Until when a bucket has nothing, microseconds: nobody puts anything back, so it need not be asked. */
  readonly #refused = new Map<string, { readonly fullAt: number; readonly until: number }>()

  constructor(parts: RateBucketParts) {
    this.#parts = parts
  }

  take(name: string, limit: RateLimit): Promise<RateStanding> {
    const id = bucketId(name)
    const refused = this.#refused.get(id)
    const now = this.#now()
    if (refused !== undefined) {
      // Nothing is refused for longer than a bucket takes to fill: else the clock was stepped back.
      if (now < refused.until && refused.until - now <= microsOf(limit))
        return Promise.resolve(standing(limit, refused.fullAt, now, false))
      this.#refused.delete(id)
    }
    return new Promise((settle, fail) => {
      const waiting = this.#waiting.get(id)
      if (waiting === undefined) this.#waiting.set(id, { limit, settle: [settle], fail: [fail] })
      else {
        waiting.settle.push(settle)
        waiting.fail.push(fail)
      }
      if (!this.#isServing) void this.#serve()
    })
  }

  async #serve(): Promise<void> {
    this.#isServing = true
    // Everybody who asks in this turn comes along.
    await Promise.resolve()
    while (this.#waiting.size > 0) {
      const served = [...this.#waiting].slice(0, MAX_NAMES)
      for (const [id] of served) this.#waiting.delete(id)
      try {
        const standings = await this.#taken(served)
        for (const [id, { settle }] of served)
          for (const [index, one] of settle.entries())
            one(standings.get(id)?.[index] ?? NOTHING_LEFT)
      } catch (error) {
        for (const [, { fail }] of served) for (const one of fail) one(error)
      }
    }
    this.#isServing = false
  }

  async #taken(
    served: readonly (readonly [id: string, waiting: Waiting])[],
  ): Promise<ReadonlyMap<string, readonly RateStanding[]>> {
    const db = await this.#parts.db()
    // One order in all processes, so that none waits for another that waits for it.
    const ids = served.map(([id]) => id).toSorted()
    const asked = this.#now()
    const isDropping = asked >= this.#dropAt || this.#dropAt - asked > DROP_EVERY_MICROS
    if (isDropping) this.#dropAt = asked + DROP_EVERY_MICROS
    const taken = await db.write(
      async (tx) => {
        const known = await lockBuckets(tx, ids)
        // Not before: whoever was served while this one waited counted by a later instant, at which there is more room.
        const now = this.#now()
        const results = served.map(([id, { limit, settle }]) => {
          const result = takeMany(limit, known.get(id) ?? 0, now, settle.length)
          return { id, ...result }
        })
        for (const { id, fullAt } of results.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
          await tx.run('update rate_buckets set full_at = ? where id = ?', [fullAt, id])
        if (isDropping) await tx.run('delete from rate_buckets where full_at <= ?', [now])
        return results
      },
      { durability: 'soon' },
    )
    for (const { id, fullAt, refusedUntil } of taken)
      if (refusedUntil !== null) this.#refuse(id, fullAt, refusedUntil)
    return new Map(taken.map(({ id, standings }) => [id, standings]))
  }

  #refuse(id: string, fullAt: number, until: number): void {
    this.#refused.delete(id)
    const oldest = this.#refused.keys().next()
    if (this.#refused.size >= MAX_REFUSED && oldest.done !== true)
      this.#refused.delete(oldest.value)
    this.#refused.set(id, { fullAt, until })
  }

  #now(): number {
    return Math.floor(this.#parts.clock() * 1000)
  }
}

/** The buckets of a store, and how they are closed. */
export interface OpenRates {
  readonly rates: RatePort
  close(): Promise<void>
}

/**
 * The buckets of a store: in its database on a server of databases, in a file beside it where it is one itself, so that
 * counting waits for no write of the store and none waits for counting.
 *
 * @param file of the buckets; made when one is first asked for
 */
export function openRates(db: Db, file: string, clock: Clock): OpenRates {
  if (db.dialect === 'postgres')
    return { rates: new RateBuckets({ db: async () => db, clock }), close: async () => undefined }
  let opening: Promise<Db> | null = null
  const opened = (): Promise<Db> => {
    opening ??= openFile(file).catch((error: unknown) => {
      opening = null
      throw error
    })
    return opening
  }
  return {
    rates: new RateBuckets({ db: opened, clock }),
    close: async () => (await opening)?.close(),
  }
}

async function openFile(file: string): Promise<Db> {
  const db = await openSqlite({ file })
  try {
    await db.write((tx) =>
      tx.run(
        'create table if not exists rate_buckets (id text primary key, full_at bigint not null)',
      ),
    )
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

const NOTHING_LEFT: RateStanding = {
  isAllowed: false,
  limit: 0,
  remaining: 0,
  resetSeconds: 1,
  retryAfterSeconds: 1,
}

/** How long one takes to come back: whole, so that it adds up the same in every order. */
function eachOf({ perSecond }: RateLimit): number {
  return Math.max(1, Math.round(MICROS / perSecond))
}

/** How long a bucket takes to fill. */
function microsOf(limit: RateLimit): number {
  return limit.burst * eachOf(limit)
}

/** Names hold addresses and ids, which are nobody's business who reads the table, and may be long. */
function bucketId(name: string): string {
  return hash('sha256', name, 'base64url').slice(0, 27)
}

interface Taken {
  readonly fullAt: number
  readonly standings: readonly RateStanding[]
  /** When there is one again, or null: nobody was refused. */
  readonly refusedUntil: number | null
}

/** @param stored when the bucket would be full; an instant that is further off than filling takes is of another clock */
function takeMany(limit: RateLimit, stored: number, now: number, count: number): Taken {
  const whole = microsOf(limit)
  const each = eachOf(limit)
  let fullAt = Math.min(Math.max(stored, now), now + whole)
  let refusedUntil: number | null = null
  const standings: RateStanding[] = []
  for (let i = 0; i < count; i += 1) {
    const next = fullAt + each
    const isAllowed = next <= now + whole
    if (isAllowed) fullAt = next
    else refusedUntil ??= next - whole
    standings.push(standing(limit, fullAt, now, isAllowed))
  }
  return { fullAt, standings, refusedUntil }
}

function standing(limit: RateLimit, fullAt: number, now: number, isAllowed: boolean): RateStanding {
  const each = eachOf(limit)
  const room = Math.max(0, now + microsOf(limit) - fullAt)
  return {
    isAllowed,
    limit: limit.burst,
    remaining: Math.floor(room / each),
    resetSeconds: Math.max(0, Math.ceil((fullAt - now) / MICROS)),
    retryAfterSeconds: isAllowed ? 0 : Math.max(1, Math.ceil((each - room) / MICROS)),
  }
}

/** Locked until the transaction ends; one that is not there is made first, so that there is something to lock. */
async function lockBuckets(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const known = await selectBuckets(tx, ids)
  const missing = ids.filter((id) => !known.has(id))
  if (missing.length === 0) return known
  for (const id of missing)
    await tx.run(
      'insert into rate_buckets (id, full_at) values (?, 0) on conflict (id) do nothing',
      [id],
    )
  return selectBuckets(tx, ids)
}

async function selectBuckets(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.all<{ id: string; full_at: number }>(
    `select id, full_at from rate_buckets where id in (${padded(ids)
      .map(() => '?')
      .join(', ')}) order by id /*lock*/`,
    padded(ids),
  )
  return new Map(rows.map((row) => [row.id, row.full_at]))
}

const SIZES = [1, 2, 4, 8, 16, 32, MAX_NAMES] as const

/** Few lengths, so that few statements are prepared. */
function padded(ids: readonly string[]): readonly string[] {
  const size = SIZES.find((one) => one >= ids.length) ?? ids.length
  const last = ids.at(-1) ?? ''
  return [...ids, ...Array.from({ length: size - ids.length }, () => last)]
}
