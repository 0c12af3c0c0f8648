// Ways to talk a policy round: messages that mean one thing to the gateway and another to a careless server.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Between, between, last, recorded, textOf, vault } from '../support/between.ts'
import { PERSON } from '../support/vault.ts'

const CLOSED = {
  default: 'allow',
  hide: ['hidden'],
  tools: {
    danger: { action: 'deny', reason: 'Never.' },
    pay: { limits: [{ counter: 'pays', window: 'day', max: 1 }] },
  },
  methods: { 'tasks/*': { action: 'deny' } },
}

/** Keeps back what is said to be classified at a place. */
const withholding = (path: string) => ({
  deny_if: [{ conditions: [{ path, op: 'contains', value: 'CLASS' }] }],
})

interface Asking {
  readonly id?: number
  readonly method: string
  readonly params?: object
}

const enforced = (policy: object): Promise<Between> => between(policy, { isShadow: false })

describe('what a server could take for a request of the protocol is judged as one, or not sent', () => {
  const DANGER = { name: 'danger', arguments: {} }
  const MISTAKABLE: readonly [what: string, message: Asking][] = [
    ['a call without an id', { method: 'tools/call', params: DANGER }],
    ['a call of a hidden tool', { method: 'tools/call', params: { name: 'hidden' } }],
    ['a list without an id', { method: 'tools/list' }],
    ['a greeting without an id', { method: 'initialize', params: {} }],
    ['another case, without an id', { method: 'Tools/Call', params: DANGER }],
    ['another case', { id: 1, method: 'tools/Call', params: DANGER }],
    ['a blank behind it', { id: 1, method: 'tools/call ', params: DANGER }],
    ['a line break', { id: 1, method: 'tools/call\n', params: DANGER }],
    ['a zero behind it', { id: 1, method: 'tools/call\u0000', params: DANGER }],
    ['two slashes', { id: 1, method: 'tools//call', params: DANGER }],
    ['a slash before it', { id: 1, method: '/tools/call', params: DANGER }],
    ['a dot for the slash', { id: 1, method: 'tools.call', params: DANGER }],
    ['full-width letters', { id: 1, method: 'ｔools/call', params: DANGER }],
    ['a list in another case', { id: 1, method: 'Tools/List' }],
    ['a cancellation in another case', { method: 'notifications/Cancelled', params: {} }],
    ['a cancellation as a request', { id: 1, method: 'notifications/cancelled', params: {} }],
  ]
  for (const [what, message] of MISTAKABLE)
    test(what, async () => {
      const one = await enforced(CLOSED)
      await one.client(message)
      assert.deepEqual(one.toServer, [])
      if ('id' in message)
        assert.deepEqual(last(one).error, { code: -32601, message: 'Method not found' })
      else assert.deepEqual(one.toClient, [])
      const { by, detail } = await recorded('method.call', 'refusal')
      assert.deepEqual([by, detail?.['method']], ['(name)', message.method])
    })

  test('what is only like it goes on', async () => {
    const one = await enforced(CLOSED)
    await one.client({ id: 1, method: 'tools/calls' })
    await one.client({ method: 'notifications/tools/called' })
    await one.client({ id: 2, method: 'x/tools/call', params: {} })
    assert.equal(one.toServer.length, 3)
  })
})

describe('an answer that comes late is that to its own request', () => {
  const REPORTS = {
    default: 'allow',
    tools: {
      report: {
        on_result: withholding('result.content.0.text'),
      },
      danger: { action: 'deny', reason: 'Never.' },
      pay: { limits: [{ counter: 'late-pays', window: 'day', max: 2 }] },
    },
  }
  const text = (said: string) => ({ content: [{ type: 'text', text: said }] })
  const cancel = (requestId: unknown) => ({
    method: 'notifications/cancelled',
    params: { requestId },
  })

  test('of a call whose answer is judged', async () => {
    const one = await enforced(REPORTS)
    await one.call(1, 'report')
    await one.client(cancel(1))
    await one.call(1, 'slow')
    assert.match(last(one).error?.message ?? '', /is not answered yet/)
    const before = one.toClient.length
    await one.server({ id: 1, result: text('CLASSIFIED') })
    assert.equal(one.toClient.length, before)
    // It came: nothing else can come under this id.
    await one.call(1, 'slow')
    await one.server({ id: 1, result: text('fine') })
    assert.equal(textOf(one), 'fine')
  })

  test('of a list', async () => {
    const one = await enforced(REPORTS)
    await one.client({ id: 2, method: 'tools/list' })
    await one.client(cancel(2))
    await one.call(2, 'slow')
    await one.server({ id: 2, result: { tools: [{ name: 'danger' }] } })
    assert.ok(one.toClient.every((said) => !said.includes('danger')))
  })

  test('of a call that failed: what another one took is not given back for it', async () => {
    const one = await enforced(REPORTS)
    for (let id = 1; id <= 4; id += 1) {
      await one.call(id, 'sloth')
      await one.client(cancel(id))
      await one.call(id, 'pay')
      await one.server({ id, error: { code: -32000, message: 'gave up' } })
    }
    const paid = one.toServer.filter((said) => said.includes('"pay"'))
    assert.deepEqual(paid, [])
  })

  test('of many calls with long ids: no more are asked than are kept', async () => {
    const one = await enforced({ default: 'allow' })
    for (let n = 0; n < 4_100; n += 1) {
      const id = String(n).padEnd(1_000)
      await one.client({ id, method: 'ping' })
      await one.client({ method: 'notifications/cancelled', params: { requestId: id } })
    }
    const asked = one.toServer.filter((said) => said.includes('"ping"'))
    assert.equal(asked.length, 3_997)
    assert.match(last(one).error?.message ?? '', /^Too many requests are not answered yet/)
    await one.server({ id: '0'.padEnd(1_000), result: {} })
    await one.client({ id: 'free', method: 'ping' })
    assert.match(one.toServer.at(-1) ?? '', /"free"/)
  })

  for (const [what, id, named] of [
    ['a number as a text', 7, '7'],
    ['a text as a number', '8', 8],
  ] as const)
    test(`cancelled by ${what}: the charge stays`, async () => {
      const one = await enforced({
        default: 'allow',
        tools: { pay: { limits: [{ counter: `pays-of-${id}`, window: 'day', max: 1 }] } },
      })
      await one.client({ id, method: 'tools/call', params: { name: 'pay', arguments: {} } })
      await one.client(cancel(named))
      await one.server({ id, error: { code: -32000, message: 'cancelled' } })
      await one.call(100, 'pay')
      assert.match(textOf(one), /The limit/)
    })

  test('cancelled by what is no id: nothing goes on', async () => {
    const one = await enforced(REPORTS)
    await one.call(1, 'slow')
    for (const named of [true, null, [1], { id: 1 }, 'i'.repeat(1_001)])
      await one.client(cancel(named))
    await one.client({ method: 'notifications/cancelled', params: {} })
    assert.equal(one.toServer.length, 1)
  })
})

describe('progress says no more than the answer may', () => {
  const REPORTS = {
    default: 'allow',
    tools: {
      report: {
        on_result: withholding('result.progress.message'),
      },
    },
  }
  const calling = (id: number, name: string, progressToken: unknown) => ({
    id,
    method: 'tools/call',
    params: { name, arguments: {}, _meta: { progressToken } },
  })
  const progress = (progressToken: unknown) => ({
    method: 'notifications/progress',
    params: { progressToken, progress: 1, message: 'CLASSIFIED' },
  })

  test('under a token that another call has too', async () => {
    for (const tokens of [
      ['p', 'p'],
      [5, '5'],
      ['6', 6],
    ]) {
      const one = await enforced(REPORTS)
      await one.client(calling(1, 'report', tokens[0]))
      await one.client(calling(2, 'look', tokens[1]))
      for (const token of tokens) await one.server(progress(token))
      assert.equal(one.toClient.length, 2)
      assert.ok(one.toClient.every((said) => !said.includes('CLASSIFIED')))
    }
  })

  test('under a token of many calls', async () => {
    const one = await enforced(REPORTS)
    for (let id = 1; id <= 20; id += 1) await one.client(calling(id, 'report', 'p'))
    await one.server({
      ...progress('p'),
      params: { progressToken: 'p', progress: 1, message: 'fine' },
    })
    assert.ok(!one.toClient.at(-1)?.includes('fine'))
  })

  for (const token of [['x'], { a: 1 }, 'x'.repeat(1_001)])
    test(`${JSON.stringify(token).slice(0, 20)} is no token`, async () => {
      const one = await enforced(REPORTS)
      await one.client(calling(1, 'report', token))
      assert.deepEqual(one.toServer, [])
      assert.equal(last(one).error?.code, -32602)
      const params = { _meta: { progressToken: token } }
      for (const method of ['tools/list', 'ping', 'initialize']) {
        await one.client({ id: method, method, params })
        assert.deepEqual([last(one).id, last(one).error?.code], [method, -32602])
      }
      assert.deepEqual(one.toServer, [])
    })
})

test('what a listener listens to is judged as the subscription that it is', async () => {
  const one = await enforced({
    default: 'allow',
    methods: {
      'resources/*': {
        deny_if: [{ conditions: [{ path: 'params.uri', op: 'contains', value: 'secret' }] }],
      },
    },
  })
  const listen = (id: number, ...uris: readonly unknown[]) =>
    one.client({
      id,
      method: 'subscriptions/listen',
      params: { notifications: { resourceSubscriptions: uris } },
    })
  await listen(1, 'x://open', 'x://secret')
  assert.equal(last(one).error?.code, 403)
  assert.deepEqual(one.toServer, [])
  await one.client({
    id: 2,
    method: 'subscriptions/listen',
    params: { notifications: { resourceSubscriptions: 'x://secret' } },
  })
  assert.deepEqual(one.toServer, [])
  await listen(3, 'x://open')
  await listen(4)
  assert.equal(one.toServer.length, 2)
})

test('what could be taken for what a listener listens to is refused', async () => {
  const one = await enforced({
    default: 'allow',
    methods: { 'resources/subscribe': { action: 'deny' } },
  })
  const uris = ['x://secret']
  const listening: readonly object[] = [
    { notifications: { ResourceSubscriptions: uris } },
    { notifications: { 'resourceSub\u017fcriptions': uris } },
    { notifications: { resourceSubscriptions: [], 'resource\uff33ubscriptions': uris } },
    { notifications: [{ resourceSubscriptions: uris }] },
    { Notifications: { resourceSubscriptions: uris } },
    { notifications: {}, 'notification\u017f': { resourceSubscriptions: uris } },
  ]
  for (const [id, params] of listening.entries()) {
    await one.client({ id, method: 'subscriptions/listen', params })
    assert.ok(last(one).error !== undefined && last(one).id === id)
  }
  assert.deepEqual(one.toServer, [])
})

test('what a listener listens to counts and is allowed as one, and not where it does not go on', async () => {
  const limits = [{ counter: 'subscribed', window: 'month', max: 3 }]
  const bad = { conditions: [{ path: 'params.uri', op: 'contains', value: 'bad' }] }
  const methods = { 'resources/subscribe': { deny_if: [bad], limits } }
  const one = await enforced({ default: 'allow', methods })
  const listen = (id: number, ...uris: readonly string[]) =>
    one.client({
      id,
      method: 'subscriptions/listen',
      params: { notifications: { resourceSubscriptions: uris } },
    })
  for (const id of [1, 2, 3]) await listen(id, 'x://a', 'x://a', 'x://bad')
  assert.deepEqual(one.toServer, [])
  await listen(4, 'x://a', 'x://b', 'x://a')
  await one.server({ id: 4, error: { code: -32601, message: 'no' } })
  await listen(5, 'x://a', 'x://b')
  await listen(6, 'x://a', 'x://b')
  assert.equal(one.toServer.length, 2)
  await one.server({ id: 5, result: {} })
  await listen(7, 'x://c')
  assert.equal(one.toServer.length, 3)
  await listen(8, 'x://d')
  assert.equal(one.toServer.length, 3)
  assert.match(last(one).error?.message ?? '', /The limit 'subscribed' of 3 in a month is reached/)
})

test('each of several resources that people have to allow is asked about once', async () => {
  const methods = { 'resources/subscribe': { action: 'require_approval' } }
  const one = await enforced({ default: 'allow', methods })
  const resourceSubscriptions = ['x://1', 'x://2', 'x://3', 'x://1']
  const params = { notifications: { resourceSubscriptions } }
  let asked = 0
  for (let id = 1; id < 9; id += 1) {
    await one.client({ id, method: 'subscriptions/listen', params })
    if (one.toServer.length > 0) break
    const [, waiting] = /\[APPROVAL REQUIRED\] (\S+)/.exec(last(one).error?.message ?? '') ?? []
    asked += 1
    await vault.approvals.approvals.decide(PERSON, waiting ?? assert.fail(), 'approve')
  }
  assert.deepEqual([asked, one.toServer.length], [3, 1])
})

test('a task is named by a text', async () => {
  const one = await enforced({ default: 'allow' })
  for (const taskId of [41, ['41'], { a: 1 }, null, 'x'.repeat(1_025)]) {
    await one.client({ id: 1, method: 'tasks/result', params: { taskId } })
    assert.match(last(one).error?.message ?? '', /'taskId' must be a text/)
  }
  for (const name of ['TaskId', 'taskid', 'ta\u017fkId', 'tas\u212aId', '\uff34askId']) {
    await one.client({ id: 1, method: 'tasks/result', params: { [name]: 'made' } })
    assert.equal(last(one).error?.code, -32602, name)
  }
  assert.deepEqual(one.toServer, [])
})

const named = (path: string, op: string, value: string | readonly string[]) => ({
  conditions: [{ path, op, value }],
})
const OF_NAMES: readonly [what: string, all: object, passes: readonly string[]][] = [
  ['in', { deny_if: [named('tool', 'in', ['a', 'delete_file'])] }, ['other']],
  ['eq', { deny_if: [named('tool', 'eq', 'a')] }, ['delete_file', 'Delete_File', 'other']],
  ['not_in', { require: [named('tool', 'not_in', ['a', 'delete_file'])] }, ['other']],
  ['neq', { require: [named('tool', 'neq', 'a')] }, ['delete_file', 'Delete_File', 'other']],
  ['in, required', { require: [named('tool', 'in', ['a', 'other'])] }, ['a', 'other']],
  ['neq, denied', { deny_if: [named('tool', 'neq', 'a')] }, ['a']],
  ['both spellings', { require: [named('tool', 'in', ['a', 'A'])] }, ['a', 'A']],
  [
    'eq within not',
    { require: [{ conditions: [{ not: named('tool', 'eq', 'a').conditions[0] }] }] },
    ['delete_file', 'Delete_File', 'other'],
  ],
]
for (const [what, all_tools, passes] of OF_NAMES)
  test(`a condition on the tool is not passed by another spelling of its name: ${what}`, async () => {
    const one = await enforced({ default: 'allow', all_tools })
    const names = ['a', 'A', 'a\u200b', '\uff41', 'delete_file', 'Delete_File', 'other']
    for (const [id, name] of names.entries()) await one.call(id, name)
    assert.deepEqual(
      one.toServer.map((text) => (JSON.parse(text) as { params: { name: string } }).params.name),
      passes,
    )
  })

test('a condition on the method is not passed by another spelling of its name', async () => {
  const methods = { 'vendor/*': { deny_if: [named('method', 'in', ['vendor/drop'])] } }
  const one = await enforced({ default: 'allow', methods })
  for (const [id, method] of [
    'vendor/drop',
    'vendor/Drop',
    'vendor/drop\0',
    'vendor/run',
  ].entries())
    await one.client({ id, method, params: {} })
  assert.deepEqual(
    one.toServer.map((text) => (JSON.parse(text) as Asking).method),
    ['vendor/run'],
  )
})

test('an estimate of nothing lets nothing pass where nothing remains', async () => {
  const limits = [
    {
      counter: 'spent-by-answers',
      window: 'day',
      max: 10,
      cost: { path: 'result.structuredContent.cost', estimate: 0 },
    },
  ]
  const one = await enforced({ default: 'allow', tools: { spend: { limits } } })
  const spend = async (id: number, cost: number): Promise<void> => {
    await one.call(id, 'spend')
    await one.server({ id, result: { content: [], structuredContent: { cost } } })
  }
  await spend(1, 0)
  await spend(2, 6)
  await spend(3, 6)
  await one.call(4, 'spend')
  assert.match(textOf(one), /The limit/)
  assert.equal(one.toServer.length, 3)
})
