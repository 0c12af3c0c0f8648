// The implementations of the port of counters, and a model of it that is too plain to be wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CounterCharge,
  type Counters,
  placeIn,
  type Reserved,
  type StandingCount,
  type Taken,
} from '../../src/core/counter-port.ts'
import { type CountersAddress, parseCountersAddress } from '../../src/core/counters-address.ts'
import { type Db, takeSteps } from '../../src/core/db-port.ts'
import { type Log, silentLog } from '../../src/core/log.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { standingCounts } from '../../src/gateway/counter-look-repository.ts'
import { dropEnded, refund, reserve, settle } from '../../src/gateway/counters-repository.ts'
import { MIGRATIONS, migrate, openPostgres, openSqlite } from '../../src/store/index.ts'
import {
  type CountersMark,
  type CountersMarks,
  RedisCounters,
  type RedisCountersOptions,
} from '../../src/store/redis-counters.ts'
import { freshDatabase, postgresMissing } from './postgres.ts'
import { REDIS, type RedisProgram, startRedis, VALKEY } from './redis.ts'
import { OpenVaults, SQLITE } from './vault-stores.ts'

/** Counters of one new store, as several processes have them. */
export interface CounterHandles {
  readonly handles: readonly Counters[]
  close(): Promise<void>
}

export interface CountersKind {
  readonly name: string
  readonly skip: false | string
  open(handles: number): Promise<CounterHandles>
}

export const COUNTERS: readonly CountersKind[] = [
  {
    name: 'sqlite',
    skip: false,
    async open(count) {
      const folder = mkdtempSync(join(tmpdir(), 'sallyport-counters-'))
      const file = join(folder, 'store.db')
      const opened = await rows(() => openSqlite({ file }), count)
      return {
        handles: opened.handles,
        async close() {
          await opened.close()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
  },
  {
    name: 'postgres',
    skip: postgresMissing(),
    async open(count) {
      const url = await freshDatabase()
      return rows(() => openPostgres({ url }), count)
    },
  },
  inRedis(REDIS),
  // Few systems have a package of it.
  ...(VALKEY.skip === false ? [inRedis(VALKEY)] : []),
  { name: 'journal', skip: false, open: (count) => inJournal(count) },
]

/** Charges of one store's journal, as processes write them down. */
async function inJournal(count: number): Promise<CounterHandles> {
  const vaults = new OpenVaults()
  const handles: Counters[] = []
  for (const vault of await vaults.atOnce(SQLITE, count)) {
    const journal = await vault.journal.opened()
    if (journal === null) throw new Error('there is no journal')
    handles.push({
      take: (charges, at) => journal.take(charges, at),
      refund: (taken) => journal.refund(taken),
      settle: (taken, actual) => journal.settle(taken, actual),
      async look(now) {
        await journal.ingest()
        return vault.db.read((reader) => standingCounts(reader, now))
      },
      tidy: () => journal.tidy(),
    })
  }
  return { handles, close: () => vaults.close(true) }
}

function inRedis(program: RedisProgram): CountersKind {
  return {
    name: program.name,
    skip: program.skip,
    async open(count) {
      const server = await startRedis({ program })
      const marks = keptMarks()
      const handles = Array.from({ length: count }, () =>
        redisCounters(server.url, { marks, time: 'callers' }),
      )
      return {
        handles,
        async close() {
          for (const one of handles) await one.close()
          await server.stop()
        },
      }
    },
  }
}

/** Counters in rows: each act in a transaction of its own. */
async function rows(open: () => Promise<Db>, count: number): Promise<CounterHandles> {
  const dbs: Db[] = []
  for (let n = 0; n < count; n += 1) dbs.push(await open())
  await migrate(dbs[0]!, MIGRATIONS)
  return {
    handles: dbs.map((db) => inRows(db)),
    async close() {
      for (const db of dbs) await db.close()
    },
  }
}

/** One after another, as the lock of the audit tree has it. */
function inRows(db: Db): Counters {
  return {
    take: (charges, at) =>
      db.write(async (tx) => {
        await tx.all('select revision from rights /*lock*/')
        return takeSteps(tx, reserve(charges, at))
      }),
    refund: (taken) => db.write((tx) => takeSteps(tx, refund(taken))),
    settle: (taken, actual) => db.write((tx) => takeSteps(tx, settle(taken, actual))),
    look: (now) => db.read((reader) => standingCounts(reader, now)),
    tidy: (now) => db.write((tx) => takeSteps(tx, dropEnded(now))),
  }
}

/** Marks as a store keeps them, here in memory. */
export function keptMarks(): CountersMarks & { kept: CountersMark | null } {
  let beginning: Promise<CountersMark> | null = null
  return {
    kept: null,
    async read() {
      return this.kept
    },
    async begin(put) {
      beginning ??= put('first').finally(() => {
        beginning = null
      })
      this.kept ??= await beginning
      return this.kept
    },
    async saw(mark) {
      if (this.kept?.marker === mark.marker && this.kept.changes < mark.changes) this.kept = mark
    },
  }
}

export function redisCounters(
  url: string,
  more: Partial<Omit<RedisCountersOptions, 'address'>> = {},
): RedisCounters {
  return new RedisCounters({
    address: addressOf(url),
    caFile: null,
    storeId: 'a-store',
    marks: more.marks ?? keptMarks(),
    log: silentLog,
    ...more,
  })
}

export function addressOf(url: string): CountersAddress {
  const address = parseCountersAddress(url)
  if (typeof address === 'string') throw new Error(`${url} ${address}`)
  return address
}

/** A log whose lines can be looked at. */
export function keptLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const keep = (message: string, fields?: object): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  return { log: { debug: keep, info: keep, warn: keep, error: keep }, lines }
}

/** What counters do, as a list of all that was ever counted. The clock must not go back. */
export class CounterModel {
  readonly #entries: { counter: string; bucket: number; amount: number; endsAt: number }[] = []

  take<C extends CounterCharge>(charges: readonly C[], at: EpochMs): Reserved<C> {
    let shadow: C | null = null
    for (const charge of charges) {
      const place = placeIn(charge.window, at)
      const counted = this.#entries.filter(
        ({ counter, bucket }) => counter === charge.counter && bucket >= place.from,
      )
      const used = counted.reduce((sum, { amount }) => sum + amount, 0)
      if (charge.amount === 0 || charge.amount <= charge.max - used) continue
      if (charge.isShadow) {
        shadow ??= charge
        continue
      }
      const left = Math.max(0, charge.max - used)
      // The first end of a bucket after which it fits.
      const ends = counted.map(({ endsAt }) => endsAt).toSorted((a, b) => a - b)
      const resetsAt =
        charge.amount > charge.max
          ? undefined
          : ends.find((end) => {
              const rest = counted.filter(({ endsAt }) => endsAt > end)
              return rest.reduce((sum, { amount }) => sum + amount, 0) + charge.amount <= charge.max
            })
      return {
        exceeded: { charge, left, resetsAt: resetsAt === undefined ? null : epochMs(resetsAt) },
      }
    }
    const taken = charges.map(({ counter, window, amount }) => {
      const { bucket, endsAt } = placeIn(window, at)
      this.#entries.push({ counter, bucket, amount, endsAt })
      return { counter, bucket, amount }
    })
    return { taken, shadow }
  }

  /** @param actual undefined: all is given back */
  settle(taken: readonly Taken[], actual?: ReadonlyMap<string, number>): void {
    for (const { counter, bucket, amount } of taken) {
      const change = (actual === undefined ? 0 : (actual.get(counter) ?? amount)) - amount
      const one = this.#entries.find(
        (entry) => entry.counter === counter && entry.bucket === bucket,
      )
      if (one !== undefined) one.amount += change
    }
  }

  look(now: EpochMs): readonly StandingCount[] {
    const counters = new Set(this.#entries.map(({ counter }) => counter))
    return [...counters]
      .flatMap((counter) => {
        const own = this.#entries.filter((one) => one.counter === counter && one.endsAt > now)
        const buckets = new Map<number, { used: number; endsAt: number }>()
        for (const { bucket, amount, endsAt } of own)
          buckets.set(bucket, { used: (buckets.get(bucket)?.used ?? 0) + amount, endsAt })
        const counting = [...buckets.values()].filter(({ used }) => used > 0)
        const used = counting.reduce((sum, one) => sum + one.used, 0)
        const endsAt = Math.min(...counting.map((one) => one.endsAt))
        return used > 0 ? [{ counter, used, endsAt }] : []
      })
      .toSorted((a, b) => b.used - a.used || (a.counter < b.counter ? -1 : 1))
  }
}
