import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fault, isFault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'
import { judge, type Permission } from './path-policy.ts'
import { parseProjectFile } from './project-file.ts'
import { DEFAULT_AGENT_POLICIES, type ProjectFileName, policiesOf } from './project-list.ts'

const parse = (text: string, name: ProjectFileName = '.sallyport.yml') =>
  parseProjectFile(name, Buffer.from(text))

test('parseProjectFile: allow and run', () =>
  assert.deepEqual(
    parse('version: 1\nallow:\n  - API_KEY\n  - "db/**"\nrun: [DEPLOY_*] # for make\n'),
    { allow: ['API_KEY', 'db/**'], run: ['DEPLOY_*'], warnings: [] },
  ))

test('parseProjectFile: nothing in it allows nothing', () => {
  for (const text of ['', '# only a comment\n', '---\n', 'allow:\n', 'allow: []\nrun: []\n', '{}'])
    assert.deepEqual(parse(text), { allow: [], run: [], warnings: [] }, text)
})

test('parseProjectFile: a byte order mark and CRLF', () =>
  assert.deepEqual(parse('\ufeffallow:\r\n  - A\r\n').allow, ['A']))

test('parseProjectFile: .claude/secrets.yml takes "*" for everything', () => {
  assert.deepEqual(parse('allow: "*"\n', '.claude/secrets.yml').allow, ['**'])
  assert.deepEqual(parse('allow: ["*"]\n', '.claude/secrets.yml').allow, ['*'])
})

test('parseProjectFile: inject_values is ignored with a warning', () => {
  const list = parse('allow: [A]\ninject_values: true\n', '.claude/secrets.yml')
  assert.deepEqual(list.allow, ['A'])
  assert.deepEqual(list.warnings, [
    ".claude/secrets.yml: 'inject_values' is ignored; values are never put into a conversation.",
  ])
})

test('parseProjectFile: a glob that matches nothing is warned of', () => {
  const list = parse('allow:\n  - A\n  - "!prod/**"\n')
  assert.deepEqual(list.allow, ['A', '!prod/**'])
  assert.equal(list.warnings.length, 1)
  assert.match(
    list.warnings[0] ?? '',
    /^\.sallyport\.yml:3: the pattern '!prod\/\*\*' matches nothing/,
  )
})

test('parseProjectFile: what is wrong is a line to read, however long that of the file is', () =>
  assert.throws(() => parse(`!${'x'.repeat(60_000)} a`), {
    code: 'BAD_INPUT',
    message: /^\.sallyport\.yml:1:1: Unresolved tag: !x{300,400}…\.$/,
  }))

test('parseProjectFile: names of Object.prototype are plain', () =>
  assert.deepEqual(parse('allow: [constructor, __proto__]').allow, ['constructor', '__proto__']))

const bad: readonly [what: string, text: string, line: number, column: number, says: string][] = [
  ['not YAML', 'allow: [a\n', 2, 1, 'must be sufficiently indented'],
  ['a tab', 'allow:\n\t- a\n', 2, 1, 'Tabs are not allowed'],
  ['a list', '- a\n', 1, 1, 'must be a map'],
  ['text', 'API_KEY\n', 1, 1, 'must be a map'],
  ['a key twice', 'allow: [a]\nallow: [b]\n', 2, 1, "'allow' is there twice"],
  ['a typo', 'alow: [a]\n', 1, 1, "the key 'alow' is not known; did you mean 'allow'?"],
  ['upper case', 'version: 1\nAllow: [a]\n', 2, 1, "did you mean 'allow'?"],
  ['another word', 'secrets: [a]\n', 1, 1, "there are 'version', 'allow', 'run'"],
  ['deny', 'deny: [a]\n', 1, 1, "the key 'deny' is not known"],
  ['__proto__', '__proto__: {allow: [a]}\n', 1, 1, "the key '__proto__' is not known"],
  ['a merge', '<<: {allow: [a]}\n', 1, 1, "the key '<<' is not known"],
  ['a carriage return alone', 'allow: [] # as\rrun: [DEPLOY]\n', 1, 15, 'a raw U+000D ends a line'],
  ['an older line end', 'allow:\n  - a # b\u2028  - c\n', 2, 10, 'a raw U+2028 ends a line'],
  ['an anchor', 'allow: &x [a]\n', 1, 11, 'anchors are not allowed'],
  ['an alias', 'allow: [a]\nrun: *x\n', 2, 6, 'aliases are not allowed'],
  ['an alias that exists', 'allow: &x [a]\nrun: *x\n', 1, 11, 'anchors are not allowed'],
  ['an alias as a glob', 'allow: [&x a, *x]\n', 1, 12, 'anchors are not allowed'],
  ['a tag', 'allow:\n  - !foo b\n', 2, 5, 'Unresolved tag'],
  ['a known tag', 'allow:\n  - !!str b\n', 2, 11, 'tags are not allowed'],
  ['a key that is a list', '? [a]\n: b\n', 1, 3, 'a key must be one of'],
  ['two documents', 'allow: [a]\n---\nallow: [b]\n', 2, 1, 'multiple documents'],
  ['a wrong version', 'version: 2\n', 1, 10, "'version' must be 1"],
  ['a version in quotes', 'version: "1"\n', 1, 10, "'version' must be 1"],
  ['text for a list', 'allow: API_KEY\n', 1, 8, "'allow' must be a list of globs"],
  ['"*" for a list', 'allow: "*"\n', 1, 8, "'allow' must be a list of globs"],
  ['a number', 'allow:\n  - 1234\n', 2, 5, 'must be text; put it in quotes'],
  ['true', 'run: [true]\n', 1, 7, 'must be text; put it in quotes'],
  ['a list in the list', 'run: [[a]]\n', 1, 7, 'must be text; put it in quotes'],
  ['an empty item', 'allow:\n  -\n', 2, 4, 'must be text; put it in quotes'],
  ['a bad glob', 'allow:\n  - a\n  - b//c\n', 3, 5, "pattern 'b//c' has an empty segment"],
  ['a NUL', 'allow: ["a\\0"]\n', 1, 9, 'has a control character'],
]
for (const [what, text, line, column, says] of bad)
  test(`parseProjectFile: refuses ${what}`, () => {
    const fault = refusal(text)
    assert.ok(fault.message.startsWith(`.sallyport.yml:${line}:${column}: `), fault.message)
    assert.ok(fault.message.includes(says), fault.message)
    assert.deepEqual(fault.details, { file: '.sallyport.yml', line, column })
  })

function refusal(text: string | Uint8Array, name: ProjectFileName = '.sallyport.yml'): Fault {
  try {
    parseProjectFile(name, Buffer.from(text))
  } catch (error) {
    assert.ok(isFault(error, 'BAD_INPUT'))
    return error
  }
  return assert.fail('it was taken')
}

test('parseProjectFile: run belongs in .sallyport.yml', () =>
  assert.match(
    refusal('allow: [a]\nrun: [b]\n', '.claude/secrets.yml').message,
    /^\.claude\/secrets\.yml:2:1: the key 'run' is not known; it belongs in \.sallyport\.yml/,
  ))

test('parseProjectFile: limits', () => {
  const globs = (count: number) => `allow: [${Array.from({ length: count }, () => 'a').join(',')}]`
  assert.equal(parse(globs(1000)).allow.length, 1000)
  assert.match(refusal(globs(1001)).message, /more than 1000 globs/)
  assert.match(refusal(`#${' '.repeat(65_536)}`).message, /larger than 65536 bytes/)
  assert.equal(parse(`#${' '.repeat(65_535)}`).allow.length, 0)
  assert.match(refusal(Buffer.from([0x61, 0xff])).message, /not UTF-8/)
})

test('parseProjectFile: hostile files are refused soon', () => {
  const hostile = [
    '['.repeat(65_000),
    '{'.repeat(65_000),
    '- '.repeat(32_000),
    '? '.repeat(32_000),
    Array.from({ length: 7000 }, (_, i) => `k${i}: 1`).join('\n'),
    `${'x'.repeat(65_000)}: 1`,
    `a: ${'&a '.repeat(20_000)}`,
  ]
  const start = monotonicMs()
  for (const text of hostile) refusal(text)
  assert.ok(monotonicMs() - start < 5000)
})

const rights: readonly [path: string, permission: Permission, allowed: boolean][] = [
  ['api/stripe', 'list', true],
  ['api/stripe', 'read', true],
  ['api/stripe', 'write', true],
  ['api/stripe', 'delete', true],
  ['api/stripe', 'use', true],
  ['deploy', 'list', true],
  ['deploy', 'use', true],
  ['deploy', 'read', false],
  ['deploy', 'write', false],
  ['deploy', 'delete', false],
  ['deploy', 'create', true],
  ['other', 'list', false],
  ['other', 'read', false],
  ['other', 'use', false],
  ['other', 'write', false],
  ['other', 'create', true],
  ['other', 'ask', true],
]
const approved = policiesOf({ allow: ['api/**'], run: ['deploy'], warnings: [] })
for (const [path, permission, allowed] of rights)
  test(`policiesOf: an approved list ${allowed ? 'allows' : 'denies'} ${permission} ${path}`, () =>
    assert.equal(judge(approved, path, permission).allowed, allowed))

test('policiesOf: without an approved list names may be seen, stored and asked for, not read', () => {
  assert.equal(policiesOf(null), DEFAULT_AGENT_POLICIES)
  const allowed = (permission: Permission) =>
    judge(DEFAULT_AGENT_POLICIES, 'api/stripe', permission).allowed
  assert.deepEqual(
    (['list', 'create', 'ask', 'read', 'write', 'delete', 'use'] as const).map(allowed),
    [true, true, true, false, false, false, false],
  )
})

test('policiesOf: the reason names the glob', () =>
  assert.equal(judge(approved, 'api/stripe', 'read').by, 'project-allow:api/**'))
