import { randomUUID } from 'node:crypto'
import type { Db, Reader, Tx } from '../../core/db-port.ts'
import type { Fault } from '../../core/faults.ts'
import type { StoreId } from '../../core/ids.ts'
import type { Log } from '../../core/log.ts'
import { type Clock, epochMs, monotonicMs, sleep } from '../../core/time.ts'
import { rightsRevision, type StoreKeys } from '../../keys/index.ts'
import { type RecordRow, readTree, recordsAfter } from '../audit-repository.ts'
import type { LedgerSinks } from '../ledger-sinks.ts'
import { Delivery } from './delivery.ts'
import { openSink, type SinkWorld } from './open-sink.ts'
import { openConfigs } from './sealed-configs.ts'
import { type Stamp, sinkRecord } from './sink.ts'
import type { SinkConfig } from './sink-config.ts'
import {
  giveTurns,
  moveCursor,
  readCursors,
  readSinks,
  type SinksTable,
  takeTurn,
} from './sink-repository.ts'
import { Stamping } from './stamping.ts'

/** A page of what a sink lacks. */
const PAGE = 500
/** What comes within this time goes out together. */
const COALESCE_MS = 200
/** Another process may have delivered what the store does not say yet; and a cursor is written this often. */
const SETTLE_MS = 1_000
const RETRY_MS = 1_000
const MAX_RETRY_MS = 15_000
/** How long a process that follows for a sink is taken to be alive. */
const TURN_MS = 15_000
/** A command of a second must not wait much longer for a sink that nobody requires. */
const LAST_PASS_MS = 1_000

/**
 * These release nothing, and without them a person could not prove presence and take a broken sink away. What they
 * record goes to the sinks like everything else, when these work again.
 */
const ALWAYS_ADMITTED: ReadonlySet<string> = new Set([
  'audit.sinks',
  'presence.attempt',
  'presence.settle',
  'presence.note',
])

export interface SinksOptions extends SinkWorld {
  readonly db: Db
  readonly keys: StoreKeys
  readonly table: SinksTable
  readonly storeId: StoreId
  readonly clock: Clock
  readonly log: Log
}

/**
 * The sinks of the store in this process. Required ones get a batch after its commit and before anybody is answered;
 * what they or others lack follows from a cursor in the store, so that nothing is lost when a process ends.
 */
export class Sinks implements LedgerSinks {
  readonly #options: SinksOptions
  readonly #follower = randomUUID()
  #deliveries: readonly Delivery[] = []
  /** Of the rights when the configuration was read. */
  #revision: number | null = null
  #unwatch: (() => void) | null = null
  #timer: NodeJS.Timeout | null = null
  /** When it goes off, monotonic milliseconds. */
  #timerAt = 0
  /** A sink that fails is not tried again before, whoever wakes, monotonic milliseconds. */
  #notBefore = 0
  /** Whether somebody wanted a pass while there was one. */
  #isWoken = false
  #pass: Promise<void> | null = null
  #retryMs = RETRY_MS
  /** Where a sink stood when it was last seen to lack records. */
  readonly #behindAt = new Map<string, number>()
  readonly #stamping: Stamping
  #isClosed = false

  private constructor(options: SinksOptions) {
    this.#options = options
    this.#stamping = new Stamping(options)
  }

  static async open(options: SinksOptions): Promise<Sinks> {
    const sinks = new Sinks(options)
    await sinks.reload()
    return sinks
  }

  get deliveries(): readonly Delivery[] {
    return this.#deliveries
  }

  get isEmpty(): boolean {
    return this.#deliveries.length === 0
  }

  /** Has checkpoints made for the sinks that want them. */
  stampWith(sign: (size?: number) => Promise<Stamp>): void {
    this.#stamping.sign = sign
  }

  isEmptyAt(rights: number): boolean {
    return this.#deliveries.length === 0 && this.#revision === rights
  }

  admits(lane: string): boolean {
    return ALWAYS_ADMITTED.has(lane)
  }

  /** Null as long as all required sinks work, for all that is known. */
  refusal(): Fault | null | Promise<Fault | null> {
    const required = this.#required()
    if (required.length === 0) return null
    if (required.some(({ state }) => state === 'untried')) return this.#afterFirstTry(required)
    return failureAmong(required)
  }

  async within(tx: Tx): Promise<void> {
    if ((await rightsRevision(tx)) !== this.#revision) await this.#read(tx)
    if (this.#deliveries.length === 0) return
    const cursors = await readCursors(tx)
    for (const { config, delivered } of this.#deliveries) {
      const stored = cursors.get(config.name)
      if (stored === undefined) continue
      delivered.reach(stored)
      if (delivered.cursor > stored) await moveCursor(tx, config.name, delivered.cursor)
    }
  }

  async deliver(rows: readonly RecordRow[]): Promise<void> {
    if (this.#deliveries.length === 0 || rows.length === 0) return
    const { storeId } = this.#options
    const records = rows.map((row) => sinkRecord(storeId, row))
    const required = this.#required()
    this.#wake(COALESCE_MS)
    await Promise.all(
      required.map(async (one) => {
        if (one.fault !== null) throw one.fault
        await one.deliver({ storeId, records })
      }),
    )
  }

  /** Takes up what the store says now. */
  async reload(): Promise<void> {
    await this.#options.db.read((reader) => this.#read(reader))
    this.#notBefore = 0
    if (this.#deliveries.length > 0) this.#wake(COALESCE_MS)
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#unwatch?.()
    const last = (this.#pass ?? Promise.resolve()).then(() => this.#runPass())
    const controller = new AbortController()
    await Promise.race([
      last.catch(() => undefined),
      sleep(LAST_PASS_MS, controller.signal).catch(() => undefined),
    ])
    controller.abort()
    this.#isClosed = true
    await this.#leave().catch(() => undefined)
    await Promise.allSettled(this.#deliveries.map((one) => one.close()))
  }

  #required(): readonly Delivery[] {
    return this.#deliveries.filter(({ config }) => config.mode === 'required')
  }

  /** A process that just began finds out before it changes anything, by what the sink lacks. */
  async #afterFirstTry(required: readonly Delivery[]): Promise<Fault | null> {
    const untried = required.filter(({ state }) => state === 'untried')
    await Promise.all(
      untried.map(async (one) => {
        if ((await this.#deliverPage(one).catch(() => null)) === 0) one.trust()
      }),
    )
    return failureAmong(required)
  }

  /** @returns how many records were lacking and went out */
  async #deliverPage(one: Delivery): Promise<number> {
    const { db, storeId } = this.#options
    const rows = await db.read(async (reader) => {
      // What was pruned is passed over by the cursor in the store.
      one.delivered.reach((await readCursors(reader)).get(one.config.name) ?? 0)
      return recordsAfter(reader, one.delivered.cursor, PAGE)
    })
    if (rows.length > 0)
      await one.deliver({ storeId, records: rows.map((row) => sinkRecord(storeId, row)) })
    return rows.length
  }

  async #read(reader: Reader): Promise<void> {
    const { table, keys, log } = this.#options
    const revision = await rightsRevision(reader)
    const row = await readSinks(table, reader)
    const configs = row === null ? [] : await openConfigs(reader, keys, row)
    const cursors = await readCursors(reader)
    const before = this.#deliveries
    const same = (config: SinkConfig): Delivery | undefined =>
      before.find((one) => JSON.stringify(one.config) === JSON.stringify(config))
    this.#deliveries = configs.map(
      (config) =>
        same(config) ??
        new Delivery(config, cursors.get(config.name) ?? 0, () => openSink(config, this.#options)),
    )
    this.#revision = revision
    for (const one of before)
      if (!this.#deliveries.includes(one))
        one
          .close()
          .catch(() => log.warn('an audit sink could not be closed', { sink: one.config.name }))
    this.#watchIfNeeded()
  }

  #watchIfNeeded(): void {
    if (this.#isClosed || (this.#deliveries.length === 0) === (this.#unwatch === null)) return
    this.#unwatch?.()
    this.#unwatch =
      this.#deliveries.length === 0 ? null : this.#options.db.watch(() => this.#wake(COALESCE_MS))
  }

  #wake(ms: number): void {
    if (this.#isClosed) return
    if (this.#pass !== null) {
      this.#isWoken = true
      return
    }
    const now = monotonicMs()
    const at = Math.max(now + ms, this.#notBefore)
    if (this.#timer !== null && this.#timerAt <= at) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => this.#beginPass(), at - now)
    this.#timer.unref()
  }

  #beginPass(): void {
    this.#timer = null
    this.#isWoken = false
    this.#pass = this.#runPass()
      .catch(() => {
        this.#notBefore = monotonicMs() + RETRY_MS
        return RETRY_MS
      })
      .then((again) => {
        this.#pass = null
        // What came meanwhile may have been too late for this pass.
        if (this.#isWoken) this.#wake(COALESCE_MS)
        else if (again !== null) this.#wake(again)
      })
  }

  /** Brings every sink what it lacks. @returns when to look again, or null when nothing is left to do */
  async #runPass(): Promise<number | null> {
    const { db, log } = this.#options
    let isBehind = false
    let hasFailed = false
    for (const one of this.#deliveries) {
      const size = await db.read(async (reader) => (await readTree(reader))?.size ?? 0)
      const cursors = await db.read((reader) => readCursors(reader))
      one.delivered.reach(cursors.get(one.config.name) ?? 0)
      if (one.delivered.cursor >= size) {
        // A required sink that failed with nothing missing is tried by the next batch.
        one.trust()
        continue
      }
      isBehind = true
      if (this.#mayBeSaidSoon(one)) continue
      const wasFailing = one.state === 'failing'
      try {
        await this.#catchUp(one)
        if (wasFailing) log.info('an audit sink works again', { sink: one.config.name })
      } catch {
        hasFailed = true
        if (!wasFailing)
          log.warn('an audit sink does not take records', {
            sink: one.config.name,
            reason: one.fault?.message,
          })
      }
    }
    await this.#saveCursors()
    const { hasFailed: hasStampFailed, againMs } = await this.#stamping.pass(this.#deliveries)
    hasFailed ||= hasStampFailed
    this.#retryMs = hasFailed ? Math.min(this.#retryMs * 2, MAX_RETRY_MS) : RETRY_MS
    this.#notBefore = hasFailed ? monotonicMs() + this.#retryMs : 0
    if (hasFailed) return this.#retryMs
    return isBehind ? Math.min(SETTLE_MS, againMs ?? SETTLE_MS) : againMs
  }

  /** What other processes deliver to a required sink stands in the store a moment later. */
  #mayBeSaidSoon({ config, delivered, state }: Delivery): boolean {
    if (config.mode !== 'required' || state !== 'working') return false
    const seen = this.#behindAt.get(config.name)
    this.#behindAt.set(config.name, delivered.cursor)
    return seen !== delivered.cursor
  }

  /** One process at a time, but whoever is refused for a sink must find out himself when it works again. */
  async #catchUp(one: Delivery): Promise<void> {
    const { name } = one.config
    const waitsForTurn = one.state !== 'failing' || one.config.mode === 'best-effort'
    for (let isFirst = true; ; isFirst = false) {
      const isMine = await this.#takeTurn(name, isFirst)
      if (waitsForTurn && !isMine) return
      if ((await this.#deliverPage(one)) === 0) return
    }
  }

  /** Writes how far the sink is, with the turn that is taken or kept. */
  #takeTurn(name: string, isFirst: boolean): Promise<boolean> {
    const { db, clock } = this.#options
    const now = clock()
    return db.write(async (tx) => {
      if (!isFirst) await this.#moveCursors(tx)
      return takeTurn(tx, name, this.#follower, now, epochMs(now + TURN_MS))
    })
  }

  async #saveCursors(): Promise<void> {
    const { db } = this.#options
    if (this.#deliveries.length === 0) return
    const stored = await db.read((reader) => readCursors(reader))
    const isAhead = this.#deliveries.some(
      ({ config, delivered }) => delivered.cursor > (stored.get(config.name) ?? Infinity),
    )
    if (isAhead) await db.write((tx) => this.#moveCursors(tx))
  }

  /** What this process delivered and nobody wrote down, and its turns. */
  async #leave(): Promise<void> {
    if (this.#deliveries.length === 0) return
    await this.#options.db.write(async (tx) => {
      await this.#moveCursors(tx)
      await giveTurns(tx, this.#follower)
    })
  }

  async #moveCursors(tx: Tx): Promise<void> {
    for (const { config, delivered } of this.#deliveries)
      await moveCursor(tx, config.name, delivered.cursor)
  }
}

function failureAmong(deliveries: readonly Delivery[]): Fault | null {
  return deliveries.find(({ fault }) => fault !== null)?.fault ?? null
}
