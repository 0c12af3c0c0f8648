import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FindEncoded } from './decoder.ts'
import { type Detector, matchesOf } from './detector.ts'
import { createEngine } from './engine.ts'
import type { Finding } from './finding.ts'
import { MARK } from './marks.ts'

function detector(
  id: string,
  needs: readonly string[],
  pattern: RegExp,
  more: Partial<Detector> = {},
): Detector {
  return {
    id,
    category: 'command_injection',
    severity: 'critical',
    confidence: 0.9,
    summary: 'for this test',
    needs,
    source: 'this test',
    catches: [],
    ignores: [],
    find: matchesOf(pattern),
    ...more,
  }
}

const pipe = detector('pipe', ['curl'], /curl [^|\n]{1,80}\| ?sh/g)
const word = detector('word', ['alpha'], /alpha/g, {
  severity: 'low',
  confidence: 0.6,
  category: 'pii',
})
const pass = detector('pass', ['password'], /"password": "(?=[^"]{4,20}")[^"]{0,4}\d[^"]{0,20}"/g, {
  category: 'secret',
  find: (text, from, to) =>
    [...text.slice(from, to).matchAll(/"password": "([^"]{4,20})"/g)].map((match) => ({
      start: from + match.index + 13,
      end: from + match.index + 13 + (match[1] ?? '').length,
    })),
})

/** Base64 between percent signs: a decoder that this test writes for itself. */
const findBase64: FindEncoded = (text) =>
  [...text.matchAll(/%([A-Za-z0-9+/=]{4,})%/g)].map((match) => ({
    start: match.index,
    end: match.index + match[0].length,
    encoding: 'base64',
    decoded: Buffer.from(match[1] ?? '', 'base64').toString(),
  }))

const engine = createEngine([pipe, word, pass], findBase64)

type Short = Pick<Finding, 'detector' | 'start' | 'end' | 'path'>
const short = (value: unknown): readonly Short[] =>
  engine.inspect(value).map(({ detector, start, end, path }) => ({ detector, start, end, path }))

test('a text has its findings at the root', () => {
  assert.deepEqual(engine.inspect('go: curl x | sh'), [
    {
      detector: 'pipe',
      category: 'command_injection',
      severity: 'critical',
      confidence: 0.9,
      start: 4,
      end: 15,
      path: '$',
      kind: 'text',
      isKey: false,
      via: [],
    },
  ])
})

test('a value is walked by leaf, and escapes in it are no text', () => {
  assert.deepEqual(short({ args: [{ city: 'x' }, { city: 'a\ncurl x |sh' }] }), [
    { detector: 'pipe', start: 2, end: 12, path: '$.args[1].city' },
  ])
})

test('a JSON text is walked by leaf, with offsets into the text', () => {
  const text = '{"a b": ["\\n\\u0063url x | sh"]}'
  const [found] = short(text)
  assert.deepEqual(found, { detector: 'pipe', start: 12, end: 28, path: '$["a b"][0]' })
  assert.equal(text.slice(found?.start, found?.end), '\\u0063url x | sh')
})

test('a JSON text inside a JSON text is walked too', () => {
  const text = JSON.stringify({ a: JSON.stringify({ b: 'é "curl x | sh"' }) })
  const [found] = short(text)
  assert.equal(found?.path, '$.a.b')
  assert.equal(text.slice(found?.start, found?.end), 'curl x | sh')
})

test('names of keys are read', () => {
  const [found] = engine.inspect({ 'curl x | sh': 1 })
  assert.equal(found?.isKey, true)
  assert.equal(found?.path, '$["curl x | sh"]')
})

test('what is split over fields is seen at both, and does not block', () => {
  const found = engine.inspect({ a: 'curl x', b: '| sh and more' })
  assert.deepEqual(
    found.map(({ path, start, end, confidence, via }) => ({ path, start, end, confidence, via })),
    [
      { path: '$.a', start: 0, end: 6, confidence: 0.75, via: ['joined'] },
      { path: '$.b', start: 0, end: 4, confidence: 0.75, via: ['joined'] },
    ],
  )
  assert.deepEqual(
    short('["curl","x","|","sh"]').map(({ path }) => path),
    ['$[0]', '$[1]', '$[2]', '$[3]'],
  )
})

test('a value is told by the name it stands under', () => {
  assert.deepEqual(short({ password: 'hunter22' }), [
    { detector: 'pass', start: 0, end: 8, path: '$.password' },
  ])
  assert.deepEqual(short({ passage: 'hunter22' }), [])
  assert.deepEqual(short('{"password": "hunter22"}'), [
    { detector: 'pass', start: 14, end: 22, path: '$.password' },
  ])
})

test('a leaf of kind secret is not looked at', () => {
  assert.deepEqual(engine.inspect({ value: 'curl x | sh' }, { kinds: { '$.value': 'secret' } }), [])
  const schema = { properties: { value: { type: 'string', writeOnly: true } } }
  assert.deepEqual(engine.inspect({ value: 'curl x | sh' }, { schema }), [])
})

test('what stands behind an encoding is found at the encoded run, and the encoding with it', () => {
  const inner = Buffer.from('curl x | sh').toString('base64')
  const twice = Buffer.from(`%${inner}%`).toString('base64')
  for (const [text, via] of [
    [`see %${inner}%`, ['base64']],
    [`see %${twice}%`, ['base64', 'base64']],
  ] as const) {
    const found = engine.inspect(text)
    assert.deepEqual(
      found.map((one) => [one.detector, one.category, one.severity, one.start, one.end, one.via]),
      [
        ['pipe', 'command_injection', 'critical', 4, text.length, via],
        ['encoded-payload', 'encoding_obfuscation', 'critical', 4, text.length, via],
      ],
    )
  }
})

test('a flood of small findings hides no grave one', () => {
  const found = engine.inspect(`${'alpha '.repeat(5_000)} curl x | sh`)
  assert.equal(found[0]?.detector, 'pipe')
  const many = engine.inspect([
    ...Array.from({ length: 3_000 }, (_, at) => `alpha ${at}`),
    'curl x | sh',
  ])
  assert.equal(many[0]?.detector, 'pipe')
})

test('a worse hit of the same detector is kept, however many came before it', () => {
  const rising = detector('rising', ['alpha', 'omega'], /alpha|omega/g, {
    find: matchesOf(/alpha|omega/g, ([found]) => ({ confidence: found === 'omega' ? 0.95 : 0.5 })),
  })
  const [first, ...others] = createEngine([rising]).inspect(`${'alpha '.repeat(5_000)}omega`)
  assert.equal(first?.confidence, 0.95)
  assert.equal(others.length, 100)
})

test('the windows of a detector grow together, also to the front', () => {
  const needs = ['bc1', 'abc1d']
  const reach = { before: 0, after: 0 }
  const found = createEngine([detector('grown', needs, /abc1d/g, { reach })]).inspect('x abc1d x')
  assert.deepEqual(
    found.map(({ start, end }) => [start, end]),
    [[2, 7]],
  )
})

test('a command is not read together with its neighbours', () => {
  assert.deepEqual(engine.inspect({ command: 'curl x', note: '| sh' }), [])
})

test('what is too deep, too wide or turns back on itself is reported, not skipped', () => {
  let deep: unknown = 'x'
  for (let level = 0; level < 400; level++) deep = [deep]
  const around: Record<string, unknown> = {}
  around['self'] = around
  let wide: unknown = 'x'
  for (let level = 0; level < 40; level++) wide = [wide, wide]
  for (const value of [deep, around, wide]) {
    const [first] = engine.inspect(value)
    assert.equal(first?.detector, 'inspection-limit')
    assert.equal(first?.severity, 'high')
  }
})

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 })
    .map((units) => String.fromCharCode(...units)),
  fc.json(),
)

test('inspection never throws on a text, lone surrogates included, and spans are within it', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const one of engine.inspect(text))
        assert.ok(one.start >= 0 && one.end <= text.length && one.start < one.end)
    }),
  )
  fc.assert(fc.property(fc.anything(), (value) => void engine.inspect(value)))
})

test('offsets point at what they name, wherever it stands and however JSON writes it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ maxLength: 20 }),
      (before, key) => {
        const leaf = `${before}\ncurl x | sh`
        const value = { [key]: [leaf] }
        const inValue = engine.inspect(value).find((one) => one.detector === 'pipe' && !one.isKey)
        assert.equal(leaf.slice(inValue?.start, inValue?.end), 'curl x | sh')
        const text = JSON.stringify(value)
        const inText = engine.inspect(text).find((one) => one.detector === 'pipe' && !one.isKey)
        assert.equal(text.slice(inText?.start, inText?.end), 'curl x | sh')
        assert.equal(inText?.path, inValue?.path)
      },
    ),
  )
})

test('what is encoded in more layers than are undone is said to be not looked at', () => {
  const behind = (layers: number): string => {
    let text = 'curl x | sh'
    for (let layer = 0; layer < layers; layer++) text = `%${Buffer.from(text).toString('base64')}%`
    return text
  }
  const found = (layers: number) =>
    engine.inspect(behind(layers)).map(({ detector: id, via }) => [id, via.length])
  assert.deepEqual(found(3), [
    ['pipe', 3],
    ['encoded-payload', 3],
  ])
  assert.deepEqual(found(4), [['inspection-limit', 3]])
  assert.deepEqual(found(9), [['inspection-limit', 3]])
})

test('many short runs are looked at together, and what they hold is found where it is', () => {
  const run = (text: string): string => `%${Buffer.from(text).toString('base64')}%`
  const runs = Array.from({ length: 100 }, (_, at) => run(at === 70 ? 'curl x | sh' : `no ${at}`))
  const text = runs.join(' ')
  const start = text.indexOf(runs[70] ?? '')
  const end = start + (runs[70]?.length ?? 0)
  assert.deepEqual(
    engine.inspect(text).map((one) => [one.detector, one.start, one.end, one.via]),
    [
      ['pipe', start, end, ['base64']],
      ['encoded-payload', start, end, ['base64']],
    ],
  )
  const split = Array.from({ length: 100 }, (_, at) => run(at % 2 === 0 ? 'curl x' : ' | sh'))
  assert.deepEqual(engine.inspect(split.join('')), [])
})

test('a word in which matches begin is looked at alone, one that must be near with what is around it', () => {
  const looked: string[] = []
  const both = detector('both', ['near'], /x/g, {
    starts: ['tok_'],
    reach: { before: 2, after: 3 },
    find: (text, from, to) => {
      looked.push(text.slice(from, to))
      return []
    },
  })
  createEngine([both]).inspect('ab tok_123 cd near efgh tok_9 near')
  assert.deepEqual(looked, ['tok_', 'd near ef', 'tok_9 near'])
})

test('a detector of marks looks where they stand, and at nothing else', () => {
  const looked: string[] = []
  const signs = detector('signs', [], /x/g, {
    marks: MARK.percent,
    reach: { before: 1, after: 0 },
    find: (text, from, to) => {
      looked.push(text.slice(from, to))
      return []
    },
  })
  const one = createEngine([signs])
  one.inspect('nothing of that kind')
  one.inspect(`${'a'.repeat(64)}%${'b'.repeat(63)}${'c'.repeat(64)}`)
  assert.deepEqual(looked, [`a%${'b'.repeat(63)}`])
})

test('of many short texts, the first and the last are looked at alike', () => {
  const texts = Array.from({ length: 60 }, (_, at) => (at % 10 === 0 ? 'curl x | sh' : `no ${at}`))
  assert.deepEqual(
    short(texts).map(({ path }) => path),
    ['$[0]', '$[10]', '$[20]', '$[30]', '$[40]', '$[50]'],
  )
})
