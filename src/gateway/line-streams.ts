import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { mentionsHeld } from '../core/held-values.ts'
import { LineReader, type Refused } from '../mcp/wire/index.ts'
import { bareWriter, pieceOf, readBare } from '../net/index.ts'
import { firstEvent } from './first-event.ts'
import { largeIntake } from './large-lines.ts'

type Work = void | Promise<void>

/** Its bytes, or its text where all of it is ASCII. */
export type Line = Buffer | string

/** A `LineWriter`, or one after another. */
export type HeldWriter = Pick<LineWriter, 'hold' | 'release'>

export interface LinesOptions {
  /** No more than this is ever held of a line. */
  readonly maxBytes: number
  /** The next line is given once this one is done; without a promise it is. */
  onLine(line: Line): Work
  onTooLong(refused: Refused): void
  /** Told before several lines that came in one piece, and behind the last of them. */
  readonly together?: { gather(): void; flush(): void }
  /** Hold what is written while a piece is handled, and write it at its end. */
  readonly writers?: readonly HeldWriter[]
  /** Called after each piece of the stream; nothing more is read until it is done. */
  afterPiece?(): Work
}

const NEWLINE = 0x0a
/** Longer pieces are read faster as bytes, and a line that is kept keeps its piece. */
const MAX_PLAIN = 16_384
const PLAIN = /^[\t\n -~]+$/

/** The lines of a piece that is whole lines of ASCII, as nearly every piece is; null for any other. */
function plainLines(bytes: Buffer, length: number): string[] | null {
  const end = length - 1
  if (length > MAX_PLAIN || bytes[end] !== NEWLINE) return null
  const text = bytes.toString('latin1', 0, end)
  if (!PLAIN.test(text)) return null
  return text.includes('\n') ? text.split('\n').filter((line) => line !== '') : [text]
}

/** Gives every line of a stream, one after another. Resolves when it ended, or broke, and all lines are done. */
export function readLines(stream: Readable, options: LinesOptions): Promise<void> {
  let lines: Line[] = []
  let working: Promise<void> | null = null
  const { maxBytes } = options
  const reader = new LineReader({
    maxBytes,
    large: () => largeIntake({ maxBytes, isOneLine: false }),
    onLine: (line) => lines.push(line),
    onTooLong: (refused) => options.onTooLong(refused),
  })
  const handle = (all: readonly Line[], from: number): Work => {
    for (let at = from; at < all.length; at += 1) {
      const done = options.onLine(all[at] as Line)
      if (done instanceof Promise) return done.then(() => handle(all, at + 1))
    }
    options.together?.flush()
    return options.afterPiece?.()
  }
  const { writers = [] } = options
  const work = (): Work => {
    const now = lines
    lines = []
    const together = now.length > 1 ? options.together : undefined
    together?.gather()
    for (const writer of writers) writer.hold()
    try {
      return handle(now, 0)
    } finally {
      together?.flush()
      for (const writer of writers) writer.release()
    }
  }
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void => {
      stream.destroy()
      reject(error instanceof Error ? error : new Error('a line could not be handled'))
    }
    const onPiece = (bytes: Buffer, length: number, isKept: boolean): void => {
      try {
        const plain = maxBytes >= length && reader.isBetween ? plainLines(bytes, length) : null
        if (plain !== null && lines.length === 0) lines = plain
        else if (plain !== null) lines.push(...plain)
        else reader.push(isKept ? bytes : pieceOf(bytes, length))
        const done = work()
        if (!(done instanceof Promise)) return
        stream.pause()
        working = done.then(() => {
          working = null
          stream.resume()
        })
        working.catch(failed)
      } catch (error) {
        failed(error)
      }
    }
    if (readBare(stream, (bytes, length) => onPiece(bytes, length, false)) === null)
      stream.on('data', (piece: Buffer) => onPiece(piece, piece.length, true))
    // A pipe that broke has ended; what the process behind it ended with tells more.
    stream.on('error', () => {})
    // A file that was read to its end does not close by itself.
    const onEnd = (): void => {
      stream.off('end', onEnd)
      stream.off('close', onEnd)
      const last = async (): Promise<void> => {
        await working
        reader.end()
        await work()
      }
      last().then(resolve, failed)
    }
    stream.on('end', onEnd)
    stream.on('close', onEnd)
  })
}

/** Writes lines to a stream; those of one turn go out together. */
export class LineWriter {
  readonly #stream: Writable
  readonly #write: (text: string) => void
  readonly #keeps: boolean
  #pending = ''
  #isHeld = false
  /** While a message with large values is written, the others wait. */
  #large: Promise<void> | null = null

  /** @param keeps whether messages may have to be written again: their large values are kept for a while */
  constructor(stream: Writable, keeps = false) {
    this.#stream = stream
    this.#write = bareWriter(stream)
    this.#keeps = keeps
  }

  write(text: string): void {
    if (mentionsHeld(text)) {
      this.#writeLarge(text)
      return
    }
    if (this.#pending === '' && !this.#isHeld) process.nextTick(() => this.flush())
    this.#pending += `${text}\n`
  }

  /** Nothing goes out by itself until `release`. */
  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    if (this.#pending !== '') this.flush()
  }

  #writeLarge(text: string): void {
    this.flush()
    const before = this.#large ?? Promise.resolve()
    const pending = this.#pending
    this.#pending = ''
    const now = (async () => {
      await before
      if (pending !== '' && this.#stream.writable) this.#stream.write(pending)
      const { writeLine } = await import('./large-messages.ts')
      await writeLine(this.#stream, text, this.#keeps)
    })().finally(() => {
      if (this.#large !== now) return
      this.#large = null
      this.flush()
    })
    this.#large = now
  }

  flush(): void {
    if (this.#large !== null) return
    const text = this.#pending
    this.#pending = ''
    if (text !== '' && this.#stream.writable) this.#write(text)
  }

  /** @returns a promise while the stream takes no more */
  drained(): Work {
    this.flush()
    if (this.#large !== null) return this.#large.then(() => this.drained())
    return this.#stream.writableNeedDrain ? firstEvent(this.#stream, 'drain', 'close') : undefined
  }

  /** Resolves when all that was written is handed over, or the stream is gone. */
  async written(): Promise<unknown> {
    await this.#large
    this.flush()
    const stream = this.#stream
    return Promise.race([
      new Promise<void>((resolve) => {
        stream.write('', () => resolve())
      }),
      once(stream, 'close').catch(() => {}),
    ])
  }
}
