import type { CounterCharge, Reserved, Taken } from '../../core/counter-port.ts'
import type { Glance } from '../../core/db-port.ts'
import { asFault, Fault, isFault } from '../../core/faults.ts'
import { Soon } from '../../core/soon.ts'
import { type EpochMs, monotonicMs } from '../../core/time.ts'
import type { MacKey } from '../../crypto/index.ts'
import { rightsRevisionAtOnce } from '../../keys/index.ts'
import type { CallOutcome } from '../record.ts'
import type { Entry, NamedCharge, PlacedEnd, RecordText } from './entries.ts'
import { Ingestion } from './ingestion.ts'
import { JournalFile } from './journal-file.ts'
import { glanceAtJournal, journalPath } from './journal-repository.ts'
import {
  beginFile,
  type CallJournalParts,
  journalKey,
  openReplay,
  sealedBefore,
} from './journal-start.ts'
import { type Decided, keyOfFile, newFileId, placeOf, type Replay } from './replay.ts'

/** What is recorded of charges that change. */
export interface ChangeRecord {
  readonly text: RecordText
  /** The place of the call that they were of. */
  readonly of: number | null
}

/** A call that was written down. */
export interface JournaledCall<C extends NamedCharge> {
  /** Names it, for its end. */
  readonly place: number
  readonly reserved: Reserved<C>
}

export interface JournalCall<C extends NamedCharge> {
  readonly text: RecordText
  /** What allowed it, as JSON text. */
  readonly by: string
  /** The rule in shadow that would have stopped it, as JSON text. */
  readonly shadow: string | null
  readonly charges: readonly C[]
}

/** A call that waits to be written with others. */
interface Gathered {
  readonly entry: Entry
  readonly decided: Soon<Decided>
}

interface Behind {
  readonly work: () => void
}

/** So often what was written meanwhile is sent to the disk. */
const SYNC_MS = 35
/** After so long what was written is in the tree: taking in many costs little more than taking in one. */
const INGEST_MS = 250
/** So many are taken in at once. Calls wait meanwhile. */
const MOST_PENDING = 512
/** Calls wait for an audit that is so far behind; where the store takes nothing, none passes. */
const MOST_BEHIND_MS = 1_000
/** A file of this size is followed by another. */
const SEALED_BYTES = 8 * 1_048_576
const RETRY_MS = 250
/** Calls that come within it of one another may come together. */
const IN_A_ROW_MS = 0.15
/** For so long one taking in waits for others that write to the store; then it looks what they took in. */
const TURN_MS = 100
const DEADLINE_MS = 10_000
/** Calls that come within it are judged by the same revision; a change made by this process counts at once. */
const FRESH_MS = 50
/** What was revoked since must not go on. */
const MOST_UNCONFIRMED_MS = 1_000

/**
 * Calls as they are written down before they go on: one line each, in a file that all processes of the store append to.
 * The order of the file is the order of the charges, so nobody has to be asked and nothing to be locked: what is written
 * is charged, whatever becomes of its writer. The tree and the rows of the counters follow within milliseconds.
 */
export class CallJournal {
  readonly #parts: CallJournalParts
  readonly #key: MacKey
  readonly #glance: Glance
  readonly #replay: Replay
  readonly #ingestion: Ingestion
  #ends: PlacedEnd[] = []
  #timer: NodeJS.Timeout | null = null
  /** Whether something was written here that the disk was not asked to take. */
  #isUnsynced = false
  /** When the oldest of what is not in the tree was written here, monotonic milliseconds. */
  #behindSince: number | null = null
  #ingesting: Promise<void> | null = null
  #isClosed = false
  #rights = 0
  /** When they were last read, monotonic milliseconds. */
  #rightsAt = Number.NEGATIVE_INFINITY
  #isRightsStale = true
  readonly #unwatch: () => void
  /** Calls that went on and have not ended. */
  #underway = 0
  /** Calls that wait to be written together, and what is done behind them; null while each is written at once. */
  #gathered: (Gathered | Behind)[] | null = null
  /** When the last call came that was not gathered, monotonic milliseconds. */
  #calledAt = Number.NEGATIVE_INFINITY
  /** Why nothing may be written until another file was begun. */
  #fault: Fault | null = null
  /** Files that nobody needs any more once the disk has what was in them. */
  #sealed: string[] = []

  private constructor(parts: CallJournalParts, key: MacKey, glance: Glance, replay: Replay) {
    this.#parts = parts
    this.#key = key
    this.#glance = glance
    this.#replay = replay
    this.#ingestion = new Ingestion(key, replay)
    this.#unwatch = parts.db.watch(() => {
      this.#isRightsStale = true
    })
  }

  /** @returns null where the database is not in this process */
  static async open(parts: CallJournalParts): Promise<CallJournal | null> {
    const { db, base, log } = parts
    const glance = await db.glance()
    if (glance === null) return null
    const key = await journalKey(parts)
    await beginFile(parts, key, null)
    const replay = await openReplay(parts, key, { key, glance, base, log })
    const journal = new CallJournal(parts, key, glance, replay)
    journal.#sealed = sealedBefore(base, key, glance)
    return journal
  }

  /**
   * Null while the audit follows.
   *
   * @returns what a call has to wait for first @throws {Fault} as `ingest`
   */
  behind(): Promise<void> | null {
    if (this.#behindSince === null || monotonicMs() - this.#behindSince < MOST_BEHIND_MS)
      return null
    return this.#ingesting ?? this.ingest()
  }

  /**
   * Writes a call down, with its charges. It goes on if they fit.
   *
   * @throws {Fault} `AUDIT_UNAVAILABLE`, `STORE_TAMPERED`: it does not
   */
  call<C extends NamedCharge>(call: JournalCall<C>): JournaledCall<C> {
    return this.#journaled(this.#append(this.#entryOf(call)))
  }

  /**
   * As `call`; but between `gather` and `flush`, and where calls come one right after another, they are written
   * together.
   */
  callSoon<C extends NamedCharge>(call: JournalCall<C>): JournaledCall<C> | Soon<JournaledCall<C>> {
    if (this.#gathered === null && !this.#isInRow()) return this.call(call)
    this.#gathered ??= []
    const entry = this.#entryOf(call)
    this.#ends = []
    const decided = new Soon<Decided>()
    this.#gathered.push({ entry, decided })
    return decided.map((one) => this.#journaled<C>(one))
  }

  #journaled<C extends NamedCharge>({ place, reserved }: Decided): JournaledCall<C> {
    if (reserved !== null && 'taken' in reserved) this.#underway += 1
    // The replay answers with the charges that it was given.
    return { place, reserved: reserved as Reserved<C> }
  }

  /**
   * Whether a call was written a moment ago and is not over: then this one waits for those that came in the same turn.
   * Who waits for each answer before it asks again is kept from nothing.
   */
  #isInRow(): boolean {
    const now = monotonicMs()
    const isInRow = now - this.#calledAt < IN_A_ROW_MS && this.#underway > 0
    this.#calledAt = now
    if (isInRow) setImmediate(() => this.flush())
    return isInRow
  }

  #entryOf({ text, by, shadow, charges }: JournalCall<NamedCharge>): Entry {
    return { kind: 'call', at: this.#ready(), ends: this.#ends, text, by, shadow, charges }
  }

  /** Does something behind the calls that wait; at once where none does. */
  inOrder(work: () => void): void {
    if (this.#gathered === null || this.#gathered.length === 0) work()
    else this.#gathered.push({ work })
  }

  /** Calls wait from now on, until they are written together. */
  gather(): void {
    this.#gathered ??= []
  }

  /** Writes the calls that wait. */
  flush(): void {
    const gathered = this.#gathered
    this.#gathered = null
    if (gathered !== null && gathered.length > 0) this.#appendAll(gathered)
  }

  refusal(text: RecordText, by: string): void {
    this.#append({ kind: 'refusal', at: this.#ready(), ends: this.#ends, text, by })
  }

  /** Charges for what is recorded elsewhere. */
  take<C extends CounterCharge>(charges: readonly C[], at = this.#parts.clock()): Reserved<C> {
    this.#requireReady()
    const { reserved } = this.#append({ kind: 'charge', at, ends: this.#ends, charges })
    // The replay answers with the charges that it was given.
    return reserved as Reserved<C>
  }

  /** @param record what is said of it, and the place of the call that it is of */
  refund(taken: readonly Taken[], record: ChangeRecord | null = null): void {
    this.#change(
      taken.map((one) => ({ ...one, amount: -one.amount })),
      record,
    )
  }

  settle(
    taken: readonly Taken[],
    actual: ReadonlyMap<string, number>,
    record: ChangeRecord | null = null,
  ): void {
    this.#change(
      taken.flatMap((one) => {
        const cost = actual.get(one.counter) ?? one.amount
        return cost === one.amount ? [] : [{ ...one, amount: cost - one.amount }]
      }),
      record,
    )
  }

  /** What has ended goes with what is taken in next. */
  async tidy(): Promise<void> {
    this.#replay.state.dropEnded()
  }

  /** How a call ended. It is written with what is written next, or within 35 ms. */
  end(place: number, end: CallOutcome): void {
    // Most stand alone: an array that grows has room for many from the start.
    if (this.#ends.length === 0) this.#ends = [[place, end]]
    else this.#ends.push([place, end])
    if (this.#underway > 0) this.#underway -= 1
    this.#followSoon()
  }

  /** The revision of the rights as it is now. @throws {Fault} when it could not be read for a second */
  rights(): number {
    const now = monotonicMs()
    if (now - this.#rightsAt < FRESH_MS && !this.#isRightsStale) return this.#rights
    try {
      this.#rights = rightsRevisionAtOnce(this.#glance)
      this.#rightsAt = now
      this.#isRightsStale = false
    } catch (error) {
      if (now - this.#rightsAt > MOST_UNCONFIRMED_MS) throw error
    }
    return this.#rights
  }

  /** Resolves when all that was written so far is on the disk; callers share the wait. @throws {Fault} */
  synced(): Promise<void> {
    return this.#replay.file.sync()
  }

  /**
   * As `synced`, while the process waits: where the disk is quick and no other call is under way, nobody is kept.
   *
   * @returns false when nothing was done @throws {Fault}
   */
  syncedAtOnce(): boolean {
    if (this.#underway > 1 || !this.#replay.file.syncAtOnce()) return false
    this.#isUnsynced = false
    return true
  }

  /** Resolves when all that any process wrote so far is in the tree. */
  async ingest(): Promise<void> {
    while (this.#ingesting !== null) await this.#ingesting
    this.#ingesting = this.#ingestNow().finally(() => {
      this.#ingesting = null
    })
    await this.#ingesting
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.flush()
    this.#isClosed = true
    this.#unwatch()
    this.#stopTimer()
    try {
      await this.ingest()
      await this.#removeSealed()
    } finally {
      this.#replay.close()
    }
  }

  #change(changes: readonly Taken[], record: ChangeRecord | null): void {
    if (changes.length === 0 && record === null) return
    this.#append({ kind: 'change', at: this.#ready(), ends: this.#ends, changes, record })
  }

  #ready(): EpochMs {
    this.#requireReady()
    return this.#parts.clock()
  }

  #requireReady(): void {
    if (this.#fault !== null) throw this.#fault
    if (this.#isClosed)
      throw new Fault('AUDIT_UNAVAILABLE', 'The vault is closing; nothing was released.')
  }

  #append(entry: Entry): Decided {
    // What came first stands first.
    if (this.#gathered !== null && this.#gathered.length > 0)
      this.#appendAll(this.#gathered.splice(0))
    try {
      const decided = this.#replay.append(entry)
      this.#ends = []
      this.#isUnsynced = true
      this.#followSoon()
      return decided
    } catch (error) {
      if (isFault(error, 'STORE_TAMPERED')) this.#lost(error)
      throw error
    }
  }

  #appendAll(gathered: readonly (Gathered | Behind)[]): void {
    const entries = gathered.flatMap((one) => ('entry' in one ? [one.entry] : []))
    let decided: readonly Decided[]
    try {
      decided = this.#replay.appendAll(entries)
      this.#isUnsynced = true
      this.#followSoon()
    } catch (error) {
      if (isFault(error, 'STORE_TAMPERED')) this.#lost(error)
      this.#ends.unshift(...entries.flatMap(({ ends }) => ends))
      for (const one of gathered)
        if ('entry' in one) one.decided.reject(error)
        else one.work()
      return
    }
    let next = 0
    for (const one of gathered)
      if ('entry' in one) {
        one.decided.resolve(decided[next] as Decided)
        next += 1
      } else one.work()
  }

  #followSoon(delayMs = SYNC_MS): void {
    if (this.#timer !== null || this.#isClosed) return
    this.#behindSince ??= monotonicMs()
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#follow()
    }, delayMs)
    this.#timer.unref()
  }

  /** The disk, and from time to time the tree, take what was written. */
  #follow(): void {
    const behindMs = this.#behindSince === null ? 0 : monotonicMs() - this.#behindSince
    const isDue = behindMs >= INGEST_MS || this.#replay.pending.length >= MOST_PENDING
    if (this.#fault === null) this.#syncWritten()
    if (!isDue && this.#fault === null) {
      this.#followSoon()
      return
    }
    this.ingest().catch((error: unknown) => {
      this.#parts.log.error('calls that were written down are not in the audit yet', {
        reason: asFault(error).message,
      })
      this.#followSoon(RETRY_MS)
    })
  }

  #syncWritten(): void {
    try {
      this.#writeEnds()
    } catch (error) {
      // They go with what is written or taken in next: that tells what is wrong.
      if (isFault(error, 'STORE_TAMPERED')) this.#lost(error)
    }
    if (!this.#isUnsynced) return
    this.#isUnsynced = false
    this.synced().catch((error: unknown) => this.#parts.ledger.notTaken(error))
  }

  #writeEnds(): void {
    if (this.#ends.length === 0) return
    this.#replay.append({ kind: 'ends', at: this.#parts.clock(), ends: this.#ends })
    this.#ends = []
    this.#isUnsynced = true
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  async #ingestNow(): Promise<void> {
    this.#stopTimer()
    const behindSince = this.#behindSince
    this.#behindSince = null
    try {
      if (this.#fault !== null) await this.#beginAnew(this.#fault)
      await this.#takeIn()
    } catch (error) {
      this.#behindSince = behindSince
      if (isFault(error, 'STORE_TAMPERED')) this.#lost(error)
      throw error
    }
  }

  async #takeIn(): Promise<void> {
    const replay = this.#replay
    const { ledger } = this.#parts
    this.#writeEnds()
    if (replay.offset >= SEALED_BYTES) this.#seal()
    replay.catchUp()
    if (!replay.file.isInPlace())
      throw new Fault('STORE_TAMPERED', `The call journal '${replay.file.path}' was moved.`)
    const until = monotonicMs() + DEADLINE_MS
    for (const to = replay.place; this.#storedTo() < to; )
      try {
        await ledger.grow(this.#ingestion, TURN_MS)
      } catch (error) {
        // Whoever is in the way takes in what was written here, too.
        if (!isFault(error, 'STORE_BUSY') || monotonicMs() > until) throw error
      }
    if (this.#sealed.length > 0) await this.#removeSealed()
  }

  /** Up to where the audit has what was written down, by any process. */
  #storedTo(): number {
    const stored = glanceAtJournal(this.#key, this.#glance)
    if (stored === null) throw new Fault('STORE_TAMPERED', 'The store names no call journal.')
    const replay = this.#replay
    if (stored.generation > replay.generation) replay.catchUp()
    // No seal led there: what was written here since then is in no audit, and counts for nobody else.
    if (stored.generation > replay.generation)
      throw new Fault('STORE_TAMPERED', `The call journal '${replay.file.path}' was replaced.`)
    const place = placeOf(stored.generation, stored.offset)
    replay.ingestedTo(place)
    return place
  }

  /** Begins the next file. Of several that try, the one whose seal stands first has. */
  #seal(): void {
    const replay = this.#replay
    const { base, clock } = this.#parts
    const generation = replay.generation + 1
    const id = newFileId()
    const path = journalPath(base, generation, id)
    JournalFile.create(path, keyOfFile(this.#key, generation, id)).close()
    const sealed = replay.file.path
    replay.seal(clock(), generation, id)
    this.#sealed.push(replay.id === id ? sealed : path)
  }

  /** A power cut must not leave a store that still needs them. */
  async #removeSealed(): Promise<void> {
    const sealed = this.#sealed.splice(0)
    await this.#parts.db.settle()
    for (const path of sealed) await JournalFile.remove(path)
  }

  /** What was written cannot be read back: nothing passes until another file was begun. */
  #lost(fault: Fault): void {
    if (this.#fault !== null) return
    this.#fault = fault
    this.#parts.log.error('the call journal is not what was written; another is begun', {
      reason: fault.message,
    })
    this.#followSoon(0)
  }

  async #beginAnew(fault: Fault): Promise<void> {
    await beginFile(this.#parts, this.#key, {
      id: this.#replay.id,
      why: fault.message,
      isShort: false,
    })
    this.#replay.load()
    this.#fault = null
  }
}
