/**
 * Classes of units that some detector or decoder looks for. While the keywords of a text are looked for, it is noted
 * where they stand, so that nobody passes over the whole text again for what is not there.
 */
export const MARK = {
  /** `%` */
  percent: 1,
  /** `\` */
  backslash: 2,
  /** `&` */
  ampersand: 4,
  /** `=` */
  equals: 8,
  /** U+0000 */
  nul: 16,
  /** Decimal digits, as many as a telephone number has, within two blocks. */
  digits: 32,
  /** Units that may be a part of what nobody sees: the removable code points and private use. */
  hidden: 64,
  /** Units that may look like ASCII, or are a part of something that does. */
  foreign: 128,
} as const

/** Units of a block: where a mark stands is known this exactly. */
export const BLOCK = 64

/** So many digits in a block and the next one are marked: no detector of numbers takes fewer. */
const DENSE = 7
/** As many as the shortest list of character codes has, which is no longer than a block. */
const LISTED = 8

const UNITS = 65_536

/** By unit: its marks. */
export const MARKS_OF_UNIT: Readonly<Uint8Array> = marksOfUnits()

function marksOfUnits(): Uint8Array {
  const marks = new Uint8Array(UNITS)
  const add = (mark: number, ...ranges: readonly (readonly [first: number, last?: number])[]) => {
    for (const [first, last = first] of ranges)
      for (let unit = first; unit <= last; unit++) marks[unit] = (marks[unit] ?? 0) | mark
  }
  add(MARK.percent, [0x25])
  add(MARK.backslash, [0x5c])
  add(MARK.ampersand, [0x26])
  add(MARK.equals, [0x3d])
  add(MARK.nul, [0])
  add(MARK.digits, [0x30, 0x39])
  add(
    MARK.hidden,
    [0xad],
    [0x34f],
    [0x61c],
    [0x115f, 0x1160],
    [0x17b4, 0x17b5],
    [0x180b, 0x180f],
    [0x200b, 0x200f],
    [0x202a, 0x202e],
    [0x2060, 0x206f],
    [0x3164],
    // High surrogates of shorthand and musical formats, of private use, and of plane 14.
    [0xd82f],
    [0xd834],
    [0xdb40, 0xdb43],
    [0xdb80, 0xdbff],
    [0xe000, 0xf8ff],
    [0xfe00, 0xfe0f],
    [0xfeff],
    [0xffa0],
    [0xfff0, 0xfffb],
  )
  add(
    MARK.foreign,
    [0x250, 0x2ff],
    [0x370, 0x1dff],
    [0x2024],
    [0x2044],
    [0x2100, 0x214f],
    [0x2215],
    [0x24b6, 0x24e9],
    [0x29f8],
    [0x2c80, 0x2dff],
    [0xa4d0, 0xabff],
    [0xd800, 0xd83c],
    [0xfe52],
    [0xfe68],
    [0xff01, 0xff5e],
  )
  return marks
}

/** Which marks stand in a text, and in which of its blocks. */
export class Marks {
  /** Of the whole text. */
  readonly all: number
  readonly #blocks: Uint8Array
  readonly #length: number
  /** Blocks in which a list of numbers may stand. */
  readonly #listed: number[] = []

  /**
   * @param blocks - by block of the text its marks, without that of digits, which is added
   * @param digits - by block how many digits there are; it may be longer
   */
  constructor(blocks: Uint8Array, digits: Uint8Array, length: number) {
    let all = 0
    const last = blocks.length - 1
    for (let block = 0; block <= last; block++) {
      const before = block === 0 ? 0 : (digits[block - 1] as number)
      const after = block === last ? 0 : (digits[block + 1] as number)
      const around = Math.max(before, after)
      const own = (blocks[block] as number) & ~MARK.digits
      const count = (digits[block] as number) + around
      const marks = count < DENSE ? own : own | MARK.digits
      if (count >= LISTED) this.#listed.push(block)
      blocks[block] = marks
      all |= marks
    }
    this.all = all
    this.#blocks = blocks
    this.#length = length
  }

  has(mark: number): boolean {
    return (this.all & mark) !== 0
  }

  /**
   * Where a mark may stand, in order: stretches of blocks, widened and merged.
   *
   * @returns pairs of from and to, flat
   */
  stretches(mark: number, before: number, after: number): number[] {
    const found: number[] = []
    if (!this.has(mark)) return found
    for (let block = 0; block < this.#blocks.length; block++)
      if (((this.#blocks[block] as number) & mark) !== 0) this.#add(found, block, before, after)
    return found
  }

  /** As `stretches`, where a list of numbers may stand. */
  listStretches(before: number): number[] {
    const found: number[] = []
    for (const block of this.#listed) this.#add(found, block, before, 0)
    return found
  }

  #add(to: number[], block: number, before: number, after: number): void {
    const from = Math.max(0, block * BLOCK - before)
    const end = Math.min(this.#length, (block + 1) * BLOCK + after)
    if (to.length > 0 && from <= (to.at(-1) as number)) to[to.length - 1] = end
    else to.push(from, end)
  }
}

/** The marks of a text in which no keywords are looked for. */
export function marksOf(text: string): Marks {
  const count = Math.ceil(text.length / BLOCK)
  const blocks = new Uint8Array(count)
  const digits = new Uint8Array(count)
  for (let block = 0; block < count; block++) {
    const end = Math.min(text.length, (block + 1) * BLOCK)
    let marks = 0
    let found = 0
    for (let at = block * BLOCK; at < end; at++) {
      const own = MARKS_OF_UNIT[text.charCodeAt(at)] as number
      marks |= own
      found += own & MARK.digits
    }
    blocks[block] = marks
    digits[block] = found / MARK.digits
  }
  return new Marks(blocks, digits, text.length)
}
