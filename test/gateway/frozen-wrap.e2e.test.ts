// A freeze and the clients of `sallyport wrap`: nothing that they say reaches the server, be it judged by a policy or not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { temporaryHome } from '../support/serving.ts'
import { AGENT, openTestVault, PERSON } from '../support/vault.ts'
import { POSTGRES, SQLITE } from '../support/vault-stores.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

const LOCAL = { kind: 'agent', id: 'local' } as const
const FROZEN = /^Everything this agent does is frozen\./
const HELLO = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'hand', version: '1' },
}
const WORDS = { _meta: { note: 'words of the agent' } }

const asked: readonly (readonly [method: string, params?: object])[] = [
  ['ping', WORDS],
  ['tools/list', WORDS],
  ['resources/list', WORDS],
  ['logging/setLevel', { level: 'debug' }],
  ['resources/read', { uri: 'file:///a' }],
  ['vendor/x'],
  ['initialize', HELLO],
]
const told: readonly (readonly [method: string, params?: object])[] = [
  ['notifications/roots/list_changed', WORDS],
  ['notifications/progress', { progressToken: 'words', progress: 1 }],
  ['notifications/initialized'],
  ['notifications/vendor/x'],
]

for (const store of [SQLITE, POSTGRES])
  test(`${store.name}: nothing that a frozen client says reaches its server, and it is told so`, {
    skip: store.skip,
  }, async () => {
    const { home, remove } = await temporaryHome()
    const env = await store.fresh()
    const vault = await openTestVault({ home, env })
    const { freezes } = vault.identity
    const wrapped = startWrapped(home, { env })
    assert.ok((await wrapped.ask('hello', 'initialize', HELLO)).result)
    assert.ok((await wrapped.ask('list', 'tools/list')).result)
    const say = (method: string, params?: object): void =>
      wrapped.send(JSON.stringify({ jsonrpc: '2.0', method, params }))
    const open = { id: 'open', method: 'tools/call', params: { name: 'silent' } }
    wrapped.send(JSON.stringify({ jsonrpc: '2.0', ...open }))
    assert.equal(saidBy(await wrapped.call('first', 'echo', { text: 'hello' })), 'hello')

    await freezes.freeze(AGENT, LOCAL, null)
    const until = async (claim: RegExp): Promise<void> => {
      for (let round = 0; round < 200; round += 1) {
        const answer = await wrapped.call(`${claim.source} ${round}`, 'echo', { text: 'hello' })
        if (claim.test(saidBy(answer))) return
      }
      assert.fail(claim.source)
    }
    await until(FROZEN)
    const before = wrapped.received()
    for (const [method, params] of told) say(method, params)
    say('notifications/cancelled', { requestId: 'open', reason: 'words' })
    for (const [method, params] of asked) {
      const { error } = await wrapped.ask(`frozen ${method}`, method, params)
      assert.equal(error?.code, 403, method)
      assert.match(error.message, FROZEN, method)
    }
    const refused = (await vault.audit.query({ action: 'method.call', limit: 100 }))
      .map(({ body }) => JSON.parse(body) as { by: string; detail: { method: string } })
      .filter(({ by }) => by === 'frozen')
      .map(({ detail }) => detail.method)
    for (const [method] of [...asked, ...told]) assert.ok(refused.includes(method), method)

    const late = startWrapped(home, { env })
    assert.match((await late.ask('hello', 'initialize', HELLO)).error?.message ?? '', FROZEN)
    await late.end()
    assert.doesNotMatch(late.received(), /jsonrpc/)

    await freezes.lift(PERSON, LOCAL)
    await until(/^hello$/)
    assert.ok((await wrapped.ask('again', 'tools/list')).result)
    const since = wrapped.received().slice(before.length).split('\n')
    // To take back what runs is no freedom, and says nothing of the agent's.
    assert.deepEqual(JSON.parse(since[0] ?? ''), {
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 'open', reason: 'The client gave it up.' },
    })
    assert.match(since[1] ?? '', /"\^hello\$ \d+"/)
    await wrapped.end()
    await vault.close()
    await remove()
  })
