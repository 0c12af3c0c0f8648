// What a policy asks for beyond yes and no: people, the answer, other methods, costs, the disk.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SecretText } from '../../src/core/secret-text.ts'
import { sleep } from '../../src/core/time.ts'
import { between, last, recorded, textOf, vault } from '../support/between.ts'
import { AGENT, PERSON } from '../support/vault.ts'

const idIn = (text: string): string =>
  /^\[APPROVAL REQUIRED\] (\S+)\n/.exec(text)?.[1] ?? assert.fail(text)
const approvals = vault.approvals.approvals

test('a call that a person has to allow waits for one, and passes once', async () => {
  const one = await between({
    default: 'deny',
    tools: {
      pay_once: {
        action: 'require_approval',
        reason: 'Money leaves.',
        limits: [{ counter: 'paid', window: 'month', max: 2 }],
      },
    },
  })
  await one.call(1, 'pay_once', { amount: 5, to: 'x' })
  const id = idIn(textOf(one))
  assert.match(
    textOf(one),
    /\nMoney leaves\.\n.*sallyport approvals approve .*\nRule: \/tools\/pay_once\/action$/,
  )
  const refused = await recorded('tool.call', 'refusal', 'pay_once')
  assert.deepEqual([refused.by, refused.detail?.['needs']], ['/tools/pay_once/action', 'approval'])
  await one.call(2, 'pay_once', { to: 'x', amount: 5 })
  assert.equal(idIn(textOf(one)), id)
  assert.deepEqual(one.toServer, [])
  const asked = await approvals.status(PERSON, id)
  assert.deepEqual(
    [asked.action, asked.target, asked.preview.title, asked.preview.fields, asked.within?.path],
    [
      'gateway.call',
      { type: 'tool', id: 'fixture/pay_once' },
      'Call pay_once of fixture',
      [
        { label: 'Argument amount', value: '5' },
        { label: 'Argument to', value: 'x' },
      ],
      'pay_once',
    ],
  )
  await approvals.decide(PERSON, id, 'approve')
  await one.call(3, 'pay_once', { amount: 6, to: 'x' })
  assert.notEqual(idIn(textOf(one)), id)
  assert.equal(one.toServer.length, 0)
  await one.call(4, 'pay_once', { amount: 5, to: 'x' })
  assert.equal(one.toServer.length, 1)
  assert.equal((await recorded('tool.call', 'intent', 'pay_once')).detail?.['approval'], id)
  await one.call(5, 'pay_once', { amount: 5, to: 'x' })
  const next = idIn(textOf(one))
  assert.notEqual(next, id)
  await approvals.decide(PERSON, next, 'deny', { reason: 'Not today' })
  await one.call(6, 'pay_once', { amount: 5, to: 'x' })
  assert.match(textOf(one), /^\[POLICY DENIED\] A person denied this .*: Not today\nRule: /)
  assert.equal(one.toServer.length, 1)
})

test('the reason of a rule is what its limits say, before what remains', async () => {
  const reason = 'Ten a minute is plenty.'
  const own = { counter: 'own', window: 'day', max: 1, on_deny: 'Enough of it.' }
  const silent = { counter: 'silent', window: 'day', max: 1 }
  const cost = { path: 'args.n' }
  const one = await between({
    default: 'deny',
    tools: {
      short: { rate_limit: { max: 1, window: 60 }, reason },
      long: { limits: [silent], reason },
      own: { limits: [own], reason },
      costly: { limits: [{ ...silent, counter: 'costly', cost }], reason },
    },
    methods: { 'prompts/get': { rate_limit: { max: 0, window: 60 }, reason } },
  })
  const remains = '\\nNothing remains until \\d{4}-.*Z\\.$'
  for (const [first, tool, said] of [
    [1, 'short', `Ten a minute is plenty\\.\\nRule: /tools/short/rate_limit${remains}`],
    [3, 'long', `Ten a minute is plenty\\.\\nRule: /tools/long/limits/0${remains}`],
    [5, 'own', `Enough of it\\.\\nRule: /tools/own/limits/0${remains}`],
  ] as const) {
    for (const id of [first, first + 1]) await one.call(id, tool)
    assert.match(textOf(one), new RegExp(`^\\[POLICY DENIED\\] ${said}`))
  }
  assert.equal(one.toServer.length, 3)
  await one.call(7, 'costly', { n: 2 })
  assert.match(textOf(one), /^\[POLICY DENIED\] Ten a minute is plenty\.\n.*\n1 remains\.$/)
  // What cannot be counted is wrong with the call, whatever the rule is for.
  await one.call(8, 'costly', { n: -1 })
  assert.match(textOf(one), /^\[POLICY DENIED\] .*'args\.n' is negative\.\n/)
  await one.client({ id: 9, method: 'prompts/get', params: { name: 'x' } })
  assert.match(JSON.stringify(last(one)), /Ten a minute is plenty\./)
})

test('a yes is kept for a call that the server provably did not run, and for no other', async () => {
  const one = await between({ default: 'deny', tools: { pay: { action: 'require_approval' } } })
  const args = { amount: 7, to: 'y' }
  await one.call(1, 'pay', args)
  const id = idIn(textOf(one))
  await approvals.decide(PERSON, id, 'approve')
  await one.call(2, 'pay', args)
  assert.equal(one.toServer.length, 1)
  assert.equal((await approvals.status(PERSON, id)).status, 'consumed')
  await one.server({ id: 2, error: { code: -32601, message: 'Method not found' } })
  const statusOf = async () => (await approvals.status(PERSON, id)).status
  for (let n = 0; n < 400 && (await statusOf()) !== 'approved'; n += 1) await sleep(5)
  assert.equal(await statusOf(), 'approved')
  await one.call(3, 'pay', args)
  assert.equal(one.toServer.length, 2)
  await one.server({ id: 3, result: { isError: true, content: [{ type: 'text', text: 'no' }] } })
  await sleep(100)
  assert.equal((await approvals.status(PERSON, id)).status, 'consumed')
  await one.call(4, 'pay', args)
  assert.notEqual(idIn(textOf(one)), id)
  assert.equal(one.toServer.length, 2)
})

test('arguments are shown as such, whatever they are called, and what is not shown is said', async () => {
  const one = await between({ default: 'deny', tools: { pay: { action: 'require_approval' } } })
  const plain = Array.from({ length: 19 }, (_, n): [string, number] => [`n${n}`, n])
  const args = { 'Asked by': 'the owner', ...Object.fromEntries(plain), to: 'x', amount: 5 }
  await one.call(1, 'pay', args)
  const { preview } = await approvals.status(PERSON, idIn(textOf(one)))
  const fields = preview.fields ?? []
  assert.deepEqual(
    [fields[0], fields.length, fields.at(-1)],
    [
      { label: 'Argument Asked by', value: 'the owner' },
      21,
      { label: 'Not shown', value: '2 more arguments' },
    ],
  )
})

test('a value that the agent knows is not shown, also where it is split over arguments', async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  await vault.vault.put(AGENT, 'default', { path: 'pay/key', value: SecretText.fromText(value) })
  const one = await between({ default: 'deny', tools: { pay: { action: 'require_approval' } } })
  await one.call(1, 'pay', { one: value, front: value.slice(0, 15), back: [value.slice(15), 'x'] })
  const { preview } = await approvals.status(PERSON, idIn(textOf(one)))
  assert.deepEqual(preview.fields, [
    { label: 'Argument one', value: '[REDACTED:pay/key]' },
    { label: 'Argument front', value: '[REDACTED:pay/key]' },
    { label: 'Argument back', value: '["[REDACTED:pay/key]","x"]' },
  ])
})

test('numbers that a double cannot hold are told apart, and are no texts', async () => {
  const one = await between({
    default: 'deny',
    tools: { pay: { action: 'require_approval' } },
  })
  const call = (id: number, amount: string): string =>
    `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"pay","arguments":{"amount":${amount}}}}`
  await one.client(call(1, '12345678901234567890'))
  await approvals.decide(PERSON, idIn(textOf(one)), 'approve')
  for (const other of [
    '12345678901234567891',
    '"12345678901234567890"',
    '["12345678901234567890"]',
  ])
    await one.client(call(2, other))
  assert.equal(one.toServer.length, 0)
  await one.client(call(3, '12345678901234567890'))
  assert.equal(one.toServer.length, 1)
})

test('an answer that the policy does not let out is not shown', async () => {
  const one = await between({
    default: 'deny',
    tools: {
      read: {
        on_result: {
          deny_if: [
            {
              conditions: [{ path: 'text', op: 'contains', value: 'CONFIDENTIAL' }],
              on_deny: 'Not for agents.',
            },
          ],
        },
      },
    },
  })
  const answer = (id: number, text: string): Promise<void> =>
    one.server({ id, result: { content: [{ type: 'text', text }] } })
  await one.call(1, 'read')
  await answer(1, 'CONFIDENTIAL: 7')
  assert.match(
    textOf(one),
    /^\[POLICY DENIED\] Not for agents\.\nRule: \/tools\/read\/on_result\/deny_if\/0$/,
  )
  assert.equal(
    (await recorded('tool.call', 'refusal', 'read')).by,
    '/tools/read/on_result/deny_if/0',
  )
  await one.call(2, 'read')
  await answer(2, 'fine')
  assert.equal(textOf(one), 'fine')
})

test('an error is an answer too, and is shown when the policy lets it out', async () => {
  const condition = { path: 'text', op: 'contains', value: 'CONFIDENTIAL' }
  const on_result = { deny_if: [{ conditions: [condition], on_deny: 'Not for agents.' }] }
  const one = await between({
    default: 'allow',
    tools: {
      read: { on_result },
      know: {
        on_result: {
          require: [{ conditions: [{ path: 'result.isError', op: 'eq', value: false }] }],
        },
      },
      quiet: {
        on_result: {
          deny_if: [{ conditions: [{ path: 'result.code', op: 'lt', value: -32000 }] }],
        },
      },
    },
    methods: { 'resources/read': { on_result } },
  })
  const error = { code: -32000, message: 'CONFIDENTIAL: 7' }
  const data = { code: -32000, message: 'no', data: { row: ['CONFIDENTIAL'] } }
  const wouldShow: readonly [tool: string, error: object, isShown: boolean][] = [
    ['read', error, false],
    ['read', data, false],
    ['read', { code: -32000, message: 'no' }, true],
    ['know', { code: -32000, message: 'no' }, false],
    ['quiet', { code: -32000, message: 'no' }, true],
    ['quiet', { code: -32602, message: 'no' }, false],
  ]
  for (const [at, [tool, said, isShown]] of wouldShow.entries()) {
    await one.call(at, tool)
    await one.server({ id: at, error: said })
    if (isShown) assert.deepEqual(last(one).error, said)
    else assert.match(textOf(one), /^\[POLICY DENIED\] .*\nRule: \/tools\/.*\/on_result\//)
  }
  await one.client({ id: 'm', method: 'resources/read', params: { uri: 'x' } })
  await one.server({ id: 'm', error })
  assert.match(last(one).error?.message ?? '', /Not for agents/)
  assert.doesNotMatch(one.toClient.join(), /CONFIDENTIAL/)
})

test('other methods have rules, limits and records too', async () => {
  const one = await between({
    default: 'deny',
    methods: {
      'resources/read': {
        deny_if: [{ conditions: [{ path: 'params.uri', op: 'regex', value: '^file:///etc/' }] }],
        limits: [{ counter: 'reads', window: 'month', max: 1 }],
      },
    },
  })
  const read = (id: number, uri: string): Promise<void> =>
    one.client({ id, method: 'resources/read', params: { uri } })
  await read(1, 'file:///etc/shadow')
  assert.equal(last(one).error?.code, 403)
  assert.match(last(one).error?.message ?? '', /Rule: \/methods\/resources~1read\/deny_if\/0$/)
  await read(2, 'file:///home/x')
  await read(3, 'file:///home/x')
  assert.match(last(one).error?.message ?? '', /The limit 'reads' of 1 in a month is reached/)
  await one.client({ id: 4, method: 'prompts/get', params: { name: 'x' } })
  assert.equal(last(one).error?.code, -32601)
  assert.match(last(one).error?.message ?? '', /\(default deny\)/)
  assert.deepEqual(
    one.toServer.map((text) => (JSON.parse(text) as { id: number }).id),
    [2],
  )
  assert.deepEqual((await recorded('method.call', 'intent')).detail?.['keys'], ['uri'])
})

test('what a call cost is counted once its answer says so', async () => {
  const one = await between({
    default: 'deny',
    tools: {
      buy: {
        limits: [
          {
            counter: 'spent',
            window: 'month',
            max: 100,
            cost: { path: 'result.structuredContent.price', scale: 2, estimate: 60 },
          },
        ],
      },
    },
  })
  await one.call(1, 'buy')
  await one.call(2, 'buy')
  assert.match(textOf(one), /of 100 in a month has 40 left, and this takes 60\.\n.*\n40 remains/)
  await one.server({ id: 1, result: { content: [], structuredContent: { price: 12.5 } } })
  await vault.ledger.flush()
  await one.call(3, 'buy')
  await one.call(4, 'buy')
  assert.match(textOf(one), /has 27\.5 left/)
  assert.equal(one.toServer.length, 2)
})

test('tools that name one counter count together, however finely each of them counts', async () => {
  const spent = { counter: 'together', window: 'month', max: 10 }
  const cost = { path: 'args.amount', scale: 2 }
  const one = await between({
    default: 'deny',
    tools: {
      pay: { limits: [{ ...spent, cost }] },
      half: { limits: [{ ...spent, cost: 0.5 }] },
      once: { limits: [spent] },
      rest: { limits: [{ ...spent, cost: 'args.amount' }] },
    },
  })
  await one.call(1, 'pay', { amount: 8.01 })
  await one.call(2, 'once')
  await one.call(3, 'half')
  assert.equal(one.toServer.length, 3)
  for (const tool of ['once', 'half']) {
    await one.call(4, tool)
    assert.match(textOf(one), /\n0\.49 remains until /)
  }
  await one.call(5, 'rest', { amount: 0.4 })
  await one.call(6, 'pay', { amount: 0.09 })
  assert.equal(one.toServer.length, 5)
})

test('a finer cost of another tool gives nobody a budget again, and neither does a coarser one', async () => {
  const limit = { counter: 'kept', window: 'month', max: 3 }
  const once = { once: { limits: [limit] } }
  const cost = { path: 'args.amount', scale: 2 }
  const both = { ...once, pay: { limits: [{ ...limit, max: 100, cost }] } }
  const calls = async (
    tools: object,
    name: string,
    amount = 1,
  ): Promise<readonly [number, string]> => {
    const one = await between({ default: 'deny', tools })
    await one.call(1, name, { amount })
    return [one.toServer.length, one.toClient.length === 0 ? '' : textOf(one)]
  }
  assert.equal((await calls(once, 'once'))[0], 1)
  assert.equal((await calls(both, 'pay', 0.75))[0], 1)
  assert.equal((await calls(once, 'once'))[0], 1)
  for (const tools of [both, once]) {
    const [passed, said] = await calls(tools, 'once')
    assert.equal(passed, 0)
    assert.match(said, /The limit 'kept' of 3 in a month (?:is reached|has 0\.25 left)/)
  }
  assert.equal((await calls(both, 'pay', 97.25))[0], 1)
  assert.equal((await calls(both, 'pay', 0.01))[0], 0)
})

test('a limit says its window as people do', async () => {
  for (const [window, said] of [
    ['hour', 'in an hour is reached'],
    ['minute', 'in a minute is reached'],
    [90, 'in 90 seconds is reached'],
  ]) {
    const limits = [{ counter: `said-${window}`, window, max: 0 }]
    const one = await between({ default: 'deny', tools: { t: { limits } } })
    await one.call(1, 't')
    assert.ok(textOf(one).includes(`of 0 ${said}`), textOf(one))
  }
})

test('a cost that cannot be counted as the answer has it is never counted as less', async () => {
  const wouldPass: readonly [price: unknown, said: RegExp | null][] = [
    [98, null],
    [99, /of 100 in a month is reached/],
    [98.001, /of 100 in a month is reached/],
    [1e20, /of 100 in a month is reached/],
    [-1, /of 100 in a month is reached/],
    ['12', /of 100 in a month is reached/],
    [undefined, null],
  ]
  for (const [n, [price, said]] of wouldPass.entries()) {
    const cost = { path: 'result.structuredContent.price', estimate: 1 }
    const limits = [{ counter: `unlike-${n}`, window: 'month', max: 100, cost }]
    const one = await between({ default: 'deny', tools: { buy: { limits } } })
    await one.call(1, 'buy')
    await one.server({ id: 1, result: { content: [], structuredContent: { price } } })
    await vault.ledger.flush()
    await one.call(2, 'buy')
    await one.call(3, 'buy')
    if (said === null) assert.equal(one.toServer.length, 3, String(price))
    else assert.match(textOf(one), said, String(price))
  }
})

test('a counter that two limits of a call name is settled at the higher of what they count', async () => {
  const limit = (cost: unknown): object => ({ counter: 'both', window: 'month', max: 100, cost })
  const own = { path: 'result.structuredContent.price', estimate: 5 }
  const one = await between({
    default: 'allow',
    all_tools: { limits: [limit(40)] },
    tools: { buy: { limits: [limit(own)] } },
  })
  for (const id of [1, 2, 3]) {
    await one.call(id, 'buy')
    await one.server({ id, result: { content: [], structuredContent: { price: 1 } } })
    await vault.ledger.flush()
  }
  assert.equal(one.toServer.length, 2)
  assert.match(textOf(one), /of 100 in a month has 20 left, and this takes 40\./)
})

test('a rule in shadow passes what it would stop, and says so', async () => {
  const one = await between({
    default: 'deny',
    tools: {
      x: { action: 'shadow', deny_if: [{ conditions: [] }] },
      y: { action: 'shadow', limits: [{ counter: 'lifted', window: 'month', max: 0 }] },
    },
  })
  await one.call(1, 'x')
  assert.equal((await recorded('tool.call', 'intent')).detail?.['shadow'], '/tools/x/deny_if/0')
  await one.call(2, 'y')
  assert.equal((await recorded('tool.call', 'intent')).detail?.['shadow'], '/tools/y/limits/0')
  assert.equal(one.toServer.length, 2)
})

test('a rule in shadow counts what can be counted, beside a cost that cannot be known', async () => {
  const cost = { path: 'args.amount' }
  const limit = (counter: string) => ({ counter, window: 'month', max: 1 })
  const limits = [limit('before'), { ...limit('costly'), cost }, limit('behind')]
  const one = await between({
    default: 'deny',
    tools: {
      lifted: { action: 'shadow', limits },
      held: { limits },
      before: { limits: [limit('before')] },
      behind: { limits: [limit('behind')] },
    },
  })
  await one.call(1, 'held')
  assert.match(textOf(one), /'args\.amount' is missing\.\nRule: \/tools\/held\/limits\/1\/cost$/)
  await one.call(2, 'lifted')
  assert.equal(one.toServer.length, 1)
  const sent = await recorded('tool.call', 'intent', 'lifted')
  assert.equal(sent.detail?.['shadow'], '/tools/lifted/limits/1/cost')
  for (const tool of ['before', 'behind']) {
    await one.call(3, tool)
    assert.ok(textOf(one).includes(`The limit '${tool}' of 1 in a month is reached.`), textOf(one))
  }
  assert.equal(one.toServer.length, 1)
})

test('what a rule in shadow says of an answer is told, and the answer goes out', async () => {
  const on_result = {
    deny_if: [{ conditions: [{ path: 'text', op: 'contains', value: 'salary' }] }],
  }
  const one = await between({
    default: 'deny',
    tools: { look: { action: 'shadow', on_result } },
  })
  const answer = async (id: number, text: string): Promise<void> => {
    await one.call(id, 'look')
    await one.server({ id, result: { content: [{ type: 'text', text }] } })
    assert.equal(textOf(one), text)
  }
  await answer(1, 'a word')
  assert.deepEqual(await vault.audit.query({ limit: 9, action: 'tool.shadow' }), [])
  await answer(2, 'a salary')
  for (let turn = 0; turn < 200; turn += 1) {
    if ((await vault.audit.query({ limit: 9, action: 'tool.shadow' })).length > 0) break
    await sleep(5)
  }
  assert.deepEqual((await recorded('tool.shadow', 'event')).detail, {
    server: 'fixture',
    tool: 'look',
    policy: 'r1',
    shadow: '/tools/look/on_result/deny_if/0',
  })
})

test('where every call is denied for want of a policy, the protocol still works', async () => {
  const one = await between(null, { isShadow: false })
  await one.client({ id: 1, method: 'tasks/list' })
  assert.equal(one.toServer.length, 1)
  await one.client({ id: 3, method: 'tasks/get', params: { taskId: 'x' } })
  assert.equal(last(one).error?.code, -32601)
  await one.client({ id: 2, method: 'resources/read', params: { uri: 'x' } })
  assert.equal(last(one).error?.code, -32601)
  assert.equal(one.toServer.length, 1)
})

const LISTS: readonly [method: string, member: string, one: object][] = [
  ['tools/list', 'tools', { name: 'drop', inputSchema: { type: 'object' } }],
  ['resources/list', 'resources', { uri: 'file:///x', name: 'x' }],
  ['resources/templates/list', 'resourceTemplates', { uriTemplate: 'x{y}', name: 'x' }],
  ['prompts/list', 'prompts', { name: 'x' }],
]
for (const [method, member, listed] of LISTS)
  test(`without a policy nothing is shown by ${method}, unless calls pass without one`, async () => {
    const more = { _meta: { of: 'x' }, nextCursor: 'x' }
    const kept = { resultType: 'complete', [member]: [listed], ttlMs: 9_000, cacheScope: 'public' }
    const shownBy = async (isShadow: boolean): Promise<unknown> => {
      const one = await between(null, { isShadow })
      await one.client({ id: 1, method })
      await one.server({ id: 1, result: { ...kept, ...more } })
      return last(one).result
    }
    assert.deepEqual(await shownBy(true), { ...kept, ...more })
    const shown = { resultType: 'complete', [member]: [], ttlMs: 1_000, cacheScope: 'private' }
    assert.deepEqual(await shownBy(false), shown)
  })

test('what was filtered or redacted is kept by its client alone, and not for long', async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  await vault.vault.put(AGENT, 'default', { path: 'kept/key', value: SecretText.fromText(value) })
  const one = await between({ default: 'allow', hide: ['drop'] })
  const shown = async (method: string, result: object): Promise<unknown> => {
    await one.client({ id: method, method, params: { uri: 'file:///x' } })
    await one.server({ id: method, result: { resultType: 'complete', ...result } })
    return last(one).result
  }
  const kept = { resultType: 'complete', ttlMs: 1_000, cacheScope: 'private' }
  const long = { ttlMs: 60_000, cacheScope: 'public' }
  const contents = (text: string): object => ({ contents: [{ uri: 'file:///x', text }] })
  assert.deepEqual(await shown('resources/read', { ...long, ...contents(`a ${value}`) }), {
    ...kept,
    ...contents('a [REDACTED:kept/key]'),
  })
  assert.deepEqual(await shown('resources/read', { ...long, ...contents('plain') }), {
    ...kept,
    ...long,
    ...contents('plain'),
  })
  // Nobody knows what a client makes of an answer that does not say.
  for (const said of [{}, { ttlMs: '60000' }, { cacheScope: 'public' }])
    assert.deepEqual(await shown('tools/list', { ...said, tools: [{ name: 'drop' }] }), {
      ...kept,
      ttlMs: 0,
      tools: [],
    })
})

test('what was hidden stays so when the last policy goes', async () => {
  const one = await between({ default: 'allow', hide: ['drop'] }, { isShadow: false })
  const namesShown = async (id: number): Promise<readonly string[]> => {
    await one.client({ id, method: 'tools/list' })
    await one.server({ id, result: { tools: [{ name: 'drop' }, { name: 'echo' }] } })
    const { tools } = last(one).result as unknown as { tools: readonly { name: string }[] }
    return tools.map(({ name }) => name)
  }
  assert.deepEqual(await namesShown(1), ['echo'])
  one.policies = []
  assert.deepEqual(await namesShown(2), [])
})

const LISTS_READ_TWO_WAYS: readonly [what: string, result: unknown, said: RegExp][] = [
  ['an object of tools', { tools: { 0: { name: 'drop' } } }, /'tools' is no array/],
  ['a text', { tools: 'drop' }, /'tools' is no array/],
  ['no tools', { toolz: [{ name: 'drop' }] }, /'tools' is no array/],
  ['a list as the answer', [{ name: 'drop' }], /it is no object/],
  ['Tools beside tools', { tools: [], Tools: [{ name: 'drop' }] }, /taken for 'tools'/],
  ['toolſ beside tools', { tools: [], 'tool\u017f': [{ name: 'drop' }] }, /taken for 'tools'/],
  ['Name beside name', { tools: [{ name: 'echo', Name: 'drop' }] }, /taken for 'name'/],
  ['a tool without a name', { tools: [{ name: 'echo' }, { title: 'drop' }] }, /no name/],
  ['a name that is no text', { tools: [{ name: 5 }] }, /no name/],
  ['what is no tool', { tools: ['drop'] }, /no name/],
  ['null', { tools: [null] }, /no name/],
]
for (const [what, result, said] of LISTS_READ_TWO_WAYS)
  test(`a list of tools that readers may read differently is an error: ${what}`, async () => {
    for (const policy of [{ default: 'allow', hide: ['drop'] }, null]) {
      const one = await between(policy)
      await one.client({ id: 1, method: 'tools/list' })
      await one.server({ id: 1, result })
      assert.equal(last(one).error?.code, -32603)
      assert.match(last(one).error?.message ?? '', said)
      assert.doesNotMatch(one.toClient.join(), /drop/)
    }
  })
