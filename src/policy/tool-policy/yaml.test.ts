import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toolCall } from '../../../test/support/tool-calls.ts'
import { decideTool } from './decide.ts'
import type { ToolPolicy } from './model.ts'
import { formatOf, readToolPolicy } from './read-tool-policy.ts'

const read = (text: string) => readToolPolicy(Buffer.from(text), 'yaml')
async function problemsOf(text: string): Promise<readonly string[]> {
  const one = await read(text)
  if ('policy' in one) return []
  return one.problems.map(({ line, column, problem }) => `${line}:${column} ${problem}`)
}
async function policyOf(text: string): Promise<ToolPolicy> {
  const one = await read(text)
  return 'policy' in one ? one.policy : assert.fail(JSON.stringify(one.problems))
}
const decide = (policy: ToolPolicy, tool: string, args: object = {}) =>
  decideTool(policy, toolCall(tool, args))

const HEAD = 'version: "1"\ndefault: deny\n'

const doubtful: [what: string, text: string, problem: string][] = [
  ['an anchor', `${HEAD}hide: &a [x]`, '3:10 anchors are not allowed'],
  ['an alias', `${HEAD}hide: [*a]`, '3:8 aliases are not allowed; write it out'],
  ['an alias of an anchor', 'a: &a 1\nb: *a', '1:7 anchors are not allowed'],
  ['a merge key', `${HEAD}tools:\n  <<: {a: {}}`, '4:3 merge keys are not allowed; write them out'],
  ['a tag', `${HEAD}hide: !!set {a}`, '3:13 tags are not allowed; put a text in quotes'],
  ['a tag of its own', `${HEAD}description: !x y`, '3:14 it is not YAML: Unresolved tag: !x'],
  [
    'two documents',
    `${HEAD}---\n${HEAD}`,
    '3:1 it is not YAML: Source contains multiple documents; please use YAML.parseAllDocuments()',
  ],
  ['a directive', `%YAML 1.1\n---\n${HEAD}`, '1:1 directives are not allowed'],
  ['a tab', 'tools:\n\tx: 1', '2:1 it is not YAML: Tabs are not allowed as indentation'],
  [
    'a name that is no text',
    `${HEAD}tools:\n  1: {}`,
    '4:3 a name must be a text; put it in quotes',
  ],
  ['a name that is a map', `${HEAD}? {a: 1}\n: 2`, '1:1 a name must be a text; put it in quotes'],
  [
    'a plain yes',
    `${HEAD}list_denied: yes`,
    '3:14 not all readers take this for a text; put it in quotes',
  ],
  [
    'an octal number',
    `${HEAD}tools: {t: {limits: [{max: 010}]}}`,
    '3:28 a number is written as in JSON; a text is put in quotes',
  ],
  [
    'a hexadecimal number',
    `${HEAD}tools: {t: {limits: [{max: 0x10}]}}`,
    '3:28 a number is written as in JSON; a text is put in quotes',
  ],
  [
    'infinity',
    `${HEAD}tools: {t: {limits: [{max: .inf}]}}`,
    '3:28 a number is written as in JSON; a text is put in quotes',
  ],
  [
    'minutes of sixty seconds',
    `${HEAD}description: 1:30`,
    '3:14 not all readers take this for a text; put it in quotes',
  ],
  [
    'digits with signs between',
    `${HEAD}description: 1_000`,
    '3:14 not all readers take this for a text; put it in quotes',
  ],
]
for (const [char, code] of [
  ['\r', '000d'],
  ['\u0085', '0085'],
  ['\u2028', '2028'],
  ['\u2029', '2029'],
] as const) {
  const said = `a raw U+${code.toUpperCase()} ends a line for some readers only; take it out, or write \\u${code} in double quotes`
  doubtful.push(
    [
      `U+${code} in a comment`,
      `version: "1"\n# Denied.${char}default: deny\ntools: {}\n`,
      `2:10 ${said}`,
    ],
    [`U+${code} in a plain text`, `${HEAD}description: a${char}b\n`, `3:15 ${said}`],
    [`U+${code} in quotes`, `${HEAD}tools:\n  "a${char}b": {}\n`, `4:5 ${said}`],
    [`U+${code} at the end`, `${HEAD}tools: {}${char}`, `3:10 ${said}`],
  )
}
for (const [what, text, problem] of doubtful)
  test(`YAML that says two things is refused: ${what}`, async () => {
    assert.deepEqual(await problemsOf(text), [problem])
  })

test('what ends a line for some readers is read where it is written as an escape', async () => {
  const policy = await policyOf(`${HEAD}tools:\r\n  "a\\r\\u0085\\u2028\\u2029": {}\r\n`)
  assert.deepEqual([...policy.tools.keys()], ['a\r\u0085\u2028\u2029'])
})

test('a name that stands there twice is refused, at the second', async () => {
  assert.deepEqual(await problemsOf(`${HEAD}tools:\n  a: {}\n  a: {}`), [
    "5:3 'a' stands there twice",
  ])
})

test('what is nested a hundred thousand deep is refused at once', async () => {
  for (const text of ['[', '- ', '{a: '].map((one) => one.repeat(100_000))) {
    const problems = await problemsOf(text)
    assert.equal(problems.length, 1)
  }
})

test('our own keys may be written in YAML, numbers to the last digit', async () => {
  const policy = await policyOf(
    `${HEAD}tools:\n  pay:\n    require:\n      - conditions:\n          - {path: args.amount, op: lte, value: 0.1000000000000000001}\n`,
  )
  assert.equal(decide(policy, 'pay', { amount: 0.1 }).allowed, true)
  assert.equal(decide(policy, 'pay', { amount: 0.2 }).allowed, false)
})

test('a default that is left out allows in YAML, with a warning, and is an error in JSON', async () => {
  const one = await read('version: "1"\ntools: {}')
  assert.ok('policy' in one)
  assert.equal(one.policy.fallback, 'allow')
  assert.deepEqual(one.warnings, [
    {
      line: 1,
      column: 1,
      problem: "there is no 'default': every tool that is not named is allowed",
    },
  ])
  assert.ok('problems' in (await readToolPolicy(Buffer.from('{"version":"1"}'))))
})

test('the format is that of the ending, else of the first character', () => {
  const formats = (
    [
      ['p.json', 'a: 1'],
      ['p.yaml', '{}'],
      ['p.YML', '{}'],
      ['name', ' \n{}'],
      ['name', ''],
      ['name', '\ufeff{"version":"1"}'],
      ['name', 'version: "1"'],
    ] as const
  ).map(([file, text]) => formatOf(file, Buffer.from(text)))
  assert.deepEqual(formats, ['json', 'yaml', 'yaml', 'json', 'json', 'json', 'yaml'])
})

const LONG = 'x'.repeat(900_000)
for (const [what, text] of [
  ['a tag', `!${LONG} a`],
  ['a directive', `%${LONG}\n---\na: 1`],
  ['the header of a text', `a: |${LONG}\n`],
] as const)
  test(`what is said of ${what} of a megabyte is a line to read`, async () => {
    const [problem = ''] = await problemsOf(text)
    assert.match(problem, /^1:\d+ it is not YAML: .*…$/)
    assert.ok(problem.length < 500, `${problem.length} characters`)
  })
