import { hexRunsIn, isHexDigit, nextLine } from './digit-runs.ts'
import { type Escaped, pointUnits, utf8Size } from './escapes.ts'
import { Rewriting, type View, ViewBuilder } from './view.ts'

const SIXTETS = new Uint8Array(128)
for (const [index, char] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  SIXTETS[char.charCodeAt(0)] = index
SIXTETS[0x2d] = 62
SIXTETS[0x5f] = 63

/** How digits make bytes. */
interface Radix {
  /** Bits of a digit. */
  readonly bits: number
  /** Digits after which bytes begin at the same place of a digit. */
  readonly group: number
  /** By unit. */
  readonly values: Uint8Array
}

export const BASE64: Radix = {
  bits: 6,
  group: 4,
  values: SIXTETS,
}

export const HEX: Radix = {
  bits: 4,
  group: 2,
  values: Uint8Array.from({ length: 128 }, (_, unit) =>
    unit < 0x3a ? (unit - 0x30) & 0x0f : (unit & 0x0f) + 9,
  ),
}

/** Bytes looked at to tell whether a run may be text. */
const SAMPLE = 12

/** Reads each run of digits as bytes at every alignment and keeps what may be text. */
export function decodeRuns(view: View, radix: Radix): View | null {
  const { units, length } = view
  const runs = radix === HEX ? hexRunsIn(units, view.runs) : view.runs
  let builder: ViewBuilder | null = null
  for (let i = 0; i < runs.length; i += 2) {
    const from = runs[i] ?? 0
    const to = runs[i + 1] ?? 0
    for (let shift = 0; shift < radix.group; shift++) {
      const start = from + shift
      const count = Math.floor(((to - start) * radix.bits) / 8)
      if (!mayBeText(units, start, count, radix)) continue
      builder ??= new ViewBuilder(Math.min(length, count * 2 + 64), view.isPlaced)
      builder.addBreak(view.startOf(start))
      addBytes(builder, view, { start, count, radix })
    }
  }
  return finished(builder)
}

function addBytes(
  builder: ViewBuilder,
  view: View,
  {
    start,
    count,
    radix,
  }: { readonly start: number; readonly count: number; readonly radix: Radix },
): void {
  const { bits } = radix
  for (let index = 0; index < count; ) {
    const first = byteAt(view.units, start, index, radix)
    const size = utf8Size(first)
    const { units, length } =
      size === 1 || index + size > count
        ? NO_CHARACTER
        : characterAt(first, size, (more) => byteAt(view.units, start, index + more, radix))
    const from = view.startOf(start + Math.floor((index * 8) / bits))
    const to = view.endOf(start + Math.ceil(((index + length) * 8) / bits) - 1)
    if (length === 1) builder.add(first, from, to)
    else for (const one of units) builder.add(one, from, to)
    index += length
  }
}

/** A byte that begins no character stands for itself. */
const NO_CHARACTER: Escaped = { units: [], length: 1 }

/** The character of UTF-8 that begins with a byte. @param byte gives those behind it */
function characterAt(first: number, size: number, byte: (more: number) => number): Escaped {
  let point = first & (0x7f >> size)
  for (let more = 1; more < size; more++) {
    const next = byte(more)
    if ((next & 0xc0) !== 0x80) return NO_CHARACTER
    point = (point << 6) | (next & 0x3f)
  }
  return point > 0x10ffff ? NO_CHARACTER : { units: pointUnits(point), length: size }
}

function finished(builder: ViewBuilder | null): View | null {
  return builder === null ? null : builder.view(false)
}

function byteAt(units: Uint16Array, start: number, index: number, radix: Radix): number {
  const { bits, values } = radix
  const bit = index * 8
  const within = bit % bits
  const at = start + (bit - within) / bits
  const pair =
    ((values[(units[at] as number) & 0x7f] as number) << bits) |
    (values[(units[at + 1] as number) & 0x7f] as number)
  return (pair >>> (bits * 2 - 8 - within)) & 0xff
}

/** Whether the bytes of one of three places may be text: what a run of binary data is seldom mistaken for. */
function mayBeText(units: Uint16Array, start: number, count: number, radix: Radix): boolean {
  if (count < SAMPLE) return false
  return (
    isTextAt(units, start, 0, radix) ||
    isTextAt(units, start, (count - SAMPLE) >>> 1, radix) ||
    isTextAt(units, start, count - SAMPLE, radix)
  )
}

function isTextAt(units: Uint16Array, start: number, place: number, radix: Radix): boolean {
  let odd = 0
  for (let index = place; index < place + SAMPLE; index++) {
    const one = byteAt(units, start, index, radix)
    // NULs stand between the letters of UTF-16.
    if (one > 0x7e || (one < 0x20 && one !== 0 && one !== 9 && one !== 10 && one !== 13)) odd += 1
    if (odd > 1) return false
  }
  return true
}

/** Runs of hex digits with upper-case letters among them, in lower case. */
export function foldHex(view: View): View | null {
  const { units } = view
  let builder: ViewBuilder | null = null
  const runs = hexRunsIn(units, view.runs)
  for (let i = 0; i < runs.length; i += 2) {
    const from = runs[i] ?? 0
    const to = runs[i + 1] ?? 0
    if (!units.subarray(from, to).some(isUpperHex)) continue
    builder ??= new ViewBuilder(to - from + 1, view.isPlaced)
    builder.addBreak(view.startOf(from))
    for (let at = from; at < to; at++)
      builder.add(lowerHex(units[at] ?? 0), view.startOf(at), view.endOf(at))
  }
  return finished(builder)
}

/** Around a line end, what a window may take when it was encoded twice before. */
const LINE_MARGIN = 64

/** Runs of digits that go on in the next line, as `base64`, MIME, PEM and `xxd -p` break them, without the line ends. */
export function joinLines(view: View, margin: number): View | null {
  const { units, length, runs } = view
  const rewriting = new Rewriting(view, Math.max(margin, LINE_MARGIN))
  for (let i = 0; i < runs.length; i += 2) {
    const end = runs[i + 1] ?? 0
    const next = nextLine(units, end, length)
    if (next !== -1) rewriting.replace(end, next, NOTHING)
  }
  return rewriting.result()
}

const NOTHING: readonly number[] = []

/** Dumps of bytes (`6f:70`, `6F 70`, `6f70 656e`) as runs of lower-case digits. */
export function joinDumps(view: View, margin: number): View | null {
  const { units } = view
  const { dumps } = view.numbers
  const rewriting = new Rewriting(view, margin)
  for (let i = 0; i < dumps.length; i += 2) {
    const to = dumps[i + 1] ?? 0
    for (let at = dumps[i] ?? 0; at < to; at++) {
      const unit = units[at] ?? 0
      if (!isHexDigit(unit)) rewriting.replace(at, at + 1, NOTHING)
      else rewriting.replace(at, at + 1, [lowerHex(unit)])
    }
  }
  return rewriting.result()
}

function lowerHex(unit: number): number {
  return isUpperHex(unit) ? unit + 0x20 : unit
}

function isUpperHex(unit: number): boolean {
  return unit >= 0x41 && unit <= 0x46
}

/** The view without the signs between characters. */
export function joinSpaced(view: View, margin: number): View | null {
  const { units, spaced } = view
  const rewriting = new Rewriting(view, margin)
  for (let i = 0; i < spaced.length; i += 2) {
    const from = spaced[i] as number
    const to = spaced[i + 1] as number
    const isSign = (at: number): boolean => units[at] === units[at + 2]
    // The sign stands second, or first where nothing stands before it.
    const first = isSign(from + 1) && isSign(from + 3) ? from + 1 : from
    for (let at = first; at < to; at += 2) rewriting.replace(at, at + 1, NOTHING)
  }
  return rewriting.result()
}

const FIVE_BITS = new Int8Array(128).fill(-1)
for (const [index, char] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'].entries()) {
  FIVE_BITS[char.charCodeAt(0)] = index
  FIVE_BITS[char.toLowerCase().charCodeAt(0)] = index
}

/** Runs of nothing but base32 digits as bytes in hex digits. */
export function decodeBase32(view: View): View | null {
  const { units, runs } = view
  let builder: ViewBuilder | null = null
  for (let i = 0; i < runs.length; i += 2) {
    const from = runs[i] ?? 0
    const to = runs[i + 1] ?? 0
    if (!isBase32(units, from, to)) continue
    builder ??= new ViewBuilder(to - from, view.isPlaced)
    builder.addBreak(view.startOf(from))
    let bits = 0
    let held = 0
    for (let at = from; at < to; at++) {
      held = ((held << 5) | (FIVE_BITS[units[at] as number] as number)) & 0xfff
      bits += 5
      if (bits < 8) continue
      bits -= 8
      const byte = (held >>> bits) & 0xff
      const start = view.startOf(at - 1)
      builder.add(hexDigitOf(byte >>> 4), start, view.endOf(at))
      builder.add(hexDigitOf(byte & 15), start, view.endOf(at))
    }
  }
  return finished(builder)
}

/** All in capitals or in none. */
function isBase32(units: Uint16Array, from: number, to: number): boolean {
  let letters = 0
  for (let at = from; at < to; at++) {
    const unit = units[at] as number
    if (unit > 0x7f || (FIVE_BITS[unit] as number) === -1) return false
    if (unit > 0x39) letters |= unit < 0x61 ? 1 : 2
    if (letters === 3) return false
  }
  return true
}

function hexDigitOf(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value
}
