// What people try policies with: cases beside them, explanations, and a first policy from a server's tools.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { explainCall } from '../../src/policy/tool-policy/explain-call.ts'
import { formattedPolicy } from '../../src/policy/tool-policy/format-policy.ts'
import {
  decideTool,
  isListed,
  readToolPolicy,
  toolPolicyOf,
} from '../../src/policy/tool-policy/index.ts'
import {
  policyBeside,
  readPolicyCases,
  runPolicyCases,
} from '../../src/policy/tool-policy/policy-cases.ts'
import { type ListedTool, suggestedPolicy } from '../../src/policy/tool-policy/suggest-policy.ts'
import { toolCall } from '../support/tool-calls.ts'

const bytes = (text: string): Buffer => Buffer.from(text)

const PAY = await toolPolicyOf(
  'pay.json',
  bytes(
    JSON.stringify({
      version: '1',
      default: 'deny',
      hide: ['secret'],
      tools: {
        pay: {
          require: [
            {
              conditions: [
                {
                  any: [
                    { path: 'args.amount', op: 'lte', value: 50 },
                    { not: { path: 'args.to', op: 'eq', value: 'x' } },
                  ],
                },
              ],
              on_deny: 'Too much.',
            },
          ],
          approve_if: [{ conditions: [{ path: 'args.amount', op: 'gt', value: 40 }] }],
          limits: [
            { counter: 'spend', window: 'day', max: 100, cost: { path: 'args.amount', scale: 2 } },
          ],
        },
        watch: { action: 'shadow', deny_if: [{ conditions: [] }] },
        often: { action: 'shadow', limits: [{ counter: 'o', window: 'day', max: 2 }] },
        ask: {
          action: 'require_approval',
          limits: [
            { counter: 'a', window: 'day', max: 9 },
            { counter: 'a', window: 'day', max: 100, cost: 5 },
          ],
        },
        read: {
          on_result: { deny_if: [{ conditions: [{ path: 'text', op: 'contains', value: 'x' }] }] },
        },
      },
      methods: { 'prompts/get': {} },
    }),
  ),
)

const CASES = `
policy: pay.json
cases:
  - {call: pay, args: {amount: 40}, expect: allowed}
  - name: too much for x
    call: pay
    args: {amount: 51, to: x}
    expect: denied
    rule: /tools/pay/require/0
    reason: Too much.
  - {call: pay, args: {amount: 41}, expect: approval}
  - {call: pay, args: {amount: 40}, after: 1, expect: allowed}
  - {call: pay, args: {amount: 40}, after: 2, expect: limited, rule: /tools/pay/limits/0}
  - {call: pay, args: {amount: 0}, after: 900, expect: allowed}
  - {call: watch, expect: shadow}
  - {call: often, after: 1, expect: allowed}
  - {call: often, after: 2, expect: shadow, rule: /tools/often/limits/0}
  - {call: ask, expect: approval}
  - {call: ask, after: 1, expect: limited, rule: /tools/ask/limits/0}
  - {call: secret, expect: hidden}
  - {call: other, expect: denied, rule: /default}
  - {call: read, result: {content: [{type: text, text: "an x"}]}, expect: withheld}
  - {call: read, result: {content: [{type: text, text: "a y"}]}, expect: allowed}
  - {method: prompts/get, expect: allowed, rule: /methods/prompts~1get}
  - {method: prompts/get, expect: allowed, rule: /default, name: wrong rule}
  - {call: read, expect: allowed, rule: /tools/read}
  - {method: resources/read, params: {uri: "file:///etc"}, expect: denied}
  - {call: pay, args: {amount: 1}, expect: denied, name: wrong}
`

test('cases beside a policy pass or say what came instead', async () => {
  const read = await readPolicyCases('pay.test.yaml', bytes(CASES))
  assert.ok('cases' in read, JSON.stringify(read))
  assert.equal(read.policy, 'pay.json')
  const runs = runPolicyCases(PAY, read.cases)
  assert.deepEqual(
    runs.filter(({ passed }) => !passed).map(({ case: { name, line }, got }) => [name, line, got]),
    [
      ['wrong rule', 25, { outcome: 'allowed', rule: '/methods/prompts~1get', reason: null }],
      ['wrong', 28, { outcome: 'allowed', rule: '/tools/pay', reason: null }],
    ],
  )
  assert.equal(runs.length, 20)
})

test('a case that is mistyped is refused where it stands', async () => {
  const read = await readPolicyCases(
    'p.test.json',
    bytes(
      '{"cases":[\n{"call":"a","expected":"allowed"},\n{"expect":"denied"},\n{"call":"a","expect":"deny"},' +
        '\n{"method":"resource/read","expect":"allowed"},\n{"method":"tools/call","expect":"allowed"},\n{"method":"resources/*","expect":"allowed"}]}',
    ),
  )
  assert.ok('problems' in read)
  assert.deepEqual(
    read.problems.map(({ line, column, problem }) => `${line}:${column} ${problem}`),
    [
      "2:13 there is no 'expected'; did you mean 'expect'?",
      "2:1 a case needs 'expect'",
      "3:1 a case needs 'call' or 'method'",
      "4:22 'expect' must be one of allowed, denied, hidden, approval, shadow, limited, withheld",
      "5:11 there is no method 'resource/read'; did you mean 'resources/read'?",
      "6:11 a call of a tool is a case of 'call'",
      '7:11 a case is of one method',
    ],
  )
})

test('a comment in cases hides no line that another reader would see', async () => {
  for (const char of ['\r', '\u0085', '\u2028', '\u2029']) {
    const text = `cases:\n  # The first.${char}  - {call: b, expect: denied}\n  - {call: a, expect: denied}\n`
    const read = await readPolicyCases('p.test.yaml', bytes(text))
    assert.ok('problems' in read)
    assert.deepEqual(
      read.problems.map(({ line, column }) => [line, column]),
      [[2, 15]],
    )
  }
})

test('a case that says a name twice, or too large a number, is none: such a call is refused before any policy sees it', async () => {
  const text =
    '{"cases":[{"call":"a","expect":"allowed",\n"args":{"n":[{"m":9,"m":1}]}},\n{"call":"a","expect":"allowed","result":{"n":1,"n":2}},\n{"call":"a","expect":"allowed","args":{"n":[1e400]}}]}'
  const read = await readPolicyCases('p.test.json', bytes(text))
  assert.ok('problems' in read)
  assert.deepEqual(
    read.problems.map(({ line, column, problem }) => `${line}:${column} ${problem}`),
    [
      "2:21 'm' stands there twice",
      "3:48 'n' stands there twice",
      '4:45 no reader can keep this number: such a call is refused',
    ],
  )
})

test('the policy beside a file of cases', () => {
  assert.deepEqual(['a/pay.test.yaml', 'pay.test.json', 'odd.yaml'].map(policyBeside), [
    'a/pay.yaml',
    'pay.json',
    'odd.yaml',
  ])
})

test('a condition on the tool is in doubt of another spelling of its name, and that is said', async () => {
  const denied = { conditions: [{ path: 'tool', op: 'in', value: ['delete_file'] }] }
  const policy = await toolPolicyOf(
    'p.json',
    bytes(JSON.stringify({ version: '1', default: 'allow', all_tools: { deny_if: [denied] } })),
  )
  const read = await readPolicyCases(
    'p.test.yaml',
    bytes(`cases:
  - {call: Delete_File, expect: denied, rule: /all_tools/deny_if/0}
  - {call: delete_files, expect: allowed}
`),
  )
  assert.ok('cases' in read, JSON.stringify(read))
  assert.deepEqual(
    runPolicyCases(policy, read.cases).map(({ passed }) => passed),
    [true, true],
  )
  const { rules } = explainCall(policy, toolCall('Delete_File'))
  assert.deepEqual(rules[0]?.clauses[0]?.tests, [
    { shown: 'tool in ["delete_file"]', outcome: 'doubt', saw: '"Delete_File"', within: [] },
  ])
})

test('an explanation says what each clause saw', () => {
  const { rules, decision, charges } = explainCall(PAY, toolCall('pay', { amount: 51, to: 'x' }))
  assert.equal(decision.allowed, false)
  assert.deepEqual(charges, [])
  assert.deepEqual(rules[0]?.clauses[0], {
    kind: 'require',
    pointer: '/tools/pay/require/0',
    name: null,
    outcome: false,
    tests: [
      {
        shown: 'any',
        outcome: false,
        saw: null,
        within: [
          { shown: 'args.amount lte 50', outcome: false, saw: '51', within: [] },
          {
            shown: 'not',
            outcome: false,
            saw: null,
            within: [{ shown: 'args.to eq "x"', outcome: true, saw: '"x"', within: [] }],
          },
        ],
      },
    ],
  })
  assert.deepEqual(
    rules.map(({ pointer }) => pointer),
    ['/tools/pay', '/all_tools'],
  )
})

const tool = (
  name: string,
  annotations: object = {},
  more: Partial<ListedTool> = {},
): ListedTool => ({
  name,
  description: null,
  annotations: { ...annotations },
  parameters: [],
  ...more,
})

test('a first policy for a server allows nothing by itself', async () => {
  const text = suggestedPolicy('files', [
    tool(
      'write_file',
      {},
      {
        description: 'Writes a file.\n#: {evil}\u0007',
        parameters: [
          { name: 'path', isNeeded: true },
          { name: 'mode', isNeeded: false },
        ],
      },
    ),
    tool('drop', { destructiveHint: true }),
    tool('read_file', { readOnlyHint: true }),
    tool('odd: "name"\n# default: allow', { readOnlyHint: true }),
  ])
  assert.equal(
    text,
    `# What agents may do on this server. Everything that is not allowed here is denied.
# What a tool is like is what the server says of itself: read it as a suggestion.
#   sallyport policy validate FILE    says what is wrong
#   sallyport policy explain FILE TOOL --args JSON    says why a call is allowed or denied

version: "1"
description: "Policy for files"
default: deny
tools:
  # arguments: none
  "drop":
    action: deny
    reason: "The server says that it may destroy."

  # Writes a file. #: {evil}
  # arguments: path, mode?
  "write_file":
    action: require_approval

  # These say that they only read. To allow one, take the sign before its name away.

  # arguments: none
  #"odd: \\"name\\"\\n# default: allow": {}

  # arguments: none
  #"read_file": {}
`,
  )
  const policy = await toolPolicyOf('p.yaml', bytes(text))
  assert.equal(policy.fallback, 'deny')
  const allowed = (name: string) => {
    const decision = decideTool(policy, toolCall(name, {}, { annotations: {} }))
    return decision.allowed && decision.needsApproval === null
  }
  for (const name of ['write_file', 'drop', 'read_file', 'odd: "name"\n# default: allow'])
    assert.equal(allowed(name), false, name)
  assert.deepEqual(
    ['write_file', 'drop', 'read_file'].map((name) => isListed(policy, name)),
    [true, false, false],
  )
})

test('the readers of a first policy are allowed as it says', async () => {
  const reader = tool('read: "it"', { readOnlyHint: true }, { description: 'Reads.' })
  const other = tool('list', { readOnlyHint: true })
  const servers = [[reader, other], [reader, other, tool('drop')], [reader]]
  for (const listed of servers) {
    const text = suggestedPolicy('x', listed)
    assert.equal(await formattedPolicy('p.yaml', bytes(text)), text)
    const needsTools = listed.every(({ annotations }) => annotations['readOnlyHint'] === true)
    assert.equal(text.includes(", and that before 'tools'.\n#tools:\n"), needsTools)
    const tools = text.replace('\n#tools:\n', '\ntools:\n')
    const one = tools.replace(/^( *)#( *)(?="read)/m, '$1$2')
    const all = tools.replaceAll(/^( *)#( *)(?=")/gm, '$1$2')
    for (const [changed, names] of [
      [one, [reader.name]],
      [all, listed.map(({ name }) => name).filter((name) => name !== 'drop')],
    ] as const) {
      const read = await readToolPolicy(bytes(changed), 'yaml')
      assert.ok('policy' in read, JSON.stringify(read))
      const allowed = listed.filter(({ name }) => {
        const decision = decideTool(read.policy, toolCall(name, {}, { annotations: {} }))
        return decision.allowed && decision.needsApproval === null
      })
      assert.deepEqual(
        allowed.map(({ name }) => name),
        names,
      )
    }
  }
})

test('what a server lists twice is in its first policy once, and what no rule can name is not', async () => {
  const text = suggestedPolicy('x', [
    tool('a'),
    tool('b', { readOnlyHint: true }),
    tool('a', { destructiveHint: true }),
    tool('b'),
    tool('a', { readOnlyHint: true }),
    tool('*'),
  ])
  const policy = await toolPolicyOf('p.yaml', bytes(text))
  assert.deepEqual(
    [...policy.tools].map(([name, { action }]) => [name, action]),
    [
      ['a', 'deny'],
      ['b', 'require_approval'],
    ],
  )
  assert.doesNotMatch(text, /only read\. /)
})

test('names of tools in a first policy end no line for any reader', async () => {
  const char = '\u0085\u009b\u2028\u2029'
  const text = suggestedPolicy('x', [
    tool(`w${char}default: allow`),
    tool(`r${char}default: allow`, { readOnlyHint: true }),
  ])
  assert.doesNotMatch(text, /(?!\n)[\p{Cc}\p{Zl}\p{Zp}]/u)
  assert.equal(await formattedPolicy('p.yaml', bytes(text)), text)
  const policy = await toolPolicyOf('p.yaml', bytes(text.replace('#"r', '"r')))
  assert.deepEqual([...policy.tools.keys()], [`w${char}default: allow`, `r${char}default: allow`])
})

test('a server without tools, or with readers only, gets a policy as well', async () => {
  for (const tools of [[], [tool('r', { readOnlyHint: true })]]) {
    const read = await readToolPolicy(bytes(suggestedPolicy('x', tools)), 'yaml')
    assert.ok('policy' in read)
    assert.deepEqual(read.warnings, [])
  }
})

test('the policy of the documentation is one, and its cases hold', async () => {
  const page = await readFile(new URL('../../docs/tool-policies.md', import.meta.url), 'utf8')
  const [, example = ''] = /```json\n([^]*?)```/.exec(page) ?? []
  const [, cases = ''] = /```yaml\n([^]*?)```/.exec(page) ?? []
  const policy = await toolPolicyOf('pay.json', bytes(example))
  const read = await readPolicyCases('pay.test.yaml', bytes(cases))
  assert.ok('cases' in read, JSON.stringify(read))
  assert.equal(read.cases.length, 5)
  assert.deepEqual(
    runPolicyCases(policy, read.cases).filter(({ passed }) => !passed),
    [],
  )
})
