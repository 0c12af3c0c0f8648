import { isSeenBroken, joinBroken } from './broken-lines.ts'
import { compressedRuns, holdsCompressed } from './compressed-runs.ts'
import { decodedViews, partsToDecode, viewOfParts } from './decoded-view.ts'
import { isRunDigit } from './digit-runs.ts'
import { Expansions } from './expansions.ts'
import { type Fingerprint, type FingerprintKey, PROOF_BYTES } from './fingerprint.ts'
import { type KnownMatch, markerOf, type Redacted } from './known-match.ts'
import { RedactStream } from './redact-stream.ts'
import { WINDOW } from './rolling-hash.ts'
import { type Shapes, shapesIn } from './text-shapes.ts'
import { withUnits } from './text-units.ts'
import { type Entry, ValueIndex, type ValueName, type WindowHit } from './value-index.ts'
import { isOfLine } from './variants.ts'
import { type View, viewOf, withRoom } from './view.ts'

/**
 * Values that principals know, as fingerprints: recognised in any text, in any usual encoding, and never kept.
 * One principal's values cannot be seen through another's.
 */
export class KnownValues {
  readonly #key: FingerprintKey
  readonly #books = new Map<string, ValueIndex>()

  constructor(key: FingerprintKey) {
    this.#key = key
  }

  remember(principal: string, name: ValueName, fingerprints: readonly Fingerprint[]): void {
    let book = this.#books.get(principal)
    if (book === undefined) {
      book = new ValueIndex(this.#key)
      this.#books.set(principal, book)
    }
    for (const one of fingerprints) book.add(name, one)
  }

  /** @param version all versions of the value when it is left out */
  forget(principal: string, id: string, version?: number): void {
    this.#books.get(principal)?.remove(id, version)
  }

  /** Forms of values that the principal is known to know. */
  count(principal: string): number {
    return this.#books.get(principal)?.size ?? 0
  }

  /**
   * The known values that stand in a text, by place; of those that overlap, the first one with the end of the last.
   *
   * @param expansions of the message that the text is part of
   */
  scan(principal: string, text: string, expansions?: Expansions): readonly KnownMatch[] {
    const book = this.#books.get(principal)
    if (book === undefined || book.size === 0) return []
    const own = expansions ?? new Expansions()
    own.add(text.length)
    return scanText(this.#key, book, text, own).matches
  }

  redact(principal: string, text: string, expansions?: Expansions): Redacted {
    const matches = this.scan(principal, text, expansions)
    if (matches.length === 0) return { text, matches }
    let out = ''
    let done = 0
    for (const { start, end, path } of matches) {
      out += text.slice(done, start) + markerOf(path)
      done = end
    }
    return { text: out + text.slice(done), matches }
  }

  /** `scan` and `redact` for the texts of one message, which expand no more together than one of them may. */
  ofMessage(principal: string): {
    scan(text: string): readonly KnownMatch[]
    redact(text: string): Redacted
  } {
    const expansions = new Expansions()
    return {
      scan: (text) => this.scan(principal, text, expansions),
      redact: (text) => this.redact(principal, text, expansions),
    }
  }

  /** How far from where a value begins to show what belongs to it may stand, in any encoding. UTF-16 units. */
  reach(principal: string): number {
    const longest = this.#books.get(principal)?.longest ?? 0
    return longest === 0 ? 0 : longest * SPREAD + MARGIN
  }

  /** Redacts a text that comes in pieces, as if it came in one. What is remembered meanwhile counts from then on. */
  stream(principal: string): RedactStream {
    return new RedactStream((text) => {
      const book = this.#books.get(principal)
      if (book === undefined || book.size === 0)
        return { matches: [], views: [], longest: 0, longestSpanning: 0 }
      const expansions = new Expansions()
      expansions.add(text.length)
      const { matches, views } = scanText(this.#key, book, text, expansions)
      return {
        matches,
        views: views(),
        longest: book.longest,
        longestSpanning: book.longestSpanning,
      }
    })
  }
}

interface Scanned {
  readonly matches: readonly KnownMatch[]
  /** The whole text in every way in which it can be decoded. */
  readonly views: () => readonly View[]
}

/** A place where a window of a value was seen, but not the value: it may stand there in some encoding. */
interface Doubt {
  readonly at: number
  /** How far from the window the value may reach. */
  readonly reach: number
  /** Whether it may only be a line of a value: one that was found settles it. */
  readonly isOfLine: boolean
}

/** Compressions within compressions that are looked behind. */
const MAX_LAYERS = 2

function scanText(
  key: FingerprintKey,
  book: ValueIndex,
  text: string,
  expansions: Expansions,
  layers = MAX_LAYERS,
): Scanned {
  let all: readonly View[] | null = null
  const views = (): readonly View[] => {
    all ??= decodedViews(viewOf(text, 0, text.length), 'all')
    return all
  }
  const found: KnownMatch[] = []
  const prover = new Prover(key, text)
  const addCompressed = (
    own: string,
    units: Uint16Array,
    runs: readonly number[],
    place: Place,
  ) => {
    let isCutOff = false
    for (const { start, end, text: expanded } of compressedRuns(own, units, runs, expansions)) {
      const [first] = scanText(key, book, expanded, expansions, layers - 1).matches
      if (first !== undefined)
        found.push({ ...first, start: place.startOf(start), end: place.endOf(end - 1) })
      isCutOff ||= ESCAPES.has(units[end] ?? 0)
    }
    return isCutOff
  }
  const { doubts, isCompressed } = withUnits(text, (units) => {
    const shapes = shapesIn(text, units)
    const isCutOff = layers > 0 && addCompressed(text, units, shapes.runs, inText(text))
    const seen = seenIn(book, text, units, shapes, prover, found, views)
    return { doubts: seen.doubts, isCompressed: layers > 0 && (isCutOff || seen.isCompressed) }
  })
  if (isCompressed)
    for (const view of views()) {
      const place = inView(view)
      addCompressed(place.slice(0, view.length), view.units, view.runs, place)
    }
  const proveIn = (decoded: readonly View[]): void => {
    for (const view of decoded)
      for (const hit of book.hitsIn(view)) prover.prove(hit, view.length, inView(view), found)
  }
  const left = (): readonly Doubt[] => unresolved(doubts, found, prover.lines)
  const regions = regionsOf(left(), text.length)
  const isAll = (regions[0]?.[0] ?? 0) === 0 && regions[0]?.[1] === text.length
  if (!isAll) for (const [from, to] of regions) proveIn(decodedViews(viewOf(text, from, to), 'all'))
  if (left().length > 0) proveIn(views())
  return { matches: merged([...found, ...prover.lines]), views }
}

/** What escapes begin with: a run of digits that ends there may go on behind it. */
const ESCAPES: ReadonlySet<number> = new Set(Array.from('%&\\', (sign) => sign.charCodeAt(0)))

interface Seen {
  /** Where others may stand in some encoding. */
  readonly doubts: readonly Doubt[]
  /** Whether something compressed shows where the text is decoded. */
  readonly isCompressed: boolean
}

/** Adds the values that stand in the text as they are. */
function seenIn(
  book: ValueIndex,
  text: string,
  units: Uint16Array,
  shapes: Shapes,
  prover: Prover,
  found: KnownMatch[],
  whole: () => readonly View[],
): Seen {
  const { length } = text
  const doubts: Doubt[] = []
  const plain = inText(text)
  for (const hit of book.hitsIn({ units, length }))
    if (!prover.prove(hit, length, plain, found)) doubts.push(doubtOf(hit, hit.at))
  if (isSeenBroken(book, text, units)) addBroken(book, text, doubts)
  const parts = partsToDecode(text, units, shapes)
  if (parts.length === 0) return { doubts, isCompressed: false }
  let isCompressed = false
  const isSeen = withRoom(() => {
    const views = decodedViews(viewOfParts(parts, units, false), 'parts', shapes)
    isCompressed = views.some((view) => holdsCompressed(view.units, view.runs))
    return views.some((view) => book.hitsIn(view).length > 0)
  })
  if (!isSeen) return { doubts, isCompressed }
  // Where all is decoded anyway, what it is decoded to is looked through once more when the doubts are resolved.
  const isWhole = parts[0] === 0 && parts[1] === length
  const decoded = isWhole ? whole() : decodedViews(viewOfParts(parts, units, true), 'parts', shapes)
  for (const view of decoded)
    for (const hit of book.hitsIn(view)) doubts.push(doubtOf(hit, view.startOf(hit.at)))
  return { doubts, isCompressed }
}

/** Where windows stand that a line end breaks: what they belong to is looked for around it. */
function addBroken(book: ValueIndex, text: string, doubts: Doubt[]): void {
  const joined = joinBroken(viewOf(text, 0, text.length), WINDOW)
  if (joined === null) return
  for (const hit of book.hitsIn(joined)) doubts.push(doubtOf(hit, joined.startOf(hit.at)))
}

/** Text that an encoded value takes for each of its units, in the encodings that are usual. */
const SPREAD = 12
const MARGIN = 64

function doubtOf({ entries }: WindowHit, at: number): Doubt {
  const longest = entries.reduce((most, one) => Math.max(most, one.fingerprint.length), 0)
  return { at, reach: longest * SPREAD + MARGIN, isOfLine: entries.every(isLine) }
}

function isLine({ fingerprint }: Entry): boolean {
  return isOfLine(fingerprint.variant)
}

/** The doubts that no match covers, by place: around a line that was found, the whole may stand in some encoding. */
function unresolved(
  doubts: readonly Doubt[],
  found: readonly KnownMatch[],
  lines: readonly KnownMatch[],
): readonly Doubt[] {
  if (doubts.length === 0) return doubts
  const whole = new Cursor(merged(found))
  const any = lines.length === 0 ? whole : new Cursor(merged([...found, ...lines]))
  return doubts
    .toSorted((one, other) => one.at - other.at)
    .filter((one) => !(one.isOfLine ? any : whole).covers(one.at))
}

/** Asks of places that come in order whether a match covers them. */
class Cursor {
  readonly #matches: readonly KnownMatch[]
  #next = 0

  constructor(matches: readonly KnownMatch[]) {
    this.#matches = matches
  }

  covers(at: number): boolean {
    while ((this.#matches[this.#next]?.end ?? Number.POSITIVE_INFINITY) <= at) this.#next += 1
    return (this.#matches[this.#next]?.start ?? Number.POSITIVE_INFINITY) <= at
  }
}

/** What surrounds the places, which come in order, without overlaps. */
function regionsOf(
  doubts: readonly Doubt[],
  length: number,
): readonly (readonly [from: number, to: number])[] {
  const regions: [from: number, to: number][] = []
  for (const { at, reach } of doubts) {
    const last = regions.at(-1)
    const from = Math.max(0, at - reach)
    const to = Math.min(length, at + reach)
    if (last !== undefined && from <= last[1]) {
      last[0] = Math.min(last[0], from)
      last[1] = Math.max(last[1], to)
    } else regions.push([from, to])
  }
  return regions
}

/** A text as it is proved: what stands from one unit to another, and where that is in the given text. */
interface Place {
  /** -1 where there is none. */
  unit(at: number): number
  slice(from: number, to: number): string
  startOf(at: number): number
  endOf(at: number): number
}

function inText(text: string): Place {
  return {
    unit: (at) => (at >= 0 && at < text.length ? text.charCodeAt(at) : -1),
    slice: (from, to) => text.slice(from, to),
    startOf: (at) => at,
    endOf: (at) => at + 1,
  }
}

const PADDING = 0x3d
const LINE_END = /[\t\n\r]|\\[nrt]/
const PIECE = 8_192

function inView(view: View): Place {
  const { units, length } = view
  return {
    unit: (at) => (at >= 0 && at < length ? (units[at] ?? -1) : -1),
    slice(from, to) {
      let text = ''
      for (let at = from; at < to; at += PIECE)
        text += String.fromCharCode(...units.subarray(at, Math.min(to, at + PIECE)))
      return text
    },
    startOf: (at) => view.startOf(at),
    endOf: (at) => view.endOf(at),
  }
}

/** Units that may be hashed in vain for a text, for each of its units and at least. */
const VAIN_PER_UNIT = 64
const VAIN_AT_LEAST = 4_000_000

/**
 * Decides by the HMAC of the whole whether a window belongs to the value. Text that is made of windows could make it
 * hash for hours: when it has hashed too much in vain, what looks like a value is taken for it.
 */
class Prover {
  readonly #key: FingerprintKey
  readonly #text: string
  #credit: number
  /** What was last tried of each: the same stands in a text often, and in most of its views. */
  readonly #last = new Map<Entry, { readonly text: string; readonly isProved: boolean }>()
  /** Lines of values that were found. They are kept apart: the whole value may stand there too. */
  readonly lines: KnownMatch[] = []

  constructor(key: FingerprintKey, text: string) {
    this.#key = key
    this.#text = text
    this.#credit = VAIN_AT_LEAST + text.length * VAIN_PER_UNIT
  }

  /** @returns true when a value was found there, or a line of one where there can be nothing else */
  prove({ at, entries }: WindowHit, length: number, place: Place, found: KnownMatch[]): boolean {
    const proofs = new Map<string, Uint8Array>()
    let isFound = false
    let isLineFound = false
    for (const entry of entries) {
      const { windowAt, length: size } = entry.fingerprint
      const start = at - windowAt
      if (start < 0 || start + size > length) continue
      if (!this.#isProved(entry, place, start, proofs)) continue
      const match = this.#match(entry, place, start)
      if (isLine(entry)) {
        this.lines.push(match)
        isLineFound = true
      } else {
        found.push(match)
        isFound = true
      }
    }
    return isFound || (isLineFound && entries.every(isLine))
  }

  #isProved(entry: Entry, place: Place, start: number, proofs: Map<string, Uint8Array>): boolean {
    if (this.#credit <= 0) return true
    const last = this.#last.get(entry)
    if (last !== undefined && standsAt(last.text, place, start)) {
      // To compare it takes time as well, and text that repeats itself could ask for it at each of its windows.
      if (!last.isProved) this.#credit -= last.text.length
      return last.isProved
    }
    const { length, proof } = entry.fingerprint
    const id = `${start}/${length}`
    let own = proofs.get(id)
    const text = place.slice(start, start + length)
    if (own === undefined) {
      own = this.#key.proofOf(text)
      proofs.set(id, Uint8Array.from(own))
      this.#credit -= length
    }
    const isProved = isSameProof(own, proof)
    if (isProved) this.#credit += length
    this.#last.set(entry, { text, isProved })
    return isProved
  }

  #match({ fingerprint, names }: Entry, place: Place, start: number): KnownMatch {
    const { length, variant } = fingerprint
    const name = names[0] ?? { id: '', path: '', version: 0 }
    let from = start
    let to = start + length
    if (variant.startsWith('base64')) {
      // The digits at both ends that the value shares with its neighbours, and the padding.
      if (isRunDigit(place.unit(from - 1)) && this.#isOneWord(place, from)) from -= 1
      if (isRunDigit(place.unit(to)) && this.#isOneWord(place, to)) to += 1
    }
    if (/^(?:base64|pem)/.test(variant))
      for (let i = 0; i < 2 && place.unit(to) === PADDING && this.#isOneWord(place, to); i++)
        to += 1
    return { ...name, variant, start: place.startOf(from), end: place.endOf(to - 1) }
  }

  /** Whether no line ends before a unit: what stands in the line before may be of something else. */
  #isOneWord(place: Place, at: number): boolean {
    return !LINE_END.test(this.#text.slice(place.endOf(at - 1), place.startOf(at)))
  }
}

function standsAt(text: string, place: Place, start: number): boolean {
  for (let at = 0; at < text.length; at++)
    if (place.unit(start + at) !== text.charCodeAt(at)) return false
  return true
}

/** Both come from a keyed hash, and who asks sees only whether a text was redacted: no secret is compared. */
function isSameProof(one: Uint8Array, other: Uint8Array): boolean {
  let differing = 0
  for (let i = 0; i < PROOF_BYTES; i++) differing |= (one[i] ?? 0) ^ (other[i] ?? 0)
  return differing === 0
}

function merged(found: readonly KnownMatch[]): readonly KnownMatch[] {
  const sorted = found.toSorted((one, other) => one.start - other.start || other.end - one.end)
  const matches: KnownMatch[] = []
  for (const one of sorted) {
    const last = matches.at(-1)
    if (last === undefined || one.start >= last.end) matches.push(one)
    else if (one.end > last.end) matches[matches.length - 1] = { ...last, end: one.end }
  }
  return matches
}
