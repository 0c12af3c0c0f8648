import { Readable } from 'node:stream'
import type { AnswerFields } from './answer-reader.ts'
import { type BodyOptions, bodyChunks } from './body-chunks.ts'
import type { Connections, UnderWay, Waiter } from './connections.ts'
import { netFault, timedOut, tooLarge } from './net-faults.ts'
import type { OutgoingEars, OutgoingStream, OutgoingStreamRequest } from './outgoing.ts'
import type { Hop } from './redirects.ts'

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

/** What a body is said to be long, and what it is encoded in where there is one that could be. */
export function lengthAndEncoding(
  status: number,
  method: string,
  headers: Pick<Headers, 'get'>,
): { readonly length: number; readonly encoding: string | null } {
  if (method === 'HEAD' || status === 204 || status === 304) return { length: 0, encoding: null }
  return {
    length: Number(headers.get('content-length') ?? 0),
    encoding: headers.get('content-encoding'),
  }
}

const NO_FIELDS = new AnswerHeaders({})

/**
 * The answer to one request as its connection hands it over. What lies between two pieces costs nothing but memory; a
 * reader that is slow makes the server wait.
 */
export class Arriving implements Waiter, OutgoingStream {
  status = 0
  headers = NO_FIELDS
  readonly #hop: Hop
  readonly #ask: OutgoingStreamRequest
  readonly #onAbort: (() => void) | null
  /** Null once they know whether there is an answer. */
  #ears: OutgoingEars | null
  #underWay: UnderWay | null = null
  #encoding: string | null = null
  #isPaused = false
  #timer: NodeJS.Timeout | undefined
  #chunks: Buffer[] = []
  #aheadBytes = 0
  #isWhole = false
  /** Why nothing more comes, in an object because a caller's reason may be anything. */
  #end: { readonly reason: unknown } | null = null
  #wake: (() => void) | null = null

  constructor(hop: Hop, ask: OutgoingStreamRequest, ears: OutgoingEars) {
    this.#hop = hop
    this.#ask = ask
    this.#ears = ears
    const { deadlineMs, signal, leaving } = ask
    const isHeard = signal !== undefined || leaving !== undefined
    this.#onAbort = isHeard ? () => this.#stop(signal?.reason ?? this.#leftUnread()) : null
    this.#timer = setTimeout(() => this.#stop(timedOut(hop.url, deadlineMs)), deadlineMs)
    if (this.#onAbort === null) return
    leaving?.onLeave(this.#onAbort)
    if (signal?.aborted === true) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get url(): URL {
    return this.#hop.url
  }

  get body(): AsyncIterable<Buffer> {
    return this.pieces({ encoding: this.#encoding, maxBytes: this.#ask.maxResponseBytes })
  }

  /** Sends the request, unless its caller left meanwhile. */
  begin(connections: Connections): void {
    if (this.#end === null) this.#underWay = connections.send(this.#hop, this)
  }

  onHead(status: number, fields: AnswerFields): void {
    clearTimeout(this.#timer)
    this.status = status
    this.headers = new AnswerHeaders(fields)
    const { length, encoding } = lengthAndEncoding(status, this.#hop.method, this.headers)
    this.#encoding = encoding
    const { maxResponseBytes: maxBytes } = this.#ask
    if (maxBytes !== null && length > maxBytes) this.#stop(tooLarge(this.url, maxBytes))
  }

  /** Whoever waits is told of the head with what came behind it. */
  onRead(): void {
    const ears = this.#ears
    if (ears === null || this.status === 0) return
    this.#ears = null
    ears.answered(this)
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
    this.#fail(netFault(error, this.url))
  }

  /** Nothing could be sent. */
  readonly fail = (error: unknown): void => this.#fail(netFault(error, this.url))

  /** Leaves what is not read yet, and the connection with it. */
  readonly cancel = (): void => {
    if (!this.#isWhole) this.#stop(this.#leftUnread())
    this.#chunks = []
  }

  async whole(maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    let size = 0
    const encoding = this.#encoding
    for await (const chunk of encoding === null
      ? this.#raw(null)
      : this.pieces({ encoding, maxBytes })) {
      size += chunk.length
      if (size > maxBytes) {
        this.cancel()
        throw tooLarge(this.url, maxBytes)
      }
      chunks.push(chunk)
    }
    const [first] = chunks
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  }

  wholeNow(maxBytes: number): Buffer | null {
    if (!this.#isWhole || this.#encoding !== null || this.#isPaused) return null
    if (this.#aheadBytes > maxBytes) {
      this.cancel()
      throw tooLarge(this.url, maxBytes)
    }
    const chunks = this.#chunks
    this.#chunks = []
    this.#aheadBytes = 0
    const [first] = chunks
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  }

  /** The body piece by piece, decompressed. */
  async *pieces({ encoding, maxBytes }: Omit<BodyOptions, 'url'>): AsyncGenerator<Buffer> {
    const { url } = this
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
      if (maxBytes !== null && size > maxBytes) throw tooLarge(this.url, maxBytes)
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
    const { url } = this
    const { idleMs } = this.#ask
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
    const ears = this.#ears
    this.#ears = null
    ears?.failed(reason)
    this.#woken()
  }

  #leftUnread(): unknown {
    return netFault(new LeftUnread(), this.url)
  }

  #over(): void {
    clearTimeout(this.#timer)
    if (this.#onAbort === null) return
    this.#ask.leaving?.onLeave(null)
    this.#ask.signal?.removeEventListener('abort', this.#onAbort)
  }
}
