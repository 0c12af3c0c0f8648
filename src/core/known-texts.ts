import { ExactNumber } from './decimal.ts'

/** Where a known value stands in a text. UTF-16 units. */
export interface KnownSpan {
  readonly path: string
  readonly start: number
  readonly end: number
}

/** The values that one principal knows, as messages are looked through for them. */
export interface KnownTexts {
  find(text: string): readonly KnownSpan[]
  redact(text: string): string
  /** UTF-16 units; 0: none is known. */
  reach(): number
  /** What stands for a text that is not in memory beside others, or null; none of it can be taken out of there. */
  edgesOf?(text: string): string | null
}

/** A known value in a value: the text is below a member of the value, or the whole. */
export interface KnownPlace {
  readonly start: number
  readonly end: number
  /** The outermost member or element in which it stands; null for the whole. */
  readonly top: string | null
  readonly isTopText: boolean
  readonly isName: boolean
  /** Split over several texts: the units are those of the texts one after the other. */
  readonly isAcross: boolean
}

type Members = Readonly<Record<string, unknown>>

/** A value that nobody can redact, for parts of it are in texts that are not in memory. */
export class AcrossHeldTexts extends Error {}

/** A text of a message, with the name that it goes by. */
interface Piece {
  readonly text: string
  readonly name: string
  readonly isNumber?: boolean
}

/** A number with fewer digits is no value that could be remembered. */
const MIN_NUMBER = 10_000_000

/** What stands in a message beside a value, in whatever order with it. */
export interface Beside {
  /** Each is looked at, too. */
  readonly searched: readonly unknown[]
  /** Looked at by others: only what is split over one of them and anything else counts. */
  readonly judged: readonly unknown[]
}

const NOTHING_BESIDE: Beside = { searched: [], judged: [] }

type Look = (text: string, place: Pick<KnownPlace, 'top' | 'isTopText' | 'isName'>) => void

/**
 * Known values in the texts, numbers and names of a value and of what stands beside it, or across their texts where one
 * is split over several.
 */
export function knownIn(
  value: unknown,
  known: KnownTexts,
  { searched, judged }: Beside = NOTHING_BESIDE,
): readonly KnownPlace[] {
  const found: KnownPlace[] = []
  const look: Look = (text, place) => {
    for (const { start, end } of known.find(text))
      found.push({ ...place, start, end, isAcross: false })
  }
  const own = piecesOf(value, look)
  const others = searched.map((one, at) => piecesOf(one, look, String(at)))
  if (found.length > 0) return found
  const isAlone = others.length === 0 && judged.length === 0
  const across = isAlone
    ? (splitsIn(own, known)[0]?.[0] ?? null)
    : splitOver(
        [own, ...others],
        judged.map((one) => piecesOf(one, () => {})),
        known,
      )
  return across === null
    ? []
    : [{ ...across, top: null, isTopText: false, isName: false, isAcross: true }]
}

/** The texts and numbers of a value in their order. @param look at these and at names */
function piecesOf(value: unknown, look: Look, name = ''): readonly Piece[] {
  const pieces: Piece[] = []
  const visit = (node: unknown, name: string, top: string | null, depth: number): void => {
    const text = textOf(node)
    if (text !== null) {
      addPiece(pieces, text, name)
      look(text, { top, isTopText: depth === 1, isName: false })
      return
    }
    const bytes = bytesOf(node)
    if (bytes !== null) look(writtenBytes(bytes), { top, isTopText: false, isName: false })
    if (Array.isArray(node))
      for (const [index, one] of node.entries()) visit(one, name, top ?? String(index), depth + 1)
    else if (isObject(node))
      for (const [inner, one] of Object.entries(node)) {
        look(inner, { top, isTopText: false, isName: true })
        visit(one, inner, top ?? inner, depth + 1)
      }
  }
  visit(value, name, null, 0)
  return pieces
}

/** Whether a known value is split over several of the texts. */
export function isSplit(pieces: readonly Piece[], known: KnownTexts): boolean {
  return splitsIn(pieces, known).length > 0
}

/**
 * The value with each known value replaced by its marker, and each part of one that is split over several texts; a
 * number that is one becomes the marker.
 *
 * @returns the same value when there is none
 * @throws {AcrossHeldTexts}
 */
export function redactedIn(value: Members, known: KnownTexts): Members
export function redactedIn(value: unknown, known: KnownTexts): unknown
export function redactedIn(value: unknown, known: KnownTexts): unknown {
  const pieces: Piece[] = []
  const redact = (text: string, name: string, isNumber: boolean): string => {
    const shown = isNumber ? withoutNumber(text, known.find(text)) : known.redact(text)
    addPiece(pieces, shown, name, isNumber)
    return shown
  }
  const withoutKnown = (bytes: readonly unknown[], name: string): readonly unknown[] => {
    const left = withoutBytes(bytes, known)
    for (const one of left) if (typeof one === 'string') addPiece(pieces, one, name)
    return left
  }
  const shown = mapped(value, redact, (name) => known.redact(name), withoutKnown)
  const splits = splitsIn(pieces, known)
  if (splits.length === 0) return shown
  const parts = partsTakenOut(pieces, splits)
  let at = -1
  return mapped(
    shown,
    (text, name) => {
      if (!isPiece(text, name)) return text
      at += 1
      return parts.get(at) ?? text
    },
    (name) => name,
    (bytes) => bytes,
  )
}

/** Kinds of content, which stand between its texts. */
const KINDS = new Set(['text', 'image', 'audio', 'resource', 'resource_link'])

function isPiece(text: string, name: string): boolean {
  return text !== '' && !(name === 'type' && KINDS.has(text))
}

function addPiece(pieces: Piece[], text: string, name: string, isNumber = false): void {
  if (isPiece(text, name)) pieces.push({ text, name, isNumber })
}

/** What is left of a number is none. */
function withoutNumber(text: string, [found]: readonly Pick<KnownSpan, 'path'>[]): string {
  return found === undefined ? text : markerOf(found.path)
}

function textOf(node: unknown): string | null {
  if (typeof node === 'string') return node
  if (typeof node === 'number')
    return Number.isSafeInteger(node) && Math.abs(node) >= MIN_NUMBER ? String(node) : null
  if (typeof node === 'bigint') return String(node)
  return node instanceof ExactNumber ? node.source : null
}

function isObject(node: unknown): node is object {
  return typeof node === 'object' && node !== null
}

/** Fewer bytes are no value that could be remembered. */
const MIN_BYTES = 12
const BETWEEN_BYTES = ' '

function areBytes(items: readonly unknown[]): boolean {
  return (
    items.length >= MIN_BYTES &&
    items.every((one) => typeof one === 'number' && Number.isInteger(one) && one >= 0 && one < 256)
  )
}

/**
 * The bytes that an array or an object is, as `JSON.stringify` writes a `Buffer` (`[115, 107]`) and a `Uint8Array`
 * (`{"0":115}`); null for anything else.
 */
export function bytesOf(node: unknown): readonly unknown[] | null {
  if (!isObject(node)) return null
  if (Array.isArray(node)) return areBytes(node) ? node : null
  if (!('0' in node)) return null
  const bytes: readonly unknown[] = Object.values(node)
  return areBytes(bytes) && Object.keys(node).every((name, at) => name === String(at))
    ? bytes
    : null
}

/** As text in which known values are recognised. */
export function writtenBytes(bytes: readonly unknown[]): string {
  return bytes.join(BETWEEN_BYTES)
}

/** The bytes with the marker of each known value in place of its own; the same array when there is none. */
function withoutBytes(bytes: readonly unknown[], known: KnownTexts): readonly unknown[] {
  const found = known.find(writtenBytes(bytes))
  if (found.length === 0) return bytes
  const shown: unknown[] = []
  let covered: KnownSpan | null = null
  let next = 0
  let start = 0
  for (const byte of bytes) {
    const end = start + String(byte).length
    // The spans stand in the order of the bytes and do not overlap.
    while ((found[next]?.end ?? end) <= start) next += 1
    const span = found[next]
    if (span === undefined || span.start >= end) shown.push(byte)
    else if (span !== covered) shown.push(markerOf((covered = span).path))
    start = end + BETWEEN_BYTES.length
  }
  return shown
}

/**
 * The same value where nothing is changed, and the same parts of it.
 *
 * @param bytesShown what becomes of bytes that are written as numbers
 */
function mapped(
  node: unknown,
  text: (text: string, name: string, isNumber: boolean) => string,
  nameOf: (name: string) => string,
  bytesShown: (bytes: readonly unknown[], name: string) => readonly unknown[],
  name = '',
): unknown {
  const own = textOf(node)
  if (own !== null) {
    const shown = text(own, name, typeof node !== 'string')
    return shown === own ? node : shown
  }
  if (!isObject(node)) return node
  const bytes = bytesOf(node)
  if (bytes !== null) {
    const shown = bytesShown(bytes, name)
    return shown === bytes ? node : shown
  }
  if (Array.isArray(node)) {
    let isSame = true
    const items = node.map((one: unknown) => {
      const shown = mapped(one, text, nameOf, bytesShown, name)
      isSame &&= shown === one
      return shown
    })
    return isSame ? node : items
  }
  let isSame = true
  const entries = Object.entries(node).map(([inner, one]) => {
    const shown = [nameOf(inner), mapped(one, text, nameOf, bytesShown, inner)] as const
    isSame &&= shown[0] === inner && shown[1] === one
    return shown
  })
  return isSame ? node : Object.fromEntries(entries)
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

/** What stands in place of a value. @param path of the secret */
export function markerOf(path: string): string {
  return `[REDACTED:${path}]`
}

/** Stands for the middle of a long text; no value reaches across. */
const GAP = '\uffff'
/** Stands for one in a row. */
const BREAK = -1

/** A known value that stands in a row of texts, and the parts of the row over which it is split. */
type Split = readonly [span: KnownSpan, parts: readonly RowPart[]]

function splitsIn(pieces: readonly Piece[], known: KnownTexts): readonly Split[] {
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
function splitOver(
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

interface Cut {
  readonly start: number
  readonly end: number
  readonly path: string
}

/** The texts without what belongs to a value, by index. @throws {AcrossHeldTexts} */
function partsTakenOut(
  pieces: readonly Piece[],
  splits: readonly Split[],
): ReadonlyMap<number, string> {
  const cuts = new Map<number, Cut[]>()
  for (const [{ path, start, end }, parts] of splits)
    for (const part of parts) {
      if (part.isHeld) throw new AcrossHeldTexts()
      const by = part.from - part.start
      const own = cuts.get(part.index) ?? []
      own.push({ path, start: Math.max(start, part.start) + by, end: Math.min(end, part.end) + by })
      cuts.set(part.index, own)
    }
  return new Map(
    [...cuts].map(([index, own]) => {
      const { text = '', isNumber = false } = pieces[index] ?? {}
      return [index, isNumber ? withoutNumber(text, own) : withMarkers(text, own)]
    }),
  )
}

function withMarkers(text: string, cuts: readonly Cut[]): string {
  let out = ''
  let done = 0
  for (const { start, end, path } of cuts.toSorted((one, other) => one.start - other.start)) {
    if (start >= done) out += text.slice(done, start) + markerOf(path)
    done = Math.max(done, end)
  }
  return out + text.slice(done)
}
