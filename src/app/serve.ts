import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { type ApiServer, isApiTarget, serveApi } from '../api/index.ts'
import type { PageDesk } from '../ask/index.ts'
import type { TokenPort } from '../core/admin-port.ts'
import { packageVersion, type Settings } from '../core/config.ts'
import { Fault, isFault } from '../core/faults.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import { type Caller, localAgent, principalName } from '../core/principals.ts'
import type { AuthenticatedPeer, McpEndpoint, ServerDefinition } from '../mcp/index.ts'
import { openMcpEndpoint } from '../mcp/index.ts'
import type { SecretSession } from '../secret-tools/index.ts'

export interface ServeOptions {
  readonly settings: Settings
  readonly port: number
  readonly log: Log
  readonly tokens: TokenPort
  readonly api: ApiServer
  readonly authentication: AuthenticationPort
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
    authenticate: async (bearer, vault, address) =>
      (await localPeer(options, bearer, vault)) ??
      registeredPeer(options.authentication, bearer, vault, address),
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

/** The bearer of a person on this machine: the local agent, on the default vault. */
async function localPeer(
  { tokens, settings }: ServeOptions,
  bearer: string,
  vault: string | null,
): Promise<AuthenticatedPeer<SecretSession> | null> {
  const token = await tokens.verify(bearer)
  if (token === null) return null
  const caller: Caller = { principal: localAgent(token.project), channel: 'mcp-http' }
  return { owner: token.id, session: { caller, vault: vault ?? settings.vault } }
}

/** An agent or a person of the organisation, who says with every connection which vault is meant. */
async function registeredPeer(
  authentication: AuthenticationPort,
  bearer: string,
  vault: string | null,
  address: string | null,
): Promise<AuthenticatedPeer<SecretSession> | null> {
  let caller: Caller
  try {
    caller = await authentication.authenticate(bearer, { address, channel: 'mcp-http' })
  } catch (error) {
    if (isFault(error, 'UNAUTHENTICATED')) return null
    throw error
  }
  if (vault === null)
    throw new Fault('BAD_INPUT', 'X-Vault-ID must name the vault that paths refer to.', {
      details: { field: 'X-Vault-ID' },
    })
  // A token that is exchanged anew goes on with the sessions of its agent.
  return { owner: principalName(caller.principal), session: { caller, vault } }
}

async function route(
  request: Request,
  remoteAddress: string | null,
  endpoint: McpEndpoint,
  desk: PageDesk | null,
): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname === '/mcp') return endpoint.fetch(request, { remoteAddress })
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
