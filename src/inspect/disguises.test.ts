import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { fingerprintKey, fingerprintsOf } from './fingerprint.ts'
import { KnownValues } from './known-values.ts'

const PRINCIPAL = 'agent:local'
const MARKER = '[REDACTED:keys/one]'
const secretKey = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', secretKey).update(bytes).digest())

function knowing(...values: readonly string[]): KnownValues {
  const known = new KnownValues(KEY)
  for (const [index, value] of values.entries()) {
    const { fingerprints, lines } = fingerprintsOf(KEY, Buffer.from(value))
    assert.notEqual(fingerprints.length, 0, 'the value is strong enough')
    const name = { id: `${index}`, path: 'keys/one', version: 1 }
    known.remember(PRINCIPAL, name, [fingerprints, ...lines].flat())
  }
  return known
}

const TOKEN = `sk_live_${randomBytes(30).toString('base64url')}`
const VALUES: Readonly<Record<string, string>> = {
  token: TOKEN,
  'hex key': randomBytes(16).toString('hex'),
  symbols: 'zP4"&<q%/7wK$x9+Lm~2!vR#cT8@yB',
}
const KNOWN = knowing(...Object.values(VALUES))

const moved = (by: number): ((char: string) => string) => {
  return (char) => String.fromCodePoint(char.charCodeAt(0) + by)
}
const wide = (char: string): string => (char === ' ' ? '\u3000' : moved(0xfee0)(char))
/** Mathematical letters and digits of one weight. */
const bold = (char: string): string => {
  if (/[A-Z]/.test(char)) return moved(0x1d400 - 0x41)(char)
  if (/[a-z]/.test(char)) return moved(0x1d41a - 0x61)(char)
  return /[0-9]/.test(char) ? moved(0x1d7ce - 0x30)(char) : char
}
const circled = (char: string): string => {
  if (/[A-Z]/.test(char)) return moved(0x24b6 - 0x41)(char)
  return /[a-z]/.test(char) ? moved(0x24d0 - 0x61)(char) : char
}
const each =
  (write: (char: string) => string) =>
  (value: string): string =>
    [...value].map(write).join('')
const between =
  (...between: readonly string[]) =>
  (value: string): string =>
    [...value].map((char, at) => (at === 0 ? char : between[at % between.length]! + char)).join('')
const grouped =
  (size: number, separator: string) =>
  (value: string): string =>
    value.replaceAll(new RegExp(`.{${size}}(?=.)`, 'gs'), `$&${separator}`)
const quoted = (char: string): string =>
  `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
const quotedText = (value: string): string => value.replaceAll('=', '=3D')
const base64 = (value: string): string => Buffer.from(value).toString('base64')
const hex = (value: string): string => Buffer.from(value).toString('hex')

/** What is taken out is all of it and nothing else. */
const EXACT: Readonly<Record<string, (value: string) => string>> = {
  'full-width forms': each(wide),
  'mathematical letters': each(bold),
  'circled letters': each(circled),
  'every third letter full-width': (value) =>
    [...value].map((char, at) => (at % 3 === 0 ? wide(char) : char)).join(''),
  'zero-width spaces': between('\u200b'),
  joiners: between('\u200c', '\u200d', '\u2060'),
  'byte order marks': between('\ufeff'),
  'one word joiner': (value) => `${value.slice(0, 15)}\u2060${value.slice(15)}`,
  'soft hyphens': between('\u00ad'),
  'variation selectors': between('\ufe0f', '\u{e0100}'),
  'tag characters between': between('\u{e0041}', '\u{e007f}'),
  'tag characters': each(moved(0xe0000)),
  'twenty invisible characters at each place': between('\u200b\u2063\u00ad\ufe00'.repeat(5)),
  'joiners of graphemes': between('\u034f'),
  'marks over each letter': (value) => [...value].map((char) => `${char}\u0336`).join(''),
  'accents over each letter': (value) => [...value].map((char) => `${char}\u0301\u0323`).join(''),
  'full-width forms and zero-width spaces': (value) => between('\u200b')(each(wide)(value)),
  'zero-width spaces as escapes of JSON': between('\\u200b'),
  'full-width forms as escapes of JSON': each(
    (char) => `\\u${wide(char).charCodeAt(0).toString(16)}`,
  ),
  'zero-width spaces as entities': between('&#8203;'),
  'quoted-printable, soft line breaks': (value) => grouped(10, '=\n')(quotedText(value)),
  'quoted-printable, CRLF': (value) => grouped(9, '=\r\n')(quotedText(value)),
  'quoted-printable, every byte, broken': (value) => grouped(36, '=\n')(each(quoted)(value)),
  'base64 with zero-width spaces': (value) => between('\u200b')(base64(value)),
  'base64, full-width': (value) => each(wide)(base64(value)),
  'hex, full-width': (value) => each(wide)(hex(value)),
  'percent, every byte, full-width': (value) =>
    each(wide)([...Buffer.from(value)].map((byte) => `%${byte.toString(16)}`).join('')),
  'entities of hex': each((char) => `&#x${char.charCodeAt(0).toString(16)};`),
  'escapes of JSON': each((char) => `\\u00${char.charCodeAt(0).toString(16)}`),
  'escapes of C': each((char) => `\\x${char.charCodeAt(0).toString(16)}`),
  'percent, twice': each((char) => `%25${char.charCodeAt(0).toString(16)}`),
}
for (const [what, write] of Object.entries(EXACT))
  test(`known values in disguise: ${what}: what carries the value is taken out, and nothing else`, () => {
    for (const [kind, value] of Object.entries(VALUES)) {
      const text = `Übermut, the key: ${write(value)} é, ＡＢ\u200b end`
      assert.equal(
        KNOWN.redact(PRINCIPAL, text).text,
        `Übermut, the key: ${MARKER} é, ＡＢ\u200b end`,
        kind,
      )
      if (value !== TOKEN) continue
      const long = `${'some words, 漢字 and a = b; '.repeat(2_000)}(${write(value)})`
      assert.ok(
        KNOWN.redact(PRINCIPAL, long).text.endsWith(`(${MARKER})`),
        `${kind}: in a long text`,
      )
    }
  })

/** Ways to write one character that a reader does not tell apart. */
const WAYS: readonly ((char: string) => string)[] = [
  (char) => char,
  wide,
  bold,
  circled,
  (char) => `${char}\u200b`,
  (char) => `\u00ad${char}`,
  (char) => `${wide(char)}\ufe0f`,
  (char) => `\u{e0062}${bold(char)}`,
]

test('known values in disguise: any characters in any of these ways, anywhere in a text', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(WAYS.length - 1), { minLength: TOKEN.length, maxLength: TOKEN.length }),
      fc.string({ maxLength: 40 }).map((text) => text.replaceAll(/[|[\]]/g, '!')),
      fc.string({ maxLength: 40 }).map((text) => text.replaceAll(/[|[\]]/g, '!')),
      (ways, before, after) => {
        const written = [...TOKEN].map((char, at) => WAYS[ways[at]!]!(char)).join('')
        const { text, matches } = KNOWN.redact(PRINCIPAL, `${before}|${written}|${after}`)
        assert.equal(matches.length, 1)
        // What is not seen at both ends belongs to nothing.
        const shown = text.replace(/\|[^[|]*\[/u, '|[').replace(/\][^\]|]*\|/u, ']|')
        assert.equal(shown, `${before}|${MARKER}|${after}`)
      },
    ),
    { numRuns: 300 },
  )
})

test('known values in disguise: a text without the value is left as it is', () => {
  const other = `sk_live_${randomBytes(30).toString('base64url')}`
  const writers = Object.values(EXACT)
  const piece = fc.oneof(
    fc.constantFrom(other, TOKEN.slice(0, 20), TOKEN.slice(20), TOKEN.slice(1), TOKEN.slice(0, -1)),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(piece, fc.nat(writers.length - 1)), { maxLength: 3 }),
      (pieces) => {
        const text = pieces.map(([one, at]) => `${writers[at]!(one)}|`).join(' || ')
        const { text: shown, matches } = KNOWN.redact(PRINCIPAL, text)
        assert.deepEqual(matches, [])
        assert.equal(shown, text)
      },
    ),
    { numRuns: 100 },
  )
})

test('known values in disguise: hostile texts take no longer than others', () => {
  const length = 400_000
  for (const unit of [
    'e\u0301\u0323',
    'a\u0336',
    '\u0301\u0316',
    '\u200b',
    'ﷺ',
    'a ',
    'a\n',
    'ab cd-',
    '=\n',
    'a=\n',
    '=41',
    '\u{1d400}\u200b',
    '\u{e0041}',
  ]) {
    const text = unit.repeat(length / unit.length)
    const started = process.cpuUsage()
    assert.deepEqual(KNOWN.scan(PRINCIPAL, text), [])
    const { user, system } = process.cpuUsage(started)
    assert.ok(user + system < 5_000_000, `${JSON.stringify(unit)}: ${(user + system) / 1_000} ms`)
  }
})
