import { html, raw } from 'hono/html'
import { newNonce, pageResponse, pageShell } from '../ask/index.ts'
import type { Fault } from '../core/faults.ts'
import { PASSKEY_SCRIPT } from './passkey-script.ts'
import { sessionCookie, setCookie, type Visit } from './visit.ts'

export interface Page {
  readonly status?: number
  readonly title: string
  readonly body: unknown
  /** Set-Cookie lines. */
  readonly cookies?: readonly (string | null)[]
  /** Says in the headers how long to wait. */
  readonly fault?: Fault | null
  /** It has buttons for passkeys. */
  readonly runs?: boolean
}

export async function reply({
  status = 200,
  title,
  body,
  cookies = [],
  runs = false,
  fault,
}: Page) {
  const nonce = newNonce()
  const script = runs ? html`<script nonce="${nonce}">${raw(PASSKEY_SCRIPT)}</script>` : ''
  const text = await pageShell(nonce, title, html`${body}${script}`)
  return withCookies(pageResponse(status, nonce, text, waitOf(fault), runs), cookies)
}

function waitOf(fault: Fault | null | undefined): Readonly<Record<string, string>> {
  const seconds = fault?.details['retryAfterSeconds']
  return typeof seconds === 'number' ? { 'retry-after': String(seconds) } : {}
}

/** A page that only says something. */
export function note(
  status: number,
  title: string,
  text: string,
  cookies: readonly (string | null)[] = [],
): Promise<Response> {
  return reply({
    status,
    title,
    body: html`<h1>${title}</h1><p class="say">${text}</p>`,
    cookies,
  })
}

export function onward(path: string, cookies: readonly (string | null)[] = []): Response {
  const response = new Response(null, {
    status: 303,
    headers: {
      location: path,
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    },
  })
  return withCookies(response, cookies)
}

export function json(
  status: number,
  body: object,
  cookies: readonly (string | null)[] = [],
): Response {
  const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  return withCookies(Response.json(body, { status, headers }), cookies)
}

/** The session that was opened, and no more form of before it. */
export function sessionCookies(cookie: string, { isSecure }: Visit): readonly string[] {
  return [sessionCookie(cookie, isSecure), setCookie('form', '', isSecure, 0)]
}

function withCookies(response: Response, cookies: readonly (string | null)[]): Response {
  for (const cookie of cookies) if (cookie !== null) response.headers.append('set-cookie', cookie)
  return response
}
