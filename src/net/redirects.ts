import { failed } from './net-faults.ts'
import { parseTarget, refused } from './rules.ts'

/** A body that is too large for memory. */
export interface OutgoingPieces {
  /** How many there are in all pieces. */
  readonly bytes: number
  /** Given anew each time it is asked. */
  pieces(): Iterable<Uint8Array>
}

export const MAX_REDIRECTS = 5

/** What is sent to one origin. */
export interface Hop {
  readonly url: URL
  readonly method: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | OutgoingPieces | null
}

/** What says nothing about the caller. Any other header may be a credential under a name of its own. */
const WITHOUT_CREDENTIALS: ReadonlySet<string> = new Set([
  'accept',
  'accept-language',
  'user-agent',
])

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export function isRedirect(status: number, location: string | null): location is string {
  return location !== null && REDIRECTS.has(status)
}

/**
 * The next request after a redirect (RFC 9110 section 15.4, and what browsers made of POST). Another origin gets neither
 * headers that may be credentials nor a body.
 *
 * @throws {Fault} `NET_FAILED` when the target is no URL, `NET_REFUSED` when a body would go to another origin
 */
export function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = targetOf(hop.url, location)
  const becomesGet =
    (status === 303 && hop.method !== 'HEAD') ||
    ((status === 301 || status === 302) && hop.method === 'POST')
  const method = becomesGet ? 'GET' : hop.method
  const body = becomesGet ? null : hop.body
  const isSameOrigin = url.origin === hop.url.origin
  if (!isSameOrigin && body !== null)
    throw refused(url, `would get what was sent to ${hop.url.origin}`)
  const headers = Object.entries(hop.headers).filter(
    ([name]) =>
      (isSameOrigin || WITHOUT_CREDENTIALS.has(name)) &&
      !(body === null && name.startsWith('content-')),
  )
  return { url, method, headers: Object.fromEntries(headers), body }
}

function targetOf(base: URL, location: string): URL {
  try {
    const url = parseTarget(location, base)
    url.hash = ''
    return url
  } catch {
    throw failed(base, 'redirects to something that is not a URL')
  }
}
