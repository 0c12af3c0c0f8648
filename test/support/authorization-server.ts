// A real OAuth 2.1 authorization server on loopback that asks nobody anything, and the MCP server that it guards.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { bodyOf, serve } from './outgoing.ts'

export interface AuthorizationOptions {
  /** Path of the issuer: `/tenant`. */
  readonly path?: string
  /** Where its metadata is, in place of where RFC 8414 has it. */
  readonly metadataAt?: string
  /** Members of the metadata that are other than usual; undefined takes one out. */
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly lifeSeconds?: number
  readonly isOpaque?: boolean
  /** Clients that were registered by hand: id and secret, and where they may come back to. */
  readonly clients?: Readonly<Record<string, { readonly secret: string | null }>>
  readonly givesRefresh?: boolean
  /** Members of the answer to a registration that are other than usual. */
  readonly registration?: Readonly<Record<string, unknown>>
  /** Members of the answer of the browser that are other than usual. */
  readonly comesBack?: Readonly<Record<string, string | undefined>>
}

/** One request that reached it. */
export interface Reached {
  readonly path: string
  readonly query: URLSearchParams
  readonly form: URLSearchParams
  readonly authorization: string | undefined
}

interface Client {
  readonly id: string
  readonly secret: string | null
  readonly method: string
  /** Null: any. */
  readonly redirects: readonly string[] | null
}

interface Family {
  readonly client: string
  readonly resource: string
  readonly scope: string
  refresh: string
  isDead: boolean
}

export interface AuthorizationServer {
  readonly issuer: string
  readonly reached: Reached[]
  /** Requests to one endpoint. */
  at(path: string): readonly Reached[]
  /** Whether a token is good now, for the resource; and with which scopes. */
  scopesOf(token: string, resource: string): Promise<readonly string[] | null>
  /** Every access token that was ever given. */
  readonly given: readonly string[]
  readonly refreshes: readonly string[]
  /** From now on no token of before counts. */
  endTokens(): void
  /** From now on no refresh token of before counts. */
  endRefreshes(): void
  /** From now on no client that registered itself is known. */
  forgetClients(): void
  /** What the token endpoint answers in place of tokens, or null. */
  trouble: { readonly status: number; readonly body: object } | null
}

export async function authorizationServer(
  options: AuthorizationOptions = {},
): Promise<AuthorizationServer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const clients = new Map<string, Client>()
  for (const [id, { secret }] of Object.entries(options.clients ?? {}))
    clients.set(id, { id, secret, method: secret === null ? 'none' : 'any', redirects: null })
  const registered: string[] = []
  const codes = new Map<string, URLSearchParams>()
  const families: Family[] = []
  const opaque = new Map<
    string,
    { readonly resource: string; readonly scope: string; readonly ends: number }
  >()
  const ended = new Set<string>()
  const reached: Reached[] = []
  const given: string[] = []
  const refreshes: string[] = []
  const state: { issuer: string; trouble: AuthorizationServer['trouble'] } = {
    issuer: '',
    trouble: null,
  }
  const path = options.path ?? ''
  const life = options.lifeSeconds ?? 3_600

  const metadata = () => ({
    issuer: state.issuer,
    authorization_endpoint: `${state.issuer}/authorize`,
    token_endpoint: `${state.issuer}/token`,
    registration_endpoint: `${state.issuer}/register`,
    revocation_endpoint: `${state.issuer}/revoke`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
    authorization_response_iss_parameter_supported: true,
    ...options.metadata,
  })

  async function newTokens(family: Family) {
    const access = options.isOpaque
      ? `at_${randomBytes(24).toString('base64url')}`
      : await new SignJWT({ scope: family.scope, client_id: family.client })
          .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt' })
          .setIssuer(state.issuer)
          .setAudience(family.resource)
          .setJti(randomBytes(12).toString('hex'))
          .setExpirationTime(`${life}s`)
          .sign(privateKey)
    if (options.isOpaque) opaque.set(access, { ...family, ends: Date.now() + life * 1_000 })
    given.push(access)
    family.refresh = `rt_${randomBytes(24).toString('base64url')}`
    refreshes.push(family.refresh)
    return {
      access_token: access,
      token_type: 'Bearer',
      expires_in: life,
      scope: family.scope,
      ...(options.givesRefresh === false ? {} : { refresh_token: family.refresh }),
    }
  }

  function clientOf({ form, authorization }: Reached): Client | null {
    const [scheme, credentials] = (authorization ?? '').split(' ')
    let id = form.get('client_id') ?? ''
    let secret = form.get('client_secret')
    let method = secret === null ? 'none' : 'client_secret_post'
    if (scheme === 'Basic') {
      const [name = '', value = ''] = Buffer.from(credentials ?? '', 'base64')
        .toString()
        .split(':')
      id = decodeURIComponent(name)
      secret = decodeURIComponent(value)
      method = 'client_secret_basic'
    }
    const client = id.startsWith('https://')
      ? { id, secret: null, method: 'none', redirects: null }
      : clients.get(id)
    if (client === undefined || client.secret !== secret) return null
    return client.method === 'any' || client.method === method ? client : null
  }

  function register(body: string) {
    const wanted = JSON.parse(body) as {
      redirect_uris: string[]
      token_endpoint_auth_method: string
    }
    const method = wanted.token_endpoint_auth_method
    const client: Client = {
      id: `client-${registered.length + 1}`,
      secret: method === 'none' ? null : randomBytes(16).toString('hex'),
      method,
      redirects: wanted.redirect_uris,
    }
    clients.set(client.id, client)
    registered.push(client.id)
    return {
      client_id: client.id,
      ...(client.secret === null
        ? {}
        : { client_secret: client.secret, client_secret_expires_at: 0 }),
      token_endpoint_auth_method: method,
      redirect_uris: wanted.redirect_uris,
      ...options.registration,
    }
  }

  function authorize(query: URLSearchParams): string | null {
    const client = clients.get(query.get('client_id') ?? '')
    const redirect = query.get('redirect_uri') ?? ''
    const isDocument = query.get('client_id')?.startsWith('https://') === true
    const isKnown =
      isDocument || (client !== undefined && (client.redirects?.includes(redirect) ?? true))
    if (
      !isKnown ||
      query.get('response_type') !== 'code' ||
      query.get('code_challenge_method') !== 'S256' ||
      !/^[\w-]{43}$/.test(query.get('code_challenge') ?? '') ||
      query.getAll('resource').length !== 1
    )
      return null
    const code = randomBytes(16).toString('hex')
    codes.set(code, query)
    const back = new URL(redirect)
    const answer = {
      code,
      state: query.get('state') ?? '',
      iss: state.issuer,
      ...options.comesBack,
    }
    for (const [name, value] of Object.entries(answer))
      if (value !== undefined) back.searchParams.append(name, value)
    return back.href
  }

  async function token(request: Reached): Promise<[status: number, body: object]> {
    if (state.trouble !== null) return [state.trouble.status, state.trouble.body]
    const client = clientOf(request)
    if (client === null) return [401, { error: 'invalid_client' }]
    const { form } = request
    if (form.get('grant_type') === 'authorization_code') {
      const query = codes.get(form.get('code') ?? '')
      codes.delete(form.get('code') ?? '')
      const digest = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (
        query === undefined ||
        query.get('client_id') !== client.id ||
        query.get('redirect_uri') !== form.get('redirect_uri') ||
        query.get('code_challenge') !== digest ||
        query.get('resource') !== form.get('resource')
      )
        return [400, { error: 'invalid_grant' }]
      const family: Family = {
        client: client.id,
        resource: query.get('resource') ?? '',
        scope: query.get('scope') ?? '',
        refresh: '',
        isDead: false,
      }
      families.push(family)
      return [200, await newTokens(family)]
    }
    const shown = form.get('refresh_token') ?? ''
    const family = families.find(({ refresh }) => refresh === shown)
    // One that was used already is in two hands: all that came of it ends (RFC 9700 section 4.14.2).
    if (family === undefined && refreshes.includes(shown))
      for (const one of families) one.isDead = true
    if (family === undefined || family.isDead || family.client !== client.id)
      return [400, { error: 'invalid_grant' }]
    if (form.get('resource') !== family.resource) return [400, { error: 'invalid_target' }]
    return [200, await newTokens(family)]
  }

  function revoke(request: Reached): void {
    const shown = request.form.get('token') ?? ''
    if (clientOf(request) === null) return
    ended.add(shown)
    for (const family of families) if (family.refresh === shown) family.isDead = true
  }

  const answers = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', state.issuer)
    const body = await bodyOf(request)
    const one: Reached = {
      path: url.pathname.startsWith('/.well-known/')
        ? url.pathname
        : url.pathname.slice(path.length),
      query: url.searchParams,
      form: new URLSearchParams(body),
      authorization: request.headers.authorization,
    }
    reached.push(one)
    const say = (status: number, said: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
    const place = options.metadataAt ?? `/.well-known/oauth-authorization-server${path}`
    if (url.pathname === place) return say(200, metadata())
    switch (`${request.method} ${one.path}`) {
      case 'POST /register':
        return say(201, register(body))
      case 'GET /authorize': {
        const back = authorize(url.searchParams)
        return back === null
          ? say(400, { error: 'invalid_request' })
          : response.writeHead(302, { location: back }).end()
      }
      case 'POST /token': {
        const [status, said] = await token(one)
        return say(status, said)
      }
      case 'POST /revoke':
        revoke(one)
        return response.writeHead(200).end()
      default:
        return response.writeHead(404).end()
    }
  }
  state.issuer = `http://127.0.0.1:${await serve(answers)}${path}`
  return {
    issuer: state.issuer,
    reached,
    given,
    refreshes,
    at: (wanted) => reached.filter((one) => one.path === wanted),
    endTokens: () => {
      for (const one of given) ended.add(one)
    },
    endRefreshes: () => {
      for (const family of families) family.isDead = true
    },
    forgetClients: () => {
      for (const id of registered) clients.delete(id)
    },
    get trouble() {
      return state.trouble
    },
    set trouble(trouble) {
      state.trouble = trouble
    },
    async scopesOf(shown, resource) {
      if (ended.has(shown)) return null
      const known = opaque.get(shown)
      if (known !== undefined)
        return known.resource === resource && known.ends > Date.now()
          ? known.scope.split(' ')
          : null
      try {
        const { payload } = await jwtVerify(shown, jwk, {
          issuer: state.issuer,
          audience: resource,
          clockTolerance: 0,
        })
        return String(payload['scope']).split(' ')
      } catch {
        return null
      }
    },
  }
}

export interface GuardedServer {
  readonly url: string
  readonly authorization: AuthorizationServer
  /** What it was shown, for each request that it let in. */
  readonly let: string[]
  /** Requests that it refused. */
  refused: number
  /** Whether it refuses every token, whatever its authorization server gives. */
  takesNone: boolean
  /** Scopes without which a call of a tool is refused. */
  callScopes: readonly string[]
}

export interface GuardOptions extends AuthorizationOptions {
  /** Where its metadata is said to be; null: nothing is said. */
  readonly named?: string | null
  readonly resource?: (url: string) => string
  readonly document?: Readonly<Record<string, unknown>>
  /** Scopes that a refusal asks for. */
  readonly challengeScope?: string | null
  /** Answers a request without a token. @returns false where it is refused */
  readonly lets?: (body: string, response: ServerResponse) => boolean
  /** A request that was let in. */
  readonly answer: (body: string, request: IncomingMessage, response: ServerResponse) => unknown
}

/** A server of MCP that lets in who shows a token of its authorization server. */
export async function guardedServer(options: GuardOptions): Promise<GuardedServer> {
  const authorization = await authorizationServer({ isOpaque: true, ...options })
  const guarded: Omit<GuardedServer, 'url' | 'authorization'> = {
    let: [],
    refused: 0,
    takesNone: false,
    callScopes: [],
  }
  const place = '/.well-known/oauth-protected-resource/mcp'
  let url = ''
  const resource = () => options.resource?.(url) ?? url
  const port = await serve(async (request, response) => {
    const body = await bodyOf(request)
    if (request.url === place) {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({
          resource: resource(),
          authorization_servers: [authorization.issuer],
          scopes_supported: ['echo', 'more'],
          ...options.document,
        }),
      )
      return
    }
    if (request.url !== '/mcp') {
      response.writeHead(404).end()
      return
    }
    const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ')
    const isTaken = scheme === 'Bearer' && !guarded.takesNone
    const scopes = isTaken ? await authorization.scopesOf(token, resource()) : null
    const named =
      options.named === null
        ? []
        : [`resource_metadata="${options.named ?? new URL(place, url).href}"`]
    const refuse = (status: number, more: readonly string[]) => {
      guarded.refused += 1
      response
        .writeHead(status, { 'www-authenticate': `Bearer ${[...more, ...named].join(', ')}` })
        .end()
    }
    if (scheme === '' && options.lets?.(body, response)) return
    if (scopes === null) {
      const wanted = options.challengeScope === undefined ? 'echo' : options.challengeScope
      refuse(401, ['error="invalid_token"', ...(wanted === null ? [] : [`scope="${wanted}"`])])
      return
    }
    const { callScopes } = guarded
    if (body.includes('"tools/call"') && !callScopes.every((one) => scopes.includes(one))) {
      refuse(403, ['error="insufficient_scope"', `scope="${callScopes.join(' ')}"`])
      return
    }
    guarded.let.push(token)
    await options.answer(body, request, response)
  })
  url = `http://127.0.0.1:${port}/mcp`
  return Object.assign(guarded, { url, authorization })
}

/** What a browser does whose person says yes: follows until it comes back. @returns where it came back */
export async function browse(url: string, redirect: string): Promise<string> {
  let at = url
  for (let hop = 0; hop < 5; hop += 1) {
    if (at.startsWith(redirect)) return at
    const answer = await fetch(at, { redirect: 'manual' })
    await answer.body?.cancel()
    at = answer.headers.get('location') ?? assert.fail(`${at} answered ${answer.status}`)
  }
  return assert.fail('it never came back')
}
