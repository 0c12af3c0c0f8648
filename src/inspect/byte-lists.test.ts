import assert from 'node:assert/strict'
import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { numbersIn } from './byte-lists.ts'
import { fingerprintKey, fingerprintsOf } from './fingerprint.ts'
import { KnownValues } from './known-values.ts'

const MARKER = '[REDACTED:a]'
const secretKey = createSecretKey(randomBytes(32))
const KEY = fingerprintKey((bytes) => createHmac('sha256', secretKey).update(bytes).digest())

function knowing(value: string): KnownValues {
  const known = new KnownValues(KEY)
  const { fingerprints } = fingerprintsOf(KEY, Buffer.from(value))
  known.remember('me', { id: '1', path: 'a', version: 1 }, fingerprints)
  return known
}

const bytesOf = (value: string): readonly number[] => [...Buffer.from(value)]
const inRadix = (value: string, radix: number, width: number): readonly string[] =>
  bytesOf(value).map((byte) => byte.toString(radix).padStart(width, '0'))
const inLines = (texts: readonly string[], width: number, between: string): string =>
  texts.map((text, at) => text + (at % width === width - 1 ? '\n' : between)).join('')
const base32 = (bytes: Uint8Array): string =>
  [...bytes]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .replaceAll(/.{1,5}/g, (bits) =>
      'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(bits.padEnd(5, '0'), 2)),
    )
/** Words of some bytes; what is missing of the last one is NUL. */
const wordsOf = (value: string, size: number): readonly Buffer[] => {
  const bytes = Buffer.from(value)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    Buffer.concat([bytes.subarray(at * size, (at + 1) * size), Buffer.alloc(size)]).subarray(
      0,
      size,
    ),
  )
}
/** As dumps have it: lines of 16 bytes with their place before and as text behind. */
const dumpOf = (value: string, line: (bytes: Buffer, place: number) => string): string => {
  const bytes = Buffer.from(value)
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) lines.push(line(bytes.subarray(at, at + 16), at))
  return lines.join('\n')
}
const shownOf = (bytes: Buffer): string => bytes.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.')
const hexOf = (bytes: Buffer, group: number): string =>
  bytes.toString('hex').replaceAll(new RegExp(`.{${group}}(?=.)`, 'g'), '$& ')
const placeOf = (place: number, width: number): string => place.toString(16).padStart(width, '0')

const LISTS: Readonly<Record<string, (value: string) => string>> = {
  'an array of codes': (value) => JSON.stringify(bytesOf(value)),
  'codes in lines': (value) => JSON.stringify({ data: bytesOf(value) }, null, 2),
  'a Buffer as JSON': (value) => JSON.stringify(Buffer.from(value)),
  'a Buffer as JSON in JSON': (value) => JSON.stringify({ a: JSON.stringify(Buffer.from(value)) }),
  'a Buffer as it is inspected': (value) => `<Buffer ${inRadix(value, 16, 2).join(' ')}>`,
  'a Uint8Array as JSON': (value) => JSON.stringify(Uint8Array.from(Buffer.from(value))),
  'a Uint8Array as JSON, in lines': (value) =>
    JSON.stringify({ a: Uint8Array.from(Buffer.from(value)) }, null, 2),
  'codes with blanks': (value) => bytesOf(value).join(' '),
  'codes in base64': (value) => btoa(JSON.stringify(bytesOf(value))),
  'an array in C': (value) =>
    `{ ${inRadix(value, 16, 2)
      .map((one) => `0x${one}`)
      .join(', ')} }`,
  'an array in C, in lines': (value) =>
    inLines(
      inRadix(value, 16, 2).map((one) => `0x${one.toUpperCase()},`),
      8,
      ' ',
    ),
  'hex, two blanks': (value) => inRadix(value, 16, 2).join('  '),
  'hex, texts in an array': (value) => JSON.stringify(inRadix(value, 16, 2)),
  'hex, one in a line': (value) => inRadix(value, 16, 2).join('\n'),
  'hex, words of four': (value) => hexOf(Buffer.from(value), 8),
  octal: (value) => inRadix(value, 8, 3).join(' '),
  binary: (value) => inRadix(value, 2, 8).join(' '),
  'blanks between': (value) => [...value].join(' '),
  'hyphens between': (value) => [...value].join('-'),
  'a character in each line': (value) => [...value].join('\n'),
  'blanks between, in base64': (value) => btoa([...value].join(' ')),
  'commas between, in JSON': (value) => JSON.stringify([...value].join(',')),
  base32: (value) => base32(Buffer.from(value)),
  'base32 in small letters, with padding': (value) =>
    `${base32(Buffer.from(value)).toLowerCase()}====`,
  'base32 in lines': (value) => base32(Buffer.from(value)).replaceAll(/.{40}(?=.)/g, '$&\n'),
  'base32 between others': (value) => base32(Buffer.from(`user:${value};`)),
  'gzip in base64, percent encoded': (value) =>
    encodeURIComponent(gzipSync(value).toString('base64')),
  'gzip in base64, slashes escaped': (value) =>
    JSON.stringify({ a: gzipSync(value).toString('base64') }).replaceAll('/', '\\/'),
  'gzip in base64 in base64': (value) => btoa(gzipSync(value).toString('base64')),
  'zlib in hex in JSON in base64': (value) =>
    btoa(JSON.stringify({ a: deflateSync(value).toString('hex') })),
  'gzip in hex with colons': (value) =>
    gzipSync(value)
      .toString('hex')
      .replaceAll(/..(?=.)/g, '$&:'),
  xxd: (value) =>
    dumpOf(value, (bytes, at) => `${placeOf(at, 8)}: ${hexOf(bytes, 4)}  ${shownOf(bytes)}`),
  'xxd -u -g1': (value) =>
    dumpOf(
      value,
      (bytes, at) => `${placeOf(at, 8)}: ${hexOf(bytes, 2).toUpperCase()}  ${shownOf(bytes)}`,
    ),
  'hexdump -C': (value) =>
    `${dumpOf(value, (bytes, at) => `${placeOf(at, 8)}  ${hexOf(bytes.subarray(0, 8), 2)}  ${hexOf(bytes.subarray(8), 2).padEnd(24)} |${shownOf(bytes)}|`)}\n00000028`,
  hexdump: (value) =>
    dumpOf(
      value,
      (bytes, at) =>
        `${placeOf(at, 7)} ${wordsOf(bytes.toString('latin1'), 2)
          .map((word) => placeOf(word.readUInt16LE(), 4))
          .join(' ')}`,
    ),
  od: (value) =>
    dumpOf(
      value,
      (bytes, at) =>
        `${at.toString(8).padStart(7, '0')} ${wordsOf(bytes.toString('latin1'), 2)
          .map((word) => word.readUInt16LE().toString(8).padStart(6, '0'))
          .join(' ')}`,
    ),
  'od -tx1z': (value) =>
    dumpOf(value, (bytes, at) => `${placeOf(at, 6)} ${hexOf(bytes, 2)}  >${shownOf(bytes)}<`),
}

const VALUES: Readonly<Record<string, () => string>> = {
  token: () => `sk_live_${randomBytes(24).toString('base64url')}`,
  'hex key': () => randomBytes(16).toString('hex'),
  symbols: () => `zP4"\\&<q%/7w'K$x9+Lm~2!vR#cT8@yB${randomBytes(4).toString('hex')}`,
}

for (const [how, written] of Object.entries(LISTS))
  test(`known values: one is recognised that is written as ${how}`, () => {
    // Where numbers and lines begin depends on the value.
    for (const [kind, make] of Object.entries(VALUES))
      for (let round = 0; round < 8; round += 1) {
        const value = make()
        const known = knowing(value)
        for (const [before, after] of [
          ['', ''],
          ['it is: ', '\n(and more)'],
          [`${'some words '.repeat(round * 7)}\n`, '\n(42 others)\n'],
        ] as const) {
          const text = before + written(value) + after
          const shown = known.redact('me', text)
          assert.notEqual(shown.matches.length, 0, `${kind}: ${text}`)
          assert.ok(shown.text.startsWith(before) && shown.text.endsWith(after), shown.text)
          assert.ok(shown.text.includes(MARKER))
          const left = shown.text.length - before.length - after.length - MARKER.length
          assert.ok(left < 60, `${left} units are left: ${shown.text}`)
          for (let at = 0; at + 8 <= value.length; at += 1)
            assert.ok(!shown.text.includes(value.slice(at, at + 8)), shown.text)
        }
      }
  })

test('known values: other bytes, and the same ones in another order, stay', () => {
  const value = VALUES['token']!()
  const known = knowing(value)
  for (const written of Object.values(LISTS))
    for (const other of [VALUES['token']!(), value.slice(1), value.slice(0, -1)]) {
      const text = `a ${written(other)} b`
      assert.equal(known.redact('me', text).text, text)
    }
})

test('known values: numbers of tables, times and addresses are no lists of bytes', () => {
  for (const text of [
    '2026-11-22T01:02:03.456Z 10.0.0.1 200 17 ms\n'.repeat(40),
    Array.from({ length: 400 }, (_, at) => `${at},${at * 7919},${at / 7}`).join('\n'),
    JSON.stringify(Array.from({ length: 400 }, (_, at) => ({ id: at, size: at * 371 }))),
    '3f2b8c1e-04d2-4a2a-9c1e-3f2b8c1e04d2 '.repeat(40),
    '0 0 0 1 1 2 3 5 8 13 21 34 '.repeat(40),
  ]) {
    const units = Uint16Array.from(text, (char) => char.charCodeAt(0))
    assert.deepEqual(numbersIn(units, units.length).lists, [], text.slice(0, 40))
  }
})

test('known values: any rows of numbers are read in linear time', () => {
  const known = knowing(VALUES['token']!())
  const piece = fc.constantFrom(...'0123456789abcdefx ,:;"\n', '0x73, ', '115 ', '00000010: ', '  ')
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), (pieces) => {
      const part = pieces.join('')
      const text = part.repeat(Math.ceil(200_000 / part.length))
      const started = process.cpuUsage()
      assert.deepEqual(known.scan('me', text), [])
      const { user, system } = process.cpuUsage(started)
      assert.ok(user + system < 2_000_000, `${(user + system) / 1_000} ms for ${part}`)
    }),
    { numRuns: 60 },
  )
})
