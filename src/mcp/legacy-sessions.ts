import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import {
  isInitializeRequest,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { monotonicMs } from '../core/time.ts'
import type { ServerDefinition } from './definition.ts'
import type { BuildServer, BuiltServer, Peer } from './server.ts'

/** A session that no request touched for so long is closed; its client starts a new one. */
const IDLE_MS = 8 * 60 * 60_000
/** Of all bearers together; whoever has most of them gives way to one more. */
const MAX_SESSIONS = 1024
/** Of one bearer: beyond that its own oldest gives way, never somebody else's. */
const MAX_OF_OWNER = 64
const SWEEP_MS = 60_000

interface LegacySession {
  readonly id: string
  readonly owner: string
  readonly vault: string | null
  readonly built: BuiltServer
  readonly transport: WebStandardStreamableHTTPServerTransport
  lastUsed: number
}

export interface LegacySessions<S> {
  serve(request: Request, body: unknown, peer: Peer<S>): Promise<Response>
  close(): Promise<void>
}

/**
 * Sessions of the revisions up to 2025-11-25, which have requests from server to client and unsolicited notifications.
 * One server instance each; a session answers only to the bearer, and for the vault, it was opened with.
 */
export function createLegacySessions<S>(
  build: BuildServer<S>,
  definition: ServerDefinition<S>,
  report: (error: Error) => void,
): LegacySessions<S> {
  const sessions = new Map<string, LegacySession>()
  /** Who sent the request that is being handled: a token that was exchanged anew goes on with the session. */
  const sender = new AsyncLocalStorage<Peer<S>>()
  const stopListening = definition.onResourceChange((uri) => {
    for (const session of sessions.values()) session.built.resourceChanged(uri)
  })
  const sweep = setInterval(() => {
    const now = monotonicMs()
    for (const session of sessions.values()) if (now - session.lastUsed > IDLE_MS) end(session)
  }, SWEEP_MS)
  sweep.unref()

  function end(session: LegacySession): void {
    sessions.delete(session.id)
    session.built.end()
    session.built.server.close().catch(report)
  }

  function makeRoom(owner: string): void {
    const ofOwner = Map.groupBy(sessions.values(), (session) => session.owner)
    const own = ofOwner.get(owner) ?? []
    if (own.length >= MAX_OF_OWNER) endIdlest(own)
    if (sessions.size < MAX_SESSIONS) return
    endIdlest([...ofOwner.values()].toSorted((a, b) => b.length - a.length)[0] ?? [])
  }

  function endIdlest(among: readonly LegacySession[]): void {
    const idlest = among.toSorted((a, b) => a.lastUsed - b.lastUsed)[0]
    if (idlest !== undefined) end(idlest)
  }

  async function open(request: Request, body: unknown, peer: Peer<S>): Promise<Response> {
    makeRoom(peer.owner)
    const id = randomUUID()
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      onsessionclosed: () => {
        sessions.get(id)?.built.end()
        sessions.delete(id)
      },
    })
    const built = build(
      { owner: peer.owner, session: () => (sender.getStore() ?? peer).session() },
      'legacy',
    )
    built.server.onerror = report
    await built.server.connect(transport)
    const session: LegacySession = {
      id,
      owner: peer.owner,
      vault: request.headers.get('x-vault-id'),
      built,
      transport,
      lastUsed: monotonicMs(),
    }
    sessions.set(id, session)
    const response = await handle(session, request, body, peer)
    // A handshake that was refused leaves nothing behind.
    if (response.status >= 400) end(session)
    return response
  }

  async function handle(
    session: LegacySession,
    request: Request,
    body: unknown,
    peer: Peer<S>,
  ): Promise<Response> {
    session.lastUsed = monotonicMs()
    return await sender.run(peer, () =>
      session.transport.handleRequest(request, { parsedBody: body }),
    )
  }

  return {
    async serve(request, body, peer) {
      const id = request.headers.get('mcp-session-id')
      if (id === null) {
        if (request.method === 'POST' && isInitializeRequest(body))
          return await open(request, body, peer)
        return refuse(request.method === 'POST' ? 400 : 405, 'Send initialize first.')
      }
      const session = sessions.get(id)
      if (session === undefined || session.owner !== peer.owner)
        return refuse(404, 'There is no such session.')
      if (session.vault !== request.headers.get('x-vault-id'))
        return refuse(400, 'X-Vault-ID is not the one the session was opened with.')
      return await handle(session, request, body, peer)
    },
    async close() {
      clearInterval(sweep)
      stopListening()
      const all = [...sessions.values()]
      sessions.clear()
      for (const session of all) session.built.end()
      await Promise.all(all.map((session) => session.built.server.close()))
    },
  }
}

function refuse(status: number, message: string): Response {
  const response = Response.json(
    { jsonrpc: '2.0', id: null, error: { code: -32600, message } },
    { status },
  )
  if (status === 405) response.headers.set('Allow', 'POST')
  return response
}
