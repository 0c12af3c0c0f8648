import { type Refused, RPC_ERRORS } from './envelope.ts'

const NEWLINE = 0x0a
const RETURN = 0x0d

/** A message of more bytes may be taken up elsewhere. */
export const LARGE_BYTES = 2_097_152

/** A message that is too large to be held, on its way to where it is put aside. */
export interface LargeLine {
  push(bytes: Buffer): void
  /** @returns what is to be read in its place, or why it is refused */
  end(): Buffer | Refused
  /** It will not be complete. */
  drop(): void
}

export interface LineReaderOptions {
  /** No longer line is given, in bytes. */
  readonly maxBytes: number
  /** Takes up a line of more than 2 MiB, piece by piece; null: it is held as others are. */
  large?(): LargeLine | null
  /** One line without its newline; a carriage return before that is part of it. */
  onLine(line: Buffer): void
  /** A line ended that was too long, or could not be put aside. Its bytes are gone. */
  onTooLong(refused: Refused): void
}

export function tooLarge(maxBytes: number): Refused {
  const message = `The message is larger than ${maxBytes} bytes.`
  return { kind: 'refused', code: RPC_ERRORS.request, message, idText: 'null' }
}

/** Cuts bytes into lines, whatever pieces they come in. Empty lines are passed over. */
export class LineReader {
  readonly #options: LineReaderOptions
  #held: Buffer[] = []
  #heldBytes = 0
  #isSkipping = false
  #large: LargeLine | null = null

  constructor(options: LineReaderOptions) {
    this.#options = options
  }

  /** Whether the next byte begins a line. */
  get isBetween(): boolean {
    return this.#heldBytes === 0 && !this.#isSkipping && this.#large === null
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
    const { maxBytes } = this.#options
    const isHeld = this.#heldBytes > 0 || this.#isSkipping || this.#large !== null
    if (!isHeld && last.length <= maxBytes) {
      this.#give(last)
      return
    }
    this.#hold(last)
    if (this.#large !== null) {
      const line = this.#large.end()
      this.#large = null
      if (Buffer.isBuffer(line)) this.#give(line)
      else this.#options.onTooLong(line)
      return
    }
    const line = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)
    const wasSkipping = this.#isSkipping
    this.#held = []
    this.#heldBytes = 0
    this.#isSkipping = false
    if (wasSkipping) this.#options.onTooLong(tooLarge(maxBytes))
    else if (line !== undefined) this.#give(line)
  }

  #give(line: Buffer): void {
    const isBlank = line.length === 0 || (line.length === 1 && line[0] === RETURN)
    if (!isBlank) this.#options.onLine(line)
  }

  #hold(part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return
    if (this.#large === null && this.#heldBytes + part.length > LARGE_BYTES) {
      this.#large = this.#options.large?.() ?? null
      if (this.#large !== null) for (const held of this.#held) this.#large.push(held)
      if (this.#large !== null) this.#held = []
    }
    if (this.#large !== null) {
      this.#large.push(part)
      this.#heldBytes = 0
      return
    }
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
