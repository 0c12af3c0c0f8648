import type { EncodedRun } from '../decoder.ts'
import type { Expansions } from '../expansions.ts'
import { beginsCompressed, decompressed, textOfExpanded } from './compressed.ts'
import { decodeAs, FIVE_BITS, FOUR_BITS, isInRun, MIN_RUN, SIX_BITS } from './digits.ts'
import { MIN_LINE, WrappedLines } from './wrapped-lines.ts'

/** Base64 (standard, URL-safe, unpadded, wrapped), hex and base32 that hold text. */
export function baseRuns(text: string, expansions: Expansions, into: EncodedRun[]): void {
  const to = text.length
  let lines: WrappedLines | null = null
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
    if (end - start >= MIN_LINE && (lines === null || start >= lines.end))
      lines = new WrappedLines(text, start, end)
    at = readRun(text, start, end, to, lines, expansions, into)
  }
}

/** Reads one run and what wraps on from it; returns where to go on. */
function readRun(
  text: string,
  start: number,
  end: number,
  to: number,
  lines: WrappedLines | null,
  expansions: Expansions,
  into: EncodedRun[],
): number {
  const at = lines?.offsetOf(start) ?? -1
  if (lines !== null && at !== -1) {
    const decoded = lines.textFrom(at, SIX_BITS)
    const inner = decoded ?? lines.textFrom(at, FOUR_BITS)
    if (inner !== null) {
      const encoding = decoded === null ? 'hex' : 'base64'
      into.push({ start, end: padded(text, lines.end, to), encoding, decoded: inner })
      return lines.end
    }
    if (
      beginsCompressed(lines.joined, at) &&
      compressedRun(
        lines.joined.slice(at),
        start,
        padded(text, lines.end, to),
        expansions,
        into,
      ) === 'whole'
    )
      return lines.end
  }
  if (!tryRun(text, start, end, to, expansions, into))
    tryPieces(text, start, end, to, expansions, into)
  return end
}

function tryRun(
  text: string,
  start: number,
  end: number,
  to: number,
  expansions: Expansions,
  into: EncodedRun[],
): boolean {
  const isPrefixed = text.charCodeAt(start) === 0x30 && (text.charCodeAt(start + 1) | 0x20) === 0x78
  const hexStart = isPrefixed ? start + 2 : start
  const hex = (end - hexStart) % 2 === 0 ? decodeAs(FOUR_BITS, text, hexStart, end) : null
  if (hex !== null) into.push({ start: hexStart, end, encoding: 'hex', decoded: hex })
  const base64 = decodeAs(SIX_BITS, text, start, end)
  if (base64 !== null)
    into.push({ start, end: padded(text, end, to), encoding: 'base64', decoded: base64 })
  const base32 = decodeAs(FIVE_BITS, text, start, end)
  if (base32 !== null)
    into.push({ start, end: padded(text, end, to), encoding: 'base32', decoded: base32 })
  if (hex !== null || base64 !== null || base32 !== null) return true
  if (!beginsCompressed(text, hexStart)) return false
  const found = compressedRun(
    text.slice(hexStart, end),
    hexStart,
    padded(text, end, to),
    expansions,
    into,
  )
  return found !== 'none'
}

/** So much text is looked at behind a compression. */
const MAX_EXPANDED = 262_144

/** Adds a run that holds compressed text. Broken: what follows may be something else. */
function compressedRun(
  digits: string,
  start: number,
  end: number,
  expansions: Expansions,
  into: EncodedRun[],
): 'whole' | 'broken' | 'none' {
  const found = decompressed(digits, MAX_EXPANDED, expansions)
  if (found === null) return 'none'
  const { encoding, isUnread, isBroken } = found
  if (isUnread) {
    into.push({ start, end, encoding, decoded: '', isUnread })
    return 'whole'
  }
  const bytes = found.bytes ?? found.sample
  const decoded = bytes === null ? null : textOfExpanded(bytes)
  if (decoded === null) return 'none'
  const run = { start, end, encoding, decoded }
  into.push(found.bytes === null ? { ...run, decoded: '', isUnread: true } : run)
  return isBroken ? 'broken' : 'whole'
}

/** Slash, hyphen, underscore, plus: letters of base64 that also part words. */
const separators = new Uint8Array(128)
for (const [index, separator] of [...'/-_+'].entries())
  separators[separator.charCodeAt(0)] = index + 1

/** By separator: where the piece begins that it ends next. */
const pieceStarts = new Int32Array(5)

/** A run that is a path or a name with encoded parts: `/v1/aGVsbG8gd29ybGQ`, `cfg-aGVsbG8gd29ybGQ`. */
function tryPieces(
  text: string,
  start: number,
  end: number,
  to: number,
  expansions: Expansions,
  into: EncodedRun[],
): void {
  pieceStarts.fill(start)
  for (let at = start; at < end; at += 1) {
    const separator = separators[text.charCodeAt(at)] as number
    if (separator === 0) continue
    const first = pieceStarts[separator] as number
    if (at - first >= MIN_RUN) tryRun(text, first, at, to, expansions, into)
    pieceStarts[separator] = at + 1
  }
  for (const first of pieceStarts)
    if (first > start && end - first >= MIN_RUN) tryRun(text, first, end, to, expansions, into)
}

function padded(text: string, end: number, to: number): number {
  let stop = end
  while (stop < to && stop < end + 6 && text.charCodeAt(stop) === 0x3d) stop += 1
  return stop
}
