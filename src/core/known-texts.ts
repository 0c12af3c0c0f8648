import { ExactNumber } from './decimal.ts'
import { type Piece, type Split, splitOver, splitsIn } from './split-values.ts'

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
  /** The same for one message: what is limited is limited for all its texts together. */
  ofMessage?(): KnownTexts
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
  values: KnownTexts,
  { searched, judged }: Beside = NOTHING_BESIDE,
): readonly KnownPlace[] {
  const known = values.ofMessage?.() ?? values
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

/**
 * The value with each known value replaced by its marker, and each part of one that is split over several texts; a
 * number that is one becomes the marker.
 *
 * @returns the same value when there is none
 * @throws {AcrossHeldTexts}
 */
export function redactedIn(value: Members, known: KnownTexts): Members
export function redactedIn(value: unknown, known: KnownTexts): unknown
export function redactedIn(value: unknown, values: KnownTexts): unknown {
  const known = values.ofMessage?.() ?? values
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

/** What stands in place of a value. @param path of the secret */
export function markerOf(path: string): string {
  return `[REDACTED:${path}]`
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
