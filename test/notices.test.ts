import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { CanaryAlarm } from '../src/core/canary-port.ts'
import type { AgentId } from '../src/core/ids.ts'
import { registerAgent } from './support/api.ts'
import { ERAS, type Era, type McpClient, serveMcpDoor } from './support/mcp-door.ts'
import { openTestVault, PERSON } from './support/vault.ts'
import { secret } from './support/vault-stores.ts'

const store = await openTestVault()
const door = await serveMcpDoor(store)
after(async () => {
  await door.stop()
  await store.dispose()
})
const [DEFAULT] = await store.vault.listVaults(PERSON)
const put = (path: string, vault = 'default') =>
  store.vault.put(PERSON, vault, { path, value: secret('a value') })
await put('a/one')
await put('b/one')
await store.vault.createVault(PERSON, { name: 'work' })

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  assert.fail(`${what} did not come`)
}

/** Longer than a client is told late. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 600))

interface Heard {
  readonly client: McpClient
  updated: number
  listChanged: number
}

/** An agent's client that wants to know of changes. */
async function subscribed(era: Era, granted: readonly string[], vault = 'default') {
  const { id, key } = await registerAgent(
    store,
    granted.map((pattern) => [pattern, ['list', 'read']] as const),
  )
  const client = await door.connect(era, key, vault)
  const heard: Heard = { client, updated: 0, listChanged: 0 }
  client.setNotificationHandler('notifications/resources/updated', () => {
    heard.updated += 1
  })
  client.setNotificationHandler('notifications/resources/list_changed', () => {
    heard.listChanged += 1
  })
  if (era === 'legacy') await client.subscribeResource({ uri: 'vault://secrets' })
  else
    await client.listen({
      resourceSubscriptions: ['vault://secrets'],
      resourcesListChanged: true,
    })
  return Object.assign(heard, { id })
}

for (const era of ERAS)
  describe(`notices of vault://secrets, ${era}`, { concurrency: false }, () => {
    test('go to those who may see what changed, and to nobody else', async () => {
      const mine = await subscribed(era, ['a/**'])
      const theirs = await subscribed(era, ['b/**'])
      const none = await subscribed(era, ['z/**'])
      await put(`a/${era}`)
      await until('mine', () => mine.updated === 1 && mine.listChanged === 1)
      await put(`b/${era}`)
      await until('theirs', () => theirs.updated === 1)
      await put(`c/${era}`)
      await put('a/one', 'work')
      await quiet()
      const counts = [mine, theirs, none].map((one) => [one.updated, one.listChanged])
      assert.deepEqual(counts, [
        [1, 1],
        [1, 1],
        [0, 0],
      ])
      for (const { client } of [mine, theirs, none]) await client.close()
    })

    test('reading tells nobody anything; changing and deleting does, also of what others may see', async () => {
      const mine = await subscribed(era, ['a/**'])
      for (let i = 0; i < 5; i++) await store.vault.get(PERSON, 'default', 'a/one')
      await store.audit.query({})
      await quiet()
      assert.deepEqual([mine.updated, mine.listChanged], [0, 0])
      await put('a/one')
      await until('the change', () => mine.updated === 1)
      await put(`a/gone-${era}`)
      await until('the new one', () => mine.updated === 2)
      await store.vault.delete(PERSON, 'default', `a/gone-${era}`)
      await until('that it went', () => mine.updated === 3)
      await mine.client.close()
    })

    test('a right that comes or goes is news for its bearer alone; whoever is frozen hears nothing', async () => {
      const mine = await subscribed(era, ['a/**'])
      const theirs = await subscribed(era, ['b/**'])
      const { id } = await store.policies.create(PERSON, 'default', {
        pattern: 'b/**',
        principalType: 'agent',
        principalId: mine.id,
        permissions: ['list'],
      })
      await until('the right', () => mine.updated === 1)
      await store.policies.remove(PERSON, 'default', id)
      await until('its end', () => mine.updated === 2)
      await store.identity.freezes.freeze(PERSON, { kind: 'agent', id: mine.id as AgentId }, null)
      await put('a/one')
      await put('b/one')
      await until('theirs', () => theirs.updated === 1)
      await quiet()
      assert.deepEqual([mine.updated, theirs.updated], [2, 1])
      for (const { client } of [mine, theirs]) await client.close()
    })

    test('many changes at once are told once or twice', async () => {
      const mine = await subscribed(era, ['a/**'])
      await Promise.all(Array.from({ length: 30 }, (_, i) => put(`a/many/${era}/${i}`)))
      await until('a notice', () => mine.updated > 0)
      await quiet()
      assert.ok(mine.updated <= 4, `${mine.updated}`)
      const { contents } = await mine.client.readResource({ uri: 'vault://secrets' })
      const text = String((contents[0] as { text?: string }).text)
      assert.ok(text.includes(`a/many/${era}/29`))
      await mine.client.close()
    })
  })

for (const era of ERAS)
  test(`canaries ring for the tools that change them, ${era}`, async () => {
    const alarms: CanaryAlarm[] = []
    const stop = store.sharing.canaries.onAlarm((alarm) => alarms.push(alarm))
    const path = `bait/${era}`
    await put(path)
    await store.sharing.canaries.set(PERSON, 'default', path, { freezes: true })
    const tries: readonly [action: string, tool: string, args: object][] = [
      ['secret.put', 'put_secret', { path, value: 'another value' }],
      ['secret.rotate', 'rotate_and_store', { path, value: 'another value' }],
      ['secret.delete', 'delete_secret', { path }],
      ['secret.read', 'get_secret', { path }],
    ]
    for (const [action, tool, args] of tries) {
      // One that may do it, and one that may not: both are frozen by it.
      for (const permissions of [['list', 'read', 'write', 'delete'] as const, ['list'] as const]) {
        const { id, key } = await registerAgent(store, [[path, permissions]])
        const client = await door.connect(era, key, 'default')
        alarms.splice(0)
        await client.callTool({ name: tool, arguments: { ...args } }).catch(() => undefined)
        assert.deepEqual(
          alarms.map((alarm) => [alarm.action, alarm.actor, alarm.frozen]),
          [[action, `agent:${id}`, true]],
          tool,
        )
        await client.close()
      }
      await store.vault.undelete(PERSON, 'default', path).catch(() => undefined)
    }
    stop()
  })

test('canaries ring over HTTP, and the refusal says nothing of them', async () => {
  const alarms: CanaryAlarm[] = []
  const stop = store.sharing.canaries.onAlarm((alarm) => alarms.push(alarm))
  await put('bait/http')
  await store.sharing.canaries.set(PERSON, 'default', 'bait/http')
  const { key } = await registerAgent(store, [['a/**', ['read', 'write', 'delete']]])
  const texts: string[] = []
  for (const path of ['bait/http', 'c/none'])
    for (const [method, body] of [
      ['PUT', JSON.stringify({ type: 'api_key', value: 'another value' })],
      ['DELETE', null],
      ['GET', null],
    ] as const) {
      const answer = await fetch(`${door.baseUrl}/v1/vaults/${DEFAULT?.id}/secrets/${path}`, {
        method,
        headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
        body,
      })
      texts.push(`${answer.status} ${(await answer.text()).replaceAll(path, 'PATH')}`)
    }
  stop()
  assert.deepEqual(
    alarms.map(({ action, path, released }) => [action, path, released]),
    [
      ['secret.put', 'bait/http', false],
      ['secret.delete', 'bait/http', false],
      ['secret.read', 'bait/http', false],
    ],
  )
  const plain = texts.map((text) => text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID'))
  assert.ok(plain.every((text) => text.startsWith('403 ')))
  assert.deepEqual(plain.slice(0, 3), plain.slice(3))
})
