import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { registerAgent } from '../support/api.ts'
import { homeEnvironment, LAUNCHER, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

const { home, remove } = await temporaryHome()
const elsewhere = await temporaryHome()

const value = `v-${randomBytes(18).toString('base64url')}`
const serving = await startServing(home)
const store = await openTestVault({ home })
// In this order: a server that still runs would write into the folder that is removed.
after(async () => {
  await store.close()
  await serving.stop()
  await remove()
  await elsewhere.remove()
})
await store.vault.put(PERSON, 'default', {
  path: 'api-keys/one',
  value: secret(value),
  type: 'password',
  metadata: { owner: 'ops' },
  maxAccessCount: 5,
})
await store.vault.put(PERSON, 'default', { path: 'other', value: secret('x') })
const agent = await registerAgent(store, [
  ['api-keys/**', ['list', 'read', 'write', 'delete']],
  ['spent', ['list', 'read']],
])

type Variables = Readonly<Record<string, string>>

async function connect(variables: Variables): Promise<Client> {
  const client = new Client(
    { name: 'remote-e2e', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [LAUNCHER, 'mcp'],
    cwd: elsewhere.home,
    env: { ...homeEnvironment(elsewhere.home), ...variables },
    stderr: 'pipe',
  })
  await client.connect(transport)
  return client
}

async function call(client: Client, name: string, args: Variables) {
  const result = await client.callTool({ name, arguments: args })
  const [first] = result.content
  return {
    isError: result.isError === true,
    text: first?.type === 'text' ? first.text : '',
    structured: (result.structuredContent ?? {}) as Readonly<Record<string, unknown>>,
  }
}

const origin = serving.url.origin
const SPELLINGS: readonly (readonly [name: string, variables: Variables])[] = [
  [
    'the names of the older server',
    { ONECLAW_BASE_URL: origin, ONECLAW_AGENT_ID: agent.id, ONECLAW_AGENT_API_KEY: agent.key },
  ],
  ['its own names', { SALLYPORT_BASE_URL: `${origin}/`, SALLYPORT_AGENT_API_KEY: agent.key }],
]
for (const [spelling, variables] of SPELLINGS)
  test(`remote: with ${spelling}, the stdio server serves the vault of the server`, async () => {
    const client = await connect(variables)
    try {
      const listed = await call(client, 'list_secrets', {})
      assert.match(listed.text, /api-keys\/one/)
      assert.doesNotMatch(listed.text, /other/)
      const read = await call(client, 'get_secret', { path: 'api-keys/one' })
      assert.equal(read.structured['value'], value)
      const refused = await call(client, 'get_secret', { path: 'other' })
      assert.equal(refused.isError, true)
      assert.match(refused.text, /Access denied \(agent doesn't have a policy for this path\)/)
      const missing = await call(client, 'get_secret', { path: 'api-keys/none' })
      assert.match(missing.text, /No secret found at path 'api-keys\/none'\./)
    } finally {
      await client.close()
    }
  })

test('remote: describing counts no read, rotating keeps type and metadata, values are redacted', async () => {
  const client = await connect(SPELLINGS[0]?.[1] ?? {})
  try {
    const before = await call(client, 'describe_secret', { path: 'api-keys/one' })
    assert.equal(before.structured['access_count'], 2)
    const next = `n-${randomBytes(18).toString('base64url')}`
    const rotated = await call(client, 'rotate_and_store', { path: 'api-keys/one', value: next })
    assert.equal(rotated.structured['version'], 2)
    const after = await call(client, 'describe_secret', { path: 'api-keys/one' })
    assert.equal(after.structured['type'], 'password')
    assert.deepEqual(after.structured['metadata'], { owner: 'ops' })
    assert.equal(after.structured['access_count'], 0)
    // The value went through this process, which keeps nothing of it but fingerprints.
    const seen = await call(client, 'inspect_content', { content: `token=${next}` })
    assert.equal(seen.structured['redacted_content'], 'token=[REDACTED:api-keys/one]')
  } finally {
    await client.close()
  }
})

test('remote: a base URL without a credential is refused with the names to set', async () => {
  await assert.rejects(connect({ ONECLAW_BASE_URL: origin }))
})

test('remote: an agent that is disabled is told so by its next call', async () => {
  const other = await registerAgent(store, [['api-keys/**', ['list', 'read']]])
  const client = await connect({ ONECLAW_BASE_URL: origin, ONECLAW_AGENT_API_KEY: other.key })
  try {
    assert.equal((await call(client, 'list_secrets', {})).isError, false)
    await store.identity.agents.update(PERSON, other.id, { isActive: false })
    assert.equal((await call(client, 'list_secrets', {})).isError, true)
  } finally {
    await client.close()
  }
})
