import { mayBeWide, textOfBytes, utf8Until } from './bytes.ts'
import {
  beginsLikeText,
  bytesOf,
  type Digits,
  FOUR_BITS,
  isDigit,
  isInRun,
  SIX_BITS,
} from './digits.ts'

/** Lines of wrapped base64 are at least this long, but the last. */
export const MIN_LINE = 40

const BREAK = /(?:\r?\n|\\r\\n|\\n)[ \t]{0,8}/y

/** Digits looked at first to tell whether all are text, and by how much more each time. */
const FIRST_LOOK = 256
const MORE = 8
/** What is decoded to its end and is no text after all, at most, as often the length of all lines. */
const MAX_VAIN = 8

/**
 * Lines of digits that follow one another. Encoded text may begin with each of them and goes on to the last: what one
 * look has told of the others is kept, so that they are not all decoded again for each line.
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
  /** By alignment of bytes to digits: what begins before it is no UTF-8. */
  readonly #broken = { [SIX_BITS.bits]: [0, 0, 0, 0], [FOUR_BITS.bits]: [0, 0] }
  /** The last unit that is no hex digit; -1 where all are, null where nobody asked. */
  #lastNotHex: number | null = null
  #vain: number

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
    this.#vain = offset * MAX_VAIN
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

  /** What stands from one line to the end, as text; null when it is none. */
  textFrom(offset: number, digits: Digits): string | null {
    const { joined } = this
    if (this.#vain <= 0 || !beginsLikeText(digits, joined, offset, joined.length)) return null
    if (digits === FOUR_BITS && this.#lastOther() >= offset) return null
    const aligned = this.#broken[digits.bits] ?? []
    const alignment = offset % digits.group
    for (let size = FIRST_LOOK; ; size *= MORE) {
      const end = Math.min(joined.length, offset + size)
      const isAll = end === joined.length
      const bytes = bytesOf(digits, joined, offset, end)
      if (bytes === null) return null
      if (!mayBeWide(bytes)) {
        if (offset < (aligned[alignment] ?? 0)) return null
        const until = utf8Until(bytes)
        // The last character of a part may go on behind it.
        if (until < bytes.length - (isAll ? 0 : 3)) {
          aligned[alignment] = offset + Math.floor((until * 8) / digits.bits)
          return null
        }
      }
      if (!isAll) continue
      const text = textOfBytes(bytes)
      if (text === null) this.#vain -= bytes.length
      return text
    }
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
