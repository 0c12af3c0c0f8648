/** What came in `Authorization`. */
export interface ShownToken {
  readonly bearer: string
  readonly scheme: 'Bearer' | 'DPoP'
}

/** @returns null when there is none that could be somebody's */
export function shownToken(authorization: string | null): ShownToken | null {
  const [, scheme = '', bearer] =
    /^(Bearer|DPoP) ([\x21-\x7e]{1,8192})$/i.exec(authorization ?? '') ?? []
  if (bearer === undefined) return null
  return { bearer, scheme: scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer' }
}

/** Names under which clients put tokens into addresses. */
const QUERY_TOKENS: ReadonlySet<string> = new Set([
  'access_token',
  'token',
  'bearer',
  'authorization',
  'api_key',
  'apikey',
])

/** What stands in an address is in logs, histories and referrers: it is refused even beside a good header. */
export function namesToken(query: URLSearchParams): boolean {
  return [...query.keys()].some((name) => QUERY_TOKENS.has(name.toLowerCase()))
}

export const NO_TOKEN_IN_QUERY = 'A token is sent in the Authorization header, never in a query.'
