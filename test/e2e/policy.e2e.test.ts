import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { homeEnvironment, LAUNCHER, temporaryHome } from '../support/serving.ts'

const ECHO = join(import.meta.dirname, '../support/echo-server.mjs')
const { home, remove } = await temporaryHome()
after(remove)

const good = join(home, 'good.json')
const bad = join(home, 'bad.json')
await writeFile(good, '{"version":"1","default":"deny","tools":{"read_file":{}}}')
await writeFile(bad, '{\n  "version": "1",\n  "defualt": "deny"\n}')

const pay = join(home, 'pay.yaml')
await writeFile(
  pay,
  `# Money.
tools:
  pay:
    limits: [{max: 100, counter: spend, window: day, cost: {path: args.amount, scale: 2}}]
    require:
      - {conditions: [{path: args.amount, op: lte, value: 50}], on_deny: Too much., name: small}
default: deny
version: "1"
`,
)

const validate = (...args: readonly string[]) =>
  spawnSync(process.execPath, [LAUNCHER, 'policy', 'validate', ...args], {
    env: homeEnvironment(home),
    encoding: 'utf8',
  })

test('a policy that is right is said to be', () => {
  const { status, stdout } = validate(good)
  assert.deepEqual([status, stdout], [0, 'Policy file is valid.\n'])
})

test('one that is wrong is told with line and column, and fails', () => {
  const { status, stdout } = validate(good, bad)
  assert.deepEqual(
    [status, stdout],
    [
      1,
      `${bad}:3:3: there is no 'defualt'; did you mean 'default'?\n${bad}:1:1: a policy needs 'default'\n`,
    ],
  )
  const json = JSON.parse(validate(bad, '--json').stdout) as {
    valid: boolean
    files: { problems: { line: number }[] }[]
  }
  assert.equal(json.valid, false)
  assert.deepEqual(
    json.files[0]?.problems.map(({ line }) => line),
    [3, 1],
  )
})

test('a file that is not there is bad input', () => {
  const { status, stderr } = validate(join(home, 'none.json'))
  assert.equal(status, 2)
  assert.match(stderr, /There is no file '/)
})

const policy = (...args: readonly string[]) =>
  spawnSync(process.execPath, [LAUNCHER, 'policy', ...args], {
    env: homeEnvironment(home),
    encoding: 'utf8',
  })

test('explain says which rule denies, what it saw and what would be counted', async () => {
  const denied = policy('explain', pay, 'pay', '--args', '{"amount":60}')
  assert.deepEqual(
    [denied.status, denied.stdout],
    [
      1,
      `pay is denied.
  by      /tools/pay/require/0 (small)
  reason  Too much.

/tools/pay/require/0 (small): not met
  args.amount lte 50: not met, saw 60
`,
    ],
  )
  const allowed = policy('explain', pay, 'pay', '--args', '{"amount":9.99}')
  assert.deepEqual(
    [allowed.status, allowed.stdout],
    [
      0,
      `pay is allowed.
  by      /tools/pay

/tools/pay/require/0 (small): met
  args.amount lte 50: met, saw 9.99

counted as
  9.99 of 100 in a day (calendar), 'spend' by grant: /tools/pay/limits/0
`,
    ],
  )
  const hiding = join(home, 'hiding.json')
  await writeFile(
    hiding,
    JSON.stringify({
      version: '1',
      default: 'deny',
      hide: ['drop'],
      tools: { drop: { deny_if: [{ conditions: [] }] } },
      all_tools: {
        require: [{ conditions: [{ path: 'args.n', op: 'lte', value: 5 }] }],
        limits: [{ counter: 'all', window: 'day', max: 9 }],
      },
    }),
  )
  const hidden = policy('explain', hiding, 'drop', '--args', '{"n":4}')
  assert.deepEqual(
    [hidden.status, hidden.stdout],
    [
      1,
      `drop is hidden: answered as a tool that is not there.
  by      (hidden)
  reason  There is no such tool.

As a tool that nothing names, it is allowed.
  by      /default

/all_tools/require/0: met
  args.n lte 5: met, saw 4

counted as
  1 of 9 in a day (calendar), 'all' by grant: /all_tools/limits/0
`,
    ],
  )
  assert.match(
    policy('explain', hiding, 'drop', '--args', '{"n":6}').stdout,
    /\nAs a tool that nothing names, it is denied\.\n {2}by {6}\/all_tools\/require\/0\n/,
  )
  const json = JSON.parse(policy('explain', pay, 'other', '--json').stdout) as { rule: string }
  assert.equal(json.rule, '/default')
  const bad = policy('explain', pay, 'pay', '--args', '[1]')
  assert.equal(bad.status, 2)
  assert.match(bad.stderr, /--args must be an object/)
  for (const [args, ...method] of [
    ['{"n":9,"n":1}'],
    ['{"a":[{"n":9,"n":1}]}'],
    ['{"uri":"a","uri":"b"}', '--method'],
  ] as const) {
    const twice = policy('explain', pay, 'pay', '--args', args, ...method)
    assert.equal(twice.status, 2)
    assert.match(twice.stderr, /The gateway refuses this call\. A name stands twice in an object/)
  }
  const lines = policy('explain', pay, 'pay', '--args', '{\n "amount": 9.99\n}')
  assert.equal(lines.status, 0)
})

test('explain says nothing of what no policy judges as such, and takes no day that is none', () => {
  const cases: readonly [args: readonly string[], said: RegExp | null][] = [
    [['resources/read', '--method'], null],
    [['sampling/createMessage', '--method'], null],
    [['notifications/progress', '--method'], null],
    [['vendor/run', '--method'], null],
    [['Resources/read', '--method'], /refuses this method before any policy sees it/],
    [['resources//read', '--method'], /refuses this method/],
    [['Tools/call', '--method'], /refuses this method/],
    [['Notifications/initialized', '--method'], /refuses this method/],
    [['tools/call', '--method'], /judged by 'tools'.*\n.*leave --method out/],
    [['pay', '--at', '2026-02-28T10:00:00Z'], null],
    [['pay', '--at', '2026-02-30T10:00:00Z'], /--at must be an instant/],
  ]
  for (const [args, said] of cases) {
    const { status, stderr } = policy('explain', pay, ...args)
    assert.equal(status === 2, said !== null, args.join(' '))
    assert.match(stderr, said ?? /^$/)
  }
})

test('explain says of a call that no count lets pass what test says of it', async () => {
  const file = join(home, 'narrow.json')
  const limits = (max: number) => [
    { counter: 'spend', window: 'day', max, cost: 'args.amount', on_deny: 'Over budget.' },
  ]
  await writeFile(
    file,
    JSON.stringify({
      version: '1',
      default: 'deny',
      tools: {
        costly: { limits: limits(10), action: 'require_approval' },
        never: { rate_limit: { max: 0, window: 60 } },
        watched: { limits: limits(10), action: 'shadow' },
      },
    }),
  )
  const cases: readonly [
    tool: string,
    amount: number,
    expect: string,
    rule: string | null,
    reason: string | null,
  ][] = [
    ['costly', 11, 'limited', '/tools/costly/limits/0', 'Over budget.'],
    ['costly', 10, 'approval', '/tools/costly/action', 'A person has to allow this.'],
    ['never', 1, 'limited', '/tools/never/rate_limit', null],
    ['watched', 11, 'shadow', '/tools/watched/limits/0', 'Over budget.'],
    ['watched', 10, 'allowed', '/tools/watched', null],
  ]
  for (const [tool, amount, expect, rule, reason] of cases) {
    const args = JSON.stringify({ amount })
    const { status, stdout } = policy('explain', file, tool, '--args', args, '--json')
    const { verdict, shadow, ...by } = JSON.parse(stdout) as {
      verdict: string
      rule: string
      reason: string | null
      shadow: { rule: string; reason: string; would_be: string } | null
    }
    const isShadow = expect === 'shadow'
    assert.equal(verdict, isShadow ? 'allowed' : expect, `${tool} ${amount}`)
    assert.equal(status, verdict === 'allowed' ? 0 : 1)
    assert.equal(shadow?.would_be, isShadow ? 'limited' : undefined)
    const told = shadow ?? by
    assert.deepEqual([told.rule, told.reason], [rule, reason])
  }
  await writeFile(
    join(home, 'narrow.test.json'),
    JSON.stringify({
      cases: cases.map(([call, amount, expect, rule]) => ({
        call,
        args: { amount },
        expect,
        rule,
      })),
    }),
  )
  assert.equal(policy('test', join(home, 'narrow.test.json')).status, 0)
  assert.match(
    policy('explain', file, 'never').stdout,
    /^never does not fit in its limit, whatever was counted\.\n {2}by {6}\/tools\/never\/rate_limit\n/,
  )
  assert.match(
    policy('explain', file, 'watched', '--args', '{"amount":11}').stdout,
    /\n {2}shadow {2}without it out of its limit, by \/tools\/watched\/limits\/0: Over budget\.\n/,
  )
})

test('cases beside a policy are run, and what came otherwise is shown', async () => {
  const cases = join(home, 'pay.test.yaml')
  await writeFile(
    cases,
    `cases:
  - {call: pay, args: {amount: 50}, expect: allowed}
  - {name: large, call: pay, args: {amount: 51}, expect: allowed}
`,
  )
  const { status, stdout } = policy('test', cases)
  assert.deepEqual(
    [status, stdout],
    [
      1,
      `${cases}:3: large
  - allowed
  + denied by /tools/pay/require/0 "Too much."
1 of 2 cases failed.
`,
    ],
  )
  await writeFile(cases, 'cases: [{call: pay, args: {amount: 50}, expect: allowed}]')
  const passed = policy('test', cases)
  assert.deepEqual([passed.status, passed.stdout], [0, '1 case passed.\n'])
  await writeFile(
    cases,
    'cases:\n  - {call: pay, expected: allowed}\n  - {call: pay, expect: deny}\n',
  )
  assert.ok(
    policy('test', cases).stderr.includes(
      `${cases}:2:17: there is no 'expected'; did you mean 'expect'? 2:5: a case needs 'expect'. 3:25: 'expect' must be one of`,
    ),
  )
  await writeFile(cases, 'cases: []')
  const none = policy('test', cases)
  assert.deepEqual([none.status, none.stdout], [2, ''])
  assert.match(none.stderr, /1:8.* 'cases' tries nothing: give it a case, such as \{call: /)
})

test('fmt changes what is not in form, once, and says so', async () => {
  assert.equal(policy('fmt', '--check', pay).status, 1)
  assert.deepEqual(policy('fmt', pay).stdout, `changed: ${pay}\n`)
  assert.equal(
    await readFile(pay, 'utf8'),
    `version: "1"
default: deny
# Money.
tools:
  pay:
    require:
      - {name: small, conditions: [{path: args.amount, op: lte, value: 50}], on_deny: Too much.}
    limits: [{counter: spend, window: day, max: 100, cost: {path: args.amount, scale: 2}}]
`,
  )
  const again = policy('fmt', '--check', pay)
  assert.deepEqual([again.status, again.stdout], [0, 'Nothing to change.\n'])
})

test('convert writes the other form, or says why there is none', () => {
  const { status, stdout, stderr } = policy('convert', pay)
  assert.equal(status, 0)
  assert.equal((JSON.parse(stdout) as { default: string }).default, 'deny')
  assert.match(stderr, /Comments are not kept/)
  const hosted = policy('convert', pay, '--to', 'hosted')
  assert.deepEqual([hosted.status, hosted.stdout], [1, ''])
  assert.match(hosted.stderr, /pay\.yaml:\d+:\d+: 'cost' is not known there/)
  // What would be in it no tool could read again by its name.
  for (const [name, file, ...to] of [
    ['x.json', pay, '--to', 'yaml'],
    ['x.JSON', good],
  ] as const) {
    const out = join(home, name)
    const refused = policy('convert', file, ...to, '-o', out)
    assert.deepEqual([refused.status, existsSync(out)], [2, false])
    assert.match(refused.stderr, /written in YAML: '.*' would be read as JSON/)
  }
  for (const [file, to, name] of [
    [pay, 'json', 'kept.json'],
    [good, 'yaml', 'kept.yaml'],
    [pay, 'yaml', 'kept'],
  ] as const) {
    assert.equal(policy('convert', file, '--to', to, '-o', join(home, name)).status, 0)
    assert.equal(validate(join(home, name)).status, 0)
  }
})

test('warnings are told beside what is valid, and wrong with --strict', async () => {
  const file = join(home, 'session.json')
  await writeFile(
    file,
    '{"version":"1","default":"deny","tools":{"t":{"rate_limit":{"max":1,"window":60}}}}',
  )
  const { status, stdout, stderr } = validate(file)
  assert.deepEqual([status, stdout], [0, 'Policy file is valid.\n'])
  assert.match(stderr, /session\.json:1:60: a client can begin a new session/)
  assert.equal(validate(file, '--strict').status, 1)
})

test('init asks a server for its tools and allows none of them by itself', async () => {
  const file = join(home, 'echo.yaml')
  const { status, stderr } = policy('init', '-o', file, '--', process.execPath, ECHO)
  assert.equal(status, 0, stderr)
  const text = await readFile(file, 'utf8')
  assert.match(text, /^ {2}# Answers what it was sent\.\n {2}# arguments: text\n {2}"echo":$/m)
  assert.equal(validate(file).status, 0)
  assert.equal(policy('explain', file, 'echo').status, 1)
  assert.equal(policy('init', '-o', file, '--', process.execPath, ECHO).status, 6)
  const gone = policy('init', '--', process.execPath, '-e', 'process.exit(3)')
  assert.equal(gone.status, 7)
  assert.match(gone.stderr, /ended before it listed its tools \(exit code 3\)/)
  assert.equal(policy('init').status, 2)
})
