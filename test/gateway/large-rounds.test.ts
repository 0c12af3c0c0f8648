// Calls with large arguments in the middle of which a server asks something, at both addresses and in both eras.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EVERYTHING } from '../support/everything.ts'
import { nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const MODERN_SERVER = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await servers.add(PERSON, 'old', nodeServer(EVERYTHING))
await servers.add(PERSON, 'new', nodeServer(MODERN_SERVER, 'stdio'))
const ASKING = { old: 'trigger-elicitation-request', new: 'ask' } as const
const limited = { limits: [{ counter: 'asked', window: 'day', max: 2 }] }
const tools = { [ASKING.old]: limited, [ASKING.new]: limited }
await policies.set(
  PERSON,
  'two',
  Buffer.from(JSON.stringify({ version: '1', default: 'allow', tools })),
)

interface Answer {
  readonly result?: {
    readonly content?: readonly { readonly text: string }[]
    readonly inputRequests?: Readonly<Record<string, unknown>>
    readonly requestState?: string
  }
}

let names = 0
/** An agent that nobody counted yet. @returns its calls of the tool that asks for a name */
async function caller(server: 'old' | 'new', isAll: boolean) {
  names += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${names}` })
  const asked = { label: server, server, policies: ['two'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  const name = `${isAll ? `${server}.` : ''}${ASKING[server]}`
  const headers = {
    Authorization: `Bearer ${(isAll ? key : bearer).reveal()}`,
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': name,
  }
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  }
  return async (big: string, more: object = {}): Promise<Answer> => {
    const params = { name, arguments: { big }, ...more, _meta }
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
    const response = await door.post(call, headers, isAll ? '/mcp/all' : `/s/${server}/mcp`)
    return JSON.parse(/\{.*\}\s*$/.exec(await response.text())?.[0] ?? 'null') as Answer
  }
}

/** What the client comes back with. */
function answered({ result }: Answer, name: string): object {
  const [key] = Object.keys(result?.inputRequests ?? assert.fail(JSON.stringify(result)))
  return {
    inputResponses: { [key ?? '']: { action: 'accept', content: { name } } },
    requestState: result?.requestState,
  }
}
const textOf = ({ result }: Answer): string =>
  result?.content?.map(({ text }) => text).join('\n') ?? JSON.stringify(result)

for (const server of ['old', 'new'] as const)
  for (const isAll of [false, true]) {
    const at = `a server of the ${server} era at ${isAll ? '/mcp/all' : '/s/NAME/mcp'}`
    test(`${at}: a call of 3 MB goes on in its next round, and is one call for limits`, async () => {
      const call = await caller(server, isAll)
      const [big, other] = ['x'.repeat(3_000_000), `${'x'.repeat(2_999_999)}y`]
      assert.match(textOf(await call(big, answered(await call(big), 'me'))), /hello me|Name: me/)
      const next = answered(await call(big), 'you')
      // With another value it is a new call: the third one.
      assert.match(textOf(await call(other, next)), /The limit 'asked' of 2 in a day is reached/)
      assert.match(textOf(await call(big, next)), /hello you|Name: you/)
    })
  }

for (const server of ['old', 'new'] as const)
  test(`a server of the ${server} era: a call that only its answers make large goes on`, async () => {
    const call = await caller(server, false)
    const [big, name] = ['x'.repeat(2_050_000), 'n'.repeat(60_000)]
    const said = textOf(await call(big, answered(await call(big), name)))
    assert.ok(said.includes(name), said.slice(0, 300))
  })
