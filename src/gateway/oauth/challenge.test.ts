import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bearerChallenge, scopesIn } from './challenge.ts'

const cases: readonly [what: string, field: string | null, expected: object | null][] = [
  ['no field', null, null],
  ['empty', '', null],
  ['another scheme', 'Basic realm="x"', null],
  ['no parameters', 'Bearer', {}],
  ['the scheme in any case', 'bEARER realm=x', { realm: 'x' }],
  [
    'what MCP servers send',
    'Bearer error="invalid_token", resource_metadata="https://a.example/.well-known/x?a=b,c", scope="a b:c"',
    {
      error: 'invalid_token',
      resource_metadata: 'https://a.example/.well-known/x?a=b,c',
      scope: 'a b:c',
    },
  ],
  ['spaces around', 'Bearer  a = "1" ,  B=2', { a: '1', b: '2' }],
  ['quoted pairs', String.raw`Bearer a="x\"y\\z"`, { a: 'x"y\\z' }],
  ['the first of two', 'Bearer a="1", Bearer a="2"', { a: '1' }],
  ['behind another', 'Basic realm="Bearer a=b", Bearer a="2"', { a: '2' }],
  ['behind credentials', 'Negotiate YII+/==, Bearer a="2"', { a: '2' }],
  ['a name twice counts once', 'Bearer a="1", A="2"', { a: '1' }],
  ['empty elements', ', ,Bearer a="1",, b="2",', { a: '1', b: '2' }],
  ['an end within a string', 'Bearer a="1", b="2', { a: '1' }],
  ['not a field', '\u0000Bearer a="1"', null],
  ['too long', `Bearer a="${'x'.repeat(9_000)}"`, null],
]
for (const [what, field, expected] of cases)
  test(`bearerChallenge: ${what}`, () => {
    const found = bearerChallenge(field)
    assert.deepEqual(found === null ? null : Object.fromEntries(found), expected)
  })

test('scopesIn: each once, in order, without what is none', () => {
  assert.deepEqual(scopesIn('b a  b "c" d\\e f:g/h'), ['b', 'a', 'f:g/h'])
  assert.deepEqual(scopesIn(undefined), [])
})

test('bearerChallenge: a hostile field takes no time', () => {
  const from = performance.now()
  for (const part of [' ,', 'a ', 'a=', 'a="', '\\', 'A'])
    bearerChallenge(`Bearer ${part.repeat(4_000)}`)
  assert.ok(performance.now() - from < 500)
})
