import { createHash } from 'node:crypto'
import type { StoredRecord } from '../record.ts'
import type { Vouched, VouchedRows } from './retention-repository.ts'

/** Notes what one record vouches for. @returns the rows of which it names an older revision than records before it */
export function vouch(
  revisions: Map<string, Vouched>,
  record: Pick<StoredRecord, 'rows' | 'at'>,
): readonly string[] {
  const rolledBack: string[] = []
  for (const [table, id, revision] of record.rows ?? []) {
    const place = `${table}/${id}`
    if (isRollback(revisions.get(place), revision, record.at)) rolledBack.push(place)
    revisions.set(place, { revision, at: record.at })
  }
  return rolledBack
}

/**
 * A revision that comes twice was worked on from an older row that somebody put back. Only the reads of one batch, which
 * has one instant, share a revision, because they share a write.
 */
function isRollback(last: Vouched | undefined, revision: number | null, at: number): boolean {
  if (last === undefined || last.revision === null || revision === null) return false
  return revision < last.revision || (revision === last.revision && at !== last.at)
}

/** SHA-256 over the rows in the order of their places, a line each; rows that are gone are left out. */
export function vouchedDigest(rows: VouchedRows): Buffer {
  const hash = createHash('sha256')
  for (const place of [...rows.keys()].toSorted()) {
    const { revision = null, at = 0 } = rows.get(place) ?? {}
    if (revision !== null) hash.update(`${JSON.stringify(place)} ${revision} ${at}\n`)
  }
  return hash.digest()
}
