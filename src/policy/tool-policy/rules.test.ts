import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASKER, toolCall } from '../../../test/support/tool-calls.ts'
import { ExactNumber } from '../../core/decimal.ts'
import { epochMs } from '../../core/time.ts'
import { amountText, settlementOf } from './cost.ts'
import { decideMethod, decideResult, decideTool, isListed } from './decide.ts'
import type { CallSubject, MethodSubject } from './model.ts'
import { toolPolicyOf } from './read-tool-policy.ts'

const policyOf = (policy: object) =>
  toolPolicyOf('p.json', Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy })))
const request = (method: string, params: object = {}): MethodSubject => ({
  ...ASKER,
  method,
  params: { ...params },
})

const MET = [true, false] as const
const NOT_MET = [false, true] as const
const DOUBT = [false, false] as const
const is = (path: string, value: unknown, op = 'eq') => ({ path, op, value })
const over = is('args.amount', 100, 'gt')
const FRIDAY_NOON_UTC = epochMs(Date.UTC(2026, 10, 20, 12))
const SATURDAY_3_BERLIN = epochMs(Date.UTC(2026, 10, 21, 2))
const subjects: readonly [
  test: object,
  subject: Partial<CallSubject>,
  outcome: readonly [boolean, boolean],
][] = [
  [{ any: [over, is('args.to', 'x')] }, { args: { amount: 1, to: 'x' } }, MET],
  [{ any: [over, is('args.to', 'x')] }, { args: { amount: 1, to: 'y' } }, NOT_MET],
  [{ any: [over, is('args.to', 'x')] }, { args: { amount: '500', to: 'y' } }, DOUBT],
  [{ any: [over, is('args.to', 'x')] }, { args: { amount: '500', to: 'x' } }, MET],
  [{ all: [over, is('args.to', 'x')] }, { args: { amount: 101, to: 'x' } }, MET],
  [{ all: [over, is('args.to', 'x')] }, { args: { amount: '500', to: 'y' } }, NOT_MET],
  [{ not: over }, { args: { amount: 100 } }, MET],
  [{ not: over }, { args: { amount: 101 } }, NOT_MET],
  [{ not: over }, { args: { amount: '1' } }, DOUBT],
  [{ not: over }, {}, MET],
  [{ not: { any: [over, { not: is('args.to', 'x') }] } }, { args: { amount: 1, to: 'x' } }, MET],
  [is('principal', 'agent:7'), { principal: 'agent:7' }, MET],
  [is('principal', 'agent:7'), { principal: 'user:7' }, NOT_MET],
  [is('principal.kind', 'user'), { principal: 'user:7' }, MET],
  [is('principal.id', '7'), { principal: 'user:7' }, MET],
  [is('labels', 'ci', 'contains'), { labels: ['ci', 'eu'] }, MET],
  [is('labels', 'ci', 'contains'), { labels: [] }, NOT_MET],
  [is('labels', 'ci', 'contains'), { labels: null }, DOUBT],
  [is('client', 'cursor'), { client: 'cursor' }, MET],
  [is('client', 'cursor'), { client: null }, NOT_MET],
  [is('tool', '^t$', 'regex'), {}, MET],
  [is('class', 'read'), { toolClass: 'read' }, MET],
  [is('class', 'read'), {}, NOT_MET],
  [is('annotations.readOnlyHint', true), { annotations: { readOnlyHint: true } }, MET],
  [is('annotations.readOnlyHint', true), { annotations: {} }, NOT_MET],
  [is('annotations.readOnlyHint', true), { annotations: null }, DOUBT],
  [is('annotations.destructiveHint', true), { annotations: {} }, MET],
  [is('annotations.destructiveHint', true), { annotations: { readOnlyHint: true } }, NOT_MET],
  [is('annotations.openWorldHint', true), { annotations: {} }, MET],
  [is('annotations.readOnlyHint', true), { annotations: { READONLYHINT: true } }, DOUBT],
  [is('args#/a.b/0', 1), { args: { 'a.b': [1] } }, MET],
  [{ time: { from: '09:00', to: '12:00' } }, { at: FRIDAY_NOON_UTC }, NOT_MET],
  [{ time: { from: '09:00', to: '12:01' } }, { at: FRIDAY_NOON_UTC }, MET],
  [{ time: { from: '13:00', to: '13:30', zone: 'Europe/Berlin' } }, { at: FRIDAY_NOON_UTC }, MET],
  [{ time: { days: ['mon', 'thu'] } }, { at: FRIDAY_NOON_UTC }, NOT_MET],
  [
    { time: { from: '22:00', to: '06:00', days: ['fri'], zone: 'Europe/Berlin' } },
    { at: SATURDAY_3_BERLIN },
    MET,
  ],
  [
    { time: { from: '22:00', to: '06:00', days: ['sat'], zone: 'Europe/Berlin' } },
    { at: SATURDAY_3_BERLIN },
    NOT_MET,
  ],
  [{ time: { to: '24:00' } }, { at: epochMs(Number.NaN) }, DOUBT],
]
for (const [one, subject, expected] of subjects)
  test(`${JSON.stringify(one)} of ${JSON.stringify(subject)}: ${expected.join()}`, async () => {
    const conditions = [one]
    const [required, refused] = await Promise.all([
      policyOf({ tools: { t: { require: [{ conditions }] } } }),
      policyOf({ tools: { t: { deny_if: [{ conditions }] } } }),
    ])
    assert.deepEqual(
      [required, refused].map((policy) => decideTool(policy, toolCall('t', {}, subject)).allowed),
      expected,
    )
  })

test('a rule in shadow lets pass what it would deny, counts it, and says so', async () => {
  const policy = await policyOf({
    all_tools: { deny_if: [{ conditions: [is('args.never', 1)] }] },
    tools: {
      pay: {
        action: 'shadow',
        deny_if: [{ name: 'small', conditions: [over], on_deny: 'Too much.' }],
        approve_if: [{ conditions: [is('args.to', 'x')], reason: 'Ask.' }],
        limits: [{ counter: 'c', window: 'day', max: 1 }],
      },
    },
  })
  const shadowOf = (args: object) => {
    const decision = decideTool(policy, toolCall('pay', args))
    assert.ok(decision.allowed)
    assert.deepEqual(
      decision.charges.map(({ amount, isShadow }) => [amount, isShadow]),
      [[1, true]],
    )
    assert.equal(decision.needsApproval, null)
    return decision.shadow
  }
  assert.deepEqual(shadowOf({ amount: 101, to: 'x' }), {
    rule: '/tools/pay/deny_if/0',
    name: 'small',
    reason: 'Too much.',
    wouldBe: 'denied',
  })
  assert.equal(shadowOf({ amount: 1, to: 'x' })?.wouldBe, 'approval')
  assert.equal(shadowOf({ amount: 1 }), null)
  assert.equal(decideTool(policy, toolCall('pay', { never: 1 })).allowed, false)
})

test('an approval is asked for by the action, by a clause, and in doubt', async () => {
  const policy = await policyOf({
    tools: {
      all: { action: 'require_approval', reason: 'Money.', approval_timeout: 1800 },
      large: { approve_if: [{ name: 'big', conditions: [over], reason: 'That is much.' }] },
      plain: {},
    },
  })
  const needed = (tool: string, args: object = {}) => {
    const decision = decideTool(policy, toolCall(tool, args))
    return decision.allowed ? decision.needsApproval : decision
  }
  assert.deepEqual(needed('all'), {
    rule: '/tools/all/action',
    name: null,
    reason: 'Money.',
    seconds: 1800,
    others: [],
  })
  assert.deepEqual(needed('large', { amount: 101 }), {
    rule: '/tools/large/approve_if/0',
    name: 'big',
    reason: 'That is much.',
    seconds: null,
    others: [],
  })
  assert.equal(needed('large', { amount: '1' })?.rule, '/tools/large/approve_if/0')
  assert.equal(needed('large', { amount: 100 }), null)
  assert.equal(needed('plain'), null)
})

test('a class rules its tools, a rule of the tool itself goes first, and the unclassified are not allowed', async () => {
  const policy = await policyOf({
    classes: { read: ['list', 'get'], destructive: ['drop'] },
    class: { read: { audit: 'durable' }, destructive: { action: 'deny' }, write: {} },
    tools: { get: {} },
  })
  const allowed = (tool: string, toolClass: string | null = null) =>
    decideTool(policy, toolCall(tool, {}, { toolClass })).allowed
  assert.deepEqual(
    [allowed('list'), allowed('get'), allowed('drop'), allowed('other'), allowed('LIST', 'read')],
    [true, true, false, false, false],
  )
  assert.equal(allowed('other', 'write'), true)
  assert.equal(allowed('other', 'financial'), false)
  assert.equal(allowed('drop', 'write'), false)
  const list = decideTool(policy, toolCall('list'))
  assert.equal(list.allowed && list.isDurable, true)
  const get = decideTool(policy, toolCall('get'))
  assert.equal(get.allowed && get.isDurable, false)
  assert.deepEqual(
    ['list', 'get', 'drop', 'other'].map((tool) => isListed(policy, tool)),
    [true, true, false, false],
  )
})

test('what holds for all tools holds besides the rule of the tool, whose limits come first', async () => {
  const policy = await policyOf({
    all_tools: {
      require: [{ conditions: [is('principal.kind', 'agent')], on_deny: 'Agents only.' }],
      limits: [{ counter: 'all', window: 'day', max: 1 }],
    },
    tools: { t: { limits: [{ counter: 'own', window: 'day', max: 1 }] } },
  })
  const decision = decideTool(policy, toolCall('t'))
  assert.deepEqual(decision.allowed && decision.charges.map(({ limit }) => limit.counter), [
    'own',
    'all',
  ])
  const refused = decideTool(policy, toolCall('t', {}, { principal: 'user:1' }))
  assert.deepEqual(!refused.allowed && [refused.rule, refused.reason], [
    '/all_tools/require/0',
    'Agents only.',
  ])
})

const costs: readonly [value: unknown, expected: number | string][] = [
  [9.99, 999],
  [0, 0],
  [new ExactNumber('10.50'), 1050],
  [
    new ExactNumber('9.990000000000000000001'),
    "'args.amount' has more than 2 digits behind the point.",
  ],
  [0.001, "'args.amount' has more than 2 digits behind the point."],
  [-1, "'args.amount' is negative."],
  [1e19, "'args.amount' is too large to be counted."],
  [Number.POSITIVE_INFINITY, "'args.amount' is no number that can be counted."],
  [new ExactNumber('1e400'), "'args.amount' is too large to be counted."],
  ['5', "'args.amount' is no number that can be counted."],
  [undefined, "'args.amount' is missing."],
]
for (const [value, expected] of costs)
  test(`a cost of ${value instanceof ExactNumber ? value.source : String(value)}: ${expected}`, async () => {
    const policy = await policyOf({
      tools: {
        pay: {
          limits: [
            {
              counter: 'spend',
              window: 'day',
              max: 1000.5,
              cost: { path: 'args.amount', scale: 2 },
            },
          ],
        },
      },
    })
    const decision = decideTool(
      policy,
      toolCall('pay', value === undefined ? {} : { amount: value }),
    )
    if (typeof expected === 'string') {
      assert.ok(!decision.allowed)
      assert.equal(decision.rule, '/tools/pay/limits/0/cost')
      assert.equal(decision.reason, `What the call costs cannot be counted: ${expected}`)
    } else {
      assert.ok(decision.allowed)
      assert.deepEqual(
        decision.charges.map(({ amount, limit }) => [amount, limit.max]),
        [[expected, 100_050]],
      )
    }
  })

test('a cost of the answer is estimated, then settled; an answer that does not say leaves the estimate', async () => {
  const policy = await policyOf({
    tools: {
      ask: {
        limits: [
          {
            counter: 'tokens',
            window: 'day',
            max: 10_000,
            cost: { path: 'result.structuredContent.tokens', estimate: 'args.max_tokens' },
          },
          { counter: 'calls', window: 'day', max: 5 },
        ],
      },
    },
  })
  const subject = toolCall('ask', { max_tokens: 500 })
  const decision = decideTool(policy, subject)
  assert.ok(decision.allowed)
  const amounts = (result?: unknown) =>
    decision.charges.map(({ limit, amount }) => settlementOf(limit, result)?.amount ?? amount)
  assert.deepEqual(amounts(), [500, 1])
  assert.deepEqual(amounts({ structuredContent: { tokens: 123 } }), [123, 1])
  for (const [tokens, counted] of [
    [1.5, 2],
    [122.000000001, 123],
    [0, 0],
    [9_007_199_254_740_991, 9_007_199_254_740_991],
    [1e20, 9_007_199_254_740_991],
    [Number.POSITIVE_INFINITY, 9_007_199_254_740_991],
    [-5, 10_000],
    [-0.5, 10_000],
    ['many', 10_000],
    [null, 10_000],
    [[1], 10_000],
  ])
    assert.deepEqual(amounts({ structuredContent: { tokens } }), [counted, 1], String(tokens))
  assert.deepEqual(amounts({ structuredContent: { tokens: 1, Tokens: 2 } }), [10_000, 1])
  assert.deepEqual(amounts({}), [500, 1])
  assert.equal(decideTool(policy, toolCall('ask')).allowed, false)
})

test('amounts are written as people write them', () => {
  assert.deepEqual(
    [amountText(1050, 2), amountText(5, 0), amountText(7, 3), amountText(0, 2)],
    ['10.5', '5', '0.007', '0'],
  )
})

test('answers are judged: by their text, their data and what was asked', async () => {
  const policy = await policyOf({
    tools: {
      read: {
        on_result: {
          deny_if: [
            {
              conditions: [is('text', 'CONFIDENTIAL', 'contains')],
              on_deny: 'It is confidential.',
            },
          ],
          require: [
            {
              conditions: [
                {
                  any: [
                    is('result.isError', true),
                    is('result#/structuredContent/rows', 10, 'lte'),
                  ],
                },
              ],
            },
          ],
        },
      },
      watched: { action: 'shadow', on_result: { deny_if: [{ conditions: [] }] } },
      free: {},
    },
  })
  const said = (result: object, tool = 'read') => {
    const decision = decideResult(policy, toolCall(tool), result)
    return decision.allowed ? (decision.shadow?.rule ?? null) : decision.rule
  }
  const text = (text: string) => ({ content: [{ type: 'text', text }] })
  assert.equal(said({ ...text('fine'), structuredContent: { rows: 10 } }), null)
  assert.equal(
    said({ ...text('fine'), structuredContent: { rows: 11 } }),
    '/tools/read/on_result/require/0',
  )
  assert.equal(said(text('fine')), '/tools/read/on_result/require/0')
  assert.equal(said({ ...text('no'), isError: true }), null)
  assert.equal(
    said({ ...text('x CONFIDENTIAL'), isError: true }),
    '/tools/read/on_result/deny_if/0',
  )
  assert.equal(
    said({ isError: true, structuredContent: { a: [{ b: 'CONFIDENTIAL' }] } }),
    '/tools/read/on_result/deny_if/0',
  )
  assert.equal(said(text('x'), 'watched'), '/tools/watched/on_result/deny_if/0')
  assert.equal(said(text('x'), 'free'), null)
  const judges = (tool: string) => {
    const decision = decideTool(policy, toolCall(tool))
    return decision.allowed && decision.judgesResult
  }
  assert.deepEqual(['read', 'watched', 'free'].map(judges), [true, true, false])
})

test('the text of an answer does not include what pictures are made of', async () => {
  const policy = await policyOf({
    tools: { t: { on_result: { deny_if: [{ conditions: [is('text', 'AAAA', 'contains')] }] } } },
  })
  const image = { type: 'image', mimeType: 'image/png', data: 'AAAA' }
  assert.equal(decideResult(policy, toolCall('t'), { content: [image] }).allowed, true)
  assert.equal(decideResult(policy, toolCall('t'), { content: [{ data: 'AAAA' }] }).allowed, false)
})

test('other methods have rules, families of them too, and follow the default where they have none', async () => {
  const policy = await policyOf({
    methods: {
      'resources/read': {
        require: [{ conditions: [is('params.uri', '^file:///srv/', 'regex')] }],
        on_result: { deny_if: [{ conditions: [is('text', 'x', 'contains')] }] },
      },
      'prompts/*': { limits: [{ counter: 'p', window: 'hour', max: 3 }] },
      'prompts/get': { action: 'hide' },
      'tools/list': { action: 'deny' },
    },
  })
  const rule = (method: string, params: object = {}) => {
    const decision = decideMethod(policy, request(method, params))
    return decision.allowed ? decision.charges.length : decision.rule
  }
  assert.equal(rule('resources/read', { uri: 'file:///srv/a' }), 0)
  assert.equal(
    rule('resources/read', { uri: 'file:///etc/a' }),
    '/methods/resources~1read/require/0',
  )
  assert.equal(rule('prompts/list'), 1)
  assert.equal(rule('prompts/get'), '(hidden)')
  assert.equal(rule('tools/list'), '/methods/tools~1list/action')
  assert.equal(rule('resources/list'), 0)
  assert.equal(rule('sampling/createMessage'), '/default')
  assert.equal(rule('made/up'), '/default')
  assert.equal(
    decideResult(policy, request('resources/read'), { contents: [{ text: 'x' }] }).allowed,
    false,
  )
  const open = await policyOf({ default: 'allow', methods: { 'roots/list': { action: 'deny' } } })
  assert.equal(decideMethod(open, request('made/up')).allowed, true)
  assert.equal(decideMethod(open, request('roots/list')).allowed, false)
  assert.equal(decideMethod(open, request('Roots/List')).allowed, false)
})
