import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { type ApiServer, isApiTarget, refuseRequest, serveApi } from '../api/index.ts'
import type { PageDesk } from '../ask/index.ts'
import type { TokenPort } from '../core/admin-port.ts'
import { packageVersion, type Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import { stopping } from '../core/stopping.ts'
import type { WholeRequest } from '../gateway/index.ts'
import type { McpEndpoint, ServerDefinition } from '../mcp/index.ts'
import { isResourceMetadataPath, openMcpEndpoint } from '../mcp/index.ts'
import type { From, Pages } from '../pages/index.ts'
import type { SecretSession } from '../secret-tools/index.ts'
import type { ReachedVault } from '../vault/index.ts'
import { type Arrival, arrivalOf, checkFields, securityOf } from './arrival.ts'
import { clientDocument } from './client-document.ts'
import type { DoorAnswer } from './door-answer.ts'
import { DoorConnections } from './door-connections.ts'
import type { GatewayDoor } from './gateway-door.ts'
import { askLazily, lazily } from './lazily.ts'
import { type Binding, openListener } from './listener.ts'
import { mcpPeer } from './mcp-peer.ts'

export interface ServeOptions {
  readonly settings: Settings
  readonly binding: Binding
  readonly log: Log
  readonly tokens: TokenPort
  readonly api: ApiServer
  readonly authentication: AuthenticationPort
  /** Whether the store answers. */
  readonly isReady: () => Promise<boolean>
  readonly vaultOf: ReachedVault
  readonly definition: ServerDefinition<SecretSession>
  /** The servers behind the gateway; opened by the first request for one. */
  readonly gateway: (hostnames: readonly string[]) => Promise<GatewayDoor>
  /** Told the address as soon as it is known, because pages name it; answers the desk to mount. */
  readonly deskAt: (baseUrl: string) => PageDesk
  /** The pages of people with accounts, for the same address. */
  readonly pagesAt: (baseUrl: string) => Promise<Pages>
}

export interface Serving {
  /** `http://127.0.0.1:PORT`, or where else it listens. */
  readonly baseUrl: string
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** Serves the API, MCP and the one-time pages. */
export async function serveHttp(options: ServeOptions): Promise<Serving> {
  const { log, settings, binding } = options
  const hostnames = hostnamesOf([settings.publicUrl, settings.nodeUrl], binding.host)
  const gateway = lazily(() => options.gateway(hostnames))
  const endpoint = await openMcpEndpoint(options.definition, {
    authenticate: (shown) => mcpPeer(options, shown),
    log,
    hostnames,
    originOf: (request) => new URL(settings.publicUrl ?? request.url).origin,
  })
  const mounted: Mounted = { desk: null, pages: null }
  const arrivals = new WeakMap<object, From>()
  const other = getRequestListener(
    (request, { incoming }) => {
      const from = arrivals.get(incoming) ?? NOWHERE
      const document = clientDocument(settings, incoming.url ?? '')
      if (document !== null) return document
      return route(request, from, endpoint, mounted, options.isReady)
    },
    { hostname: '127.0.0.1' },
  )
  let isStopping = false
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    let target = ''
    let arrival: Arrival
    try {
      if (isStopping) throw stopping()
      checkFields(incoming)
      target = inOriginForm(incoming)
      incoming.url = target
      arrival = arrivalOf(incoming, binding.behindProxy)
      if (!arrival.isPrivate && !isOpen(target)) throw notPrivate()
    } catch (error) {
      refuseRequest(outgoing, error)
      return
    }
    for (const [name, value] of securityOf(arrival, incoming)) outgoing.setHeader(name, value)
    if (isApiTarget(target)) void serveApi(options.api, incoming, outgoing, arrival)
    else if (GATEWAY.test(target)) {
      const from = { address: arrival.address, origin: originOf(incoming, arrival, settings) }
      gateway()
        .then((door) => door.handle(incoming, outgoing, target, from))
        .catch((error: unknown) => refuseRequest(outgoing, error))
    } else {
      arrivals.set(incoming, {
        peer: incoming.socket.remoteAddress ?? null,
        address: arrival.address,
        isSecure: arrival.scheme === 'https',
      })
      void other(incoming, outgoing)
    }
  }
  /** As `answer`, for what only the door of a server is asked; its fields were looked at as they were read. */
  const answerWhole = (request: WholeRequest, response: DoorAnswer): void => {
    try {
      if (isStopping) throw stopping()
      const arrival = arrivalOf(request, binding.behindProxy)
      if (!arrival.isPrivate) throw notPrivate()
      for (const [name, value] of securityOf(arrival, request)) response.setHeader(name, value)
      const from = { address: arrival.address, origin: originOf(request, arrival, settings) }
      const answered = askLazily(gateway, (door) =>
        door.handle(request, response, request.url, from),
      )
      if (answered instanceof Promise)
        answered.catch((error: unknown) => refuseRequest(response, error))
    } catch (error) {
      refuseRequest(response, error)
    }
  }
  const listening = await openListener(binding, answer, log)
  const { server } = listening
  const doors = new DoorConnections(
    server,
    binding.tls === null ? 'connection' : 'secureConnection',
    { keptMs: server.keepAliveTimeout, answer: answerWhole },
  )
  const closeIdle = (): void => {
    server.closeIdleConnections()
    doors.closeIdle()
  }
  listening.limits.asks((socket) => doors.isUnderWay(socket))
  const scheme = binding.tls === null ? 'http' : 'https'
  const baseUrl = `${scheme}://${shownHost(binding.host)}:${listening.port}`
  const desk = options.deskAt(baseUrl)
  mounted.desk = desk
  mounted.pages = await options.pagesAt(baseUrl)
  const { promise: stopped, resolve } = Promise.withResolvers<void>()
  server.once('close', resolve)
  return {
    baseUrl,
    stopped,
    async stop() {
      isStopping = true
      listening.close()
      server.close()
      closeIdle()
      await desk.close()
      await endpoint.close()
      await (await gateway.made()?.catch(() => null))?.close()
      closeIdle()
      // Streams that clients keep open would hold the server for ever.
      setTimeout(() => {
        server.closeAllConnections()
        doors.closeAll()
      }, 500).unref()
      await stopped
    },
  }
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)/i

/**
 * The path and query of a request, also where its target names the host, as clients of proxies write it (RFC 9112
 * §3.2.2).
 *
 * @throws {Fault} `BAD_INPUT` when that is another one than the field says
 */
function inOriginForm({ url = '', headers }: IncomingMessage): string {
  const named = ABSOLUTE.exec(url)
  if (named === null) return url
  const [whole, host = ''] = named
  if (host === '' || host.toLowerCase() !== headers.host?.toLowerCase())
    throw new Fault('BAD_INPUT', "The target of the request names another host than 'Host'.", {
      details: { field: 'host' },
    })
  const rest = url.slice(whole.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

const GATEWAY = /^\/(?:s\/|(?:mcp\/all|metrics)(?:\?|$))/

/** Origin under which the client reached this server; the door judges whether its host is one of ours. */
function originOf(
  { headers }: Pick<IncomingMessage, 'headers'>,
  { scheme }: Arrival,
  { publicUrl }: Settings,
): string {
  const url = publicUrl ?? `${scheme}://${headers.host ?? ''}`
  const known = knownOrigins.get(url)
  if (known !== undefined) return known
  const origin = URL.parse(url)?.origin ?? `${scheme}://127.0.0.1`
  if (knownOrigins.size >= MAX_ORIGINS) knownOrigins.clear()
  if (url.length <= MAX_ORIGIN_CHARACTERS) knownOrigins.set(url, origin)
  return origin
}

const MAX_ORIGINS = 64
const MAX_ORIGIN_CHARACTERS = 300
/** Clients name the same with every request. */
const knownOrigins = new Map<string, string>()

/** What is served beside the API and MCP, once the address is known. */
interface Mounted {
  desk: PageDesk | null
  pages: Pages | null
}

const NOWHERE: From = { peer: null, address: null, isSecure: false }

async function route(
  request: Request,
  from: From,
  endpoint: McpEndpoint,
  { desk, pages }: Mounted,
  isReady: () => Promise<boolean>,
): Promise<Response> {
  const { pathname } = new URL(request.url)
  const { address: remoteAddress } = from
  if (pathname === '/mcp' || isResourceMetadataPath(pathname))
    return endpoint.fetch(request, { remoteAddress })
  if (pathname === '/health')
    return Response.json({ status: 'ok', version: packageVersion() }, { headers: NO_STORE })
  if (pathname === '/ready') {
    const isUp = await isReady()
    const status = isUp ? 'ready' : 'the store does not answer'
    return Response.json({ status }, { status: isUp ? 200 : 503, headers: NO_STORE })
  }
  const page = pathname.startsWith('/ask/')
    ? await desk?.fetch(request, {
        remoteAddress,
        visitor: (await pages?.visitor(request, from)) ?? null,
      })
    : await pages?.fetch(request, from)
  return page ?? new Response('Not found.\n', { status: 404, headers: NO_STORE })
}

const NO_STORE = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }

/** Nothing secret goes there or comes from there. */
function isOpen(target: string): boolean {
  return OPEN.includes(target.split('?')[0] ?? '')
}

const OPEN = ['/health', '/ready', '/v1/health', '/openapi.json', '/.well-known/jwks.json']

function notPrivate(): Fault {
  return new Fault('ACCESS_DENIED', 'This server is not spoken to over plain HTTP.', {
    details: {
      remedy:
        'use https; behind a proxy, have it send X-Forwarded-Proto and name it with --behind-proxy',
    },
  })
}

function hostnamesOf(urls: readonly (string | null)[], host: string): readonly string[] {
  const named = urls.flatMap((url) => (url === null ? [] : [new URL(url).hostname]))
  return isWildcard(host) ? named : [...named, shownHost(host)]
}

function shownHost(host: string): string {
  if (isWildcard(host) || host === 'localhost') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
