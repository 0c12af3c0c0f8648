import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'

/** Whom the provider signs in, and what it says of him. */
export interface ProviderClaims {
  readonly sub: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly name?: string
  readonly auth_time?: number
  /** Wrong on purpose. */
  readonly nonce?: string
  readonly aud?: string
  readonly iss?: string
}

export interface OidcProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** Who signs in next. */
  person: ProviderClaims
  stop(): Promise<void>
}

/** A small OpenID Connect provider that asks nobody anything: discovery, code flow with PKCE, keys. */
export async function startProvider(): Promise<OidcProvider> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const codes = new Map<string, { query: URLSearchParams; person: ProviderClaims }>()
  const client = { clientId: 'sallyport', clientSecret: randomUUID() }
  const state: { person: ProviderClaims; issuer: string } = {
    person: { sub: 'nobody' },
    issuer: '',
  }

  async function answer(url: URL, body: URLSearchParams): Promise<Response> {
    const { issuer } = state
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return Response.json({
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
          code_challenge_methods_supported: ['S256'],
        })
      case '/keys':
        return Response.json({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] })
      case '/authorize': {
        const code = randomUUID()
        codes.set(code, { query: url.searchParams, person: state.person })
        const back = new URL(url.searchParams.get('redirect_uri') ?? '')
        back.searchParams.set('code', code)
        back.searchParams.set('state', url.searchParams.get('state') ?? '')
        return new Response(null, { status: 302, headers: { location: back.href } })
      }
      case '/token': {
        const code = body.get('code') ?? ''
        const begun = codes.get(code)
        codes.delete(code)
        const challenge = Buffer.from(
          await crypto.subtle.digest('SHA-256', Buffer.from(body.get('code_verifier') ?? '')),
        ).toString('base64url')
        if (
          begun === undefined ||
          body.get('client_id') !== client.clientId ||
          body.get('client_secret') !== client.clientSecret ||
          body.get('redirect_uri') !== begun.query.get('redirect_uri') ||
          challenge !== begun.query.get('code_challenge')
        )
          return Response.json({ error: 'invalid_grant' }, { status: 400 })
        const { sub, iss = issuer, aud = client.clientId, ...claims } = begun.person
        const idToken = await new SignJWT({ nonce: begun.query.get('nonce'), ...claims })
          .setProtectedHeader({ alg: 'ES256', kid })
          .setIssuer(iss)
          .setAudience(aud)
          .setSubject(sub)
          .setIssuedAt()
          .setExpirationTime('5m')
          .sign(privateKey)
        return Response.json({
          access_token: randomUUID(),
          token_type: 'Bearer',
          id_token: idToken,
        })
      }
      default:
        return new Response(null, { status: 404 })
    }
  }

  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
      const body = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
      const answered = await answer(new URL(request.url ?? '/', state.issuer), body)
      response.writeHead(answered.status, Object.fromEntries(answered.headers))
      response.end(Buffer.from(await answered.arrayBuffer()))
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  state.issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  return {
    ...client,
    issuer: state.issuer,
    get person() {
      return state.person
    },
    set person(person) {
      state.person = person
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
