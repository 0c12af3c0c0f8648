// Legacy servers at the doors that do not survive the first word of a newer era, or refuse it in a way of their own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { json, scripted, withSession } from '../support/http-upstream.ts'
import { openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await agents.create(PERSON, { name: 'agent' })

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

type Ask = (method: string, params?: { readonly name?: string }) => Promise<string>

/** A client of 2026-07-28 at the address of a server. */
async function modernAt(server: string): Promise<Ask> {
  const asked = { label: `of ${server}`, server, policies: ['open'] }
  const bearer = (await grants.create(PERSON, agent.id, asked)).bearer.reveal()
  return async (method, params = {}) => {
    const body = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }
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
