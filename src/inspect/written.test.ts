import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engineWith, readWritten, UnusableDetector, type WrittenDetector } from './written.ts'

const ticket: WrittenDetector = {
  id: 'acme-ticket',
  category: 'pii',
  severity: 'medium',
  confidence: 0.7,
  pattern: '(?i)acme-[0-9]{6}',
  keywords: ['ACME-'],
  samples: { catches: ['see acme-123456'], ignores: ['see acme-12345'] },
}

const refused: readonly [
  what: string,
  given: Partial<WrittenDetector>,
  field: string,
  why: RegExp,
][] = [
  ['an id in capitals', { id: 'Acme' }, 'id', /small letters/],
  ['an id that is taken', { id: 'credit-card' }, 'id', /built-in/],
  ['no pattern', { pattern: '' }, 'pattern', /1 to 1000/],
  ['a pattern too long', { pattern: 'a'.repeat(1_001) }, 'pattern', /1 to 1000/],
  ['a pattern not closed', { pattern: '[a' }, 'pattern', /missing closing/],
  ['a backreference', { pattern: String.raw`(a)\1` }, 'pattern', /invalid escape/],
  ['a look behind', { pattern: '(?<!a)b' }, 'pattern', /invalid/],
  ['repeats of repeats', { pattern: '((a{30}){30}){30}' }, 'pattern', /repeat/],
  [
    'a large program',
    { pattern: String.raw`(\pL{900}|\pN{900}){1}x|\PL{990}|\pS{999}b|\pP{999}` },
    'pattern',
    /too large/,
  ],
  ['nothing matches it', { pattern: 'a*' }, 'pattern', /empty text/],
  ['a short keyword', { keywords: ['acme-', 'ab'] }, 'keywords.1', /3 characters/],
  [
    'a sample not caught',
    { samples: { catches: ['acme-123456', 'no'] } },
    'samples.catches.1',
    /not found/,
  ],
  [
    'a sample not ignored',
    { samples: { ignores: ['acme-123456'] } },
    'samples.ignores.0',
    /is found/,
  ],
]
for (const [what, given, field, why] of refused)
  test(`readWritten refuses ${what}`, async () => {
    await assert.rejects(readWritten({ ...ticket, ...given }), (error) => {
      assert.ok(error instanceof UnusableDetector)
      assert.equal(error.field, field)
      assert.match(error.message, why)
      return true
    })
  })

test('a written detector finds beside the built-in ones, behind encodings and at its place', async () => {
  const engine = engineWith([await readWritten(ticket)])
  const text = '𝒳𝒳 Acme-123456 \ud800 mail ann@example.org'
  const found = engine.inspect(text)
  const own = found.find((one) => one.detector === 'acme-ticket')
  assert.equal(text.slice(own?.start, own?.end), 'Acme-123456')
  assert.ok(found.some((one) => one.detector === 'email'))
  const encoded = Buffer.from('the ticket acme-654321 is here').toString('base64')
  assert.ok(engine.inspect(`see ${encoded}`).some((one) => one.detector === 'acme-ticket'))
})

test('a written detector keeps to its kinds', async () => {
  const engine = engineWith([await readWritten({ ...ticket, kinds: ['shell'] })])
  const ids = (kind: 'shell' | 'prose'): readonly string[] =>
    engine.inspect('acme-123456', { kind }).map((one) => one.detector)
  assert.deepEqual(ids('shell'), ['acme-ticket'])
  assert.deepEqual(ids('prose'), [])
})

test('what hangs a backtracking pattern does not hang a written one', async () => {
  const hang = await readWritten({
    ...ticket,
    pattern: '(a|a)*(a+)+b',
    keywords: [],
    samples: {},
  })
  const before = process.cpuUsage()
  assert.deepEqual(engineWith([hang]).inspect(`${'a'.repeat(100_000)}-b`), [])
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 3_000_000, `${user + system} µs`)
})

test('what a large pattern has no time to read counts as found', async () => {
  const large = await readWritten({ ...ticket, pattern: 'a{0,200}b', keywords: [], samples: {} })
  const engine = engineWith([large])
  const found = (units: number): boolean =>
    engine.inspect(`${' '.repeat(units)}b`).some((one) => one.end - one.start > units)
  assert.equal(found(40_000), false)
  const before = process.cpuUsage()
  assert.equal(found(60_000), true)
  const { user, system } = process.cpuUsage(before)
  assert.ok(user + system < 3_000_000, `${user + system} µs`)
})
