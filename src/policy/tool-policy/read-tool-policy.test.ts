import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readToolPolicy, toolPolicyOf } from './read-tool-policy.ts'

const problemsOf = async (text: string): Promise<readonly string[]> => {
  const read = await readToolPolicy(Buffer.from(text))
  if ('policy' in read) return []
  return read.problems.map(({ line, column, problem }) => `${line}:${column} ${problem}`)
}
const withTool = (rule: string): string =>
  `{"version":"1","default":"deny","tools":{"t":\n${rule}}}`
const withCondition = (condition: string): string =>
  withTool(`{"require":[{"conditions":[\n${condition}]}]}`)
const withLimit = (limit: string): string => withTool(`{"limits":[\n${limit}]}`)

const bad: readonly [what: string, text: string, problems: readonly string[]][] = [
  ['nothing', '', ['1:1 it is not JSON: a value was expected before the end of the file']],
  [
    'no JSON',
    '{"version":"1",\n default:1}',
    ['2:2 it is not JSON: a name in double quotes was expected'],
  ],
  [
    'a control character in a text',
    '{"version":"1","default":"deny","hide":["a\u001f"]}',
    ['1:41 it is not JSON: a text was expected'],
  ],
  ['two values', '{} {}', ['1:4 it is not JSON: the end was expected']],
  ['a list', '[]', ['1:1 a policy must be an object']],
  ['empty', '{}', ["1:1 a policy needs 'version'", "1:1 a policy needs 'default'"]],
  ['version 2', '{"version":"2","default":"deny"}', [`1:12 'version' must be "1"`]],
  ['version as a number', '{"version":1,"default":"deny"}', [`1:12 'version' must be "1"`]],
  [
    'another default',
    '{"version":"1","default":"alow"}',
    ["1:26 'default' must be one of allow, deny; did you mean 'allow'?"],
  ],
  [
    'a mistyped default',
    '{"version":"1",\n  "defualt":"deny"}',
    ["2:3 there is no 'defualt'; did you mean 'default'?", "1:1 a policy needs 'default'"],
  ],
  [
    'hidden for hide',
    '{"version":"1","default":"deny","hidden":[]}',
    ["1:33 there is no 'hidden'; did you mean 'hide'?"],
  ],
  [
    'a name twice',
    '{"version":"1","default":"deny","default":"allow"}',
    ["1:33 'default' stands there twice"],
  ],
  [
    'hide twice',
    '{"version":"1","default":"deny","hide":["a","a"]}',
    ["1:45 'hide' names the tool twice"],
  ],
  [
    'an empty hide',
    '{"version":"1","default":"deny","hide":[""]}',
    ["1:41 'hide' lists names of tools"],
  ],
  [
    'an approval that is waited for too short',
    withTool('{"action":"require_approval","approval_timeout":29}'),
    ["2:49 'approval_timeout' must be a whole number from 30 to 604800"],
  ],
  [
    'an approval that is waited for too long',
    '{"version":"1","default":"deny","all_tools":{"approve_if":[{"conditions":[]}],\n"approval_timeout":604801}}',
    ["2:20 'approval_timeout' must be a whole number from 30 to 604800"],
  ],
  [
    'rules for *',
    '{"version":"1","default":"deny","tools":{"*":{}}}',
    ["1:42 'tools' has names of tools; what holds for all is 'default' and 'all_tools'"],
  ],
  [
    'an unknown key of a tool',
    withTool('{"denyIf":[]}'),
    ["2:2 there is no 'denyIf'; did you mean 'deny_if'?"],
  ],
  [
    'an unknown action',
    withTool('{"action":"ask"}'),
    ["2:11 'action' must be one of allow, deny, hide, shadow, require_approval"],
  ],
  [
    'limits beside deny',
    withTool('{"action":"deny","limits":[]}'),
    ["2:18 'limits' never counts beside the action 'deny'"],
  ],
  [
    'require without conditions',
    withTool('{"require":[{"conditions":[]}]}'),
    ["2:27 'require' without conditions requires nothing"],
  ],
  [
    'a clause without conditions',
    withTool('{"deny_if":[{}]}'),
    ["2:13 an entry of 'deny_if' needs 'conditions'"],
  ],
  [
    'a list of denials of answers that may be meant as one',
    withTool('{"on_result":{"deny_if":[]}}'),
    [`2:25 'deny_if' is empty: to deny always, write [{"conditions": []}], or leave it out`],
  ],
  [
    'elements of a list as other languages name them',
    withCondition('{"path":"args.to[0].lines[12].id","op":"eq","value":1}'),
    ["3:9 'path' has an element of a list: write 'args#/to/0/lines/12/id'"],
  ],
  [
    'all elements of a list',
    withCondition('{"path":"args.to[*].id","op":"eq","value":1}'),
    ["3:9 'path' leads to one value: there is none to all elements of a list"],
  ],
  [
    'rules on answers of clients',
    `{"version":"1","default":"deny","methods":{
"elicitation/create":{"on_result":{"require":[]}},
"notifications/*":{"on_result":{"require":[]}},"notifications/tasks":{"on_result":{"require":[]}},
"roots/list":{"limits":[{"counter":"c","window":"day","max":1,"cost":{"path":"result.n","estimate":1}}]}}}`,
    [
      "2:1 'on_result' never counts there: 'elicitation/create' is answered by no server",
      "3:1 'on_result' never counts there: 'notifications/*' is answered by no server",
      "4:1 a cost of the answer is never known there: 'roots/list' is answered by no server",
    ],
  ],
  [
    'labels as if they were one',
    withCondition('{"path":"labels","op":"not_in","value":["ci"]}'),
    ["3:23 'labels' is a list: 'contains' asks for one of them"],
  ],
  [
    'a path and an operator that are none',
    withCondition('{"path":"arg.a","op":"equals","value":1}'),
    [
      "3:22 'op' must be one of eq, neq, lt, lte, gt, gte, in, not_in, exists, regex, contains",
      "3:9 'path' must begin with args, annotations, principal, labels, client, class, tool, or be a JSON Pointer such as '/to/0'",
    ],
  ],
  [
    'a path without args',
    withCondition('{"path":"amount","op":"exists","value":true}'),
    [
      "3:9 'path' must begin with args, annotations, principal, labels, client, class, tool, or be a JSON Pointer such as '/to/0'",
    ],
  ],
  [
    'an unknown operator',
    withCondition('{"path":"args.a","op":"gtt","value":1}'),
    [
      "3:23 'op' must be one of eq, neq, lt, lte, gt, gte, in, not_in, exists, regex, contains; did you mean 'gt'?",
    ],
  ],
  [
    'lt with a text',
    withCondition('{"path":"args.a","op":"lt","value":"5"}'),
    ["3:36 'lt' needs a number"],
  ],
  [
    'in without a list',
    withCondition('{"path":"args.a","op":"in","value":5}'),
    ["3:36 'in' needs a list of texts, numbers, true, false or null"],
  ],
  [
    'eq without a value',
    withCondition('{"path":"args.a","op":"eq"}'),
    ["3:1 'eq' needs a text, a number, true, false or null"],
  ],
  [
    'exists with 1',
    withCondition('{"path":"args.a","op":"exists","value":1}'),
    ["3:40 'exists' needs true or false"],
  ],
  [
    'a pattern that is none',
    withCondition('{"path":"args.a","op":"regex","value":"(?=x)"}'),
    ['3:39 the pattern is not RE2: invalid or unsupported Perl syntax: `(?=`'],
  ],
  [
    'a huge pattern',
    withCondition(`{"path":"args.a","op":"regex","value":"(a{100}){100}"}`),
    ['3:39 the pattern is not RE2: invalid repeat count: `{100}`'],
  ],
  [
    'a limit without max',
    withLimit('{"counter":"c","window":"hour"}'),
    ["3:1 a limit needs 'max'"],
  ],
  [
    'half a call',
    withLimit('{"counter":"c","window":"hour","max":1.5}'),
    ["3:38 'max' must be a whole number from 0 to 9007199254740991"],
  ],
  [
    'a limit that is too large for what it counts together with',
    withLimit(
      '{"counter":"c","window":"day","max":1,"cost":0.05},{"counter":"c","window":"day","max":900719925474099}',
    ),
    ["3:52 the counter 'c' is counted with 2 digits behind the point: this is too large for it"],
  ],
  [
    'a window that is none',
    withLimit('{"counter":"c","window":"hours","max":1}'),
    ["3:25 'window' must be one of second, minute, hour, day, week, month; did you mean 'hour'?"],
  ],
  [
    'a window of nothing',
    withLimit('{"counter":"c","window":0,"max":1}'),
    ["3:25 'window' must be a whole number from 1 to 31536000"],
  ],
  [
    'a sliding month',
    withLimit('{"counter":"c","window":"month","max":1,"algorithm":"sliding"}'),
    ['3:53 a month has no length to slide'],
  ],
  [
    'a counter with a space',
    withLimit('{"counter":"a b","window":"hour","max":1}'),
    ["3:12 'counter' has 1 to 100 letters, digits and the signs _ . : -"],
  ],
  [
    'a rate limit in words',
    withTool('{"rate_limit":"10/minute"}'),
    ["2:15 'rate_limit' must be an object"],
  ],
]
const NOT_OURS =
  "a method that is not of the protocol has a family of its own, such as 'vendor/run'"
const OF_TOOLS =
  "calls of tools are ruled by 'tools', 'all_tools' and 'default', and the list of tools by 'tools/list'"
const methods: readonly [name: string, problem: string | null][] = [
  ['resources/read', null],
  ['resources/*', null],
  ['ping', null],
  ['notifications/*', null],
  ['notifications/tasks/status', null],
  ['elicitation/create', null],
  ['vendor/run', null],
  ['vendor/tools/run', null],
  ['vendor/*', null],
  ['run', null],
  ['tests/run', null],
  ['notifications/vendor/channel', null],
  ['tools/call', OF_TOOLS],
  ['tools/*', OF_TOOLS],
  ['tools/Call', OF_TOOLS],
  ['tool/*', OF_TOOLS],
  ['TOOLS/CALLS', OF_TOOLS],
  ['resource/read', "there is no method 'resource/read'; did you mean 'resources/read'?"],
  ['resources/raed', "there is no method 'resources/raed'; did you mean 'resources/read'?"],
  ['Resources/Read', "there is no method 'Resources/Read'; did you mean 'resources/read'?"],
  [
    're\u017fources/read',
    "there is no method 're\u017fources/read'; did you mean 'resources/read'?",
  ],
  ['ping/*', "there is no method 'ping/*'; did you mean 'ping'?"],
  ['prompt/get', "there is no method 'prompt/get'; did you mean 'prompts/get'?"],
  ['prompt/*', "there is no method 'prompt/*'; did you mean 'prompts/*'?"],
  [
    'sampling/createmessage',
    "there is no method 'sampling/createmessage'; did you mean 'sampling/createMessage'?",
  ],
  [
    'resources/template/list',
    "there is no method 'resources/template/list'; did you mean 'resources/templates/list'?",
  ],
  [
    'notifications/mesage',
    "there is no method 'notifications/mesage'; did you mean 'notifications/message'?",
  ],
  ['prompts', "there is no method 'prompts'; did you mean 'prompts/*'?"],
  ['pings', "there is no method 'pings'; did you mean 'ping'?"],
  ['prompts/render', `there is no method 'prompts/render'; ${NOT_OURS}`],
  ['notifications/channel', `there is no method 'notifications/channel'; ${NOT_OURS}`],
  ['Notifications/vendor/x', `there is no method 'Notifications/vendor/x'; ${NOT_OURS}`],
  ['resources/read/*', "a method is named as it is, or its family: 'resources/*'"],
  ['*', "a method is named as it is, or its family: 'resources/*'"],
]
for (const [name, problem] of methods)
  test(`a rule for the method '${name}' ${problem === null ? 'is one' : 'is refused'}`, async () => {
    const text = `{"version":"1","default":"allow","methods":{\n ${JSON.stringify(name)}:{}}}`
    assert.deepEqual(await problemsOf(text), problem === null ? [] : [`2:2 ${problem}`])
  })

for (const [what, text, problems] of bad)
  test(`a policy is refused: ${what}`, async () => {
    assert.deepEqual(await problemsOf(text), problems)
  })

test('all that is wrong is told at once', async () => {
  assert.deepEqual(
    await problemsOf('{"version":"1","default":"x","tools":{"t":{"requires":[],"limits":1}}}'),
    [
      "1:26 'default' must be one of allow, deny",
      "1:44 there is no 'requires'; did you mean 'require'?",
      "1:67 'limits' must be a list",
    ],
  )
})

test('what nests deeply or is large is refused', async () => {
  assert.match((await problemsOf('['.repeat(100)))[0] ?? '', /nested deeper than 64 levels$/)
  assert.deepEqual(await problemsOf(' '.repeat(1_048_577)), [
    '1:1 the file is larger than 1048576 bytes',
  ])
  const read = await readToolPolicy(Uint8Array.of(0xff))
  assert.ok('problems' in read)
})

test('a fault names the file, the place and how much more there is', async () => {
  await assert.rejects(toolPolicyOf('p.json', Buffer.from('{}')), {
    code: 'BAD_INPUT',
    message: "p.json:1:1: a policy needs 'version'. 1 more: sallyport policy validate.",
  })
})

test('limits: the defaults, and the short form in seconds by session', async () => {
  const policy = await toolPolicyOf(
    'p.json',
    Buffer.from(
      '{"version":"1","default":"allow","list_denied":true,' +
        '"all_tools":{"limits":[{"counter":"all","window":"day","max":0}]},' +
        '"tools":{"a/b":{"limits":[{"counter":"c","window":"hour","max":5,"scope":"server","on_deny":"no"}],' +
        '"rate_limit":{"max":10,"window":60}}}}',
    ),
  )
  assert.equal(policy.listsDenied, true)
  assert.deepEqual(policy.allTools.limits, [
    {
      counter: 'all',
      window: 'day',
      max: 0,
      scope: 'grant',
      algorithm: 'calendar',
      scale: 0,
      cost: { kind: 'fixed', units: 1 },
      onDeny: null,
      name: null,
      pointer: '/all_tools/limits/0',
    },
  ])
  assert.deepEqual(policy.tools.get('a/b')?.limits, [
    {
      counter: 'c',
      window: 'hour',
      max: 5,
      scope: 'server',
      algorithm: 'sliding',
      scale: 0,
      cost: { kind: 'fixed', units: 1 },
      onDeny: 'no',
      name: null,
      pointer: '/tools/a~1b/limits/0',
    },
    {
      counter: 'rate_limit of tools/a/b',
      window: 60,
      max: 10,
      scope: 'session',
      algorithm: 'sliding',
      scale: 0,
      cost: { kind: 'fixed', units: 1 },
      onDeny: null,
      name: null,
      pointer: '/tools/a~1b/rate_limit',
    },
  ])
})

test('documents that are made to be slow are read in time', async () => {
  const condition = '{"path":"args.a","op":"eq","value":1}'
  const names = (count: number) => Array.from({ length: count }, (_, at) => `"k${at}":1`).join()
  const texts = [
    `{${names(60_000)}}`,
    withTool(`{"require":[{"conditions":[${Array(20_000).fill(condition).join()}]}]}`),
    `{"version":"1","default":"deny","hide":[${Array(100_000).fill('"a"').join()}]}`,
    `{"version":"1","default":"deny","tools":${'{"a":'.repeat(60)}${'}'.repeat(60)}`,
  ]
  for (const text of texts) {
    const before = process.cpuUsage()
    const read = await readToolPolicy(Buffer.from(text))
    const { user, system } = process.cpuUsage(before)
    assert.ok(user + system < 3_000_000, `${text.slice(0, 40)} took ${user + system} µs`)
    if ('problems' in read) assert.ok(read.problems.length <= 1_000)
  }
})
