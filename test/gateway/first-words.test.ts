// Legacy servers at the doors that do not survive the first word of a newer era, or refuse it in a way of their own.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { json, scripted, withSession } from '../support/http-upstream.ts'
import { nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await agents.create(PERSON, { name: 'agent' })

const INITIALIZE_FIRST = fileURLToPath(
  new URL('../support/initialize-first-server.mjs', import.meta.url),
)
const SESSION = ['started', 'initialize', 'notifications/initialized']

const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }

/** @param capabilities who declares others has another process of the server */
type Ask = (
  method: string,
  params?: { readonly name?: string },
  capabilities?: object,
) => Promise<string>

/** A server that ends on any other first word. @returns what it heard so far, as often as it was started */
async function endingServer(name: string, word: string): Promise<() => readonly string[]> {
  const log = join(vault.home, `${name}.log`)
  await servers.add(PERSON, name, nodeServer(INITIALIZE_FIRST, log, word))
  return () => readFileSync(log, 'utf8').trim().split('\n')
}

/** A client of 2026-07-28 at the address of a server. */
async function modernAt(server: string): Promise<Ask> {
  const asked = { label: `of ${server}`, server, policies: ['open'] }
  const bearer = (await grants.create(PERSON, agent.id, asked)).bearer.reveal()
  return async (method, params = {}, capabilities = {}) => {
    const meta = { ..._meta, 'io.modelcontextprotocol/clientCapabilities': capabilities }
    const body = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }
    const headers = {
      Authorization: `Bearer ${bearer}`,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      ...(params.name !== undefined && { 'Mcp-Name': params.name }),
    }
    return (await door.post(body, headers, `/s/${server}/mcp`)).text()
  }
}

test('a status of its own with which a legacy server refuses what is not initialize', async () => {
  const legacy = withSession(({ rpc, headers }, response) => {
    if (headers['mcp-session-id'] !== undefined)
      json(response, { id: rpc.id, result: { tools: [{ name: 'echo', inputSchema: {} }] } })
    else response.writeHead(422).end('Unexpected message, expect initialize request')
  })
  const { url, got } = await scripted(legacy)
  await servers.add(PERSON, 'picky', { kind: 'http', url, headers: [] })
  const ask = await modernAt('picky')
  assert.match(await ask('tools/list'), /"name":"echo"/)
  assert.match(await ask('server/discover'), /"supportedVersions"/)
  assert.deepEqual(
    got.flatMap(({ rpc }) => rpc.method ?? []),
    ['server/discover', 'initialize', 'notifications/initialized', 'tools/list'],
  )
})

for (const status of [429, 503])
  test(`an error of the protocol with ${status} says nothing of a server's era`, async () => {
    const discovered = { supportedVersions: ['2026-07-28'], capabilities: {} }
    let refused = 0
    const { url, got } = await scripted(({ rpc }, response) => {
      refused += 1
      if (refused < 3)
        json(response, { id: 'server-error', error: { code: -32000, message: 'busy' } }, status)
      else json(response, { id: rpc.id, result: { ...discovered, resultType: 'complete' } })
    })
    const server = `busy-${status}`
    await servers.add(PERSON, server, { kind: 'http', url, headers: [] })
    const ask = await modernAt(server)
    assert.match(await ask('server/discover'), /"error":\{"code":-32000,"message":"busy"\}/)
    assert.match(await ask('tools/list'), new RegExp(`HTTP ${status}`))
    assert.match(await ask('server/discover'), /"supportedVersions"/)
    assert.deepEqual(new Set(got.map(({ rpc }) => rpc.method)), new Set(['server/discover']))
  })

for (const first of ['server/discover', 'tools/list'])
  test(`a server that ends on a first word other than initialize is reached by a client that begins with ${first}`, async () => {
    const name = first.replace('/', '-')
    const heard = await endingServer(name, 'initialize')
    const ask = await modernAt(name)
    assert.match(await ask(first), first === 'tools/list' ? /"name":"echo"/ : /"supportedVersions"/)
    const call = { name: 'echo', arguments: { text: 'hello' } }
    assert.match(await ask('tools/call', call), /"text":"hello"/)
    // The next one is begun with in its own way.
    assert.match(await ask('tools/list', {}, { roots: {} }), /"name":"echo"/)
    assert.deepEqual(heard(), [
      'started',
      'server/discover',
      ...SESSION,
      ...(first === 'tools/list' ? [first] : []),
      'tools/call',
      ...SESSION,
      'tools/list',
    ])
  })

test('one that ends on whatever it is asked is started once more, and then its client is told', async () => {
  const heard = await endingServer('never', 'nothing')
  const ask = await modernAt('never')
  const ended = /"code":-32603,"message":"The server ended before it answered \(exit code 3\)/
  for (const times of [1, 2]) {
    assert.match(await ask('server/discover'), ended)
    const tries = ['started', 'server/discover', 'started', 'initialize']
    assert.deepEqual(heard(), Array.from({ length: times }, () => tries).flat())
  }
})
