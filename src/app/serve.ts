import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { type ApiServer, isApiTarget, serveApi } from '../api/index.ts'
import type { PageDesk } from '../ask/index.ts'
import type { TokenPort } from '../core/admin-port.ts'
import { packageVersion, type Settings } from '../core/config.ts'
import { Fault } from '../core/faults.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { McpEndpoint, ServerDefinition } from '../mcp/index.ts'
import { isResourceMetadataPath, openMcpEndpoint } from '../mcp/index.ts'
import type { SecretSession } from '../secret-tools/index.ts'
import type { ReachedVault } from '../vault/index.ts'
import { mcpPeer } from './mcp-peer.ts'

export interface ServeOptions {
  readonly settings: Settings
  readonly port: number
  readonly log: Log
  readonly tokens: TokenPort
  readonly api: ApiServer
  readonly authentication: AuthenticationPort
  readonly vaultOf: ReachedVault
  readonly definition: ServerDefinition<SecretSession>
  /** Told the address as soon as it is known, because pages name it; answers the desk to mount. */
  readonly deskAt: (baseUrl: string) => PageDesk
}

export interface Serving {
  /** `http://127.0.0.1:PORT` */
  readonly baseUrl: string
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** Long enough for a slow client to send a body of a few megabytes, short enough that idle ones do not pile up. */
const HEADERS_MS = 10_000
const REQUEST_MS = 60_000
const MAX_HEADER_BYTES = 16_384
const MAX_CONNECTIONS = 512

/** Serves MCP and the one-time pages on loopback. */
export async function serveHttp(options: ServeOptions): Promise<Serving> {
  const { log } = options
  const endpoint = await openMcpEndpoint(options.definition, {
    authenticate: (shown) => mcpPeer(options, shown),
    log,
  })
  const desks: { desk: PageDesk | null } = { desk: null }
  const listener = getRequestListener(
    (request, { incoming }) =>
      route(request, incoming.socket.remoteAddress ?? null, endpoint, desks.desk),
    { hostname: '127.0.0.1' },
  )
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: HEADERS_MS,
    },
    (incoming, outgoing) => {
      const address = incoming.socket.remoteAddress ?? null
      if (isApiTarget(incoming.url ?? '')) void serveApi(options.api, incoming, outgoing, address)
      else void listener(incoming, outgoing)
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  const baseUrl = `http://127.0.0.1:${await listen(server, options.port)}`
  const desk = options.deskAt(baseUrl)
  desks.desk = desk
  const { promise: stopped, resolve } = Promise.withResolvers<void>()
  server.once('close', resolve)
  return {
    baseUrl,
    stopped,
    async stop() {
      await desk.close()
      await endpoint.close()
      server.close()
      server.closeIdleConnections()
      // Streams that clients keep open would hold the server for ever.
      setTimeout(() => server.closeAllConnections(), 500).unref()
      await stopped
    },
  }
}

async function route(
  request: Request,
  remoteAddress: string | null,
  endpoint: McpEndpoint,
  desk: PageDesk | null,
): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/mcp' || isResourceMetadataPath(pathname))
    return endpoint.fetch(request, { remoteAddress })
  if (pathname === '/health')
    return Response.json({ status: 'ok', version: packageVersion() }, { headers: NO_STORE })
  const page = (await desk?.fetch(request, { remoteAddress })) ?? null
  return page ?? new Response('Not found.\n', { status: 404, headers: NO_STORE })
}

const NO_STORE = { 'Cache-Control': 'no-store' }

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new Fault(
          'STORE_UNAVAILABLE',
          cause.code === 'EADDRINUSE'
            ? `Port ${port} is taken: another sallyport may be running; choose one with --port.`
            : `Port ${port} cannot be opened on 127.0.0.1.`,
          { cause, details: { port } },
        ),
      )
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
