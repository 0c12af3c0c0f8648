import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { fingerprintKey, fingerprintsOf } from './fingerprint.ts'
import { KnownValues } from './known-values.ts'

const key = randomBytes(32)
const KEY = fingerprintKey((bytes) => createHmac('sha256', key).update(bytes).digest())
// In base64 nothing of it is shared with what stands behind.
const value = randomBytes(27).toString('base64url')
const known = new KnownValues(KEY)
known.remember(
  'me',
  { id: '1', path: 'api/key', version: 1 },
  fingerprintsOf(KEY, Buffer.from(value)).fingerprints,
)
const redacted = (text: string): string => known.redact('me', text).text

const WRITTEN: Readonly<Record<string, string>> = {
  'as it is': value,
  'in base64': Buffer.from(value).toString('base64'),
  'in hex': Buffer.from(value).toString('hex'),
  reversed: [...value].toReversed().join(''),
}

for (const [what, lineEnd] of [
  ['a line end', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
  ['a tab', '\t'],
  ['an indented line', '\n    '],
  ['CRLF and a tab', '\r\n\t'],
  ['a blank before it', ' \n'],
  ['an empty line', '\n\n'],
  ['a line that goes on', '\\\n'],
  ['a line that goes on behind a blank', ' \\\n'],
  ['a quotation', '\n> > '],
  ['a comment', '\n  # '],
  ['a comment of C', '\n// '],
  ['one that is escaped', '\\n'],
  ['one that is escaped, indented', '\\r\\n  '],
] as const)
  test(`known values: ${what} anywhere within does not hide one`, () => {
    for (const [as, written] of Object.entries(WRITTEN))
      for (let at = 1; at < written.length; at += 1) {
        const broken = `${written.slice(0, at)}${lineEnd}${written.slice(at)}`
        const text = redacted(`some words\nand key: ${broken} after\n`)
        assert.match(
          text,
          /^some words\nand key: \[REDACTED:api\/key\] after\n$/,
          `${as}, ${JSON.stringify(broken)}`,
        )
      }
  })

test('known values: one that is broken into lines of any width is found', () => {
  for (let width = 8; width < value.length; width += 1)
    for (const lineEnd of ['\n', '\n  ', '\r\n']) {
      const broken = value.replaceAll(new RegExp(`.{${width}}(?=.)`, 'g'), `$&${lineEnd}`)
      assert.equal(redacted(`${'a b\n'.repeat(width)}${broken}`).slice(-18), '[REDACTED:api/key]')
    }
})

test('known values: what stands in the lines around another is left alone', () => {
  const [first, last] = [value.slice(0, 12), value.slice(12)]
  for (const text of [`${first}\nx\n${last}`, `${last}\n${first}`, `${first}\n"${last}`])
    assert.equal(redacted(text), text)
})
