import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { Client } from '@modelcontextprotocol/client'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { systemClock } from '../src/core/time.ts'
import { SigningKeys } from '../src/identity/signing-keys.ts'
import { registerAgent } from './support/api.ts'
import { ORIGIN } from './support/identity.ts'
import { ERAS, serveMcpDoor } from './support/mcp-door.ts'
import { openTestVault, PERSON } from './support/vault.ts'
import { secret } from './support/vault-stores.ts'

const store = await openTestVault()
const door = await serveMcpDoor(store)
after(async () => {
  await door.stop()
  await store.dispose()
})

const { id: DEFAULT } = (await store.vault.listVaults(PERSON))[0] ?? { id: '' }
const WORK = await store.vault.createVault(PERSON, { name: 'work' })
const HIDDEN = await store.vault.createVault(PERSON, { name: 'hidden' })
for (const path of ['a/one', 'b/one'])
  await store.vault.put(PERSON, 'default', { path, value: secret('x') })
await store.vault.put(PERSON, 'work', { path: 'w/one', value: secret('x') })
const A = await registerAgent(store, [['a/**', ['list', 'read']]])
const B = await registerAgent(store, [['b/**', ['list', 'read']]])
const BOUND = await registerAgent(store, [['a/**', ['list']]], {
  agent: { name: 'bound', vaultIds: [DEFAULT as typeof WORK.id] },
})

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

async function tokenOf(key: string): Promise<string> {
  const { token } = await store.identity.authentication.exchange(key, null, ORIGIN)
  return token.reveal()
}

async function names(client: Client): Promise<unknown> {
  const answer = await client.callTool({ name: 'list_secrets', arguments: {} })
  return (answer.structuredContent as { names?: unknown }).names
}

for (const era of ERAS)
  test(`${era}: two agents on one server see their own lists, with a key or a token`, async () => {
    const clients = await Promise.all([
      door.connect(era, A.key, 'default'),
      door.connect(era, await tokenOf(B.key), DEFAULT),
      door.connect(era, B.key, 'default'),
    ])
    const lists = await Promise.all(clients.map(names))
    assert.deepEqual(lists, [['a/one'], ['b/one'], ['b/one']])
    const resources = await Promise.all(
      clients.map(async (client) => {
        const { contents } = await client.readResource({ uri: 'vault://secrets' })
        const [first] = contents
        const text = first !== undefined && 'text' in first ? first.text : '[]'
        return (JSON.parse(text) as { path: string }[]).map(({ path }) => path)
      }),
    )
    assert.deepEqual(resources, [['a/one'], ['b/one'], ['b/one']])
    for (const client of clients) await client.close()
  })

test('legacy: a session is nobody else’s, with whatever its id is shown', async () => {
  const mine = await door.connect('legacy', A.key, 'default')
  const theirs = await door.connect('legacy', B.key, 'default')
  assert.notEqual(mine.sessionId, theirs.sessionId)
  const shown = { 'Mcp-Session-Id': mine.sessionId ?? '', 'X-Vault-ID': 'default' }
  const call = { jsonrpc: '2.0', id: 9, method: 'tools/list' }
  const tries: readonly [bearer: string, status: number][] = [
    [A.key, 200],
    [await tokenOf(A.key), 200],
    [B.key, 404],
    [await tokenOf(B.key), 404],
    ['ocv_nobody', 401],
  ]
  for (const [bearer, status] of tries) {
    const answer = await door.post(call, { ...shown, Authorization: `Bearer ${bearer}` })
    await answer.text()
    assert.equal(answer.status, status)
  }
  const ended = await fetch(`${door.baseUrl}/mcp`, {
    method: 'DELETE',
    headers: { ...shown, Authorization: `Bearer ${B.key}` },
  })
  assert.equal(ended.status, 404)
  assert.deepEqual(await names(mine), ['a/one'])
  await mine.close()
  await theirs.close()
})

for (const era of ERAS)
  test(`${era}: only who subscribed is told that the list may be another`, async () => {
    const mine = await door.connect(era, A.key, 'default')
    const theirs = await door.connect(era, B.key, 'default')
    const told: string[] = []
    const heard = Promise.withResolvers<void>()
    for (const [name, client] of [
      ['mine', mine],
      ['theirs', theirs],
    ] as const)
      client.setNotificationHandler('notifications/resources/updated', () => {
        told.push(name)
        heard.resolve()
      })
    if (era === 'legacy') await mine.subscribeResource({ uri: 'vault://secrets' })
    else await mine.listen({ resourceSubscriptions: ['vault://secrets'] })
    await store.vault.put(PERSON, 'default', { path: `a/${era}`, value: secret('x') })
    await heard.promise
    await names(theirs)
    assert.ok(!told.includes('theirs'))
    await store.vault.delete(PERSON, 'default', `a/${era}`)
    await mine.close()
    await theirs.close()
  })

test('a registered caller has to name the vault, unless it is bound to exactly one', async () => {
  const unnamed = await door.post(INITIALIZE, { Authorization: `Bearer ${A.key}` })
  assert.equal(unnamed.status, 400)
  assert.match(await unnamed.text(), /X-Vault-ID must name the vault/)
  for (const era of ERAS) {
    const client = await door.connect(era, BOUND.key)
    assert.deepEqual(await names(client), ['a/one'])
    await client.close()
  }
})

const OTHERS: readonly (readonly [what: string, vault: string])[] = [
  ['nobody made', 'no-such'],
  ['whose id nobody made', randomUUID()],
  ['of others, by name', 'hidden'],
  ['of others, by id', HIDDEN.id],
  ['of others, that the agent is not bound to', WORK.id],
]
for (const [what, vault] of OTHERS)
  test(`a vault ${what} is one that there is not`, async () => {
    for (const { key } of [A, BOUND]) {
      const answer = await door.post(INITIALIZE, {
        Authorization: `Bearer ${key}`,
        'X-Vault-ID': vault,
      })
      assert.equal(answer.status, 404)
      assert.deepEqual(await answer.json(), {
        error: {
          code: 'VAULT_NOT_FOUND',
          message: `There is no vault '${vault}'.`,
          help: 'list the vaults with list_vaults',
        },
      })
    }
  })

test('a session opened with one token goes on with the next, and ends with its agent', async () => {
  const agent = await registerAgent(store, [['a/**', ['list']]])
  const first = await tokenOf(agent.key)
  const client = await door.connect('legacy', first, 'default')
  await store.identity.authentication.revoke(first, ORIGIN)
  const list = {
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: 'list_secrets', arguments: {} },
  }
  const say = (bearer: string): Promise<Response> =>
    door.post(list, {
      Authorization: `Bearer ${bearer}`,
      'X-Vault-ID': 'default',
      'Mcp-Session-Id': client.sessionId ?? '',
    })
  const ended = await say(first)
  assert.equal(ended.status, 401)
  assert.match(ended.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  const next = await say(await tokenOf(agent.key))
  assert.equal(next.status, 200)
  assert.match(await next.text(), /a\/one/)
  await store.identity.agents.update(PERSON, agent.id, { isActive: false })
  assert.equal((await say(agent.key)).status, 401)
})

test('a token that this server signed for somebody else is nobody’s at its endpoint', async () => {
  const text = await tokenOf(A.key)
  const privateKey = await store.db.write(async (tx) => {
    const { key } = await new SigningKeys(store.keys).signing(tx, systemClock())
    return key.privateKey
  })
  const status = async (aud: string | string[]): Promise<number> => {
    const { kid } = decodeProtectedHeader(text)
    const forged = await new SignJWT({ ...decodeJwt(text), aud })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: kid ?? '' })
      .sign(privateKey)
    const answer = await door.post(INITIALIZE, {
      Authorization: `Bearer ${forged}`,
      'X-Vault-ID': 'default',
    })
    await answer.text()
    return answer.status
  }
  assert.equal(await status('sallyport'), 200)
  assert.equal(await status(['https://other.example', 'sallyport']), 200)
  assert.equal(await status('https://other.example/mcp'), 401)
  assert.equal(await status([]), 401)
})

test('a bearer of this server is passed on to nobody: tools answer without it', async () => {
  const token = await tokenOf(A.key)
  for (const era of ERAS) {
    const client = await door.connect(era, token, 'default')
    const seen = JSON.stringify([
      await client.listTools(),
      await client.callTool({ name: 'list_secrets', arguments: {} }),
      await client.callTool({ name: 'get_secret', arguments: { path: 'b/one' } }),
    ])
    assert.ok(!seen.includes(token))
    await client.close()
  }
})
