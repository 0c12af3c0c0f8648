import { amountIn, areOfOneCounter, maxIn, unitOf } from './counter-units.ts'
import { type EpochMs, epochMs } from './time.ts'

/** How long what was counted counts. */
export type CounterWindow =
  /** Never more than the limit in any interval of the length; counted in parts of it. Milliseconds. */
  | { readonly kind: 'sliding'; readonly lengthMs: number; readonly partMs: number }
  /** Begins anew at multiples of the length, in UTC, moved by an offset. Milliseconds. */
  | { readonly kind: 'calendar'; readonly lengthMs: number; readonly offsetMs: number }
  /** Of the calendar, in UTC. */
  | { readonly kind: 'month' }

/** Where something is counted at a moment, and what counts against it. */
export interface CounterPlace {
  /** It is counted here. */
  readonly bucket: EpochMs
  /** All buckets from this one on count, those of a clock that was ahead too. */
  readonly from: EpochMs
  /** When what is counted in `bucket` no longer counts; for another bucket, as much earlier or later. */
  readonly endsAt: EpochMs
}

/** What a call is counted as, by one limit. */
export interface CounterCharge {
  /**
   * Names the counter, whatever the limit's `max`: changing that keeps the count. Names of one counter in several units,
   * see `unitOf`, are counted together, in the finest of them that still counts.
   */
  readonly counter: string
  readonly window: CounterWindow
  /** 0 always fits. Whole, at most 2^53 - 1, as is `max`. */
  readonly amount: number
  readonly max: number
  /** It is counted, and what it would deny passes. */
  readonly isShadow: boolean
}

/** What was counted, and where: giving it back later does not touch another window. */
export interface Taken {
  readonly counter: string
  readonly bucket: number
  readonly amount: number
}

/** A charge that did not fit. */
export interface Exceeded<C extends CounterCharge = CounterCharge> {
  readonly charge: C
  /** What of `max` is not used. */
  readonly left: number
  /** When so much has ended that it fits; null: never. */
  readonly resetsAt: EpochMs | null
}

export type Reserved<C extends CounterCharge = CounterCharge> =
  | {
      readonly taken: readonly Taken[]
      /** The first charge in shadow that did not fit. */
      readonly shadow: C | null
    }
  | { readonly exceeded: Exceeded<C> }

/** What one counter holds that still counts. */
export interface StandingCount {
  readonly counter: string
  readonly used: number
  /** When the first of it no longer counts. */
  readonly endsAt: number
}

/**
 * Counters that all processes share and that stand apart from the store's transactions. What was taken counts from then
 * on, whatever becomes of the process that took it.
 */
export interface Counters {
  /**
   * Counts all charges, or none when one of them does not fit.
   *
   * @param charges no two of one counter, see `strictestOf`
   * @param at the caller's clock
   * @throws {Fault} when they cannot be counted: then nothing may go on
   */
  take<C extends CounterCharge>(
    charges: readonly C[],
    at: EpochMs,
  ): Reserved<C> | Promise<Reserved<C>>
  /** Gives back what a call took that was never run. No count falls below zero. */
  refund(taken: readonly Taken[]): void | Promise<void>
  /** What a call turned out to cost, by counter, takes the place of what was taken for it. */
  settle(taken: readonly Taken[], actual: ReadonlyMap<string, number>): void | Promise<void>
  /** Counters that count now, those that are used most first, at most 10,000. */
  look(now: EpochMs): Promise<readonly StandingCount[]>
  /** Drops what no longer counts. */
  tidy(now: EpochMs): Promise<void>
}

export function placeIn(window: CounterWindow, at: EpochMs): CounterPlace {
  if (window.kind === 'month') return monthAt(at)
  const { lengthMs } = window
  if (window.kind === 'calendar') {
    const { offsetMs } = window
    const start = Math.floor((at - offsetMs) / lengthMs) * lengthMs + offsetMs
    return { bucket: epochMs(start), from: epochMs(start), endsAt: epochMs(start + lengthMs) }
  }
  const { partMs } = window
  const bucket = Math.floor(at / partMs) * partMs
  return {
    bucket: epochMs(bucket),
    from: epochMs(Math.floor((at - lengthMs) / partMs) * partMs),
    endsAt: epochMs(bucket + partMs + lengthMs),
  }
}

function monthAt(at: EpochMs): CounterPlace {
  const date = new Date(at)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const start = epochMs(Date.UTC(year, month))
  return { bucket: start, from: start, endsAt: epochMs(Date.UTC(year, month + 1)) }
}

/** A counter that two charges name is charged once, the higher amount, by the lower limit; one that denies goes first. */
export function strictestOf<C extends CounterCharge>(charges: readonly C[]): readonly C[] {
  if (areOfDifferentCounters(charges)) return charges
  const byCounter = new Map<string, C>()
  for (const charge of charges) {
    const { base, scale } = unitOf(charge.counter)
    const other = byCounter.get(base)
    if (other === undefined) {
      byCounter.set(base, charge)
      continue
    }
    const from = unitOf(other.counter).scale
    const finest = Math.max(scale, from)
    const isStricter =
      other.isShadow === charge.isShadow
        ? maxIn(charge.max, scale, finest) < maxIn(other.max, from, finest)
        : other.isShadow
    const amount = isStricter
      ? Math.max(charge.amount, amountIn(other.amount, from, scale))
      : Math.max(other.amount, amountIn(charge.amount, scale, from))
    byCounter.set(base, { ...(isStricter ? charge : other), amount })
  }
  return [...byCounter.values()]
}

function areOfDifferentCounters(charges: readonly CounterCharge[]): boolean {
  for (let at = 1; at < charges.length; at += 1)
    for (let before = 0; before < at; before += 1)
      if (areOfOneCounter(charges[at]?.counter ?? '', charges[before]?.counter ?? '')) return false
  return true
}

/**
 * When so much has ended that a charge fits; null: never.
 *
 * @param buckets what counts now; one without an end of its own ends as its window says
 */
export function resetOf(
  buckets: Iterable<{ readonly bucket: number; readonly used: number; readonly endsAt?: number }>,
  { amount, max, window }: CounterCharge,
): EpochMs | null {
  if (amount > max) return null
  const ends = Array.from(buckets, ({ bucket, used, endsAt }) => ({
    used,
    endsAt: endsAt ?? placeIn(window, epochMs(bucket)).endsAt,
  })).toSorted((one, other) => one.endsAt - other.endsAt)
  let left = ends.reduce((sum, { used }) => sum + used, 0)
  for (const { used, endsAt } of ends) {
    left -= used
    if (left + amount <= max) return epochMs(endsAt)
  }
  return null
}
