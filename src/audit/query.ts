import type { AuditEntry, AuditFilter } from '../core/admin-port.ts'
import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import { type RecordRow, readTree, recordsAfter, recordsBefore } from './audit-repository.ts'
import { decodeRecord, type Outcome, type StoredRecord } from './record.ts'

const PAGE = 500
const MAX_LIMIT = 1_000
/** An outcome is recorded with a following batch, so within this many records of its intent. */
const OUTCOME_REACH = 2_000

/** Records that match, newest first, each intent with its outcome. Reads the stored bytes; there is no second copy. */
export async function queryRecords(db: Db, filter: AuditFilter): Promise<readonly AuditEntry[]> {
  const limit = Math.min(filter.limit ?? 50, MAX_LIMIT)
  if (!Number.isInteger(limit) || limit < 1)
    throw new Fault('BAD_INPUT', 'limit must be a whole number from 1 to 1000.', {
      details: { field: 'limit' },
    })
  return db.read(async (reader) => {
    const found: AuditEntry[] = []
    const ends = new Map<number, Outcome>()
    const tree = await readTree(reader)
    const newest = (tree?.size ?? 0) + 1
    const until = filter.before ?? newest
    // Outcomes of the page's first records stand behind it.
    let before = Math.min(newest, until + OUTCOME_REACH)
    while (found.length < limit) {
      const rows = await recordsBefore(reader, before, PAGE)
      if (rows.length === 0) break
      for (const row of rows) {
        before = row.seq
        const record = decodeRecord(row.body)
        for (const [seq, result] of record?.ends ?? []) ends.set(seq, result)
        if (row.seq >= until || found.length >= limit) continue
        if (record !== null && filter.from !== undefined && isFollowedBefore(record, filter.from))
          return found
        if (record !== null && matches(record, filter)) found.push(entryOf(row, record, ends))
      }
    }
    return found
  })
}

/** Records after `seq`, oldest first; outcomes are records of their own here. */
export async function recordsSince(
  db: Db,
  after: number,
): Promise<readonly { readonly entry: AuditEntry }[]> {
  const rows = await db.read((reader) => recordsAfter(reader, after, PAGE))
  const ends = new Map<number, Outcome>()
  return rows.flatMap((row) => {
    const record = decodeRecord(row.body)
    return record === null ? [] : [{ entry: entryOf(row, record, ends) }]
  })
}

/**
 * Whether all records before this one are older too. Calls were written down before they were recorded, those of a
 * process that was killed long before; all others have the time of their transaction, and every epoch begins with one.
 */
function isFollowedBefore({ action, kind, at }: StoredRecord, from: EpochMs): boolean {
  return at < from && (kind === 'change' || action === 'audit.epoch')
}

function matches(record: StoredRecord, filter: AuditFilter): boolean {
  if (record.kind === 'outcome') return false
  return (
    (filter.action === undefined || isOfAction(record.action, filter.action)) &&
    (filter.actor === undefined || isOfActor(record.actor, filter.actor)) &&
    (filter.path === undefined || record.path === filter.path) &&
    (filter.server === undefined || detailText(record, 'server') === filter.server) &&
    (filter.tool === undefined || detailText(record, 'tool') === filter.tool) &&
    (filter.from === undefined || record.at >= filter.from) &&
    (filter.to === undefined || record.at <= filter.to)
  )
}

/** An id alone is that of an agent or of a person. */
function isOfActor(actor: string | undefined, wanted: string): boolean {
  return actor === wanted || (isUuid(wanted) && actor?.endsWith(`:${wanted}`) === true)
}

/** `inspection.*` is every action of inspection. */
function isOfAction(action: string, wanted: string): boolean {
  return wanted.endsWith('.*') ? action.startsWith(wanted.slice(0, -1)) : action === wanted
}

function entryOf(
  row: RecordRow,
  record: StoredRecord,
  ends: ReadonlyMap<number, Outcome>,
): AuditEntry {
  return {
    seq: row.seq,
    at: record.at,
    kind: record.kind,
    action: record.action,
    actor: record.actor ?? 'sallyport',
    channel: record.channel ?? 'internal',
    address: record.address ?? null,
    vault: record.vault ?? null,
    path: record.path ?? null,
    server: detailText(record, 'server'),
    tool: detailText(record, 'tool'),
    method: detailText(record, 'method'),
    decision: decisionOf(record),
    outcome: record.kind === 'intent' ? (ends.get(row.seq) ?? null) : null,
    body: Buffer.from(row.body).toString('utf8'),
  }
}

function detailText({ detail }: StoredRecord, name: string): string | null {
  const value = detail?.[name]
  return typeof value === 'string' ? value : null
}

function decisionOf(record: StoredRecord): string | null {
  if (record.kind === 'refusal') return `refused: ${record.by ?? 'unknown'}`
  if (record.by === undefined) return null
  return `allowed: ${record.by}`
}
