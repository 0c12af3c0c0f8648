import { BEGINNINGS, beginsCompressed, decompressed, HEAD_DIGITS } from './decode/compressed.ts'
import { isRunDigit, nextLine } from './digit-runs.ts'
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
 * What stands compressed in a text: gzip, zlib and zstd in base64 or hex, also where it is broken into lines.
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
  for (let i = 0; i < runs.length && expansions.left > 0; i += 2) {
    const start = runs[i] ?? 0
    if (start < done || !beginsCompressed(text, start)) continue
    const { digits, end } = joinedFrom(text, units, start, runs[i + 1] ?? 0)
    const compressed = decompressed(digits, MAX_BYTES, expansions)
    const expanded = compressed?.bytes ?? compressed?.sample ?? null
    if (compressed === null || expanded === null) continue
    // In the lines behind an error something else may begin.
    done = compressed.isBroken ? start + 1 : end
    found.push({ start, end, text: Buffer.from(expanded).toString('utf8') })
  }
  return found
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
