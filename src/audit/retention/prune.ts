import type { PruneReport, RetentionStanding } from '../../core/admin-port.ts'
import type { Reader, Tx } from '../../core/db-port.ts'
import { Fault } from '../../core/faults.ts'
import type { Caller } from '../../core/principals.ts'
import { type Clock, type EpochMs, epochMs, toIso } from '../../core/time.ts'
import { recordsAfter } from '../audit-repository.ts'
import { changeLane } from '../change-lane.ts'
import type { Settled } from '../lane.ts'
import type { Ledger } from '../ledger.ts'
import { decodeRecord } from '../record.ts'
import { requiredSinks } from '../sinks/sealed-configs.ts'
import { passOver, readCursors, type SinksTable } from '../sinks/sink-repository.ts'
import { Frontier, leafHash } from '../tree.ts'
import { soundRecord, type VerifyOptions, verifyAudit } from '../verify.ts'
import {
  deleteRecordsTo,
  insertLeaves,
  type Leaf,
  type RetentionRow,
  readRetention,
  readVouched,
  saveVouched,
  type Vouched,
} from './retention-repository.ts'
import { vouch, vouchedDigest } from './vouched.ts'

const DAY_MS = 86_400_000
/**
 * Nothing younger is ever pruned: `access explain` looks back thirty days for what is used, and whoever comes into the
 * house for a moment shall not be able to take its traces away.
 */
export const MIN_KEEP_MS = 30 * DAY_MS
const MAX_KEEP_MS = 36_500 * DAY_MS
/** Records of one transaction: others wait for it, so it has to be short. */
const STEP = 5_000
/** How often another process may come between before this one leaves it to that. */
const MAX_TURNS = 5

export interface PrunerOptions extends VerifyOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly sinksTable: SinksTable
}

/** What is known of the pruned records between two steps. */
interface Base {
  readonly row: RetentionRow | null
  readonly frontier: Frontier
  readonly vouched: Map<string, Vouched>
}

/** One stretch of records that were looked at and may go. */
interface Step {
  readonly caller: Caller | null
  readonly before: EpochMs
  readonly base: Base
  readonly leaves: readonly Leaf[]
  readonly changes: ReadonlyMap<string, Vouched>
  readonly digest: Buffer
  /** What holds once they are gone. */
  readonly after: Omit<Base, 'row'>
}

/** What a step came to; `overtaken` when another process had changed something first. */
type Outcome = 'overtaken' | { readonly row: RetentionRow; readonly skipped: readonly string[] }

/**
 * Takes records away and leaves their hashes: the tree, its proofs and older copies stay what they were. Every step is
 * one transaction with its own record, so it may be ended at any moment, and begun again by any process.
 */
export class Pruner {
  readonly #options: PrunerOptions
  readonly #steps
  readonly #settings

  constructor(options: PrunerOptions) {
    this.#options = options
    this.#steps = changeLane('audit.prune', (tx, step: Step, at) => this.#take(tx, step, at))
    this.#settings = changeLane(
      'audit.retention',
      (tx, setting: { readonly caller: Caller; readonly keepMs: number | null }) =>
        this.#set(tx, setting.caller, setting.keepMs),
    )
  }

  async standing(): Promise<RetentionStanding> {
    const { db, retentionTable } = this.#options
    const row = await db.read((reader) => readRetention(retentionTable, reader))
    return {
      keepMs: row?.keep_ms ?? null,
      pruned: row?.size ?? 0,
      prunedAt: row?.pruned_at ?? null,
    }
  }

  /** @param keepMs null: for ever */
  async setKeep(caller: Caller, keepMs: number | null): Promise<RetentionStanding> {
    if (keepMs !== null && !(keepMs >= MIN_KEEP_MS && keepMs <= MAX_KEEP_MS))
      throw new Fault('BAD_INPUT', 'keep must be between 30 and 36500 days.', {
        details: { field: 'keep' },
      })
    await this.#options.ledger.commit(this.#settings, { caller, keepMs })
    return this.standing()
  }

  /**
   * Prunes what was recorded before an instant, up to what a required sink still lacks.
   *
   * @param caller null where a server does what was set
   */
  async prune(caller: Caller | null, before: EpochMs): Promise<PruneReport> {
    const { clock, db } = this.#options
    if (before > clock() - MIN_KEEP_MS)
      throw new Fault('BAD_INPUT', 'before must be 30 days ago or earlier.', {
        details: { field: 'before' },
      })
    await this.#options.ledger.flush()
    let base = await this.#base()
    const from = base.frontier.size
    const [oldest] = await db.read((reader) => recordsAfter(reader, from, 1))
    const isAny = oldest !== undefined && (decodeRecord(oldest.body)?.at ?? 0) < before
    // What does not hold has to be looked at while it is all there.
    if (isAny) await this.#requireWhole()
    const skipped = new Set<string>()
    for (let turns = 0; turns < MAX_TURNS; ) {
      const until = await this.#exportedTo()
      const step = await this.#look(caller, before, base, until.seq)
      if (step === null)
        return {
          pruned: base.frontier.size - from,
          upTo: base.frontier.size,
          heldBy: until.seq <= base.frontier.size ? until.sink : null,
          skipped: [...skipped],
        }
      const taken = step === 'overtaken' ? step : await this.#committed(step)
      if (taken === 'overtaken') {
        turns += 1
        base = await this.#base()
        continue
      }
      for (const sink of taken.skipped) skipped.add(sink)
      base = taken.base
    }
    throw new Fault('CONFLICT', 'Another process prunes the audit; try again later.')
  }

  async #committed(
    step: Step,
  ): Promise<'overtaken' | { readonly base: Base; readonly skipped: readonly string[] }> {
    const { value } = await this.#options.ledger.commit(this.#steps, step)
    if (value === 'overtaken') return value
    return { base: { row: value.row, ...step.after }, skipped: value.skipped }
  }

  /** What a server does once a day. @returns null when there was nothing to do */
  async pruneAsSet(): Promise<PruneReport | null> {
    const now = this.#options.clock()
    const { keepMs, prunedAt } = await this.standing()
    if (keepMs === null || (prunedAt !== null && now - prunedAt < DAY_MS)) return null
    const report = await this.prune(null, epochMs(now - keepMs))
    return report.pruned === 0 ? null : report
  }

  async #requireWhole(): Promise<void> {
    const { ok, findings } = await verifyAudit(this.#options)
    if (ok) return
    throw new Fault(
      'AUDIT_BROKEN',
      `Nothing is pruned from an audit that does not hold (${findings[0]?.kind ?? 'unknown'}); run sallyport audit verify.`,
    )
  }

  /** What is stored of pruned records, held against the row that says what it must be. */
  #base(): Promise<Base> {
    const { db, retentionTable } = this.#options
    return db.read(async (reader) => {
      const row = await readRetention(retentionTable, reader)
      const vouched = await readVouched(reader)
      if (row === null) return { row, frontier: new Frontier(), vouched }
      if (!vouchedDigest(vouched).equals(row.vouched))
        throw new Fault('STORE_TAMPERED', 'What pruned records vouched for was changed.')
      return { row, frontier: new Frontier(row.size, row.frontier), vouched }
    })
  }

  /** The last record that every required sink has, and which sink lacks the next. */
  #exportedTo(): Promise<{ readonly seq: number; readonly sink: string | null }> {
    return this.#options.db.read((reader) => this.#exportedOn(reader))
  }

  async #exportedOn(
    reader: Reader,
  ): Promise<{ readonly seq: number; readonly sink: string | null }> {
    const { keys, sinksTable } = this.#options
    const cursors = await readCursors(reader)
    let least: { readonly seq: number; readonly sink: string | null } = {
      seq: Number.MAX_SAFE_INTEGER,
      sink: null,
    }
    for (const sink of await requiredSinks(sinksTable, reader, keys)) {
      const seq = cursors.get(sink) ?? 0
      if (seq < least.seq) least = { seq, sink }
    }
    return least
  }

  /** The next records that may go, each with a MAC that holds. */
  async #look(
    caller: Caller | null,
    before: EpochMs,
    base: Base,
    until: number,
  ): Promise<Step | 'overtaken' | null> {
    const { db, keys, retentionTable } = this.#options
    const { size } = base.frontier
    const limit = Math.min(STEP, until - size)
    if (limit <= 0) return null
    return db.read(async (reader) => {
      const row = await readRetention(retentionTable, reader)
      if (row?.revision !== base.row?.revision) return 'overtaken'
      const leaves: Leaf[] = []
      const changes = new Map<string, Vouched>()
      const frontier = base.frontier.copy()
      for (const stored of await recordsAfter(reader, size, limit)) {
        const hash = leafHash(stored.body)
        const record = await soundRecord(reader, keys, stored, hash)
        if (typeof record === 'string' || stored.seq !== frontier.size + 1)
          throw new Fault(
            'AUDIT_BROKEN',
            `Nothing more is pruned: record ${stored.seq} does not hold.`,
          )
        if (record.at >= before) break
        leaves.push({ seq: stored.seq, hash })
        frontier.append(hash)
        vouch(changes, record)
      }
      if (leaves.length === 0) return null
      const after = { frontier, vouched: withChanges(base.vouched, changes) }
      return { caller, before, base, leaves, changes, digest: vouchedDigest(after.vouched), after }
    })
  }

  async #take(tx: Tx, step: Step, at: EpochMs): Promise<Settled<Outcome>> {
    const { retentionTable } = this.#options
    const { base, leaves } = step
    const { frontier } = step.after
    const row = await readRetention(retentionTable, tx)
    const exported = await this.#exportedOn(tx)
    if (row?.revision !== base.row?.revision || exported.seq < frontier.size)
      return { value: 'overtaken', record: null }
    await insertLeaves(tx, leaves)
    await saveVouched(tx, step.changes)
    if ((await deleteRecordsTo(tx, frontier.size)) !== leaves.length)
      throw new Fault('AUDIT_BROKEN', 'There are other records than those that were looked at.')
    const skipped = await passOver(tx, frontier.size)
    const next: RetentionRow = {
      id: 'all',
      keep_ms: row?.keep_ms ?? null,
      size: frontier.size,
      frontier: frontier.pack(),
      vouched: step.digest,
      pruned_at: at,
      revision: (row?.revision ?? 0) + 1,
    }
    await retentionTable.save(tx, [next])
    return {
      value: { row: next, skipped },
      record: {
        kind: 'change',
        action: 'audit.prune',
        caller: step.caller,
        rows: [['audit_retention', 'all', next.revision]],
        detail: {
          from: leaves[0]?.seq ?? 0,
          to: frontier.size,
          root: frontier.root().toString('hex'),
          before: toIso(step.before),
          ...(skipped.length === 0 ? {} : { unexported: skipped }),
        },
      },
    }
  }

  async #set(tx: Tx, caller: Caller, keepMs: number | null): Promise<Settled<null>> {
    const { retentionTable } = this.#options
    const row = await readRetention(retentionTable, tx)
    const revision = (row?.revision ?? 0) + 1
    const next: RetentionRow = {
      id: 'all',
      size: row?.size ?? 0,
      frontier: row?.frontier ?? new Uint8Array(),
      vouched: row?.vouched ?? vouchedDigest(new Map()),
      pruned_at: row?.pruned_at ?? null,
      keep_ms: keepMs,
      revision,
    }
    await retentionTable.save(tx, [next])
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'audit.retention',
        caller,
        rows: [['audit_retention', 'all', revision]],
        detail: { keep_days: keepMs === null ? null : keepMs / DAY_MS },
      },
    }
  }
}

function withChanges(
  before: ReadonlyMap<string, Vouched>,
  changes: ReadonlyMap<string, Vouched>,
): Map<string, Vouched> {
  const after = new Map(before)
  for (const [place, vouched] of changes)
    if (vouched.revision === null) after.delete(place)
    else after.set(place, vouched)
  return after
}
