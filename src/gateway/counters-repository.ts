import type { Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import { type ToolLimit, windowAt } from '../policy/tool-policy/index.ts'

/** A limit, and which counter it is for one caller. */
export interface Charge {
  readonly limit: ToolLimit
  /** Server, name, scope with its id, window and algorithm: changing `max` keeps the count. */
  readonly counter: string
  /** In units of the limit. 0 always fits. */
  readonly amount: number
  /** Counted, and never a reason to refuse. */
  readonly isShadow: boolean
}

/** What was counted, and where: giving it back later does not touch another window. */
export interface Taken {
  readonly counter: string
  readonly bucket: number
  readonly amount: number
}

/** A limit that a call does not fit. */
export interface Exceeded {
  readonly exceeded: ToolLimit
  /** In units of the limit. */
  readonly remains: number
  /** When so much has ended that the call fits; null when it never does. */
  readonly resetsAt: EpochMs | null
}

export type Reserved = { readonly taken: readonly Taken[] } | Exceeded

/** Longest first, because a name of the document may hold what separates. */
export function counterOf(server: string, scopeId: string, limit: ToolLimit): string {
  const { counter, scope, window, algorithm, scale } = limit
  const key = [server, counter, scope, scopeId, window, algorithm]
  // What is counted in other units is another count.
  return JSON.stringify(scale === 0 ? key : [...key, scale])
}

/**
 * Counts one call against all of its limits, or against none when it does not fit one of them. Whoever calls holds the lock
 * of the audit tree, so counts of several processes do not overlap.
 */
export async function reserve(tx: Tx, charges: readonly Charge[], now: EpochMs): Promise<Reserved> {
  const taken: Taken[] = []
  const ends: EpochMs[] = []
  for (const { limit, counter, amount, isShadow } of strictestOf(charges)) {
    const { bucket, from, endOf } = windowAt(limit, now)
    const rows = await tx.all<{ bucket: number; used: number }>(
      'select bucket, used from gateway_counters where counter = ? and bucket >= ? order by bucket /*lock*/',
      [counter, from],
    )
    const used = rows.reduce((sum, row) => sum + row.used, 0)
    if (!isShadow && amount > 0 && used + amount > limit.max)
      return {
        exceeded: limit,
        remains: Math.max(0, limit.max - used),
        resetsAt: amount > limit.max ? null : resetOf(rows, limit.max - amount, endOf),
      }
    taken.push({ counter, bucket, amount })
    ends.push(endOf(bucket))
  }
  for (const [index, one] of taken.entries()) await add(tx, one, ends[index] ?? now, now)
  return { taken }
}

/** Gives back what a call took that the server never ran. */
export async function refund(tx: Tx, taken: readonly Taken[]): Promise<void> {
  for (const { counter, bucket, amount } of taken)
    await tx.run(
      'update gateway_counters set used = case when used > ? then used - ? else 0 end where counter = ? and bucket = ?',
      [amount, amount, counter, bucket],
    )
}

/** Puts what a call really cost in the place of what was taken, where it was taken. */
export async function correct(
  tx: Tx,
  corrections: readonly { readonly taken: Taken; readonly amount: number }[],
): Promise<void> {
  for (const { taken, amount } of corrections) {
    const more = amount - taken.amount
    await tx.run(
      'update gateway_counters set used = case when used + ? > 0 then used + ? else 0 end where counter = ? and bucket = ?',
      [more, more, taken.counter, taken.bucket],
    )
  }
}

/** Drops what no longer counts, of everybody. */
export async function dropEnded(tx: Tx, now: EpochMs): Promise<void> {
  await tx.run('delete from gateway_counters where ends_at <= ?', [now])
}

/** A counter that several limits name is charged once: the most, held against the lowest that is no shadow. */
function strictestOf(charges: readonly Charge[]): readonly Charge[] {
  const byCounter = new Map<string, Charge>()
  for (const charge of charges) {
    const other = byCounter.get(charge.counter)
    byCounter.set(charge.counter, other === undefined ? charge : stricter(other, charge))
  }
  return [...byCounter.values()]
}

function stricter(one: Charge, other: Charge): Charge {
  const amount = Math.max(one.amount, other.amount)
  if (one.isShadow !== other.isShadow) return { ...(one.isShadow ? other : one), amount }
  return { ...(other.limit.max < one.limit.max ? other : one), amount }
}

/** When so much has ended that no more than `most` is left. */
function resetOf(
  rows: readonly { readonly bucket: number; readonly used: number }[],
  most: number,
  endOf: (bucket: number) => EpochMs,
): EpochMs | null {
  let left = rows.reduce((sum, row) => sum + row.used, 0)
  for (const { bucket, used } of rows) {
    left -= used
    if (left <= most) return endOf(bucket)
  }
  return null
}

async function add(
  tx: Tx,
  { counter, bucket, amount }: Taken,
  endsAt: EpochMs,
  now: EpochMs,
): Promise<void> {
  const changed = await tx.run(
    'update gateway_counters set used = used + ? where counter = ? and bucket = ?',
    [amount, counter, bucket],
  )
  if (changed > 0) return
  await tx.run('delete from gateway_counters where counter = ? and ends_at <= ?', [counter, now])
  await tx.run(
    'insert into gateway_counters (counter, bucket, used, ends_at) values (?, ?, ?, ?)',
    [counter, bucket, amount, endsAt],
  )
}
