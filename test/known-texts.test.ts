import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { ExactNumber } from '../src/core/decimal.ts'
import { AcrossHeldTexts, type KnownTexts, knownIn, redactedIn } from '../src/core/known-texts.ts'
import { fingerprintKey, fingerprintsOf, inspect, KnownValues } from '../src/inspect/index.ts'

const secretKey = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', secretKey).update(bytes).digest())
const VALUE = `tk_${randomBytes(24).toString('base64url')}`
const DIGITS = `9${[...randomBytes(40)].map((byte) => 1 + (byte % 9)).join('')}`
const MARKER = '[REDACTED:a]'

const values = new KnownValues(KEY)
for (const [id, value] of [VALUE, DIGITS].entries())
  values.remember(
    'me',
    { id: String(id), path: 'a', version: 1 },
    fingerprintsOf(KEY, Buffer.from(value)).fingerprints,
  )
const KNOWN: KnownTexts = {
  find: (text) => values.scan('me', text),
  redact: (text) => values.redact('me', text).text,
  reach: () => values.reach('me'),
}

/** Ways in which an answer holds several texts. */
const SHAPES: Readonly<Record<string, (parts: readonly string[]) => unknown>> = {
  'blocks of text': (parts) => ({ content: parts.map((text) => ({ type: 'text', text })) }),
  'blocks with marks between': (parts) => ({
    content: parts.map((text, at) => ({
      type: 'text',
      text,
      annotations: { audience: ['user'], lastModified: `2026-01-0${(at % 9) + 1}` },
    })),
  }),
  fields: (parts) => ({
    content: [{ type: 'text', text: 'done' }],
    structuredContent: Object.fromEntries(parts.map((text, at) => [`part${at}`, text])),
  }),
  'an array': (parts) => ({ content: [], structuredContent: { parts } }),
  'rows with numbers and names': (parts) => ({
    structuredContent: {
      rows: parts.map((text, at) => ({ line: at, at: 12.5, name: `row ${at}`, text })),
    },
  }),
  'arrays in arrays': (parts) => parts.map((text) => [[text], []]),
}

const ENCODINGS: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => Buffer.from(value).toString('base64'),
  (value) => Buffer.from(value).toString('hex'),
  (value) => [...Buffer.from(value)].map((byte) => `%${byte.toString(16)}`).join(''),
]

function splitAt(text: string, points: readonly number[]): readonly string[] {
  const at = [0, ...points.map((one) => one % text.length).toSorted((a, b) => a - b), text.length]
  return at.slice(1).map((end, index) => text.slice(at[index], end))
}

for (const [what, shape] of Object.entries(SHAPES))
  test(`known values: one that is split over ${what} is found, and each piece of it is redacted`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ENCODINGS),
        fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
        (encode, points) => {
          const encoded = encode(VALUE)
          const parts = splitAt(`see ${encoded} there`, points)
          const value = shape(parts)
          const all = JSON.stringify(value)
          const found = knownIn(value, KNOWN)
          assert.ok(found.length > 0, all)
          const shown = JSON.stringify(redactedIn(value, KNOWN))
          assert.ok(shown.includes(MARKER), shown)
          for (let at = 0; at + 8 <= encoded.length; at += 1)
            assert.ok(!shown.includes(encoded.slice(at, at + 8)), `${encoded} in ${shown}`)
          assert.deepEqual(knownIn(JSON.parse(shown), KNOWN), [])
        },
      ),
      { numRuns: 150 },
    )
  })

test('known values: one that is split over a value and what stands beside it is found in either order', () => {
  const filler = 'some words and more '
  fc.assert(
    fc.property(
      fc.constantFrom(...ENCODINGS),
      fc.nat(),
      fc.nat({ max: 3 }),
      fc.boolean(),
      fc.constantFrom([], [filler], [filler.repeat(2_000)], Array(4_000).fill(filler)),
      (encode, point, place, isFirst, others) => {
        const encoded = encode(VALUE)
        // Padding of base64 alone is no part of it.
        const [first = '', second = ''] = splitAt(encoded, [5 + (point % (encoded.length - 10))])
        const around = isFirst
          ? { value: { a: second, others }, part: first }
          : { value: { others, a: first }, part: second }
        const parts: unknown[] = ['tool', 'a method', '17']
        parts.splice(place, 0, { _meta: { a: [around.part] } })
        const beside = { searched: parts, judged: [] }
        assert.equal(knownIn(around.value, KNOWN, beside).length, 1)
        const judged = { searched: ['tool', around.part], judged: ['x', around.value] }
        assert.equal(knownIn(undefined, KNOWN, judged).length, 1)
        assert.equal(knownIn('x', KNOWN, { searched: ['y'], judged: [around.part] }).length, 0)
      },
    ),
    { numRuns: 150 },
  )
  const whole = { searched: ['tool'], judged: [VALUE, [VALUE.slice(0, 9), VALUE.slice(9)]] }
  assert.deepEqual(knownIn({ a: 'b' }, KNOWN, whole), [])
})

test('known values: nothing else of the texts is changed, and the same value comes back where there is nothing', () => {
  const value = {
    content: [
      { type: 'text', text: `a ${VALUE.slice(0, 9)}` },
      { type: 'text', text: `${VALUE.slice(9)} b` },
      { type: 'text', text: VALUE },
    ],
    n: [1, 12_345_678, 0.5, null, true],
  }
  assert.deepEqual(redactedIn(value, KNOWN), {
    content: [
      { type: 'text', text: `a ${MARKER}` },
      { type: 'text', text: `${MARKER} b` },
      { type: 'text', text: MARKER },
    ],
    n: [1, 12_345_678, 0.5, null, true],
  })
  const plain = { content: [{ type: 'text', text: 'a' }, 'b', VALUE.slice(0, 20)], n: 12_345_678 }
  assert.equal(redactedIn(plain, KNOWN), plain)
})

test('known values: one that is written as a number becomes its marker', () => {
  for (const number of [new ExactNumber(DIGITS), BigInt(DIGITS), new ExactNumber(`${DIGITS}.0`)]) {
    const value = { n: number, others: [new ExactNumber('1.0'), 5] }
    assert.deepEqual(redactedIn(value, KNOWN), { n: MARKER, others: value.others })
    assert.deepEqual(
      knownIn(value, KNOWN).map(({ top, isTopText }) => [top, isTopText]),
      [['n', true]],
    )
  }
  const numbers = { a: DIGITS.slice(0, 20), b: BigInt(DIGITS.slice(20)) }
  assert.deepEqual(redactedIn(numbers, KNOWN), { a: MARKER, b: MARKER })
})

test('known values: one that is an array of bytes becomes its marker', () => {
  const around = (middle: readonly unknown[]): unknown => ({
    type: 'Buffer',
    data: [97, 32, ...middle, 10],
  })
  const bytes = around([...Buffer.from(VALUE)])
  assert.deepEqual(redactedIn(bytes, KNOWN), around([MARKER]))
  assert.deepEqual(
    knownIn(bytes, KNOWN).map(({ top, isTopText, isAcross }) => [top, isTopText, isAcross]),
    [['data', false, false]],
  )
  const indexed = { a: { ...Buffer.from(VALUE) } }
  assert.deepEqual(redactedIn(indexed, KNOWN), { a: [MARKER] })
  assert.equal(knownIn(indexed, KNOWN).length, 1)
  const beside = [indexed, { b: [...Buffer.from(VALUE)] }, VALUE.slice(0, 20), VALUE.slice(20)]
  assert.deepEqual(redactedIn(beside, KNOWN), [{ a: [MARKER] }, { b: [MARKER] }, MARKER, MARKER])
  for (const other of [
    { ...Buffer.from(VALUE.slice(1)) },
    around([...Buffer.from(VALUE.slice(1))]),
    around([...Buffer.from(VALUE), 256]),
    around([...Buffer.from(VALUE), null]),
  ]) {
    assert.equal(redactedIn(other, KNOWN), other)
    assert.deepEqual(knownIn(other, KNOWN), [])
  }
})

test('known values: long texts are joined at their ends', () => {
  const filler = 'some words and more '.repeat(20_000)
  const value = [`${filler}${VALUE.slice(0, 11)}`, `${VALUE.slice(11)}${filler}`]
  assert.deepEqual(redactedIn(value, KNOWN), [`${filler}${MARKER}`, `${MARKER}${filler}`])
})

test('known values: a piece that is not in memory can not be taken out, and nothing goes on', () => {
  const known: KnownTexts = {
    ...KNOWN,
    edgesOf: (text) => (text === 'held' ? `far away ${VALUE.slice(0, 20)}` : null),
  }
  assert.throws(() => redactedIn(['held', VALUE.slice(20)], known), AcrossHeldTexts)
  assert.equal(knownIn(['held', VALUE.slice(20)], known).length, 1)
  const plain = ['held', 'something else']
  assert.equal(redactedIn(plain, known), plain)
})

/** Linear is 4; the rest is what a busy machine adds. Quadratic is 16. */
const MAX_RATIO = 9
/** Below it the clock says little. */
const MIN_US = 10_000

/** Recognises the value as it is written, which takes next to no time. */
function knownAs(written: string): KnownTexts {
  return {
    ...KNOWN,
    find: (text) =>
      Array.from(text.matchAll(new RegExp(written, 'g')), ({ index }) => ({
        path: 'a',
        start: index,
        end: index + written.length,
      })),
    redact: (text) => text.replaceAll(written, MARKER),
  }
}

for (const [what, known, one] of [
  ['bytes', knownAs([...Buffer.from(VALUE)].join(' ')), [...Buffer.from(VALUE)]],
  ['pieces', knownAs(VALUE), [VALUE.slice(0, 20), VALUE.slice(20)]],
] as const)
  test(`known values: four times as many take about four times as long: ${what}`, () => {
    const timeOf = (count: number): number => {
      const value: unknown = Array.from({ length: count }, () => one).flat()
      let least = Number.POSITIVE_INFINITY
      for (let round = 0; round < 3; round += 1) {
        const before = process.cpuUsage()
        assert.notEqual(redactedIn(value, known), value)
        const { user, system } = process.cpuUsage(before)
        least = Math.min(least, user + system)
      }
      return least
    }
    const [small, large] = [timeOf(4_000), timeOf(16_000)]
    assert.ok(large <= Math.max(MIN_US, small) * MAX_RATIO, `${small} µs, then ${large} µs`)
  })

const WHOLE_MESSAGES: KnownTexts = {
  ...KNOWN,
  ofMessage() {
    const { scan, redact } = values.ofMessage('me')
    return { ...KNOWN, find: scan, redact: (text) => redact(text).text }
  },
}

for (const [what, text, few, many] of [
  ['small ones', gzipSync('').toString('base64').padEnd(28, 'A'), 100, 3_000],
  ['large ones', gzipSync(Buffer.alloc(250_000, 'words ')).toString('base64'), 10, 100],
] as const)
  test(`known values: what a message holds compressed is expanded up to one limit: ${what}`, () => {
    const last = gzipSync(VALUE).toString('base64')
    const holding = (count: number): readonly string[] => [
      ...Array.from({ length: count }, (_, at) => `${at} ${text}`),
      last,
    ]
    const isLimited = (count: number): boolean =>
      inspect(holding(count)).some(({ detector }) => detector === 'inspection-limit')
    const redacted = (count: number): unknown =>
      (redactedIn(holding(count), WHOLE_MESSAGES) as readonly unknown[]).at(-1)
    assert.equal(knownIn(holding(few), WHOLE_MESSAGES).length, 1)
    assert.equal(redacted(few), MARKER)
    assert.equal(isLimited(few), false)
    const start = process.cpuUsage()
    assert.equal(knownIn(holding(many), WHOLE_MESSAGES).length, 0)
    assert.equal(isLimited(many), true)
    const { user, system } = process.cpuUsage(start)
    assert.ok(user + system < 3_000_000, `${user + system} µs`)
    // The next message has its own.
    assert.equal(redacted(few), MARKER)
  })
