import type { Kind } from './finding.ts'
import type { Leaf } from './walk.ts'

/** Neighbouring leaves as one text, and where in it each leaf's part stands. */
export interface Joined<L extends Leaf = Leaf> {
  readonly text: string
  readonly parts: readonly JoinedPart<L>[]
}

export interface JoinedPart<L extends Leaf = Leaf> {
  readonly leaf: L
  /** UTF-16 units of the joined text. */
  readonly start: number
  readonly end: number
  /** Where the part starts in the leaf: a long leaf gives its first and last units only. */
  readonly leafStart: number
}

/** A payload that is split over fields crosses a joint; so far on both sides of it is looked at. */
const EDGE = 160
/** Stands for the middle of a long leaf; no pattern reaches across. */
const GAP = '\n\n\u0000\n\n'

/** A secret is nobody's business, an id says nothing, and what is run as it stands is judged as it stands. */
export const READ_APART: ReadonlySet<Kind | null> = new Set<Kind>([
  'secret',
  'id',
  'shell',
  'code',
  'sql',
])

/**
 * The values (not the keys) of a message in their order, so that what was split over several of them can be seen:
 * elements of one array follow with a space, as the words of a command do, all others directly.
 */
export function joinLeaves<L extends Leaf>(leaves: readonly L[]): Joined<L> | null {
  const values = leaves.filter((one) => !one.isKey && !READ_APART.has(one.kind) && one.text !== '')
  if (values.length < 2) return null
  const parts: JoinedPart<L>[] = []
  const texts: string[] = []
  let length = 0
  let previous: L | null = null

  function put(text: string): void {
    texts.push(text)
    length += text.length
  }

  function part(leaf: L, leafStart: number, text: string): void {
    parts.push({ leaf, start: length, end: length + text.length, leafStart })
    put(text)
  }

  for (const leaf of values) {
    const isNext = typeof leaf.place?.step === 'number' && previous?.place?.up === leaf.place.up
    if (isNext) put(' ')
    if (leaf.text.length <= 2 * EDGE) part(leaf, 0, leaf.text)
    else {
      part(leaf, 0, leaf.text.slice(0, EDGE))
      put(GAP)
      part(leaf, leaf.text.length - EDGE, leaf.text.slice(-EDGE))
    }
    previous = leaf
  }
  return { text: texts.join(''), parts }
}

/** The parts that a stretch of the joined text touches. Binary search: there may be very many. */
export function partsOf<L extends Leaf>(
  joined: Joined<L>,
  start: number,
  end: number,
): readonly JoinedPart<L>[] {
  let low = 0
  let high = joined.parts.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((joined.parts[middle]?.end ?? 0) <= start) low = middle + 1
    else high = middle
  }
  const touched: JoinedPart<L>[] = []
  for (let at = low; at < joined.parts.length; at++) {
    const one = joined.parts[at]
    if (one === undefined || one.start >= end) break
    touched.push(one)
  }
  return touched
}
