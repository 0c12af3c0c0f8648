import type { AuditFinding, AuditReport } from '../core/admin-port.ts'
import type { Db, Reader } from '../core/db-port.ts'
import { isFault } from '../core/faults.ts'
import type { KeyId, StoreId } from '../core/ids.ts'
import { MacKey } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'
import { type RecordRow, readTree, recordsAfter } from './audit-repository.ts'
import { type HeadPlace, type HeadReading, readHead } from './head.ts'
import { decodeRecord, type StoredRecord } from './record.ts'
import { type Base, prunedBase } from './retention/pruned-base.ts'
import type { RetentionTable, Vouched } from './retention/retention-repository.ts'
import { vouch } from './retention/vouched.ts'
import { Frontier, leafHash } from './tree.ts'
import { recordMessage } from './tree-writer.ts'

const PAGE = 1_000
/** Recorded when a person takes the tree as it is. */
const ACCEPTED = 'audit.accept-head'

interface JournalTrouble {
  readonly kind: string
  readonly detail: string
}

/** What records say of the journal of calls that somebody else than Sallyport must have done. */
const JOURNAL_TROUBLES: ReadonlyMap<string, JournalTrouble> = new Map([
  [
    'audit.journal-spoiled',
    { kind: 'journal-spoiled', detail: 'the call journal held what Sallyport did not write' },
  ],
  [
    'audit.journal-lost',
    {
      kind: 'journal-lost',
      detail: 'the call journal was cut or taken away; calls may be missing',
    },
  ],
])
/** More findings than this say nothing new. */
const MAX_FINDINGS = 100

/** Every row of one table that carries rights: whether its MAC holds, and its revision. */
export interface RowCheck {
  readonly table: string
  rows(
    reader: Reader,
  ): Promise<
    readonly { readonly id: string; readonly revision: number; readonly isValid: boolean }[]
  >
}

/** Looks at what is stored without a MAC of its own, such as sealed values; answers what does not hold. */
export type StoreCheck = (
  reader: Reader,
) => Promise<readonly { readonly kind: string; readonly detail: string }[]>

export interface VerifyOptions {
  readonly db: Db
  readonly keys: StoreKeys
  readonly storeId: StoreId
  readonly place: HeadPlace
  readonly headKey: MacKey
  readonly rowChecks: readonly RowCheck[]
  readonly storeChecks: readonly StoreCheck[]
  readonly retentionTable: RetentionTable
}

/**
 * Reads the whole audit again: every record's MAC and place, the tree over the stored bytes, the head that was kept
 * elsewhere, every row that carries rights against the last revision a record vouches for, and what else is stored.
 */
export async function verifyAudit(options: VerifyOptions): Promise<AuditReport> {
  const head = await readHead(options.place, options.headKey, options.storeId)
  return options.db.read(async (reader) => {
    const findings: AuditFinding[] = []
    const found = (kind: string, detail: string, seq: number | null = null): void => {
      if (findings.length < MAX_FINDINGS) findings.push({ kind, detail, seq })
    }
    const headSize = head.state === 'valid' ? head.head.size : -1
    const base = await prunedBase(reader, options.retentionTable, headSize, found)
    const walk = await walkRecords(reader, options.keys, base, headSize, found)
    const tree = await readTree(reader)
    checkTree(tree, walk.frontier, found)
    checkHead(head, walk, options.place.name, found)
    const rowsChecked = await checkRows(reader, options.rowChecks, walk.revisions, found)
    for (const check of options.storeChecks)
      for (const { kind, detail } of await check(reader)) found(kind, detail)
    return {
      ok: findings.length === 0,
      size: walk.frontier.size,
      pruned: base.size,
      root: walk.frontier.root().toString('hex'),
      head:
        head.state === 'valid'
          ? { size: head.head.size, at: head.head.at, place: options.place.name }
          : null,
      rowsChecked,
      findings,
    }
  })
}

export type Found = (kind: string, detail: string, seq?: number | null) => void

interface Walk {
  readonly frontier: Frontier
  /** The tree when it had the head's size, if it ever had. */
  readonly atHead: Buffer | null
  readonly revisions: ReadonlyMap<string, Vouched>
}

async function walkRecords(
  reader: Reader,
  keys: StoreKeys,
  { frontier, revisions, ...base }: Base,
  headSize: number,
  found: Found,
): Promise<Walk> {
  let { atHead } = base
  let expected = base.size + 1
  const troubles: (readonly [trouble: JournalTrouble, seq: number])[] = []
  for (;;) {
    const rows = await recordsAfter(reader, expected - 1, PAGE)
    if (rows.length === 0) break
    for (const row of rows) {
      if (row.seq !== expected)
        found('record-missing', `records ${expected} to ${row.seq - 1} are gone`, expected)
      const leaf = leafHash(row.body)
      const record = await checkRecord(reader, keys, row, leaf, revisions, found)
      // A person who accepts the tree as it is has seen what came before.
      if (record?.action === ACCEPTED) troubles.length = 0
      const trouble = record === null ? undefined : JOURNAL_TROUBLES.get(record.action)
      if (trouble !== undefined) troubles.push([trouble, row.seq])
      frontier.append(leaf)
      if (frontier.size === headSize) atHead = frontier.pack()
      expected = row.seq + 1
    }
  }
  for (const [{ kind, detail }, seq] of troubles) found(kind, detail, seq)
  return { frontier, atHead, revisions }
}

async function checkRecord(
  reader: Reader,
  keys: StoreKeys,
  row: RecordRow,
  leaf: Buffer,
  revisions: Map<string, Vouched>,
  found: Found,
): Promise<StoredRecord | null> {
  const record = await soundRecord(reader, keys, row, leaf)
  if (typeof record === 'string') {
    found('record-changed', record, row.seq)
    return null
  }
  for (const place of vouch(revisions, record))
    found('row-rolled-back', `record ${row.seq} changed an older ${named(place)}`, row.seq)
  return record
}

/** `secrets/ID` as `secrets row ID`. */
function named(place: string): string {
  const slash = place.indexOf('/')
  return `${place.slice(0, slash)} row ${place.slice(slash + 1)}`
}

/** A record whose MAC holds for its bytes and its place, parsed; else what is wrong with it. */
export async function soundRecord(
  reader: Reader,
  keys: StoreKeys,
  row: RecordRow,
  leaf: Buffer,
): Promise<StoredRecord | string> {
  const mac = await macOf(reader, keys, row.epochKeyId)
  if (mac === null || !mac.verify(recordMessage(row.seq, leaf), row.mac))
    return `record ${row.seq} is not what was written`
  const record = decodeRecord(row.body)
  if (record === null || record.seq !== row.seq)
    return `record ${row.seq} stands in another record's place`
  return record
}

const macs = new WeakMap<StoreKeys, Map<KeyId, MacKey>>()

async function macOf(reader: Reader, keys: StoreKeys, id: KeyId): Promise<MacKey | null> {
  const known = macs.get(keys) ?? new Map<KeyId, MacKey>()
  macs.set(keys, known)
  const held = known.get(id)
  if (held !== undefined) return held
  try {
    const mac = new MacKey(await keys.byId(reader, id))
    known.set(id, mac)
    return mac
  } catch (error) {
    if (isFault(error, 'STORE_TAMPERED')) return null
    throw error
  }
}

function checkTree(
  tree: { readonly size: number; readonly frontier: Uint8Array } | null,
  walked: Frontier,
  found: Found,
): void {
  const size = tree?.size ?? 0
  if (size > walked.size)
    found('tail-cut', `the tree has ${size} records, the store holds ${walked.size}`)
  else if (size < walked.size)
    found('record-added', `the store holds ${walked.size} records, the tree only ${size}`)
  else if (tree !== null && !walked.pack().equals(tree.frontier))
    found('tree-changed', 'the hashes of the records do not add up to the tree')
}

function checkHead(head: HeadReading, walk: Walk, place: string, found: Found): void {
  if (head.state === 'missing') {
    found('head-missing', `there is no head at ${place}, so a cut tail could not be seen`)
    return
  }
  if (head.state === 'invalid') {
    found('head-invalid', `the head at ${place} does not verify: ${head.reason}`)
    return
  }
  if (walk.frontier.size < head.head.size)
    found(
      'tail-cut',
      `the head saw ${head.head.size} records, the store holds ${walk.frontier.size}: it was cut or an older one put back`,
    )
  else if (walk.atHead === null || !walk.atHead.equals(head.head.frontier))
    found('history-changed', `the first ${head.head.size} records are not those that the head saw`)
}

async function checkRows(
  reader: Reader,
  checks: readonly RowCheck[],
  revisions: ReadonlyMap<string, Vouched>,
  found: Found,
): Promise<number> {
  let checked = 0
  const seen = new Set<string>()
  for (const check of checks) {
    for (const row of await check.rows(reader)) {
      checked += 1
      const place = `${check.table}/${row.id}`
      seen.add(place)
      const recorded = revisions.get(place)?.revision
      if (!row.isValid)
        found('row-changed', `${check.table} row ${row.id} was changed outside Sallyport`)
      else if (recorded === undefined || recorded === null)
        found('row-added', `${check.table} row ${row.id} is in no record`)
      else if (row.revision !== recorded)
        found(
          'row-rolled-back',
          `${check.table} row ${row.id} has revision ${row.revision}, the last recorded is ${recorded}`,
        )
    }
  }
  const tables = new Set(checks.map((check) => check.table))
  for (const [place, { revision }] of revisions) {
    const table = place.slice(0, place.indexOf('/'))
    if (revision !== null && tables.has(table) && !seen.has(place))
      found('row-missing', `${named(place)} is gone`)
  }
  return checked
}
