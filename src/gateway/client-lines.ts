import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { LineReader } from '../mcp/wire/index.ts'
import type { Relay } from './relay.ts'

export interface ClientLinesOptions {
  readonly input: Readable
  readonly output: Writable
  /** A longer message is refused; no more than this is ever held of one. */
  readonly maxMessageBytes: number
  /** The client reads no more. */
  readonly onGone: () => void
}

/** Messages of the client that may be judged at once; the next are not read before. */
const MAX_UNDERWAY = 256

/** A client on two streams, one message a line. */
export class ClientLines {
  readonly #options: ClientLinesOptions
  #isGone = false
  readonly #onGone = (): void => {
    this.#isGone = true
    this.#options.onGone()
  }

  constructor(options: ClientLinesOptions) {
    this.#options = options
    options.output.on('error', this.#onGone)
    options.output.on('close', this.#onGone)
  }

  say(text: string): void {
    const { output } = this.#options
    if (output.writable) output.write(`${text}\n`)
  }

  /** Resolves when the client takes more, or is gone. */
  async caughtUp(): Promise<void> {
    const { output } = this.#options
    if (output.writableNeedDrain && !this.#isGone) await drained(output)
  }

  /**
   * Hands on what the client says, until its input ends.
   *
   * @param next awaited before more is read
   */
  async read(
    relay: Relay,
    next: () => Promise<unknown> | undefined = () => undefined,
  ): Promise<void> {
    const { input, maxMessageBytes } = this.#options
    const reader = new LineReader({
      maxBytes: maxMessageBytes,
      onLine: (line) => relay.fromClient(line),
      onTooLong: () => relay.tooLongFromClient(maxMessageBytes),
    })
    for await (const chunk of input) {
      reader.push(chunk as Buffer)
      if (relay.underway > MAX_UNDERWAY) await relay.idle()
      await next()
    }
    reader.end()
    await relay.idle()
  }

  /** Lets go of the streams, once all that was said is handed over. */
  async end(): Promise<void> {
    const { input, output } = this.#options
    input.destroy()
    if (!this.#isGone)
      await Promise.race([
        new Promise<void>((resolve) => {
          output.write('', () => resolve())
        }),
        once(output, 'close').catch(() => {}),
      ])
    output.off('error', this.#onGone)
    output.off('close', this.#onGone)
  }
}

/** Resolves when the stream takes more, or is gone. */
export function drained(stream: Writable): Promise<unknown> {
  return Promise.race([
    once(stream, 'drain').catch(() => {}),
    once(stream, 'close').catch(() => {}),
  ])
}
