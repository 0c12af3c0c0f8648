import {
  type CounterCharge,
  placeIn,
  type Reserved,
  resetOf,
  type Taken,
} from '../core/counter-port.ts'
import { amountIn, chargeIn, leftIn, MOST, otherUnits, unitOf } from '../core/counter-units.ts'
import { allRows, changeRows, type Steps } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'

interface Counted {
  readonly bucket: number
  readonly used: number
}

/**
 * Counts one call against all of its limits, or against none when it does not fit into one of them. Whoever takes the
 * steps holds the lock of the audit tree, so counts of several processes do not overlap.
 */
export function* reserve<C extends CounterCharge>(
  charges: readonly C[],
  now: EpochMs,
): Steps<Reserved<C>> {
  const taken: Taken[] = []
  let shadow: C | null = null
  for (const charge of charges) {
    const { counter, amount, max, isShadow } = charge
    const { bucket, from, endsAt } = placeIn(charge.window, now)
    const one = { counter, bucket, amount }
    if (yield* fits(one, from, max)) {
      taken.push(one)
      continue
    }
    const counted = yield* inUnit(charge, now)
    const rows = yield* allRows<Counted>(
      'select bucket, used from gateway_counters where counter = ? and bucket >= ? order by bucket /*lock*/',
      [counted.counter, from],
    )
    let used = 0
    for (const row of rows) used += row.used
    if (amount > 0 && used + counted.amount > counted.max) {
      if (!isShadow) {
        yield* refund(taken)
        const left = leftIn(counted.max - used, counted.counter, counter)
        return { exceeded: { charge, left, resetsAt: resetOf(rows, counted) } }
      }
      shadow ??= charge
    }
    taken.push(one)
    const added = Math.min(counted.amount, Math.max(0, MOST - used))
    yield* add({ counter: counted.counter, bucket, amount: added }, endsAt, now)
  }
  return { taken, shadow }
}

interface Standing extends Counted {
  readonly counter: string
  readonly endsAt: EpochMs
}

/**
 * A charge as its counter is counted: in the finest unit of all that still counts. What was counted in others is counted
 * in that one from then on, so that one name at most holds what counts.
 */
function* inUnit<C extends CounterCharge>(charge: C, now: EpochMs): Steps<C> {
  const { counter } = charge
  const rows = yield* inUnits([counter, ...otherUnits(counter)])
  if (rows.every((row) => row.counter === counter)) return charge
  const standing = rows.filter(({ endsAt }) => endsAt > now)
  const finest = standing.map((row) => row.counter).reduce(finer, counter)
  for (const row of rows) {
    if (row.counter === finest && row.endsAt > now) continue
    yield* changeRows('delete from gateway_counters where counter = ? and bucket = ?', [
      row.counter,
      row.bucket,
    ])
    if (row.endsAt <= now) continue
    const amount = amountIn(row.used, unitOf(row.counter).scale, unitOf(finest).scale)
    yield* add({ counter: finest, bucket: row.bucket, amount }, row.endsAt, now)
  }
  return finest === counter ? charge : chargeIn(charge, finest)
}

function finer(one: string, other: string): string {
  return unitOf(other).scale > unitOf(one).scale ? other : one
}

function inUnits(counters: readonly string[]): Steps<readonly Standing[]> {
  return allRows<Standing>(
    `select counter, bucket, used, ends_at as "endsAt" from gateway_counters
     where counter in (${counters.map(() => '?').join(', ')}) /*lock*/`,
    counters,
  )
}

/** Counts what fits into a window that something was counted in before; most calls do. @returns whether it did */
function* fits({ counter, bucket, amount }: Taken, from: EpochMs, max: number): Steps<boolean> {
  const isOneBucket = from === bucket
  const sum = isOneBucket
    ? 'used'
    : '(select sum(used) from gateway_counters where counter = ? and bucket >= ?)'
  const changed = yield* changeRows(
    `update gateway_counters set used = used + ?
     where counter = ? and bucket = ? and ${sum} + ? <= ?`,
    [amount, counter, bucket, ...(isOneBucket ? [] : [counter, from]), amount, max],
  )
  return changed > 0
}

/** Gives back what a call took that the server never ran. */
export function* refund(taken: readonly Taken[]): Steps<void> {
  for (const { counter, bucket, amount } of taken) yield* change(counter, bucket, -amount)
}

/** What a call turned out to cost takes the place of what was reserved for it. */
export function* settle(taken: readonly Taken[], actual: ReadonlyMap<string, number>): Steps<void> {
  for (const { counter, bucket, amount } of taken) {
    const cost = actual.get(counter) ?? amount
    if (cost !== amount) yield* change(counter, bucket, cost - amount)
  }
}

/** Drops what no longer counts, of everybody. */
export function* dropEnded(now: EpochMs): Steps<void> {
  yield* changeRows('delete from gateway_counters where ends_at <= ?', [now])
}

/** Nothing is counted too: what a call turns out to cost is settled where it was taken. */
function* add({ counter, bucket, amount }: Taken, endsAt: EpochMs, now: EpochMs): Steps<void> {
  const changed = yield* changeRows(
    'update gateway_counters set used = used + ? where counter = ? and bucket = ?',
    [amount, counter, bucket],
  )
  if (changed > 0) return
  yield* changeRows('delete from gateway_counters where counter = ? and ends_at <= ?', [
    counter,
    now,
  ])
  yield* changeRows(
    'insert into gateway_counters (counter, bucket, used, ends_at) values (?, ?, ?, ?)',
    [counter, bucket, amount, endsAt],
  )
}

/** No count falls below zero. */
function* change(counter: string, bucket: number, by: number): Steps<void> {
  if (by === 0 || (yield* changed(counter, bucket, by)) > 0) return
  for (const other of yield* inUnits(otherUnits(counter)))
    if (other.bucket === bucket)
      yield* changed(
        other.counter,
        bucket,
        amountIn(by, unitOf(counter).scale, unitOf(other.counter).scale),
      )
}

function changed(counter: string, bucket: number, by: number): Steps<number> {
  return changeRows(
    `update gateway_counters set used =
       case when used + ? < 0 then 0 when used + ? > ${MOST} then ${MOST} else used + ? end
     where counter = ? and bucket = ?`,
    [by, by, by, counter, bucket],
  )
}
