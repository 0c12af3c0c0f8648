import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toolCall } from '../../../test/support/tool-calls.ts'
import { ExactNumber } from '../../core/decimal.ts'
import { decideTool, isListed } from './decide.ts'
import { exactValue } from './exact-value.ts'
import { parseJsonTree } from './json-tree.ts'
import type { ToolPolicy } from './model.ts'
import { readToolPolicy, toolPolicyOf } from './read-tool-policy.ts'

const policyOf = (policy: object) =>
  toolPolicyOf('p.json', Buffer.from(JSON.stringify({ version: '1', ...policy })))

const decide = (policy: ToolPolicy, tool: string, args: Args = {}) =>
  decideTool(policy, toolCall(tool, args))

type Args = Readonly<Record<string, unknown>>

async function outcome(condition: object, args: Args): Promise<readonly [boolean, boolean]> {
  const clause = { conditions: [condition] }
  const [required, refused] = await Promise.all([
    policyOf({ default: 'deny', tools: { t: { require: [clause] } } }),
    policyOf({ default: 'deny', tools: { t: { deny_if: [clause] } } }),
  ])
  return [decide(required, 't', args).allowed, decide(refused, 't', args).allowed]
}

// Each condition alone as a requirement and as a reason to deny. What is in doubt passes neither.
const MET = [true, false] as const
const NOT_MET = [false, true] as const
const DOUBT = [false, false] as const
const conditions: readonly [condition: object, args: Args, readonly [boolean, boolean]][] = [
  [{ path: 'args.a', op: 'eq', value: 'x' }, { a: 'x' }, MET],
  [{ path: 'args.a', op: 'eq', value: 'x' }, { a: 'X' }, NOT_MET],
  [{ path: 'args.a', op: 'eq', value: 5 }, { a: 5.0 }, MET],
  [{ path: 'args.a', op: 'eq', value: 5 }, { a: '5' }, NOT_MET],
  [{ path: 'args.a', op: 'eq', value: null }, { a: null }, MET],
  [{ path: 'args.a', op: 'eq', value: null }, {}, NOT_MET],
  [
    { path: 'args.a', op: 'eq', value: 0.1 },
    { a: new ExactNumber('0.10000000000000000001') },
    DOUBT,
  ],
  [{ path: 'args.a', op: 'eq', value: true }, { a: true }, MET],
  [{ path: 'args.a', op: 'neq', value: 'x' }, { a: 'y' }, MET],
  [{ path: 'args.a', op: 'neq', value: 'x' }, {}, NOT_MET],
  [{ path: 'args.a', op: 'lt', value: 5 }, { a: 4.999 }, MET],
  [{ path: 'args.a', op: 'lt', value: 5 }, { a: 5 }, NOT_MET],
  [{ path: 'args.a', op: 'lte', value: 5 }, { a: 5 }, MET],
  [
    { path: 'args.a', op: 'lte', value: 5 },
    { a: new ExactNumber('5.00000000000000000001') },
    DOUBT,
  ],
  [{ path: 'args.a', op: 'lte', value: 5 }, { a: '5' }, DOUBT],
  [{ path: 'args.a', op: 'lte', value: 5 }, { a: null }, DOUBT],
  [{ path: 'args.a', op: 'gt', value: 5 }, { a: 12345678901234567890n }, MET],
  [{ path: 'args.a', op: 'gt', value: 2 ** 53 }, { a: 2n ** 53n + 1n }, DOUBT],
  [{ path: 'args.a', op: 'gt', value: 5 }, { a: 5 }, NOT_MET],
  [{ path: 'args.a', op: 'gte', value: -5 }, { a: -5 }, MET],
  [{ path: 'args.a', op: 'gte', value: 5 }, {}, NOT_MET],
  [{ path: 'args.a', op: 'in', value: ['x', 1] }, { a: 1 }, MET],
  [{ path: 'args.a', op: 'in', value: ['x', 1] }, { a: '1' }, NOT_MET],
  [{ path: 'args.a', op: 'not_in', value: ['x', 1] }, { a: 'y' }, MET],
  [{ path: 'args.a', op: 'not_in', value: ['x', 1] }, {}, NOT_MET],
  [{ path: 'args.a', op: 'exists', value: true }, { a: 0 }, MET],
  [{ path: 'args.a', op: 'exists', value: true }, { a: null }, NOT_MET],
  [{ path: 'args.a', op: 'exists', value: false }, {}, MET],
  [{ path: 'args.a', op: 'exists', value: false }, { a: 1 }, NOT_MET],
  [{ path: 'args.a', op: 'regex', value: '^ma(in|ster)$' }, { a: 'main' }, MET],
  [{ path: 'args.a', op: 'regex', value: 'in' }, { a: 'main' }, MET],
  [{ path: 'args.a', op: 'regex', value: '^x' }, { a: 'main' }, NOT_MET],
  [{ path: 'args.a', op: 'regex', value: '5' }, { a: 5 }, DOUBT],
  [{ path: 'args.a', op: 'regex', value: 'b' }, { a: 'a'.repeat(10_000_000) }, DOUBT],
  [{ path: 'args.a', op: 'contains', value: 'ai' }, { a: 'main' }, MET],
  [{ path: 'args.a', op: 'contains', value: 1 }, { a: [2, 1] }, MET],
  [{ path: 'args.a', op: 'contains', value: 1 }, { a: [2, '1'] }, NOT_MET],
  [{ path: 'args.a', op: 'contains', value: '5' }, { a: 5 }, DOUBT],
  [{ path: 'args.a.b', op: 'eq', value: 1 }, { a: { b: 1 } }, MET],
  [{ path: 'args.a.b', op: 'eq', value: 1 }, { a: 'b' }, NOT_MET],
  [{ path: 'args.a.0', op: 'eq', value: 1 }, { a: [1] }, NOT_MET],
  [{ path: '/a/0/b.c', op: 'eq', value: 1 }, { a: [{ 'b.c': 1 }] }, MET],
  [{ path: '/a~1b/~0', op: 'eq', value: 1 }, { 'a/b': { '~': 1 } }, MET],
  [{ path: '/a/1', op: 'eq', value: 1 }, { a: [1] }, NOT_MET],
  [{ path: 'args.constructor', op: 'exists', value: true }, {}, NOT_MET],
  [{ path: 'args.amount', op: 'lte', value: 5 }, { amount: 1, Amount: 9 }, DOUBT],
  [{ path: 'args.amount', op: 'gt', value: 5 }, { AMOUNT: 9 }, DOUBT],
  [{ path: 'args.skip', op: 'exists', value: false }, { ſkip: 1 }, DOUBT],
  [{ path: 'args.a.k', op: 'eq', value: 1 }, { a: { k: 1, '\u212a': 2 } }, DOUBT],
]
for (const [condition, args, expected] of conditions)
  test(`${JSON.stringify(condition)} of ${Object.keys(args).join()} ${expected.join()}`, async () => {
    assert.deepEqual(await outcome(condition, args), expected)
  })

// Numbers that a double changes: what comes out otherwise for a server that reads doubles is in doubt.
const changed: readonly [
  op: string,
  wanted: string,
  given: string,
  expected: readonly [boolean, boolean],
][] = [
  ['eq', '5', '5.00000000000000000001', DOUBT],
  ['eq', '6', '5.00000000000000000001', NOT_MET],
  ['eq', '5.00000000000000000001', '5.00000000000000000001', MET],
  ['eq', '12345678901234567890', '12345678901234567890', MET],
  ['eq', '12345678901234567890', '12345678901234567891', DOUBT],
  ['eq', '12345678901234567890', '12345678901234599999', NOT_MET],
  ['neq', '0', '1e-400', DOUBT],
  ['neq', '1', '1e-400', MET],
  ['in', '[7]', '7.00000000000000000001', DOUBT],
  ['in', '["x", 7, 7.00000000000000000001]', '7.00000000000000000001', MET],
  ['not_in', '[0, 5]', '1e-400', DOUBT],
  ['not_in', '[0, 5]', '0.10000000000000000001', MET],
  ['contains', '5', '[5.00000000000000000001]', DOUBT],
  ['contains', '5', '["5", 5.00000000000000000001, 5]', MET],
  ['contains', '5', '[12345678901234567890]', NOT_MET],
  ['lt', '100', '99.999999999999999999', DOUBT],
  ['lt', '100', '99.9', MET],
  ['lt', '100', '99.900000000000000000001', MET],
  ['gte', '100', '99.999999999999999999', DOUBT],
  ['gt', '5', '5.00000000000000000001', DOUBT],
  ['gt', '9007199254740992', '9007199254740993', DOUBT],
  ['gt', '5', '1e400', MET],
  ['lte', '5', '1e400', NOT_MET],
  ['lte', '5', '-1e400', MET],
]
for (const [op, wanted, given, expected] of changed)
  test(`${op} ${wanted} of ${given} ${expected.join()}`, async () => {
    const outcomes = ['require', 'deny_if'].map(async (list) => {
      const text = `{"version":"1","default":"deny","tools":{"t":{"${list}":[{"conditions":[{"path":"args.a","op":"${op}","value":${wanted}}]}]}}}`
      const policy = await toolPolicyOf('p.json', Buffer.from(text))
      return decide(policy, 't', { a: exactValue(parseJsonTree(given)) }).allowed
    })
    assert.deepEqual(await Promise.all(outcomes), expected)
  })

test('a number in doubt is in doubt in groups', async () => {
  const a = new ExactNumber('5.00000000000000000001')
  const five = { path: 'args.a', op: 'eq', value: 5 }
  for (const group of [{ not: five }, { any: [five] }, { all: [five] }])
    assert.deepEqual(await outcome(group, { a }), DOUBT)
})

const rules = await policyOf({
  default: 'deny',
  hide: ['secret_tool'],
  all_tools: { limits: [{ counter: 'all', window: 'minute', max: 60 }] },
  tools: {
    open: {},
    closed: { action: 'deny', reason: 'Not today.' },
    gone: { action: 'hide' },
    never: { deny_if: [{ conditions: [], on_deny: 'Requires a person.' }] },
    pay: {
      reason: 'Payments are small.',
      require: [{ conditions: [{ path: 'args.amount', op: 'lte', value: 10 }] }],
      deny_if: [
        { conditions: [{ path: 'args.to', op: 'eq', value: 'x' }], on_deny: 'Never to x.' },
        {
          conditions: [
            { path: 'args.a', op: 'eq', value: 1 },
            { path: 'args.b', op: 'eq', value: 1 },
          ],
        },
      ],
      limits: [{ counter: 'pay', window: 'day', max: 3 }],
    },
  },
})

const decided: readonly [tool: string, args: Args, rule: string | number, reason?: string][] = [
  ['open', {}, 1],
  ['pay', { amount: 10 }, 2],
  ['pay', { amount: 11 }, '/tools/pay/require/0', 'Payments are small.'],
  ['pay', {}, '/tools/pay/require/0', 'Payments are small.'],
  ['pay', { amount: 11, to: 'x' }, '/tools/pay/deny_if/0', 'Never to x.'],
  ['pay', { amount: 1, a: 1 }, 2],
  ['pay', { amount: 1, a: 1, b: 1 }, '/tools/pay/deny_if/1', 'Payments are small.'],
  ['closed', {}, '/tools/closed/action', 'Not today.'],
  ['never', {}, '/tools/never/deny_if/0', 'Requires a person.'],
  ['secret_tool', {}, '(hidden)', 'There is no such tool.'],
  ['gone', {}, '(hidden)', 'There is no such tool.'],
  ['other', {}, '/default', 'The policy does not allow this tool.'],
  ['constructor', {}, '/default', 'The policy does not allow this tool.'],
]
for (const [tool, args, expected, reason] of decided)
  test(`${tool} with ${JSON.stringify(args)}: ${expected}`, () => {
    const decision = decide(rules, tool, args)
    if (decision.allowed) assert.equal(decision.charges.length, expected)
    else assert.deepEqual([decision.rule, decision.reason], [expected, reason])
  })

test('what agents are shown is what they could call', () => {
  const names = ['open', 'pay', 'closed', 'never', 'secret_tool', 'gone', 'other']
  assert.deepEqual(
    names.filter((name) => isListed(rules, name)),
    ['open', 'pay'],
  )
})

test('list_denied keeps what the policy names and denies, hidden tools never', async () => {
  const policy = await policyOf({
    default: 'allow',
    hide: ['h'],
    list_denied: true,
    tools: { d: { action: 'deny' }, n: { deny_if: [{ conditions: [] }] } },
  })
  assert.deepEqual(
    ['d', 'n', 'h', 'x'].map((name) => isListed(policy, name)),
    [true, true, false, true],
  )
})

test('an empty deny_if denies, is not listed, and says so to everybody who is handed it', async () => {
  const document = {
    version: '1',
    default: 'allow',
    tools: { pay: { deny_if: [], reason: 'No.' } },
  }
  const read = await readToolPolicy(Buffer.from(JSON.stringify(document)))
  assert.ok('policy' in read)
  assert.deepEqual(
    read.warnings.map(({ problem }) => problem),
    [`'deny_if' is empty and denies always; [{"conditions": []}] says so to everybody`],
  )
  const decision = decide(read.policy, 'pay')
  assert.deepEqual(
    [decision.allowed, !decision.allowed && decision.rule, isListed(read.policy, 'pay')],
    [false, '/tools/pay/deny_if', false],
  )
  assert.equal(decide(read.policy, 'get').allowed, true)
  const all = await policyOf({ default: 'allow', all_tools: { deny_if: [] } })
  assert.equal(decide(all, 'get').allowed, false)
})

test('what denies whatever the arguments are does not speak of them', async () => {
  const never = { conditions: [] }
  const policy = await policyOf({
    default: 'allow',
    tools: {
      action: { action: 'deny' },
      empty: { deny_if: [] },
      clause: { deny_if: [never] },
      arguments: { deny_if: [{ conditions: [{ path: 'args.a', op: 'exists', value: false }] }] },
      needed: { require: [{ conditions: [{ path: 'args.a', op: 'exists', value: true }] }] },
    },
  })
  const said = ['action', 'empty', 'clause', 'arguments', 'needed'].map((name) => {
    const decision = decide(policy, name)
    return decision.allowed ? null : decision.reason
  })
  const always = 'The policy denies this.'
  const these = 'The policy does not allow these arguments.'
  assert.deepEqual(said, [always, always, always, these, these])
})

test('another spelling of a tool with rules is not a tool without', async () => {
  const policy = await policyOf({
    default: 'allow',
    hide: ['*x'],
    tools: { task_rm: { action: 'deny' } },
  })
  for (const name of ['Task_rm', 'taſk_rm', 'tas\u212a_rm', '*X']) {
    assert.equal(decide(policy, name).allowed, false, name)
    assert.equal(isListed(policy, name), false, name)
  }
  assert.equal(decide(policy, 'task_list').allowed, true)
})

test('hide * leaves nothing', async () => {
  const policy = await policyOf({ default: 'allow', hide: ['*'], tools: { a: {} } })
  assert.equal(isListed(policy, 'a'), false)
  assert.equal(decide(policy, 'a').allowed, false)
})
