import type { AuditEntry, AuditFilter, AuditPort, AuditReport } from '../core/admin-port.ts'
import { type Clock, sleep } from '../core/time.ts'
import { type RecordRow, recordsAfter } from './audit-repository.ts'
import { CheckpointKeys } from './checkpoint-keys.ts'
import { headDetail, readHead } from './head.ts'
import type { HeadKeeper } from './head-keeper.ts'
import type { Lane, Ledger } from './ledger.ts'
import { Prover } from './prove.ts'
import { queryRecords, recordsSince } from './query.ts'
import type { RecordDraft } from './record.ts'
import { SinkSetting } from './sinks/set-sinks.ts'
import type { SinksTable } from './sinks/sink-repository.ts'
import type { Sinks } from './sinks/sinks.ts'
import { type VerifyOptions, verifyAudit } from './verify.ts'

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
}

/** Reading the audit. Every reader waits first for what this process still has to record. */
export function createAuditPort(options: AuditParts): AuditPort {
  const settle = (): Promise<void> => options.ledger.flush()
  const checkpointKeys = new CheckpointKeys(options.db, options.keys, options.ledger)
  const setting = new SinkSetting(options)
  const prover = new Prover({ ...options, checkpointKeys })
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
      return verifyAudit(options)
    },
    follow(afterSeq, signal) {
      return follow(options, afterSeq, signal)
    },
    async checkpoint(size) {
      await settle()
      return prover.checkpoint(size)
    },
    async checkpointKeys() {
      await checkpointKeys.signing()
      return options.db.read((reader) => checkpointKeys.publicKeys(reader))
    },
    async proveInclusion(seq, size) {
      await settle()
      return prover.inclusion(seq, size)
    },
    async proveConsistency(first, second) {
      await settle()
      return prover.consistency(first, second)
    },
    sinks: () => setting.standing(),
    async setSinks(caller, text) {
      await setting.set(caller, text)
      return setting.standing()
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

/** The records up to the head, whatever is written meanwhile, and the head. */
async function* exportLines(
  options: VerifyOptions,
  settle: () => Promise<void>,
): AsyncIterable<string> {
  let last = 0
  for await (const row of recordsUpTo(options, 0, Number.MAX_SAFE_INTEGER)) {
    last = row.seq
    yield lineOf(row)
  }
  await settle()
  const head = await readHead(options.place, options.headKey, options.storeId)
  if (head.state === 'valid')
    for await (const row of recordsUpTo(options, last, head.head.size)) yield lineOf(row)
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

async function* recordsUpTo(
  options: VerifyOptions,
  after: number,
  until: number,
): AsyncGenerator<RecordRow> {
  let from = after
  while (from < until) {
    const since = from
    const limit = Math.min(EXPORT_PAGE, until - from)
    const rows = await options.db.read((reader) => recordsAfter(reader, since, limit))
    if (rows.length === 0) return
    yield* rows
    from = rows.at(-1)?.seq ?? until
  }
}

/** The body stands as text, byte for byte what the leaf hashes: any RFC 9162 tool can check it. */
function lineOf(row: RecordRow): string {
  return JSON.stringify({
    seq: row.seq,
    epoch: row.epochKeyId,
    body: Buffer.from(row.body).toString('utf8'),
    mac: Buffer.from(row.mac).toString('hex'),
  })
}
