import { textOfBytes } from './bytes.ts'
import {
  beginsLikeText,
  bytesOf,
  type Digits,
  FOUR_BITS,
  isDigit,
  isInRun,
  SIX_BITS,
} from './digits.ts'
import { textStarts } from './text-starts.ts'

/** Lines of wrapped base64 are at least this long, but the last. */
export const MIN_LINE = 40

const BREAK = /(?:\r?\n|\\r\\n|\\n)[ \t]{0,8}/y

/** What stands from one line to the end. */
interface Rest {
  readonly offset: number
  readonly bytes: Uint8Array
  /** Where text begins in the bytes that goes on to the end; null until a later line is asked for. */
  starts: ReadonlySet<number> | null
}

/**
 * Lines of digits that follow one another. Encoded text may begin with each of them and goes on to the last. They are
 * decoded once for each alignment of bytes to digits, and one walk tells of all lines where text begins.
 */
export class WrappedLines {
  /** Without the line breaks. */
  readonly joined: string
  /** Where the last line ends in the text. */
  readonly end: number
  /** Where each line begins: in the text, and joined. */
  readonly #starts: number[] = []
  readonly #offsets: number[] = []
  #line = 0
  /** By alignment of bytes to digits, from the first line that was asked for. */
  readonly #rests: Record<number, Rest[]> = { [SIX_BITS.bits]: [], [FOUR_BITS.bits]: [] }
  /** The last unit that is no hex digit; -1 where all are, null where nobody asked. */
  #lastNotHex: number | null = null

  /** @param start of the first line, @param end where it ends */
  constructor(text: string, start: number, end: number) {
    const lines: string[] = []
    let first = start
    let last = end
    let offset = 0
    for (;;) {
      lines.push(text.slice(first, last))
      this.#starts.push(first)
      this.#offsets.push(offset)
      offset += last - first
      if (last - first < MIN_LINE) break
      BREAK.lastIndex = last
      const gap = BREAK.exec(text)
      if (gap === null) break
      const next = last + gap[0].length
      if (!isInRun(text.charCodeAt(next))) break
      first = next
      last = next + 1
      while (isInRun(text.charCodeAt(last))) last += 1
    }
    this.joined = lines.join('')
    this.end = last
  }

  /**
   * Where a line begins that others follow; -1 for the last one and for what is no line.
   *
   * @param start in the text; only grows
   */
  offsetOf(start: number): number {
    const starts = this.#starts
    while (this.#line < starts.length && (starts[this.#line] as number) < start) this.#line += 1
    const isOne = starts[this.#line] === start && this.#line + 1 < starts.length
    return isOne ? (this.#offsets[this.#line] as number) : -1
  }

  /**
   * What stands from one line to the end, as text; null when it is none.
   *
   * @param offset of a line; only grows
   */
  textFrom(offset: number, digits: Digits): string | null {
    const { joined } = this
    if (!beginsLikeText(digits, joined, offset, joined.length)) return null
    if (digits === FOUR_BITS && this.#lastOther() >= offset) return null
    const rests = this.#rests[digits.bits] as Rest[]
    const alignment = offset % digits.group
    const rest = rests[alignment]
    if (rest === undefined) {
      const bytes = bytesOf(digits, joined, offset, joined.length)
      if (bytes === null) return null
      rests[alignment] = { offset, bytes, starts: null }
      return textOfBytes(bytes)
    }
    rest.starts ??= textStarts(rest.bytes, this.#placesIn(rest, digits))
    const place = ((offset - rest.offset) * digits.bits) / 8
    return rest.starts.has(place) ? textOfBytes(rest.bytes.subarray(place)) : null
  }

  /** Where the lines begin in decoded bytes that are aligned to them. */
  #placesIn({ offset }: Rest, { bits, group }: Digits): number[] {
    return this.#offsets
      .filter((one) => one >= offset && (one - offset) % group === 0)
      .map((one) => ((one - offset) * bits) / 8)
  }

  #lastOther(): number {
    if (this.#lastNotHex === null) {
      let last = this.joined.length - 1
      while (last >= 0 && isDigit(FOUR_BITS, this.joined.charCodeAt(last))) last -= 1
      this.#lastNotHex = last
    }
    return this.#lastNotHex
  }
}
