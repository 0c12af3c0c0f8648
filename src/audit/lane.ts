import type { Durability, Tx } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { EpochMs } from '../core/time.ts'
import type { RecordDraft } from './record.ts'

/** How one member of a batch ended: what its caller gets, and what is recorded of it either way. */
export type Settled<R> = (
  | { readonly value: R; readonly record: RecordDraft | null }
  | { readonly fault: Fault; readonly record: RecordDraft | null }
) & {
  /** Recorded right after it. */
  readonly also?: readonly RecordDraft[]
}

/**
 * Work of one kind, done for all its members in a batch at once. It may change rows through `tx`; what it throws
 * undoes the whole group, which is then tried member by member, so that a bad member fails alone.
 */
export interface Lane<M, R> {
  readonly name: string
  /**
   * Default `now`. `soon` for what may be lost in a power cut, though not when this process ends: it is on the disk
   * within 50 ms. A batch with a member of another lane is durable at once.
   */
  readonly durability?: Durability
  work(tx: Tx, members: readonly M[], at: EpochMs): Promise<readonly Settled<R>[]>
}

/** A record that was committed. No other one has its MAC, though one may come to stand at its number. */
export interface RecordRef {
  readonly seq: number
  readonly mac: Uint8Array
}

export interface Committed<R> {
  readonly value: R
  /** Null when nothing was recorded of the member. */
  readonly record: RecordRef | null
}

/** A member with the lane that works for it. */
export interface LaneMember {
  readonly lane: Lane<unknown, unknown>
  readonly member: unknown
}

/**
 * Runs every lane once over its members; a lane that throws is run again member by member.
 *
 * @returns the members in the order in which they were worked on, which is the order of their records: a row's
 *   revisions then only grow from record to record
 */
export async function settleAll<W extends LaneMember>(
  tx: Tx,
  batch: readonly W[],
  at: EpochMs,
): Promise<readonly (readonly [W, Settled<unknown>])[]> {
  const groups = new Map<Lane<unknown, unknown>, W[]>()
  for (const waiting of batch) {
    const group = groups.get(waiting.lane)
    if (group === undefined) groups.set(waiting.lane, [waiting])
    else group.push(waiting)
  }
  const settled: (readonly [W, Settled<unknown>])[] = []
  for (const [lane, group] of groups) {
    const members = group.map((waiting) => waiting.member)
    const results = await settleGroup(tx, lane, members, at)
    for (const [index, waiting] of group.entries()) {
      const result = results[index]
      if (result === undefined) throw new Fault('INTERNAL', 'A lane did not settle its members.')
      settled.push([waiting, result])
    }
  }
  return settled
}

async function settleGroup(
  tx: Tx,
  lane: Lane<unknown, unknown>,
  members: readonly unknown[],
  at: EpochMs,
): Promise<readonly Settled<unknown>[]> {
  try {
    return await tx.savepoint(() => lane.work(tx, members, at))
  } catch (error) {
    if (members.length === 1) return [{ fault: asFault(error), record: null }]
  }
  const results: Settled<unknown>[] = []
  for (const member of members) results.push(...(await settleGroup(tx, lane, [member], at)))
  return results
}
