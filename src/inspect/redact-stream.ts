import { isRunDigit, MIN_RUN, trailingRun } from './digit-runs.ts'
import { MAX_ESCAPE } from './escapes.ts'
import { type KnownMatch, markerOf } from './known-match.ts'
import type { View } from './view.ts'

interface Look {
  readonly matches: readonly KnownMatch[]
  readonly views: readonly View[]
  /** Units of the longest form that is looked for, and of the longest one in which a line may end. */
  readonly longest: number
  readonly longestSpanning: number
}

/** Digits of an encoded run that are kept for each unit of the longest value. */
const RUN_PER_UNIT = 16

/** How much more than what must be held back comes together before it is looked at, where no line ends. */
const PATIENCE = 256

/**
 * Redacts a text that comes in pieces. What might be the beginning of a value is held back until it is one or is not;
 * where no known value spans lines, everything up to the last line end goes out at once.
 */
export class RedactStream {
  readonly #look: (text: string) => Look
  #pending = ''
  /** Units at the beginning of what is pending that belong to a value whose marker went out. */
  #covered = 0
  #lookAgainAt = 0

  constructor(look: (text: string) => Look) {
    this.#look = look
  }

  /** @returns what may go out now */
  push(piece: string): string {
    if (piece === '') return ''
    this.#pending += piece
    if (this.#pending.length < this.#lookAgainAt && !piece.includes('\n')) return ''
    const text = this.#pending
    const look = this.#look(text)
    const out = this.#release(text, look.matches, cutOf(text, look))
    this.#lookAgainAt = this.#pending.length * 2 + PATIENCE
    return out
  }

  /** @returns the rest; the stream may then begin anew */
  end(): string {
    const text = this.#pending
    const out = this.#release(text, this.#look(text).matches, text.length)
    this.#covered = 0
    this.#lookAgainAt = 0
    return out
  }

  #release(text: string, matches: readonly KnownMatch[], cut: number): string {
    let out = ''
    let done = Math.min(this.#covered, cut)
    let covered = this.#covered
    for (const { start, end, path } of matches) {
      if (start >= cut) break
      if (start >= covered) out += text.slice(done, start) + markerOf(path)
      covered = Math.max(covered, end)
      done = Math.max(done, Math.min(end, cut))
    }
    out += text.slice(done, cut)
    this.#pending = text.slice(cut)
    this.#covered = Math.max(0, covered - cut)
    return out
  }
}

/** Up to where nothing can be part of a value that is not complete yet. */
function cutOf(text: string, look: Look): number {
  const { longest, longestSpanning, views } = look
  if (longest === 0) return text.length
  const held = heldFrom(text, views, longest)
  const lines = Math.min(lastLineEnd(text, held), heldFrom(text, views, longestSpanning))
  let cut = Math.max(held, lines)
  // A run that was cut would be decoded in another way.
  if (cut < text.length && isDigit(text, cut))
    cut = Math.max(runStart(text, cut), cut - longest * RUN_PER_UNIT)
  for (const view of views) cut = beginningOf(view, cut)
  const isPair = (text.charCodeAt(cut - 1) & 0xfc00) === 0xd800
  return isPair ? cut - 1 : cut
}

/** The end of the last line that does not go on in the next one as a broken run of digits; `least` when there is none. */
function lastLineEnd(text: string, least: number): number {
  for (
    let at = text.lastIndexOf('\n');
    at >= least && at !== -1;
    at = text.lastIndexOf('\n', at - 1)
  )
    if (!goesOn(text.slice(Math.max(0, at - LINE), at).trimEnd())) return at + 1
  return least
}

/** Whether the digits or the bytes that a line ends with are enough to be broken. Escapes hide digits, never a space. */
function goesOn(line: string): boolean {
  return (
    BROKEN_RUN.test(line.slice(-MIN_RUN - MAX_ESCAPE)) ||
    BROKEN_DUMP.test(line.slice(-MIN_RUN - MAX_ESCAPE)) ||
    BROKEN_LIST.test(line)
  )
}

/** So much of the end of a line is looked at. */
const LINE = 96

const BROKEN_RUN = new RegExp(`\\S{${MIN_RUN}}$`)
const BROKEN_DUMP = /(?:[0-9A-Fa-f]{2}[: ,._-]?){6}$/

/** Numbers that are bytes, as the last of a line: `115, 107,`. */
const BROKEN_LIST = /(?:\b(?:0x)?[0-9A-Fa-f]{1,3}(?:[,;]? {1,4}|,|$)){6}$/
/** Where a form of up to `longest` units that is not complete may begin, in the text or in any decoding of it. */
function heldFrom(text: string, views: readonly View[], longest: number): number {
  if (longest === 0) return text.length
  // What looks like several units may turn out to be one escape that is not complete.
  const units = longest - 1 + MAX_ESCAPE
  let from = Math.max(0, text.length - units)
  const runs = longest * RUN_PER_UNIT
  from = Math.min(from, Math.max(runStart(text, text.length), text.length - runs))
  for (const view of views) {
    if (!view.isOrdered) continue
    from = Math.min(from, startOf(view, Math.max(0, view.length - units)))
    const run = trailingRun(view.units, view.length)
    if (run < view.length) from = Math.min(from, startOf(view, Math.max(run, view.length - runs)))
  }
  return from
}

function startOf({ starts, length }: View, at: number): number {
  return at < length ? (starts[at] ?? 0) : 0
}

/** Where the run of base64 digits begins that ends at `end`. */
function runStart(text: string, end: number): number {
  let at = end
  while (at > 0 && isDigit(text, at - 1)) at -= 1
  return at
}

function isDigit(text: string, at: number): boolean {
  return isRunDigit(text.charCodeAt(at))
}

/** The beginning of the escape that `cut` would split, or `cut`. */
function beginningOf({ starts, ends, length, isOrdered }: View, cut: number): number {
  if (!isOrdered) return cut
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ends[middle] ?? 0) <= cut) low = middle + 1
    else high = middle
  }
  const start = low < length ? (starts[low] ?? cut) : cut
  return Math.min(cut, start)
}
