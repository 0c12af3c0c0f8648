import { WINDOW } from './rolling-hash.ts'
import { passesSecond, type ValueIndex } from './value-index.ts'
import { Rewriting, type View } from './view.ts'

const TAB = 0x09
const LINE_FEED = 0x0a
const RETURN = 0x0d
const BLANK = 0x20
const SLASH = 0x2f
const BACKSLASH = 0x5c

/** By unit: 1 for what a line of a quotation or a comment begins with when a blank follows: `> > `, `# `. */
const PREFIX = new Uint8Array(65_536)
for (const sign of '>#*|;') PREFIX[sign.charCodeAt(0)] = 1
const MAX_PREFIX = 3

/** A window that a line end breaks has so much of it on one side at most. */
const SIDE = WINDOW - 1

/** The view without its line ends and tabs, what indents or quotes the lines, and backslashes that continue them. */
export function joinBroken(view: View, margin: number): View | null {
  const { units, length } = view
  const rewriting = new Rewriting(view, margin)
  for (let at = 0; at < length; at++) {
    if (!isBreak(units[at] as number)) continue
    const from = breakStart(units, at)
    at = breakEnd(units, at, length)
    if (from > 0 && at < length) rewriting.replace(from, at, NOTHING)
  }
  return rewriting.result()
}

const NOTHING: readonly number[] = []

/**
 * Whether something that looks like one of the values stands in a text but for a line end or a tab within. Lines are
 * taken for longer than a window.
 */
export function isSeenBroken(book: ValueIndex, text: string, units: Uint16Array): boolean {
  const { length } = text
  const { roll, first: filter, second } = book.filters
  const isOnlyLines = !text.includes('\t') && !text.includes('\r')
  for (let from = 0; ; ) {
    const at = nextBreak(text, units, from, isOnlyLines)
    if (at === -1) return false
    const to = Math.max(from, breakStart(units, at))
    from = breakEnd(units, at, length)
    const first = Math.max(0, to - SIDE)
    const last = Math.min(length, from + SIDE)
    let hash = 0
    for (let i = first; i < to; i++)
      hash = ((hash << 4) + (roll[(units[i] as number) & 0xff] as number)) | 0
    let isLikely = false
    for (let i = from; i < last; i++) {
      hash = ((hash << 4) + (roll[(units[i] as number) & 0xff] as number)) | 0
      if (((filter[hash >>> 16] as number) & (1 << (hash >>> 11))) !== 0)
        isLikely ||= passesSecond(second, hash)
    }
    if (!isLikely) continue
    const joined = Uint16Array.of(...units.subarray(first, to), ...units.subarray(from, last))
    const isSeen = book.hitsIn({ units: joined, length: joined.length }).length > 0
    joined.fill(0)
    if (isSeen) return true
  }
}

/** To look for the only sign that there is takes less than to look at each unit. @returns -1 when there is no more */
function nextBreak(text: string, units: Uint16Array, from: number, isOnlyLines: boolean): number {
  if (isOnlyLines) return text.indexOf('\n', from)
  for (let at = from; at < text.length; at++) if (isBreak(units[at] as number)) return at
  return -1
}

function isBreak(unit: number): boolean {
  return unit === LINE_FEED || unit === TAB || unit === RETURN
}

/** Of the blanks before a line end, and the backslash before it by which the line goes on. */
function breakStart(units: Uint16Array, at: number): number {
  let from = at
  if (from > 0 && units[from - 1] === BACKSLASH) from -= 1
  while (from > 0 && units[from - 1] === BLANK) from -= 1
  return from
}

/** Where what follows the line ends begins, without what stands before it in its line. */
function breakEnd(units: Uint16Array, at: number, length: number): number {
  let to = spaceEnd(units, at, length)
  for (let prefix = prefixEnd(units, to); prefix > to; prefix = prefixEnd(units, to))
    to = spaceEnd(units, prefix, length)
  return to
}

function spaceEnd(units: Uint16Array, at: number, length: number): number {
  let to = at
  while (to < length && (units[to] === BLANK || isBreak(units[to] as number))) to += 1
  return to
}

function prefixEnd(units: Uint16Array, at: number): number {
  let to = units[at] === SLASH && units[at + 1] === SLASH ? at + 2 : at
  while (to - at < MAX_PREFIX && PREFIX[units[to] as number] === 1) to += 1
  return to > at && units[to] === BLANK ? to : at
}
