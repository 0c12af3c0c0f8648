import { Fault } from '../core/faults.ts'
import type { Browser, SignedIn, SignInPort } from '../core/people-port.ts'
import { cookieOf, type Headed, isSameToken, originOf } from '../pages/index.ts'
import type { Operation } from './operation.ts'
import type { ApiRequest } from './server.ts'

/** The header field that a browser's session must carry: no other site can send it, and none can read what it holds. */
export const CSRF_HEADER = 'X-CSRF-Token'

/** One request of a browser in which somebody is signed in. */
export interface BrowserSession {
  readonly cookie: string
  readonly signedIn: SignedIn
  readonly browser: Browser
  /** Origin of ours that the browser is on. */
  readonly origin: string
  readonly isSecure: boolean
}

export interface BrowserSessionParts {
  readonly signIn: () => Promise<Pick<SignInPort, 'authenticate'>>
  /** Where browsers find the server, or null: on this machine alone. */
  readonly site: () => string | null
}

type Asked = Pick<ApiRequest, 'address' | 'scheme' | 'header'>

/** The cookie of a session, or an empty text. */
export function shownCookie(request: Asked): string {
  return cookieOf(headed(request), 'session', request.scheme === 'https')
}

/** Lets the sessions of the pages make calls, from our own origin and with a token that only our own origin can read. */
export class BrowserSessions {
  readonly #parts: BrowserSessionParts

  constructor(parts: BrowserSessionParts) {
    this.#parts = parts
  }

  /**
   * Reads are held to it too: reading a value spends a read and is recorded as its person's.
   *
   * @throws {Fault} `ACCESS_DENIED` to what another site may have sent; `UNAUTHENTICATED`
   */
  async of(
    request: Asked,
    cookie: string,
    { method, handsOutToken }: Pick<Operation, 'method' | 'handsOutToken'>,
  ): Promise<BrowserSession> {
    const origin = this.#originOf(request)
    const from = request.header('origin')
    const site = request.header('sec-fetch-site')
    const isNamed = from === null ? method === 'GET' : from === origin
    if (!isNamed || (site !== null && site !== 'same-origin')) throw foreign(origin)
    const browser = { address: request.address, agent: request.header('user-agent') }
    const signedIn = await (await this.#parts.signIn()).authenticate(cookie, browser)
    const token = request.header(CSRF_HEADER.toLowerCase()) ?? ''
    if (!handsOutToken && !isSameToken(token, signedIn.formToken)) throw withoutToken()
    return { cookie, signedIn, browser, origin, isSecure: request.scheme === 'https' }
  }

  #originOf(request: Asked): string {
    const { address, scheme } = request
    const site = this.#parts.site()
    const own = site === null ? '' : (URL.parse(site)?.origin ?? '')
    const from = { peer: address, address, isSecure: scheme === 'https' }
    const origin = originOf(headed(request), own, from)
    if (origin !== null) return origin
    throw new Fault('ACCESS_DENIED', 'A session counts at the address of its pages alone.', {
      details: {
        field: 'Host',
        remedy:
          own === '' ? 'ask at http://localhost, on the machine of the server' : `ask at ${own}`,
      },
    })
  }
}

function headed({ header }: Pick<ApiRequest, 'header'>): Headed {
  return { headers: { get: (name) => header(name) } }
}

function foreign(origin: string): Fault {
  return new Fault('ACCESS_DENIED', 'A session counts for what pages of this server send.', {
    details: { field: 'Origin', remedy: `send it from a page at ${origin}` },
  })
}

function withoutToken(): Fault {
  return new Fault('ACCESS_DENIED', `${CSRF_HEADER} is missing or not that of this session.`, {
    details: {
      field: CSRF_HEADER,
      remedy: 'send csrf_token of GET /v1/auth/session with every call of a session',
    },
  })
}
