import type { Reader } from '../../core/db-port.ts'
import { Frontier } from '../tree.ts'
import type { Found } from '../verify.ts'
import {
  countRecordsTo,
  prunedLeaves,
  prunedSize,
  type RetentionTable,
  readVouched,
  type Vouched,
} from './retention-repository.ts'
import { vouchedDigest } from './vouched.ts'

const PAGE = 4_096

/** What a walk over the records begins with: all that is left of those that were pruned. */
export interface Base {
  /** How many were pruned. */
  readonly size: number
  readonly frontier: Frontier
  /** The tree when it had the head's size, if that lies within. */
  readonly atHead: Buffer | null
  readonly revisions: Map<string, Vouched>
}

/** Holds what is left of pruned records against the row that says how far they were pruned. */
export async function prunedBase(
  reader: Reader,
  table: RetentionTable,
  headSize: number,
  found: Found,
): Promise<Base> {
  const frontier = new Frontier()
  let atHead = headSize === 0 ? frontier.pack() : null
  // A row that was changed is found with all other rows; here it counts as it stands.
  const [row] = await table.stored(reader)
  const size = row?.size ?? 0
  if ((await prunedSize(reader)) !== size)
    found('pruned-changed', `the hashes of pruned records do not end with record ${size}`)
  while (frontier.size < size) {
    const leaves = await prunedLeaves(reader, frontier.size, Math.min(PAGE, size - frontier.size))
    if (leaves.length === 0) break
    for (const { hash } of leaves) {
      frontier.append(hash)
      if (frontier.size === headSize) atHead = frontier.pack()
    }
  }
  if (row !== undefined && !(frontier.size === size && frontier.pack().equals(row.frontier)))
    found('pruned-changed', 'the hashes of pruned records do not add up to what was pruned')
  const revisions = await readVouched(reader)
  const isVouched =
    row === undefined ? revisions.size === 0 : vouchedDigest(revisions).equals(row.vouched)
  if (!isVouched) found('pruned-changed', 'what pruned records vouched for is not what they said')
  if (size > 0 && (await countRecordsTo(reader, size)) > 0)
    found('record-added', `there are records before number ${size + 1}, which were pruned`)
  if (frontier.size === size) return { size, frontier, atHead, revisions }
  // Without its hashes the tree cannot be followed further; one finding says so, and the records are looked at all the same.
  const told = row === undefined ? new Frontier() : trusted(size, row.frontier)
  return { size, frontier: told, atHead, revisions }
}

/** The frontier as the row tells it, or an empty one when it is not even of that size. */
function trusted(size: number, packed: Uint8Array): Frontier {
  try {
    return new Frontier(size, packed)
  } catch {
    return new Frontier()
  }
}
