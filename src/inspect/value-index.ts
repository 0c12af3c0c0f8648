import type { Fingerprint, FingerprintKey } from './fingerprint.ts'
import { checkOf, checkPart, rolled, rollingPart, WINDOW } from './rolling-hash.ts'
import type { View } from './view.ts'

/** Which value it is. */
export interface ValueName {
  /** What it is forgotten by: paths of two vaults may be alike. */
  readonly id: string
  /** What the marker says. */
  readonly path: string
  readonly version: number
}

/** One form of a value, and everything that has this form: the same value may lie at several paths. */
export interface Entry {
  readonly fingerprint: Fingerprint
  readonly rolling: number
  readonly check: number
  readonly names: ValueName[]
}

/** A window in a text that looks like one of an entry's. */
export interface WindowHit {
  readonly at: number
  readonly entries: readonly Entry[]
}

/** What the rolling part of a window's hash passes when the window may be one of a value. */
export interface Filters {
  readonly roll: Int32Array
  readonly first: Int32Array
  /** By other bits. */
  readonly second: Int32Array
}

const FILTER_BITS = 21
const FILTER_WORDS = 2 ** (FILTER_BITS - 5)
const EMPTY = -1
const MIXER = 0x9e3779b1

/** The fingerprints of one principal, found by their windows: a bit filter that fits the cache, then a table. */
export class ValueIndex {
  readonly #key: FingerprintKey
  readonly #entries = new Map<string, Entry>()
  readonly #filter = new Int32Array(FILTER_WORDS)
  /** Asked about what passes the first one, by other bits: the table is seldom in the cache. */
  readonly #second = new Int32Array(FILTER_WORDS)
  #slots: Entry[] = []
  /** Open addressing: the rolling part of an entry's window, and its place in `#slots` or EMPTY. */
  #keys = new Int32Array(0)
  #places = new Int32Array(0)
  #isStale = false
  #longest = 0
  #longestSpanning = 0

  constructor(key: FingerprintKey) {
    this.#key = key
  }

  get size(): number {
    return this.#entries.size
  }

  /** Units of the longest form. */
  get longest(): number {
    this.#refresh()
    return this.#longest
  }

  /** Units of the longest form in which a line may end, 0 when there is none. */
  get longestSpanning(): number {
    this.#refresh()
    return this.#longestSpanning
  }

  add(name: ValueName, fingerprint: Fingerprint): void {
    const id = idOf(fingerprint)
    const known = this.#entries.get(id)
    if (known !== undefined) {
      if (!known.names.some((one) => isSame(one, name))) known.names.push(name)
      return
    }
    const entry: Entry = {
      fingerprint,
      rolling: rollingPart(fingerprint.window),
      check: checkPart(fingerprint.window),
      names: [name],
    }
    this.#entries.set(id, entry)
    if (this.#isStale || (this.#slots.length + 1) * 2 > this.#keys.length) this.#isStale = true
    else this.#insert(entry)
  }

  /** @param version all versions of the value when it is left out */
  remove(nameId: string, version?: number): void {
    for (const [id, { names }] of this.#entries) {
      for (let i = names.length - 1; i >= 0; i--) {
        const name = names[i]
        if (name?.id === nameId && (version === undefined || name.version === version))
          names.splice(i, 1)
      }
      if (names.length === 0) {
        this.#entries.delete(id)
        this.#isStale = true
      }
    }
  }

  get filters(): Filters {
    this.#refresh()
    return { roll: this.#key.hash.roll, first: this.#filter, second: this.#second }
  }

  /** What looks like one of the values, in the units of a text or of a view. */
  hitsIn({ units, length }: Pick<View, 'units' | 'length'>): readonly WindowHit[] {
    this.#refresh()
    const hits: WindowHit[] = []
    const { roll } = this.#key.hash
    for (let from = 0; from < length; from += SLICE) {
      const start = Math.max(0, from - WINDOW + 1)
      const to = Math.min(length, from + SLICE)
      const count = likelyEnds(units, start, to, roll, this.#filter, this.#second)
      for (let i = 0; i < count; i++) {
        const at = (LIKELY[i] ?? 0) - WINDOW + 1
        if (at < start) continue
        const entries = this.#entriesAt(rolled(roll, units, at), units, at)
        if (entries !== null) hits.push({ at, entries })
      }
    }
    return hits
  }

  #entriesAt(rolling: number, units: Uint16Array, from: number): readonly Entry[] | null {
    const mask = this.#keys.length - 1
    let found: Entry[] | null = null
    let check = EMPTY
    for (let at = slotOf(rolling) & mask; this.#places[at] !== EMPTY; at = (at + 1) & mask) {
      if (this.#keys[at] !== rolling) continue
      const entry = this.#slots[this.#places[at] ?? 0]
      if (entry === undefined) continue
      if (check === EMPTY) check = checkOf(this.#key.hash, units, from)
      if (entry.check === check) (found ??= []).push(entry)
    }
    return found
  }

  #insert(entry: Entry): void {
    const { rolling, fingerprint } = entry
    this.#longest = Math.max(this.#longest, fingerprint.length)
    if (fingerprint.spansLines)
      this.#longestSpanning = Math.max(this.#longestSpanning, fingerprint.length)
    const mask = this.#keys.length - 1
    let at = slotOf(entry.rolling) & mask
    while (this.#places[at] !== EMPTY) at = (at + 1) & mask
    this.#keys[at] = entry.rolling
    this.#places[at] = this.#slots.length
    this.#slots.push(entry)
    this.#filter[rolling >>> 16] = (this.#filter[rolling >>> 16] ?? 0) | (1 << (rolling >>> 11))
    const mixed = Math.imul(rolling, MIXER)
    this.#second[mixed >>> 16] = (this.#second[mixed >>> 16] ?? 0) | (1 << (mixed >>> 11))
  }

  #refresh(): void {
    if (!this.#isStale && this.#keys.length > 0) return
    this.#isStale = false
    const size = 2 ** Math.ceil(Math.log2(Math.max(64, this.#entries.size * 3)))
    this.#keys = new Int32Array(size)
    this.#places = new Int32Array(size).fill(EMPTY)
    this.#slots = []
    this.#filter.fill(0)
    this.#second.fill(0)
    this.#longest = 0
    this.#longestSpanning = 0
    for (const entry of this.#entries.values()) this.#insert(entry)
  }
}

/** Texts are looked through in slices, so that there is always room for what is found in one. */
const SLICE = 4_096
const LIKELY = new Int32Array(SLICE + WINDOW)

/** Puts the last units of windows that pass both filters into `LIKELY`. Nothing else may stand in this loop: it is the price. */
function likelyEnds(
  units: Uint16Array,
  from: number,
  to: number,
  roll: Int32Array,
  filter: Int32Array,
  second: Int32Array,
): number {
  let count = 0
  let hash = 0
  for (let at = from; at < to; at++) {
    hash = ((hash << 4) + (roll[(units[at] as number) & 0xff] as number)) | 0
    if (((filter[hash >>> 16] as number) & (1 << (hash >>> 11))) !== 0) {
      const mixed = Math.imul(hash, MIXER)
      if (((second[mixed >>> 16] as number) & (1 << (mixed >>> 11))) !== 0) LIKELY[count++] = at
    }
  }
  return count
}

/** Asked of what passed the first filter. */
export function passesSecond(second: Int32Array, hash: number): boolean {
  const mixed = Math.imul(hash, MIXER)
  return ((second[mixed >>> 16] as number) & (1 << (mixed >>> 11))) !== 0
}

function slotOf(rolling: number): number {
  const mixed = Math.imul(rolling, MIXER)
  return mixed ^ (mixed >>> 15)
}

function isSame(one: ValueName, other: ValueName): boolean {
  return one.id === other.id && one.version === other.version
}

/** Two fingerprints with the same proof are of the same text. */
function idOf({ length, windowAt, proof }: Fingerprint): string {
  let id = `${length}/${windowAt}/`
  for (const byte of proof) id += String.fromCharCode(byte)
  return id
}
