import type { EncodedRun } from '../decoder.ts'
import { textOfBytes } from './bytes.ts'
import { beginsCompressed, decompressed, textOfExpanded } from './compressed.ts'

/** Nine bytes: the shortest command worth hiding. */
const MIN_RUN = 12
/** Units of a run that are tried first: almost everything that is no encoded text is told by them. */
const SNIFF = 24
/** Lines of wrapped base64 are at least this long, but the last. */
const MIN_LINE = 40

const NONE = 255
const sixBits = new Uint8Array(128).fill(NONE)
const fiveBits = new Uint8Array(128).fill(NONE)
const fourBits = new Uint8Array(128).fill(NONE)
for (const [table, alphabet] of [
  [sixBits, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'],
  [fiveBits, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'],
  [fourBits, '0123456789abcdef'],
] as const)
  for (let at = 0; at < alphabet.length; at += 1) table[alphabet.charCodeAt(at)] = at
sixBits[0x2d] = 62
sixBits[0x5f] = 63
for (let at = 0; at < 6; at += 1) fourBits[0x41 + at] = 10 + at

function isInRun(unit: number): boolean {
  return unit < 128 && sixBits[unit] !== NONE
}

/** Base64 (standard, URL-safe, unpadded, wrapped), hex and base32 that hold text. */
export function baseRuns(text: string, into: EncodedRun[]): void {
  const to = text.length
  let at = 0
  while (at + MIN_RUN <= to) {
    const probe = at + MIN_RUN - 1
    if (!isInRun(text.charCodeAt(probe))) {
      at = probe + 1
      continue
    }
    let start = probe
    while (start > at && isInRun(text.charCodeAt(start - 1))) start -= 1
    let end = probe + 1
    while (end < to && isInRun(text.charCodeAt(end))) end += 1
    at = end + 1
    if (end - start < MIN_RUN) continue
    // The n of a line break that was written as \n belongs to the break.
    if (text.charCodeAt(start - 1) === 0x5c) start += 1
    at = readRun(text, start, end, to, into)
  }
}

/** Reads one run and what wraps on from it; returns where to go on. */
function readRun(text: string, start: number, end: number, to: number, into: EncodedRun[]): number {
  const lines = end - start >= MIN_LINE ? wrapped(text, start, end, to) : null
  if (lines !== null) {
    const decoded = decodeAs(sixBits, 6, lines.joined, 0, lines.joined.length)
    const inner = decoded ?? decodeAs(fourBits, 4, lines.joined, 0, lines.joined.length)
    if (inner !== null) {
      const encoding = decoded === null ? 'hex' : 'base64'
      into.push({ start, end: padded(text, lines.end, to), encoding, decoded: inner })
      return lines.end
    }
    if (compressedRun(lines.joined, start, padded(text, lines.end, to), into)) return lines.end
  }
  if (!tryRun(text, start, end, to, into)) tryPieces(text, start, end, to, into)
  return end
}

function tryRun(text: string, start: number, end: number, to: number, into: EncodedRun[]): boolean {
  const isPrefixed = text.charCodeAt(start) === 0x30 && (text.charCodeAt(start + 1) | 0x20) === 0x78
  const hexStart = isPrefixed ? start + 2 : start
  const hex = (end - hexStart) % 2 === 0 ? decodeAs(fourBits, 4, text, hexStart, end) : null
  if (hex !== null) into.push({ start: hexStart, end, encoding: 'hex', decoded: hex })
  const base64 = decodeAs(sixBits, 6, text, start, end)
  if (base64 !== null)
    into.push({ start, end: padded(text, end, to), encoding: 'base64', decoded: base64 })
  const base32 = decodeAs(fiveBits, 5, text, start, end)
  if (base32 !== null)
    into.push({ start, end: padded(text, end, to), encoding: 'base32', decoded: base32 })
  if (hex !== null || base64 !== null || base32 !== null) return true
  if (!beginsCompressed(text, hexStart)) return false
  return compressedRun(text.slice(hexStart, end), hexStart, padded(text, end, to), into)
}

/** So much text is looked at behind a compression. */
const MAX_EXPANDED = 262_144

/** A run that holds compressed text. */
function compressedRun(digits: string, start: number, end: number, into: EncodedRun[]): boolean {
  const found = decompressed(digits, MAX_EXPANDED)
  const bytes = found?.bytes ?? found?.sample ?? null
  const decoded = bytes === null ? null : textOfExpanded(bytes)
  if (found === null || decoded === null) return false
  const run = { start, end, encoding: found.encoding, decoded }
  into.push(found.bytes === null ? { ...run, decoded: '', isUnread: true } : run)
  return true
}

/** Slash, hyphen, underscore, plus: letters of base64 that also part words. */
const separators = new Uint8Array(128)
for (const [index, separator] of [...'/-_+'].entries())
  separators[separator.charCodeAt(0)] = index + 1

/** By separator: where the piece begins that it ends next. */
const pieceStarts = new Int32Array(5)

/** A run that is a path or a name with encoded parts: `/v1/aGVsbG8gd29ybGQ`, `cfg-aGVsbG8gd29ybGQ`. */
function tryPieces(text: string, start: number, end: number, to: number, into: EncodedRun[]): void {
  pieceStarts.fill(start)
  for (let at = start; at < end; at += 1) {
    const separator = separators[text.charCodeAt(at)] as number
    if (separator === 0) continue
    const first = pieceStarts[separator] as number
    if (at - first >= MIN_RUN) tryRun(text, first, at, to, into)
    pieceStarts[separator] = at + 1
  }
  for (const first of pieceStarts)
    if (first > start && end - first >= MIN_RUN) tryRun(text, first, end, to, into)
}

function padded(text: string, end: number, to: number): number {
  let stop = end
  while (stop < to && stop < end + 6 && text.charCodeAt(stop) === 0x3d) stop += 1
  return stop
}

const BREAK = /(?:\r?\n|\\r\\n|\\n)[ \t]{0,8}/y

/** The lines that follow a run of base64, joined; null when there is one line only. */
function wrapped(
  text: string,
  start: number,
  end: number,
  to: number,
): { readonly joined: string; readonly end: number } | null {
  const lines = [text.slice(start, end)]
  let stop = end
  let length = end - start
  while (length >= MIN_LINE) {
    BREAK.lastIndex = stop
    const gap = BREAK.exec(text)
    if (gap === null) break
    const first = stop + gap[0].length
    let last = first
    while (last < to && isInRun(text.charCodeAt(last))) last += 1
    if (last === first) break
    lines.push(text.slice(first, last))
    length = last - first
    stop = last
  }
  return lines.length === 1 ? null : { joined: lines.join(''), end: stop }
}

/** Decodes units as text; null when one is not of the alphabet or when they hold no text. */
function decodeAs(
  table: Uint8Array,
  bits: number,
  text: string,
  start: number,
  end: number,
): string | null {
  if (end - start < MIN_RUN) return null
  if (!beginsLikeText(table, bits, text, start, Math.min(end, start + SNIFF))) return null
  const bytes = bytesOf(table, bits, text, start, end)
  return bytes === null ? null : textOfBytes(bytes)
}

/** Whether the first bytes may be text: printable ASCII, well-formed UTF-8, or zeros at every second place. */
function beginsLikeText(
  table: Uint8Array,
  bits: number,
  text: string,
  start: number,
  end: number,
): boolean {
  let held = 0
  let count = 0
  let place = 0
  let zeros = 0
  let pending = 0
  for (let at = start; at < end; at += 1) {
    const unit = text.charCodeAt(at)
    const value = unit < 128 ? (table[unit] ?? NONE) : NONE
    if (value === NONE) return false
    held = ((held << bits) | value) & 0xffff
    count += bits
    if (count < 8) continue
    count -= 8
    const byte = (held >> count) & 0xff
    if (pending > 0) {
      if ((byte & 0xc0) !== 0x80) return false
      pending -= 1
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return isByteOrderMark(byte, place)
      pending = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    } else if (byte === 0) {
      zeros += 1
      if (zeros > (place >> 1) + 1) return false
    } else if (byte < 0x20 ? byte !== 10 && byte !== 13 && byte !== 9 && byte !== 27 : byte === 127)
      return false
    place += 1
  }
  return zeros === 0 || zeros * 3 >= place
}

/** U+FEFF before UTF-16. */
function isByteOrderMark(byte: number, place: number): boolean {
  return place === 0 && byte >= 0xfe
}

function bytesOf(
  table: Uint8Array,
  bits: number,
  text: string,
  start: number,
  end: number,
): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor(((end - start) * bits) / 8))
  let held = 0
  let count = 0
  let put = 0
  for (let at = start; at < end; at += 1) {
    const unit = text.charCodeAt(at)
    const value = unit < 128 ? (table[unit] ?? NONE) : NONE
    if (value === NONE) return null
    held = ((held << bits) | value) & 0xffff
    count += bits
    if (count >= 8) {
      count -= 8
      bytes[put] = (held >> count) & 0xff
      put += 1
    }
  }
  return bytes
}
