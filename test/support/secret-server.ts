import { request } from 'node:http'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createPageDesk, createTurnstile, type PageDesk } from '../../src/ask/index.ts'
import type { AskSecret } from '../../src/core/ask-port.ts'
import { createLog } from '../../src/core/log.ts'
import type { Caller } from '../../src/core/principals.ts'
import { epochMs, systemClock } from '../../src/core/time.ts'
import { openMcpEndpoint } from '../../src/mcp/index.ts'
import { type CallInspection, createSecretTools } from '../../src/secret-tools/index.ts'
import { AGENT, agentIn, openTestVault, PERSON, type TestVault } from './vault.ts'

export type Era = 'legacy' | 'modern'

export interface SecretServer {
  readonly vault: TestVault
  readonly desk: PageDesk
  /** Every line the server logged. */
  readonly lines: string[]
  /** Moves the clock of the turnstile. */
  pass(ms: number): void
  /** A connected client. The bearer is `person`, `agent`, or `agent-in:` and the folder of a project. */
  connect(era: Era, options?: ConnectOptions): Promise<Client>
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly as?: string
  readonly vault?: string
  /** Opens the page for the person and answers as the client; without it the client cannot show pages. */
  readonly onVisit?: (url: string, message: string) => Promise<'accept' | 'decline' | 'cancel'>
}

const ADDRESS = 'http://127.0.0.1:4747/mcp'

/** The secrets server on a real vault and a real page desk, reached by real SDK clients without a socket between. */
export async function openSecretServer(
  askSecret: AskSecret,
  inspection?: CallInspection,
): Promise<SecretServer> {
  const vault = await openTestVault()
  const desk = createPageDesk()
  let now = systemClock()
  const turnstile = createTurnstile({ clock: () => now })
  const lines: string[] = []
  const log = createLog('debug', (line) => void lines.push(line))
  const definition = createSecretTools({
    version: '0.0.0-test',
    log,
    openVault: async () => vault.vault,
    ...(inspection !== undefined && { inspection }),
    openDoors: async () => ({ pages: desk, askSecret, pass: turnstile.pass }),
  })
  const endpoint = await openMcpEndpoint(definition, {
    log,
    async authenticate({ bearer, vault: vaultName }) {
      const caller = callerNamed(bearer)
      return caller === null
        ? null
        : { owner: bearer, session: { caller, vault: vaultName ?? 'default' } }
    },
  })
  const clients: Client[] = []
  return {
    vault,
    desk,
    lines,
    pass(ms) {
      now = epochMs(now + ms)
    },
    async connect(era, { as = 'person', vault: vaultName, onVisit } = {}) {
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
      await client.connect(
        new StreamableHTTPClientTransport(new URL(ADDRESS), {
          fetch: (input, init) => {
            const request = new Request(input, init)
            request.headers.set('Host', '127.0.0.1:4747')
            return endpoint.fetch(request, { remoteAddress: '127.0.0.1' })
          },
          requestInit: {
            headers: {
              Authorization: `Bearer ${as}`,
              ...(vaultName !== undefined && { 'X-Vault-ID': vaultName }),
            },
          },
        }),
      )
      clients.push(client)
      return client
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()))
      await endpoint.close()
      await desk.close()
      await vault.dispose()
    },
  }
}

function callerNamed(bearer: string): Caller | null {
  if (bearer === 'person') return { ...PERSON, channel: 'mcp-http' }
  if (bearer === 'agent') return { ...AGENT, channel: 'mcp-http' }
  if (bearer.startsWith('agent-in:'))
    return { ...agentIn(bearer.slice('agent-in:'.length)), channel: 'mcp-http' }
  return null
}

interface PageAnswer {
  readonly status: number
  readonly text: string
  readonly cookie: string
}

/** Opens the page as a browser window does. */
export function openPage(url: string): Promise<PageAnswer> {
  return browse(url, 'GET', { 'Sec-Fetch-Site': 'none' }, '')
}

/** Opens the page, fills it in and sends it, as a person in a browser does. */
export async function submitPage(
  url: string,
  fields: { readonly value?: string; readonly button?: 'store' | 'cancel' },
): Promise<PageAnswer> {
  const page = await openPage(url)
  const csrf = /name="csrf"[^>]*value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  const form = { csrf, do: fields.button ?? 'store', value: fields.value ?? '' }
  return await browse(
    url,
    'POST',
    {
      Cookie: page.cookie,
      Origin: new URL(url).origin,
      'Sec-Fetch-Site': 'same-origin',
      'Content-Type': 'application/x-www-form-urlencoded',
    },
    new URLSearchParams(form).toString(),
  )
}

/** Not `fetch`, which says in its headers that it is a script. */
function browse(
  url: string,
  method: 'GET' | 'POST',
  headers: Record<string, string>,
  body: string,
): Promise<PageAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        headers: {
          ...headers,
          'Sec-Fetch-Mode': 'navigate',
          'Sec-Fetch-Dest': 'document',
          'Content-Length': String(Buffer.byteLength(body)),
        },
      },
      (incoming) => {
        let text = ''
        incoming.setEncoding('utf8')
        incoming.on('data', (chunk: string) => {
          text += chunk
        })
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            text,
            cookie: (incoming.headers['set-cookie'] ?? [])[0]?.split(';')[0] ?? '',
          }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
