// What calls of servers over HTTP cost that were answered with an error: what provably did not run is given back.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ERAS, HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
const rows: readonly [name: string, isKept: boolean][] = [
  ['t-200', false],
  ['t-404', false],
  ['t-500', true],
  ['t-503-extra', true],
]
const tool = { limits: [{ counter: 'runs', window: 'month', max: 1 }] }
await policies.set(
  PERSON,
  'once',
  Buffer.from(
    JSON.stringify({
      version: '1',
      default: 'deny',
      tools: Object.fromEntries(rows.map(([name]) => [name, tool])),
    }),
  ),
)

const all_tools = { limits: [{ counter: 'all', window: 'month', max: 1 }] }
await policies.set(
  PERSON,
  'hiding',
  Buffer.from(JSON.stringify({ version: '1', default: 'allow', hide: ['hidden'], all_tools })),
)

/** Of the revisions with sessions: `t-500` is answered with that status and an error of the protocol, as is `any`. */
const web = createServer((request, response) => {
  let text = ''
  request.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  request.on('end', () => {
    const { id, method, params } = JSON.parse(text || '{}') as {
      readonly id?: unknown
      readonly method?: string
      readonly params?: { readonly name?: string; readonly protocolVersion?: string }
    }
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }))
    }
    const error = { code: -32603, message: 'It broke.' }
    if (id === undefined) response.writeHead(202).end()
    else if (method === 'tools/call') {
      const [, status, extra] = params?.name?.split('-') ?? []
      answer(Number(status ?? 500), { error, ...(extra !== undefined && { extra }) })
    } else if (method === 'initialize')
      answer(200, {
        result: {
          protocolVersion: params?.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: 'web', version: '1' },
        },
      })
    else answer(400, { error: { code: -32601, message: 'no' } })
  })
})
await new Promise<void>((resolve) => {
  web.listen(0, '127.0.0.1', resolve)
})
after(() => {
  web.closeAllConnections()
  web.close()
})
const { port } = web.address() as AddressInfo
const target = { kind: 'http', url: `http://127.0.0.1:${port}/mcp`, headers: [] } as const
await servers.add(PERSON, 'web', target)

// Clients of the SDK say of a member too many that there is one.
for (const era of ERAS)
  for (const [name, isKept] of rows)
    test(`${era}: ${name} ${isKept ? 'keeps the charge' : 'is given back'}, and the error is the server's`, async () => {
      const { agent } = await agents.create(PERSON, { name: `${era}-${name}` })
      const asked = { label: 'laptop', server: 'web', policies: ['once'] }
      const { bearer } = await grants.create(PERSON, agent.id, asked)
      const at = '/s/web/mcp'
      const client = await door.connect(era, bearer.reveal(), undefined, undefined, at)
      const call = () => client.callTool({ name, arguments: {} })
      await assert.rejects(call, /It broke\.|"extra"/)
      if (!isKept) await assert.rejects(call, /It broke\.|"extra"/)
      else assert.match(JSON.stringify(await call()), /limit 'runs' of 1/)
      await client.close()
    })

for (const era of ERAS)
  test(`${era}: the charge of a hidden tool is kept as that of one that is not there`, async () => {
    const told = async (name: string): Promise<readonly string[]> => {
      const { agent } = await agents.create(PERSON, { name: `${era}-${name}` })
      const asked = { label: 'laptop', server: 'web', policies: ['hiding'] }
      const { bearer } = await grants.create(PERSON, agent.id, asked)
      const client = await door.connect(era, bearer.reveal(), undefined, undefined, '/s/web/mcp')
      const call = () =>
        client.callTool({ name, arguments: {} }).then((one) => JSON.stringify(one), String)
      const both = [await call(), await call()]
      await client.close()
      return both
    }
    const hidden = await told('hidden')
    assert.match(hidden[0] ?? '', /It broke\./)
    assert.match(hidden[1] ?? '', /limit 'all' of 1/)
    assert.deepEqual(hidden, await told('absent'))
  })

/** Refuses what it does not know, and ends when a session is begun. */
const ENDS = `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line)
    if (method === 'initialize') process.exit(7)
    const error = { code: -32601, message: 'Method not found' }
    console.log(JSON.stringify({ jsonrpc: '2.0', id, error }))
  })`

test('modern: a call that waits for a session which its server never begins is given back', async () => {
  await servers.add(PERSON, 'ends', nodeServer('-e', ENDS))
  const { agent } = await agents.create(PERSON, { name: 'who-waits' })
  const asked = { label: 'laptop', server: 'ends', policies: ['once'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  const headers = {
    Authorization: `Bearer ${bearer.reveal()}`,
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': 't-200',
  }
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const call = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 't-200', arguments: {}, _meta },
  }
  for (let times = 0; times < 2; times += 1) {
    const answer = await door.post(call, headers, '/s/ends/mcp')
    assert.match(await answer.text(), /The server ended before it answered \(exit code 7\)/)
  }
})

await policies.set(
  PERSON,
  'one-tool',
  Buffer.from(JSON.stringify({ version: '1', default: 'allow', tools: { 't-200': tool } })),
)

/** Its second process begins in another way than the others; each ends on a call of `t-500`. */
const ONCE = `
  const fs = require('node:fs')
  const [log, second] = process.argv.slice(1)
  const isSecond = fs.readFileSync(log, 'utf8').split('started').length === 2
  fs.appendFileSync(log, 'started')
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line)
    if (id === undefined) return
    if (method === 'tools/call') fs.appendFileSync(log, params.name)
    if (isSecond && second === 'dead') process.exit(8)
    if (params.name === 't-500') process.exit(7)
    const capabilities = isSecond ? {} : { tools: {}, prompts: {} }
    const serverInfo = { name: 'once', version: '1' }
    const { protocolVersion } = params
    const result = method === 'initialize' ? { protocolVersion, capabilities, serverInfo } : { content: [] }
    console.log(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })`
const seconds: readonly [second: string, why: RegExp][] = [
  ['unlike', /a new one is not like it/],
  ['dead', /The server ended before it answered \(exit code 8\)/],
]

for (const [second, why] of seconds)
  test(`legacy: a call that waited for a server to be started again is given back when the new one is ${second}`, async () => {
    const log = join(vault.home, `${second}.log`)
    writeFileSync(log, '')
    await servers.add(PERSON, second, nodeServer('-e', ONCE, log, second))
    const { agent } = await agents.create(PERSON, { name: second })
    const asked = { label: 'laptop', server: second, policies: ['one-tool'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const path = `/s/${second}/mcp`
    const bearing = { Authorization: `Bearer ${bearer.reveal()}` }
    const session = async () => {
      const hello = await door.post(HELLO, bearing, path)
      await hello.text()
      return { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
    }
    const call = async (headers: Readonly<Record<string, string>>, name: string) => {
      const params = { name, arguments: {} }
      const body = { jsonrpc: '2.0', id: 2, method: 'tools/call', params }
      return (await door.post(body, headers, path)).text()
    }
    const first = await session()
    assert.match(await call(first, 't-500'), /exit code 7/)
    assert.match(await call(first, 't-200'), why)
    assert.equal(readFileSync(log, 'utf8'), 'startedt-500started')
    const next = await session()
    assert.match(await call(next, 't-200'), /"content":\[\]/)
    assert.match(await call(next, 't-200'), /limit 'runs' of 1/)
  })
