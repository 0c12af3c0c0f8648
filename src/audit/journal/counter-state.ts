import {
  type CounterCharge,
  placeIn,
  type Reserved,
  resetOf,
  type Taken,
} from '../../core/counter-port.ts'
import { amountIn, chargeIn, leftIn, MOST, otherUnits, unitOf } from '../../core/counter-units.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'

/** A bucket of a counter, as a row holds it. */
export interface CountRow {
  readonly counter: string
  readonly bucket: number
  readonly used: number
  readonly endsAt: number
}

export interface Bucket {
  readonly bucket: number
  endsAt: number
  used: number
  /** Whether it differs from its row in the store, for all that is known. */
  isChanged: boolean
  /** Whether it ended. */
  isOver: boolean
}

/** What changed, as it was at one moment. */
export interface ChangedCounts {
  readonly rows: readonly CountRow[]
  /** What ended by then counts nowhere any more, whatever the clock says later. */
  readonly endedBy: EpochMs
  readonly buckets: readonly (readonly [counter: string, bucket: Bucket])[]
}

/** One counter: its buckets, what ends first first, and their sum. */
interface Count {
  readonly buckets: Bucket[]
  used: number
}

/** Clocks of one machine differ by less; a larger step back is a clock that was put right. */
const MOST_BACK_MS = 10_000

/**
 * What is counted, as all charges so far make it: a pure function of the charges, their order and their times, so that
 * whoever takes them in the same order decides alike.
 */
export class CounterState {
  readonly #counts = new Map<string, Count>()
  #changed: (readonly [counter: string, bucket: Bucket])[] = []
  #lastAt: EpochMs
  /** Everything that ended by then is dropped, here and in the store. */
  #endedBy: EpochMs

  constructor(rows: Iterable<CountRow> = [], lastAt: EpochMs = epochMs(0)) {
    this.#lastAt = lastAt
    this.#endedBy = lastAt
    for (const { counter, bucket, used, endsAt } of rows)
      this.#load(counter, heldAt(bucket, endsAt, used))
  }

  /** Rows of one counter in several units are of an earlier version, which counted them apart. */
  #load(counter: string, held: Bucket): void {
    const other = this.#counts.has(counter) ? null : this.#otherUnit(counter)
    if (other === null) insert(this.#of(counter), held)
    else if (unitOf(other).scale < unitOf(counter).scale) {
      this.#refine(other, counter)
      this.#merge(counter, counter, held)
    } else this.#merge(other, counter, held)
  }

  /** Counts what was counted in one unit in a finer one. */
  #refine(from: string, to: string): void {
    const { buckets } = this.#of(from)
    this.#counts.delete(from)
    for (const held of buckets) this.#merge(to, from, held)
  }

  #merge(to: string, from: string, held: Bucket): void {
    const { bucket, endsAt } = held
    const used = amountIn(held.used, unitOf(from).scale, unitOf(to).scale)
    const count = this.#of(to)
    let there = count.buckets.find((one) => one.bucket === bucket)
    if (there === undefined) {
      there = heldAt(bucket, endsAt, 0)
      insert(count, there)
    }
    const added = Math.min(used, Math.max(0, MOST - count.used))
    there.used += added
    count.used += added
    if (from === to) return
    // Its row counts nowhere any more, and is dropped as one that ended.
    held.used = 0
    held.endsAt = 0
    this.#note(from, held)
    this.#note(to, there)
  }

  #otherUnit(counter: string): string | null {
    return otherUnits(counter).find((other) => this.#counts.has(other)) ?? null
  }

  /** A charge as its counter is counted: in the finest unit of all that still counts. */
  #inUnit<C extends CounterCharge>(charge: C, at: EpochMs): C {
    const { counter } = charge
    const other = this.#counts.has(counter) ? null : this.#otherUnit(counter)
    if (other === null) return charge
    const count = this.#of(other)
    standing(count, at)
    if (count.buckets.length === 0) this.#counts.delete(other)
    else if (unitOf(other).scale > unitOf(counter).scale) return chargeIn(charge, other)
    else this.#refine(other, counter)
    return charge
  }

  /** Of the last charge. */
  get lastAt(): EpochMs {
    return this.#lastAt
  }

  /**
   * The time that counts for what comes next: never before that of what came before, so that nothing ends twice. A
   * clock that was ahead and put right does not stop the windows until it is there again: what was counted ahead counts
   * as of now, beside what comes.
   */
  timeOf(at: EpochMs): EpochMs {
    if (at >= this.#lastAt) {
      this.#lastAt = at
      if (at > this.#endedBy) this.#endedBy = at
    } else if (this.#lastAt - at > MOST_BACK_MS) {
      this.dropEnded()
      this.#lastAt = at
      for (const [counter, count] of this.#counts) this.#countAsOf(at, counter, count)
    }
    return this.#lastAt
  }

  /** Nothing counts for longer than its window from now on. */
  #countAsOf(at: EpochMs, counter: string, { buckets }: Count): void {
    for (const held of buckets) {
      const endsAt = Math.min(held.endsAt, at + held.endsAt - held.bucket)
      if (endsAt === held.endsAt) continue
      held.endsAt = endsAt
      this.#note(counter, held)
    }
    inOrder(buckets)
  }

  /** Counts all charges, or none when one of them does not fit. @param at as `timeOf` told */
  take<C extends CounterCharge>(charges: readonly C[], at: EpochMs): Reserved<C> {
    let shadow: C | null = null
    for (const charge of charges) {
      let counted = charge
      let count = this.#counts.get(charge.counter)
      if (count === undefined) {
        counted = this.#inUnit(charge, at)
        count = this.#counts.get(counted.counter)
      }
      const { amount, max } = counted
      const used = count === undefined ? 0 : standing(count, at)
      if (amount === 0 || used + amount <= max) continue
      if (charge.isShadow) {
        shadow ??= charge
        continue
      }
      const left = leftIn(max - used, counted.counter, charge.counter)
      const resetsAt = resetOf(count?.buckets ?? [], counted)
      return { exceeded: { charge, left, resetsAt } }
    }
    return { taken: charges.map((charge) => this.#add(charge, at)), shadow }
  }

  /** No bucket falls below nothing; one that has ended stays ended. */
  change(named: string, bucket: number, asked: number): void {
    const counter = this.#counts.has(named) ? named : (this.#otherUnit(named) ?? named)
    const count = this.#counts.get(counter)
    const held = count?.buckets.find((one) => one.bucket === bucket)
    if (count === undefined || held === undefined) return
    const by =
      counter === named ? asked : amountIn(asked, unitOf(named).scale, unitOf(counter).scale)
    const used = Math.min(MOST, Math.max(0, held.used + by))
    count.used += used - held.used
    held.used = used
    this.#note(counter, held)
  }

  /** What the store does not know yet; to be put back where it does not come to know it. */
  takeChanged(): ChangedCounts {
    const buckets = this.#changed
    const endedBy = this.#endedBy
    this.#changed = []
    this.#endedBy = this.#lastAt
    const rows: CountRow[] = []
    for (const [counter, held] of buckets) {
      held.isChanged = false
      if (!held.isOver)
        rows.push({ counter, bucket: held.bucket, used: held.used, endsAt: held.endsAt })
    }
    return { rows, endedBy, buckets }
  }

  putBack({ buckets, endedBy }: ChangedCounts): void {
    for (const [counter, held] of buckets) this.#note(counter, held)
    if (endedBy > this.#endedBy) this.#endedBy = endedBy
  }

  /** Forgets what no longer counts as of the last charge. */
  dropEnded(): void {
    for (const [counter, count] of this.#counts) {
      standing(count, this.#lastAt)
      if (count.buckets.length === 0) this.#counts.delete(counter)
    }
  }

  #add(charge: CounterCharge, at: EpochMs): Taken {
    let counted = charge
    let count = this.#counts.get(charge.counter)
    if (count === undefined) {
      counted = this.#inUnit(charge, at)
      // Nothing is counted too: what a call turns out to cost is settled where it was taken.
      count = this.#of(counted.counter)
    }
    const place = placeIn(charge.window, at)
    const { bucket } = place
    const last = count.buckets.at(-1)
    let held = last?.bucket === bucket ? last : count.buckets.find((one) => one.bucket === bucket)
    if (held === undefined) {
      held = heldAt(bucket, place.endsAt, 0)
      insert(count, held)
    } else if (held.endsAt < place.endsAt) {
      // It was counted as of another time before.
      held.endsAt = place.endsAt
      inOrder(count.buckets)
    }
    const added = Math.min(counted.amount, Math.max(0, MOST - count.used))
    held.used += added
    count.used += added
    this.#note(counted.counter, held)
    return { counter: charge.counter, bucket, amount: charge.amount }
  }

  #of(counter: string): Count {
    let count = this.#counts.get(counter)
    if (count === undefined) {
      count = { buckets: [], used: 0 }
      this.#counts.set(counter, count)
    }
    return count
  }

  #note(counter: string, bucket: Bucket): void {
    if (bucket.isChanged) return
    bucket.isChanged = true
    this.#changed.push([counter, bucket])
  }
}

function heldAt(bucket: number, endsAt: number, used: number): Bucket {
  return { bucket, endsAt, used, isChanged: false, isOver: false }
}

/** What counts at a time. What has ended by then is dropped. */
function standing(count: Count, at: EpochMs): number {
  const { buckets } = count
  for (let first = buckets[0]; first !== undefined && first.endsAt <= at; first = buckets[0]) {
    count.used -= first.used
    first.isOver = true
    buckets.shift()
  }
  return count.used
}

function inOrder(buckets: Bucket[]): void {
  buckets.sort((one, other) => one.endsAt - other.endsAt)
}

function insert(count: Count, bucket: Bucket): void {
  const { buckets } = count
  let at = buckets.length
  while (at > 0 && (buckets[at - 1]?.endsAt ?? 0) > bucket.endsAt) at -= 1
  buckets.splice(at, 0, bucket)
  count.used += bucket.used
}
