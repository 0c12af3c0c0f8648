import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Reserved } from '../../core/counter-port.ts'
import type { Glance } from '../../core/db-port.ts'
import { Fault } from '../../core/faults.ts'
import type { Log } from '../../core/log.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import { MacKey } from '../../crypto/index.ts'
import { CounterState } from './counter-state.ts'
import {
  decodeEntry,
  type Entry,
  type Outgoing,
  repeated,
  type Written,
  writeEntry,
} from './entries.ts'
import { type Frame, JournalFile, type Piece } from './journal-file.ts'
import { journalPath, journalWithCounts } from './journal-repository.ts'
import { Shapes } from './shapes.ts'

/** What became of an entry where it stands. */
export interface Decided {
  readonly place: number
  /** The time that counts, see `CounterState.timeOf`. */
  readonly at: EpochMs
  /** A number: so many bytes that nobody of us wrote. */
  readonly entry: Entry | number
  /** Of a call or a charge. */
  readonly reserved: Reserved | null
}

export interface ReplayParts {
  /** Of the store. */
  readonly key: MacKey
  readonly glance: Glance
  /** What the names of the files begin with. */
  readonly base: string
  readonly log: Log
}

/** An entry of this process on its way into the file. */
interface Own extends Outgoing {
  readonly bytes: number
}

/** What the file was after a write. */
interface Seen {
  readonly size: number
  readonly isNamed: boolean
}

const NOTHING: readonly Own[] = []
const NOBODY: Decided = { place: -1, at: epochMs(0), entry: 0, reserved: null }

/** Offsets are below it: an entry is named by one number, in the order in which entries stand. */
const GENERATION = 2 ** 28
/** How often an entry may stand behind a seal: each time another file was begun meanwhile. */
const MOST_TRIES = 5
/** Others may have written much since. */
const LONG_MS = 50
/** For so long after a look nobody will have deleted the file: what was written is only looked for at its place. */
const SURE_MS = 5
/** Who has so much to read looks first whether the store has it: taking it in again takes longer. */
const FAR_BYTES = 65_536
/** Calls written at length that are kept: some for each writer. */
const MOST_FULL = 1_000

export function placeOf(generation: number, offset: number): number {
  return generation * GENERATION + offset
}

/** Entries of another file do not verify under the key of this one. */
export function keyOfFile(key: MacKey, generation: number, id: string): MacKey {
  return new MacKey(key.sign(Buffer.from(`call-journal file ${generation} ${id}`, 'utf8')))
}

export function newFileId(): string {
  return randomBytes(8).toString('hex')
}

/**
 * The journal as this process has read it: what is counted after its last entry, and which entries may not be in the
 * tree yet. What is read is judged in the order of the file, so that every process comes to the same.
 */
export class Replay {
  readonly #parts: ReplayParts
  readonly #writer = randomBytes(6).toString('base64url')
  #written = 0
  /** Time of the last entry. */
  #wroteAt = epochMs(0)
  /** Time of the last entry after which the file was looked at. */
  #lookedAt = epochMs(0)
  /** The last entry of each writer in this file: none counts twice. */
  #last = new Map<string, number>()
  readonly #shapes = new Shapes()
  /** Calls that others are like, as they were read from this file, by offset. */
  #full = new Map<number, Written>()
  #file: JournalFile
  #generation = 0
  #id = ''
  /** Everything before it was read. */
  #offset = 0
  #state = new CounterState()
  #pending: Decided[] = []
  /** Whether it begins, after a power cut as it may be. */
  #isLoading = false
  /** Entries from here on are in `pending`. */
  #pendingFrom = 0

  /** @throws {Fault} `STORE_TAMPERED` when the file is not what the store names */
  constructor(parts: ReplayParts) {
    this.#parts = parts
    this.#file = this.load()
  }

  get state(): CounterState {
    return this.#state
  }

  get file(): JournalFile {
    return this.#file
  }

  get generation(): number {
    return this.#generation
  }

  get id(): string {
    return this.#id
  }

  get offset(): number {
    return this.#offset
  }

  get place(): number {
    return placeOf(this.#generation, this.#offset)
  }

  get pendingFrom(): number {
    return this.#pendingFrom
  }

  /** The oldest first. */
  get pending(): readonly Decided[] {
    return this.#pending
  }

  /** Begins again at what the store says. @throws {Fault} `STORE_TAMPERED` */
  load(): JournalFile {
    const { key, glance, base } = this.#parts
    const stored = journalWithCounts(key, glance)
    if (stored === null) throw new Fault('STORE_TAMPERED', 'The store names no call journal.')
    const { generation, id, offset, lastAt } = stored.row
    const path = journalPath(base, generation, id)
    if (!existsSync(path)) throw lostJournal(path, 'is gone')
    const file = JournalFile.open(path, keyOfFile(key, generation, id))
    const { size } = file.look()
    if (size < offset) {
      file.close()
      throw lostJournal(path, 'is shorter than what the store took from it', true)
    }
    if (this.#generation !== 0) this.#file.close()
    this.#file = file
    this.#generation = generation
    this.#id = id
    this.#offset = offset
    this.#forgetFile()
    this.#state = new CounterState(stored.counts, lastAt)
    this.#pending = []
    this.#pendingFrom = this.place
    this.#isLoading = true
    this.catchUp()
    this.#isLoading = false
    this.#skipBlank()
    return this.#file
  }

  /** What a power cut left at the end is none of anybody's; what is just being written by another process has no gaps. */
  #skipBlank(): void {
    const { size } = this.#file.look()
    if (size > this.#offset && this.#file.isBlank(this.#offset, size)) this.#offset = size
  }

  /** Writes an entry and tells what became of it at its place. */
  append(entry: Entry): Decided {
    this.#rejoin(entry.at)
    const own = this.#added(entry)
    this.#file.flush()
    if (entry.at - this.#lookedAt < SURE_MS && this.#file.standsAt(this.#offset))
      return this.#ownDecided(own)
    const seen = this.#look()
    if (this.#isNext(own.bytes, seen)) return this.#ownDecided(own)
    return this.#found([own], seen)[0] as Decided
  }

  /** Writes entries together and tells what became of each. */
  appendAll(entries: readonly Entry[]): readonly Decided[] {
    this.#rejoin(entries[0]?.at ?? this.#wroteAt)
    const own = this.#allAdded(entries)
    const seen = this.#flushed()
    const bytes = own.reduce((sum, one) => sum + one.bytes, 0)
    return this.#isNext(bytes, seen)
      ? own.map((one) => this.#ownDecided(one))
      : this.#found(own, seen)
  }

  /** Who wrote nothing for a while sees where the others are before it writes. */
  #rejoin(at: EpochMs): void {
    const idleMs = at - this.#wroteAt
    this.#wroteAt = at
    if (idleMs < 0 || idleMs > LONG_MS) this.catchUp()
  }

  /** An entry that waits to be written. */
  #added(entry: Entry): Own {
    this.#written += 1
    const like = entry.kind === 'call' ? this.#shapes.like(entry) : null
    const written = { writer: this.#writer, n: this.#written, entry, like, bytes: 0 }
    written.bytes = this.#file.add(writeEntry, written)
    return written
  }

  #allAdded(entries: readonly Entry[]): readonly Own[] {
    try {
      return entries.map((entry) => this.#added(entry))
    } catch (error) {
      this.#file.drop()
      throw error
    }
  }

  #flushed(): Seen {
    this.#file.flush()
    return this.#look()
  }

  #look(): Seen {
    this.#lookedAt = this.#wroteAt
    return this.#file.look()
  }

  /** Whether nobody else wrote since the file was read, so that it ends with what was just written. */
  #isNext(bytes: number, { size, isNamed }: Seen): boolean {
    return size === this.#offset + bytes && isNamed
  }

  #ownDecided(own: Own): Decided {
    const { writer, n, entry, bytes } = own
    this.#last.set(writer, n)
    this.#noteShape(own, this.#offset)
    return this.#decided(this.#offset, this.#offset + bytes, entry)
  }

  #noteShape({ entry, like, n }: Own, offset: number): void {
    if (like === null && entry.kind === 'call') this.#shapes.add(entry, offset, n)
  }

  /** Looks for entries among what others wrote. What stands behind a seal is written again, in the next file. */
  #found(own: readonly Own[], { size, isNamed }: Seen, tries = 1): readonly Decided[] {
    const { id } = this
    const found = this.#read(size, own)
    if (!isNamed && this.#id === id) throw lostJournal(this.#file.path, 'was deleted')
    if (found.length === own.length) return found
    if (this.#id === id) throw lostJournal(this.#file.path, 'was changed')
    if (tries === MOST_TRIES)
      throw new Fault('AUDIT_UNAVAILABLE', 'The call journal is being replaced; try again.')
    const again = this.#allAdded(own.slice(found.length).map(({ entry }) => entry))
    return [...found, ...this.#found(again, this.#flushed(), tries + 1)]
  }

  /** Ends the file, unless somebody else was first: a seal counts for the file that it was written for, or not at all. */
  seal(at: EpochMs, generation: number, id: string): void {
    this.#added({ kind: 'seal', at, ends: [], generation, id })
    this.#file.flush()
    this.catchUp()
  }

  /** Reads what others wrote. */
  catchUp(): void {
    for (let id = ''; id !== this.#id; ) {
      id = this.#id
      const { size } = this.#file.look()
      this.#skipStored(size)
      if (id === this.#id) this.#read(size, NOTHING)
    }
  }

  /** Forgets entries that are in the tree. */
  ingestedTo(place: number): void {
    const pending = this.#pending
    const kept = pending.findIndex((one) => one.place >= place)
    this.#pending = kept < 0 ? [] : pending.slice(kept)
    // An array that outlived a collection is held for alive until a full one, and with it whatever it names.
    for (let at = 0; at < pending.length; at += 1) pending[at] = NOBODY
    if (place > this.#pendingFrom) this.#pendingFrom = place
  }

  close(): void {
    this.#file.close()
  }

  /** @returns what became of the own entries, in order: those that count, and do not stand behind a seal */
  #read(to: number, own: readonly Own[]): readonly Decided[] {
    if (to < this.#offset) throw lostJournal(this.#file.path, 'was cut')
    if (to === this.#offset) return []
    const found: Decided[] = []
    for (const piece of this.#file.read(this.#offset, to)) {
      const written = this.#writtenIn(piece)
      if (written === null) continue
      const next = own[found.length]
      const isOwn = next !== undefined && written.writer === next.writer && written.n === next.n
      // What was read back has the same meaning; the caller knows its own objects.
      const decided = this.#decided(piece.from, piece.to, isOwn ? next.entry : written.entry)
      if (isOwn) {
        found.push(decided)
        this.#noteShape(next, piece.from)
      }
      if (written.entry.kind === 'seal') {
        this.#follow(written.entry.generation, written.entry.id)
        return found
      }
    }
    return found
  }

  #writtenIn(piece: Piece): Written | null {
    const written = 'text' in piece ? this.#decoded(piece.text) : null
    if (written !== null && written.n > (this.#last.get(written.writer) ?? 0)) {
      this.#last.set(written.writer, written.n)
      return written
    }
    const bytes = piece.to - piece.from
    const isHarmless =
      'text' in piece
        ? this.#isLoading && this.#isLikeBlank(piece)
        : piece.isTorn || (piece.isBlank && this.#isLoading)
    if (!isHarmless) {
      this.#parts.log.error('the call journal holds what Sallyport did not write there', {
        file: this.#file.path,
        from: piece.from,
        bytes,
      })
      this.#decided(piece.from, piece.to, bytes)
    } else this.#offset = piece.to
    return null
  }

  #decoded(text: string): Written | null {
    const read = decodeEntry(text)
    if (read === null || 'entry' in read) return read
    const { offset } = read.like
    const full = this.#full.get(offset) ?? this.#fullAt(offset)
    return full === null ? null : repeated(full, read)
  }

  /** Whether it names a call that the disk never got. */
  #isLikeBlank({ text, from }: Frame): boolean {
    const read = decodeEntry(text)
    if (read === null || 'entry' in read || read.like.offset >= from) return false
    return this.#file.isBlank(read.like.offset, from)
  }

  /** A call written at length, which may stand before what is left to be read. */
  #fullAt(offset: number): Written | null {
    const frame = this.#file.entryAt(offset)
    const full = frame === null ? null : decodeEntry(frame.text)
    if (full === null || !('entry' in full)) return null
    if (this.#full.size >= MOST_FULL) this.#full.clear()
    this.#full.set(offset, full)
    return full
  }

  #decided(from: number, to: number, entry: Entry | number): Decided {
    const place = placeOf(this.#generation, from)
    this.#offset = to
    let reserved: Decided['reserved'] = null
    let at = typeof entry === 'number' ? this.#state.lastAt : entry.at
    if (typeof entry !== 'number') {
      if (entry.kind === 'call' || entry.kind === 'charge') {
        at = this.#state.timeOf(at)
        reserved = this.#state.take(entry.charges, at)
      } else if (entry.kind === 'change')
        for (const { counter, bucket, amount } of entry.changes)
          this.#state.change(counter, bucket, amount)
    }
    const decided = { place, at, entry, reserved }
    this.#pending.push(decided)
    return decided
  }

  /** What stands behind the seal counts nowhere: whoever wrote it there writes it again in the next file. */
  #follow(generation: number, id: string): void {
    const { base, key } = this.#parts
    const path = journalPath(base, generation, id)
    // Whoever slept for long finds even the next one gone; what was in it is in the store.
    if (!existsSync(path)) {
      this.load()
      return
    }
    const next = JournalFile.open(path, keyOfFile(key, generation, id))
    this.#file.close()
    this.#file = next
    this.#generation = generation
    this.#id = id
    this.#offset = 0
    this.#forgetFile()
  }

  /** Passes over what others wrote and took in while this process wrote nothing. */
  #skipStored(size: number): void {
    if (this.#isLoading || size - this.#offset < FAR_BYTES) return
    const { key, glance } = this.#parts
    const stored = journalWithCounts(key, glance)
    if (stored === null) return
    const { generation, id, offset, lastAt } = stored.row
    if (generation > this.#generation) {
      this.load()
      return
    }
    if (id !== this.#id || offset <= this.#offset || offset > size) return
    this.#offset = offset
    this.#state = new CounterState(stored.counts, lastAt)
    this.#pending = []
    this.#pendingFrom = this.place
  }

  #forgetFile(): void {
    this.#last = new Map()
    this.#full = new Map()
    this.#shapes.forget()
  }
}

/** @param isShort whether all that is gone is in the store, as a power cut leaves it */
function lostJournal(path: string, how: string, isShort = false): Fault {
  // The id of the file is the end of its name.
  const journal = path.slice(path.lastIndexOf('-') + 1)
  return new Fault('STORE_TAMPERED', `The call journal '${path}' ${how}.`, {
    details: { file: path, journal, isShort },
  })
}
