import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  Server,
} from '@modelcontextprotocol/server'
import { ChangeWatch } from './change-watch.ts'
import type { ResourceDefinition, ServerDefinition } from './definition.ts'
import { DefaultJsonSchemaValidator } from './sdk-shims.ts'
import { clientNameOf, createToolCalls } from './tool-calls.ts'
import { type ListedTool, listedTool } from './tool-schemas.ts'

const LIST_TTL_MS = 300_000

/** Who is at the other end of one server instance. */
export interface Peer<S> {
  /** Asked once per call, so that what changed since the last one counts. */
  session(): Promise<S>
  /** Sealed state made for one owner is worthless to another: a bearer's id, or a constant on stdio. */
  readonly owner: string
}

export interface BuiltServer {
  readonly server: Server
  /** Tells the client that a resource changed, as far as it asked to be told and can see it. */
  resourceChanged(uri: string): void
  /** The client is gone. */
  end(): void
}

/** Makes a server for one connection (stdio, a session of the older revisions) or for one request (2026-07-28 HTTP). */
export type BuildServer<S> = (peer: Peer<S>, era: 'legacy' | 'modern') => BuiltServer

/** One of these lives as long as the door: it holds the key that seals `requestState`. */
export function createServerBuilder<S>(definition: ServerDefinition<S>): BuildServer<S> {
  const toolCalls = createToolCalls(definition)
  let tools: Promise<ListedTool[]> | undefined
  return (peer, era) => {
    const server = new Server(
      { name: definition.name, title: definition.title, version: definition.version },
      {
        capabilities: { tools: {}, resources: { subscribe: true, listChanged: true } },
        instructions: definition.instructions,
        cacheHints: {
          'tools/list': { ttlMs: LIST_TTL_MS, cacheScope: 'private' },
          'resources/list': { ttlMs: LIST_TTL_MS, cacheScope: 'private' },
          'resources/templates/list': { ttlMs: LIST_TTL_MS, cacheScope: 'private' },
          'server/discover': { ttlMs: LIST_TTL_MS, cacheScope: 'private' },
        },
        requestState: { verify: toolCalls.verifyState },
        jsonSchemaValidator: new DefaultJsonSchemaValidator(),
      },
    )
    server.setRequestHandler('tools/list', async () => {
      tools ??= definition.loadTools().then((loaded) => loaded.map(listedTool))
      return { tools: await tools }
    })
    server.setRequestHandler('tools/call', (request, context) =>
      toolCalls.call(server, era, peer, request.params, context),
    )
    return { server, ...serveResources(server, era, definition, peer) }
  }
}

function serveResources<S>(
  server: Server,
  era: 'legacy' | 'modern',
  definition: ServerDefinition<S>,
  peer: Peer<S>,
): Omit<BuiltServer, 'server'> {
  const resources = new Map<string, ResourceDefinition<S>>(
    definition.resources.map((resource) => [resource.uri, resource]),
  )
  const subscribed = new Set<string>()
  const watches = new Map(
    definition.resources.map(({ uri, glimpse }) => {
      const look = async (): Promise<string> => glimpse(await peer.session())
      return [uri, new ChangeWatch(look, () => tell(uri))] as const
    }),
  )
  server.setRequestHandler('resources/list', () => ({
    resources: definition.resources.map(({ uri, name, title, description, mimeType }) => ({
      uri,
      name,
      title,
      description,
      mimeType,
    })),
  }))
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }))
  server.setRequestHandler('resources/read', async ({ params: { uri } }, context) => {
    const resource = resources.get(uri)
    if (resource === undefined) throw new ResourceNotFoundError(uri)
    const client = clientNameOf(server, context)
    try {
      const session = await peer.session()
      const text = await resource.read({ session, client, signal: context.mcpReq.signal })
      return { contents: [{ uri, mimeType: resource.mimeType, text }] }
    } catch (error) {
      const { text, structured } = await definition.explain(error, uri, {}, peer, client)
      throw new ProtocolError(ProtocolErrorCode.InternalError, text, structured['error'])
    }
  })
  if (era === 'legacy') {
    server.setRequestHandler('resources/subscribe', async ({ params: { uri } }) => {
      if (!resources.has(uri)) throw new ResourceNotFoundError(uri)
      await watches.get(uri)?.begin()
      subscribed.add(uri)
      return {}
    })
    server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
      subscribed.delete(uri)
      return {}
    })
  }
  function tell(uri: string): void {
    ignore(server.sendResourceUpdated({ uri }))
    ignore(server.sendResourceListChanged())
  }
  return {
    resourceChanged(uri) {
      // In 2026-07-28 the entry in front of the server drops what no open subscription asked for.
      if (era === 'modern' || subscribed.has(uri)) watches.get(uri)?.changed()
    },
    end() {
      for (const watch of watches.values()) watch.end()
    },
  }
}

/** A notification to a client that went away is nobody's error. */
function ignore(sent: Promise<void>): void {
  sent.catch(() => {})
}
