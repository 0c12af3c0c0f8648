import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isJsonContentType,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  type McpHttpHandler,
  type McpServerFactory,
  originValidationResponse,
} from '@modelcontextprotocol/server'

import { asFault, FAULTS, type FaultCode } from '../core/faults.ts'
import { hostnameIn } from '../core/hostname-in.ts'
import type { Log } from '../core/log.ts'
import { toldTo } from '../core/told.ts'
import { ChangeBus } from './change-bus.ts'
import type { ServerDefinition } from './definition.ts'
import { createLegacySessions } from './legacy-sessions.ts'
import { readJsonBody } from './request-body.ts'
import { challengeOf, isResourceMetadataPath, resourceMetadata } from './resource-metadata.ts'
import { createServerBuilder, type Peer } from './server.ts'
import { NO_TOKEN_IN_QUERY, namesToken, type ShownToken, shownToken } from './shown-token.ts'

const MAX_BODY_BYTES = 1_048_576

export interface McpEndpointOptions<S> {
  /**
   * Whose bearer this is. Asked for every request, also of a session.
   *
   * @returns null when the bearer is unknown, revoked or not for this server
   */
  authenticate(shown: ShownBearer): Promise<AuthenticatedPeer<S> | null>
  readonly log: Log
  /** Origin under which the client reached this server. Default: that of the request, whose host was checked. */
  originOf?(request: Request): string
  /** Issuers whose tokens count here. Default: this server. */
  readonly authorizationServers?: readonly string[]
  /** Host names beside those of loopback under which this server is reached. */
  readonly hostnames?: readonly string[]
  readonly maxBodyBytes?: number
}

/** What came in `Authorization`, with what it is judged by. */
export interface ShownBearer extends ShownToken {
  /** The `DPoP` header, or null. */
  readonly proof: string | null
  readonly method: string
  /** Address of this endpoint, as the client named it. */
  readonly url: string
  /** The `X-Vault-ID` header, or null. */
  readonly vault: string | null
  /** Address of the client, or null. */
  readonly address: string | null
}

export interface AuthenticatedPeer<S> {
  readonly session: S
  /** Id of the bearer: sessions and sealed state belong to it. */
  readonly owner: string
}

export interface McpEndpoint {
  fetch(request: Request, info: { readonly remoteAddress: string | null }): Promise<Response>
  close(): Promise<void>
}

/**
 * Streamable HTTP in both eras: 2026-07-28 without sessions, the older revisions in sessions that belong to one
 * bearer and share nothing.
 */
export function createMcpEndpoint<S>(
  definition: ServerDefinition<S>,
  options: McpEndpointOptions<S>,
): McpEndpoint {
  const build = createServerBuilder(definition)
  const peers = new WeakMap<Request, Peer<S>>()
  const hostnames = [...localhostAllowedHostnames(), ...(options.hostnames ?? [])]
  const origins = [...localhostAllowedOrigins(), ...(options.hostnames ?? [])]
  const maxBodyBytes = options.maxBodyBytes ?? MAX_BODY_BYTES
  const report = (error: Error): void => options.log.debug('mcp request', { error: error.name })

  const factory: McpServerFactory = ({ era, requestInfo }) => {
    const peer = requestInfo === undefined ? undefined : peers.get(requestInfo)
    if (peer === undefined) throw new Error('a request reached the server without a bearer')
    return build(peer, era).server
  }
  const bus = new ChangeBus(definition)
  const quick = createMcpHandler(factory, { legacy: 'reject', onerror: report, bus })
  // A call that may wait for the person is streamed from the start, so that its client sees that it is alive.
  const waiting = createMcpHandler(factory, {
    legacy: 'reject',
    onerror: report,
    responseMode: 'sse',
    bus,
  })
  const waits = new Set(definition.waitingTools)
  const sessions = createLegacySessions(build, definition, report)
  const stopListening = definition.onResourceChange((uri) => bus.changed(uri))

  async function serve(request: Request, peer: Peer<S>): Promise<Response> {
    let parsedBody: unknown
    if (request.method === 'POST') {
      if (!isJsonContentType(request.headers.get('content-type')))
        return refusal(415, 'BAD_INPUT', 'Content-Type must be application/json.')
      const body = await readJsonBody(request, maxBodyBytes)
      if (!body.ok) return jsonRpcRefusal(body.status, body.code, body.message)
      parsedBody = body.value
    }
    if (await isLegacyRequest(request, parsedBody))
      return await sessions.serve(request, parsedBody, peer)
    peers.set(request, peer)
    const handler: McpHttpHandler = waits.has(request.headers.get('mcp-name') ?? '')
      ? waiting
      : quick
    const fetched = (): Promise<Response> => handler.fetch(request, { parsedBody })
    return await (isListen(parsedBody) ? bus.opened(peer, fetched) : fetched())
  }

  async function answer(request: Request, remoteAddress: string | null): Promise<Response> {
    const rejected =
      hostHeaderValidationResponse(request, hostnames) ?? originValidationResponse(request, origins)
    if (rejected !== undefined) return rejected
    if (!isPlain(request)) return refusal(403, 'ACCESS_DENIED', NOT_PLAIN)
    const url = new URL(request.url)
    const origin = options.originOf?.(request) ?? url.origin
    if (isResourceMetadataPath(url.pathname))
      return resourceMetadata(request, origin, options.authorizationServers ?? [origin])
    if (namesToken(url.searchParams))
      return challenged(refusal(400, 'BAD_INPUT', NO_TOKEN_IN_QUERY), origin, 'invalid_request')
    const authorization = request.headers.get('authorization')
    const token = shownToken(authorization)
    const found =
      token === null
        ? null
        : await options.authenticate({
            ...token,
            proof: request.headers.get('dpop'),
            method: request.method,
            url: origin + url.pathname,
            vault: request.headers.get('x-vault-id'),
            address: remoteAddress,
          })
    if (found === null) {
      options.log.warn('request without a valid bearer', { from: remoteAddress })
      return unauthenticated((authorization ?? '') !== '', origin)
    }
    return await serve(request, { owner: found.owner, session: async () => found.session })
  }

  return {
    async fetch(request, { remoteAddress }) {
      try {
        return unkept(await answer(request, remoteAddress))
      } catch (error) {
        // A store that does not answer lets nobody in.
        const fault = asFault(error)
        const { message, details } = toldTo(fault, null)
        if (fault.http >= 500)
          options.log.error('mcp request failed', { code: fault.code, reason: fault.message })
        const seconds = details['retryAfterSeconds']
        const refused = refusal(fault.http, fault.code, message)
        if (typeof seconds === 'number') refused.headers.set('Retry-After', String(seconds))
        return unkept(refused)
      }
    },
    async close() {
      stopListening()
      await Promise.all([quick.close(), waiting.close(), sessions.close()])
    },
  }
}

const NOT_PLAIN = 'The Host or the Origin is not this server, as it is written.'

/** The SDK compares what URLs make of both, which is more than others take for one host. */
function isPlain({ headers }: Request): boolean {
  const origin = headers.get('origin')
  return (
    hostnameIn(`http://${headers.get('host') ?? ''}`) !== null &&
    (origin === null || hostnameIn(origin) !== null)
  )
}

function unauthenticated(sentOne: boolean, origin: string): Response {
  return challenged(
    refusal(
      401,
      'UNAUTHENTICATED',
      sentOne ? 'The bearer token is not valid.' : 'A bearer token is required.',
    ),
    origin,
    sentOne ? 'invalid_token' : null,
  )
}

function challenged(response: Response, origin: string, error: string | null): Response {
  response.headers.set('WWW-Authenticate', challengeOf(origin, '/mcp', error))
  return response
}

/** Answers may hold values: nobody on the way keeps them, or takes them for something else. */
function unkept(response: Response): Response {
  if (!response.headers.has('Cache-Control')) response.headers.set('Cache-Control', 'no-store')
  response.headers.set('X-Content-Type-Options', 'nosniff')
  return response
}

function refusal(status: number, code: FaultCode, message: string): Response {
  return Response.json({ error: { code, message, help: FAULTS[code].help } }, { status })
}

function jsonRpcRefusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status })
}

function isListen(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    'method' in body &&
    body.method === 'subscriptions/listen'
  )
}
