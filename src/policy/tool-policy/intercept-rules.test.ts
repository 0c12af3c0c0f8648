import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toolCall } from '../../../test/support/tool-calls.ts'
import { amountText } from './cost.ts'
import { decideTool } from './decide.ts'
import { readToolPolicy } from './read-tool-policy.ts'

const read = (rules: string, tool = 'pay') =>
  readToolPolicy(
    Buffer.from(`version: "1"\ndefault: deny\ntools:\n  ${tool}:\n    rules:\n${rules}`),
    'yaml',
  )
async function problemsOf(rules: string): Promise<readonly string[]> {
  const one = await read(rules)
  if ('policy' in one) return []
  return one.problems.map(({ line, column, problem }) => `${line}:${column} ${problem}`)
}

const refused: readonly [what: string, rule: string, problems: readonly string[]][] = [
  ['no name', 'action: deny', ["6:9 a rule needs 'name'"]],
  [
    'another action',
    '{name: r, action: alow}',
    [
      "6:27 'action' must be one of evaluate, deny, require_approval",
      "6:9 a rule needs 'conditions', 'rate_limit' or the action 'deny'",
    ],
  ],
  [
    'deny with conditions',
    '{name: r, action: deny, conditions: [{path: args.a, op: eq, value: 1}]}',
    ["6:33 'conditions' never counts beside the action 'deny'"],
  ],
  [
    'evaluate without conditions',
    '{name: r, action: evaluate}',
    ["6:9 a rule needs 'conditions', 'rate_limit' or the action 'deny'"],
  ],
  [
    'a key that is not known',
    '{name: r, on_denied: x, action: deny}',
    ["6:19 there is no 'on_denied'; did you mean 'on_deny'?"],
  ],
  [
    'a bad window',
    '{name: r, rate_limit: 5/week}',
    ["6:31 'rate_limit' must be a number and a window: '5/hour', with minute, hour or day"],
  ],
  [
    'a counter without a name',
    '{name: r, conditions: [{path: state.pay.c, op: lte, value: 1}], state: {counter: "", window: day}}',
    ["6:90 'counter' must be a text"],
  ],
  [
    'a condition on a counter without state',
    '{name: r, conditions: [{path: state.pay.c, op: lte, value: 1}]}',
    ["6:32 a condition on a counter needs the rule's own 'state'"],
  ],
  [
    'a counter of another tool',
    '{name: r, conditions: [{path: state.other.c, op: lte, value: 1}], state: {counter: c, window: day}}',
    ["6:39 a rule can cap its own counter only: 'state.pay.c'"],
  ],
  [
    'a counter that is never capped',
    '{name: r, conditions: [{path: args.a, op: eq, value: 1}], state: {counter: c, window: day}}',
    ['6:67 the counter is never capped; add a condition: state.pay.c lte …'],
  ],
  [
    'a counter capped by gt',
    '{name: r, conditions: [{path: state.pay.c, op: gt, value: 1}], state: {counter: c, window: day}}',
    ["6:56 'op' must be one of lt, lte; did you mean 'lt'?"],
  ],
  [
    'below nothing',
    '{name: r, conditions: [{path: state.pay.c, op: lt, value: 0}], state: {counter: c, window: day}}',
    ['6:67 no count is ever below this'],
  ],
  [
    'rules and keys of ours',
    '{name: r, action: deny}\n    require: []',
    ["7:5 there is no 'require'; there are rules"],
  ],
  [
    'increment_from outside the arguments',
    '{name: r, conditions: [{path: state.pay.c, op: lt, value: 9}], state: {counter: c, window: day, increment_from: amount}}',
    ["6:121 'increment_from' must begin with 'args.'"],
  ],
  [
    'a cap that is never counted to',
    'name: r\n        conditions:\n          - {path: state.pay.c, op: lt, value: 9007199254740993}\n        state: {counter: c, window: day}',
    ['8:48 nothing is counted beyond 9007199254740991; leave the cap out, or count larger units'],
  ],
  ...['29s', '169h', 'soon', '1d'].map((time): (typeof refused)[number] => [
    `an approval that is waited for ${time}`,
    `name: r\n        action: require_approval\n        approval_timeout: ${time}`,
    ["8:27 'approval_timeout' must be a time such as '30m', 30s to 168h"],
  ]),
]
for (const [what, rule, problems] of refused)
  test(`a rule is refused where it stands: ${what}`, async () => {
    const found = await problemsOf(`      - ${rule}`)
    for (const problem of problems) assert.ok(found.includes(problem), found.join('\n'))
    assert.equal(found[0], problems[0])
  })

const caps: readonly [op: string, value: string, max: string][] = [
  ['lte', '10', '10'],
  ['lt', '10', '9.999999'],
  ['lte', '0.5', '0.5'],
  ['lt', '0.5', '0.499999'],
  ['lt', '0.0000005', '0'],
  ['lte', '100.00', '100'],
  ['lte', '9000000000000', '9000000000000'],
]
for (const [op, value, expected] of caps)
  test(`a counter of amounts ${op} ${value} comes to ${expected}`, async () => {
    const one = await read(
      `      - name: r\n        conditions: [{path: state.pay.c, op: ${op}, value: ${value}}]\n` +
        '        state: {counter: c, window: day, increment_from: args.amount}',
    )
    assert.ok('policy' in one, JSON.stringify(one))
    const [limit] = one.policy.tools.get('pay')?.limits ?? []
    assert.equal(limit && amountText(limit.max, limit.scale), expected)
  })

const counts: readonly [op: string, value: string, max: number][] = [
  ['lte', '10', 10],
  ['lt', '10', 9],
  ['lt', '2.5', 2],
  ['lte', '2.5', 2],
]
for (const [op, value, expected] of counts)
  test(`a counter of calls ${op} ${value} comes to ${expected}`, async () => {
    const one = await read(
      `      - name: r\n        conditions: [{path: state.pay.c, op: ${op}, value: ${value}}]\n` +
        '        state: {counter: c, window: hour}',
    )
    assert.ok('policy' in one)
    assert.deepEqual(one.policy.tools.get('pay')?.limits[0], {
      counter: 'c of pay',
      window: 'hour',
      max: expected,
      scale: 0,
      cost: { kind: 'fixed', units: 1 },
      scope: 'server',
      algorithm: 'calendar',
      onDeny: null,
      name: 'r',
      pointer: '/tools/pay/rules/0',
    })
  })

test('an approval of later versions waits as long as it says', async () => {
  const some = await read(
    '      - {name: b, action: require_approval, approval_timeout: 2h, conditions: [{path: args.a, op: gt, value: 5}], on_deny: Ask.}',
  )
  assert.ok('policy' in some)
  const rule = some.policy.tools.get('pay')
  assert.equal(rule?.approvalSeconds, 7200)
  assert.deepEqual(
    rule?.approveIf.map(({ says, name, pointer }) => [says, name, pointer]),
    [['Ask.', 'b', '/tools/pay/rules/0']],
  )
})

const LARGE =
  '{name: large, action: require_approval, on_deny: Ask, conditions: [{path: args.a, op: gt, value: 5}]}'
const ALL = '{name: all, action: require_approval, approval_timeout: 30m, on_deny: Wait}'
const approvals: readonly [
  what: string,
  rules: readonly string[],
  asking: readonly (readonly [says: string, rule: string])[],
  warnings: readonly string[],
][] = [
  [
    'alone',
    [ALL],
    [
      ['Wait', '/tools/pay/rules/0'],
      ['Wait', '/tools/pay/rules/0'],
    ],
    [],
  ],
  [
    'behind one',
    [LARGE, ALL],
    [
      ['Wait', '/tools/pay/rules/1'],
      ['Ask', '/tools/pay/rules/0'],
    ],
    [],
  ],
  [
    'before one, which never counts',
    [ALL, LARGE],
    [
      ['Wait', '/tools/pay/rules/0'],
      ['Wait', '/tools/pay/rules/0'],
    ],
    ['7:9 never counts: a clause before it asks a person about every call'],
  ],
]
for (const [what, rules, asking, warnings] of approvals)
  test(`an approval without conditions, ${what}, is asked for by the first rule that is met`, async () => {
    const one = await read(rules.map((rule) => `      - ${rule}\n`).join(''))
    assert.ok('policy' in one, JSON.stringify(one))
    const asked = [5, 6].map((a) => {
      const decision = decideTool(one.policy, toolCall('pay', { a }))
      assert.ok(decision.allowed)
      assert.equal(decision.needsApproval?.seconds, 1800)
      return [decision.needsApproval.reason, decision.needsApproval.rule]
    })
    assert.deepEqual(asked, asking)
    const said = one.warnings.map(({ line, column, problem }) => `${line}:${column} ${problem}`)
    assert.deepEqual(said, warnings)
  })
