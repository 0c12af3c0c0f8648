import { bytesOf, isPrefixed, READINGS, readingsOf } from './byte-numbers.ts'
import { dumpsIn, isHexDigit, PROBED } from './digit-runs.ts'
import { BREAK } from './text-units.ts'

/** Numbers that follow each other and are text when they are read as bytes, or as words of several. */
export interface ByteList {
  /** Which one of `READINGS` that is. */
  readonly reading: number
  /** Of each number where it begins, where it ends, and where what shows it once more ends, by turns. */
  readonly numbers: readonly number[]
}

/** What is told of each number. */
export const PER_NUMBER = 3

/** A bit of all classes; the others tell them apart. */
const LISTED = 16
const SIGN = LISTED | 1
const HEX = LISTED | 4
/** Of `0x`. It is neither a digit nor between two. */
const LETTER = LISTED | 8
const BETWEEN = (SIGN | LETTER) & ~LISTED
/** By unit: what a list is made of. */
const CLASSES = new Uint8Array(65_536)
for (const char of '0123456789ABCDEFabcdef') CLASSES[char.charCodeAt(0)] = HEX
for (const char of ' \t\r\n,;:"\'') CLASSES[char.charCodeAt(0)] = SIGN
for (const char of 'xX') CLASSES[char.charCodeAt(0)] = LETTER

/** Fewer bytes are no value that could be remembered. */
const MIN_BYTES = 12
/** So many bytes are looked at before a list is read: most numbers that stand in texts are of no text. */
const TRIED = MIN_BYTES / 2
/** Before a probe a list may begin: a line of a dump. */
const MAX_BACK = 96
/** Numbers in which there is no text, with which a list ends. */
const MAX_VAIN = 4
/** Between two numbers: a comma, and the line end and the indentation behind it. */
const MAX_BETWEEN = 32
/** The longest number: eight bytes as hex digits. */
const MAX_DIGITS = 16
/** Digits of the place in a file with which the lines of a dump begin. */
const MIN_PLACE = 6
/** What may stand behind the numbers of a line: the same as text. */
const MAX_SHOWN = 96

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const BLANK = 0x20
const QUOTE = 0x22
const COLON = 0x3a

/** What a text holds of bytes in dumps and in lists. */
export interface Numbers {
  /** From where to where each dump goes, by turns: see `dumpsIn`. */
  readonly dumps: readonly number[]
  readonly lists: readonly ByteList[]
}

/**
 * Where numbers stand in a row that may be bytes: `[115, 107]`, `0x73, 0x6b`, `163 153`, and the dumps of `xxd`,
 * `hexdump` and `od` with the place at the beginning of each line and the text at its end. In one pass with `dumpsIn`.
 */
export function numbersIn(units: Uint16Array, length: number): Numbers {
  let lists: ByteList[] | null = null
  let done = 0
  const look = (probe: number): void => {
    if (probe < done || !isSeparated(units, probe)) return
    if (!mayBeText(units, probe, length)) return
    let from = probe
    const least = Math.max(done, probe - MAX_BACK)
    while (from > least && (CLASSES[units[from - 1] as number] as number) !== 0) from -= 1
    while (from < probe + PROBED) {
      const reader = new Reader(units, length)
      const end = reader.read(from)
      for (const row of reader.rows()) (lists ??= []).push(row)
      from = Math.max(end, from + 1)
    }
    done = from
  }
  const dumps = dumpsIn(units, length, look)
  return { dumps, lists: lists ?? NONE }
}

const NONE: readonly ByteList[] = []

/** Whether there is something between the digits of a probe. */
function isSeparated(units: Uint16Array, probe: number): boolean {
  return (
    (((CLASSES[units[probe + 1] as number] as number) |
      (CLASSES[units[probe + 3] as number] as number) |
      (CLASSES[units[probe + 5] as number] as number) |
      (CLASSES[units[probe + 6] as number] as number) |
      (CLASSES[units[probe + 8] as number] as number) |
      (CLASSES[units[probe] as number] as number) |
      (CLASSES[units[probe + 2] as number] as number) |
      (CLASSES[units[probe + 4] as number] as number) |
      (CLASSES[units[probe + 7] as number] as number) |
      (CLASSES[units[probe + 9] as number] as number)) &
      BETWEEN) !==
    0
  )
}

/** Whether the first numbers behind a place may be text, all of them in the same reading. */
function mayBeText(units: Uint16Array, probe: number, length: number): boolean {
  let readings = -1
  let bytes = 0
  // The one that the probe stands in is of no use: it may begin before.
  let at = behindNumber(units, probe, length)
  while (bytes < TRIED) {
    const last = Math.min(length, at + MAX_BETWEEN)
    while (at < last && CLASSES[units[at] as number] === SIGN) at += 1
    const from = at
    at = behindNumber(units, at, length)
    if (at === from || at - from > MAX_DIGITS) return false
    if (isName(units, from, at)) continue
    readings &= readingsOf(units, from, at)
    if (readings === 0) return false
    bytes += at - from > 3 ? (at - from) >>> 1 : 1
  }
  return true
}

/** Not farther than one digit more than a number has: nothing may take long for each probe. */
function behindNumber(units: Uint16Array, from: number, length: number): number {
  const last = Math.min(length, from + MAX_DIGITS + 1)
  let at = from
  while (at < last && (CLASSES[units[at] as number] as number) > SIGN) at += 1
  return at
}

/** The end of units of a kind, `most` of them at most. */
function endOf(
  units: Uint16Array,
  from: number,
  length: number,
  most: number,
  isOfKind: (unit: number) => boolean,
): number {
  const last = Math.min(length, from + most)
  let at = from
  while (at < last && isOfKind(units[at] as number)) at += 1
  return at
}

/** A row of numbers, by the places of the first one and behind the last one. */
interface Row {
  readonly reading: number
  readonly first: number
  readonly last: number
}

/** Reads numbers as long as they follow each other. */
class Reader {
  readonly #units: Uint16Array
  readonly #length: number
  readonly #numbers: number[] = []
  readonly #rows: Row[] = []
  /** Numbers since there was one that may be text. */
  #vain = 0
  /** By reading, how many bytes that may be text were last read, and where their first number stands in the list. */
  readonly #bytes: number[] = READINGS.map(() => 0)
  readonly #firsts: number[] = READINGS.map(() => 0)
  /** Whether the line began with a place, and whether a colon follows that, as `xxd` has it. */
  #isPlaced = false
  #isByColon = false
  /** Numbers of the line. */
  #inLine = 0

  constructor(units: Uint16Array, length: number) {
    this.#units = units
    this.#length = length
  }

  /**
   * @param from a digit, or what stands before one
   * @returns where they end
   */
  read(from: number): number {
    let at = from
    let end = from
    while (at < this.#length) {
      const unit = this.#units[at] as number
      const own = CLASSES[unit] as number
      if (own === HEX) {
        const next = this.#number(at)
        if (next === -1 || this.#vain > MAX_VAIN) break
        at = next
        end = next
      } else if (own === SIGN) {
        if (unit === LF) this.#newLine()
        else if (this.#isShownAt(at)) {
          const line = this.#nextLine(at)
          if (line === -1) break
          at = line
          continue
        }
        at += 1
        if (at - end > (this.#numbers.length > 0 ? MAX_BETWEEN : MAX_BACK)) break
      } else {
        const line = this.#isPlaced && this.#inLine > 0 ? this.#nextLine(at) : -1
        if (line === -1) {
          // What stands before the first number is no part of a list.
          end = Math.max(end, at)
          break
        }
        at = line
      }
    }
    this.#vain = 0
    this.#count(0, 0)
    return end
  }

  /** What may be text of them. */
  rows(): readonly ByteList[] {
    return this.#rows.map(({ reading, first, last }) => ({
      reading,
      numbers: this.#numbers.slice(first, last),
    }))
  }

  /** @returns the end of the number or of the place that begins at `at`, -1 when it is neither */
  #number(at: number): number {
    const units = this.#units
    if (at > 0 && isWord(units[at - 1] as number)) return -1
    const hasPrefix = isPrefixed(units, at)
    const first = hasPrefix ? at + 2 : at
    const end = this.#digitsEnd(first)
    if (end === first || end - first > MAX_DIGITS) return -1
    if (end < this.#length && isWord(units[end] as number)) return -1
    if (isName(units, at, end)) return end
    if (this.#inLine === 0 && !hasPrefix && this.#isPlaceAt(at, end)) {
      this.#isPlaced = true
      this.#isByColon = units[end] === COLON
      return this.#isByColon ? end + 1 : end
    }
    this.#count(readingsOf(units, at, end), end - first)
    this.#numbers.push(at, end, end)
    this.#inLine += 1
    return end
  }

  #digitsEnd(from: number): number {
    return endOf(this.#units, from, this.#length, MAX_DIGITS + 1, isHexDigit)
  }

  /** Counts the bytes of the next number. */
  #count(readings: number, digits: number): void {
    const at = this.#numbers.length
    if (readings === 0 && ++this.#vain > 1) return
    if (readings !== 0) this.#vain = 0
    for (let reading = 0; reading < READINGS.length; reading += 1) {
      const known = this.#bytes[reading] as number
      if ((readings & (1 << reading)) !== 0) {
        if (known === 0) this.#firsts[reading] = at
        this.#bytes[reading] = known + bytesOf(reading, digits)
      } else if (known > 0) {
        if (known >= MIN_BYTES)
          this.#rows.push({ reading, first: this.#firsts[reading] as number, last: at })
        this.#bytes[reading] = 0
      }
    }
  }

  /** Whether digits with which a line begins say where the bytes behind them stand: they are unlike those. */
  #isPlaceAt(at: number, end: number): boolean {
    if (end - at < MIN_PLACE) return false
    if (this.#units[end] === COLON) return true
    const next = endOf(this.#units, end, this.#length, MAX_BETWEEN, isBlank)
    const size = this.#digitsEnd(next) - next
    return next > end && size > 0 && size !== end - at
  }

  /** Whether the numbers of a line of `xxd` are over at `at`. */
  #isShownAt(at: number): boolean {
    return (
      this.#isByColon &&
      this.#inLine > 0 &&
      this.#units[at] === BLANK &&
      this.#units[at + 1] === BLANK
    )
  }

  #newLine(): void {
    this.#inLine = 0
    this.#isPlaced = false
    this.#isByColon = false
  }

  /** Ends a line of which text is shown at `at`. @returns where the next one of the dump begins, -1 when there is none */
  #nextLine(at: number): number {
    const last = Math.min(this.#length, at + MAX_SHOWN)
    let next = at
    while (next < last && this.#units[next] !== LF) next += 1
    if (next === at + MAX_SHOWN) return -1
    for (
      let i = this.#numbers.length - 1, left = this.#inLine;
      left > 0;
      i -= PER_NUMBER, left -= 1
    )
      this.#numbers[i] = next
    next += 1
    const end = this.#digitsEnd(next)
    if (end === next || !this.#isPlaceAt(next, end)) return -1
    this.#newLine()
    return next
  }
}

/** Whether a number is the name of a member, as `JSON.stringify` names the bytes of a `Uint8Array`. */
function isName(units: Uint16Array, from: number, to: number): boolean {
  return units[to] === QUOTE && units[to + 1] === COLON && units[from - 1] === QUOTE
}

function isBlank(unit: number): boolean {
  return unit === BLANK || unit === TAB || unit === CR
}

function isWord(unit: number): boolean {
  return (
    (unit >= 0x30 && unit <= 0x39) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x61 && unit <= 0x7a) ||
    (unit > 0x7f && unit !== BREAK)
  )
}
