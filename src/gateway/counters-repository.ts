import type { Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import { type ToolLimit, windowAt } from '../policy/tool-policy/index.ts'

/** A limit, and which counter it is for one caller. */
export interface Charge {
  readonly limit: ToolLimit
  /** Server, name, scope with its id, window and algorithm: changing `max` keeps the count. */
  readonly counter: string
}

/** One call that was counted, and where: giving it back later does not touch another window. */
export interface Taken {
  readonly counter: string
  readonly bucket: number
}

export type Reserved =
  | { readonly taken: readonly Taken[] }
  | { readonly exceeded: ToolLimit; readonly resetsAt: EpochMs | null }

/** Longest first, because a name of the document may hold what separates. */
export function counterOf(server: string, scopeId: string, limit: ToolLimit): string {
  const { counter, scope, window, algorithm, scale } = limit
  const key = [server, counter, scope, scopeId, window, algorithm]
  // What is counted in other units is another count.
  return JSON.stringify(scale === 0 ? key : [...key, scale])
}

/**
 * Counts one call against all of its limits, or against none when one of them is reached. Whoever calls holds the lock
 * of the audit tree, so counts of several processes do not overlap.
 */
export async function reserve(tx: Tx, charges: readonly Charge[], now: EpochMs): Promise<Reserved> {
  const taken: Taken[] = []
  const ends: EpochMs[] = []
  for (const { limit, counter } of strictestOf(charges)) {
    const { bucket, from, endOf } = windowAt(limit, now)
    const rows = await tx.all<{ bucket: number; used: number }>(
      'select bucket, used from gateway_counters where counter = ? and bucket >= ? order by bucket /*lock*/',
      [counter, from],
    )
    const used = rows.reduce((sum, row) => sum + row.used, 0)
    if (used >= limit.max)
      return { exceeded: limit, resetsAt: limit.max === 0 ? null : resetOf(rows, limit.max, endOf) }
    taken.push({ counter, bucket })
    ends.push(endOf(bucket))
  }
  for (const [index, { counter, bucket }] of taken.entries())
    await add(tx, counter, bucket, ends[index] ?? now, now)
  return { taken }
}

/** Gives back what a call took that the server never ran. */
export async function refund(tx: Tx, taken: readonly Taken[]): Promise<void> {
  for (const { counter, bucket } of taken)
    await tx.run(
      'update gateway_counters set used = used - 1 where counter = ? and bucket = ? and used > 0',
      [counter, bucket],
    )
}

/** Drops what no longer counts, of everybody. */
export async function dropEnded(tx: Tx, now: EpochMs): Promise<void> {
  await tx.run('delete from gateway_counters where ends_at <= ?', [now])
}

/** A counter that two limits name is charged once, by the lower one. */
function strictestOf(charges: readonly Charge[]): readonly Charge[] {
  const byCounter = new Map<string, Charge>()
  for (const charge of charges) {
    const other = byCounter.get(charge.counter)
    if (other === undefined || charge.limit.max < other.limit.max)
      byCounter.set(charge.counter, charge)
  }
  return [...byCounter.values()]
}

/** When so much has ended that one more call fits. */
function resetOf(
  rows: readonly { readonly bucket: number; readonly used: number }[],
  max: number,
  endOf: (bucket: number) => EpochMs,
): EpochMs | null {
  let left = rows.reduce((sum, row) => sum + row.used, 0)
  for (const { bucket, used } of rows) {
    left -= used
    if (left < max) return endOf(bucket)
  }
  return null
}

async function add(
  tx: Tx,
  counter: string,
  bucket: number,
  endsAt: EpochMs,
  now: EpochMs,
): Promise<void> {
  const changed = await tx.run(
    'update gateway_counters set used = used + 1 where counter = ? and bucket = ?',
    [counter, bucket],
  )
  if (changed > 0) return
  await tx.run('delete from gateway_counters where counter = ? and ends_at <= ?', [counter, now])
  await tx.run(
    'insert into gateway_counters (counter, bucket, used, ends_at) values (?, ?, 1, ?)',
    [counter, bucket, endsAt],
  )
}
