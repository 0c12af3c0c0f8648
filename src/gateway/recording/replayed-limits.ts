import {
  type CounterCharge,
  type CounterWindow,
  placeIn,
  strictestOf,
} from '../../core/counter-port.ts'
import type { EpochMs } from '../../core/time.ts'
import type { RecordedCall } from './recorded-call.ts'

/** A charge of a draft; `isKnown` false: how much is not recorded. */
export interface ReplayedCharge extends CounterCharge {
  readonly isKnown: boolean
}

/** What was counted for a call, and where. */
export interface Counted {
  readonly counter: string
  readonly bucket: number
  /** At least and at most. */
  readonly least: number
  readonly most: number
}

/** What would have been counted. */
export interface WouldCount<C extends ReplayedCharge = ReplayedCharge> extends Counted {
  readonly charge: C
  readonly isSure: boolean
}

/** Whether a call fits: all its limits; the first that it does not fit; or one of which it cannot be said. */
export type Fit<C> =
  | { readonly kind: 'fits' }
  | { readonly kind: 'exceeds'; readonly charge: C }
  | { readonly kind: 'open'; readonly charge: C }

interface Amounts {
  least: number
  most: number
}

/** What one counter holds, by bucket. */
class Count {
  readonly #buckets = new Map<number, Amounts>()

  /** All that counts from a bucket on; what is before is forgotten. */
  from(first: number): Amounts {
    const sum = { least: 0, most: 0 }
    for (const [bucket, { least, most }] of this.#buckets)
      if (bucket < first) this.#buckets.delete(bucket)
      else {
        sum.least += least
        sum.most += most
      }
    return sum
  }

  add(bucket: number, least: number, most: number): void {
    const held = this.#buckets.get(bucket) ?? { least: 0, most: 0 }
    this.#buckets.set(bucket, {
      least: Math.max(0, held.least + least),
      most: Math.max(0, held.most + most),
    })
  }
}

class Counts {
  readonly #counts = new Map<string, Count>()

  used(counter: string, window: CounterWindow, at: EpochMs): Amounts {
    return this.#of(counter).from(placeIn(window, at).from)
  }

  add(counter: string, bucket: number, least: number, most: number): void {
    this.#of(counter).add(bucket, least, most)
  }

  #of(counter: string): Count {
    const count = this.#counts.get(counter) ?? new Count()
    this.#counts.set(counter, count)
    return count
  }
}

/**
 * Limits over recorded calls, in their order: as they were, and as a draft would have them. What was counted beside the
 * recorded calls (before the first of them, by calls that are not recorded) is taken to be the least that explains what
 * became of those that are, so that the policy that judged them comes to the same.
 */
export class ReplayedLimits {
  readonly #were = new Counts()
  readonly #would = new Counts()
  /** By counter: what was counted beside the recorded calls, and until when it may count. */
  readonly #beside = new Map<string, { readonly amount: number; readonly until: number }>()

  /** Takes note of what a call was counted as. @returns what was taken for it */
  was({ at, charges, exceeded, verdict }: RecordedCall): readonly Counted[] {
    const reached = exceeded ?? charges.length
    for (const [place, charge] of charges.entries()) {
      const { counter, window, amount, max, isShadow } = charge
      if (isShadow || amount === 0 || place > reached) continue
      const { least } = this.#were.used(counter, window, at)
      const beside = this.#besideAt(counter, at)
      const room = max - amount - least
      // It fit, so there was no more than that; it did not, so there was more.
      const amountBeside =
        place === exceeded ? Math.max(beside, room + 1) : Math.min(beside, Math.max(0, room))
      const until = at + lengthFrom(window, at)
      this.#beside.set(counter, { amount: amountBeside, until })
    }
    if (verdict !== 'allowed') return []
    return strictestOf(charges).map(({ counter, window, amount }) => {
      const { bucket } = placeIn(window, at)
      this.#were.add(counter, bucket, amount, amount)
      return { counter, bucket, least: amount, most: amount }
    })
  }

  /** Whether a call would fit into the limits of the draft. */
  fit<C extends ReplayedCharge>(charges: readonly C[], at: EpochMs): Fit<C> {
    for (const charge of strictestOf(charges)) {
      const { counter, window, amount, max, isShadow, isKnown } = charge
      if (isShadow || (isKnown && amount === 0)) continue
      const used = this.#would.used(counter, window, at)
      const beside = this.#besideAt(counter, at)
      if (!isKnown) return { kind: 'open', charge }
      if (used.least + beside + amount > max) return { kind: 'exceeds', charge }
      if (used.most + beside + amount > max) return { kind: 'open', charge }
    }
    return { kind: 'fits' }
  }

  /** @param isSure whether it passed for sure: else it may have been counted or not */
  take<C extends ReplayedCharge>(
    charges: readonly C[],
    at: EpochMs,
    isSure: boolean,
  ): readonly WouldCount<C>[] {
    return strictestOf(charges).map((charge) => {
      const { counter, window, amount, max, isKnown } = charge
      const { bucket } = placeIn(window, at)
      const least = isSure && isKnown ? amount : 0
      const most = isKnown ? amount : max
      this.#would.add(counter, bucket, least, most)
      return { counter, bucket, least, most, charge, isSure }
    })
  }

  /** Gives back what was taken for a call that never ran. */
  giveBack(were: readonly Counted[], would: readonly Counted[]): void {
    for (const one of were) this.#were.add(one.counter, one.bucket, -one.least, -one.most)
    for (const one of would) this.#would.add(one.counter, one.bucket, -one.least, -one.most)
  }

  /** What a call turned out to cost takes the place of what was taken for it. */
  cost({ counter, bucket, least, most }: Counted, actual: number): void {
    this.#were.add(counter, bucket, actual - least, actual - most)
  }

  /** @param actual null: it is not recorded */
  wouldCost(
    { counter, bucket, least, most, isSure, charge }: WouldCount,
    actual: number | null,
  ): void {
    const [atLeast, atMost] = actual === null ? [0, Math.max(most, charge.max)] : [actual, actual]
    this.#would.add(counter, bucket, (isSure ? atLeast : 0) - least, atMost - most)
  }

  #besideAt(counter: string, at: EpochMs): number {
    const beside = this.#beside.get(counter)
    return beside === undefined || beside.until <= at ? 0 : beside.amount
  }
}

/** How long what counts at a moment may still do so. */
function lengthFrom(window: CounterWindow, at: EpochMs): number {
  return window.kind === 'sliding'
    ? window.lengthMs + window.partMs
    : placeIn(window, at).endsAt - at
}
