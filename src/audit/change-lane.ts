import type { Durability, Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import type { Lane, Settled } from './lane.ts'

/**
 * A lane whose members change things one after another, in the order in which they came. Whatever one of them throws
 * undoes the group, and the ledger then runs each alone.
 */
export function changeLane<M, R>(
  name: string,
  change: (tx: Tx, member: M, at: EpochMs) => Promise<Settled<R>>,
  durability: Durability = 'now',
): Lane<M, R> {
  return {
    name,
    durability,
    async work(tx, members, at) {
      const settled: Settled<R>[] = []
      for (const member of members) settled.push(await change(tx, member, at))
      return settled
    },
  }
}
