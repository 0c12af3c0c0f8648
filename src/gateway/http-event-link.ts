import {
  type Message,
  type Refused,
  type Request,
  type Response,
  SseReader,
} from '../mcp/wire/index.ts'
import {
  type Heard,
  type HttpWay,
  isEventStream,
  Unanswered,
  unansweredFor,
} from './http-exchange.ts'
import { leftUnanswered } from './large-lines.ts'

export interface EventLinkOptions {
  readonly hear: (message: Heard) => Promise<void>
  /** The answer to a request that is under way. */
  readonly hearAnswer: (message: Response, about: string) => Promise<void>
  readonly signal: AbortSignal
}

interface Waiting {
  readonly onAnswer: ((answer: Response) => void) | undefined
  /** Whether the client is to hear the answer. */
  readonly isHeard: boolean
  resolve(answer: Response): void
  reject(error: Error): void
}

const OPEN_MS = 10_000
const TELL_MS = 30_000

/**
 * HTTP with server-sent events, as servers spoke it before 2025-03-26: one stream with everything the server says, and
 * the address for what is sent to it, which the stream names first.
 */
export class EventLink {
  readonly #way: HttpWay
  readonly #options: EventLinkOptions
  readonly #endpoint: URL
  readonly #controller: AbortController
  readonly #waiting = new Map<string, Waiting>()
  readonly #ending = Promise.withResolvers<void>()
  isOver = false

  private constructor(
    way: HttpWay,
    options: EventLinkOptions,
    endpoint: URL,
    controller: AbortController,
  ) {
    this.#way = way
    this.#options = options
    this.#endpoint = endpoint
    this.#controller = controller
  }

  /** @returns null when the server names no address on a stream of events */
  static async open(way: HttpWay, options: EventLinkOptions): Promise<EventLink | null> {
    const controller = new AbortController()
    const signal = AbortSignal.any([controller.signal, options.signal])
    const answer = await way.open({
      method: 'GET',
      headers: { accept: 'text/event-stream' },
      deadlineMs: OPEN_MS,
      idleMs: null,
      signal,
    })
    if (answer.status !== 200 || !isEventStream(answer)) {
      answer.cancel()
      return null
    }
    const { promise, resolve } = Promise.withResolvers<EventLink | null>()
    let link: EventLink | null = null
    const timer = setTimeout(() => resolve(null), OPEN_MS)
    let frames: (Buffer | Refused)[] = []
    const reader = new SseReader({
      maxBytes: way.maxMessageBytes,
      onEvent: ({ type, data }) => {
        if (type === 'message') frames.push(data)
        else if (type === 'endpoint' && link === null) {
          const endpoint = endpointOf(way.url, data.toString('utf8'))
          if (endpoint !== null) link = new EventLink(way, options, endpoint, controller)
          resolve(link)
        }
      },
      large: () => way.large(),
      onTooLong: (refused) => frames.push(refused),
    })
    const heard = async (): Promise<void> => {
      const now = frames
      frames = []
      for (const frame of now) await link?.heard(way.read(frame))
    }
    const read = async (): Promise<void> => {
      try {
        for await (const chunk of answer.body) {
          reader.push(chunk)
          await heard()
        }
        reader.end()
        await heard()
      } catch {
        // Broken or closed: whoever waits is told below.
      } finally {
        reader.drop()
        answer.cancel()
        resolve(null)
        if (link !== null) link.#end()
      }
    }
    void read()
    const opened = await promise
    clearTimeout(timer)
    if (opened === null) controller.abort()
    return opened
  }

  /** Sends a request and waits until its answer was heard. */
  async exchange(
    request: Request,
    answerMs: number,
    signal: AbortSignal,
    onAnswer?: (answer: Response) => void,
  ): Promise<void> {
    await this.#ask(request, { answerMs, signal, isHeard: true, onAnswer })
  }

  /** Asks for ourselves: the client does not hear the answer. */
  answerTo(request: Request, answerMs: number, signal: AbortSignal): Promise<Response> {
    return this.#ask(request, { answerMs, signal, isHeard: false, onAnswer: undefined })
  }

  async #ask(
    request: Request,
    {
      answerMs,
      signal,
      ...more
    }: Pick<Waiting, 'isHeard' | 'onAnswer'> & {
      readonly answerMs: number
      readonly signal: AbortSignal
    },
  ): Promise<Response> {
    if (signal.aborted) throw new Unanswered('never-sent', 'The request was cancelled.')
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    promise.catch(() => {})
    const timer = setTimeout(
      () => reject(new Unanswered('lost', `The server did not answer within ${answerMs} ms.`)),
      answerMs,
    )
    const onAbort = (): void => reject(new Unanswered('lost', 'The request was cancelled.'))
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.set(request.idKey, { ...more, resolve, reject })
    try {
      await this.tell(request)
      return await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      this.#waiting.delete(request.idKey)
    }
  }

  async tell(message: Message): Promise<void> {
    if (this.isOver) throw new Unanswered('never-sent', 'The stream of the server ended.')
    const answer = await this.#way.open({
      method: 'POST',
      url: this.#endpoint,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: message.text,
      deadlineMs: TELL_MS,
      idleMs: TELL_MS,
      signal: this.#options.signal,
    })
    answer.cancel()
    if (answer.status < 200 || answer.status > 299) throw unansweredFor(answer.status)
  }

  async heard(message: Heard): Promise<void> {
    if (message.kind === 'refused')
      for (const { idKey, why } of leftUnanswered(message))
        this.#waiting.get(idKey)?.reject(new Unanswered('lost', why))
    const waiting =
      message.kind === 'response' && message.idKey !== null
        ? this.#waiting.get(message.idKey)
        : undefined
    if (message.kind !== 'response' || message.idKey === null || waiting === undefined) {
      await this.#options.hear(message)
      return
    }
    waiting.onAnswer?.(message)
    if (waiting.isHeard) await this.#options.hearAnswer(message, message.idKey)
    waiting.resolve(message)
  }

  /** Resolves when its stream is gone, closed by us among them. */
  get ended(): Promise<void> {
    return this.#ending.promise
  }

  close(): void {
    this.#controller.abort()
  }

  #end(): void {
    this.isOver = true
    for (const { reject } of this.#waiting.values())
      reject(new Unanswered('lost', 'The stream of the server ended before the answer.'))
    this.#ending.resolve()
  }
}

/** Another origin would get what is meant for this one. */
function endpointOf(home: URL, text: string): URL | null {
  if (!URL.canParse(text, home.href)) return null
  const url = new URL(text, home)
  return url.origin === home.origin && url.username === '' && url.password === '' ? url : null
}
