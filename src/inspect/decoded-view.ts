import { joinBroken } from './broken-lines.ts'
import { isHexDigit, nextLine } from './digit-runs.ts'
import {
  decodeEntity,
  decodeJsonEscape,
  decodePercent,
  decodeQuoted,
  decodeTerminal,
  type Escape,
} from './escapes.ts'
import { listViews } from './list-decodings.ts'
import { eachDisguise, plainForms } from './plain-forms.ts'
import {
  BASE64,
  decodeBase32,
  decodeRuns,
  foldHex,
  HEX,
  joinDumps,
  joinLines,
  joinSpaced,
} from './run-decodings.ts'
import { ESC, mayBeQuoted, type Shapes } from './text-shapes.ts'
import { Rewriting, type View, ViewBuilder } from './view.ts'

const PERCENT = 0x25
const AMPERSAND = 0x26
const BACKSLASH = 0x5c
const EQUALS = 0x3d
const TERMINAL = 0x1b
const SMALL_U = 0x75

/** How much around an escape is copied: a window, and an escape that the escape is part of, on each side. */
const MARGIN = 32

/** Parts are marked in blocks of so many units. */
const BLOCK_BITS = 4
const MARKS = new Uint8Array(4_096)

/**
 * The parts of a text in which a decoding could change something: what surrounds each escape, and long runs of hex and
 * base64 digits. A window that can only be seen decoded lies in one of them.
 *
 * @param units of the text
 * @returns from where to where each part goes, by turns, in order and apart from each other
 */
export function partsToDecode(
  text: string,
  units: Uint16Array,
  { runs, dumps, lists, spaced, quotes, isAscii }: Shapes,
): readonly number[] {
  const { length } = text
  const blocks = (length >>> BLOCK_BITS) + 1
  const marks = blocks > MARKS.length ? new Uint8Array(blocks) : MARKS.subarray(0, blocks)
  marks.fill(0)
  const mark = (from: number, to: number): void => {
    const last = Math.min(marks.length - 1, to >>> BLOCK_BITS)
    for (let block = Math.max(0, from) >>> BLOCK_BITS; block <= last; block++) marks[block] = 1
  }
  for (const trigger of TRIGGERS)
    for (let at = text.indexOf(trigger); at !== -1; at = text.indexOf(trigger, at + 1))
      if (mayBeEscape(units, at, length)) mark(at - MARGIN, at + MARGIN)
  for (const at of quotes) mark(at - MARGIN, at + MARGIN)
  if (!isAscii) eachDisguise(units, length, (at) => mark(at - MARGIN, at + MARGIN))
  for (let i = 0; i < runs.length; i += 2) {
    const to = runs[i + 1] ?? 0
    mark(runs[i] ?? 0, nextLine(units, to, length) === -1 ? to : to + MARGIN)
  }
  for (let i = 0; i < dumps.length; i += 2) mark(dumps[i] ?? 0, dumps[i + 1] ?? 0)
  for (let i = 0; i < spaced.length; i += 2) mark(spaced[i] ?? 0, spaced[i + 1] ?? 0)
  // Before the first number may stand what tells a dump from others.
  for (const { numbers } of lists) mark((numbers[0] ?? 0) - MARGIN, numbers.at(-1) ?? 0)
  return spansOf(marks, length)
}

const TRIGGERS = ['%', '\\', '&', ESC] as const

function spansOf(marks: Uint8Array, length: number): readonly number[] {
  const spans: number[] = []
  for (let block = marks.indexOf(1); block !== -1; ) {
    const end = marks.indexOf(0, block)
    spans.push(block << BLOCK_BITS, end === -1 ? length : Math.min(length, end << BLOCK_BITS))
    block = end === -1 ? -1 : marks.indexOf(1, end)
  }
  return spans
}

/** @param isPlaced whether it is asked for where its units stand */
export function viewOfParts(spans: readonly number[], units: Uint16Array, isPlaced: boolean): View {
  let size = 0
  for (let i = 0; i < spans.length; i += 2) size += (spans[i + 1] ?? 0) - (spans[i] ?? 0) + 1
  const builder = new ViewBuilder(size, isPlaced)
  for (let i = 0; i < spans.length; i += 2) {
    const from = spans[i] ?? 0
    if (i > 0) builder.addBreak(from)
    builder.copyText(units, from, spans[i + 1] ?? 0)
  }
  return builder.view(true)
}

/** Whether what follows looks like the rest of an escape; a percent sign in a sentence does not. */
function mayBeEscape(units: Uint16Array, at: number, length: number): boolean {
  const trigger = units[at] ?? 0
  if (at + 1 >= length) return false
  const next = units[at + 1] ?? 0
  if (trigger === PERCENT)
    return (
      at + 2 < length && (isHexDigit(next) || next === SMALL_U) && isHexDigit(units[at + 2] ?? 0)
    )
  if (trigger === AMPERSAND) return next === 0x23 || (next >= 0x41 && next <= 0x7a)
  return next > 0x20
}

/**
 * One way to undo an encoding.
 *
 * @param margin - how much of what is not encoded stays around what is
 * @returns null when the view holds nothing of the kind
 */
export type Decoding = (view: View, margin: number) => View | null

const ESCAPES: readonly (readonly [trigger: number, escape: Escape])[] = [
  [BACKSLASH, decodeJsonEscape],
  [PERCENT, decodePercent],
  [AMPERSAND, decodeEntity],
  [TERMINAL, decodeTerminal],
]

const RUN_DECODINGS: readonly Decoding[] = [
  joinLines,
  (view) => decodeRuns(view, BASE64),
  (view) => decodeRuns(view, HEX),
  decodeBase32,
  foldHex,
]

/** How many encodings are undone one after the other. */
const MAX_DEPTH = 3

/** What is not tried where it is known not to be there. */
interface Rare {
  readonly isQuoted: boolean
  readonly isAscii: boolean
}

/**
 * Every result of up to three decodings one after the other.
 *
 * @param only `parts`: no more than surrounds each change
 * @param shapes of the text: what is seldom is looked for only where there is some. Left out: anything may be there
 */
export function decodedViews(
  view: View,
  only: 'parts' | 'all',
  shapes: Shapes | null = null,
): readonly View[] {
  const views: View[] = []
  const rare = {
    isQuoted: shapes === null || shapes.quotes.length > 0,
    isAscii: shapes?.isAscii ?? false,
  }
  addDecoded(views, view, only, MAX_DEPTH, rare, shapes)
  return views
}

function addDecoded(
  views: View[],
  view: View,
  only: 'parts' | 'all',
  depth: number,
  rare: Rare,
  shapes: Shapes | null,
): void {
  const margin = only === 'parts' ? MARGIN : view.length
  const add = (decoded: View | null, left = rare): void => {
    if (decoded === null) return
    views.push(decoded)
    if (depth > 1) addDecoded(views, decoded, only, depth - 1, left, null)
  }
  const addNew = (decoded: View | null): void =>
    add(decoded, decoded?.isNewAscii === false && rare.isAscii ? { ...rare, isAscii: false } : rare)
  const addUnescaped = (escaped: View, addOne: (decoded: View | null) => void): void => {
    for (const [trigger, escape] of ESCAPES) {
      if (trigger === TERMINAL && shapes?.isTerminal === false) continue
      const first = nextOf(escaped, trigger, 0)
      if (first !== -1) addOne(decodeEscapes(escaped, margin, first, escape))
    }
  }
  addUnescaped(view, addNew)
  if (rare.isQuoted && isQuoted(view)) {
    const first = nextOf(view, EQUALS, 0)
    add(decodeEscapes(view, margin, first, decodeQuoted), { isQuoted: false, isAscii: false })
  }
  if (!rare.isAscii)
    for (const form of plainForms(view, margin)) add(form, { ...rare, isAscii: true })
  const joined = view.isNewBroken ? joinBroken(view, margin) : null
  if (joined !== null) {
    views.push(joined)
    // Of what may be decoded in a line, only escapes are shorter than one.
    if (only === 'all') addUnescaped(joined, (decoded) => decoded !== null && views.push(decoded))
  }
  if (shapes?.runs.length !== 0) for (const decode of RUN_DECODINGS) addNew(decode(view, margin))
  if (shapes?.dumps.length !== 0) addNew(joinDumps(view, margin))
  if (shapes?.spaced.length !== 0) addNew(joinSpaced(view, margin))
  if (shapes?.lists.length !== 0) for (const list of listViews(view, margin)) addNew(list)
}

function isQuoted(view: View): boolean {
  let at = nextOf(view, EQUALS, 0)
  while (at !== -1 && !mayBeQuoted(view.units, at, view.length)) at = nextOf(view, EQUALS, at + 1)
  return at !== -1
}

/** A loop over a typed array is faster than its `indexOf`. */
function nextOf({ units, length }: View, unit: number, from: number): number {
  for (let at = from; at < length; at++) if (units[at] === unit) return at
  return -1
}

/** @param first where the first trigger stands */
function decodeEscapes(view: View, margin: number, first: number, escape: Escape): View | null {
  const { units, length } = view
  const trigger = units[first] ?? 0
  const rewriting = new Rewriting(view, margin)
  for (let at = first; at !== -1; ) {
    const escaped = escape(units, at, length)
    const next = at + (escaped?.length ?? 1)
    if (escaped !== null) rewriting.replace(at, next, escaped.units)
    at = nextOf(view, trigger, next)
  }
  return rewriting.result()
}
