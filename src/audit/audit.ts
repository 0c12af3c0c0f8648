import type { AuditEntry, AuditFilter, AuditPort, AuditReport } from '../core/admin-port.ts'
import { type Clock, sleep } from '../core/time.ts'
import { type RecordRow, recordsAfter } from './audit-repository.ts'
import type { CheckpointKeys } from './checkpoint-keys.ts'
import { headDetail, readHead } from './head.ts'
import type { HeadKeeper } from './head-keeper.ts'
import type { Lane } from './lane.ts'
import type { Ledger } from './ledger.ts'
import { queryRecords, recordsSince } from './query.ts'
import type { RecordDraft } from './record.ts'
import { type Leaf, prunedLeaves, prunedSize } from './retention/retention-repository.ts'
import { SinkSetting } from './sinks/set-sinks.ts'
import type { SinksTable } from './sinks/sink-repository.ts'
import type { Sinks } from './sinks/sinks.ts'
import type { VerifyOptions } from './verify.ts'

const FOLLOW_MS = 250
const EXPORT_PAGE = 500

const ACCEPT: Lane<RecordDraft, null> = {
  name: 'audit.accept-head',
  work: async (_tx, members) => members.map((record) => ({ value: null, record })),
}

export interface AuditParts extends VerifyOptions {
  readonly ledger: Ledger
  readonly heads: HeadKeeper
  readonly clock: Clock
  readonly sinks: Sinks
  readonly sinksTable: SinksTable
  readonly checkpointKeys: CheckpointKeys
}

/**
 * Reading the audit. Every reader waits first for what this process still has to record. What few commands need is
 * loaded when one asks for it.
 */
export function createAuditPort(options: AuditParts): AuditPort {
  const settle = (): Promise<void> => options.ledger.flush()
  const setting = new SinkSetting(options)
  const { checkpointKeys } = options
  const prover = async () => new (await import('./prove.ts')).Prover(options)
  options.sinks.stampWith(async (size) => (await prover()).stamp(size))
  const pruner = async () => new (await import('./retention/prune.ts')).Pruner(options)
  return {
    async acceptHead(caller) {
      const heads = await options.heads.adopt()
      await options.ledger.commit(ACCEPT, {
        kind: 'event',
        action: 'audit.accept-head',
        caller,
        detail: headDetail(heads),
      })
      await options.heads.flush()
    },
    async query(filter: AuditFilter): Promise<readonly AuditEntry[]> {
      await settle()
      return queryRecords(options.db, filter)
    },
    async verify(): Promise<AuditReport> {
      await settle()
      return (await import('./verify.ts')).verifyAudit(options)
    },
    follow(afterSeq, signal) {
      return follow(options, afterSeq, signal)
    },
    async checkpoint(size) {
      await settle()
      return (await prover()).checkpoint(size)
    },
    async checkpointKeys() {
      await checkpointKeys.signing()
      return options.db.read((reader) => checkpointKeys.publicKeys(reader))
    },
    async proveInclusion(seq, size, record) {
      await settle()
      return (await prover()).inclusion(seq, size, record)
    },
    async proveConsistency(first, second) {
      await settle()
      return (await prover()).consistency(first, second)
    },
    sinks: () => setting.standing(),
    async setSinks(caller, text) {
      await setting.set(caller, text)
      return setting.standing()
    },
    async retention() {
      return (await pruner()).standing()
    },
    async setRetention(caller, keepMs) {
      return (await pruner()).setKeep(caller, keepMs)
    },
    async prune(caller, before) {
      return (await pruner()).prune(caller, before)
    },
    async pruneAsSet() {
      return (await pruner()).pruneAsSet()
    },
    async *export() {
      await settle()
      yield* exportLines(options, settle)
    },
  }
}

async function* follow(
  options: VerifyOptions,
  afterSeq: number,
  signal: AbortSignal,
): AsyncIterable<AuditEntry> {
  let seq = afterSeq
  while (!signal.aborted) {
    const records = await recordsSince(options.db, seq)
    for (const { entry } of records) {
      seq = entry.seq
      yield entry
    }
    if (records.length === 0) {
      try {
        await sleep(FOLLOW_MS, signal)
      } catch {
        return
      }
    }
  }
}

/** What was pruned by its hashes, the records up to the head, whatever is written meanwhile, and the head. */
async function* exportLines(
  options: VerifyOptions,
  settle: () => Promise<void>,
): AsyncIterable<string> {
  let last = 0
  for await (const { to, line } of linesBetween(options, 0, Number.MAX_SAFE_INTEGER)) {
    last = to
    yield line
  }
  await settle()
  const head = await readHead(options.place, options.headKey, options.storeId)
  if (head.state === 'valid')
    for await (const { line } of linesBetween(options, last, head.head.size)) yield line
  yield JSON.stringify({
    head:
      head.state === 'valid'
        ? {
            store: head.head.storeId,
            size: head.head.size,
            frontier: head.head.frontier.toString('hex'),
            at: head.head.at,
          }
        : head.state,
  })
}

interface ExportLine {
  /** The last record that it tells of. */
  readonly to: number
  readonly line: string
}

/** Each page is read on its own, so records may be pruned between two: their hashes then come in their place. */
async function* linesBetween(
  { db }: VerifyOptions,
  after: number,
  until: number,
): AsyncGenerator<ExportLine> {
  let from = after
  while (from < until) {
    const since = from
    const limit = Math.min(EXPORT_PAGE, until - since)
    const lines = await db.read(async (reader) => {
      if (since < (await prunedSize(reader)))
        return leavesLine(await prunedLeaves(reader, since, limit))
      return (await recordsAfter(reader, since, limit)).map(recordLine)
    })
    if (lines.length === 0) return
    yield* lines
    from = lines.at(-1)?.to ?? until
  }
}

function leavesLine(leaves: readonly Leaf[]): readonly ExportLine[] {
  const [first] = leaves
  const last = leaves.at(-1)
  if (first === undefined || last === undefined) return []
  const hashes = Buffer.concat(leaves.map(({ hash }) => hash)).toString('base64')
  const line = JSON.stringify({ pruned: { from: first.seq, to: last.seq, leaves: hashes } })
  return [{ to: last.seq, line }]
}

/** The body stands as text, byte for byte what the leaf hashes: any RFC 9162 tool can check it. */
function recordLine(row: RecordRow): ExportLine {
  const line = JSON.stringify({
    seq: row.seq,
    epoch: row.epochKeyId,
    body: Buffer.from(row.body).toString('utf8'),
    mac: Buffer.from(row.mac).toString('hex'),
  })
  return { to: row.seq, line }
}
