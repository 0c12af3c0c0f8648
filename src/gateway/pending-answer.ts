import { mentionsHeld } from '../core/held-values.ts'
import { monotonicMs } from '../core/time.ts'
import { ERA_ERRORS, RPC_ERRORS, readMessage } from '../mcp/wire/index.ts'
import { EventStream } from './event-stream.ts'
import type { DoorResponse } from './http-request.ts'

export interface PendingOptions {
  readonly isModern: boolean
  /** Whether the client reads streams of events too. */
  readonly takesStream: boolean
  /** Whether it wants a stream of an answer before which nothing comes, too. */
  readonly prefersStream: boolean
  /** Of the stream, if it becomes one that the client may come back to. */
  readonly name: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Told of what comes before the answer and never reaches the client. */
  readonly onUntold?: (text: string) => void
}

/** A connection is not taken for dead sooner. */
const QUIET_MS = 5_000

/** What HTTP says of errors in the revisions from 2026-07-28 on. */
const STATUS: ReadonlyMap<number, number> = new Map([
  [RPC_ERRORS.method, 404],
  [RPC_ERRORS.parse, 400],
  [RPC_ERRORS.request, 400],
  [ERA_ERRORS.headerMismatch, 400],
  [ERA_ERRORS.missingCapability, 400],
  [ERA_ERRORS.version, 400],
])

/**
 * The answer of HTTP to one request of the client: JSON when nothing comes before the answer and the client takes that,
 * else a stream of events that ends with it. What has a status of its own is never a stream.
 */
export class PendingAnswer {
  #stream: EventStream | null = null
  readonly #response: DoorResponse
  readonly #options: PendingOptions
  readonly #askedAt = monotonicMs()
  #isStreaming = false
  #isOver = false

  constructor(response: DoorResponse, options: PendingOptions) {
    this.#response = response
    this.#options = options
  }

  get stream(): EventStream {
    this.#stream ??= new EventStream(this.#options.name, this.#options.onUntold)
    return this.#stream
  }

  /** Whether its client takes no more right now. */
  get isBehind(): boolean {
    return this.#stream?.isBehind === true
  }

  get waiting(): number {
    return this.#stream?.waiting ?? 0
  }

  /** Ends the connection, with all that waits for its client. */
  cut(): void {
    this.#response.destroy()
  }

  async caughtUp(): Promise<void> {
    await this.#stream?.caughtUp()
  }

  get isStreaming(): boolean {
    return this.#isStreaming
  }

  /** What comes before the answer. A client that reads no streams is not told. */
  event(text: string): void {
    if (this.#isOver || !this.#options.takesStream) {
      this.#options.onUntold?.(text)
      return
    }
    this.begin()
    this.stream.event(text)
  }

  /** From now on it is a stream. */
  begin(): void {
    if (this.#isStreaming || this.#isOver || !this.#options.takesStream) return
    this.#isStreaming = true
    if (!this.#response.destroyed) this.stream.attach(this.#response, this.#options.headers, null)
  }

  /** The answer itself. */
  answer(text: string): void {
    if (this.#isOver) return
    const status = this.#options.isModern && !this.#isStreaming ? statusOf(text) : 200
    if (this.#options.prefersStream && status === 200) this.begin()
    this.#isOver = true
    if (this.#isStreaming) {
      this.stream.event(text)
      this.stream.end()
      return
    }
    sendJson(this.#response, status, text, this.#options.headers)
  }

  /** Says that it is still alive, unless it began just now: as a stream, if it was to be one. */
  touch(): void {
    if (this.#isStreaming) this.stream.touch()
    else if (monotonicMs() - this.#askedAt >= QUIET_MS) this.begin()
  }

  /** Its request was taken back: there is no answer, and nothing is broken. */
  withdraw(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#isStreaming) this.stream.end()
    else if (!this.#response.destroyed)
      this.#response.writeHead(202, { 'Content-Length': 0, ...this.#options.headers }).end()
  }

  /** Ends without an answer: whoever waits finds the connection gone. */
  drop(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#isStreaming) this.stream.end()
    else this.#response.destroy()
  }
}

function statusOf(text: string): number {
  // Most answers are none, and reading one twice would cost as much as all the rest.
  if (!text.includes('"error"')) return 200
  const message = readMessage(text)
  if (message.kind !== 'response' || message.outcome !== 'error') return 200
  const { code } = message.body.value as { readonly code: number }
  return STATUS.get(code) ?? 200
}

export function sendJson(
  response: DoorResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (mentionsHeld(text)) {
    void import('./large-http.ts').then(({ sendLargeJson }) =>
      sendLargeJson(response, status, text, headers),
    )
    return
  }
  if (response.destroyed || response.headersSent) return
  const fields: Record<string, string | number> = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text, 'utf8'),
    'Cache-Control': 'no-store',
  }
  response.writeHead(status, Object.assign(fields, headers))
  // As text it goes out in one piece with the head.
  response.end(text)
}
