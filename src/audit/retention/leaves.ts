import type { Reader } from '../../core/db-port.ts'
import { recordsAfter } from '../audit-repository.ts'
import { leafHash } from '../tree.ts'
import { type Leaf, prunedLeaves, prunedSize } from './retention-repository.ts'

/**
 * The leaves of the tree on one snapshot, whether their records are still there or were pruned.
 *
 * @param after begins with the one after this
 * @param until ends with this one
 * @returns pages, oldest first; they end early where records are missing
 */
export async function* leavesBetween(
  reader: Reader,
  after: number,
  until: number,
  page: number,
): AsyncGenerator<readonly Leaf[]> {
  const pruned = await prunedSize(reader)
  let last = after
  while (last < until) {
    const limit = Math.min(page, until - last)
    const leaves =
      last < pruned
        ? await prunedLeaves(reader, last, limit)
        : (await recordsAfter(reader, last, limit)).map(({ seq, body }) => ({
            seq,
            hash: leafHash(body),
          }))
    if (leaves.length === 0 || leaves.some(({ seq }, at) => seq !== last + 1 + at)) return
    last += leaves.length
    yield leaves
  }
}
