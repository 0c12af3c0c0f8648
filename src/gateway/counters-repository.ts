import { allRows, changeRows, type Steps } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import { type Charge, type ToolLimit, windowAt } from '../policy/tool-policy/index.ts'

/** What a call is counted as, and which counter that is for one caller. */
export interface CounterCharge extends Charge {
  /** Server, name, scope with its id, window and algorithm: changing `max` keeps the count. */
  readonly counter: string
}

/** What was counted, and where: giving it back later does not touch another window. */
export interface Taken {
  readonly counter: string
  readonly bucket: number
  /** In units of the limit. */
  readonly amount: number
}

/** A limit that a call does not fit into. */
export interface Exceeded {
  readonly limit: ToolLimit
  readonly amount: number
  /** What of `max` is not used. */
  readonly left: number
  /** When so much has ended that the call fits; null: never. */
  readonly resetsAt: EpochMs | null
}

export type Reserved =
  | {
      readonly taken: readonly Taken[]
      /** The limit of a rule in shadow that would have denied the call. */
      readonly shadow: ToolLimit | null
    }
  | { readonly exceeded: Exceeded }

/** Longest first, because a name of the document may hold what separates. */
export function counterOf(server: string, scopeId: string, limit: ToolLimit): string {
  const { counter, scope, window, algorithm, scale } = limit
  const key = [server, counter, scope, scopeId, window, algorithm]
  // What is counted in other units is another count.
  return JSON.stringify(scale === 0 ? key : [...key, scale])
}

interface Counted {
  readonly bucket: number
  readonly used: number
}

/**
 * Counts one call against all of its limits, or against none when it does not fit into one of them. Whoever takes the
 * steps holds the lock of the audit tree, so counts of several processes do not overlap.
 */
export function* reserve(charges: readonly CounterCharge[], now: EpochMs): Steps<Reserved> {
  const taken: Taken[] = []
  let shadow: ToolLimit | null = null
  for (const { limit, counter, amount, isShadow } of strictestOf(charges)) {
    const { bucket, from, endOf } = windowAt(limit, now)
    const one = { counter, bucket, amount }
    if (yield* fits(one, from, limit.max)) {
      taken.push(one)
      continue
    }
    const rows = yield* allRows<Counted>(
      'select bucket, used from gateway_counters where counter = ? and bucket >= ? order by bucket /*lock*/',
      [counter, from],
    )
    let used = 0
    for (const row of rows) used += row.used
    if (amount > 0 && used + amount > limit.max) {
      if (!isShadow) {
        yield* refund(taken)
        const resetsAt = resetOf(rows, used, limit.max - amount, endOf)
        return { exceeded: { limit, amount, left: Math.max(0, limit.max - used), resetsAt } }
      }
      shadow ??= limit
    }
    taken.push(one)
    yield* add(one, endOf(bucket), now)
  }
  return { taken, shadow }
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

/** A counter that two limits name is charged once, the higher amount, by the lower one. */
function strictestOf(charges: readonly CounterCharge[]): readonly CounterCharge[] {
  if (charges.length < 2) return charges
  const byCounter = new Map<string, CounterCharge>()
  for (const charge of charges) {
    const other = byCounter.get(charge.counter)
    if (other === undefined) byCounter.set(charge.counter, charge)
    else {
      const isStricter =
        other.isShadow === charge.isShadow ? charge.limit.max < other.limit.max : other.isShadow
      byCounter.set(charge.counter, {
        ...(isStricter ? charge : other),
        amount: Math.max(charge.amount, other.amount),
      })
    }
  }
  return [...byCounter.values()]
}

/** When so much has ended that no more than `fits` is used. */
function resetOf(
  rows: readonly Counted[],
  used: number,
  fits: number,
  endOf: (bucket: number) => EpochMs,
): EpochMs | null {
  let left = used
  if (fits < 0) return null
  for (const row of rows) {
    left -= row.used
    if (left <= fits) return endOf(row.bucket)
  }
  return null
}

function* add({ counter, bucket, amount }: Taken, endsAt: EpochMs, now: EpochMs): Steps<void> {
  if (amount === 0) return
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
  if (by !== 0)
    yield* changeRows(
      `update gateway_counters set used = case when used + ? < 0 then 0 else used + ? end
       where counter = ? and bucket = ?`,
      [by, by, counter, bucket],
    )
}
