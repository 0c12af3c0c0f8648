// What is wrong inside the server is told to who is at its machine; callers from elsewhere are told that it is, not where.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Fault } from '../src/core/faults.ts'
import { createTokens } from '../src/vault/index.ts'
import { registerAgent } from './support/api.ts'
import { ERAS, serveMcpDoor } from './support/mcp-door.ts'
import { openTestVault } from './support/vault.ts'

const PLACE = /10\.0\.0\.7|vault/
const unreachable = (): never => {
  throw new Fault('STORE_UNAVAILABLE', "The PostgreSQL store at '10.0.0.7:5432/vault' is away.", {
    details: { remedy: 'look at 10.0.0.7' },
  })
}
const store = await openTestVault()
const agent = await registerAgent(store, [['a/**', ['list', 'read']]])
const here = (await (await createTokens(store)).create('here', store.home)).token.reveal()
const door = await serveMcpDoor(store, { openVault: async () => unreachable() })
const { authentication } = store.identity
const shut = await serveMcpDoor({
  ...store,
  identity: {
    ...store.identity,
    authentication: {
      ...authentication,
      changes: () => authentication.changes(),
      authenticate: async () => unreachable(),
    },
  },
})
after(async () => {
  await door.stop()
  await shut.stop()
  await store.dispose()
})

for (const era of ERAS)
  test(`${era}: a registered agent is not told where the store is, the agent of this machine is`, async () => {
    const elsewhere = await door.connect(era, agent.key, 'default')
    const call = { name: 'get_secret', arguments: { path: 'a/one' } }
    const answer = await elsewhere.callTool(call)
    const { error } = answer.structuredContent as {
      error: { code: string; message: string; help: string; details: { request_id: string } }
    }
    assert.equal(answer.isError, true)
    assert.deepEqual(
      [error.code, error.message, error.help],
      [
        'STORE_UNAVAILABLE',
        'The server cannot use its store.',
        'make the store reachable and writable',
      ],
    )
    assert.match(error.details.request_id, /^[0-9a-f-]{36}$/)
    assert.doesNotMatch(JSON.stringify(answer), PLACE)
    await assert.rejects(elsewhere.readResource({ uri: 'vault://secrets' }), (thrown: Error) => {
      const { data } = thrown as { data?: unknown }
      assert.doesNotMatch(`${thrown.message} ${JSON.stringify(data)}`, PLACE)
      return true
    })
    const local = await (await door.connect(era, here)).callTool(call)
    assert.match(JSON.stringify(local), /10\.0\.0\.7:5432/)
  })

for (const path of ['/mcp', '/s/any/mcp', '/mcp/all'])
  test(`${path}: nobody is told where the store is before it is known who asks`, async () => {
    const answer = await shut.post(
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { Authorization: `Bearer ${agent.key}` },
      path,
    )
    const body = await answer.text()
    assert.deepEqual([answer.status, PLACE.test(body)], [503, false], body)
    assert.match(body, /The server cannot use its store\./)
  })
