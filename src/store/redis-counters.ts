import { randomBytes } from 'node:crypto'
import {
  type CounterCharge,
  type Counters,
  type CounterWindow,
  placeIn,
  type Reserved,
  resetOf,
  type StandingCount,
  type Taken,
} from '../core/counter-port.ts'
import type { CountersAddress } from '../core/counters-address.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { type EpochMs, epochMs, monotonicMs } from '../core/time.ts'
import { RedisLink, Unanswered } from './redis-counters-link.ts'
import {
  CHANGE,
  DROP,
  FOUND,
  LIST,
  LOOK,
  MARK,
  type Script,
  TAKE,
  UNDO,
} from './redis-counters-scripts.ts'

/** What the store knows of its counters elsewhere. */
export interface CountersMark {
  /** What stands there as long as nothing was lost. */
  readonly marker: string
  /** So many changes were made there, at least. */
  readonly changes: number
}

/** Where a store keeps the mark of its counters, for all of its processes. */
export interface CountersMarks {
  /** Null: nothing was ever counted there. */
  read(): Promise<CountersMark | null>
  /**
   * Writes down that counting begins. Of several processes one does it, and the others get what it wrote.
   *
   * @param put puts a marker there and gives what is there then
   */
  begin(put: (marker: string) => Promise<CountersMark>): Promise<CountersMark>
  /** Writes down how many changes were seen; may be lost with the power. */
  saw(mark: CountersMark): Promise<void>
}

export interface RedisCountersOptions {
  readonly address: CountersAddress
  /** PEM file of authorities that are trusted beside those of the system, or null. */
  readonly caFile: string | null
  /** Stores that share a Redis have counters of their own. */
  readonly storeId: string
  readonly marks: CountersMarks
  readonly log: Log
  /**
   * Whose clock counts. Redis' is one for all nodes, so that no node has a window of its own; the callers' is for
   * tests, which have to step it. Default: redis.
   */
  readonly time?: 'redis' | 'callers'
  /** How long a call waits to be counted, milliseconds. Default: 1,000. */
  readonly patienceMs?: number
}

const PATIENCE_MS = 1_000
/** For so long what need not be waited for is tried: giving back, settling, undoing what was not answered. */
const BEHIND_MS = 60_000
const MAX_UNDERWAY = 4_096
/** What this process did last is known in Redis for an hour after it. */
const KNOWN_MS = 30 * 60_000
const SAVE_EVERY_MS = 1_000
const MAX_LISTED = 100_000
const MAX_SHOWN = 10_000

/** A change on its way. Its place is free again when it is known what became of it. */
interface Operation {
  readonly place: number
  readonly id: number
}

/**
 * Counters in Redis or Valkey, for many nodes. One round trip counts all charges of a call or none; every change has an
 * id, so that one whose answer was lost is made once however often it is asked for. Whatever cannot be counted in time
 * is denied, and what a late answer would have taken is undone.
 *
 * Nothing may be forgotten there: a marker, the number of changes and the last one of each process say whether something
 * was. Then every call with a limit is denied, until a person accepts that counting begins anew.
 */
export class RedisCounters implements Counters {
  readonly #options: RedisCountersOptions
  readonly #patienceMs: number
  readonly #link: RedisLink
  readonly #process = randomBytes(12).toString('base64url')
  readonly #prefix: string
  readonly #free: number[] = []
  #places = 0
  #lastId = 0
  #mark: CountersMark | null = null
  #marking: Promise<CountersMark> | null = null
  #changes = 0
  #savedAt = Number.NEGATIVE_INFINITY
  #savedChanges = 0
  #answered: { readonly operation: Operation; readonly at: number } | null = null
  #isLostSaid = false
  readonly #behind = new Set<Promise<unknown>>()

  constructor(options: RedisCountersOptions) {
    this.#options = options
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#link = new RedisLink({ ...options, patienceMs: this.#patienceMs })
    // In a cluster all of these are in one place.
    this.#prefix = `sallyport:{${options.storeId}}:`
  }

  take<C extends CounterCharge>(
    charges: readonly C[],
    at: EpochMs,
  ): Reserved<C> | Promise<Reserved<C>> {
    return charges.length === 0 ? { taken: [], shadow: null } : this.#take(charges, at)
  }

  refund(taken: readonly Taken[]): void | Promise<void> {
    return this.#change(
      taken.map(({ counter, bucket, amount }) => ({ counter, bucket, by: -amount })),
    )
  }

  settle(taken: readonly Taken[], actual: ReadonlyMap<string, number>): void | Promise<void> {
    return this.#change(
      taken.map(({ counter, bucket, amount }) => ({
        counter,
        bucket,
        by: (actual.get(counter) ?? amount) - amount,
      })),
    )
  }

  async look(now: EpochMs): Promise<readonly StandingCount[]> {
    await this.check()
    const found: StandingCount[] = []
    for (let passed = 0; passed < MAX_LISTED; ) {
      const [at = '0', ...names] = await this.#listed(now, '0', passed)
      if (names.length === 0) break
      passed += names.length
      const said = (await this.#run(
        LOOK,
        names.map((name) => this.#counter(name)),
        () => [at],
      )) as readonly string[]
      for (const [index, counter] of names.entries()) {
        const [used, endsAt] = (said[index] ?? '').split(' ').map(Number)
        if (used !== undefined && endsAt !== undefined && used > 0 && endsAt > Number(at))
          found.push({ counter, used, endsAt })
      }
    }
    return found
      .toSorted((a, b) => b.used - a.used || (a.counter < b.counter ? -1 : 1))
      .slice(0, MAX_SHOWN)
  }

  /**
   * Whether what is there is what was counted, as far as can be told.
   *
   * @returns whether Redis logs its writes to disk, so that it may be started anew
   * @throws {Fault} `COUNTERS_UNAVAILABLE`, `COUNTERS_LOST`
   */
  async check(): Promise<{ readonly isLogged: boolean }> {
    const known = await this.#options.marks.read()
    const there = await this.found()
    if (known !== null && (there?.marker !== known.marker || there.changes < known.changes))
      throw this.#lost()
    return { isLogged: this.#link.isLogged }
  }

  /** Counters end by themselves; what goes is their names in the list. */
  async tidy(now: EpochMs): Promise<void> {
    for (let passed = 0; passed < MAX_LISTED; ) {
      const [, ...names] = await this.#listed(now, '1', passed)
      if (names.length === 0) return
      const keys = [this.#key('counter'), ...names.map((name) => this.#counter(name))]
      passed += names.length - Number(await this.#run(DROP, keys, () => []))
    }
  }

  /**
   * Puts a marker there, where none is or the one there says that something was lost.
   *
   * @param isForced in place of any other, too
   * @returns what is there then
   */
  async mark(marker: string, isForced: boolean): Promise<CountersMark> {
    const said = String(
      await this.#run(MARK, [this.#key('standing')], () => [marker, isForced ? '1' : '0']),
    )
    const [held = '', changes = '0'] = said.split(' ')
    return { marker: held, changes: Number(changes) }
  }

  /** What is there now, without putting anything there. */
  async found(): Promise<CountersMark | null> {
    const said = await this.#run(FOUND, [this.#key('standing')], () => [])
    if (typeof said !== 'string') return null
    const [marker = '', changes = '0'] = said.split(' ')
    return { marker, changes: Number(changes) }
  }

  /** What is under way is waited for, for a moment. */
  async close(): Promise<void> {
    const waiting = Promise.allSettled(this.#behind)
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      waiting,
      new Promise((resolve) => {
        timer = setTimeout(resolve, this.#patienceMs)
      }),
    ])
    clearTimeout(timer)
    await this.#save().catch(() => {})
    await this.#link.close()
  }

  async #take<C extends CounterCharge>(charges: readonly C[], at: EpochMs): Promise<Reserved<C>> {
    const counters = charges.map(({ counter }) => counter)
    const own = [
      this.#clock(at),
      ...charges.flatMap(({ amount, max, isShadow, window }) => [
        String(amount),
        String(max),
        isShadow ? '1' : '0',
        ...shapeOf(window),
      ]),
    ]
    const operation = this.#begin()
    let said: readonly string[]
    try {
      const until = await this.#until()
      said = (await this.#asked(TAKE, operation, counters, own, until)).split(' ')
    } catch (error) {
      if (error instanceof Unanswered && error.wasSent) {
        const undone = this.#undo(operation, counters, charges)
        this.#keep(undone)
      } else this.#end(operation)
      throw error instanceof Unanswered ? error.fault : error
    }
    this.#end(operation)
    const [kind, first = '', second = '', ...rest] = said
    if (kind === 't') {
      const taken = charges.map(({ counter, amount }, index) => ({
        counter,
        bucket: Number(rest[index]),
        amount,
      }))
      return { taken, shadow: charges[Number(second)] ?? null }
    }
    const charge = charges[Number(first)]
    if (kind !== 'x' || charge === undefined) throw new TypeError('an answer of no kind we know')
    const buckets = Array.from({ length: rest.length / 2 }, (_, index) => ({
      bucket: Number(rest[2 * index]),
      used: Number(rest[2 * index + 1]),
    }))
    const used = buckets.reduce((sum, one) => sum + one.used, 0)
    return {
      exceeded: {
        charge,
        left: Math.max(0, charge.max - used),
        resetsAt: resetOf(buckets, charge, placeIn(charge.window, epochMs(Number(second)))),
      },
    }
  }

  #change(
    asked: readonly { readonly counter: string; readonly bucket: number; readonly by: number }[],
  ): void | Promise<void> {
    const changes = asked.filter(({ by }) => by !== 0)
    if (changes.length === 0) return undefined
    const done = this.#changed(changes)
    this.#keep(done)
    return this.#shortly(done)
  }

  async #changed(
    changes: readonly { readonly counter: string; readonly bucket: number; readonly by: number }[],
  ): Promise<void> {
    const operation = this.#begin()
    try {
      await this.#asked(
        CHANGE,
        operation,
        changes.map(({ counter }) => counter),
        ['', ...changes.flatMap(({ bucket, by }) => [String(bucket), String(by)])],
        monotonicMs() + BEHIND_MS,
      )
    } catch (error) {
      throw error instanceof Unanswered ? error.fault : error
    } finally {
      this.#end(operation)
    }
  }

  async #undo(
    operation: Operation,
    counters: readonly string[],
    charges: readonly CounterCharge[],
  ): Promise<void> {
    const own = ['', ...charges.map(({ amount }) => String(amount))]
    try {
      await this.#asked(UNDO, operation, counters, own, monotonicMs() + BEHIND_MS)
    } finally {
      this.#end(operation)
    }
  }

  /** One change, made once. @throws {Unanswered} @throws {Fault} `COUNTERS_UNAVAILABLE`, `COUNTERS_LOST` */
  async #asked(
    script: Script,
    { place, id }: Operation,
    counters: readonly string[],
    own: readonly string[],
    until: number,
  ): Promise<string> {
    const keys = [
      this.#key('standing'),
      this.#key(`process:${this.#process}`),
      this.#key('counter'),
      ...counters.map((counter) => this.#counter(counter)),
    ]
    for (let known = await this.#standing(); ; ) {
      const { marker } = known
      const said = String(
        await this.#link.run(
          script,
          keys,
          () => {
            const least = String(this.#changes)
            return [marker, least, String(place), String(id), ...this.#lastAnswered(), ...own]
          },
          until,
        ),
      )
      if (!said.startsWith('marker ')) {
        this.#answer(said, { place, id })
        return said
      }
      const now = await this.#options.marks.read()
      // A person may have accepted that they begin anew.
      if (now === null || now.marker === marker) throw this.#lost()
      known = now
      this.#know(now)
    }
  }

  #answer(said: string, operation: Operation): void {
    this.#isLostSaid = false
    const changes = /^[tcu] (\d+)/.exec(said)?.[1]
    if (changes === undefined) return
    this.#changes = Math.max(this.#changes, Number(changes))
    if (this.#answered === null || this.#answered.operation.id < operation.id)
      this.#answered = { operation, at: monotonicMs() }
    if (monotonicMs() - this.#savedAt >= SAVE_EVERY_MS) this.#keep(this.#save())
  }

  #lastAnswered(): readonly [place: string, id: string] {
    const answered = this.#answered
    if (answered === null || monotonicMs() - answered.at > KNOWN_MS) return ['', '']
    const { place, id } = answered.operation
    return [String(place), String(id)]
  }

  async #standing(): Promise<CountersMark> {
    if (this.#mark !== null) return this.#mark
    this.#marking ??= this.#begun().finally(() => {
      this.#marking = null
    })
    return this.#marking
  }

  async #begun(): Promise<CountersMark> {
    const { marks } = this.#options
    let mark = await marks.read()
    if (mark === null) {
      // Nobody waits for a Redis that is away while the store is locked.
      await this.found()
      mark = await marks.begin((marker) => this.mark(marker, false))
    }
    this.#know(mark)
    return mark
  }

  #know(mark: CountersMark): void {
    this.#mark = mark
    this.#changes = mark.changes
    this.#savedChanges = mark.changes
    this.#answered = null
  }

  async #save(): Promise<void> {
    const mark = this.#mark
    if (mark === null || this.#changes === this.#savedChanges) return
    this.#savedAt = monotonicMs()
    this.#savedChanges = this.#changes
    await this.#options.marks.saw({ marker: mark.marker, changes: this.#changes })
  }

  #lost(): Fault {
    const { shown } = this.#options.address
    const fault = new Fault(
      'COUNTERS_LOST',
      `What was counted at '${shown}' is not there any more, or not all of it.`,
      { details: { counters: shown } },
    )
    if (!this.#isLostSaid)
      this.#options.log.error('calls with limits are denied: what was counted is lost', {
        reason: fault.message,
        cure: fault.help,
      })
    this.#isLostSaid = true
    return fault
  }

  #begin(): Operation {
    const place = this.#free.pop() ?? this.#places
    if (place === this.#places) {
      if (place >= MAX_UNDERWAY)
        throw new Fault('COUNTERS_UNAVAILABLE', 'Too many calls wait to be counted.')
      this.#places += 1
    }
    this.#lastId += 1
    return { place, id: this.#lastId }
  }

  #end({ place }: Operation): void {
    this.#free.push(place)
  }

  /** What goes on behind the back of whoever asked for it. */
  #keep(work: Promise<unknown>): void {
    const kept = work.catch((error: unknown) => {
      this.#options.log.warn('counters could not be put right', {
        reason: error instanceof Error ? error.message : '',
      })
    })
    this.#behind.add(kept)
    void kept.then(() => this.#behind.delete(kept))
  }

  /** Done, or still going on after the time that a call has. */
  async #shortly(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const time = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#patienceMs)
    })
    try {
      await Promise.race([work, time])
    } finally {
      clearTimeout(timer)
    }
  }

  async #listed(now: EpochMs, ended: '0' | '1', passed: number): Promise<readonly string[]> {
    return (await this.#run(LIST, [this.#key('counter')], () => [
      this.#clock(now),
      ended,
      String(passed),
    ])) as readonly string[]
  }

  /** What may be asked as often as it likes. */
  async #run(
    script: Script,
    keys: readonly string[],
    given: () => readonly string[],
  ): Promise<unknown> {
    try {
      return await this.#link.run(script, keys, given, await this.#until())
    } catch (error) {
      throw error instanceof Unanswered ? error.fault : error
    }
  }

  #clock(at: EpochMs): string {
    return this.#options.time === 'callers' ? String(at) : ''
  }

  async #until(): Promise<number> {
    await this.#link.loaded()
    return monotonicMs() + this.#patienceMs
  }

  #key(name: string): string {
    return `${this.#prefix}${name}`
  }

  #counter(name: string): string {
    return `${this.#prefix}counter:${name}`
  }
}

function shapeOf(window: CounterWindow): readonly [kind: string, length: string, part: string] {
  switch (window.kind) {
    case 'sliding':
      return ['s', String(window.lengthMs), String(window.partMs)]
    case 'calendar':
      return ['c', String(window.lengthMs), String(window.offsetMs)]
    case 'month':
      return ['m', '0', '0']
  }
}
