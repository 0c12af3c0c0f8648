// Ways round Intercept's policies and counters, through what stands between a client and a server here: none is one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Between, between, last, policiesOf, recorded, textOf } from '../support/between.ts'
import { AMOUNTS, yaml } from '../support/intercept-policies.ts'

/** Rules of Intercept between a client and a server. */
async function underRules(text: string): Promise<Between> {
  const one = await between(null, { isShadow: false })
  one.policies = [{ name: 'p', policy: await yaml(text), revision: 'r' }]
  return one
}

const head = '"jsonrpc":"2.0","id":1'
const call = (params: string): string => `{${head},"method":"tools/call","params":${params}}`
const READ_TWO_WAYS: readonly [what: string, line: string, code: number][] = [
  [
    'Method behind method',
    `{${head},"method":"tools/call","params":{"name":"pay"},"Method":"ping"}`,
    -32600,
  ],
  [
    'METHOD before method',
    `{${head},"METHOD":"ping","method":"tools/call","params":{"name":"pay"}}`,
    -32600,
  ],
  [
    'Params beside params',
    `{${head},"method":"tools/call","params":{"name":"pay"},"Params":{"name":"ok"}}`,
    -32600,
  ],
  [
    'paramſ beside params',
    `{${head},"method":"tools/call","params":{"name":"pay"},"param\u017f":{"name":"ok"}}`,
    -32600,
  ],
  ['Name beside name', call('{"name":"pay","Name":"ok"}'), -32602],
  [
    'ARGUMENTS beside arguments',
    call('{"name":"ok","arguments":{"amount":99},"ARGUMENTS":{"amount":1}}'),
    -32602,
  ],
  [
    'argumentſ beside arguments',
    call('{"name":"ok","arguments":{"amount":99},"argument\u017f":{"amount":1}}'),
    -32602,
  ],
  ['an argument too large for a number', call('{"name":"pay","arguments":{"x":1e400}}'), -32602],
  ['arguments as a list', call('{"name":"pay","arguments":[]}'), -32602],
  ['arguments as a text', call('{"name":"pay","arguments":"{}"}'), -32602],
  ['arguments that are null', call('{"name":"pay","arguments":null}'), -32602],
  ['a name that is a number', call('{"name":5}'), -32602],
  ['a name that is a list', call('{"name":["pay"]}'), -32602],
  [
    'a version that is a number',
    '{"jsonrpc":2.0,"id":1,"method":"tools/call","params":{"name":"pay"}}',
    -32600,
  ],
  ['a byte order mark', `\ufeff${call('{"name":"pay"}')}`, -32700],
  ['a batch of one', `[${call('{"name":"pay"}')}]`, -32600],
  ['a batch in a batch', `[[${call('{"name":"pay"}')}]]`, -32600],
]
for (const [what, line, code] of READ_TWO_WAYS)
  test(`a call that another reader could take for another is refused: ${what}`, async () => {
    const one = await between({
      default: 'allow',
      tools: {
        pay: { action: 'deny' },
        ok: { deny_if: [{ conditions: [{ path: 'args.amount', op: 'gt', value: 5 }] }] },
      },
    })
    await one.client(line)
    assert.deepEqual(one.toServer, [])
    assert.equal(one.toClient.length, 1)
    assert.equal(last(one).error?.code, code)
  })

test('a batch is judged element by element where there are batches, also when none of them may go on', async () => {
  const one = await between({ default: 'deny', tools: { ok: {} } })
  await one.client({ id: 0, method: 'initialize', params: { protocolVersion: '2025-03-26' } })
  await one.server({ id: 0, result: { protocolVersion: '2025-03-26', capabilities: {} } })
  one.toServer.length = 0
  await one.client(`[${call('{"name":"pay"}')},${call('{"name":"drop"}').replace(':1,', ':2,')}]`)
  assert.deepEqual(one.toServer, [])
  const denied = JSON.parse(one.toClient.at(-1) ?? '') as readonly {
    readonly id: number
    readonly result: { readonly isError: boolean }
  }[]
  assert.deepEqual(
    denied.map(({ id, result }) => [id, result.isError]),
    [
      [1, true],
      [2, true],
    ],
  )
  await one.client('[{"jsonrpc":"2.0","id":3,"method":"ping"}]')
  assert.equal(one.toServer.length, 1)
})

test('a hostile amount leaves a counter as it was, and fractions count as such', async () => {
  const one = await underRules(AMOUNTS)
  const pay = (id: number, amount: string): Promise<void> =>
    one.client(call(`{"name":"pay","arguments":{"amount":${amount}}}`).replace(':1,', `:${id},`))
  await pay(1, '9')
  assert.equal(one.toServer.length, 1)
  for (const [index, amount] of ['-500', '1e19', '9223372036854775808', '"-1"', '1e-9'].entries()) {
    await pay(10 + index, amount)
    assert.match(textOf(one), /^\[POLICY DENIED\] /, amount)
  }
  await pay(2, '1')
  assert.match(textOf(one), /^\[POLICY DENIED\] /)
  await pay(3, '0.98')
  await pay(4, '0.02')
  assert.match(textOf(one), /^\[POLICY DENIED\] /)
  assert.equal(one.toServer.length, 2)
})

const METHODS: readonly [method: string, params: object][] = [
  ['resources/list', {}],
  ['resources/templates/list', {}],
  ['resources/read', { uri: 'file:///x' }],
  ['resources/subscribe', { uri: 'file:///x' }],
  ['prompts/list', {}],
  ['prompts/get', { name: 'x' }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'x' }, argument: {} }],
]
for (const [method, params] of METHODS)
  test(`${method} is judged before it is sent, by a rule of its own and by the default`, async () => {
    const ruled = await between({ default: 'allow', methods: { [method]: { action: 'deny' } } })
    await ruled.client({ id: 1, method, params })
    assert.deepEqual(ruled.toServer, [])
    assert.ok(last(ruled).error !== undefined)
    const open = await between({ default: 'allow' })
    await open.client({ id: 1, method, params })
    assert.equal(open.toServer.length, 1)
    if (method.endsWith('/list')) return
    const closed = await between({ default: 'deny' })
    await closed.client({ id: 1, method, params })
    assert.deepEqual(closed.toServer, [])
  })

const SPELLINGS: readonly [asked: string, answered: string][] = [
  ['1.0', '1'],
  ['1', '1.0'],
  ['1e0', '1'],
  ['10', '1e1'],
  ['"\\u0061"', '"a"'],
  ['"a"', '"\\u0061"'],
  ['-0', '0'],
]
for (const [asked, answered] of SPELLINGS)
  test(`a list that was asked for as ${asked} and is answered as ${answered} is filtered`, async () => {
    const one = await between({ default: 'allow', hide: ['drop'] })
    await one.client(`{"jsonrpc":"2.0","id":${asked},"method":"tools/list"}`)
    await one.server(
      `{"jsonrpc":"2.0","id":${answered},"result":{"tools":[{"name":"a"},{"name":"drop"}]}}`,
    )
    assert.match(one.toClient.at(-1) ?? '', /"tools":\[\{"name":"a"\}\]/)
    assert.doesNotMatch(one.toClient.join(), /drop/)
  })

test('a list stays what it was where nothing is taken out: an empty one, an error, the place of the next page', async () => {
  const one = await between({ default: 'allow', hide: ['drop'] })
  const answers = [
    '{"jsonrpc":"2.0","id":1,"result":{ "tools":[] ,"nextCursor":"2"}}',
    '{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"drop  it","data":{"tools":[{"name":"drop"}]}}}',
    '{"jsonrpc":"2.0","id":3,"result":{"tools":[ {"name":"a"}],"x":1.0}}',
  ]
  for (const [index, answer] of answers.entries()) {
    await one.client({ id: index + 1, method: 'tools/list' })
    await one.server(answer)
    assert.equal(one.toClient.at(-1), answer)
  }
  const none = await between({ default: 'allow', hide: ['*'] })
  await none.client({ id: 1, method: 'tools/list' })
  await none.server({ id: 1, result: { tools: [{ name: 'a' }], nextCursor: '2', _meta: { k: 1 } } })
  const { result } = JSON.parse(none.toClient[0] ?? '') as { result: Record<string, unknown> }
  assert.deepEqual([result['tools'], result['nextCursor'], result['_meta']], [[], '2', { k: 1 }])
})

const calls = (counter: string, max: number) => ({
  default: 'deny',
  tools: { t: { limits: [{ counter, window: 'month', max }] } },
})

test('a second call under an id that is open takes nothing, and nothing is given back for it', async () => {
  const one = await between(calls('twice', 2))
  await one.call(1, 't')
  await one.call(1, 't')
  assert.equal(last(one).error?.code, -32600)
  const error = { code: -32000, message: 'no' }
  await one.server({ id: 1, error })
  await one.server({ id: 1, error })
  for (const id of [2, 3, 4]) await one.call(id, 't')
  assert.equal(one.toServer.length, 3)
  assert.match(textOf(one), /The limit 'twice' of 2/)
})

const NO_REFUSALS: readonly [what: string, answer: string][] = [
  ['a result', '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'],
  ['an error of the tool', '{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}'],
  ['an error that is null', '{"jsonrpc":"2.0","id":1,"error":null}'],
  ['an error that is a text', '{"jsonrpc":"2.0","id":1,"error":"no"}'],
  ['neither', '{"jsonrpc":"2.0","id":1}'],
  ['an error beside a result', '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}'],
  ['a result named error', '{"jsonrpc":"2.0","id":1,"result":{"error":{"code":1}}}'],
]
for (const [index, [what, answer]] of NO_REFUSALS.entries())
  test(`${what} is no refusal of the server: what the call took stays taken`, async () => {
    const one = await between(calls(`answered-${index}`, 1))
    await one.call(1, 't')
    await one.server(answer)
    assert.equal(one.toClient.length, 1)
    await one.call(2, 't')
    assert.equal(one.toServer.length, 1)
    assert.match(textOf(one), /^\[POLICY DENIED\] The limit/)
  })

test('a request of the server under the id of a call is not its answer', async () => {
  const one = await between({ default: 'allow' })
  await one.call(1, 't')
  await one.server({ id: 1, method: 'ping' })
  assert.equal(one.relay.open, 1)
  const answer = '{"jsonrpc":"2.0", "id":1,"result":{"content":[]}}'
  await one.server(answer)
  assert.equal(one.toClient.at(-1), answer)
  assert.equal(one.relay.open, 0)
})

test('a call is judged, counted and recorded by one revision of a policy, whenever that changes', async () => {
  const one = await between(null, { isShadow: false })
  const [closed] = await policiesOf({ default: 'deny' })
  assert.ok(closed !== undefined)
  for (let turns = 0; turns < 8; turns += 1) {
    const open = await policiesOf(calls(`turn-${turns}`, 1))
    one.policies = open
    one.toServer.length = 0
    const message = { jsonrpc: '2.0', id: turns, method: 'tools/call', params: { name: 't' } }
    one.relay.fromClient(Buffer.from(JSON.stringify(message)))
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
    one.policies = [{ ...closed, revision: 'later' }]
    await one.relay.idle()
    const passed = one.toServer.length === 1
    const { kind, detail } = await recorded('tool.call')
    assert.deepEqual([kind, detail?.['policy']], passed ? ['intent', 'r1'] : ['refusal', 'later'])
    // What it was counted by is what it was judged by.
    one.policies = open
    await one.call(100 + turns, 't')
    assert.equal(textOf(one).includes(`The limit 'turn-${turns}' of 1`), passed)
  }
})

test('a denial of a rule without a text says where the rule stands, not what it is called or holds', async () => {
  const one = await underRules(`version: "1"
tools:
  t:
    rules:
      - {name: block-the-blue-team, conditions: [{path: args.to, op: in, value: [inner-circle]}]}
  u:
    rules:
      - {name: blue-team-quota, rate_limit: 1/day}`)
  await one.call(1, 't', { to: 'elsewhere' })
  assert.match(textOf(one), /^\[POLICY DENIED\] .*\nRule: \/tools\/t\/rules\/0$/)
  assert.doesNotMatch(textOf(one), /blue|inner/)
  await one.call(2, 'u')
  await one.call(3, 'u')
  assert.match(textOf(one), /^\[POLICY DENIED\] .* of 1 in a day is reached\.\nRule: \/tools\/u/)
  assert.doesNotMatch(textOf(one), /blue/)
})

test('a counter over its cap denies with the text of its rule, and a call that is denied anyhow counts nowhere', async () => {
  const one = await underRules(`version: "1"
tools:
  t:
    rules:
      - {name: to, conditions: [{path: args.to, op: eq, value: us}], on_deny: Not there.}
      - name: few
        on_deny: Enough for today.
        conditions: [{path: state.t.few, op: lte, value: 2}]
        state: {counter: few, window: day}`)
  for (let id = 1; id <= 3; id += 1) {
    await one.call(id, 't', { to: 'them' })
    assert.match(textOf(one), /^\[POLICY DENIED\] Not there\.\n/)
  }
  for (let id = 4; id <= 5; id += 1) await one.call(id, 't', { to: 'us' })
  assert.equal(one.toServer.length, 2)
  await one.call(6, 't', { to: 'us' })
  assert.match(textOf(one), /^\[POLICY DENIED\] Enough for today\.\nRule: \/tools\/t\/rules\/1\n/)
})

test('a call without arguments is one with none, and each id is answered as it is', async () => {
  const one = await underRules(`version: "1"
tools: {t: {rules: [{name: r, conditions: [{path: args.a, op: exists, value: true}], on_deny: No.}]}}`)
  for (const id of [7, 'seven']) {
    await one.client({ id, method: 'tools/call', params: { name: 't' } })
    assert.deepEqual(last(one), {
      jsonrpc: '2.0',
      id,
      result: {
        content: [{ type: 'text', text: '[POLICY DENIED] No.\nRule: /tools/t/rules/0' }],
        isError: true,
      },
    })
  }
  await one.call(1, 't', { a: 1 })
  assert.equal(one.toServer.length, 1)
})
