import { Readable } from 'node:stream'
import type { AnswerFields } from './answer-reader.ts'
import { type BodyOptions, bodyChunks } from './body-chunks.ts'
import type { Connections, UnderWay, Waiter } from './connections.ts'
import { netFault, timedOut, tooLarge } from './net-faults.ts'
import type { Hop } from './redirects.ts'

export interface ArrivingOptions {
  readonly url: URL
  /** Until the headers of the answer are there, in milliseconds. */
  readonly deadlineMs: number
  /** The longest silence of the body while somebody waits for it; null for any. */
  readonly idleMs: number | null
  readonly signal: AbortSignal | undefined
}

export interface ArrivedHead {
  readonly status: number
  readonly headers: AnswerHeaders
}

/** So much lies ready before the server is made to wait for the reader. */
const MAX_AHEAD_BYTES = 65_536

class LeftUnread extends Error {
  readonly code = 'ECANCELED'
}

/** The fields of an answer, by names in lower case; several of one name are joined, as `Headers` does. */
export class AnswerHeaders {
  readonly #fields: AnswerFields

  constructor(fields: AnswerFields) {
    this.#fields = fields
  }

  get(name: string): string | null {
    const value = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
    if (value === undefined) return null
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/**
 * The answer to one request as its connection hands it over. What lies between two pieces costs nothing but memory; a
 * reader that is slow makes the server wait.
 */
export class Arriving implements Waiter {
  readonly head: Promise<ArrivedHead>
  readonly #options: ArrivingOptions
  readonly #onAbort: (() => void) | null
  #resolve: (head: ArrivedHead) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #underWay: UnderWay | null = null
  #isPaused = false
  #timer: NodeJS.Timeout | undefined
  #chunks: Buffer[] = []
  #aheadBytes = 0
  #isWhole = false
  /** Why nothing more comes, in an object because a caller's reason may be anything. */
  #end: { readonly reason: unknown } | null = null
  #wake: (() => void) | null = null

  constructor(options: ArrivingOptions) {
    this.#options = options
    const { deadlineMs, signal } = options
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#onAbort = signal === undefined ? null : () => this.#stop(signal.reason)
    if (signal?.aborted === true) this.#stop(signal.reason)
    else {
      if (this.#onAbort !== null) signal?.addEventListener('abort', this.#onAbort, { once: true })
      this.#timer = setTimeout(() => this.#stop(timedOut(options.url, deadlineMs)), deadlineMs)
    }
  }

  /** Sends the request, unless its caller left meanwhile. */
  begin(connections: Connections, hop: Hop): void {
    if (this.#end === null) this.#underWay = connections.send(hop, this)
  }

  onHead(status: number, fields: AnswerFields): void {
    clearTimeout(this.#timer)
    this.#resolve({ status, headers: new AnswerHeaders(fields) })
  }

  onData(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#aheadBytes += chunk.length
    if (this.#aheadBytes > MAX_AHEAD_BYTES && !this.#isPaused) {
      this.#isPaused = true
      this.#underWay?.pause()
    }
    this.#woken()
  }

  onEnd(): void {
    this.#isWhole = true
    this.#over()
    this.#woken()
  }

  onError(error: Error): void {
    this.#fail(netFault(error, this.#options.url))
  }

  /** Nothing could be sent. */
  readonly fail = (error: unknown): void => this.#fail(netFault(error, this.#options.url))

  /** Leaves what is not read yet, and the connection with it. */
  readonly cancel = (): void => {
    if (!this.#isWhole) this.#stop(netFault(new LeftUnread(), this.#options.url))
    this.#chunks = []
  }

  /** @throws {Fault} `NET_TOO_LARGE` with the first byte beyond the limit */
  async whole(maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    let size = 0
    for (;;) {
      const chunk = this.#taken() ?? (await this.#next())
      if (chunk === null) break
      size += chunk.length
      if (size > maxBytes) {
        this.cancel()
        throw tooLarge(this.#options.url, maxBytes)
      }
      chunks.push(chunk)
    }
    const [first] = chunks
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  }

  /** The body piece by piece, decompressed. */
  async *pieces({ encoding, maxBytes }: Omit<BodyOptions, 'url'>): AsyncGenerator<Buffer> {
    const { url } = this.#options
    try {
      if (encoding === null) yield* this.#raw(maxBytes)
      else
        yield* bodyChunks(Readable.from(this.#raw(null), { objectMode: false }), {
          url,
          encoding,
          maxBytes,
        })
    } catch (error) {
      throw this.#end === null ? netFault(error, url) : this.#end.reason
    } finally {
      this.cancel()
    }
  }

  async *#raw(maxBytes: number | null): AsyncGenerator<Buffer> {
    let size = 0
    for (;;) {
      const chunk = this.#taken() ?? (await this.#next())
      if (chunk === null) return
      size += chunk.length
      if (maxBytes !== null && size > maxBytes) throw tooLarge(this.#options.url, maxBytes)
      yield chunk
    }
  }

  /** What lies ready. */
  #taken(): Buffer | undefined {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return undefined
    this.#aheadBytes -= chunk.length
    if (this.#isPaused && this.#aheadBytes <= MAX_AHEAD_BYTES) {
      this.#isPaused = false
      this.#underWay?.resume()
    }
    return chunk
  }

  /** @returns null behind the last one */
  async #next(): Promise<Buffer | null> {
    for (;;) {
      const chunk = this.#taken()
      if (chunk !== undefined) return chunk
      if (this.#end !== null) throw this.#end.reason
      if (this.#isWhole) return null
      await this.#more()
    }
  }

  #more(): Promise<void> {
    const { url, idleMs } = this.#options
    return new Promise((resolve) => {
      this.#wake = resolve
      if (idleMs !== null) this.#timer = setTimeout(() => this.#stop(timedOut(url, idleMs)), idleMs)
    })
  }

  #woken(): void {
    if (this.#wake === null) return
    clearTimeout(this.#timer)
    this.#wake()
    this.#wake = null
  }

  #stop(reason: unknown): void {
    if (this.#end !== null || this.#isWhole) return
    this.#fail(reason)
    this.#underWay?.abort()
  }

  #fail(reason: unknown): void {
    if (this.#end !== null || this.#isWhole) return
    this.#end = { reason }
    this.#over()
    this.#reject(reason)
    this.#woken()
  }

  #over(): void {
    clearTimeout(this.#timer)
    if (this.#onAbort !== null) this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}
