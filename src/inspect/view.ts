import { type Numbers, numbersIn } from './byte-lists.ts'
import { runsIn } from './digit-runs.ts'
import { spacedIn } from './spaced.ts'
import { BREAK } from './text-units.ts'

/** A text after some decoding: its units, and from where to where in the given text each of them stands. */
export class View {
  /** May be longer than `length`. */
  readonly units: Uint16Array
  readonly length: number
  /** Empty when it is not `isPlaced`. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  readonly isPlaced: boolean
  /** True while its units stand in the order of the text; not for runs that were read at several alignments. */
  readonly isOrdered: boolean
  /** False when what was decoded last is not only ASCII; of what it was decoded from it says nothing. */
  readonly isNewAscii: boolean
  /** Whether lines may end in what was decoded last. */
  readonly isNewBroken: boolean
  #runs: readonly number[] | null = null
  #numbers: Numbers | null = null
  #spaced: readonly number[] | null = null

  constructor(parts: Omit<View, 'runs' | 'numbers' | 'spaced' | 'startOf' | 'endOf'>) {
    this.units = parts.units
    this.length = parts.length
    this.starts = parts.starts
    this.ends = parts.ends
    this.isPlaced = parts.isPlaced
    this.isOrdered = parts.isOrdered
    this.isNewAscii = parts.isNewAscii
    this.isNewBroken = parts.isNewBroken
  }

  /** Where each run of 24 or more digits of base64 begins and ends, by turns. */
  get runs(): readonly number[] {
    this.#runs ??= runsIn(this.units, this.length)
    return this.#runs
  }

  /** Bytes that are written as numbers. */
  get numbers(): Numbers {
    this.#numbers ??= numbersIn(this.units, this.length)
    return this.#numbers
  }

  /** Where each row of characters begins and ends that has the same sign between any two, by turns. */
  get spaced(): readonly number[] {
    this.#spaced ??= spacedIn(this.units, this.length)
    return this.#spaced
  }

  /** 0 when the view is not placed. */
  startOf(at: number): number {
    return this.isPlaced ? (this.starts[at] ?? 0) : 0
  }

  endOf(at: number): number {
    return this.isPlaced ? (this.ends[at] ?? 0) : 0
  }
}

const NONE = new Int32Array(0)

/** Room for views that are looked through at once and not kept: room that is made anew costs more than what is done in it. */
const ROOM = new Uint16Array(65_536)
let isRoomOpen = false
/** Units that finished views take, and whether one is being filled behind them. */
let roomTaken = 0
let isRoomBusy = false
let isRoomFull = false

/** Builds the views of `use` in the same room again and again, which is wiped: they must not be kept. */
export function withRoom<T>(use: () => T): T {
  if (isRoomOpen) return use()
  isRoomOpen = true
  try {
    return use()
  } finally {
    // One that was not finished, or did not fit, may have left its beginning behind.
    ROOM.fill(0, 0, isRoomBusy || isRoomFull ? ROOM.length : roomTaken)
    roomTaken = 0
    isRoomFull = false
    isRoomOpen = false
    isRoomBusy = false
  }
}

const BLANK = 0x20

/** Shorter stretches are copied faster one by one. */
const COPIED_SINGLY = 64

/** Fills a view unit by unit. */
export class ViewBuilder {
  readonly #isPlaced: boolean
  #isInRoom: boolean
  #units: Uint16Array
  #starts: Int32Array
  #ends: Int32Array
  #length = 0
  /** All bits of the units that were added one by one. */
  #bits = 0
  /** The lowest of them. */
  #lowest = BREAK

  constructor(capacity: number, isPlaced: boolean) {
    this.#isPlaced = isPlaced
    this.#isInRoom = isRoomOpen && !isRoomBusy && !isPlaced
    isRoomBusy ||= this.#isInRoom
    this.#units = this.#isInRoom ? ROOM.subarray(roomTaken) : new Uint16Array(capacity)
    this.#starts = isPlaced ? new Int32Array(capacity) : NONE
    this.#ends = isPlaced ? new Int32Array(capacity) : NONE
  }

  get length(): number {
    return this.#length
  }

  add(unit: number, start: number, end: number): void {
    this.#bits |= unit
    if (unit < this.#lowest) this.#lowest = unit
    this.#put(unit, start, end)
  }

  #put(unit: number, start: number, end: number): void {
    const at = this.#length
    if (at === this.#units.length) this.#growTo(at + 1)
    this.#units[at] = unit
    if (this.#isPlaced) {
      this.#starts[at] = start
      this.#ends[at] = end
    }
    this.#length = at + 1
  }

  addBreak(at: number): void {
    this.#put(BREAK, at, at)
  }

  /** Adds units of a view as they are. */
  copy(view: View, from: number, to: number): void {
    const length = this.#length + to - from
    if (to <= from) return
    if (length > this.#units.length) this.#growTo(length)
    if (to - from < COPIED_SINGLY) {
      const own = this.#units
      const { units } = view
      for (let at = this.#length - from, i = from; i < to; i++) own[at + i] = units[i] as number
    } else this.#units.set(view.units.subarray(from, to), this.#length)
    if (this.#isPlaced) {
      this.#starts.set(view.starts.subarray(from, to), this.#length)
      this.#ends.set(view.ends.subarray(from, to), this.#length)
    }
    this.#length = length
  }

  /** Adds units of the given text as they are. */
  copyText(units: Uint16Array, from: number, to: number): void {
    const at = this.#length
    const length = at + to - from
    if (length > this.#units.length) this.#growTo(length)
    this.#units.set(units.subarray(from, to), at)
    if (this.#isPlaced)
      for (let i = 0; i < to - from; i++) {
        this.#starts[at + i] = from + i
        this.#ends[at + i] = from + i + 1
      }
    this.#length = length
  }

  view(isOrdered: boolean): View {
    if (this.#isInRoom) {
      roomTaken += this.#length
      isRoomBusy = false
    }
    return new View({
      units: this.#units,
      length: this.#length,
      starts: this.#starts,
      ends: this.#ends,
      isPlaced: this.#isPlaced,
      isOrdered,
      isNewAscii: this.#bits < 0x80,
      isNewBroken: this.#lowest < BLANK,
    })
  }

  #growTo(length: number): void {
    const size = Math.max(64, this.#units.length * 2, length)
    const units = new Uint16Array(size)
    units.set(this.#units)
    this.#units = units
    if (this.#isInRoom) {
      this.#isInRoom = false
      isRoomBusy = false
      isRoomFull = true
    }
    if (!this.#isPlaced) return
    const starts = new Int32Array(size)
    starts.set(this.#starts)
    const ends = new Int32Array(size)
    ends.set(this.#ends)
    this.#starts = starts
    this.#ends = ends
  }
}

/** Makes a view of a view in which stretches are replaced, one after the other. */
export class Rewriting {
  readonly #view: View
  readonly #margin: number
  #builder: ViewBuilder | null = null
  /** Up to where the view was replaced, and up to where it will be copied at least. */
  #done = 0
  #wanted = 0

  /** @param margin how much of what is not replaced stays around what is */
  constructor(view: View, margin: number) {
    this.#view = view
    this.#margin = margin
  }

  /** @param until up to where all that belongs to the stretch stands */
  replace(from: number, to: number, units: readonly number[], until = to): void {
    const view = this.#view
    this.#builder ??= new ViewBuilder(view.length, view.isPlaced)
    const builder = this.#builder
    const near = Math.max(this.#done, from - this.#margin)
    if (this.#wanted < near) {
      builder.copy(view, this.#done, this.#wanted)
      builder.addBreak(view.startOf(near))
      builder.copy(view, near, from)
    } else builder.copy(view, this.#done, from)
    for (const one of units) builder.add(one, view.startOf(from), view.endOf(until - 1))
    this.#done = to
    this.#wanted = Math.min(view.length, to + this.#margin)
  }

  /** @returns null when nothing was replaced */
  result(): View | null {
    if (this.#builder === null) return null
    this.#builder.copy(this.#view, this.#done, this.#wanted)
    return this.#builder.view(this.#view.isOrdered)
  }
}

/** The units of a text from one place to another, with their places. */
export function viewOf(text: string, from: number, to: number): View {
  const length = to - from
  const units = new Uint16Array(length)
  const starts = new Int32Array(length)
  const ends = new Int32Array(length)
  for (let i = 0; i < length; i++) {
    units[i] = text.charCodeAt(from + i)
    starts[i] = from + i
    ends[i] = from + i + 1
  }
  return new View({
    units,
    length,
    starts,
    ends,
    isPlaced: true,
    isOrdered: true,
    isNewAscii: true,
    isNewBroken: true,
  })
}
