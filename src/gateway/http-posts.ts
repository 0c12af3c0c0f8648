import {
  type Message,
  mirroredHeaders,
  type Request,
  type Response,
  readMessage,
  ToolHeaders,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import type { Leaving, OutgoingEars, OutgoingStream } from '../net/index.ts'
import { type Heard, type HttpAsk, type HttpWay, isEventStream, isJson } from './http-exchange.ts'
import { headersOfSession, type Session } from './http-session.ts'
import { traceHeaders } from './http-trace.ts'

export interface HttpPostsOptions {
  /** The longest silence before an answer, and within its stream, in milliseconds. */
  readonly answerMs: number
  /** The client leaves. */
  readonly closing: AbortSignal
}

/** For what carries no answer: a notification, an answer of the client. */
const TELL_MS = 30_000
const MAX_PAGES = 100
const NO_HEADERS: readonly [] = []
const MAX_SAID = 256
const MAX_SAID_CHARACTERS = 200

/** Messages to a server by POST, with the headers that say of each what its body says, and what we ask for ourselves. */
export class HttpPosts {
  /** What tools of the server want to be told in headers. */
  readonly tools = new ToolHeaders()
  readonly #way: HttpWay
  readonly #options: HttpPostsOptions
  #ownIds = 0
  /** Headers of calls, by what is in them. */
  #said: {
    readonly session: Session | null
    readonly headers: Map<string, Readonly<Record<string, string>>>
  } = { session: null, headers: new Map() }

  constructor(way: HttpWay, options: HttpPostsOptions) {
    this.#way = way
    this.#options = options
  }

  /** @param signal ends a request; what asks nothing ends with the client, too */
  send(message: Message, session: Session | null, signal: AbortSignal): Promise<OutgoingStream> {
    const { closing } = this.#options
    const isAsking = message.kind === 'request'
    return this.#way.open({
      ...this.#asked(message, session),
      signal: isAsking ? signal : AbortSignal.any([signal, closing]),
    })
  }

  /** As `send`, of a request, without a promise. */
  ask(request: Request, session: Session | null, leaving: Leaving, ears: OutgoingEars): void {
    this.#way.send({ ...this.#asked(request, session), leaving }, ears)
  }

  #asked(message: Message, session: Session | null): HttpAsk {
    const { answerMs } = this.#options
    const isListening = message.kind === 'request' && message.method === 'subscriptions/listen'
    const isAsking = message.kind === 'request'
    return {
      method: 'POST',
      headers: this.#headersOf(message, session),
      body: message.text,
      deadlineMs: isAsking ? answerMs : TELL_MS,
      idleMs: isListening ? null : answerMs,
    }
  }

  /** The same object where the same is said: what it is written as is remembered by it. */
  #headersOf(message: Message, session: Session | null): Readonly<Record<string, string>> {
    const isCall = message.kind === 'request' && message.method === 'tools/call'
    const name = isCall ? (message.params?.value as { readonly name?: unknown } | null)?.name : ''
    const wanted = this.tools.of(name) ?? NO_HEADERS
    const version = versionNamedBy(message)
    const trace = traceHeaders(message)
    const isNamed = typeof name === 'string'
    // Its length keeps the revision apart from the name, whatever characters they hold.
    const said = version === null || !isNamed ? '' : `${version.length} ${version}${name}`
    // What is said of a call without headers of its own is in its name.
    const isKnown =
      (version === null || (isCall && isNamed)) && wanted.length === 0 && !('traceparent' in trace)
    const known = isKnown && this.#said.session === session ? this.#said.headers.get(said) : null
    if (known != null) return known
    const headers = Object.freeze({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...headersOfSession(session),
      ...mirroredHeaders(message, wanted),
      ...trace,
    })
    if (isKnown && said.length <= MAX_SAID_CHARACTERS) {
      if (this.#said.session !== session || this.#said.headers.size >= MAX_SAID)
        this.#said = { session, headers: new Map() }
      this.#said.headers.set(said, headers)
    }
    return headers
  }

  /** The tool's schema may ask for headers that we have not seen yet. @returns whether we have now */
  async learnTools(call: Request, signal: AbortSignal): Promise<boolean> {
    const params = (call.params?.value ?? {}) as Readonly<Record<string, unknown>>
    const before = JSON.stringify(this.tools.of(params['name']) ?? [])
    let cursor: unknown
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const asked = readMessage(
        JSON.stringify({
          jsonrpc: '2.0',
          id: this.ownId(),
          method: 'tools/list',
          params: { _meta: params['_meta'], ...(cursor === undefined ? {} : { cursor }) },
        }),
      )
      if (asked.kind !== 'request') return false
      const answer = await this.answerTo(asked, null, signal)
      if (answer === null || answer.outcome === 'error') break
      this.tools.learn(answer.body.value)
      cursor = (answer.body.value as { readonly nextCursor?: unknown } | null)?.nextCursor
      if (typeof cursor !== 'string') break
    }
    return JSON.stringify(this.tools.of(params['name']) ?? []) !== before
  }

  /** Asks for ourselves. @returns null when there was no answer */
  async answerTo(
    request: Request,
    session: Session | null,
    signal: AbortSignal,
    onHead: (headers: OutgoingStream['headers']) => void = () => {},
  ): Promise<Response | null> {
    const answer = await this.send(request, session, signal)
    onHead(answer.headers)
    let found: Response | null = null
    const look = async (message: Heard): Promise<void> => {
      if (message.kind === 'response' && message.idKey === request.idKey) found = message
    }
    if (isEventStream(answer)) await this.#way.follow(answer, look, () => found !== null)
    else if (isJson(answer)) {
      const said = await this.#way.message(answer)
      for (const one of said?.kind === 'batch' ? said.messages : [said])
        if (one !== null) await look(one)
    }
    answer.cancel()
    return found
  }

  /** For a request that no client made. */
  ownId(): string {
    this.#ownIds += 1
    return `sallyport-${this.#ownIds}`
  }
}
