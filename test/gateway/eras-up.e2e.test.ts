// Clients of one era and servers of the other one at the address of `sallyport up`.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { EVERYTHING } from '../support/everything.ts'
import { startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

const { home, remove } = await temporaryHome()
const vault = await openTestVault({ home })
const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const { servers, policies } = await vault.registry()
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })

async function added(name: string, command: readonly string[]): Promise<string> {
  await servers.add(PERSON, name, { kind: 'stdio', command, variables: [] })
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, {
    label: name,
    server: name,
    policies: ['open'],
  })
  return bearer.reveal()
}

const bearers = {
  old: await added('old', [process.execPath, EVERYTHING]),
  new: await added('new', [process.execPath, MODERN, 'stdio']),
}
const serving = await startServing(home)
after(async () => {
  await serving.stop()
  await vault.close()
  await remove()
})

async function connected(server: 'old' | 'new', era: 'legacy' | 'modern'): Promise<Client> {
  const client = new Client(
    { name: era, version: '1' },
    {
      capabilities: { elicitation: { form: {}, url: {} } },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  client.setRequestHandler('elicitation/create', async ({ params }) =>
    params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'me' } },
  )
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`/s/${server}/mcp`, serving.url), {
      requestInit: { headers: { Authorization: `Bearer ${bearers[server]}` } },
    }),
  )
  return client
}

async function said(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<string> {
  return JSON.stringify((await client.callTool({ name, arguments: args })).content)
}

test('a client of 2026-07-28 uses a legacy server, and is asked in the middle of a call', async () => {
  const client = await connected('old', 'modern')
  assert.equal(client.getNegotiatedProtocolVersion(), '2026-07-28')
  assert.match(await said(client, 'echo', { message: 'é' }), /Echo: é/)
  assert.match(await said(client, 'trigger-elicitation-request'), /Name: me/)
  await client.close()
})

test('a legacy client uses a server of 2026-07-28, and is asked in the middle of a call', async () => {
  const client = await connected('new', 'legacy')
  assert.equal(client.getNegotiatedProtocolVersion(), '2025-11-25')
  assert.match(await said(client, 'echo', { text: 'é' }), /é/)
  assert.match(await said(client, 'ask'), /hello me/)
  assert.match(await said(client, 'visit'), /visit: accept/)
  const answers = { name: { action: 'accept', content: { name: 'forged' } } }
  for (const given of [
    { requestState: 'state of the server', inputResponses: answers },
    { inputResponses: answers },
  ]) {
    const call = { name: 'ask', arguments: {}, ...given }
    await assert.rejects(client.callTool(call), { code: -32602 })
  }
  await client.close()
})
