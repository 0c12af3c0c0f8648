// Clients of the protocol's own SDK, in both of its versions: what people's clients are made with.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { EVERYTHING } from './everything.ts'

/** How a server is reached: a command to start, or an address and a bearer. */
export type Way =
  | { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly url: URL; readonly bearer: string }

type Params = Readonly<Record<string, unknown>>
type Answered = Readonly<Record<string, unknown>>

/** What both versions have in common. */
export interface SdkClient {
  close(): Promise<void>
  getServerVersion(): unknown
  getServerCapabilities(): Answered | undefined
  getInstructions(): string | undefined
  listTools(params?: Params): Promise<Answered>
  listResources(params?: Params): Promise<Answered>
  listResourceTemplates(params?: Params): Promise<Answered>
  listPrompts(params?: Params): Promise<Answered>
  readResource(params: { uri: string }): Promise<Answered>
  getPrompt(params: { name: string; arguments?: Record<string, string> }): Promise<Answered>
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<Answered>
}

export type Maker = 'v1' | 'v2' | 'v2, modern'
export const MAKERS: readonly Maker[] = ['v1', 'v2', 'v2, modern']

interface VersionOne {
  Client: new (
    info: { name: string; version: string },
    options: object,
  ) => SdkClient & { connect(transport: object): Promise<void> }
  StdioClientTransport: new (options: object) => object
  StreamableHTTPClientTransport: new (url: URL, options: object) => object
}

/** It comes with the reference servers, which are still built on it. */
async function versionOne(): Promise<VersionOne> {
  const { resolve } = createRequire(EVERYTHING)
  const parts = await Promise.all(
    ['index', 'stdio', 'streamableHttp'].map(
      (name): Promise<object> =>
        import(pathToFileURL(resolve(`@modelcontextprotocol/sdk/client/${name}.js`)).href),
    ),
  )
  return Object.assign({}, ...parts) as VersionOne
}

const http = (bearer: string): { requestInit: { headers: Record<string, string> } } => ({
  requestInit: { headers: { Authorization: `Bearer ${bearer}` } },
})

function started(way: Extract<Way, { command: readonly string[] }>) {
  const [command = '', ...args] = way.command
  return { command, args, env: { ...way.env }, stderr: 'ignore' as const }
}

/** A client that is connected; those that are not modern speak the last revision with a handshake. */
export async function sdkClient(maker: Maker, way: Way): Promise<SdkClient> {
  const info = { name: 'sdk', version: '1.0.0' }
  if (maker === 'v1') {
    const sdk = await versionOne()
    const client = new sdk.Client(info, { capabilities: {} })
    await client.connect(
      'url' in way
        ? new sdk.StreamableHTTPClientTransport(way.url, http(way.bearer))
        : new sdk.StdioClientTransport(started(way)),
    )
    return client
  }
  const mode = maker === 'v2' ? ('legacy' as const) : { pin: '2026-07-28' as const }
  const client = new Client(info, { capabilities: {}, versionNegotiation: { mode } })
  await client.connect(
    'url' in way
      ? new StreamableHTTPClientTransport(way.url, http(way.bearer))
      : new StdioClientTransport(started(way)),
  )
  return client
}
