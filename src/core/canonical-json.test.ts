import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, jsonDigest } from './canonical-json.ts'
import { isFault } from './faults.ts'

// RFC 8785, sections 3.2.2 and 3.2.3.
const EXAMPLES: readonly [what: string, value: unknown, text: string][] = [
  [
    'the example of the RFC',
    {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    },
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  ],
  [
    'the order of the RFC',
    {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    },
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
  ],
  ['minus zero', -0, '0'],
  ['nothing in it', { b: [], a: {} }, '{"a":{},"b":[]}'],
  ['a member called __proto__', JSON.parse('{"b":1,"__proto__":2}'), '{"__proto__":2,"b":1}'],
]
for (const [what, value, text] of EXAMPLES)
  test(`canonicalJson: ${what}`, () => assert.equal(canonicalJson(value), text))

const deep = JSON.parse(`${'['.repeat(66)}${']'.repeat(66)}`) as unknown
const FORMLESS: readonly [what: string, value: unknown][] = [
  ['NaN', Number.NaN],
  ['infinity', { a: Number.POSITIVE_INFINITY }],
  ['half of a character', ['\ud83d']],
  ['half of a character in a name', { '\ude00': 1 }],
  ['undefined', { a: undefined }],
  ['a date', { a: new Date(0) }],
  ['a big integer', 1n],
  ['66 levels', deep],
]
for (const [what, value] of FORMLESS)
  test(`canonicalJson: refuses ${what}`, () =>
    assert.throws(
      () => canonicalJson(value),
      (error) => isFault(error, 'BAD_INPUT'),
    ))

test('canonicalJson: reads back as what it was, and is its own canonical form', () =>
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      fc.pre(JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(value)))
      const text = canonicalJson(value)
      assert.equal(canonicalJson(JSON.parse(text)), text)
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    }),
  ))

test('jsonDigest: of the canonical bytes', () => {
  // printf '{"a":1,"b":2}' | sha256sum
  assert.equal(
    jsonDigest({ b: 2, a: 1 }),
    '43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777',
  )
})
