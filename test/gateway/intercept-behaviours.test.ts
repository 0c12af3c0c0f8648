// What Intercept's tests assert of policies holds here as well, but for what docs/decisions/0017 replaces.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counterOf } from '../../src/gateway/limit-charge.ts'
import { amountText, isListed, readToolPolicy } from '../../src/policy/tool-policy/index.ts'
import {
  AMOUNTS,
  allowed,
  decide,
  denial,
  problemsOf,
  withConditions,
  yaml,
} from '../support/intercept-policies.ts'

const SAMPLE = `version: "1"
description: Payments
default: allow
hide: [internal_debug]
tools:
  create_charge:
    rules:
      - name: max single charge
        conditions:
          - {path: args.amount, op: lte, value: 50000}
        on_deny: Single charge cannot exceed $500.00
      - name: daily spend cap
        conditions:
          - {path: state.create_charge.daily_spend, op: lt, value: 1000000}
        on_deny: Daily spending cap of $10,000.00 reached.
        state: {counter: daily_spend, window: day, increment_from: args.amount}
      - name: allowed currencies
        conditions:
          - {path: args.currency, op: in, value: [usd, eur]}
        on_deny: Only USD and EUR charges are permitted
  delete_customer:
    rules:
      - {name: no deletions, action: deny, on_deny: Customer deletion is not permitted via AI agents}
  "*":
    rules:
      - {name: global rate limit, rate_limit: 60/minute}
`

// Config.

test('config: a sample policy is read with its tools, rules, fields, state, wildcard and denial', async () => {
  const policy = await yaml(SAMPLE)
  assert.deepEqual([...policy.tools.keys()], ['create_charge', 'delete_customer'])
  const charge = policy.tools.get('create_charge')
  assert.deepEqual(
    charge?.require.map(({ name, says, pointer }) => [name, says, pointer]),
    [
      ['max single charge', 'Single charge cannot exceed $500.00', '/tools/create_charge/rules/0'],
      [
        'allowed currencies',
        'Only USD and EUR charges are permitted',
        '/tools/create_charge/rules/2',
      ],
    ],
  )
  const [spend] = charge?.limits ?? []
  assert.ok(spend !== undefined)
  assert.deepEqual(
    [spend.name, spend.window, spend.algorithm, spend.scope, spend.cost.kind, spend.pointer],
    ['daily spend cap', 'day', 'calendar', 'server', 'argument', '/tools/create_charge/rules/1'],
  )
  assert.equal(amountText(spend.max, spend.scale), '999999.999999')
  assert.deepEqual(
    policy.tools.get('delete_customer')?.denyIf.map(({ name, tests }) => [name, tests.length]),
    [['no deletions', 0]],
  )
  const [rate] = policy.allTools.limits
  assert.deepEqual([rate?.name, rate?.window, rate?.max], ['global rate limit', 'minute', 60])
})

test('config: broken YAML is an error', async () => {
  assert.equal((await problemsOf('version: "1"\ntools: [a')).length, 1)
  assert.equal((await problemsOf('version: "1"\n tools: {}')).length, 1)
})

test('config: a bad document yields all that is wrong with it at once', async () => {
  const problems = await problemsOf(`version: "2"
default: block
hide: ["", a, a]
tools:
  a:
    rules:
      - {action: deny}
      - {name: x, action: maybe, conditions: [{path: args.a, op: eq, value: 1}]}
      - {name: w, action: deny, conditions: [{path: args.a, op: eq, value: 1}]}
      - {name: z}
      - {name: p, conditions: [{path: arguments.a, op: eq, value: 1}]}
      - {name: o, conditions: [{path: args.a, op: equals, value: 1}]}
      - {name: l, conditions: [{path: args.a, op: in, value: 1}]}
      - {name: r, conditions: [{path: args.a, op: lt, value: five}]}
      - {name: b, conditions: [{path: args.a, op: exists, value: 1}]}
      - {name: g, conditions: [{path: args.a, op: regex, value: "("}]}
      - {name: s, conditions: [{path: state.a.c, op: lt, value: 1}], state: {counter: "", window: week}}
      - {name: i, conditions: [{path: state.a.i, op: lt, value: 1}], state: {counter: i, window: day, increment_from: amount}}
      - {name: m, conditions: [{path: state.a.q, op: lt, value: 1}]}
`)
  for (const wanted of [
    `'version' must be "1"`,
    "'default' must be one of allow, deny",
    "'hide' lists names of tools",
    "'hide' names the tool twice",
    "a rule needs 'name'",
    "'action' must be one of evaluate, deny, require_approval",
    "'conditions' never counts beside the action 'deny'",
    "a rule needs 'conditions', 'rate_limit' or the action 'deny'",
    "'path' must begin with args, annotations, principal, labels, client, class, tool, or be a JSON Pointer such as '/to/0'",
    "'op' must be one of eq, neq, lt, lte, gt, gte, in, not_in, exists, regex, contains",
    "'in' needs a list of texts, numbers, true, false or null",
    "'lt' needs a number",
    "'exists' needs true or false",
    'the pattern is not RE2: missing closing ): `(`',
    "'counter' must be a text",
    "'window' must be one of minute, hour, day",
    "'increment_from' must begin with 'args.'",
    "a condition on a counter needs the rule's own 'state'",
  ])
    assert.ok(problems.includes(wanted), `${wanted}\n---\n${problems.join('\n')}`)
})

test('config: an omitted action evaluates, an omitted increment is one', async () => {
  const policy = await yaml(`version: "1"
tools:
  t:
    rules:
      - name: r
        conditions: [{path: state.t.c, op: lte, value: 5}]
        state: {counter: c, window: hour}`)
  assert.deepEqual(policy.tools.get('t')?.limits[0]?.cost, { kind: 'fixed', units: 1 })
  assert.equal(policy.tools.get('t')?.action, 'allow')
})

const conditionTable: readonly [condition: string, isValid: boolean][] = [
  ['{path: args.a, op: eq, value: x}', true],
  ['{path: args.a, op: like, value: x}', false],
  ['{path: args.a, op: in, value: x}', false],
  ['{path: args.a, op: in, value: [x]}', true],
  ['{path: args.a, op: lt, value: x}', false],
  ['{path: args.a, op: lt, value: 5}', true],
  ['{path: args.a, op: regex, value: "["}', false],
  ['{path: args.a, op: regex, value: "^a+$"}', true],
  ['{path: params.a, op: eq, value: x}', false],
]
for (const [condition, isValid] of conditionTable)
  test(`config: the condition ${condition} is ${isValid ? 'accepted' : 'rejected'}`, async () => {
    const text = `version: "1"\ntools: {t: {rules: [{name: r, conditions: [${condition}]}]}}`
    assert.equal((await problemsOf(text)).length === 0, isValid)
  })

const rates: readonly [rate: string, max: number | null, window?: string][] = [
  ['5/hour', 5, 'hour'],
  ['10/day', 10, 'day'],
  ['100/minute', 100, 'minute'],
  ['1/hour', 1, 'hour'],
  ['five/hour', null],
  ['0/hour', null],
  ['-1/hour', null],
  ['5/week', null],
  ['"5"', null],
  ['""', null],
  ['5/', null],
]
for (const [rate, max, window] of rates)
  test(`config: the rate limit ${rate} is ${max === null ? 'refused' : 'a counter with a cap'}`, async () => {
    const text = `version: "1"\ntools: {t: {rules: [{name: r, rate_limit: ${rate}}]}}`
    if (max === null) {
      assert.equal((await problemsOf(text)).length, 1)
      return
    }
    const [limit] = (await yaml(text)).tools.get('t')?.limits ?? []
    assert.deepEqual(
      [limit?.counter, limit?.max, limit?.window, limit?.cost, limit?.onDeny],
      [`_rate_${window} of t`, max, window, { kind: 'fixed', units: 1 }, null],
    )
  })

test('config: a text of its own is kept, on a rate limit too', async () => {
  const policy = await yaml(
    'version: "1"\ntools: {t: {rules: [{name: r, rate_limit: 5/hour, on_deny: Slow down.}]}}',
  )
  assert.equal(policy.tools.get('t')?.limits[0]?.onDeny, 'Slow down.')
})

test('config: a rate limit of "*" counts for all tools together', async () => {
  const policy = await yaml('version: "1"\ntools: {"*": {rules: [{name: r, rate_limit: 5/hour}]}}')
  const counters = ['a', 'b'].map((tool) => {
    const decision = decide(policy, tool)
    return decision.allowed ? decision.charges.map(({ limit }) => counterOf('s', '', limit)) : null
  })
  assert.deepEqual(counters[0], counters[1])
  assert.equal(counters[0]?.length, 1)
})

test('config: two rate limits of one tool in one window are one counter too many', async () => {
  const problems = await problemsOf(
    'version: "1"\ntools: {t: {rules: [{name: a, rate_limit: 5/hour}, {name: b, rate_limit: 9/hour}]}}',
  )
  assert.deepEqual(problems, ["the counter '_rate_hour' of this tool stands there twice"])
})

const defaults: readonly [text: string, fallback: string | null][] = [
  ['', 'allow'],
  ['default: allow', 'allow'],
  ['default: deny', 'deny'],
  ['default: block', null],
]
for (const [line, fallback] of defaults)
  test(`config: ${line === '' ? 'no default' : line} is ${fallback ?? 'rejected'}`, async () => {
    const read = await readToolPolicy(Buffer.from(`version: "1"\n${line}`), 'yaml')
    assert.equal('policy' in read ? read.policy.fallback : null, fallback)
  })

const windows: readonly [window: string, isValid: boolean][] = [
  ['minute', true],
  ['hour', true],
  ['day', true],
  ['week', false],
  ['""', false],
]
for (const [window, isValid] of windows)
  test(`config: the window ${window} is ${isValid ? 'valid' : 'not'}`, async () => {
    const problems = await problemsOf(`version: "1"
tools: {t: {rules: [{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: ${window}}}]}}`)
    assert.equal(problems.length === 0, isValid, problems.join())
  })

const hides: readonly [list: string, isValid: boolean][] = [
  ['[a, a]', false],
  ['[""]', false],
  ['[a, b]', true],
]
for (const [list, isValid] of hides)
  test(`config: hide ${list} is ${isValid ? 'valid' : 'rejected'}`, async () => {
    assert.equal((await problemsOf(`version: "1"\nhide: ${list}`)).length === 0, isValid)
  })

// Engine.

const engine: readonly [what: string, condition: string, args: object, isAllowed: boolean][] = [
  ['eq: text', '{path: args.a, op: eq, value: x}', { a: 'x' }, true],
  ['eq: another text', '{path: args.a, op: eq, value: x}', { a: 'y' }, false],
  ['eq: int and float', '{path: args.a, op: eq, value: 5}', { a: 5.0 }, true],
  ['eq: float and int', '{path: args.a, op: eq, value: 5.0}', { a: 5 }, true],
  ['eq: bool', '{path: args.a, op: eq, value: true}', { a: true }, true],
  ['eq: another bool', '{path: args.a, op: eq, value: true}', { a: false }, false],
  ['neq', '{path: args.a, op: neq, value: x}', { a: 'y' }, true],
  ['neq: the same', '{path: args.a, op: neq, value: x}', { a: 'x' }, false],
  ['in', '{path: args.a, op: in, value: [x, "y"]}', { a: 'y' }, true],
  ['in: none', '{path: args.a, op: in, value: [x, "y"]}', { a: 'z' }, false],
  ['not_in', '{path: args.a, op: not_in, value: [x, "y"]}', { a: 'z' }, true],
  ['not_in: one', '{path: args.a, op: not_in, value: [x, "y"]}', { a: 'x' }, false],
  ['lt: below', '{path: args.a, op: lt, value: 5}', { a: 4 }, true],
  ['lt: equal', '{path: args.a, op: lt, value: 5}', { a: 5 }, false],
  ['lt: above', '{path: args.a, op: lt, value: 5}', { a: 6 }, false],
  ['lte: below', '{path: args.a, op: lte, value: 5}', { a: 4 }, true],
  ['lte: equal', '{path: args.a, op: lte, value: 5}', { a: 5 }, true],
  ['lte: above', '{path: args.a, op: lte, value: 5}', { a: 6 }, false],
  ['gt: below', '{path: args.a, op: gt, value: 5}', { a: 4 }, false],
  ['gt: equal', '{path: args.a, op: gt, value: 5}', { a: 5 }, false],
  ['gt: above', '{path: args.a, op: gt, value: 5}', { a: 6 }, true],
  ['gte: equal', '{path: args.a, op: gte, value: 5}', { a: 5 }, true],
  ['gte: below', '{path: args.a, op: gte, value: 5}', { a: 4 }, false],
  [
    'lte: 64 bits',
    '{path: args.a, op: lte, value: 9223372036854775807}',
    { a: 9223372036854775807n },
    true,
  ],
  [
    'lte: past 64 bits',
    '{path: args.a, op: lte, value: 9223372036854775807}',
    { a: 9223372036854775808n },
    false,
  ],
  ['lt: fractions', '{path: args.a, op: lt, value: 5.5}', { a: 5.49 }, true],
  ['regex: found anywhere', '{path: args.a, op: regex, value: "b+"}', { a: 'abbc' }, true],
  ['regex: not found', '{path: args.a, op: regex, value: "^b"}', { a: 'abbc' }, false],
  ['contains: part of a text', '{path: args.a, op: contains, value: bb}', { a: 'abbc' }, true],
  ['contains: no part', '{path: args.a, op: contains, value: x}', { a: 'abbc' }, false],
  ['contains: element of a list', '{path: args.a, op: contains, value: x}', { a: ['x'] }, true],
  ['contains: no element', '{path: args.a, op: contains, value: x}', { a: ['y'] }, false],
  ['exists true: present', '{path: args.a, op: exists, value: true}', { a: 1 }, true],
  ['exists true: absent', '{path: args.a, op: exists, value: true}', {}, false],
  ['exists true: null', '{path: args.a, op: exists, value: true}', { a: null }, false],
  ['exists false: present', '{path: args.a, op: exists, value: false}', { a: 1 }, false],
  ['exists false: absent', '{path: args.a, op: exists, value: false}', {}, true],
  ['exists false: null', '{path: args.a, op: exists, value: false}', { a: null }, true],
  ['a nested path', '{path: args.a.b.c, op: eq, value: 1}', { a: { b: { c: 1 } } }, true],
  ['a missing intermediate', '{path: args.a.b.c, op: eq, value: 1}', { a: {} }, false],
  ['an intermediate that is no map', '{path: args.a.b.c, op: eq, value: 1}', { a: 'x' }, false],
  ['a path at the top', '{path: args.a, op: eq, value: 1}', { a: 1 }, true],
  ['lte on a text', '{path: args.a, op: lte, value: 5}', { a: '5' }, false],
  ['regex on a number', '{path: args.a, op: regex, value: "5"}', { a: 5 }, false],
  ['contains on a number', '{path: args.a, op: contains, value: "5"}', { a: 5 }, false],
]
for (const [what, condition, args, isAllowed] of engine)
  test(`engine: ${what} ${isAllowed ? 'allows' : 'denies'}`, async () => {
    assert.equal(allowed(await withConditions(condition), 't', args), isAllowed)
  })

test('engine: rules of a tool leave other tools alone', async () => {
  const policy = await withConditions('{path: args.a, op: eq, value: 1}')
  assert.deepEqual(
    [allowed(policy, 't', { a: 1 }), allowed(policy, 't', {}), allowed(policy, 'u')],
    [true, false, true],
  )
})

const SPECIFIC = `version: "1"
tools:
  t: {rules: [{name: own, conditions: [{path: args.a, op: eq, value: 1}], on_deny: Own.}]}
  "*": {rules: [{name: all, conditions: [{path: args.b, op: eq, value: 1}], on_deny: All.}]}`

test('engine: rules of "*" apply to any tool, after its own, and are named', async () => {
  const policy = await yaml(SPECIFIC)
  assert.deepEqual(denial(policy, 'other'), ['all', 'All.'])
  assert.equal(denial(policy, 'other', { b: 1 }), null)
  assert.deepEqual(denial(policy, 't'), ['own', 'Own.'])
  assert.deepEqual(denial(policy, 't', { a: 1 }), ['all', 'All.'])
  assert.equal(denial(policy, 't', { a: 1, b: 1 }), null)
})

test('engine: without rules a tool is allowed', async () => {
  assert.equal(allowed(await yaml('version: "1"'), 'any'), true)
})

test('engine: conditions of a rule hold together; the first that fails is enough', async () => {
  const policy = await withConditions(
    '{path: args.a, op: eq, value: 1}',
    '{path: args.b, op: eq, value: 1}',
  )
  assert.equal(denial(policy, 't', { a: 1, b: 1 }), null)
  assert.deepEqual(denial(policy, 't', { a: 1, b: 2 }), ['r', 'No.'])
  assert.deepEqual(denial(policy, 't', { a: 2, b: 1 }), ['r', 'No.'])
})

test('engine: conditions on arguments beside a counter deny before anything is counted', async () => {
  const policy = await yaml(`version: "1"
tools:
  t:
    rules:
      - name: both
        on_deny: Not so.
        conditions: [{path: args.a, op: eq, value: 1}, {path: state.t.c, op: lt, value: 3}]
        state: {counter: c, window: day}`)
  assert.deepEqual(denial(policy, 't', { a: 2 }), ['both', 'Not so.'])
  const passing = decide(policy, 't', { a: 1 })
  assert.ok(passing.allowed)
  assert.deepEqual(
    passing.charges.map(({ limit, amount }) => [limit.counter, limit.max, amount, limit.onDeny]),
    [['c of t', 2, 1, 'Not so.']],
  )
})

test('engine: a denial gives rule and text, and comes before what is evaluated', async () => {
  const policy = await yaml(`version: "1"
tools:
  t:
    rules:
      - {name: stop, action: deny, on_deny: Stopped.}
      - {name: later, conditions: [{path: args.a, op: eq, value: 1}], on_deny: Later.}`)
  assert.deepEqual(denial(policy, 't'), ['stop', 'Stopped.'])
  assert.deepEqual(denial(policy, 't', { a: 1 }), ['stop', 'Stopped.'])
})

const DENY = `version: "1"
default: deny
tools:
  empty: {rules: []}
  passing: {rules: [{name: ok, conditions: [{path: args.a, op: eq, value: 1}]}]}
  "*": {rules: [{name: all, conditions: [{path: args.b, op: exists, value: false}], on_deny: No b.}]}`

test('engine: under default deny what is listed passes by its rules, and "*" rescues nothing', async () => {
  const policy = await yaml(DENY)
  assert.deepEqual(denial(policy, 'other'), ['/default', 'The policy does not allow this tool.'])
  assert.equal(denial(policy, 'empty'), null)
  assert.equal(denial(policy, 'passing', { a: 1 }), null)
  assert.equal(denial(policy, 'passing', { a: 2 })?.[0], 'ok')
  assert.deepEqual(denial(policy, 'empty', { b: 1 }), ['all', 'No b.'])
})

test('engine: a hidden tool is denied, others are left alone, "*" hides all', async () => {
  const policy = await yaml('version: "1"\nhide: [h]')
  assert.equal(denial(policy, 'h')?.[0], '(hidden)')
  assert.equal(denial(policy, 'other'), null)
  assert.deepEqual(
    ['h', 'other'].map((name) => isListed(policy, name)),
    [false, true],
  )
  const all = await yaml('version: "1"\nhide: ["*"]')
  assert.equal(allowed(all, 'other'), false)
  assert.equal((await yaml('version: "1"')).hide.size, 0)
})

// Proxy handler, as far as the policy decides.

test('handler: a call with a counter of its own and one of all tools is charged for both, in that order', async () => {
  const policy = await yaml(`version: "1"
tools:
  t: {rules: [{name: own, rate_limit: 10/hour}]}
  "*": {rules: [{name: all, rate_limit: 20/hour}]}`)
  const decision = decide(policy, 't')
  assert.ok(decision.allowed)
  assert.deepEqual(
    decision.charges.map(({ limit, amount }) => [limit.counter, limit.max, amount]),
    [
      ['_rate_hour of t', 10, 1],
      ['_rate_hour of *', 20, 1],
    ],
  )
})

test('handler: lt 10 leaves room up to ten and not for it, lte 10 for ten', async () => {
  const below = (await yaml(AMOUNTS)).tools.get('pay')?.limits[0]
  assert.equal(below && amountText(below.max, below.scale), '9.999999')
  const upTo = (await yaml(AMOUNTS.replace('op: lt', 'op: lte'))).tools.get('pay')?.limits[0]
  assert.equal(upTo && amountText(upTo.max, upTo.scale), '10')
})

test('handler: an amount is what is charged; one that is missing denies', async () => {
  const policy = await yaml(AMOUNTS)
  const decision = decide(policy, 'pay', { amount: 250 })
  assert.ok(decision.allowed)
  assert.deepEqual(
    decision.charges.map(({ amount, limit }) => amountText(amount, limit.scale)),
    ['250'],
  )
  assert.deepEqual(denial(policy, 'pay'), [
    'cap',
    "What the call costs cannot be counted: 'args.amount' is missing.",
  ])
})

test('handler: a call is judged by the policy that it is given, whatever comes after', async () => {
  const [open, closed] = await Promise.all([
    yaml('version: "1"'),
    yaml('version: "1"\ndefault: deny'),
  ])
  const swaps = Array.from({ length: 100 }, (_, at) => (at % 2 === 0 ? open : closed))
  const verdicts = await Promise.all(swaps.map(async (policy) => allowed(policy, 't')))
  assert.ok(verdicts.every((verdict, at) => verdict === (at % 2 === 0)))
})
