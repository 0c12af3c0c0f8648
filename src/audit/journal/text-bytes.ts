const DIGIT_0 = 48
const MOST_DIGITS = 16
const HALF_DIGITS = 8
const HALF = 10 ** HALF_DIGITS

/**
 * Text as bytes of UTF-8, one piece after another. Short pieces of ASCII are copied here, unit by unit: joining them
 * first and having the whole encoded takes longer than that.
 */
export class TextBytes {
  #bytes = Buffer.allocUnsafe(8_192)
  #length = 0

  /** What was written, and room behind it. Another one after the next piece. */
  get bytes(): Buffer {
    return this.#bytes
  }

  get length(): number {
    return this.#length
  }

  text(text: string): this {
    this.#makeRoom(text.length * 3)
    const bytes = this.#bytes
    let to = this.#length
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at)
      if (unit > 127) {
        this.#length = to + bytes.write(text.slice(at), to, 'utf8')
        return this
      }
      bytes[to] = unit
      to += 1
    }
    this.#length = to
    return this
  }

  /** In digits. @param value whole, from 0 to 2^53 - 1 */
  integer(value: number): void {
    this.#makeRoom(MOST_DIGITS)
    let digits = 1
    for (let most = 10; most <= value; most *= 10) digits += 1
    const bytes = this.#bytes
    const end = this.#length + digits
    // In halves that are small integers to the compiler: as text a number would be made, looked up and kept.
    const high = Math.floor(value / HALF)
    let low = value - high * HALF
    for (let at = end - 1; at >= this.#length; at -= 1) {
      if (at === end - 1 - HALF_DIGITS) low = high
      const tens = Math.floor(low / 10)
      bytes[at] = DIGIT_0 + low - tens * 10
      low = tens
    }
    this.#length = end
  }

  byte(byte: number): void {
    this.#makeRoom(1)
    this.#bytes[this.#length] = byte
    this.#length += 1
  }

  /** Leaves room for what is known later. */
  skip(bytes: number): void {
    this.#makeRoom(bytes)
    this.#length += bytes
  }

  /** Forgets what stands there and behind it. */
  cut(length: number): void {
    this.#length = length
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#bytes.byteLength) return
    const larger = Buffer.allocUnsafe(needed * 2)
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/** @param text of ASCII, for which there is room */
export function writeAscii(bytes: Uint8Array, at: number, text: string): void {
  for (let unit = 0; unit < text.length; unit += 1) bytes[at + unit] = text.charCodeAt(unit)
}
