import type { EncodedRun } from '../decoder.ts'
import { MARK, type Marks } from '../marks.ts'
import { putByte } from './bytes.ts'
import { MappedText } from './mapped-text.ts'

/** The escape that was read last: where it ends, and what it stands for. */
interface Reading {
  end: number
  /** A code point or unit, a byte of UTF-8 with `BYTE` added, or `NOTHING`. */
  value: number
  /** Whether it counts toward the number a stretch must have; plain ones are decoded with the others. */
  counts: boolean
}

const BYTE = 0x1000000
const NOTHING = 0x2000000
const MAX_CODE = 0x10ffff

function isByte(value: number): boolean {
  return value >= BYTE && value < NOTHING
}

interface Escapes {
  readonly encoding: string
  /** Every escape begins with it. */
  readonly sign: string
  /** How many escapes a stretch must have. */
  readonly atLeast: number
  /** Reads what stands at a sign. False: it is no escape; `end` of the reading says where to go on. */
  read(text: string, at: number, into: Reading): boolean
}

/** Escapes this near belong together, and what stands this near around them is read with them. */
const NEAR = 64

const NO_DIGIT = 255
const digits = new Uint8Array(128).fill(NO_DIGIT)
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  digits[digit.charCodeAt(0)] = value
  digits[digit.toUpperCase().charCodeAt(0)] = value
}

function digitAt(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit < 128 ? (digits[unit] as number) : NO_DIGIT
}

/** The number that so many hex digits make, or -1. */
function hexAt(text: string, at: number, count: number): number {
  let value = 0
  for (let place = at; place < at + count; place += 1) {
    const digit = digitAt(text, place)
    if (digit === NO_DIGIT) return -1
    value = value * 16 + digit
  }
  return value
}

/** Takes a value into the reading; false when there is none. */
function take(into: Reading, value: number, end: number, counts = true): boolean {
  if (value < 0) return false
  into.end = end
  into.value = value
  into.counts = counts
  return true
}

function takeCode(into: Reading, code: number, end: number): boolean {
  return take(into, code > MAX_CODE ? -1 : code, end)
}

function takeByte(into: Reading, byte: number, end: number): boolean {
  return take(into, byte < 0 ? -1 : byte + BYTE, end)
}

const LETTER_U = 0x75
const LETTER_X = 0x78

const percent: Escapes = {
  encoding: 'percent',
  sign: '%',
  atLeast: 1,
  read(text, first, into) {
    // A percent sign that is written as one: however many layers there are, the last one is meant.
    let at = first
    while (isPercentSign(text, at + 1) && hexAt(text, at + 3, 2) >= 0) at += 2
    if ((text.charCodeAt(at + 1) | 0x20) === LETTER_U)
      return takeCode(into, hexAt(text, at + 2, 4), at + 6)
    return takeByte(into, hexAt(text, at + 1, 2), at + 3)
  },
}

/** `25`, the digits of a percent sign. */
function isPercentSign(text: string, at: number): boolean {
  return text.charCodeAt(at) === 0x32 && text.charCodeAt(at + 1) === 0x35
}

const BACKSLASH = 0x5c
const MAX_BACKSLASHES = 8
const plainEscapes = new Map(
  (
    [
      ['n', '\n'],
      ['r', '\r'],
      ['t', '\t'],
      ['"', '"'],
      ["'", "'"],
      ['/', '/'],
    ] as const
  ).map(([sign, meant]) => [sign.charCodeAt(0), meant.charCodeAt(0)]),
)

const backslash: Escapes = {
  encoding: 'escape',
  sign: '\\',
  atLeast: 2,
  read(text, first, into) {
    let at = first
    while (text.charCodeAt(at) === BACKSLASH) at += 1
    into.end = at
    const unit = text.charCodeAt(at)
    const folded = unit | 0x20
    if (folded === LETTER_X || folded === LETTER_U) return readLetterEscape(text, at, unit, into)
    if (unit >= 0x30 && unit <= 0x37) {
      let value = 0
      let end = at
      for (; end < at + 3; end += 1) {
        const digit = digitAt(text, end)
        if (digit > 7) break
        value = value * 8 + digit
      }
      return end - at >= 2 && takeByte(into, value & 0xff, end)
    }
    const plain = plainEscapes.get(unit)
    return plain !== undefined && take(into, plain, at + 1, false)
  },
}

/** `xHH`, `uHHHH`, `u{H…}`, `x{H…}`, `UHHHHHHHH`. */
function readLetterEscape(text: string, at: number, letter: number, into: Reading): boolean {
  if (letter === 0x55) {
    const code = hexAt(text, at + 1, 8)
    return code >= 0 && takeCode(into, code, at + 9)
  }
  if (letter === 0x58) return false
  if (text.charCodeAt(at + 1) === 0x7b) {
    let end = at + 2
    let code = 0
    for (; end < at + 8 && digitAt(text, end) !== NO_DIGIT; end += 1)
      code = code * 16 + digitAt(text, end)
    return end > at + 2 && text.charCodeAt(end) === 0x7d && takeCode(into, code, end + 1)
  }
  const value = hexAt(text, at + 1, letter === LETTER_X ? 2 : 4)
  if (value < 0) return false
  return letter === LETTER_X ? takeByte(into, value, at + 3) : take(into, value, at + 5)
}

const named = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', '\u00a0'],
  ['Tab', '\t'],
  ['NewLine', '\n'],
  ['excl', '!'],
  ['num', '#'],
  ['dollar', '$'],
  ['percnt', '%'],
  ['lpar', '('],
  ['rpar', ')'],
  ['ast', '*'],
  ['plus', '+'],
  ['comma', ','],
  ['period', '.'],
  ['sol', '/'],
  ['colon', ':'],
  ['semi', ';'],
  ['equals', '='],
  ['quest', '?'],
  ['commat', '@'],
  ['lsqb', '['],
  ['lbrack', '['],
  ['bsol', '\\'],
  ['rsqb', ']'],
  ['rbrack', ']'],
  ['Hat', '^'],
  ['lowbar', '_'],
  ['grave', '`'],
  ['lcub', '{'],
  ['lbrace', '{'],
  ['verbar', '|'],
  ['vert', '|'],
  ['rcub', '}'],
  ['rbrace', '}'],
])

/** Ordinary text of the web is full of these. */
const COMMON_NAMES = new Set(['amp', 'lt', 'gt', 'quot', 'nbsp', 'apos'])
const MAX_NAME = 8
const HASH = 0x23
const SEMICOLON = 0x3b

const entity: Escapes = {
  encoding: 'entity',
  sign: '&',
  atLeast: 2,
  read(text, at, into) {
    if (text.charCodeAt(at + 1) !== HASH) return readNamed(text, at, into)
    const isHex = (text.charCodeAt(at + 2) | 0x20) === LETTER_X
    const first = at + (isHex ? 3 : 2)
    let end = first
    let code = 0
    for (; end < first + (isHex ? 6 : 7); end += 1) {
      const digit = digitAt(text, end)
      if (digit === NO_DIGIT || (!isHex && digit > 9)) break
      code = code * (isHex ? 16 : 10) + digit
    }
    if (end === first) return false
    return takeCode(into, code, text.charCodeAt(end) === SEMICOLON ? end + 1 : end)
  },
}

function readNamed(text: string, at: number, into: Reading): boolean {
  let end = at + 1
  for (; end <= at + MAX_NAME; end += 1) {
    const folded = text.charCodeAt(end) | 0x20
    if (folded < 0x61 || folded > 0x7a) break
  }
  if (end - at < 3 || text.charCodeAt(end) !== SEMICOLON) return false
  const name = text.slice(at + 1, end)
  const meant = named.get(name)
  if (meant === undefined) return false
  return take(into, meant.charCodeAt(0), end + 1, !COMMON_NAMES.has(name))
}

const SMALL_A = 0x61

const quotedPrintable: Escapes = {
  encoding: 'quoted-printable',
  sign: '=',
  atLeast: 4,
  read(text, at, into) {
    const unit = text.charCodeAt(at + 1)
    const lineEnd = unit === 0x0d ? at + 2 : at + 1
    if (text.charCodeAt(lineEnd) === 0x0a) {
      return take(into, NOTHING, lineEnd + 1, false)
    }
    if (unit >= SMALL_A || text.charCodeAt(at + 2) >= SMALL_A) return false
    return takeByte(into, hexAt(text, at + 1, 2), at + 3)
  },
}

const KINDS: readonly (readonly [mark: number, escapes: Escapes])[] = [
  [MARK.percent, percent],
  [MARK.backslash, backslash],
  [MARK.ampersand, entity],
  [MARK.equals, quotedPrintable],
]

/** Stretches with percent escapes, backslash escapes, HTML entities or quoted-printable, each with what is around it. */
export function escapeRuns(text: string, marks: Marks, into: EncodedRun[]): void {
  for (const [mark, escapes] of KINDS) if (marks.has(mark)) runsOf(escapes, text, into)
}

/** Escapes that belong together. */
class Group {
  readonly starts: number[] = []
  readonly ends: number[] = []
  readonly values: number[] = []
  counted = 0

  get size(): number {
    return this.starts.length
  }

  get end(): number {
    return this.ends.at(-1) ?? 0
  }

  add(start: number, { end, value, counts }: Reading): void {
    this.starts.push(start)
    this.ends.push(end)
    this.values.push(value)
    if (counts) this.counted += 1
  }
}

function runsOf(kind: Escapes, text: string, into: EncodedRun[]): void {
  const reading: Reading = { end: 0, value: 0, counts: false }
  let group = new Group()
  let done = 0
  const flush = (): void => {
    if (group.size === 0) return
    if (group.counted >= kind.atLeast) {
      const run = decodeGroup(kind, text, group, done)
      if (run !== null) {
        done = run.end
        into.push(run)
      }
    }
    group = new Group()
  }
  for (let at = text.indexOf(kind.sign); at >= 0; ) {
    reading.end = at + 1
    if (kind.read(text, at, reading)) {
      const start = kind === backslash ? firstBackslash(text, at) : at
      if (group.size > 0 && start - group.end > 2 * NEAR) flush()
      group.add(start, reading)
    }
    const next = reading.end
    // Mostly one follows another.
    at = text[next] === kind.sign ? next : text.indexOf(kind.sign, next)
  }
  flush()
}

/** Of many backslashes the last eight belong to the escape. */
function firstBackslash(text: string, first: number): number {
  let at = first
  while (text.charCodeAt(at) === BACKSLASH) at += 1
  return Math.max(first, at - MAX_BACKSLASHES)
}

function decodeGroup(kind: Escapes, text: string, group: Group, from: number): EncodedRun | null {
  if (kind === backslash && isBinary(group)) return null
  const { starts, ends, values } = group
  const firstEscape = starts[0] ?? from
  const lastEscape = group.end
  const start = edge(text, firstEscape, Math.max(from, firstEscape - NEAR), -1)
  const end = edge(text, lastEscape, Math.min(text.length, lastEscape + NEAR), 1)
  const decoded = new MappedText()
  let at = start
  for (let one = 0; one < starts.length; ) {
    const begin = starts[one] as number
    decoded.copy(text, at, begin)
    const value = values[one] as number
    if (isByte(value)) one = putBytes(decoded, group, one)
    else {
      if (value !== NOTHING) decoded.putCode(value, begin)
      one += 1
    }
    at = ends[one - 1] as number
  }
  decoded.copy(text, at, end)
  if (kind === percent) readPluses(text, decoded, group, end)
  return {
    start,
    end,
    encoding: kind === percent && isNeedless(group) ? 'percent-letters' : kind.encoding,
    decoded: decoded.text,
    sourceOffset: decoded.sourceOffset(end),
  }
}

/** Puts the character that bytes make which follow each other without a gap; returns the escape behind them. */
function putBytes(into: MappedText, { starts, ends, values }: Group, first: number): number {
  const byteAt = (at: number): number => {
    const value = values[at] ?? 0
    const isNext = at === first || starts[at] === ends[at - 1]
    return isByte(value) && isNext ? value - BYTE : -1
  }
  return first + putByte(into, byteAt, first, starts[first] ?? 0)
}

/** Whether most percent escapes stand for letters and digits, which no URL ever needs. */
function isNeedless({ values, size }: Group): boolean {
  if (size < 8) return false
  let needless = 0
  for (const value of values) if (isByte(value) && isAlphanumeric(value - BYTE)) needless += 1
  return needless * 2 > size
}

function isAlphanumeric(unit: number): boolean {
  const folded = unit | 0x20
  return (unit >= 0x30 && unit <= 0x39) || (folded >= 0x61 && folded <= 0x7a)
}

/** More than this share of escapes that stand for control bytes: the constants of a program, no text. */
const MAX_CONTROLS = 0.2

/** NULs beside characters are UTF-16; as many as that are none. */
function isBinary({ values, size }: Group): boolean {
  let controls = 0
  let zeros = 0
  for (const value of values) {
    const code = isByte(value) ? value - BYTE : value
    if (code === 0) zeros += 1
    else if (code < 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) controls += 1
  }
  const isWide = zeros >= 4 && Math.abs(2 * zeros - size) <= 2
  return (isWide ? controls : controls + zeros) > size * MAX_CONTROLS
}

const PLUS = 0x2b
const SPACE = 0x20

/** In a query string a plus is a space: a plus that stands in one word with an escape. */
function readPluses(text: string, decoded: MappedText, { starts, ends }: Group, end: number): void {
  let next = 0
  let wordEnd = -1
  let isForm = false
  for (let at = 0; at < decoded.length; at += 1) {
    if (decoded.unitAt(at) !== PLUS) continue
    const source = decoded.sourceAt(at)
    if (text.charCodeAt(source) !== PLUS) continue
    if (source >= wordEnd) {
      const start = wordStart(text, source, wordEnd)
      wordEnd = wordStop(text, source, end)
      while (next < starts.length && (ends[next] ?? end) <= start) next += 1
      isForm = next < starts.length && (starts[next] ?? end) < wordEnd
    }
    if (isForm) decoded.replace(at, SPACE)
  }
}

function wordStart(text: string, at: number, limit: number): number {
  let start = at
  while (start > limit && start > 0 && text.charCodeAt(start - 1) > 0x20) start -= 1
  return start
}

function wordStop(text: string, at: number, limit: number): number {
  let stop = at
  while (stop < limit && text.charCodeAt(stop) > 0x20) stop += 1
  return stop
}

/** From `at` toward `limit`, stopping at a line break. */
function edge(text: string, at: number, limit: number, step: 1 | -1): number {
  let reached = at
  while (reached !== limit) {
    const unit = text.charCodeAt(step === 1 ? reached : reached - 1)
    if (unit === 0x0a || unit === 0x0d) break
    reached += step
  }
  return reached
}
