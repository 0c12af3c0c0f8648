import { type CallOutcome } from '../audit/index.ts'
import { Fault, isFault } from '../core/faults.ts'
import { mentionsHeld } from '../core/held-values.ts'
import type { Log } from '../core/log.ts'
import {
  type Frames,
  LARGE_BYTES,
  type LargeLine,
  type Message,
  onOneLine,
  type Refused,
  readFrame,
  readFrames,
  SseReader,
  withoutMark,
} from '../mcp/wire/index.ts'
import type {
  Leaving,
  Outgoing,
  OutgoingEars,
  OutgoingPieces,
  OutgoingStream,
  OutgoingStreamRequest,
} from '../net/index.ts'
import { largeIntake } from './large-lines.ts'

/** What a server is shown so that it lets us in; never what a client showed us. */
export interface UpstreamCredentials {
  /** Headers for one request, names in lower case. */
  headers(): Promise<Readonly<Record<string, string>>>
  /** As `headers`, where they are at hand; else null. */
  headersNow?(): Readonly<Record<string, string>> | null
  /**
   * The server answered 401: gets others when there are any to be had.
   *
   * @param challenge its `WWW-Authenticate`
   * @param refused what it was shown; it may have been replaced meanwhile
   */
  renew(challenge: string | null, refused: Readonly<Record<string, string>>): Promise<void>
  /**
   * What callers are told of a 401 or 403 that stands; null: what they are told of any.
   *
   * @param challenge its `WWW-Authenticate`
   */
  refusal?(
    status: number,
    challenge: string | null,
    refused: Readonly<Record<string, string>>,
  ): Promise<string | null>
  /** A frame of the server without what it was shown, should it repeat that. */
  redacted?(frame: Buffer): Buffer
}

export const NO_CREDENTIALS: UpstreamCredentials = {
  headers: async () => ({}),
  headersNow: () => ({}),
  renew: async () => {},
}

/** A frame of the server as it was read. */
export type Heard = Message | Refused

/** Why a request has no answer, and what is known of whether the server ran it. */
export class Unanswered extends Error {
  readonly end: Extract<CallOutcome, 'never-sent' | 'refused-by-server' | 'lost'>

  /** Of HTTP, when it was that. */
  readonly status: number | null

  constructor(end: Unanswered['end'], message: string, status: number | null = null) {
    super(message)
    this.end = end
    this.status = status
  }
}

/** Statuses with which a server says that it ran nothing. */
const REFUSING: ReadonlySet<number> = new Set([401, 403, 404, 429])

/** Of 4xx, those that a server also has for what it understands: who asks, when, and how often. */
const UNDERSTOOD: ReadonlySet<number> = new Set([401, 403, 407, 408, 425, 429])

/** Whether it is a status with which servers answer first words of an era that they do not know. */
export function isNotUnderstood(status: number): boolean {
  return status > 399 && status < 500 && !UNDERSTOOD.has(status)
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export function unansweredFor(status: number): Unanswered {
  const end = REFUSING.has(status) ? 'refused-by-server' : 'lost'
  return new Unanswered(end, `The server answered with HTTP ${status}.${cureOf(status)}`, status)
}

function cureOf(status: number): string {
  if (status === 401)
    return ' It wants credentials: give them with --header, or with the server when it is added.'
  if (status === 429) return ' It wants fewer requests.'
  return REDIRECTS.has(status)
    ? ' It is at another address, and nothing goes there by itself: give the address that it redirects to.'
    : ''
}

/** What the system calls it when nobody was there to read what was to be sent. */
const NOBODY =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_\w+|UNABLE_TO_\w+|\w*SELF_SIGNED\w*|ERR_TLS_CERT_\w+)$/

export function unansweredBy(error: unknown): Unanswered {
  if (error instanceof Unanswered) return error
  if (!isFault(error)) return new Unanswered('lost', 'The connection to the server failed.')
  const { reason } = error.details
  const isUnsent =
    error.code === 'NET_REFUSED' || (typeof reason === 'string' && NOBODY.test(reason))
  return new Unanswered(isUnsent ? 'never-sent' : 'lost', `${error.message} ${error.help}`)
}

function withoutHeaders(error: unknown, end: Unanswered['end']): unknown {
  if (!isFault(error)) return error
  const { remedy } = error.details
  return new Unanswered(end, `${error.message} ${typeof remedy === 'string' ? remedy : error.help}`)
}

function challengeOf({ headers }: OutgoingStream): string | null {
  return headers.get('www-authenticate')
}

export interface HttpWayOptions {
  readonly url: URL
  readonly out: Pick<Outgoing, 'open' | 'send'>
  readonly credentials: UpstreamCredentials
  /** After decompression. */
  readonly maxMessageBytes: number
  readonly log: Log
}

export interface HttpAsk {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Default: that of the server. */
  readonly url?: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Until the headers of the answer are there. */
  readonly deadlineMs: number
  /** The longest silence of the answer; null for any. */
  readonly idleMs: number | null
  /** Whoever asks wants it no more, in one of the two ways. */
  readonly signal?: AbortSignal
  readonly leaving?: Leaving
}

/** What a server answered in place of what was asked. */
export interface Refusal {
  /** Null where it does not say that it is JSON. */
  readonly message: Heard | Frames | null
  /** How its body begins, whatever it is. */
  readonly words: string
}

export interface Followed {
  readonly lastEventId: string | null
  readonly retryMs: number | null
}

const MAX_REFUSAL_BYTES = 1_048_576
const MAX_WORDS_BYTES = 4_096
/** A refusal is a few words; who does not say them by then has said what he says. */
const REFUSAL_MS = 2_000
const SMALL_BYTES = 262_144
/** A server ends the stream of an answer; one that does not is left after this. */
const LINGER_MS = 2_000

/** Single requests to one server, with the credentials for it. */
export class HttpWay {
  readonly #options: HttpWayOptions

  constructor(options: HttpWayOptions) {
    this.#options = options
  }

  get url(): URL {
    return this.#options.url
  }

  get maxMessageBytes(): number {
    return this.#options.maxMessageBytes
  }

  /** Asks once more when a 401 could be cured. @throws {Fault} of the net when there was no answer */
  async open(ask: HttpAsk): Promise<OutgoingStream> {
    const { credentials } = this.#options
    let shown: Readonly<Record<string, string>>
    try {
      shown = await credentials.headers()
    } catch (error) {
      throw withoutHeaders(error, 'never-sent')
    }
    const answer = await this.#once(ask, shown)
    return answer.status === 401 || answer.status === 403
      ? this.#refused(ask, shown, answer)
      : answer
  }

  /** As `open`, without a promise where there is nothing to wait for but the answer. */
  send(ask: HttpAsk, ears: OutgoingEars): void {
    const { credentials, out } = this.#options
    const shown = credentials.headersNow?.() ?? null
    if (shown === null || mentionsHeld(ask.body ?? '')) {
      this.open(ask).then(
        (answer) => ears.answered(answer),
        (error: unknown) => ears.failed(error),
      )
      return
    }
    out.send(this.#asked(ask, ask.body, shown), {
      answered: (answer) => {
        if (answer.status !== 401 && answer.status !== 403) ears.answered(answer)
        else
          this.#refused(ask, shown, answer).then(
            (one) => ears.answered(one),
            (error: unknown) => ears.failed(error),
          )
      },
      failed: (error) => ears.failed(error),
    })
  }

  async #refused(
    ask: HttpAsk,
    shown: Readonly<Record<string, string>>,
    first: OutgoingStream,
  ): Promise<OutgoingStream> {
    const { credentials } = this.#options
    let answer = first
    let last = shown
    if (answer.status === 401) {
      try {
        await credentials.renew(challengeOf(answer), shown)
        last = await credentials.headers()
      } catch (error) {
        answer.cancel()
        throw withoutHeaders(error, 'refused-by-server')
      }
      if (!areSameHeaders(last, shown)) {
        answer.cancel()
        answer = await this.#once(ask, last)
      }
    }
    const { status } = answer
    if (status !== 401 && status !== 403) return answer
    const said = (await credentials.refusal?.(status, challengeOf(answer), last)) ?? null
    if (said === null) return answer
    answer.cancel()
    throw new Unanswered('refused-by-server', said, status)
  }

  async #once(
    ask: HttpAsk,
    credentials: Readonly<Record<string, string>>,
  ): Promise<OutgoingStream> {
    const body = ask.body === undefined ? undefined : await bodyOf(ask.body)
    return this.#options.out.open(this.#asked(ask, body, credentials))
  }

  #asked(
    { method, url, headers, deadlineMs, idleMs, signal, leaving }: HttpAsk,
    body: string | OutgoingPieces | undefined,
    credentials: Readonly<Record<string, string>>,
  ): OutgoingStreamRequest {
    return {
      url: url ?? this.#options.url,
      method,
      headers: isEmpty(credentials) ? headers : { ...credentials, ...headers },
      body: body ?? null,
      deadlineMs,
      idleMs,
      ...(signal !== undefined && { signal }),
      ...(leaving !== undefined && { leaving }),
      // A person named the server: it may stand on this machine or in this network.
      audience: 'configured',
      maxResponseBytes: null,
    }
  }

  /** Whether the server speaks the revision in which what it says may be a batch. */
  hasBatches = false

  /** What an answer in JSON holds; null when there is nothing. @throws {Fault} `NET_TOO_LARGE` */
  async message(answer: OutgoingStream): Promise<Heard | Frames | null> {
    const isGood = answer.status >= 200 && answer.status < 300
    const { maxMessageBytes } = this.#options
    const most = isGood ? maxMessageBytes : Math.min(maxMessageBytes, MAX_REFUSAL_BYTES)
    if (isSmall(answer)) return this.#saidIn(await answer.whole(most))
    let chunks: Buffer[] = []
    let size = 0
    let large: LargeLine | null = null
    for await (const chunk of answer.body) {
      size += chunk.length
      if (size > most) {
        large?.drop()
        answer.cancel()
        throw new Fault('NET_TOO_LARGE', `The server answered with more than ${most} bytes.`)
      }
      if (large === null) chunks.push(chunk)
      else large.push(chunk)
      if (large === null && size > LARGE_BYTES) {
        large = this.large()
        large?.push(withoutMark(Buffer.concat(chunks)))
        if (large !== null) chunks = []
      }
    }
    if (large !== null) return this.read(large.end())
    const [first] = chunks
    return this.#saidIn(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks))
  }

  /** As `message`, of an answer in which it came whole and small; else null. @throws {Fault} `NET_TOO_LARGE` */
  messageNow(answer: OutgoingStream): Heard | Frames | null {
    const body = isSmall(answer) ? answer.wholeNow(this.#options.maxMessageBytes) : null
    return body === null ? null : this.#saidIn(body)
  }

  /** Reads a refusal for whoever looks at its words as well: as far as it comes soon. @throws {Fault} `NET_TOO_LARGE` */
  async refusal(answer: OutgoingStream): Promise<Refusal> {
    const isMessage = isJson(answer)
    const most = isMessage ? MAX_REFUSAL_BYTES : isEventStream(answer) ? 0 : MAX_WORDS_BYTES
    const chunks: Buffer[] = []
    let size = 0
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      answer.cancel()
    }, REFUSAL_MS)
    try {
      for await (const chunk of most === 0 ? [] : answer.body) {
        chunks.push(chunk)
        size += chunk.length
        if (size > most) break
      }
    } catch (error) {
      if (!isLate) throw error
    } finally {
      clearTimeout(timer)
    }
    answer.cancel()
    if (isMessage && size > most)
      throw new Fault('NET_TOO_LARGE', `The server answered with more than ${most} bytes.`)
    const body = Buffer.concat(chunks)
    return {
      message: isMessage ? this.#saidIn(body) : null,
      words: body.toString('utf8', 0, MAX_WORDS_BYTES),
    }
  }

  /** Takes up a message of the server that is too large for memory. */
  large(): LargeLine | null {
    const { credentials, maxMessageBytes } = this.#options
    const redacted = (bytes: Buffer): Buffer => credentials.redacted?.(bytes) ?? bytes
    return largeIntake({ maxBytes: maxMessageBytes, isOneLine: true, redacted })
  }

  /** A frame of the server, in which nothing stands that only the server may know. */
  read(frame: Buffer | Refused): Heard {
    if (!Buffer.isBuffer(frame)) return frame
    return readFrame(this.#shown(frame))
  }

  /** What a whole body says; null when there is nothing. */
  #saidIn(body: Buffer): Heard | Frames | null {
    const bare = withoutMark(body)
    return bare.length === 0 ? null : this.#said(bare)
  }

  /** As `read`, where it may be a batch. */
  #said(frame: Buffer | Refused): Heard | Frames {
    return this.hasBatches && Buffer.isBuffer(frame)
      ? readFrames(this.#shown(frame))
      : this.read(frame)
  }

  #shown(frame: Buffer): Buffer {
    const line = onOneLine(frame)
    return this.#options.credentials.redacted?.(line) ?? line
  }

  /**
   * Hears the messages of a stream, one after another, until it ends or breaks.
   *
   * @param isDone whether what it was opened for is there: then it is not waited for much longer
   * @throws {Fault} `NET_TIMED_OUT` after a silence that is too long
   */
  async follow(
    answer: OutgoingStream,
    hear: (message: Heard) => void | Promise<void>,
    isDone: () => boolean = () => false,
  ): Promise<Followed> {
    const { log } = this.#options
    const { reader, frames } = this.#reading()
    let timer: NodeJS.Timeout | undefined
    try {
      for await (const chunk of answer.body) {
        reader.push(chunk)
        await this.#hearAll(frames.splice(0), hear)
        if (isDone()) timer ??= setTimeout(() => answer.cancel(), LINGER_MS)
      }
      reader.end()
      await this.#hearAll(frames, hear)
    } catch (error) {
      if (isFault(error) && error.code === 'NET_TIMED_OUT' && !isDone()) throw error
      log.debug('a stream of the server broke off')
    } finally {
      clearTimeout(timer)
      reader.drop()
      answer.cancel()
    }
    const { lastEventId, retryMs } = reader
    return { lastEventId, retryMs }
  }

  /** As `follow`, of a stream that came whole with its head, as most answers do; null where it did not. */
  followNow(
    answer: OutgoingStream,
    hear: (message: Heard) => void | Promise<void>,
  ): Followed | Promise<Followed> | null {
    const body = answer.wholeNow(Number.POSITIVE_INFINITY)
    if (body === null) return null
    const { reader, frames } = this.#reading()
    reader.push(body)
    reader.end()
    const { lastEventId, retryMs } = reader
    const followed = { lastEventId, retryMs }
    const hearing = this.#hearAll(frames, hear)
    return hearing instanceof Promise ? hearing.then(() => followed) : followed
  }

  /** What cuts a stream into frames, and those that wait to be heard. */
  #reading(): { readonly reader: SseReader; readonly frames: (Buffer | Refused)[] } {
    const frames: (Buffer | Refused)[] = []
    const reader = new SseReader({
      maxBytes: this.#options.maxMessageBytes,
      large: () => this.large(),
      onEvent: ({ type, data }) => {
        if (type === 'message') frames.push(data)
      },
      onTooLong: (refused) => frames.push(refused),
    })
    return { reader, frames }
  }

  /** One after another. */
  #hearAll(
    frames: readonly (Buffer | Refused)[],
    hear: (message: Heard) => void | Promise<void>,
    from = 0,
  ): void | Promise<void> {
    for (let at = from; at < frames.length; at += 1) {
      const said = this.#said(frames[at] as Buffer | Refused)
      const hearing = said.kind === 'batch' ? hearEach(said.messages, hear) : hear(said)
      if (hearing instanceof Promise) return hearing.then(() => this.#hearAll(frames, hear, at + 1))
    }
    return undefined
  }
}

async function hearEach(
  messages: readonly Heard[],
  hear: (message: Heard) => void | Promise<void>,
): Promise<void> {
  for (const one of messages) await hear(one)
}

function isEmpty(fields: Readonly<Record<string, string>>): boolean {
  for (const _name in fields) return false
  return true
}

/** A message as it is sent, with its large values in their places. */
async function bodyOf(text: string): Promise<string | OutgoingPieces> {
  return mentionsHeld(text) ? (await import('./large-http.ts')).largeBody(text) : text
}

export function areSameHeaders(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  )
}

export function isEventStream({ headers }: OutgoingStream): boolean {
  return mediaTypeOf(headers) === 'text/event-stream'
}

export function isJson({ headers }: OutgoingStream): boolean {
  return mediaTypeOf(headers) === 'application/json'
}

/** Whether it is said to be so small that nothing has to be taken up piece by piece. */
function isSmall({ headers }: OutgoingStream): boolean {
  const length = headers.get('content-length')
  return (
    length !== null && Number(length) <= SMALL_BYTES && headers.get('content-encoding') === null
  )
}

function mediaTypeOf(headers: OutgoingStream['headers']): string {
  return (headers.get('content-type')?.split(';')[0] ?? '').trim().toLowerCase()
}
