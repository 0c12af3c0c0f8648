import { isOdd, MIN_TEXT, maxOdd, mayBeWide, wideOrder } from './bytes.ts'

/**
 * The places from which bytes are text up to their end: exactly those from where `textOfBytes` finds one, told for all of
 * them in one walk from the end.
 *
 * @param places ascending
 */
export function textStarts(bytes: Uint8Array, places: readonly number[]): ReadonlySet<number> {
  const starts = new Set<number>()
  const wide = new Set<number>()
  const maybeWide = places.filter((place) => mayBeWide(bytes, place))
  for (const parity of [0, 1])
    addWide(
      bytes,
      maybeWide.filter((place) => place % 2 === parity),
      wide,
      starts,
    )
  addUtf8(
    bytes,
    places.filter((place) => !wide.has(place)),
    starts,
  )
  return starts
}

/** @param places ascending, all even or all odd; those that are UTF-16 are added to `wide`, the text to `starts` too */
function addWide(
  bytes: Uint8Array,
  places: readonly number[],
  wide: Set<number>,
  starts: Set<number>,
): void {
  const first = places[0]
  if (first === undefined) return
  const little = new WideUnits()
  const big = new WideUnits()
  let next = places.length - 1
  let pairs = 0
  let even = 0
  let odd = 0
  for (let at = bytes.length - 2 - ((bytes.length - first) % 2); at >= first; at -= 2) {
    const [one, two] = [bytes[at] as number, bytes[at + 1] as number]
    pairs += 1
    if (one === 0) even += 1
    if (two === 0) odd += 1
    little.prepend((two << 8) | one)
    big.prepend((one << 8) | two)
    while ((places[next] ?? -1) > at) next -= 1
    if (places[next] !== at) continue
    const order = wideOrder(pairs, even, odd)
    if (order === null) continue
    wide.add(at)
    if ((order === 'le' ? little : big).isText(pairs)) starts.add(at)
  }
}

/** The units of UTF-16 from a place to the end, as the decoder writes them. */
class WideUnits {
  #first = 0
  #odd = 0

  prepend(unit: number): void {
    const isPair = isHigh(unit) && isLow(this.#first)
    // What stood alone is half of a pair now; alone it is written as U+FFFD.
    if (isPair) this.#odd -= 1
    else if (isHigh(unit) || isLow(unit) || isOdd(unit)) this.#odd += 1
    this.#first = unit
  }

  isText(length: number): boolean {
    // The decoder leaves out a byte order mark.
    return this.#odd <= maxOdd(this.#first === 0xfeff ? length - 1 : length)
  }
}

function isHigh(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800
}

function isLow(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00
}

/** @param places ascending */
function addUtf8(bytes: Uint8Array, places: readonly number[], starts: Set<number>): void {
  let next = places.length - 1
  let units = 0
  let odd = 0
  let at = bytes.length
  while (next >= 0 && at > 0) {
    const code = characterBefore(bytes, at)
    if (code === -1) return
    at -= utf8Length(code)
    units += code > 0xffff ? 2 : 1
    if (code <= 0xffff && isOdd(code)) odd += 1
    // A place within a character begins none.
    while ((places[next] ?? -1) > at) next -= 1
    if (places[next] === at && bytes.length - at >= MIN_TEXT && odd <= maxOdd(units)) starts.add(at)
  }
}

/** The character of UTF-8 that ends before a place; -1 where that is none the strict decoder takes. */
function characterBefore(bytes: Uint8Array, end: number): number {
  let first = end - 1
  let code = bytes[first] as number
  if (code < 0x80) return code
  code = 0
  let shift = 0
  while (shift < 18 && first > 0 && ((bytes[first] as number) & 0xc0) === 0x80) {
    code |= ((bytes[first] as number) & 0x3f) << shift
    shift += 6
    first -= 1
  }
  const lead = bytes[first] as number
  const length = lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0
  if (length !== end - first) return -1
  code |= (lead & (0x7f >> length)) << shift
  const isSurrogate = code >= 0xd800 && code <= 0xdfff
  return isSurrogate || code > 0x10ffff || utf8Length(code) !== length ? -1 : code
}

function utf8Length(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
}
