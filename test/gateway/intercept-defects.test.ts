// None of Intercept's defects in policies and in counting can happen here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExactNumber } from '../../src/core/decimal.ts'
import { epochMs } from '../../src/core/time.ts'
import { decideByAll } from '../../src/gateway/applied-policies.ts'
import { counterOf } from '../../src/gateway/limit-charge.ts'
import { judgedParams, readFrame } from '../../src/mcp/wire/index.ts'
import {
  amountText,
  decideMethod,
  decideResult,
  toolPolicyOf,
} from '../../src/policy/tool-policy/index.ts'
import {
  AMOUNTS,
  allowed,
  decide,
  problemsOf,
  withConditions,
  yaml,
} from '../support/intercept-policies.ts'
import { toolCall } from '../support/tool-calls.ts'

const LOOK_ALIKES: readonly [what: string, args: object][] = [
  ['another case', { amount: 1, AMOUNT: 999_999 }],
  ['a letter of another width', { amount: 1, '\uff41mount': 999_999 }],
  ['what is not drawn', { amount: 1, 'amo\u200bunt': 999_999 }],
]
for (const [what, args] of LOOK_ALIKES)
  test(`defect: an argument under two names (${what}) is denied, not read one way`, async () => {
    const policy = await withConditions('{path: args.amount, op: lte, value: 5}')
    assert.equal(allowed(policy, 't', args), false)
  })

test('defect: names of tools in other spellings do not pass by the rules of another', async () => {
  const policy = await yaml(
    'version: "1"\ntools: {delete_repo: {rules: [{name: d, action: deny}]}}',
  )
  for (const name of ['Delete_Repo', 'DELETE_REPO', 'delete_repo\u200b'])
    assert.equal(allowed(policy, name), false, name)
})

test('defect: an argument that is too large for a number is judged, not passed on unread', async () => {
  const frame = readFrame(
    Buffer.from(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"amount":1e400}}}',
    ),
  )
  assert.equal(frame.kind, 'request')
  if (frame.kind !== 'request') return
  const judged = judgedParams(frame)
  if ('refused' in judged) return
  const args = judged.params['arguments'] as object
  const policy = await withConditions('{path: args.amount, op: lte, value: 5}')
  assert.equal(allowed(policy, 't', args), false)
})

const HOSTILE: readonly [what: string, amount: unknown][] = [
  ['negative', -500],
  ['beyond 64 bits', 1e19],
  ['beyond a double', new ExactNumber('1e400')],
  ['not finite', Number.POSITIVE_INFINITY],
  ['a text', '5'],
  ['no number at all', null],
]
for (const [what, amount] of HOSTILE)
  test(`defect: an amount that is ${what} neither refills a counter nor ends it`, async () => {
    assert.equal(allowed(await yaml(AMOUNTS), 'pay', { amount }), false)
  })

const FRACTIONS: readonly [amount: unknown, counted: string][] = [
  [9.99, '9.99'],
  [0.99, '0.99'],
  [new ExactNumber('0.000001'), '0.000001'],
]
for (const [amount, counted] of FRACTIONS)
  test(`defect: an amount of ${counted} counts as that`, async () => {
    const decision = decide(await yaml(AMOUNTS), 'pay', { amount })
    assert.ok(decision.allowed)
    const [charge] = decision.charges
    assert.equal(charge && amountText(charge.amount, charge.limit.scale), counted)
  })

test('defect: other methods and answers are judged as well', async () => {
  const policy = await toolPolicyOf(
    'p.json',
    Buffer.from(
      JSON.stringify({
        version: '1',
        default: 'deny',
        tools: {
          read: {
            on_result: {
              deny_if: [{ conditions: [{ path: 'text', op: 'contains', value: 'secret' }] }],
            },
          },
        },
      }),
    ),
  )
  const asker = { principal: 'agent:local', labels: [], client: null, at: epochMs(0) }
  for (const method of [
    'resources/read',
    'prompts/get',
    'completion/complete',
    'sampling/createMessage',
    'elicitation/create',
    'made/up',
  ])
    assert.equal(decideMethod(policy, { ...asker, method, params: {} }).allowed, false, method)
  const said = decideResult(policy, toolCall('read', {}), {
    content: [{ type: 'text', text: 'a secret' }],
  })
  assert.equal(said.allowed, false)
})

const MISTYPED: readonly [line: string, hint: string][] = [
  ['hidden: [a]', "there is no 'hidden'; did you mean 'hide'?"],
  ['defualt: deny', "there is no 'defualt'; did you mean 'default'?"],
  ['tool: {}', "there is no 'tool'; did you mean 'tools'?"],
]
for (const [line, hint] of MISTYPED)
  test(`defect: ${line} is an error that says what was meant, not a weaker policy`, async () => {
    assert.ok((await problemsOf(`version: "1"\n${line}`)).includes(hint))
  })

test('defect: a name twice in one map is an error, not the last one', async () => {
  const problems = await problemsOf('version: "1"\ndefault: deny\ndefault: allow')
  assert.deepEqual(problems, ["'default' stands there twice"])
})

test('defect: a counter that nothing caps is an error, not a count of nothing', async () => {
  const problems = await problemsOf(
    'version: "1"\ntools: {t: {rules: [{name: r, conditions: [{path: args.a, op: eq, value: 1}], state: {counter: c, window: day}}]}}',
  )
  assert.deepEqual(problems, ['the counter is never capped; add a condition: state.t.c lte …'])
})

test('defect: lt with a fraction is not off by one', async () => {
  const policy = await yaml(`version: "1"
tools: {t: {rules: [{name: r, conditions: [{path: state.t.c, op: lt, value: 2.5}], state: {counter: c, window: day}}]}}`)
  assert.equal(policy.tools.get('t')?.limits[0]?.max, 2)
})

test('defect: tools with dots can be limited, and no two counters collide', async () => {
  const policy = await yaml(`version: "1"
tools:
  policies.create: {rules: [{name: r, rate_limit: 5/hour}]}
  a: {rules: [{name: r, conditions: [{path: state.a.b.c, op: lte, value: 1}], state: {counter: b.c, window: day}}]}
  a.b: {rules: [{name: r, conditions: [{path: state.a.b.c, op: lte, value: 1}], state: {counter: c, window: day}}]}
  _global: {rules: [{name: r, conditions: [{path: state._global.g, op: lte, value: 1}], state: {counter: g, window: day}}]}
  "*": {rules: [{name: r, conditions: [{path: state._global.g, op: lte, value: 1}], state: {counter: g, window: day}}]}`)
  const counters = [...policy.tools.values(), policy.allTools].flatMap(({ limits }) =>
    limits.map((limit) => counterOf('s', '', limit)),
  )
  assert.equal(counters.length, 5)
  assert.equal(new Set(counters).size, 5)
})

test('defect: tools of the same name on two servers do not share a counter', async () => {
  const [limit] = (await yaml(AMOUNTS)).tools.get('pay')?.limits ?? []
  assert.ok(limit !== undefined)
  assert.notEqual(counterOf('one', '', limit), counterOf('other', '', limit))
})

test('defect: what a call is judged by is what it is counted by', async () => {
  const policy = await yaml(AMOUNTS)
  const applied = [{ name: 'p', policy, revision: 'r' }]
  const decision = decideByAll(applied, toolCall('pay', { amount: 5 }))
  assert.ok(decision.allowed)
  const [charge] = decision.charges
  const { pointer, ...limit } = policy.tools.get('pay')?.limits[0] ?? assert.fail()
  assert.deepEqual(charge?.limit, { ...limit, pointer })
})
