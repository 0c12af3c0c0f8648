// Servers that do not answer, or are asked too much.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { between, last, recorded, textOf, until, vault } from '../support/between.ts'

const slow = { callMs: 60, restMs: 200, lateInARow: 2 }

test('a call that is not answered in time is, the server is told, and the charge is kept', async () => {
  const limits = [{ counter: 'late', window: 'month', max: 1 }]
  const one = await between({ default: 'deny', tools: { t: { limits } } }, { health: slow })
  await one.call(1, 't')
  await until(() => one.toClient.length > 0)
  assert.deepEqual(last(one).error, { code: -32603, message: 'The server did not answer in time.' })
  assert.match(one.toServer.at(-1) ?? '', /"notifications\/cancelled","params":{"requestId":1,/)
  await vault.ledger.flush()
  const [call] = await vault.audit.query({ limit: 1, action: 'tool.call' })
  assert.equal(call?.outcome, 'timed-out')
  // What comes too late is nobody's answer.
  await one.server({ id: 1, result: { content: [] } })
  await one.call(2, 't')
  assert.match(textOf(one), /The limit 'late' of 1/)
})

test('who listens for changes waits as long as it likes', async () => {
  const one = await between({ default: 'allow' }, { health: slow })
  const params = { notifications: { toolsListChanged: true } }
  await one.client({ id: 'l', method: 'subscriptions/listen', params })
  await sleep(3 * slow.callMs)
  assert.deepEqual(one.toClient, [])
  await one.call(1, 't')
  assert.equal(one.toServer.length, 2)
})

test('progress begins the time anew, and no time passes while the person is asked', async () => {
  const one = await between({ default: 'allow' }, { health: { callMs: 500 } })
  await one.client({
    id: 1,
    method: 'tools/call',
    params: { name: 't', _meta: { progressToken: 'p' } },
  })
  for (let step = 1; step <= 4; step += 1) {
    await sleep(150)
    const params = { progressToken: 'p', progress: step }
    await one.server({ method: 'notifications/progress', params })
  }
  await one.server({ id: 's', method: 'elicitation/create', params: { message: 'Sure?' } })
  await sleep(800)
  assert.ok(one.toClient.every((text) => !text.includes('"error"')))
  await one.client({ id: 's', result: { action: 'accept' } })
  await until(() => last(one).error?.message === 'The server did not answer in time.')
})

test('a server that takes its question back waits for nobody', async () => {
  const one = await between({ default: 'allow' }, { health: { callMs: 60 } })
  await one.call(1, 't')
  await one.server({ id: 's', method: 'elicitation/create', params: { message: 'Sure?' } })
  await one.server({ method: 'notifications/cancelled', params: { requestId: 's' } })
  await until(() => last(one).error?.message === 'The server did not answer in time.')
  const before = one.toServer.length
  await one.client({ id: 's', result: { action: 'accept' } })
  assert.equal(one.toServer.length, before)
})

test('a server whose questions are lost waits for nobody, and may ask under the same ids', async () => {
  const one = await between({ default: 'allow' }, { health: { callMs: 60 } })
  await one.call(1, 't')
  const ask = { method: 'elicitation/create', params: { message: 'Sure?' } }
  for (const id of ['s', 'w']) await one.server({ id, ...ask })
  await one.server({ method: 'notifications/cancelled', params: { requestId: 'w' } })
  one.relay.questionsLost()
  assert.equal(
    one.toClient.at(-1),
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s","reason":"The server ended."}}',
  )
  await until(() => last(one).error?.message === 'The server did not answer in time.')
  const before = one.toServer.length
  await one.client({ id: 's', result: { action: 'accept' } })
  assert.equal(one.toServer.length, before)
  for (const id of ['s', 'w']) await one.server({ id, ...ask })
  assert.equal(one.toServer.length, before)
})

test('a server that answers nothing is left alone for a while, and its callers are told at once', async () => {
  const one = await between({ default: 'allow' }, { health: slow })
  for (const id of [1, 2]) {
    await one.call(id, 't')
    await until(() => one.toClient.length === id)
  }
  const before = one.toServer.length
  await one.call(3, 't')
  assert.match(
    textOf(one),
    /^The server did not answer 2 calls in time\. It is asked again in 1 sec/,
  )
  assert.equal(one.toServer.length, before)
  assert.equal((await recorded('tool.call', 'refusal')).by, 'SERVER_BUSY')
  await sleep(slow.restMs)
  await one.call(4, 't')
  assert.equal(one.toServer.length, before + 1)
  await one.server({ id: 4, result: { content: [] } })
  await one.call(5, 't')
  assert.equal(one.toServer.length, before + 2)
  await one.server({ id: 5, result: { content: [] } })
})

test('no more calls are open at a server than it is to bear', async () => {
  const one = await between({ default: 'allow' }, { health: { maxOpen: 2 } })
  for (const id of [1, 2, 3]) await one.call(id, 't')
  assert.equal(one.toServer.length, 2)
  assert.match(textOf(one), /^2 calls of this server are not answered yet\./)
  await one.server({ id: 1, result: { content: [] } })
  await one.call(4, 't')
  assert.equal(one.toServer.length, 3)
})
