import { ALPHABETS, type Piece, piecesOf, type Shape } from './token-shape.ts'

/** Where a token stands in a text, UTF-16 units. */
export interface TokenPlace {
  readonly start: number
  readonly end: number
}

/** The first token that begins between `from` and `to`; it may end behind `to`. */
export type NextToken = (text: string, from: number, to: number) => TokenPlace | null

/** The number of an alphabet; each unit has its bit set when it belongs to it. */
const NUMBERS: ReadonlyMap<string, number> = new Map(
  Object.keys(ALPHABETS).map((alphabet, number) => [alphabet, number]),
)
const ASCII = 128
const CLASSES = new Uint32Array(ASCII)
for (const [alphabet, letters] of Object.entries(ALPHABETS))
  for (let at = 0; at < letters.length; at++) {
    const unit = letters.charCodeAt(at)
    CLASSES[unit] = (CLASSES[unit] ?? 0) | bitOf(alphabet)
  }

const LETTER_OR_DIGIT = bitOf('A')
const DOT = 0x2e
const BACKSLASH = 0x5c
/** The letters of the escaped line ends and the tab: `\n`, `\r`, `\t`. */
const ESCAPES = new Set([...'nrt'].map((letter) => letter.charCodeAt(0)))

/** From this length on a run is taken as far as it goes, and nothing is asked of what follows it. */
const LONG = 100

function bitOf(alphabet: string): number {
  return 1 << (NUMBERS.get(alphabet) ?? 31)
}

function isIn(unit: number, bit: number): boolean {
  return ((CLASSES[unit] ?? 0) & bit) !== 0
}

/** Not inside a longer word; an escaped line end before it (`\n` in a text of JSON) is no letter of it. */
function mayBegin(text: string, at: number): boolean {
  if (at === 0) return true
  const before = text.charCodeAt(at - 1)
  if (before !== DOT && !isIn(before, LETTER_OR_DIGIT)) return true
  return at > 1 && ESCAPES.has(before) && text.charCodeAt(at - 2) === BACKSLASH
}

/** What is known of the runs of a text, so that none is read twice however many tokens may begin in it. */
class Runs {
  /** By number of alphabet: units from the one to the other belong to it. */
  readonly #from = new Int32Array(NUMBERS.size)
  readonly #to = new Int32Array(NUMBERS.size)

  forget(): void {
    this.#from.fill(0)
    this.#to.fill(0)
  }

  /** Where a run that begins at `at` ends, `max` units behind it at the most. */
  endOf(text: string, at: number, alphabet: number, max: number): number {
    const knownTo = this.#to[alphabet] as number
    const isKnown = at >= (this.#from[alphabet] as number) && at <= knownTo
    let end = isKnown ? Math.min(knownTo, at + max) : at
    while (end - at < max && isIn(text.charCodeAt(end), 1 << alphabet)) end += 1
    if (!isKnown) this.#from[alphabet] = at
    if (!isKnown || end > knownTo) this.#to[alphabet] = end
    return end
  }
}

/** Runs of the text that is looked at; one at a time. */
const runs = new Runs()

/** Where the pieces from `index` on end in a text from `at` on, or -1: the longest way to read them that fits. */
function endOf(pieces: readonly Piece[], index: number, text: string, at: number): number {
  const piece = pieces[index]
  if (piece === undefined) return at
  if ('text' in piece)
    return text.startsWith(piece.text, at)
      ? endOf(pieces, index + 1, text, at + piece.text.length)
      : -1
  if ('choices' in piece) {
    for (const choice of piece.choices) {
      if (!text.startsWith(choice, at)) continue
      const end = endOf(pieces, index + 1, text, at + choice.length)
      if (end !== -1) return end
    }
    return piece.isOptional ? endOf(pieces, index + 1, text, at) : -1
  }
  const { alphabet, min, max } = piece
  const number = NUMBERS.get(alphabet) ?? 0
  const bit = 1 << number
  let end = runs.endOf(text, at, number, max)
  if (end - at < min) return -1
  const next = pieces[index + 1]
  if (next === undefined) return max < LONG && isIn(text.charCodeAt(end), bit) ? -1 : end
  const wanted = 'text' in next ? next.text.charCodeAt(0) : null
  // What the run cannot hold stands at its end or nowhere.
  const least = wanted === null || isIn(wanted, bit) ? at + min : end
  for (; end >= least; end--) {
    if (wanted !== null && text.charCodeAt(end) !== wanted) continue
    const last = endOf(pieces, index + 1, text, end)
    if (last !== -1) return last
  }
  return -1
}

/** The units that a token of a shape may begin with. */
function firstUnitsOf(pieces: readonly Piece[]): string {
  const [first] = pieces
  if (first === undefined) return ''
  if ('text' in first) return first.text.charAt(0)
  if (!('choices' in first)) return first.letters
  const chosen = first.choices.map((choice) => choice.charAt(0)).join('')
  return first.isOptional ? chosen + firstUnitsOf(pieces.slice(1)) : chosen
}

/**
 * A search for tokens of these shapes; of two that begin at one place the shape that comes first is taken. The time is
 * bounded by the lengths of the shapes at each place where one may begin.
 */
export function matcherOf(shapes: readonly Shape[]): NextToken {
  const all = shapes.map((shape) => piecesOf(shape))
  const begins = new Uint8Array(ASCII)
  for (const unit of all.map(firstUnitsOf).join('')) begins[unit.charCodeAt(0)] = 1
  return (text, from, to) => {
    runs.forget()
    for (let start = from; start < to; start++) {
      if (begins[text.charCodeAt(start)] !== 1 || !mayBegin(text, start)) continue
      for (const pieces of all) {
        const end = endOf(pieces, 0, text, start)
        if (end !== -1) return { start, end }
      }
    }
    return null
  }
}
