const NEWLINE = 0x0a
const RETURN = 0x0d

export interface LineReaderOptions {
  /** No more than this is ever held of a line, in bytes. */
  readonly maxBytes: number
  /** One line without its newline; a carriage return before that is part of it. */
  onLine(line: Buffer): void
  /** A longer line ended. Its bytes are gone. */
  onTooLong(): void
}

/** Cuts bytes into lines, whatever pieces they come in. Empty lines are passed over. */
export class LineReader {
  readonly #options: LineReaderOptions
  #held: Buffer[] = []
  #heldBytes = 0
  #isSkipping = false

  constructor(options: LineReaderOptions) {
    this.#options = options
  }

  push(chunk: Buffer): void {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end === -1) break
      this.#take(chunk.subarray(start, end))
      start = end + 1
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  /** What stands behind the last newline is a line too. */
  end(): void {
    this.#take(Buffer.alloc(0))
  }

  #take(last: Buffer): void {
    if (this.#heldBytes === 0 && !this.#isSkipping && last.length <= this.#options.maxBytes) {
      this.#give(last)
      return
    }
    this.#hold(last)
    const line = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)
    const wasSkipping = this.#isSkipping
    this.#held = []
    this.#heldBytes = 0
    this.#isSkipping = false
    if (wasSkipping) this.#options.onTooLong()
    else if (line !== undefined) this.#give(line)
  }

  #give(line: Buffer): void {
    const isBlank = line.length === 0 || (line.length === 1 && line[0] === RETURN)
    if (!isBlank) this.#options.onLine(line)
  }

  #hold(part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return
    if (this.#heldBytes + part.length > this.#options.maxBytes) {
      this.#held = []
      this.#heldBytes = 0
      this.#isSkipping = true
      return
    }
    this.#held.push(part)
    this.#heldBytes += part.length
  }
}
