const FIRST_CAPACITY = 256
/** So many units at a time are made a string: as many arguments as any engine takes. */
const CHUNK = 8_192

/** Units, or bytes of Latin-1, as a string; typed arrays as arguments are several times faster than spread ones. */
export function textOfUnits(units: Uint16Array | Uint8Array, length: number): string {
  let text = ''
  for (let at = 0; at < length; at += CHUNK) {
    const part = units.subarray(at, Math.min(length, at + CHUNK))
    text += Reflect.apply(String.fromCharCode, null, part)
  }
  return text
}

/** A decoded text that is put together piece by piece and remembers where each of its units came from. */
export class MappedText {
  #units = new Uint16Array(FIRST_CAPACITY)
  #sources = new Int32Array(FIRST_CAPACITY)
  #length = 0

  get text(): string {
    return textOfUnits(this.#units, this.#length)
  }

  get length(): number {
    return this.#length
  }

  /** A unit that stands for something at `source`. */
  putUnit(unit: number, source: number): void {
    const at = this.#length
    if (at === this.#units.length) this.#reserve(at + 1)
    this.#units[at] = unit
    this.#sources[at] = source
    this.#length = at + 1
  }

  /** A character that stands for something at `source`; a lone surrogate is one too. */
  putCode(code: number, source: number): void {
    if (code < 0x10000) {
      this.putUnit(code, source)
      return
    }
    this.putUnit(0xd800 + ((code - 0x10000) >>> 10), source)
    this.putUnit(0xdc00 + (code & 0x3ff), source)
  }

  /** Units that stand for something at `source`. */
  put(units: string, source: number): void {
    for (let at = 0; at < units.length; at += 1) this.putUnit(units.charCodeAt(at), source)
  }

  /** Units as they stand in the given text from `from` to `to`. */
  copy(text: string, from: number, to: number): void {
    if (to <= from) return
    const start = this.#length
    this.#reserve(start + to - from)
    const units = this.#units
    const sources = this.#sources
    for (let at = from; at < to; at += 1) {
      units[start + at - from] = text.charCodeAt(at)
      sources[start + at - from] = at
    }
    this.#length = start + to - from
  }

  /** Puts another unit in the place of one, which keeps its source. */
  replace(at: number, unit: number): void {
    this.#units[at] = unit
  }

  unitAt(at: number): number {
    return this.#units[at] ?? 0
  }

  sourceAt(at: number): number {
    return this.#sources[at] ?? 0
  }

  /** Where a unit of the decoded text stands in the given one; its end is `end`. */
  sourceOffset(end: number): (offset: number) => number {
    const sources = this.#sources.subarray(0, this.#length)
    return (offset) => sources[Math.max(0, offset)] ?? end
  }

  #reserve(length: number): void {
    if (length <= this.#units.length) return
    const size = Math.max(length, 2 * this.#units.length)
    const units = new Uint16Array(size)
    units.set(this.#units)
    this.#units = units
    const sources = new Int32Array(size)
    sources.set(this.#sources)
    this.#sources = sources
  }
}
