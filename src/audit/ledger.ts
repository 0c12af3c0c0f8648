import type { Db, Durability, Tx, TxAtOnce } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import { type Clock, type EpochMs, monotonicMs } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import { isRecorded, lockTree, type RecordRow } from './audit-repository.ts'
import type { HeadKeeper } from './head-keeper.ts'
import type { JournalDoor } from './journal-door.ts'
import { type Committed, type Lane, type RecordRef, type Settled, settleAll } from './lane.ts'
import { admittedBy, type LedgerSinks, missingFrom, undelivered } from './ledger-sinks.ts'
import type { Outcome, RecordDraft } from './record.ts'
import { TreeWriter } from './tree-writer.ts'

export interface LedgerOptions {
  readonly db: Db
  readonly keys: StoreKeys
  readonly heads: HeadKeeper
  readonly clock: Clock
  readonly log: Log
  readonly sinks?: LedgerSinks
  /** How long a member waits for its record, milliseconds. */
  readonly deadlineMs?: number
}

/** Records that come in bulk. */
export interface Growth {
  /** @returns null when it has to wait; what it wrote is undone then */
  atOnce(tx: TxAtOnce, writer: TreeWriter, now: EpochMs): Grown | null
  later(tx: Tx, writer: TreeWriter, now: EpochMs): Promise<Grown>
  done(): void
  undone(): void
}

/** How the tree grew. */
export interface Grown {
  readonly before: Buffer
  readonly after: Buffer
  readonly size: number
}

interface Waiting {
  readonly lane: Lane<unknown, unknown>
  readonly member: unknown
  readonly resolve: (committed: Committed<unknown>) => void
  readonly reject: (fault: Fault) => void
  /** Monotonic milliseconds after which its caller is told that nothing came. */
  readonly deadline: number
  isAbandoned: boolean
}

/** A member's record among those of its batch, decided in the transaction and valid once it is committed. */
interface Placed {
  readonly waiting: Waiting
  readonly settled: Settled<unknown>
  readonly index: number
}

/** How an intent ended. */
interface End extends RecordRef {
  readonly result: Outcome
}

const DEADLINE_MS = 5_000
/** Callers that wait together are committed together: one fsync for all of them. */
const MAX_BATCH = 256
const OUTCOME_DELAY_MS = 50
/** After so long what was committed without waiting for the disk is on it. */
const SETTLE_DELAY_MS = 40

/**
 * The one way in which anything is changed or released: a batch of members, one transaction, their records in the
 * tree, one commit, durable at once unless none of them needs it. Nobody is answered before it.
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #queue: Waiting[] = []
  readonly #writer: TreeWriter
  /** Members whose batch is being committed. */
  #inFlight: readonly Waiting[] = []
  #ends: End[] = []
  /** Set for the member that waits longest: a timer each would cost more than its record. */
  #deadlineTimer: NodeJS.Timeout | null = null
  #outcomeTimer: NodeJS.Timeout | null = null
  /** Set while commits may not be on the disk yet. */
  #settleTimer: NodeJS.Timeout | null = null
  #settling: Promise<void> = Promise.resolve()
  /** Whether the disk failed to take what it was given: then everything waits for it. */
  #isUnsettled = false
  #running: Promise<void> | null = null
  #journal: JournalDoor | null = null
  #isClosed = false
  /** Whether the last batch could not be committed. */
  #isFailing = false

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#writer = new TreeWriter(options.keys)
  }

  /**
   * Has `lane` do the member's work in the next batch and waits for its durable commit.
   *
   * @throws {Fault} the member's own fault, once the refusal is recorded; `AUDIT_UNAVAILABLE` when nothing could be
   *   recorded within the deadline, in which case nothing was changed or may be released
   */
  commit<M, R>(lane: Lane<M, R>, member: M): Promise<Committed<R>> {
    if (this.#isClosed)
      return Promise.reject(
        new Fault('AUDIT_UNAVAILABLE', 'The vault is closing; nothing was released.'),
      )
    return new Promise<Committed<R>>((resolve, reject) => {
      this.#queue.push({
        lane,
        member,
        resolve: resolve as Waiting['resolve'],
        reject,
        deadline: monotonicMs() + (this.#options.deadlineMs ?? DEADLINE_MS),
        isAbandoned: false,
      })
      this.#deadlineTimer ??= this.#timeUntil(this.#queue[0])
      this.#start()
    })
  }

  /** Whether what is durable `soon` may be written down by itself: nobody has to have it before it goes on. */
  mayWriteDown(rights: number): boolean {
    const { sinks } = this.#options
    return !this.#isClosed && !this.#isUnsettled && sinks?.isEmptyAt(rights) !== false
  }

  /**
   * Has records appended that were written down before, here and now when nobody is in the way. They are on the disk
   * right after.
   *
   * @param deadlineMs how long others that write are waited for
   * @throws {Fault} `STORE_BUSY`, `STORE_UNAVAILABLE`: nothing was appended
   */
  async grow(growth: Growth, deadlineMs: number): Promise<void> {
    const { db, clock, heads } = this.#options
    const durability = this.#isUnsettled ? 'now' : 'soon'
    try {
      const grown =
        (durability === 'soon'
          ? db.writeAtOnce((tx) => growth.atOnce(tx, this.#writer, clock()))
          : null) ??
        (await db.write((tx) => growth.later(tx, this.#writer, clock()), {
          deadlineMs,
          durability,
        }))
      growth.done()
      heads.appended(grown.before, grown.after, grown.size)
    } catch (error) {
      growth.undone()
      throw error
    }
    if (durability === 'now') this.#isUnsettled = false
    else {
      this.#settleSoon()
      void this.#settle()
    }
  }

  /** Records, with the next batch or within 50 ms, how an intent ended, if it is still there. */
  outcome(intent: RecordRef | null, result: Outcome): void {
    if (intent === null) return
    const { seq, mac } = intent
    this.#ends.push({ seq, mac, result })
    if (this.#ends.length >= MAX_BATCH) this.#start()
    else this.#recordSoon()
  }

  #recordSoon(): void {
    this.#outcomeTimer ??= setTimeout(() => {
      this.#outcomeTimer = null
      this.#start()
    }, OUTCOME_DELAY_MS).unref()
  }

  /** What is written down before it is in the tree. */
  keep(journal: JournalDoor): void {
    this.#journal = journal
  }

  /** Waits until everything asked for so far is recorded and the head has caught up. */
  async flush(): Promise<void> {
    await this.#journal?.ingest()
    while (this.#running !== null || this.#queue.length > 0 || this.#ends.length > 0) {
      this.#start()
      await this.#running
      // Outcomes that a broken store does not take are not waited for: a process must be able to end.
      if (this.#isFailing && this.#queue.length === 0) break
    }
    await this.#settle()
    await this.#options.heads.flush()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#outcomeTimer !== null) clearTimeout(this.#outcomeTimer)
    this.#outcomeTimer = null
    // What was written down stays there for the next process, should it not be taken in now.
    await this.#journal?.close().catch((error: unknown) => {
      this.#options.log.error('calls that were written down are not in the audit yet', {
        reason: asFault(error).message,
      })
    })
    this.#journal = null
    await this.flush()
    if (this.#deadlineTimer !== null) clearTimeout(this.#deadlineTimer)
    this.#deadlineTimer = null
    await this.#options.heads.close()
  }

  #settleSoon(): void {
    this.#settleTimer ??= setTimeout(() => void this.#settle(), SETTLE_DELAY_MS)
  }

  #settle(): Promise<void> {
    if (this.#settleTimer === null) return this.#settling
    clearTimeout(this.#settleTimer)
    this.#settleTimer = null
    this.#settling = this.#settling.then(() => this.#settleNow())
    return this.#settling
  }

  async #settleNow(): Promise<void> {
    try {
      await this.#options.db.settle()
    } catch (error) {
      this.notTaken(error)
    }
  }

  /** The disk did not take what was recorded, or written down to be: from now on every commit waits for it. */
  notTaken(error: unknown): void {
    this.#isUnsettled = true
    this.#options.log.error('the disk does not take what was recorded; all calls wait for it now', {
      reason: asFault(error).message,
    })
  }

  #timeUntil(oldest: Waiting | undefined): NodeJS.Timeout | null {
    if (oldest === undefined) return null
    const left = Math.max(0, Math.ceil(oldest.deadline - monotonicMs()))
    return setTimeout(() => this.#abandonLate(), left).unref()
  }

  /** Members wait in the order of their deadlines: those in flight first, then the queue. */
  #abandonLate(): void {
    const now = monotonicMs()
    let oldest: Waiting | undefined
    for (const waiting of [...this.#inFlight, ...this.#queue]) {
      if (waiting.isAbandoned) continue
      if (waiting.deadline > now) {
        oldest = waiting
        break
      }
      waiting.isAbandoned = true
      waiting.reject(
        new Fault(
          'AUDIT_UNAVAILABLE',
          'No audit record could be written in time; nothing was released.',
        ),
      )
    }
    this.#deadlineTimer = this.#timeUntil(oldest)
  }

  #start(): void {
    if (this.#running !== null) return
    this.#running = this.#drain().finally(() => {
      this.#running = null
      // Whoever came after the last look at the queue found it running and started nothing.
      if (this.#queue.length > 0) this.#start()
      else if (this.#ends.length > 0 && !this.#isFailing) this.#recordSoon()
    })
  }

  async #drain(): Promise<void> {
    do {
      // Lets everybody who was just answered come back before the next batch is cut.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = this.#queue.splice(0, MAX_BATCH).filter((waiting) => !waiting.isAbandoned)
      const ends = this.#ends.splice(0)
      if (batch.length === 0 && ends.length === 0) break
      this.#inFlight = batch
      await this.#commitBatch(batch, ends)
      this.#inFlight = []
    } while (this.#queue.length > 0)
  }

  async #commitBatch(batch: readonly Waiting[], ends: readonly End[]): Promise<void> {
    const { db, heads, log, sinks } = this.#options
    const admitted = sinks === undefined ? batch : await admittedBy(sinks, batch)
    if (admitted.length === 0 && ends.length === 0) return
    const durability = this.#durabilityOf(admitted)
    try {
      const done = await db.write((tx) => this.#transact(tx, admitted, ends), {
        deadlineMs: this.#options.deadlineMs ?? DEADLINE_MS,
        durability,
      })
      this.#isFailing = false
      if (durability === 'soon') this.#settleSoon()
      else this.#isUnsettled = false
      // Another process may have named a sink meanwhile.
      if (durability === 'soon' && sinks?.isEmpty === false) await this.#settle()
      if (done.after !== null) heads.appended(done.before, done.after, done.size)
      const missing = sinks === undefined ? null : await missingFrom(sinks, done.rows)
      for (const placed of done.placed) this.#answer(placed, refOf(placed, done.rows), missing)
      if (done.lostEnds > 0)
        log.warn('the store lost records of this process; their ends are not recorded', {
          ends: done.lostEnds,
        })
    } catch (error) {
      this.#isFailing = true
      const fault = asFault(error)
      log.error('an audit batch could not be committed', {
        code: fault.code,
        reason: fault.message,
      })
      this.#ends.unshift(...ends.slice(0, 10_000))
      for (const waiting of admitted) waiting.reject(unrecorded(fault))
    }
  }

  #durabilityOf(batch: readonly Waiting[]): Durability {
    if (this.#isUnsettled || this.#options.sinks?.isEmpty === false) return 'now'
    return batch.every(({ lane }) => lane.durability === 'soon') ? 'soon' : 'now'
  }

  /** @param missing why a sink that must have the record does not */
  #answer({ waiting, settled }: Placed, record: RecordRef | null, missing: Fault | null): void {
    const isHeldBack = missing !== null && this.#options.sinks?.admits(waiting.lane.name) === false
    if (isHeldBack) waiting.reject(undelivered(missing))
    if (waiting.isAbandoned || isHeldBack) {
      // Spent and recorded, but the caller was already told that nothing would come.
      if ('value' in settled && settled.record?.kind === 'intent') this.outcome(record, 'dropped')
      return
    }
    if ('fault' in settled) waiting.reject(settled.fault)
    else waiting.resolve({ value: settled.value, record })
  }

  async #transact(
    tx: Tx,
    batch: readonly Waiting[],
    ends: readonly End[],
  ): Promise<{
    readonly placed: readonly Placed[]
    readonly before: Buffer
    readonly after: Buffer | null
    readonly size: number
    readonly rows: readonly RecordRow[]
    readonly lostEnds: number
  }> {
    const { clock, sinks } = this.#options
    const at = clock()
    // Asked for together, which costs no further wait for the database.
    const [stored, known] = await Promise.all([lockTree(tx), stillRecorded(tx, ends)])
    const lostEnds = ends.length - known.length
    if (sinks !== undefined) await sinks.within(tx)
    // Whoever gave up while the lock was waited for was told that nothing changed.
    const live = batch.filter((waiting) => !waiting.isAbandoned)
    const settled = await settleAll(tx, live, at)
    const drafts: RecordDraft[] = []
    const placed: Placed[] = []
    const tree = await this.#writer.epoch(tx, stored, at, drafts)
    for (const [waiting, result] of settled) {
      placed.push({ waiting, settled: result, index: drafts.length })
      if (result.record !== null) drafts.push(result.record)
      if (result.also !== undefined) drafts.push(...result.also)
    }
    if (known.length > 0)
      drafts.push({
        kind: 'outcome',
        action: 'outcome',
        caller: null,
        ends: known.map(({ seq, result }) => [seq, result] as const),
      })
    const before = Buffer.from(tree.frontier)
    if (drafts.length === 0)
      return { placed, before, after: null, size: tree.size, rows: [], lostEnds }
    const { after, rows } = await this.#writer.append(tx, tree, at, drafts)
    return { placed, before, after, size: tree.size + drafts.length, rows, lostEnds }
  }
}

/** @returns null for a member of which nothing was recorded */
function refOf({ settled, index }: Placed, rows: readonly RecordRow[]): RecordRef | null {
  const row = settled.record === null ? undefined : rows[index]
  return row === undefined ? null : { seq: row.seq, mac: row.mac }
}

/** The ends whose intents the store still has: one that fell back to an older copy of itself lost the last of them. */
async function stillRecorded(tx: Tx, ends: readonly End[]): Promise<readonly End[]> {
  let last: End | undefined
  for (const end of ends) if (last === undefined || end.seq > last.seq) last = end
  // What stands before a record that is there is there too.
  if (last === undefined || (await isRecorded(tx, last))) return ends
  const found: End[] = []
  for (const end of ends) if (await isRecorded(tx, end)) found.push(end)
  return found
}

function unrecorded(fault: Fault): Fault {
  if (fault.code === 'STORE_TAMPERED' || fault.code === 'STORE_CORRUPT') return fault
  return new Fault(
    'AUDIT_UNAVAILABLE',
    `The audit record could not be written, so nothing was released or changed: ${fault.message}`,
    { cause: fault },
  )
}
