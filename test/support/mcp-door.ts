import { after } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { callInspection } from '../../src/app/call-inspection.ts'
import { openGatewayDoor } from '../../src/app/gateway-door.ts'
import type { Binding } from '../../src/app/listener.ts'
import { openApi } from '../../src/app/open-api.ts'
import { openPages } from '../../src/app/open-pages.ts'
import { serveHttp } from '../../src/app/serve.ts'
import { createPageDesk, createTurnstile } from '../../src/ask/index.ts'
import { Fault } from '../../src/core/faults.ts'
import { silentLog } from '../../src/core/log.ts'
import { systemClock } from '../../src/core/time.ts'
import { createSecretTools, type SecretToolsOptions } from '../../src/secret-tools/index.ts'
import { createReach, createTokens } from '../../src/vault/index.ts'
import { openTestVault, type TestVault } from './vault.ts'

export type Era = 'legacy' | 'modern'
export const ERAS: readonly Era[] = ['legacy', 'modern']

/** The first request of a client of the revisions with sessions, as it is. */
export const HELLO = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

export interface McpDoor {
  readonly baseUrl: string
  /** A client of the protocol's own SDK. With `onVisit` it can open pages. */
  connect(
    era: Era,
    bearer: string,
    vault?: string,
    onVisit?: OnVisit,
    path?: string,
  ): Promise<McpClient>
  /** One request as it is. */
  post(
    body: unknown,
    headers: Readonly<Record<string, string>>,
    path?: string,
    signal?: AbortSignal,
  ): Promise<Response>
  stop(): Promise<void>
}

/** Opens a page for the person and says how that went. */
export type OnVisit = (url: string, message: string) => Promise<'accept' | 'decline' | 'cancel'>

export interface McpClient extends Client {
  readonly sessionId: string | undefined
}

/** `/mcp` of a test's vault on a real listener of loopback, as `sallyport up` serves it. */
export async function serveMcpDoor(
  vault: TestVault,
  tools: Partial<SecretToolsOptions> = {},
  binding: Partial<Binding> = {},
): Promise<McpDoor> {
  const { settings, identity } = vault
  const turnstile = createTurnstile()
  const inspection = callInspection(settings, async () => null, silentLog)
  const pages = createPageDesk()
  const tokens = await createTokens(vault)
  const serving = await serveHttp({
    settings,
    binding: { host: '127.0.0.1', port: 0, tls: null, behindProxy: [], ...binding },
    isReady: async () => true,
    pagesAt: (baseUrl) => openPages(vault, settings, baseUrl, silentLog),
    log: silentLog,
    tokens,
    api: openApi(vault, { log: silentLog, inspection }),
    authentication: identity.authentication,
    vaultOf: createReach({ ...vault, standing: identity.standing, clock: systemClock }),
    definition: createSecretTools({
      version: '0.0.0-test',
      log: silentLog,
      inspection,
      openVault: async () => vault.vault,
      openDoors: async () => ({
        pages,
        askSecret: async () => {
          throw new Fault('INPUT_UNAVAILABLE', 'Nobody is there in this test.')
        },
        pass: turnstile.pass,
      }),
      ...tools,
    }),
    gateway: (hostnames) =>
      openGatewayDoor({ settings, log: silentLog, stack: vault, tokens, inspection, hostnames }),
    deskAt: () => pages,
  })
  const clients: Client[] = []
  return {
    baseUrl: serving.baseUrl,
    async connect(era, bearer, named, onVisit, path = '/mcp') {
      const client = new Client(
        { name: `${era}-test`, version: '1' },
        {
          capabilities: onVisit === undefined ? {} : { elicitation: { url: {} } },
          versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
        },
      )
      if (onVisit !== undefined)
        client.setRequestHandler('elicitation/create', async ({ params }) => ({
          action: await onVisit('url' in params ? params.url : '', params.message),
        }))
      const headers = {
        Authorization: `Bearer ${bearer}`,
        ...(named !== undefined && { 'X-Vault-ID': named }),
      }
      const transport = new StreamableHTTPClientTransport(new URL(serving.baseUrl + path), {
        requestInit: { headers },
      })
      await client.connect(transport)
      clients.push(client)
      return Object.assign(client, { sessionId: transport.sessionId })
    },
    post: (body, headers, path = '/mcp', signal) =>
      fetch(serving.baseUrl + path, {
        method: 'POST',
        signal: signal ?? null,
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    async stop() {
      await Promise.all(clients.map((client) => client.close()))
      await serving.stop()
    },
  }
}

/** A door to a vault of its own until the tests of the file are over, and what servers are registered by. */
export async function openDoor(vault?: Awaited<ReturnType<typeof openTestVault>>) {
  const own = vault ?? (await openTestVault())
  const door = await serveMcpDoor(own)
  after(async () => {
    await door.stop()
    await own.dispose()
  })
  return { vault: own, door, ...(await own.registry()) }
}

/** A server that is a program of Node's. */
export function nodeServer(...command: readonly string[]) {
  return { kind: 'stdio', command: [process.execPath, ...command], variables: [] } as const
}
