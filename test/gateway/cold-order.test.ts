// The first messages of a client wait for what is loaded when it is first needed, each for something else; they go on in
// the order in which they came.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { type Between, between, last, record, textOf, until } from '../support/between.ts'

const POLICY = {
  default: 'deny',
  tools: { a: {}, b: {}, no: { action: 'deny' }, pay: { action: 'require_approval' } },
}

/** What calls are recorded in takes its time to open. */
async function cold(): Promise<Between & { readonly opens: () => void }> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const one = await between(POLICY, { record: () => promise.then(() => record) })
  return Object.assign(one, { opens: resolve })
}

function send(one: Between, message: object): void {
  one.relay.fromClient(Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message })))
}
const call = (id: number, name: string): object => ({
  id,
  method: 'tools/call',
  params: { name, arguments: { id } },
})
/** By id, or by method where there is none. */
const sentBy = (one: Between): readonly unknown[] =>
  one.toServer.map((text) => {
    const { id, method } = JSON.parse(text) as { id?: number; method: string }
    return id ?? method
  })

test('calls, lists and notifications of a cold start go on in the order in which they came', async () => {
  const one = await cold()
  const initialized = 'notifications/initialized'
  send(one, { id: 0, method: 'initialize', params: { capabilities: {} } })
  await until(() => one.toServer.length === 1)
  send(one, { method: initialized })
  send(one, call(1, 'a'))
  send(one, { id: 2, method: 'tools/list' })
  send(one, call(3, 'no'))
  send(one, call(4, 'b'))
  send(one, { id: 5, method: 'ping' })
  send(one, { method: 'notifications/roots/list_changed' })
  await sleep(50)
  assert.deepEqual(sentBy(one), [0, initialized])
  one.opens()
  await one.relay.idle()
  const all = [0, initialized, 1, 2, 4, 5, 'notifications/roots/list_changed']
  assert.deepEqual(sentBy(one), all)
  assert.equal(last(one).id, 3)
  // Nothing waits any more: what can go on at once does.
  send(one, { id: 6, method: 'ping' })
  assert.deepEqual(sentBy(one), [...all, 6])
})

test('who waits for a person holds up nobody, and what is cancelled in its turn is never sent', async () => {
  const one = await cold()
  send(one, {
    ...call(1, 'pay'),
    params: { name: 'pay', arguments: { id: 1 }, _meta: { progressToken: 'p' } },
  })
  send(one, call(2, 'a'))
  send(one, { method: 'notifications/cancelled', params: { requestId: 2 } })
  send(one, { id: 3, method: 'ping' })
  send(one, call(4, 'b'))
  one.opens()
  await until(() => one.toServer.length === 2)
  assert.deepEqual(sentBy(one), [3, 4])
  await until(() => one.toClient.length === 1)
  one.relay.leave()
  await one.relay.idle()
  assert.match(textOf(one), /^\[APPROVAL REQUIRED\]/)
})

test('what cannot be loaded stops what needs it, and nothing else', async () => {
  const one = await between(POLICY, { record: () => Promise.reject(new Error('away')) })
  send(one, call(1, 'a'))
  send(one, { id: 2, method: 'ping' })
  await one.relay.idle()
  assert.deepEqual(sentBy(one), [2])
  assert.equal(last(one).id, 1)
})
