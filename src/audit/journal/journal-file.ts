import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { unlink } from 'node:fs/promises'
import { platform } from 'node:os'
import { dirname } from 'node:path'
import { Fault } from '../../core/faults.ts'
import { monotonicMs } from '../../core/time.ts'
import type { MacKey } from '../../crypto/index.ts'
import { TextBytes, writeAscii } from './text-bytes.ts'

/** `\n`, eight digits of the length, a tab, the MAC, a tab; then the text, then `\n`. */
const LENGTH_DIGITS = 8
/** 120 bits of it. */
const MAC_DIGITS = 20
const MAC_AT = 1 + LENGTH_DIGITS + 1
const TEXT_AT = MAC_AT + MAC_DIGITS + 1
const FRAME_BYTES = TEXT_AT + 1
const NEW_LINE = 10
const TAB = 9
const DIGIT_0 = 48
const LETTER_A = 97
/** No entry is longer: names of arguments are cut to a hundred of a hundred characters. */
const MAX_TEXT = 1_048_576
const PRIVATE = 0o600
/** A disk that was so quick last time is waited for in place: to have another thread wait takes as long again. */
const QUICK_MS = 0.5
/** The same as another thread finds it. */
const QUICK_APART_MS = 1

/** One entry as it stands in the file. */
export interface Frame {
  /** Where it begins, and what follows it begins. */
  readonly from: number
  readonly to: number
  readonly text: string
}

/** What stands where an entry would have to begin. */
export type Piece =
  | Frame
  | {
      /** Bytes that are no entry. */
      readonly from: number
      readonly to: number
      /** The beginning of one, by a process that ended in the middle of its write. */
      readonly isTorn: boolean
      /** Bytes that the disk never got, as a power cut leaves them. */
      readonly isBlank: boolean
    }

/**
 * One file that all processes of a store append to, each entry with one write. The kernel puts them one after another,
 * and that order is what everybody reads.
 */
export class JournalFile {
  readonly path: string
  readonly #fd: number
  readonly #mac: MacKey
  readonly #out = new TextBytes()
  readonly #found = Buffer.allocUnsafe(TEXT_AT)
  #isClosed = false
  /** Ends without a failure; whoever asked is told of it. */
  #sync: Promise<void> | null = null
  #nextSync: Promise<void> | null = null
  /** Whether the disk took what it was given last without keeping anybody waiting. */
  #isQuick = false

  private constructor(path: string, fd: number, mac: MacKey) {
    this.path = path
    this.#fd = fd
    this.#mac = mac
  }

  /** @param mac a key of this file alone: an entry of another file does not verify here */
  static open(path: string, mac: MacKey): JournalFile {
    const flags = constants.O_RDWR | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0)
    return new JournalFile(path, openUntimed(path, flags), mac)
  }

  /** Makes the file, on the disk under its name. */
  static create(path: string, mac: MacKey): JournalFile {
    const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL
    const fd = openSync(path, flags, PRIVATE)
    fsyncSync(fd)
    syncDirectory(dirname(path))
    return new JournalFile(path, fd, mac)
  }

  /** Takes a name away. Who has the file open may still read it. It takes milliseconds, in which calls go on. */
  static async remove(path: string): Promise<void> {
    try {
      await unlink(path)
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error
    }
  }

  /** Bytes in it now. Zero names: somebody deleted it. */
  look(): { readonly size: number; readonly isNamed: boolean } {
    const { size, nlink } = fstatSync(this.#fd)
    return { size, isNamed: nlink > 0 }
  }

  /** Whether the name still leads to this file. */
  isInPlace(): boolean {
    const named = statSync(this.path, { throwIfNoEntry: false })
    const own = fstatSync(this.#fd)
    return named !== undefined && named.ino === own.ino && named.dev === own.dev
  }

  /**
   * Puts an entry behind those that wait to be written.
   *
   * @param write writes its text
   * @returns its bytes
   * @throws {Fault} `AUDIT_UNAVAILABLE` when it is too long: it does not wait
   */
  add<Entry>(write: (out: TextBytes, entry: Entry) => void, entry: Entry): number {
    const out = this.#out
    const from = out.length
    out.skip(TEXT_AT)
    write(out, entry)
    const length = out.length - from - TEXT_AT
    if (length > MAX_TEXT) {
      out.cut(from)
      throw unwritable('an entry is too long')
    }
    out.byte(NEW_LINE)
    const { bytes } = out
    const textAt = from + TEXT_AT
    bytes[from] = NEW_LINE
    writeLength(bytes, from + 1, length)
    bytes[from + MAC_AT - 1] = TAB
    writeAscii(bytes, from + MAC_AT, this.#macOf(bytes.subarray(textAt, textAt + length)))
    bytes[textAt - 1] = TAB
    return FRAME_BYTES + length
  }

  /** Forgets what waits. */
  drop(): void {
    this.#out.cut(0)
  }

  /**
   * Appends what waits, with one write.
   *
   * @throws {Fault} `AUDIT_UNAVAILABLE` when it is not in the file whole: what is not does not count
   */
  flush(): void {
    const { bytes, length } = this.#out
    this.#out.cut(0)
    let written: number
    try {
      written = writeSync(this.#fd, bytes, 0, length)
    } catch (error) {
      throw unwritable(isCode(error, 'ENOSPC') ? 'the disk is full' : 'it cannot be written', error)
    }
    if (written !== length) throw unwritable('the disk is full')
  }

  /** Whether what was appended last stands there, and so nothing that somebody else appended before it. */
  standsAt(offset: number): boolean {
    const { bytes } = this.#out
    const found = this.#found
    // The MAC of an entry is that of no other: its writer's number is in it. To read takes less than to ask for the size.
    if (readSync(this.#fd, found, 0, TEXT_AT, offset) !== TEXT_AT) return false
    for (let at = 0; at < TEXT_AT; at += 1) if (found[at] !== bytes[at]) return false
    return true
  }

  /**
   * What stands between two places. The last piece is left out while it may still be written to.
   *
   * @returns pieces without a gap between them
   */
  read(from: number, to: number): readonly Piece[] {
    return this.#pieces(this.#bytes(from, to), from)
  }

  /** @returns null where no entry begins */
  entryAt(offset: number): Frame | null {
    if (!Number.isSafeInteger(offset) || offset < 0) return null
    const length = lengthAt(this.#bytes(offset, offset + FRAME_BYTES), 0)
    if (length === null) return null
    return this.#frameAt(this.#bytes(offset, offset + FRAME_BYTES + length), 0, offset)
  }

  /** Whether the disk never got some of what stands between two places. */
  isBlank(from: number, to: number): boolean {
    return this.#bytes(from, to).includes(0)
  }

  #bytes(from: number, to: number): Buffer {
    const bytes = Buffer.allocUnsafe(to - from)
    let filled = 0
    while (filled < bytes.byteLength) {
      const read = readSync(this.#fd, bytes, filled, bytes.byteLength - filled, from + filled)
      if (read === 0) break
      filled += read
    }
    return bytes.subarray(0, filled)
  }

  /** Resolves when what is in the file now is on the disk; callers share the wait. @throws {Fault} */
  sync(): Promise<void> {
    // What is under way may have begun before the last entry was written.
    this.#nextSync ??= (this.#sync ?? Promise.resolve()).then(() => this.#syncNow())
    return this.#nextSync
  }

  /**
   * Brings what is in the file to the disk while the process waits.
   *
   * @returns false when that may take long: nothing was done @throws {Fault}
   */
  syncAtOnce(): boolean {
    if (!this.#isQuick || this.#isClosed) return false
    const begun = monotonicMs()
    try {
      fdatasyncSync(this.#fd)
    } catch (error) {
      throw unwritable('the disk does not take it', error)
    }
    this.#isQuick = monotonicMs() - begun < QUICK_MS
    return true
  }

  #syncNow(): Promise<void> {
    const begun = monotonicMs()
    const done = new Promise<void>((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#isQuick = monotonicMs() - begun < QUICK_APART_MS
        if (error === null) resolve()
        else reject(unwritable('the disk does not take it', error))
      })
    })
    this.#nextSync = null
    this.#sync = done
      .catch(() => {})
      .then(() => {
        this.#sync = null
        if (this.#isClosed && this.#nextSync === null) closeSync(this.#fd)
      })
    return done
  }

  /** The descriptor stays open for those who wait for the disk. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#sync === null && this.#nextSync === null) closeSync(this.#fd)
  }

  #pieces(bytes: Buffer, base: number): readonly Piece[] {
    const pieces: Piece[] = []
    let at = 0
    let spoiled: number | null = null
    while (at < bytes.byteLength) {
      const frame = this.#frameAt(bytes, at, base)
      if (frame === null) {
        spoiled ??= at
        const next = bytes.indexOf(NEW_LINE, at + 1)
        if (next < 0) break
        at = next
        continue
      }
      if (spoiled !== null) pieces.push(spoiledPiece(bytes, spoiled, at, base))
      spoiled = null
      pieces.push(frame)
      at = frame.to - base
    }
    return pieces
  }

  #frameAt(bytes: Buffer, at: number, base: number): Frame | null {
    const length = lengthAt(bytes, at)
    if (length === null) return null
    const end = at + TEXT_AT + length
    if (end >= bytes.byteLength || bytes[end] !== NEW_LINE) return null
    const text = bytes.subarray(at + TEXT_AT, end)
    const mac = bytes.toString('latin1', at + MAC_AT, at + MAC_AT + MAC_DIGITS)
    if (this.#macOf(text) !== mac) return null
    return { from: base + at, to: base + end + 1, text: text.toString('utf8') }
  }

  #macOf(text: Uint8Array): string {
    return this.#mac.tag(text)
  }
}

/** To read it is not to change it: the time of the last read would be written with every entry. */
function openUntimed(path: string, flags: number): number {
  try {
    return openSync(path, flags | (constants.O_NOATIME ?? 0))
  } catch (error) {
    // It is somebody else's file.
    if (isCode(error, 'EPERM')) return openSync(path, flags)
    throw error
  }
}

function writeLength(bytes: Uint8Array, at: number, length: number): void {
  for (let digit = LENGTH_DIGITS - 1, rest = length; digit >= 0; digit -= 1, rest >>>= 4) {
    const value = rest & 15
    bytes[at + digit] = value < 10 ? DIGIT_0 + value : LETTER_A + value - 10
  }
}

/** The length that a frame states, if one begins here. */
function lengthAt(bytes: Buffer, at: number): number | null {
  if (at + FRAME_BYTES > bytes.byteLength || bytes[at] !== NEW_LINE) return null
  if (bytes[at + MAC_AT - 1] !== TAB || bytes[at + TEXT_AT - 1] !== TAB) return null
  const digits = bytes.toString('latin1', at + 1, at + 1 + LENGTH_DIGITS)
  if (!HEX.test(digits)) return null
  const length = Number.parseInt(digits, 16)
  return length > MAX_TEXT ? null : length
}

const HEX = /^[0-9a-f]{8}$/

/** Torn is what is shorter than it says that it is, and no more than that. */
function spoiledPiece(bytes: Buffer, from: number, to: number, base: number): Piece {
  const length = lengthAt(bytes, from)
  const isShort = length === null ? to - from < FRAME_BYTES : to - from < FRAME_BYTES + length
  const isTorn = bytes[from] === NEW_LINE && isShort && bytes.indexOf(NEW_LINE, from + 1) >= to
  const isBlank = bytes.subarray(from, to).includes(0)
  return { from: base + from, to: base + to, isTorn, isBlank }
}

/** On Windows a directory cannot be opened, and its entries are written through. */
function syncDirectory(path: string): void {
  if (platform() === 'win32') return
  const fd = openSync(path, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function unwritable(why: string, cause?: unknown): Fault {
  return new Fault(
    'AUDIT_UNAVAILABLE',
    `The call could not be written to the journal, so it does not go on: ${why}.`,
    { cause },
  )
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
