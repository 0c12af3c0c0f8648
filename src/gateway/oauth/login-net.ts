import { Fault } from '../../core/faults.ts'
import type { Audience, Fetch, Outgoing, OutgoingStream } from '../../net/index.ts'

const DEADLINE_MS = 15_000
/** For a server that left a question unanswered already. */
const SHORT_MS = 5_000
const MAX_BYTES = 262_144
const MAX_HOPS = 3
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** An answer in JSON, or what is known of one that is none. */
export interface Document {
  readonly status: number
  /** Null for another status than 200 or 201, and for what is no JSON object. */
  readonly body: Readonly<Record<string, unknown>> | null
  readonly headers: Headers
}

/**
 * What is asked on the word of a server, in order to log in there. A person named the server itself, so its own origin
 * may be anywhere; whatever it names beside that has to be public, or on this machine where it is there itself.
 */
export class LoginNet {
  readonly #out: Pick<Outgoing, 'request' | 'open'>
  readonly #home: URL

  constructor(out: Pick<Outgoing, 'request' | 'open'>, home: URL) {
    this.#out = out
    this.#home = home
  }

  get home(): URL {
    return this.#home
  }

  /** Follows redirects within one origin and to no other. @throws {Fault} of the net */
  async get(url: URL): Promise<Document> {
    let at = url
    for (let hop = 0; ; hop += 1) {
      const answer = await this.ask(at, 'GET', { accept: 'application/json' }, null)
      const location = answer.headers.get('location')
      if (answer.status < 300 || answer.status > 399 || location === null) return answer
      const next = URL.parse(location, at.href)
      if (next === null || next.origin !== at.origin || hop === MAX_HOPS)
        throw new Fault(
          'NET_REFUSED',
          `${at.origin} redirects elsewhere, where nothing is asked.`,
          {
            details: { origin: at.origin },
          },
        )
      at = next
    }
  }

  async post(url: URL, body: object, headers: Readonly<Record<string, string>>): Promise<Document> {
    return this.ask(
      url,
      'POST',
      { accept: 'application/json', 'content-type': 'application/json', ...headers },
      JSON.stringify(body),
    )
  }

  /** Without following anything. */
  async ask(
    url: URL,
    method: string,
    headers: Readonly<Record<string, string>>,
    body: string | null,
  ): Promise<Document> {
    const answer = await this.#out.request({
      url,
      method,
      headers,
      body,
      audience: this.#audienceOf(url),
      deadlineMs: DEADLINE_MS,
      maxResponseBytes: MAX_BYTES,
    })
    const { status } = answer
    return {
      status,
      headers: answer.headers,
      body: status === 200 || status === 201 ? objectIn(answer.body) : null,
    }
  }

  /**
   * Status and headers of what the server itself answers. The body is left: servers answer with streams, too, which
   * may have no end.
   */
  async head(
    method: string,
    headers: Readonly<Record<string, string>>,
    body: object | null,
    isShort = false,
  ): Promise<Pick<OutgoingStream, 'status' | 'headers'>> {
    const answer = await this.#out.open({
      url: this.#home,
      method,
      headers: body === null ? headers : { 'content-type': 'application/json', ...headers },
      body: body === null ? null : JSON.stringify(body),
      audience: 'configured',
      deadlineMs: isShort ? SHORT_MS : DEADLINE_MS,
      idleMs: null,
      maxResponseBytes: null,
    })
    answer.cancel()
    return answer
  }

  /** In the form that the library takes in place of `fetch`. */
  get fetch(): Fetch {
    return async (input, init = {}) => {
      const url = new URL(String(input))
      const { asFetch } = await import('../../net/index.ts')
      const fetch = asFetch(this.#out, {
        audience: this.#audienceOf(url),
        deadlineMs: DEADLINE_MS,
        maxResponseBytes: MAX_BYTES,
      })
      return fetch(url, init)
    }
  }

  #audienceOf(url: URL): Audience {
    const home = this.#home
    const isNamed = url.origin === home.origin || (isLoopback(home) && isLoopback(url))
    return isNamed ? 'configured' : 'public'
  }
}

export function isLoopback({ hostname }: URL): boolean {
  return LOOPBACK.test(hostname)
}

function objectIn(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null
  } catch {
    return null
  }
}
