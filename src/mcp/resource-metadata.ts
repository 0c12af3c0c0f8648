const WELL_KNOWN = '/.well-known/oauth-protected-resource'
/** What is served here: the secrets, one server of the gateway, all of them. */
const ENDPOINT = /^(?:|\/mcp(?:\/all)?|\/s\/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\/mcp)$/

/** Whether a path is one at which clients look for what this server asks of tokens (RFC 9728). */
export function isResourceMetadataPath(pathname: string): boolean {
  return pathname.startsWith(WELL_KNOWN) && ENDPOINT.test(pathname.slice(WELL_KNOWN.length))
}

/**
 * What this server asks of tokens. The document names the resource whose address it was derived from, as clients check.
 *
 * @param origin under which the client reached this server
 */
export function resourceMetadata(
  request: Request,
  origin: string,
  authorizationServers: readonly string[],
): Response {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return new Response(null, { status: 405, headers: { Allow: 'GET, HEAD' } })
  const suffix = new URL(request.url).pathname.slice(WELL_KNOWN.length)
  return Response.json(
    {
      resource: origin + suffix,
      resource_name: 'Sallyport',
      authorization_servers: authorizationServers,
      bearer_methods_supported: ['header'],
      // What a token may do is said by the paths and policies of its agent, not by scopes of OAuth.
      scopes_supported: [],
      dpop_signing_alg_values_supported: ['ES256', 'ES384', 'EdDSA'],
    },
    { headers: { 'Cache-Control': 'no-store' } },
  )
}

/**
 * `WWW-Authenticate` of a refusal (RFC 6750), which leads to the document (RFC 9728, section 5.1).
 *
 * @param endpoint path of what was asked for: `/mcp`
 */
export function challengeOf(origin: string, endpoint: string, error: string | null): string {
  const parts = ['realm="sallyport"']
  if (error !== null) parts.push(`error="${error}"`)
  parts.push(`resource_metadata="${origin}${WELL_KNOWN}${endpoint}"`)
  return `Bearer ${parts.join(', ')}`
}
