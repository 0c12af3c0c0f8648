import {
  BEGINNINGS,
  beginsCompressed,
  decompressed,
  expandedWithin,
  HEAD_DIGITS,
} from './decode/compressed.ts'
import { isRunDigit, MIN_RUN, nextLine } from './digit-runs.ts'
import type { Expansions } from './expansions.ts'

/** Compressed bytes that stand in a text as digits, expanded. */
export interface CompressedRun {
  /** UTF-16 units of the given text, padding included. */
  readonly start: number
  readonly end: number
  /** What is no UTF-8 of it is replaced. */
  readonly text: string
}

/** So much is looked at behind one compression. */
const MAX_BYTES = 4_194_304

/**
 * What stands compressed in a text: gzip, zlib and zstd in base64 or hex, also where it is broken into lines, or stands
 * among other bytes.
 *
 * @param units of the text
 * @param runs of base64 digits in it
 * @param expansions of the message that the text is part of
 */
export function compressedRuns(
  text: string,
  units: Uint16Array,
  runs: readonly number[],
  expansions: Expansions,
): readonly CompressedRun[] {
  const found: CompressedRun[] = []
  let done = 0
  /** Up to where it was looked behind the beginnings of runs. */
  let looked = 0
  for (let i = 0; i < runs.length && expansions.left > 0; i += 2) {
    const start = runs[i] ?? 0
    const first = runs[i + 1] ?? 0
    if (start < done) continue
    const isCompressed = beginsCompressed(text, start)
    const mayBehind = start >= looked && mayHold(units, first, text.length, first - start)
    if (!isCompressed && !mayBehind) continue
    const { digits, end } = isCompressed
      ? joinedFrom(text, units, start, first)
      : { digits: '', end: first }
    const add = (bytes: Uint8Array): void => {
      found.push({ start, end, text: Buffer.from(bytes).toString('utf8') })
    }
    const compressed = isCompressed ? decompressed(digits, MAX_BYTES, expansions) : null
    const expanded = compressed?.bytes ?? compressed?.sample ?? null
    if (compressed !== null && expanded !== null) {
      // In the lines behind an error something else may begin.
      done = compressed.isBroken ? start + 1 : end
      add(expanded)
      expandedWithin(expanded, MAX_BYTES, expansions).forEach(add)
    }
    if (!mayBehind) continue
    const block = blockFrom(text, units, start, first)
    looked = block.end
    for (const bytes of compressedBehind(block.digits, expansions))
      found.push({ start, end: block.end, text: Buffer.from(bytes).toString('utf8') })
  }
  return found
}

/** Digits of the shortest file that holds something compressed: hashes, of which there are many, have fewer. */
const MIN_HOLDING = 96
const HEX = new RegExp(`^[0-9A-Fa-f]{${MIN_HOLDING}}`)

/** What stands compressed somewhere behind the first byte. */
function compressedBehind(digits: string, expansions: Expansions): readonly Uint8Array[] {
  if (digits.length < MIN_HOLDING) return []
  const bytes = Buffer.from(digits, HEX.test(digits) ? 'hex' : 'base64')
  return expandedWithin(bytes.subarray(1), MAX_BYTES, expansions)
}

function mayHold(units: Uint16Array, end: number, length: number, digits: number): boolean {
  return digits >= MIN_HOLDING || nextLine(units, end, length) !== -1
}

/** Whether compressed bytes may begin with one of the runs. */
export function holdsCompressed(units: Uint16Array, runs: readonly number[]): boolean {
  for (let i = 0; i < runs.length; i += 2) {
    const from = runs[i] ?? 0
    if (!BEGINNINGS.has(units[from] ?? 0)) continue
    if (beginsCompressed(String.fromCharCode(...units.subarray(from, from + HEAD_DIGITS)), 0))
      return true
  }
  return false
}

/** A run with the lines that are as wide, and the last one behind them: others are of something else. */
function blockFrom(
  text: string,
  units: Uint16Array,
  start: number,
  first: number,
): { readonly digits: string; readonly end: number } {
  const width = first - start
  const lines = [text.slice(start, first)]
  let end = first
  for (;;) {
    const [from, to] = digitsBehind(text, units, end)
    if (to === from || to - from > width) break
    if (to - from < width) {
      const [last, lastEnd] = digitsBehind(text, units, to)
      // That is another block, which begins here.
      if (lastEnd - last >= MIN_RUN) break
    }
    lines.push(text.slice(from, to))
    end = to
    if (to - from < width) break
  }
  while (end < text.length && text.charAt(end) === '=') end += 1
  return { digits: lines.join(''), end }
}

/** The digits with which the next line begins. */
function digitsBehind(
  text: string,
  units: Uint16Array,
  end: number,
): readonly [from: number, to: number] {
  const from = nextLine(units, end, text.length)
  if (from === -1) return [end, end]
  let to = from
  while (to < text.length && isRunDigit(units[to] ?? 0)) to += 1
  return [from, to]
}

/** A run with the lines on which it goes on. */
function joinedFrom(
  text: string,
  units: Uint16Array,
  start: number,
  first: number,
): { readonly digits: string; readonly end: number } {
  const lines = [text.slice(start, first)]
  let end = first
  for (;;) {
    const next = nextLine(units, end, text.length)
    if (next === -1 || next === text.length) break
    let to = next
    while (to < text.length && isRunDigit(units[to] ?? 0)) to += 1
    lines.push(text.slice(next, to))
    end = to
  }
  while (end < text.length && text.charAt(end) === '=') end += 1
  return { digits: lines.join(''), end }
}
