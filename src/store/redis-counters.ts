import {
  type CounterCharge,
  type Counters,
  type CounterWindow,
  type Reserved,
  resetOf,
  type StandingCount,
  type Taken,
} from '../core/counter-port.ts'
import { counterIn, unitOf } from '../core/counter-units.ts'
import { type EpochMs, monotonicMs } from '../core/time.ts'
import {
  type CountersMark,
  type Operation,
  RedisChanges,
  type RedisCountersOptions,
} from './redis-counters-changes.ts'
import { Unanswered } from './redis-counters-link.ts'
import { CHANGE, DROP, LIST, LOOK, TAKE, UNDO } from './redis-counters-scripts.ts'

export type { CountersMark, CountersMarks, RedisCountersOptions } from './redis-counters-changes.ts'

/** For so long what need not be waited for is tried: giving back, settling, undoing what was not answered. */
const BEHIND_MS = 60_000
const MAX_LISTED = 100_000
const MAX_SHOWN = 10_000

/**
 * Counters in Redis or Valkey, for many nodes. One round trip counts all charges of a call or none. Whatever cannot be
 * counted in time is denied, and what a late answer would have taken is undone.
 */
export class RedisCounters implements Counters {
  readonly #options: RedisCountersOptions
  readonly #changes: RedisChanges

  constructor(options: RedisCountersOptions) {
    this.#options = options
    this.#changes = new RedisChanges(options)
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
    await this.#changes.check()
    const found: StandingCount[] = []
    for (let passed = 0; passed < MAX_LISTED; ) {
      const [at = '0', ...names] = await this.#listed(now, '0', passed)
      if (names.length === 0) break
      passed += names.length
      const said = (await this.#changes.read(
        LOOK,
        names.map((name) => this.#changes.counter(name)),
        () => [at],
      )) as readonly string[]
      for (const [index, counter] of names.entries()) {
        const [used, endsAt, scale = 0] = (said[index] ?? '').split(' ').map(Number)
        if (used !== undefined && endsAt !== undefined && used > 0 && endsAt > Number(at))
          found.push({ counter: counterIn(counter, scale), used, endsAt })
      }
    }
    return found
      .toSorted((a, b) => b.used - a.used || (a.counter < b.counter ? -1 : 1))
      .slice(0, MAX_SHOWN)
  }

  /** Counters end by themselves; what goes is their names in the list. */
  async tidy(now: EpochMs): Promise<void> {
    for (let passed = 0; passed < MAX_LISTED; ) {
      const [, ...names] = await this.#listed(now, '1', passed)
      if (names.length === 0) return
      const keys = [
        this.#changes.key('counter'),
        ...names.map((name) => this.#changes.counter(name)),
      ]
      passed += names.length - Number(await this.#changes.read(DROP, keys, () => []))
    }
  }

  /** As `RedisChanges` has them. */
  mark(marker: string, isForced: boolean): Promise<CountersMark> {
    return this.#changes.mark(marker, isForced)
  }

  found(): Promise<CountersMark | null> {
    return this.#changes.found()
  }

  check(): Promise<{ readonly isLogged: boolean }> {
    return this.#changes.check()
  }

  close(): Promise<void> {
    return this.#changes.close()
  }

  async #take<C extends CounterCharge>(charges: readonly C[], at: EpochMs): Promise<Reserved<C>> {
    const units = charges.map(({ counter }) => unitOf(counter))
    const counters = units.map(({ base }) => base)
    const own = [
      this.#clock(at),
      ...charges.flatMap(({ amount, max, isShadow, window }, index) => [
        String(amount),
        String(max),
        isShadow ? '1' : '0',
        ...shapeOf(window),
        String(units[index]?.scale ?? 0),
      ]),
    ]
    const operation = this.#changes.begin()
    let said: readonly string[]
    try {
      const until = await this.#changes.until()
      said = (await this.#changes.make(TAKE, operation, counters, own, until)).split(' ')
    } catch (error) {
      if (error instanceof Unanswered && error.wasSent) {
        const undone = this.#undo(operation, counters, charges)
        this.#changes.keep(undone)
      } else this.#changes.end(operation)
      throw error instanceof Unanswered ? error.fault : error
    }
    this.#changes.end(operation)
    const [kind, first = '', ...rest] = said
    if (kind === 't') {
      const taken = charges.map(({ counter, amount }, index) => ({
        counter,
        bucket: Number(rest[index + 1]),
        amount,
      }))
      return { taken, shadow: charges[Number(rest[0])] ?? null }
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
        left: Math.max(0, Math.floor(charge.max - used)),
        resetsAt: resetOf(buckets, charge),
      },
    }
  }

  #change(
    asked: readonly { readonly counter: string; readonly bucket: number; readonly by: number }[],
  ): void | Promise<void> {
    const changes = asked.filter(({ by }) => by !== 0)
    if (changes.length === 0) return undefined
    const done = this.#changed(changes)
    this.#changes.keep(done)
    return this.#shortly(done)
  }

  async #changed(
    changes: readonly { readonly counter: string; readonly bucket: number; readonly by: number }[],
  ): Promise<void> {
    const operation = this.#changes.begin()
    try {
      await this.#changes.make(
        CHANGE,
        operation,
        changes.map(({ counter }) => unitOf(counter).base),
        [
          '',
          ...changes.flatMap(({ counter, bucket, by }) => [
            String(bucket),
            String(by),
            String(unitOf(counter).scale),
          ]),
        ],
        monotonicMs() + BEHIND_MS,
      )
    } catch (error) {
      throw error instanceof Unanswered ? error.fault : error
    } finally {
      this.#changes.end(operation)
    }
  }

  async #undo(
    operation: Operation,
    counters: readonly string[],
    charges: readonly CounterCharge[],
  ): Promise<void> {
    const own = [
      '',
      ...charges.flatMap(({ counter, amount }) => [String(amount), String(unitOf(counter).scale)]),
    ]
    try {
      await this.#changes.make(UNDO, operation, counters, own, monotonicMs() + BEHIND_MS)
    } finally {
      this.#changes.end(operation)
    }
  }

  /** Done, or still going on after the time that a call has. */
  async #shortly(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const time = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#changes.patienceMs)
    })
    try {
      await Promise.race([work, time])
    } finally {
      clearTimeout(timer)
    }
  }

  async #listed(now: EpochMs, ended: '0' | '1', passed: number): Promise<readonly string[]> {
    return (await this.#changes.read(LIST, [this.#changes.key('counter')], () => [
      this.#clock(now),
      ended,
      String(passed),
    ])) as readonly string[]
  }

  #clock(at: EpochMs): string {
    return this.#options.time === 'callers' ? String(at) : ''
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
