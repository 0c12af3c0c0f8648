import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { isLoopbackAddress } from '../ask/index.ts'
import type { Browser, SignedIn } from '../core/people-port.ts'

/** What the server knows of a request besides the request. */
export interface From {
  /** Address of the peer itself. */
  readonly peer: string | null
  /** Address of the client after trusted proxies, or null. */
  readonly address: string | null
  /** It came over TLS, here or at a trusted proxy. */
  readonly isSecure: boolean
}

/** Header fields of a request, whatever carries it. */
export interface Headed {
  readonly headers: { get(name: string): string | null }
}

/** One request of a browser that came to the right place in the right way. */
export interface Visit {
  readonly request: Request
  /** Origin that the browser is on, one of ours. */
  readonly origin: string
  readonly path: string
  readonly query: URLSearchParams
  readonly browser: Browser
  readonly isSecure: boolean
  /** The session's cookie, or an empty text. */
  readonly cookie: string
  /** Null when nobody is signed in. */
  readonly signedIn: SignedIn | null
}

/**
 * The origin that the request was sent to, when it is one of ours: the address that the server was told it has, or a
 * name of this machine. Any other name may have been made to point here (DNS rebinding). Cookies and passwords go over
 * plain HTTP within this machine only.
 *
 * @param site where the server says that it is, `https://vault.example.org` or `http://localhost:4747`
 */
export function originOf({ headers }: Headed, site: string, from: From): string | null {
  const host = headers.get('host') ?? ''
  const origin = `${from.isSecure ? 'https' : 'http'}://${host.toLowerCase()}`
  const isHere = LOCAL.test(origin) && isLoopbackAddress(from.peer)
  if (!isHere && origin !== site) return null
  return from.isSecure || isHere ? origin : null
}

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/

/** With TLS the browser itself keeps others, subdomains too, from setting these. */
export function cookieName(name: 'session' | 'form' | 'elsewhere', isSecure: boolean): string {
  return `${isSecure ? '__Host-' : ''}sallyport-${name}`
}

/**
 * The cookie of that name, or an empty text. Of two that differ one was set by somebody else on this machine or domain,
 * and nothing says which.
 */
export function cookieOf(
  { headers }: Headed,
  name: 'session' | 'form' | 'elsewhere',
  isSecure: boolean,
): string {
  const wanted = `${cookieName(name, isSecure)}=`
  const found = new Set<string>()
  for (const pair of (headers.get('cookie') ?? '').split(';')) {
    const text = pair.trim()
    if (text.startsWith(wanted)) found.add(text.slice(wanted.length))
  }
  const [value = ''] = found
  return found.size === 1 ? value : ''
}

/** @param value empty: forget it */
export function setCookie(
  name: 'session' | 'form' | 'elsewhere',
  value: string,
  isSecure: boolean,
  maxAgeSeconds: number,
): string {
  const secure = isSecure ? '; Secure' : ''
  const age = value === '' ? 0 : maxAgeSeconds
  return `${cookieName(name, isSecure)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${age}${secure}`
}

const SESSION_SECONDS = 7 * 86_400

/** The line that gives a browser its session. @param value empty: takes it away */
export function sessionCookie(value: string, isSecure: boolean): string {
  return setCookie('session', value, isSecure, SESSION_SECONDS)
}

const FORM_COOKIE = /^[A-Za-z0-9_-]{43}$/

/** What a form carries before anybody is signed in: something that only this browser's cookie gives. */
export function formOf(visit: Visit): { readonly token: string; readonly cookie: string | null } {
  if (visit.signedIn !== null) return { token: visit.signedIn.formToken, cookie: null }
  const known = cookieOf(visit.request, 'form', visit.isSecure)
  if (FORM_COOKIE.test(known)) return { token: tokenOf(known), cookie: null }
  const drawn = randomBytes(32).toString('base64url')
  return { token: tokenOf(drawn), cookie: setCookie('form', drawn, visit.isSecure, 86_400) }
}

/** Whether a form came from a page that was made for this browser, and for this session when there is one. */
export function isOwnForm(visit: Visit, token: string): boolean {
  const cookie = cookieOf(visit.request, 'form', visit.isSecure)
  const expected = visit.signedIn?.formToken ?? (FORM_COOKIE.test(cookie) ? tokenOf(cookie) : null)
  return expected !== null && isSameToken(token, expected)
}

function tokenOf(cookie: string): string {
  return createHash('sha256').update(`form:${cookie}`).digest('base64url')
}

/** Takes as long wherever they differ. */
export function isSameToken(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

const MAX_FORM_BYTES = 65_536

/** The fields of a form, each at most once; null when it is none or too long. */
export async function readFields(request: Request): Promise<ReadonlyMap<string, string> | null> {
  const type = request.headers.get('content-type') ?? ''
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') return null
  const text = await readText(request)
  if (text === null) return null
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) return null
    fields.set(name, value)
  }
  return fields
}

/** A JSON object; null when it is none or too long. */
export async function readJson(
  request: Request,
): Promise<Readonly<Record<string, unknown>> | null> {
  const type = request.headers.get('content-type') ?? ''
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/json') return null
  const text = await readText(request)
  if (text === null) return null
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Readonly<Record<string, unknown>>)
      : null
  } catch {
    return null
  }
}

async function readText(request: Request): Promise<string | null> {
  const reader = request.body?.getReader()
  if (reader === undefined) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    const chunk: Uint8Array = value
    size += chunk.byteLength
    if (size > MAX_FORM_BYTES) {
      await reader.cancel()
      return null
    }
    chunks.push(chunk)
  }
  const bytes = Buffer.concat(chunks)
  for (const chunk of chunks) chunk.fill(0)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  } finally {
    bytes.fill(0)
  }
}

const PATH = /^\/(?![/\\])[\w\-./~%]{0,500}$/

/** A path of ours to go on to: nothing that a browser takes for another site. */
export function pathOnward(text: string | null): string {
  return text !== null && PATH.test(text) && !text.includes('..') ? text : '/account'
}
