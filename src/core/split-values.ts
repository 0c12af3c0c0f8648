import type { KnownSpan, KnownTexts } from './known-texts.ts'

/** A text of a message, with the name that it goes by. */
export interface Piece {
  readonly text: string
  readonly name: string
  readonly isNumber?: boolean
}

/** Whether a known value is split over several of the texts. */
export function isSplit(pieces: readonly Piece[], known: KnownTexts): boolean {
  return splitsIn(pieces, known).length > 0
}

/** Texts one after the other, as one. */
interface Row {
  readonly text: string
  readonly parts: readonly RowPart[]
}

interface RowPart {
  /** Of the piece. */
  readonly index: number
  /** In the text of the row. */
  readonly start: number
  readonly end: number
  /** Where the part begins in its piece: of a long one, its first and last units are there. */
  readonly from: number
  readonly isHeld: boolean
}

/** Stands for the middle of a long text; no value reaches across. */
const GAP = '\uffff'
/** Stands for one in a row. */
const BREAK = -1

/** A known value that stands in a row of texts, and the parts of the row over which it is split. */
export type Split = readonly [span: KnownSpan, parts: readonly RowPart[]]

export function splitsIn(pieces: readonly Piece[], known: KnownTexts): readonly Split[] {
  if (pieces.length < 2) return []
  return rowsOf(pieces, known).flatMap((row) => [...touchedIn(row, known)])
}

/** In one pass: there may be as many values as parts. */
function* touchedIn({ text, parts }: Row, known: KnownTexts): Generator<Split> {
  let first = 0
  for (const span of known.find(text)) {
    while ((parts[first]?.end ?? text.length) <= span.start) first += 1
    let end = first
    while ((parts[end]?.start ?? text.length) < span.end) end += 1
    yield [span, parts.slice(first, end)]
  }
}

/** Texts of a message, and where each of them stands. */
interface Layout {
  readonly pieces: readonly Piece[]
  readonly placeOf: readonly number[]
  /** The texts of each place: the value, each of what stands beside it, what others look through. */
  readonly places: readonly Indexes[]
  readonly firstJudged: number
}

type Indexes = readonly number[]

/** A known value over several places: whoever writes a message chooses which comes first and what stands between. */
export function splitOver(
  searched: readonly (readonly Piece[])[],
  judged: readonly (readonly Piece[])[],
  known: KnownTexts,
): KnownSpan | null {
  const all = [...searched, ...judged]
  const placeOf: number[] = []
  const places = all.map((some, place) => some.map(() => placeOf.push(place) - 1))
  const firstJudged = searched.length
  for (const row of rowsOver({ pieces: all.flat(), placeOf, places, firstJudged }, known))
    for (const [span, parts] of touchedIn(row, known)) {
      const [first = 0, ...rest] = parts.map(({ index }) => placeOf[index])
      if (first < firstJudged || rest.some((place) => place !== first)) return span
    }
  return null
}

/** What all rows hold together is no more than a few times the message, and a little. */
function* rowsOver(layout: Layout, known: KnownTexts): Generator<Row> {
  const { pieces, places, firstJudged } = layout
  const searched = places.slice(0, firstJudged)
  yield rowOf(pieces, searched.flat(), known)
  yield rowOf(pieces, searched.toReversed().flat(), known)
  for (const namesakes of namesakesOf(layout)) yield rowOf(pieces, namesakes, known)
  const edge = Math.min(known.reach(), MAX_EDGE)
  const paired = inPairs(layout)
  if (paired.length > 0) {
    const room = Math.floor(PAIRED_UNITS / paired.length)
    yield rowOf(pieces, paired, known, Math.min(edge, room))
    if (room >= edge && places.every((one) => one.length < 2)) return
  }
  for (const around of aroundOthers(layout, edge)) yield rowOf(pieces, around, known, edge)
}

/** Texts that go by one name, those of several places in both orders. */
function* namesakesOf({ pieces, placeOf, firstJudged }: Layout): Generator<Indexes> {
  const at = (index = 0): number => placeOf[index] ?? 0
  const byName = new Map<string, number[]>()
  for (const [index, { name }] of pieces.entries()) {
    const some = byName.get(name)
    if (some !== undefined) some.push(index)
    else if (at(index) < firstJudged) byName.set(name, [index])
  }
  for (const some of byName.values()) {
    if (some.length < 2) continue
    yield some
    if (at(some[0]) !== at(some.at(-1))) yield some.toSorted((a, b) => at(b) - at(a) || a - b)
  }
}

/** So much of both ends stands around each of the others. */
const MAX_EDGE = 4_096
/** All ends together: where the others are many, some are put together, for whoever writes a message makes as many. */
const AROUND_UNITS = 64 * MAX_EDGE

/** The others, each between the ends of what is in the middle. */
function* aroundOthers({ pieces, places, firstJudged }: Layout, edge: number): Generator<Indexes> {
  const isFilled = (place: Indexes): boolean => place.length > 0
  const [own = [], ...others] = places.slice(0, firstJudged)
  const filled = others.filter(isFilled)
  const judged = places.slice(firstJudged)
  for (const [at, middle] of [own, ...judged].entries()) {
    const ends = endsOf(middle, pieces, edge)
    const units = unitsOf(ends, pieces, 2 * edge)
    if (units === 0) continue
    const groups = inGroups(filled, Math.ceil(AROUND_UNITS / units))
    const beside = [...groups, ...judged.slice(at).filter(isFilled)]
    if (beside.length === 0) continue
    yield [...beside.flatMap((one) => [...one, ...ends]), ...(beside[0] ?? [])]
  }
}

/** @param most of each text */
function unitsOf(indexes: Indexes, pieces: readonly Piece[], most: number): number {
  return indexes.reduce(
    (units, index) => units + Math.min(pieces[index]?.text.length ?? 0, most),
    0,
  )
}

function inGroups(others: readonly Indexes[], most: number): readonly Indexes[] {
  if (others.length <= most) return others
  const size = Math.ceil(others.length / most)
  return Array.from({ length: Math.ceil(others.length / size) }, (_, at) =>
    others.slice(at * size, (at + 1) * size).flat(),
  )
}

/** The first and the last texts, as far as a value reaches; all where those are most of them. */
function endsOf(indexes: Indexes, pieces: readonly Piece[], reach: number): Indexes {
  const until = (some: Indexes): number => {
    let units = 0
    const last = some.findIndex((index) => (units += pieces[index]?.text.length ?? 0) >= reach)
    return last === -1 ? some.length : last + 1
  }
  const head = until(indexes)
  const tail = head === indexes.length ? 0 : until(indexes.toReversed())
  if (head + tail >= indexes.length) return indexes
  return [...indexes.slice(0, head), BREAK, ...indexes.slice(-tail)]
}

/** More pairs would cost more than they tell. */
const MAX_PAIRS = 128
/** All of them together, about. */
const PAIRED_UNITS = 16_384
/** Who keeps back fewer units of a value need not split it. */
const MIN_PART = 4

/** Each two texts of different places, one after the other in both orders; none where there are many. */
function inPairs({ pieces, placeOf }: Layout): Indexes {
  const paired: number[] = []
  if (pieces.length > 2 * MAX_PAIRS) return paired
  const isLong = ({ text }: Piece): boolean => text.length >= MIN_PART
  for (const [one, piece] of pieces.entries()) {
    if (!isLong(piece)) continue
    paired.push(one)
    for (let other = one + 1; other < pieces.length; other += 1)
      if (placeOf[other] !== placeOf[one] && isLong(pieces[other] as Piece)) paired.push(other, one)
    if (paired.length > 2 * MAX_PAIRS) return []
  }
  return paired
}

/** All texts in their order; and those that go by one name, for others may stand between them. */
function rowsOf(pieces: readonly Piece[], known: KnownTexts): readonly Row[] {
  const byName = new Map<string, number[]>()
  for (const [index, { name }] of pieces.entries()) {
    const own = byName.get(name)
    if (own === undefined) byName.set(name, [index])
    else own.push(index)
  }
  const rows = [rowOf(pieces, [...pieces.keys()], known)]
  if (byName.size > 1)
    for (const own of byName.values()) if (own.length > 1) rows.push(rowOf(pieces, own, known))
  return rows
}

function rowOf(
  pieces: readonly Piece[],
  indexes: readonly number[],
  known: KnownTexts,
  edge = known.reach(),
): Row {
  const parts: RowPart[] = []
  let text = ''
  const put = (index: number, from: number, own: string, isHeld: boolean): void => {
    parts.push({ index, start: text.length, end: text.length + own.length, from, isHeld })
    text += own
  }
  for (const index of indexes) {
    if (index === BREAK) {
      text += GAP
      continue
    }
    const own = pieces[index]?.text ?? ''
    const edges = known.edgesOf?.(own) ?? null
    if (edges !== null) put(index, 0, edges, true)
    else if (own.length <= 2 * edge) put(index, 0, own, false)
    else {
      put(index, 0, own.slice(0, edge), false)
      text += GAP
      put(index, own.length - edge, own.slice(-edge), false)
    }
  }
  return { text, parts }
}
