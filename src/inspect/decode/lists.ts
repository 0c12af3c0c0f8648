import type { EncodedRun } from '../decoder.ts'
import { MARK, type Marks } from '../marks.ts'
import { textOfBytes } from './bytes.ts'
import { textOfUnits } from './mapped-text.ts'

const DIGIT = 1
const HEX = 2
const WORD = 4
const SPACE = 8
const UNDERSCORE = 16
const LETTER_H = 32
/** By ASCII unit: what it is. */
const classes = new Uint8Array(128)
for (let unit = 0; unit < 128; unit += 1) {
  const sign = String.fromCharCode(unit)
  if (/[0-9]/.test(sign)) classes[unit] = DIGIT | HEX | WORD
  else if (/[A-Fa-f]/.test(sign)) classes[unit] = HEX | WORD
  else if (sign === '_') classes[unit] = WORD | UNDERSCORE
  else if (/h/i.test(sign)) classes[unit] = WORD | LETTER_H
  else if (/\w/.test(sign)) classes[unit] = WORD
  else if (/\s/.test(sign)) classes[unit] = SPACE
}

/** What may begin at a unit, by its class and that of the unit before. */
const PAIR = 1
const NUMBER = 2
/** `&H63`, of which the digits begin here. */
const CALL_HEX = 4
const CLASS_BITS = 6
const beginnings = new Uint8Array(1 << (2 * CLASS_BITS))
for (let before = 0; before < 1 << CLASS_BITS; before += 1)
  for (let own = 0; own < 1 << CLASS_BITS; own += 1) {
    const isBehindWord = (before & WORD) !== 0
    let begins = 0
    if ((own & HEX) !== 0 && (!isBehindWord || (before & UNDERSCORE) !== 0)) begins |= PAIR
    if ((own & DIGIT) !== 0 && !isBehindWord) begins |= NUMBER
    if ((own & DIGIT) !== 0 && (before & LETTER_H) !== 0) begins |= CALL_HEX
    beginnings[(before << CLASS_BITS) | own] = begins
  }

function classAt(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit < 128 ? (classes[unit] as number) : 0
}

function isUnit(text: string, at: number, unit: number): boolean {
  return text.charCodeAt(at) === unit
}

const DOT = 0x2e
const COMMA = 0x2c
const SEMICOLON = 0x3b
const COLON = 0x3a
const HYPHEN = 0x2d
const BLANK = 0x20
const LETTER_X = 0x78
const OPEN = 0x28
const CLOSED = 0x5d
const AMPERSAND = 0x26

/** Before digits that stand close together, so many units may belong to the list. */
const MAX_LIST = 64

const MIN_NUMBERS = 6
const MIN_PAIRS = 8
const MAX_ITEMS = 4_096

/** `chr(99).chr(97)`, `[char]0x63+[char]97`, `Chr(&H63) & Chr(97)`. */
const CALLS =
  /(?:(?:chrw?\(|\[char\]\(?)\s{0,2}(?:0x[0-9A-Fa-f]{2}|&h[0-9a-f]{2}|[0-9]{2,3})\)?[\s.+&,]{0,4}){4,4096}/iy
const CALL_BEFORE = /(?:chrw?\(|\[char\]\(?)\s{0,2}$/i
const MAX_CALL = 9
const ONE_NUMBER = /(?:0x|&h)[0-9a-f]{2}|[0-9]{2,3}/gi

function numberOf(text: string): number {
  return /^(?:0x|&h)/i.test(text) ? Number.parseInt(text.slice(2), 16) : Number(text)
}

/**
 * Characters written as numbers: six or more decimal ones or with 0x in a list, eight or more pairs of hex digits with
 * something between, four or more calls of a function that makes a character.
 */
export function numberRuns(text: string, marks: Marks, into: EncodedRun[]): void {
  const stretches = marks.listStretches(MAX_LIST)
  // What each of them has read already; they look at the same text in turn.
  let pairsEnd = 0
  let numbersEnd = 0
  let callsEnd = 0
  for (let stretch = 0; stretch < stretches.length; stretch += 2) {
    const from = stretches[stretch] as number
    const to = stretches[stretch + 1] as number
    let before = from === 0 ? 0 : classAt(text, from - 1)
    for (let at = from; at < to; at += 1) {
      const own = classAt(text, at)
      const begins = beginnings[(before << CLASS_BITS) | own] as number
      before = own
      if (begins === 0) continue
      if ((begins & PAIR) !== 0 && at >= pairsEnd && (classAt(text, at + 1) & HEX) !== 0)
        if (isBetweenPairs(text.charCodeAt(at + 2))) pairsEnd = pairs(text, at, into)
      if ((begins & NUMBER) !== 0) {
        if (at >= callsEnd && mayBeArgument(text.charCodeAt(at - 1)))
          callsEnd = calls(text, at, into)
        if (at >= numbersEnd && !isUnit(text, at - 1, DOT)) numbersEnd = numbers(text, at, into)
      } else if ((begins & CALL_HEX) !== 0 && at >= callsEnd && isUnit(text, at - 2, AMPERSAND))
        callsEnd = calls(text, at - 2, into)
    }
  }
}

/** What may stand right before the number in a call. */
function mayBeArgument(unit: number): boolean {
  return unit === OPEN || unit === CLOSED || unit === BLANK
}

function isBetweenPairs(unit: number): boolean {
  return unit === BLANK || unit === COLON || unit === HYPHEN
}

function isAlphanumeric(text: string, at: number): boolean {
  return (classAt(text, at) & (WORD | UNDERSCORE)) === WORD
}

/** Returns where the pairs end that begin at `first`. */
function pairs(text: string, first: number, into: EncodedRun[]): number {
  let at = first
  let count = 0
  while (count < MAX_ITEMS) {
    const isPair = (classAt(text, at) & HEX) !== 0 && (classAt(text, at + 1) & HEX) !== 0
    if (!isPair || isAlphanumeric(text, at + 2)) break
    count += 1
    at += 3
    if (!isBetweenPairs(text.charCodeAt(at - 1))) break
  }
  if (count === 0) return first
  const end = first + 3 * count - 1
  if (count >= MIN_PAIRS) {
    const bytes: number[] = []
    for (let pair = first; pair < end; pair += 3)
      bytes.push(Number.parseInt(text.slice(pair, pair + 2), 16))
    pushBytes(into, 'hex', bytes, first, end)
  }
  return end
}

/** The end of a number with 0x or of two or three digits, behind which no word goes on; -1 when there is none. */
function numberEnd(text: string, at: number): number {
  if ((classAt(text, at) & DIGIT) === 0) return -1
  let end = at
  if (isUnit(text, at, 0x30) && isUnit(text, at + 1, LETTER_X)) {
    if ((classAt(text, at + 2) & HEX) === 0 || (classAt(text, at + 3) & HEX) === 0) return -1
    end = at + 4
  } else {
    while (end < at + 3 && (classAt(text, end) & DIGIT) !== 0) end += 1
    if (end - at < 2) return -1
  }
  return (classAt(text, end) & WORD) !== 0 || isUnit(text, end, DOT) ? -1 : end
}

/** Where the next number begins behind a comma, a semicolon or white space; -1 when none is there. */
function afterSeparator(text: string, from: number): number {
  let at = from
  while (at < from + 5 && (classAt(text, at) & SPACE) !== 0) at += 1
  if (!isUnit(text, at, COMMA) && !isUnit(text, at, SEMICOLON)) return at > from ? at : -1
  if (at > from + 2) return -1
  at += 1
  const last = at + 2
  while (at < last && (classAt(text, at) & SPACE) !== 0) at += 1
  return at
}

/** Returns where the numbers end that begin at `first`. */
function numbers(text: string, first: number, into: EncodedRun[]): number {
  let end = numberEnd(text, first)
  if (end < 0) return first + 1
  const found = [numberOf(text.slice(first, end))]
  while (found.length < MAX_ITEMS) {
    const next = afterSeparator(text, end)
    const nextEnd = next < 0 ? -1 : numberEnd(text, next)
    if (nextEnd < 0) break
    found.push(numberOf(text.slice(next, nextEnd)))
    end = nextEnd
  }
  if (found.length >= MIN_NUMBERS) pushBytes(into, 'char-codes', found, first, end)
  return end
}

/** Returns where the calls end of which the first has its number at `at`. */
function calls(text: string, at: number, into: EncodedRun[]): number {
  const before = CALL_BEFORE.exec(text.slice(Math.max(0, at - MAX_CALL), at))
  if (before === null) return at
  const start = at - before[0].length
  CALLS.lastIndex = start
  const run = CALLS.exec(text)?.[0]
  if (run === undefined) return at
  const codes = (run.match(ONE_NUMBER) ?? []).map(numberOf)
  pushBytes(into, 'char-codes', codes, start, start + run.length)
  return start + run.length
}

function pushBytes(
  into: EncodedRun[],
  encoding: string,
  codes: readonly number[],
  start: number,
  end: number,
): void {
  if (codes.some((one) => one > 255)) return
  const decoded = textOfBytes(Uint8Array.from(codes))
  if (decoded !== null && /[A-Za-z]{2}/.test(decoded)) into.push({ start, end, encoding, decoded })
}

const MIN_WIDE = 4
const MAX_WIDE = 65_536

/** UTF-16 that was read as bytes: a NUL beside every character. */
export function wideRuns(text: string, marks: Marks, into: EncodedRun[]): void {
  if (!marks.has(MARK.nul)) return
  let done = 0
  for (let nul = text.indexOf('\0'); nul >= 0; nul = text.indexOf('\0', Math.max(done, nul + 1))) {
    const before = nul - 1
    if (before >= done && wideFrom(text, before, 0, into)) done = into.at(-1)?.end ?? nul
    else if (wideFrom(text, nul, 1, into)) done = into.at(-1)?.end ?? nul
  }
}

/** @param first - where the character stands in each two units */
function wideFrom(text: string, start: number, first: 0 | 1, into: EncodedRun[]): boolean {
  let count = 0
  while (count < MAX_WIDE) {
    const at = start + 2 * count
    if (at + 1 >= text.length || isUnit(text, at + first, 0) || !isUnit(text, at + 1 - first, 0))
      break
    count += 1
  }
  if (count < MIN_WIDE) return false
  const end = start + 2 * count
  into.push({
    start,
    end,
    encoding: 'utf-16',
    decoded: text.slice(start, end).replaceAll('\0', ''),
    sourceOffset: (offset) => Math.min(start + 2 * offset + first, end),
  })
  return true
}

/** Long texts are not read as ROT13. */
const MAX_ROTATED = 65_536
/** Three words, or what names it and something. */
const MIN_ROTATED = 8
const ROT13_HINT = /rot-?13|ROT-?13/
/** The hints, and the, you, and: without one of them a text is too short to tell. In one pass over it. */
const ROT13_SIGN = /gur|lbh|naq|rot-?13|ROT-?13/
/** Frequent English words after ROT13 that are words of no language. */
const ROT13_WORD =
  /\b(?:gur|naq|lbhe?|sebz|jvgu|guvf|gung|sbe|cyrnfr|nyy|bs|gb|nf|vf|vg|ng|zl|zr)\b/gi

/** Whether a text has a sign of ROT13; without one it is not read as such. */
export function mayBeRotated(text: string): boolean {
  return text.length >= MIN_ROTATED && ROT13_SIGN.test(text)
}

/** ROT13, where the text names it or has English words in it; of ROT13 it is no other text. */
export function rotatedRuns(text: string, via: readonly string[], into: EncodedRun[]): void {
  if (text.length < MIN_ROTATED || via.includes('rot13')) return
  const run = text.slice(0, MAX_ROTATED)
  if (!ROT13_SIGN.test(run)) return
  if (!ROT13_HINT.test(run)) {
    const words = new Set((run.match(ROT13_WORD) ?? []).map((word) => word.toLowerCase()))
    if (words.size < 3) return
  }
  into.push({
    start: 0,
    end: run.length,
    encoding: 'rot13',
    decoded: rotated(run),
    sourceOffset: (offset) => Math.min(offset, run.length),
  })
}

function rotated(text: string): string {
  const units = new Uint16Array(text.length)
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    const small = unit | 0x20
    const isLetter = small >= 0x61 && small <= 0x7a
    units[at] = isLetter ? unit + (small > 0x6d ? -13 : 13) : unit
  }
  return textOfUnits(units, units.length)
}
