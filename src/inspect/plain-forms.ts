import { isRemovable } from './normalise.ts'
import { Rewriting, type View } from './view.ts'

/** What may become of a character when a text is read as it looks. */
const AS_IT_IS = 1
/** Nothing of it is seen. */
const HIDDEN = 2
/** It stands on the character before it. */
const MARK = 4
/** NFKC has others for it: full-width forms, mathematical letters, ligatures. */
const FOLDED = 8
/** Hidden, and a letter of ASCII for those who know. */
const TAG = 16

const FIRST_TAG = 0xe0020
const LAST_TAG = 0xe007e
const TAGS = 0xe0000

/** By code point of the first two planes: found out when it is met, for most never are. */
const KINDS = new Uint8Array(0x20000)

function kindOf(code: number): number {
  if (code < 0x80) return AS_IT_IS
  if (code >= KINDS.length) return newKindOf(code)
  const known = KINDS[code] ?? 0
  if (known !== 0) return known
  const kind = newKindOf(code)
  KINDS[code] = kind
  return kind
}

function newKindOf(code: number): number {
  if (code >= FIRST_TAG && code <= LAST_TAG) return HIDDEN | TAG
  if (isRemovable(code)) return HIDDEN
  const char = String.fromCodePoint(code)
  if (/\p{M}/u.test(char)) return MARK
  return char.normalize('NFKC') === char ? AS_IT_IS : FOLDED
}

/** @returns the code point at `at`; a half of a pair alone is one too */
function codeAt(units: Uint16Array, at: number, length: number): number {
  const unit = units[at] ?? 0
  if ((unit & 0xfc00) !== 0xd800 || at + 1 >= length) return unit
  const low = units[at + 1] ?? 0
  return (low & 0xfc00) === 0xdc00 ? 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff) : unit
}

function sizeOf(code: number): number {
  return code < 0x10000 ? 1 : 2
}

/** Calls `found` with where each character stands that a reader does not take as it is. */
export function eachDisguise(
  units: Uint16Array,
  length: number,
  found: (at: number) => void,
): void {
  for (let at = 0; at < length; at++)
    if ((units[at] as number) > 0x7f && kindOf(codeAt(units, at, length)) !== AS_IT_IS) found(at)
}

/** In which ways a view is read as it looks. */
type Reading = 'composed' | 'bare' | 'tags'

/**
 * The view without what nobody sees, and with plain characters for those that only look otherwise (NFKC); where marks
 * stand on characters, also without them; and with the letters that tag characters stand for.
 *
 * @param margin how much of what is not changed stays around what is
 */
export function plainForms(view: View, margin: number): readonly View[] {
  let kinds = 0
  const { units, length } = view
  for (let at = 0; at < length; at++)
    if ((units[at] as number) > 0x7f) kinds |= kindOf(codeAt(units, at, length))
  const forms: View[] = []
  const add = (form: View | null): void => {
    if (form !== null) forms.push(form)
  }
  if ((kinds & ~AS_IT_IS) === 0) return forms
  add(rewritten(view, margin, 'composed'))
  if ((kinds & MARK) !== 0) add(rewritten(view, margin, 'bare'))
  if ((kinds & TAG) !== 0) add(rewritten(view, margin, 'tags'))
  return forms
}

function rewritten(view: View, margin: number, reading: Reading): View | null {
  const { units, length } = view
  const rewriting = new Rewriting(view, margin)
  const readOf = remembered((marked) => readMarked(marked, reading))
  let done = 0
  for (let at = 0; at < length; ) {
    const code = codeAt(units, at, length)
    const kind = kindOf(code)
    const size = sizeOf(code)
    if (kind === AS_IT_IS) {
      at += size
      continue
    }
    const marked = lastMark(units, kind === FOLDED ? at + size : at, length)
    if (marked > 0) {
      const from = kind === FOLDED ? at : baseBefore(units, at, done)
      const read = readOf(textOf(units, from, marked))
      if (read !== null) rewriting.replace(from, marked, read)
      at = marked
    } else if (kind === FOLDED) {
      const read = textOf(units, at, at + size).normalize('NFKC')
      rewriting.replace(at, at + size, unitsOf(read))
      at += size
    } else {
      // All of a run at once: to look for marks behind each of its characters would take long.
      const end = hiddenEnd(units, at, length)
      if (reading === 'tags') replaceTags(rewriting, units, at, end)
      else rewriting.replace(at, end, [])
      at = end
    }
    done = at
  }
  return rewriting.result()
}

function hiddenEnd(units: Uint16Array, from: number, length: number): number {
  let at = from
  while (at < length) {
    const code = codeAt(units, at, length)
    if ((kindOf(code) & HIDDEN) === 0) break
    at += sizeOf(code)
  }
  return at
}

function replaceTags(rewriting: Rewriting, units: Uint16Array, from: number, to: number): void {
  for (let at = from; at < to; ) {
    const code = codeAt(units, at, to)
    const end = at + sizeOf(code)
    rewriting.replace(at, end, (kindOf(code) & TAG) === 0 ? [] : [code - TAGS])
    at = end
  }
}

/** The end of the last mark among the marks and hidden characters that stand at `from`, 0 when there is none. */
function lastMark(units: Uint16Array, from: number, length: number): number {
  let last = 0
  for (let at = from; at < length; ) {
    const code = codeAt(units, at, length)
    const kind = kindOf(code)
    if ((kind & (MARK | HIDDEN)) === 0) break
    at += sizeOf(code)
    if (kind === MARK) last = at
  }
  return last
}

/** Where the character begins that ends at `at`; `at` where it was read already. */
function baseBefore(units: Uint16Array, at: number, done: number): number {
  const isPair = at - 2 >= done && ((units[at - 1] ?? 0) & 0xfc00) === 0xdc00
  return Math.max(done, at - (isPair ? 2 : 1))
}

/** More marks than any writing has on one character; to put them in order would take long. */
const MAX_MARKED = 32
const MARKS = /\p{M}/gu

/** Most characters with marks stand in a text more than once. */
const MAX_REMEMBERED = 4_096

/** @returns the units that a text is read as, null where they are its own */
function remembered(read: (text: string) => string): (text: string) => readonly number[] | null {
  const known = new Map<string, readonly number[] | null>()
  return (text) => {
    let units = known.get(text)
    if (units === undefined) {
      const other = read(text)
      units = other === text ? null : unitsOf(other)
      if (text.length <= MAX_MARKED && known.size < MAX_REMEMBERED) known.set(text, units)
    }
    return units
  }
}

function readMarked(text: string, reading: Reading): string {
  let shown = ''
  for (const char of text) if ((kindOf(char.codePointAt(0) ?? 0) & HIDDEN) === 0) shown += char
  if (reading === 'bare') return shown.replaceAll(MARKS, '').normalize('NFKD').replaceAll(MARKS, '')
  return shown.length > MAX_MARKED ? shown : shown.normalize('NFKC')
}

function textOf(units: Uint16Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) text += String.fromCharCode(units[at] ?? 0)
  return text
}

function unitsOf(text: string): readonly number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
}
