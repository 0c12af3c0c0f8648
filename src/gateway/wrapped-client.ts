import type { Readable, Writable } from 'node:stream'
import { sleep } from '../core/time.ts'
import type { Message } from '../mcp/wire/index.ts'
import { EraBridge } from './era-bridge.ts'
import { type HeldWriter, LineWriter, readLines } from './line-streams.ts'
import { ListNotices } from './list-notices.ts'
import { Relay } from './relay.ts'
import type { RelayOptions } from './relay-options.ts'

export interface WrappedClientOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly input: Readable
  readonly output: Writable
  /** A longer message is refused; no more than this is ever held of one. */
  readonly maxMessageBytes: number
  /** Calls back when the policies may have changed. @returns ends it */
  readonly onPoliciesChanged: (listener: () => void) => () => void
}

/** Messages of the client that may be judged at once; the next are not read before. */
const MAX_UNDERWAY = 256

/** A client on two streams with all that stands between it and its server, whatever carries messages to that. */
export class WrappedClient {
  readonly relay: Relay
  readonly bridge: EraBridge
  readonly #options: WrappedClientOptions
  readonly #writer: LineWriter
  readonly #endNotices: () => void
  readonly #onGone: () => void
  #isGone = false

  /** @param onGone the client reads no more */
  constructor(
    options: WrappedClientOptions,
    toServer: (text: string, message: Message | null) => void,
    onGone: () => void,
  ) {
    this.#options = options
    const { output, policiesNow, onPoliciesChanged, log } = options
    const writer = new LineWriter(output)
    const notices = new ListNotices(policiesNow)
    const relay = new Relay({
      ...options,
      asksStanding: true,
      toClient: (said, about) => {
        const isAnswer = about !== null && !relay.isOpen(about)
        const { text } = notices.shown(said, about, isAnswer)
        if (text !== null) writer.write(text)
      },
      toServer: (text, message) => {
        if (message !== null) notices.asked(message)
        bridge.fromClient(text, message)
      },
    })
    const bridge = new EraBridge({
      toServer,
      hear: (message, about) => relay.hear(message, about),
      failed: (idKey, end, why) => relay.serverFailed(idKey, end, why),
      log,
      startMs: options.path.health.startMs,
    })
    this.relay = relay
    this.bridge = bridge
    this.#writer = writer
    this.#endNotices = onPoliciesChanged(() => {
      for (const text of notices.changed()) writer.write(text)
    })
    this.#onGone = () => {
      this.#isGone = true
      onGone()
    }
    output.on('error', this.#onGone)
    output.on('close', this.#onGone)
  }

  /** Writes to the client. */
  get writer(): LineWriter {
    return this.#writer
  }

  /**
   * Hands on what the client says, until its input ends.
   *
   * @param drained a promise while the server takes no more
   * @param server writes to it, where it is a stream of lines
   */
  async read(
    drained: () => void | Promise<void>,
    server: readonly HeldWriter[] = [],
  ): Promise<void> {
    const { relay } = this
    const { input, maxMessageBytes, path } = this.#options
    await readLines(input, {
      maxBytes: maxMessageBytes,
      together: path,
      writers: [this.#writer, ...server],
      onLine: (line) => relay.fromClient(line),
      onTooLong: (refused) => relay.refuse(refused),
      afterPiece: () => {
        const waiting = drained()
        if (relay.underway <= MAX_UNDERWAY) return waiting
        return relay.idle().then(() => waiting)
      },
    })
    relay.leave()
    await relay.idle()
    // Who writes all at once and ends may be read before the server said its first word.
    const giveUp = new AbortController()
    const late = sleep(this.#options.path.health.startMs, giveUp.signal).catch(() => {})
    await Promise.race([this.bridge.settled(), late])
    giveUp.abort()
  }

  /** @returns a promise while the client takes no more */
  drained(): void | Promise<void> {
    return this.#isGone ? undefined : this.#writer.drained()
  }

  /** The server is gone: whoever waits is told how. */
  async serverEnded(how: string): Promise<void> {
    this.bridge.serverEnded(`The server ended before it answered (${how}).`)
    this.#endNotices()
    await this.relay.serverEnded(how)
  }

  /** Lets go of the streams, once all that was said is handed over. */
  async end(reading: Promise<unknown>): Promise<void> {
    const { input, output } = this.#options
    input.destroy()
    await reading.catch(() => {})
    if (!this.#isGone) await this.#writer.written()
    output.off('error', this.#onGone)
    output.off('close', this.#onGone)
  }
}
