// Servers that cannot be started: what is asked of them is judged, recorded and given back as at any other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HELLO, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await servers.add(PERSON, 'gone', { kind: 'stdio', command: ['/no/program'], variables: [] })
// Nothing listens on the port for discarding.
await servers.add(PERSON, 'far', { kind: 'http', url: 'http://127.0.0.1:9/mcp', headers: [] })
const limits = [{ counter: 'once', window: 'month', max: 1 }]
await policies.set(
  PERSON,
  'few',
  Buffer.from(
    JSON.stringify({
      version: '1',
      default: 'deny',
      tools: { once: { limits } },
      hide: ['secret'],
    }),
  ),
)

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** @returns what a call of this tool of the server is answered, as text */
type Caller = (tool: string) => Promise<string>

const modernAt =
  (path: string, named: (tool: string) => string) =>
  async (bearing: Record<string, string>): Promise<Caller> =>
  async (tool) => {
    const name = named(tool)
    const message = {
      jsonrpc: '2.0',
      id: 7,
      method: 'tools/call',
      params: { name, arguments: {}, _meta },
    }
    const headers = {
      ...bearing,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
    }
    return (await door.post(message, headers, path)).text()
  }

async function legacyAtAll(bearing: Record<string, string>, server = 'gone'): Promise<Caller> {
  const path = '/mcp/all'
  const hello = await door.post(HELLO, bearing, path)
  await hello.text()
  const headers = { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  return async (tool) => {
    const params = { name: `${server}.${tool}`, arguments: {} }
    const message = { jsonrpc: '2.0', id: 7, method: 'tools/call', params }
    return (await door.post(message, headers, path)).text()
  }
}

const ROWS: readonly [
  what: string,
  callerOf: (bearing: Record<string, string>) => Promise<Caller>,
][] = [
  ['modern, at its own address', modernAt('/s/gone/mcp', (tool) => tool)],
  ['modern, at the endpoint of all', modernAt('/mcp/all', (tool) => `gone.${tool}`)],
  ['legacy, at the endpoint of all', (bearing) => legacyAtAll(bearing)],
]

for (const [what, callerOf] of ROWS)
  test(`${what}: a denied call is told so, and what may go on is given back`, async () => {
    const { agent } = await agents.create(PERSON, { name: `agent: ${what}` })
    const asked = { label: 'laptop', server: 'gone', policies: ['few'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const call = await callerOf({ Authorization: `Bearer ${bearer.reveal()}` })
    const before = await recorded()
    assert.match(
      await call('drop_all'),
      /"isError":true.*\[POLICY DENIED\]|\[POLICY DENIED\].*"isError":true/,
    )
    for (let turn = 0; turn < 2; turn += 1) {
      const { id, error } = JSON.parse(await call('once')) as {
        readonly id: unknown
        readonly error?: { readonly code: number; readonly message: string }
      }
      assert.deepEqual([id, error?.code], [7, -32603])
      assert.match(error?.message ?? '', /cannot be started/)
    }
    // No other answer than that of what may go on.
    assert.equal(await call('secret'), await call('once'))
    assert.deepEqual((await recorded()).slice(before.length), [
      ['drop_all', 'refusal', null],
      ['once', 'intent', 'never-sent'],
      ['once', 'intent', 'never-sent'],
      ['secret', 'refusal', null],
      ['once', 'intent', 'never-sent'],
    ])
  })

/** Calls of the server with what became of them, the oldest first. */
async function recorded() {
  const entries = await vault.audit.query({ action: 'tool.call', limit: 1_000 })
  return entries
    .filter(({ server }) => server === 'gone')
    .toReversed()
    .map(({ tool, kind, outcome }) => [tool, kind, outcome])
}

test('the figures count them', async () => {
  const lines = (await (await fetch(`${door.baseUrl}/metrics`)).text()).split('\n')
  for (const line of [
    'sallyport_gateway_calls_total{server="gone",decision="denied"} 3',
    'sallyport_gateway_call_ends_total{server="gone",end="never-sent"} 12',
  ])
    assert.ok(lines.includes(line), line)
})

const FAR: typeof ROWS = [
  ['modern, at its own address', modernAt('/s/far/mcp', (tool) => tool)],
  ['modern, at the endpoint of all', modernAt('/mcp/all', (tool) => `far.${tool}`)],
  ['legacy, at the endpoint of all', (bearing) => legacyAtAll(bearing, 'far')],
]

for (const [what, callerOf] of FAR)
  test(`${what}: a server that nobody reached refused nothing, and what helps is said once`, async () => {
    const { agent } = await agents.create(PERSON, { name: `far agent: ${what}` })
    const asked = { label: 'laptop', server: 'far', policies: ['few'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const call = await callerOf({ Authorization: `Bearer ${bearer.reveal()}` })
    const { error } = JSON.parse(await call('once')) as { error?: { message: string } }
    assert.equal(
      error?.message,
      'http://127.0.0.1:9 could not be reached (ECONNREFUSED). make the named server reachable and try again',
    )
  })
