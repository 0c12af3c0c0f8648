import type { Settings } from '../core/config.ts'

/** Where browsers come back to, on any port: RFC 8252 section 7.3. */
const LOOPBACK = 'http://127.0.0.1/callback'
const BACK = '/servers/back'

/**
 * The document that says who this program is to authorization servers, where this server is the place for it; null for
 * any other address.
 */
export function clientDocument(
  { clientDocument: place, publicUrl }: Pick<Settings, 'clientDocument' | 'publicUrl'>,
  target: string,
): Response | null {
  if (place === null || publicUrl === null || `${publicUrl}${target}` !== place) return null
  return Response.json(
    {
      client_id: place,
      client_name: 'Sallyport',
      client_uri: publicUrl,
      redirect_uris: [`${publicUrl}${BACK}`, LOOPBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    { headers: { 'Cache-Control': 'max-age=3600', 'X-Content-Type-Options': 'nosniff' } },
  )
}
