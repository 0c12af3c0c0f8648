import { Fault } from '../core/faults.ts'
import type { Outgoing, OutgoingRequest } from './outgoing.ts'

export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>

export type FetchRules = Pick<
  OutgoingRequest,
  'audience' | 'deadlineMs' | 'maxResponseBytes' | 'redirects'
>

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** The way out in the form that libraries take in place of `fetch`. */
export function asFetch(out: Pick<Outgoing, 'request'>, rules: FetchRules): Fetch {
  return async (input, init = {}) => {
    const { redirects, ...limits } = rules
    const { status, headers, body } = await out.request({
      ...limits,
      url: input,
      method: init.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init.headers)),
      body: bodyOf(init.body),
      redirects: init.redirect === 'manual' ? 0 : (redirects ?? 0),
      ...(init.signal === null || init.signal === undefined ? {} : { signal: init.signal }),
    })
    const shown = WITHOUT_BODY.has(status) ? null : new Uint8Array(body)
    return new Response(shown, { status, headers })
  }
}

function bodyOf(body: RequestInit['body']): string | Uint8Array | null {
  if (body === null || body === undefined) return null
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (body instanceof URLSearchParams) return body.toString()
  throw new Fault('BAD_INPUT', 'The body of the request is of a kind that is not sent.')
}
