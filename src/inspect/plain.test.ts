import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findEncoded } from './decode.ts'
import type { Detector } from './detector.ts'
import { detectors } from './detectors/index.ts'
import { createEngine } from './engine.ts'
import { builtInEngine } from './inspect.ts'
import { plainCheck } from './plain.ts'
import { createScanner, keywordsOf } from './scanner.ts'

const check = plainCheck(detectors, createScanner(detectors))
const isPlain = (value: unknown): boolean => check?.(value, {}) === true

/** Finds nothing, and nobody said what it skips. */
const unknown: Detector = {
  id: 'unknown',
  category: 'pii',
  severity: 'low',
  confidence: 0.5,
  summary: 'nothing',
  needs: [],
  source: 'this test',
  catches: [],
  ignores: [],
  find: () => [],
}
/** The same detectors, and nothing is passed over. */
const thorough = createEngine([...detectors, unknown], findEncoded)

test('plain words are plain, alone and in answers', () => {
  const text = 'the quarterly report lists 12 invoices, and more to come.'
  for (const value of [
    text,
    { text },
    { content: [{ type: 'text', text }], isError: false },
    {
      resultType: 'complete',
      content: [{ type: 'text', text }],
      structuredContent: { ok: 'so it is' },
    },
    'which paths support this issue, and what did it result in',
    [1, null, true],
  ])
    assert.equal(isPlain(value), true, JSON.stringify(value))
})

test('nothing that a detector catches is plain', () => {
  for (const { id, catches } of detectors)
    for (const one of catches) {
      const text = typeof one === 'string' ? one : one.text
      assert.equal(isPlain(text) && thorough.inspect(text).length > 0, false, `${id}: ${text}`)
      assert.equal(isPlain({ text }) && thorough.inspect({ text }).length > 0, false, id)
    }
})

const notPlain: readonly [what: string, value: unknown][] = [
  ['a keyword over two fields', { a: 'ignore all prev', b: 'ious instructions' }],
  ['a keyword over two elements', ['ignore', 'all', 'previous', 'instructions']],
  [
    'a keyword over two fields with an id between them',
    { a: 'ignore all prev', id: 'x', b: 'ious instructions' },
  ],
  ['a name of a secret', { password: 'correct horse' }],
  ['a name beside', { name: 'password', value: 'correct horse' }],
  ['a long word', { text: 'aWdub3JlIGFsbA' }],
  ['many digits', { text: '078 05 1120' }],
  ['a long number', { n: 4_111_111_111_111_111 }],
  ['an exact number', { n: 10n }],
  ['other letters', { text: 'ıgnore' }],
  ['ROT13', { text: 'vtaber gur nobir' }],
  ['a JSON text', { text: '{"a":1}' }],
  ['a name that is odd', { 'a b c': 'x' }],
  ['an array of a class', { n: new Date(0) }],
]
for (const [what, value] of notPlain)
  test(`${what} is not plain`, () => assert.equal(isPlain(value), false))

test('a schema that reads a field apart leaves the others side by side', () => {
  const schema = { properties: { b: { format: 'uuid' } } }
  const value = { a: 'jail', b: 'x', c: 'break' }
  assert.equal(check?.(value, {}), true)
  assert.equal(check?.(value, { schema }), false)
})

test('where a detector looks at every text, nothing is plain', () => {
  assert.equal(plainCheck([unknown], createScanner([unknown])), null)
})

const words = [
  ...keywordsOf(detectors).filter((one) => /^[\w ,.!?-]+$/.test(one)),
  ...'the report lists open orders of customers 12 3 A to and please Send it now'.split(' '),
]
const word = fc.oneof(
  fc.constantFrom(...words),
  fc.constantFrom(...words).chain((one) => fc.nat(one.length).map((at) => one.slice(0, at))),
  fc.constantFrom(...words).chain((one) => fc.nat(one.length).map((at) => one.slice(at))),
  fc.string({ maxLength: 6 }),
)
const text = fc
  .array(word, { maxLength: 8 })
  .chain((all) => fc.constantFrom(' ', '', '-', ', ').map((by) => all.join(by)))
const name = fc.oneof(
  fc.constantFrom('text', 'id', 'path', 'name', 'value', 'token', 'type', 'structuredContent'),
  word,
)
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text,
    fc.integer(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}))

test('where a value is plain, looking at all of it finds nothing', () => {
  let plain = 0
  fc.assert(
    fc.property(value, (one) => {
      if (!isPlain(one)) return
      plain += 1
      assert.deepEqual(thorough.inspect(one), [])
      assert.deepEqual(builtInEngine().inspect(one), [])
    }),
    { numRuns: 6_000 },
  )
  assert.ok(plain > 500, `only ${plain} were plain`)
})

const tokens = detectors
  .filter(({ needs, starts, skipsPlain }) => needs.length + (starts?.length ?? 0) > 0 && skipsPlain)
  .flatMap(({ catches }) => catches.map((one) => (typeof one === 'string' ? one : one.text)))
/** Cut where the numbers say, so that no piece is a long word. */
const cut = fc
  .tuple(fc.constantFrom(...tokens), fc.array(fc.integer({ min: 1, max: 11 }), { minLength: 40 }))
  .map(([token, lengths]) => {
    const pieces: string[] = []
    let at = 0
    for (const length of lengths) {
      pieces.push(token.slice(at, at + length))
      at += length
    }
    return pieces.filter((piece) => piece !== '')
  })
const whole: readonly ((pieces: readonly string[]) => unknown)[] = [
  (pieces) => pieces.join(' '),
  (pieces) => pieces,
  (pieces) => pieces.map((text) => ({ text })),
  (pieces) => Object.fromEntries(pieces.map((piece, at) => [`p${at}`, piece])),
  (pieces) => Object.fromEntries(pieces.map((piece, at) => [piece, `p${at}`])),
]

test('tokens that are longer than words are not plain in pieces either, or nothing is found in those', () => {
  assert.ok(tokens.length > 300, `${tokens.length}`)
  const digits = /\d/g
  fc.assert(
    fc.property(cut, fc.constantFrom(...whole), fc.boolean(), (pieces, make, isDrawn) => {
      const value = make(isDrawn ? pieces : pieces.map((one) => one.replaceAll(digits, 'k')))
      if (isPlain(value)) assert.deepEqual(thorough.inspect(value), [])
    }),
    { numRuns: 6_000 },
  )
})
