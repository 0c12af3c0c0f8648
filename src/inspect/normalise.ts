import { type ScriptId, scriptId, scriptOf } from './confusables.ts'
import { MARK, type Marks, marksOf } from './marks.ts'
import { onceAScene } from './once-a-scene.ts'

/** Why a code point may be removed. */
export type HiddenKind = 'bidi' | 'tag' | 'variation' | 'zero-width' | 'filler'

/**
 * The published set: the only code points that cleaning removes, and only where they stand hidden (`hiddenRuns`).
 * There is no letter in it that shows.
 */
export const REMOVABLE: readonly (readonly [first: number, last: number, kind: HiddenKind])[] = [
  [0x00ad, 0x00ad, 'zero-width'], // soft hyphen
  [0x034f, 0x034f, 'zero-width'], // combining grapheme joiner
  [0x061c, 0x061c, 'zero-width'], // Arabic letter mark
  [0x115f, 0x1160, 'filler'], // Hangul fillers
  [0x17b4, 0x17b5, 'filler'], // Khmer inherent vowels
  [0x180b, 0x180f, 'filler'], // Mongolian selectors and vowel separator
  [0x200b, 0x200f, 'zero-width'], // zero-width space, joiners, direction marks
  [0x202a, 0x202e, 'bidi'],
  [0x2060, 0x2065, 'zero-width'], // word joiner, invisible operators
  [0x2066, 0x2069, 'bidi'],
  [0x206a, 0x206f, 'zero-width'], // deprecated format characters
  [0x3164, 0x3164, 'filler'], // Hangul filler
  [0xfe00, 0xfe0f, 'variation'],
  [0xfeff, 0xfeff, 'zero-width'], // byte order mark
  [0xffa0, 0xffa0, 'filler'], // half-width Hangul filler
  [0xfff0, 0xfffb, 'filler'], // unassigned, interlinear annotation
  [0x1bca0, 0x1bca3, 'filler'], // shorthand format
  [0x1d173, 0x1d17a, 'filler'], // musical format
  [0xe0000, 0xe007f, 'tag'],
  [0xe0080, 0xe00ff, 'filler'],
  [0xe0100, 0xe01ef, 'variation'],
  [0xe01f0, 0xe0fff, 'filler'],
]

/** A stretch of hidden code points. */
export interface HiddenRun {
  /** UTF-16 units. */
  readonly start: number
  readonly end: number
  readonly kind: HiddenKind
  /** How many code points. */
  readonly count: number
  /** Between two letters of one word, where nothing invisible has a use. */
  readonly isInWord: boolean
  /** An override (U+202D, U+202E): what is shown has another order than what is read. */
  readonly isOverride: boolean
}

const BMP = 0x10000
/** For each unit of the BMP the row of `REMOVABLE` plus one, or 0. */
const rowOf = new Uint8Array(BMP)
/** The same for plane 14. */
const rowOfPlane14 = new Uint8Array(0x1000)
const PLANE_14 = 0xe0000
for (const [row, [first, last]] of REMOVABLE.entries())
  if (last < BMP) rowOf.fill(row + 1, first, last + 1)
  else if (first >= PLANE_14) rowOfPlane14.fill(row + 1, first - PLANE_14, last + 1 - PLANE_14)

function hiddenKindOf(code: number): HiddenKind | undefined {
  if (code < BMP || code >= PLANE_14) {
    const row = (code < BMP ? rowOf[code] : rowOfPlane14[code - PLANE_14]) ?? 0
    return row === 0 ? undefined : REMOVABLE[row - 1]?.[2]
  }
  return REMOVABLE.find(([first, last]) => code >= first && code <= last)?.[2]
}

/** Whether a code point is in the published set. */
export function isRemovable(code: number): boolean {
  return hiddenKindOf(code) !== undefined
}

const ids = (names: readonly Parameters<typeof scriptId>[0][]): ReadonlySet<ScriptId> =>
  new Set(names.map(scriptId))

const RIGHT_TO_LEFT = ids(['Hebrew', 'Arabic', 'Syriac', 'Thaana', 'Nko', 'Other'])
/** Scripts whose words have nothing to join or to break within. */
const UNJOINED = ids([
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Cherokee',
  'Coptic',
  'Georgian',
  'Lisu',
  'Hebrew',
])
/** Scripts that are written without spaces, where U+200B says where a line may break. */
const UNSPACED = ids([
  'Thai',
  'Lao',
  'Tibetan',
  'Myanmar',
  'Khmer',
  'Han',
  'Hiragana',
  'Katakana',
  'Hangul',
  'Bopomofo',
  'Other',
])

/** Units before and after a direction control in which a right-to-left letter makes it ordinary. */
const LINE_REACH = 256

/**
 * What stands hidden in a text: removable code points where writing has no use for them. Emoji sequences, joiners of
 * Arabic and Indic scripts, marks beside right-to-left text, flags, soft hyphens of hyphenation and a leading byte order
 * mark are no findings. Linear.
 *
 * @param most - so many runs are enough
 * @param marks - of the text, where they are known
 */
export function hiddenRuns(
  text: string,
  most = Number.POSITIVE_INFINITY,
  marks: Marks = marksOf(text),
): HiddenRun[] {
  const runs: GrowingRun[] = []
  const lines = new Directions(text)
  const stretches = marks.stretches(MARK.hidden, 0, 0)
  let at = 0
  for (let stretch = 0; stretch < stretches.length; stretch += 2) {
    const to = stretches[stretch + 1] as number
    for (at = Math.max(at, stretches[stretch] as number); at < to && runs.length < most; ) {
      const code = text.codePointAt(at) ?? 0
      if (isRemovable(code)) {
        const start = at
        at = endOfRun(text, start)
        readRun(text, start, at, lines, runs)
      } else at += code > 0xffff ? 2 : 1
    }
  }
  return runs
}

/** So many hidden runs, or look-alikes, and one in so many units: no writing has them, and no more are told apart. */
const FLOOD = 4_096
const FLOOD_SPACING = 64

/** How many disguised places of a text are told apart before it is a flood. */
export function mostDisguises(text: string): number {
  return Math.max(FLOOD, Math.floor(text.length / FLOOD_SPACING))
}

/** What stands hidden in the text of a scene, up to a flood; found once for all who ask. */
export const hiddenIn = onceAScene((text, _from, _to, { marks }) =>
  hiddenRuns(text, mostDisguises(text), marks),
)

/** The text without what stands hidden in it; letters are never touched. */
export function withoutHidden(text: string): string {
  let clean = text
  // Taking something away can bring two pieces together; each round only shortens the text.
  for (let round = 0; round < 4; round += 1) {
    const runs = hiddenRuns(clean)
    if (runs.length === 0) return clean
    let out = ''
    let at = 0
    for (const { start, end } of runs) {
      out += clean.slice(at, start)
      at = end
    }
    clean = out + clean.slice(at)
  }
  return clean
}

/** The end of the removable code points that stand together. */
function endOfRun(text: string, start: number): number {
  let at = start
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0
    if (!isRemovable(code)) break
    at += code > 0xffff ? 2 : 1
  }
  return Math.max(at, start + 1)
}

function readRun(
  text: string,
  start: number,
  end: number,
  lines: Directions,
  into: GrowingRun[],
): void {
  const before = codeBefore(text, start)
  const after = text.codePointAt(end) ?? 0
  const isInWord = isWordLetter(before) && isWordLetter(after)
  if (isInWord && end - start === 1 && isAlwaysHidden(text.charCodeAt(start))) {
    into.push({ start, end, kind: 'zero-width', count: 1, isInWord, isOverride: false })
    return
  }
  const flagEnd = before === BLACK_FLAG ? flagTags(text, start) : start
  let previous = before
  for (let at = start; at < end; ) {
    const code = text.codePointAt(at) ?? 0
    const stop = at + (code > 0xffff ? 2 : 1)
    const kind = hiddenKindOf(code)
    const next = text.codePointAt(stop) ?? 0
    if (kind !== undefined && stop > flagEnd) {
      const isPlain = isOrdinary(
        text,
        code,
        kind,
        { at, stop, start, end, previous, next, before, after },
        lines,
      )
      if (!isPlain) {
        const isOverride = code === 0x202d || code === 0x202e
        const last = into.at(-1)
        const isSame = last?.end === at && last.kind === kind && last.isOverride === isOverride
        if (last !== undefined && isSame) {
          last.end = stop
          last.count += 1
        } else into.push({ start: at, end: stop, kind, count: 1, isInWord, isOverride })
      }
    }
    previous = code
    at = stop
  }
}

/** What has no use inside a word of an unjoined script, whatever is near: most of what is met there. */
function isAlwaysHidden(unit: number): boolean {
  return (unit >= 0x200b && unit <= 0x200d) || (unit >= 0x2060 && unit <= 0x2064)
}

/** A run while it grows. */
type GrowingRun = { -readonly [Key in keyof HiddenRun]: HiddenRun[Key] }

interface Around {
  /** Of the code point. */
  readonly at: number
  readonly stop: number
  /** Of the removable code points that stand together. */
  readonly start: number
  readonly end: number
  /** Next to the code point. */
  readonly previous: number
  readonly next: number
  /** Next to the whole run. */
  readonly before: number
  readonly after: number
}

function isOrdinary(
  text: string,
  code: number,
  kind: HiddenKind,
  around: Around,
  lines: Directions,
): boolean {
  const { at, stop, start, end, previous, before, after } = around
  const joins = !UNJOINED.has(scriptOf(before)) && scriptOf(before) !== 255
  const joined = !UNJOINED.has(scriptOf(after)) && scriptOf(after) !== 255
  switch (kind) {
    case 'bidi':
      return code !== 0x202d && code !== 0x202e && lines.isRightToLeftNear(at)
    case 'tag':
      return false
    case 'variation':
      if (hiddenKindOf(previous) === 'variation') return false
      if (code >= 0xe0100) return joins && !isAscii(previous)
      return at > 0 && !(isAsciiLetter(previous) || previous <= 0x20)
    case 'filler':
      return scriptOf(before) === scriptOf(code) || scriptOf(after) === scriptOf(code)
    case 'zero-width':
      break
  }
  switch (code) {
    case 0xad:
      return stop - at === end - start && isHyphenation(text, at)
    case 0x200c:
      return joins || joined
    case 0x200d:
      return joins || joined || (isPictorial(before) && end - start <= 2) || isPictorial(previous)
    case 0x200b:
      return isUnspaced(before) || isUnspaced(after)
    case 0x200e:
    case 0x200f:
    case 0x61c:
      return !(isAsciiLetter(before) && isAsciiLetter(after)) || lines.isRightToLeftNear(at)
    case 0xfeff:
      // Files that were joined keep theirs at the beginning of a line.
      return at === 0 || previous === 0x0a
    case 0x34f:
      return joins || joined
    default:
      return false
  }
}

const BLACK_FLAG = 0x1f3f4

/** The end of a flag's tags (U+1F3F4, letters and digits of a region, U+E007F), or `start` when it is none. */
function flagTags(text: string, start: number): number {
  let at = start
  for (let count = 0; count < 7; count += 1) {
    const code = text.codePointAt(at) ?? 0
    if (code === 0xe007f) return count >= 3 ? at + 2 : start
    const isRegion = (code >= 0xe0061 && code <= 0xe007a) || (code >= 0xe0030 && code <= 0xe0039)
    if (!isRegion) return start
    at += 2
  }
  return start
}

/** A soft hyphen where a long word may break: two letters or more on each side, up to the next one. */
function isHyphenation(text: string, at: number): boolean {
  const isLetter = (index: number): boolean => scriptOf(text.charCodeAt(index)) !== 255
  if (!isLetter(at - 1) || !isLetter(at + 1)) return true
  return isLetter(at - 2) && isLetter(at + 2)
}

function codeBefore(text: string, at: number): number {
  if (at === 0) return 0
  const low = text.charCodeAt(at - 1)
  if (low < 0xdc00 || low > 0xdfff || at < 2) return low
  return text.codePointAt(at - 2) ?? low
}

function isAscii(code: number): boolean {
  return code < 0x80
}

function isAsciiLetter(code: number): boolean {
  const small = code | 0x20
  return small >= 0x61 && small <= 0x7a
}

function isWordLetter(code: number): boolean {
  return UNJOINED.has(scriptOf(code)) || (code >= 0x30 && code <= 0x39)
}

/** Letters of scripts written without spaces, and East Asian punctuation. */
function isUnspaced(code: number): boolean {
  return (
    UNSPACED.has(scriptOf(code)) ||
    (code >= 0x3000 && code <= 0x303f) ||
    (code >= 0xff01 && code <= 0xff65)
  )
}

function isPictorial(code: number): boolean {
  return (
    (code >= 0x1f000 && code <= 0x1faff) || (code >= 0x2190 && code <= 0x2bff) || code === 0xfe0f
  )
}

/** Where the nearest right-to-left letters are; each stretch of a text is looked at once. */
class Directions {
  readonly #text: string
  readonly #known = new Map<number, boolean>()

  constructor(text: string) {
    this.#text = text
  }

  isRightToLeftNear(at: number): boolean {
    const block = Math.floor(at / LINE_REACH)
    return this.#hasLetter(block) || this.#hasLetter(block - 1) || this.#hasLetter(block + 1)
  }

  #hasLetter(block: number): boolean {
    const known = this.#known.get(block)
    if (known !== undefined) return known
    let found = false
    const end = Math.min(this.#text.length, (block + 1) * LINE_REACH)
    for (let at = Math.max(0, block * LINE_REACH); at < end && !found; at += 1) {
      const unit = this.#text.charCodeAt(at)
      if (unit >= 0x590) found = RIGHT_TO_LEFT.has(scriptOf(unit)) && unit < 0x8e0
    }
    this.#known.set(block, found)
    return found
  }
}
