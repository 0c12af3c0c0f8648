// Calls with large arguments in the middle of which a server asks something, at both addresses and in both eras.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { newHeldReference } from '../../src/core/held-values.ts'
import { sleep } from '../../src/core/time.ts'
import { giveRoomBack, takeRoom } from '../../src/gateway/large-messages.ts'
import { ModernClient } from '../../src/mcp/eras/index.ts'
import { C, rpc, say, V } from '../support/era-rows.ts'
import { EVERYTHING } from '../support/everything.ts'
import { nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const MODERN_SERVER = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await servers.add(PERSON, 'old', nodeServer(EVERYTHING))
await servers.add(PERSON, 'new', nodeServer(MODERN_SERVER, 'stdio'))

/** Asks in the middle of a call when it is told to by another one: `seen` says whether there is one, `go` has it ask. */
const ASKS_LATE = `
  const isModern = process.argv[1] === 'new'
  const params = { mode: 'form', message: 'Name?', requestedSchema: { type: 'object', properties: {} } }
  let held = null
  const write = (more) => console.log(JSON.stringify({ jsonrpc: '2.0', ...more }))
  const said = (id, text) => write({ id, result: { content: [{ type: 'text', text }], resultType: 'complete' } })
  const ask = () => {
    const inputRequests = { name: { method: 'elicitation/create', params } }
    if (isModern) write({ id: held, result: { resultType: 'input_required', inputRequests, requestState: 's' } })
    else write({ id: 'q', method: 'elicitation/create', params })
  }
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params, result } = JSON.parse(line)
    const capabilities = { tools: {} }
    const serverInfo = { name: 'late', version: '1' }
    if (method === (isModern ? 'server/discover' : 'initialize'))
      write({ id, result: { supportedVersions: ['2026-07-28'], protocolVersion: '2025-11-25', capabilities, serverInfo } })
    else if (id === 'q') said(held, 'hello ' + result.content.name)
    else if (method === 'tools/call' && params.name === 'seen') said(id, String(held !== null))
    else if (method === 'tools/call' && params.name === 'go') said(id, 'gone'), ask()
    else if (method === 'tools/call' && params.inputResponses) said(id, 'hello ' + params.inputResponses.name.content.name)
    else if (method === 'tools/call') held = id
    else if (id !== undefined) write({ id, error: { code: -32601, message: 'Method not found' } })
  })`
await servers.add(PERSON, 'late-old', nodeServer('-e', ASKS_LATE, 'old'))
await servers.add(PERSON, 'late-new', nodeServer('-e', ASKS_LATE, 'new'))
const ASKING = {
  old: 'trigger-elicitation-request',
  new: 'ask',
  'late-old': 'late',
  'late-new': 'late',
} as const
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

/** Of all that is put aside. */
const MAX_BYTES = 1_073_741_824
let names = 0
/** An agent that nobody counted yet. @returns its calls of the tool that asks for a name */
async function caller(server: keyof typeof ASKING, isAll: boolean) {
  names += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${names}` })
  const asked = { label: server, server, policies: ['two'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  const bearing = {
    Authorization: `Bearer ${(isAll ? key : bearer).reveal()}`,
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
  }
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  }
  return async (big: string, more: object = {}, tool: string = ASKING[server]): Promise<Answer> => {
    const name = `${isAll ? `${server}.` : ''}${tool}`
    const headers = { ...bearing, 'Mcp-Name': name }
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

for (const server of ['old', 'new'] as const)
  test(`a server of the ${server} era that asks when the values of the call are forgotten is answered`, async () => {
    const call = await caller(`late-${server}`, false)
    const big = 'x'.repeat(3_000_000)
    const asked = call(big)
    while (textOf(await call('', {}, 'seen')) !== 'true') await sleep(10)
    // What was sent makes room for what comes.
    if (takeRoom(MAX_BYTES)) giveRoomBack(MAX_BYTES)
    await call('', {}, 'go')
    assert.equal(textOf(await call(big, answered(await asked, 'me'))), 'hello me')
  })

test('a next round whose values are forgotten before it goes on is answered, and the call goes on waiting', () => {
  const client = new ModernClient({ newHandle: () => 'handle' })
  const call = (id: string, big: string, state = ''): readonly string[] => {
    const meta = `"_meta":{${V},${C}{"elicitation":{}}}`
    return say(client, [
      'c',
      rpc(
        `"id":"${id}","method":"tools/call","params":{"name":"x","arguments":{"big":"${big}"},${meta}${state}}`,
      ),
    ])
  }
  call('a', 'small')
  say(client, ['s', rpc('"id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{}}')])
  say(client, ['s', rpc('"id":"q","method":"elicitation/create","params":{"message":"?"}')])
  assert.equal(client.held, 1)
  const state = ',"inputResponses":{"q1":{"action":"accept","content":{}}},"requestState":"handle"'
  assert.deepEqual(call('b', newHeldReference(), state), [
    'client {"jsonrpc":"2.0","id":"b","error":{"code":-32602,"message":"A large value of the message is not there any more."}}',
  ])
  assert.deepEqual(call('c', 'small', state), [
    'server {"jsonrpc":"2.0","id":"q","result":{"action":"accept","content":{}}}',
  ])
})
