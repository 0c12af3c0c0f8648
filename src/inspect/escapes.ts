/** What an escape stands for, and how many units it takes. */
export interface Escaped {
  readonly units: readonly number[]
  readonly length: number
}

/** Reads the escape that begins at `at`. @returns null when it is none */
export type Escape = (units: Uint16Array, at: number, end: number) => Escaped | null

/** The longest escape that is read, in units. */
export const MAX_ESCAPE = 16

function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30
  const letter = unit | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** @returns the number that `count` hex digits make, or -1 */
function hexNumber(units: Uint16Array, at: number, count: number, end: number): number {
  if (at + count > end) return -1
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = hexDigit(units[i] ?? 0)
    if (digit === -1) return -1
    value = value * 16 + digit
  }
  return value
}

export function pointUnits(point: number): readonly number[] {
  if (point < 0x10000) return [point]
  const rest = point - 0x10000
  return [0xd800 + (rest >>> 10), 0xdc00 + (rest & 0x3ff)]
}

const BACKSLASH = 0x5c

/** By the unit after the backslash; 0 where it is no escape. */
const SHORT_ESCAPES = new Uint8Array(128)
// Markdown, regular expressions and shells have one before any sign that means something.
for (const same of '"\'`\\/$ !#%&()*+,-.:;<=>?@[]^_{|}~')
  SHORT_ESCAPES[same.charCodeAt(0)] = same.charCodeAt(0)
for (const [letter, meant] of [
  ['b', 8],
  ['t', 9],
  ['n', 10],
  ['f', 12],
  ['r', 13],
] as const)
  SHORT_ESCAPES[letter.charCodeAt(0)] = meant

/** The escapes of JSON, and of the languages whose strings look like it: `\xHH`, `\u{…}`, `\UHHHHHHHH`, `\163`, and all signs. */
export const decodeJsonEscape: Escape = (units, at, end) => {
  const next = units[at + 1] ?? 0
  if (at + 1 >= end) return null
  if (next === 0x75) return unicodeEscape(units, at, end)
  if (next === 0x78) return characterOf(units, at, end, hexByte)
  if (next === 0x55) {
    const value = hexNumber(units, at + 2, 8, end)
    return value === -1 || value > 0x10ffff ? null : { units: pointUnits(value), length: 10 }
  }
  if (next >= 0x30 && next <= 0x33) {
    const octal = characterOf(units, at, end, octalByte)
    if (octal !== null) return octal
    return next === 0x30 ? { units: [0], length: 2 } : null
  }
  const short = SHORT_ESCAPES[next] ?? 0
  return short === 0 ? null : { units: [short], length: 2 }
}

/** The byte that an escape of four units is, or -1. */
type ByteEscape = (units: Uint16Array, at: number, end: number) => number

const hexByte: ByteEscape = (units, at, end) =>
  units[at] === BACKSLASH && units[at + 1] === 0x78 ? hexNumber(units, at + 2, 2, end) : -1

const octalByte: ByteEscape = (units, at, end) => {
  if (units[at] !== BACKSLASH || at + 4 > end) return -1
  let value = 0
  for (let i = at + 1; i < at + 4; i++) {
    const digit = (units[i] ?? 0) - 0x30
    if (digit < 0 || digit > 7) return -1
    value = value * 8 + digit
  }
  return value > 0xff ? -1 : value
}

/** One byte, or several where they make one character of UTF-8. */
function characterOf(
  units: Uint16Array,
  at: number,
  end: number,
  byteAt: ByteEscape,
): Escaped | null {
  const first = byteAt(units, at, end)
  if (first === -1) return null
  const size = utf8Size(first)
  let point = first & (0x7f >> size)
  for (let i = 1; i < size; i++) {
    const next = byteAt(units, at + i * 4, end)
    if (next === -1 || (next & 0xc0) !== 0x80) return { units: [first], length: 4 }
    point = (point << 6) | (next & 0x3f)
  }
  return size === 1 || point > 0x10ffff
    ? { units: [first], length: 4 }
    : { units: pointUnits(point), length: size * 4 }
}

function unicodeEscape(units: Uint16Array, at: number, end: number): Escaped | null {
  if (units[at + 2] !== 0x7b) {
    const value = hexNumber(units, at + 2, 4, end)
    return value === -1 ? null : { units: [value], length: 6 }
  }
  for (let count = 1; count <= 8; count++) {
    if (at + 3 + count >= end) return null
    if (units[at + 3 + count] !== 0x7d) continue
    const value = hexNumber(units, at + 3, count, end)
    return value === -1 || value > 0x10ffff ? null : { units: pointUnits(value), length: count + 4 }
  }
  return null
}

/** Bytes of the character of UTF-8 that begins with a byte; 1 for one that begins none. */
export function utf8Size(first: number): number {
  if (first < 0xc2 || first > 0xf4) return 1
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}

/** `%HH`, several of them where they make one character of UTF-8, and `%uHHHH` of older scripts. */
export const decodePercent: Escape = (units, at, end) => {
  if (units[at + 1] !== 0x75) return decodeBytes(units, at, end)
  const value = hexNumber(units, at + 2, 4, end)
  return value === -1 ? null : { units: [value], length: 6 }
}

const OPEN = 0x5b
/** Between the beginning of a sequence and the letter that ends it. */
const MAX_PARAMETERS = 12

/** What tells a terminal how to show the text: colours, as of `grep`, and what is cleared. */
export const decodeTerminal: Escape = (units, at, end) => {
  if (units[at + 1] !== OPEN) return null
  for (let i = at + 2; i < end && i <= at + 2 + MAX_PARAMETERS; i++) {
    const unit = units[i] as number
    if (unit >= 0x40 && unit <= 0x7e) return { units: [], length: i + 1 - at }
    if (unit < 0x20 || unit > 0x3f) return null
  }
  return null
}

/** Two hex digits behind a sign, the same sign before each byte of a character. */
const decodeBytes: Escape = (units, at, end) => {
  const first = hexNumber(units, at + 1, 2, end)
  if (first === -1) return null
  const size = utf8Size(first)
  if (size === 1) return { units: [first], length: 3 }
  let point = first & (0x7f >> size)
  for (let i = 1; i < size; i++) {
    const next = units[at + i * 3] === units[at] ? hexNumber(units, at + i * 3 + 1, 2, end) : -1
    if ((next & 0xc0) !== 0x80 || next === -1) return { units: [first], length: 3 }
    point = (point << 6) | (next & 0x3f)
  }
  return point > 0x10ffff
    ? { units: [first], length: 3 }
    : { units: pointUnits(point), length: size * 3 }
}

const LF = 0x0a
const CR = 0x0d
/** Blanks between the sign of a soft line break and the end of its line. */
const MAX_BLANKS = 8

/** The length of the soft line break of quoted-printable that begins at `at`, 0 when there is none. */
export function softBreak(units: Uint16Array, at: number, end: number): number {
  let next = at + 1
  while (next < end && next <= at + MAX_BLANKS && (units[next] === 0x20 || units[next] === 0x09))
    next += 1
  if (units[next] === CR && next + 1 < end && units[next + 1] === LF) return next + 2 - at
  return next < end && (units[next] === LF || units[next] === CR) ? next + 1 - at : 0
}

/** Quoted-printable: `=HH`, and a line end that is none. */
export const decodeQuoted: Escape = (units, at, end) => {
  const length = softBreak(units, at, end)
  return length > 0 ? { units: [], length } : decodeBytes(units, at, end)
}

/** Entities of the characters that are not letters or digits: values are escaped with these. */
const NAMED = new Map<string, number>(
  (
    'amp 38 lt 60 gt 62 quot 34 apos 39 nbsp 160 Tab 9 NewLine 10 excl 33 num 35 dollar 36 percnt 37 lpar 40 rpar 41 ' +
    'ast 42 plus 43 comma 44 period 46 sol 47 colon 58 semi 59 equals 61 quest 63 commat 64 lsqb 91 lbrack 91 bsol 92 ' +
    'rsqb 93 rbrack 93 Hat 94 lowbar 95 UnderBar 95 grave 96 lcub 123 lbrace 123 verbar 124 vert 124 rcub 125 ' +
    'rbrace 125'
  )
    .split(' ')
    .reduce<[string, number][]>((pairs, word, index, words) => {
      if (index % 2 === 0) pairs.push([word, Number(words[index + 1])])
      return pairs
    }, []),
)

const LONGEST_NAME = 8
const MAX_DIGITS = 8

/** `&#39;`, `&#x27;`, `&quot;`. A number does without its semicolon, as in browsers. */
export const decodeEntity: Escape = (units, at, end) => {
  if (units[at + 1] === 0x23) return numericEntity(units, at, end)
  let name = ''
  for (let i = at + 1; i < end && name.length <= LONGEST_NAME; i++) {
    const unit = units[i] ?? 0
    if (unit === 0x3b) {
      const point = NAMED.get(name)
      return point === undefined ? null : { units: [point], length: i - at + 1 }
    }
    name += String.fromCharCode(unit)
  }
  return null
}

function numericEntity(units: Uint16Array, at: number, end: number): Escaped | null {
  const isHex = ((units[at + 2] ?? 0) | 0x20) === 0x78
  const first = at + (isHex ? 3 : 2)
  let value = 0
  let i = first
  for (; i < end && i - first < MAX_DIGITS; i++) {
    const digit = hexDigit(units[i] ?? 0)
    if (digit === -1 || (!isHex && digit > 9)) break
    value = value * (isHex ? 16 : 10) + digit
  }
  if (i === first || value > 0x10ffff) return null
  const length = i - at + (i < end && units[i] === 0x3b ? 1 : 0)
  return { units: pointUnits(value), length }
}
