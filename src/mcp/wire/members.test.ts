import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onOneLine, sortedMembers, withMembers } from './members.ts'

const cases: readonly [
  what: string,
  text: string,
  edits: Record<string, string | null>,
  now: string,
][] = [
  ['nothing', ' { "a" : 1.0 } ', {}, '{"a" : 1.0}'],
  ['another value', '{"a":1,"b":2}', { a: '[]' }, '{"a":[],"b":2}'],
  ['a new one', '{"a":1e3}', { b: '2' }, '{"a":1e3,"b":2}'],
  ['the first one', '{}', { b: '2' }, '{"b":2}'],
  ['one taken out', '{"a":1,"b":2,"c":3}', { b: null }, '{"a":1,"c":3}'],
  ['the last one taken out', '{"b":{"b":1}}', { b: null }, '{}'],
  ['what is not there', '{"a":1}', { b: null }, '{"a":1}'],
  [
    'a name written otherwise',
    '{"\\u0061":1,"\\u00e9":"\\u00e9"}',
    { a: '2' },
    '{"\\u0061":2,"\\u00e9":"\\u00e9"}',
  ],
  ['odd numbers', '{"a":12345678901234567890,"z":0}', { z: null }, '{"a":12345678901234567890}'],
  [
    'a name that stands there twice',
    '{"a":1,"b":2,"\\u0061":3}',
    { a: '0' },
    '{"a":0,"b":2,"\\u0061":0}',
  ],
  ['one taken out twice', '{"a":1,"b":2,"a":3}', { a: null }, '{"b":2}'],
  ['a name of the prototype', '{"__proto__":1,"a":2}', { a: null }, '{"__proto__":1}'],
]
for (const [what, text, edits, now] of cases)
  test(`members of an object: ${what}`, () => assert.equal(withMembers(text, edits), now))

const kept: readonly [what: string, text: string, now: string][] = [
  ['none', ' { } ', '{}'],
  ['all left out', '{"x":1}', '{}'],
  ['another order and spacing', '{ "b" : 1.0, "x":0,"a":[ 2 ]}', '{"a":[ 2 ],"b":1.0}'],
  ['a name written otherwise', '{"\\u0078":1,"\\u0061":"\\u0061"}', '{"a":"\\u0061"}'],
  ['one name twice', '{"b":1,"a":2,"b":3}', '{"a":2,"b":1,"b":3}'],
]
for (const [what, text, now] of kept)
  test(`members of an object, sorted: ${what}`, () =>
    assert.equal(
      sortedMembers(text, (name) => name !== 'x'),
      now,
    ))

test('a message of several lines is one line', () => {
  const frame = Buffer.from('{\r\n "a":\n"\\n"}')
  assert.equal(onOneLine(frame).toString(), '{   "a": "\\n"}')
  assert.equal(frame.includes('\n'), true)
  const plain = Buffer.from('{}')
  assert.equal(onOneLine(plain), plain)
})
