import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SecretText } from '../core/secret-text.ts'
import { newToken, parseToken, sameTokenHash, tokenHash, tokenStart } from './tokens.ts'

const fresh = () => newToken('spt_local_').reveal()

test('token: what a secret scanner looks for', () => {
  const token = newToken('spt_local_')
  assert.match(token.reveal(), /^spt_local_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
  assert.equal(String(token), '[secret]')
  assert.equal(new Set(Array.from({ length: 1000 }, fresh)).size, 1000)
})

test('token: the checksum is CRC-32 in base62 of all before it', () => {
  // crc32('spt_local_' + 43 × 'A') = 0xbb17185d, worked out apart from this program.
  const known = `spt_local_${'A'.repeat(43)}3QQJ2b`
  assert.equal(parseToken(known)?.prefix, 'spt_local_')
})

test('token: comes back as it was, prefix apart', () => {
  for (const prefix of [
    'a_',
    'spt_',
    'spt_local_',
    'ocv_',
    '1ck_',
    'spt_a1_b2_',
    `${'x'.repeat(23)}_`,
  ]) {
    const text = newToken(prefix).reveal()
    const parsed = parseToken(text)
    assert.equal(parsed?.prefix, prefix)
    assert.equal(parsed?.token.reveal(), text)
  }
})

test('token: its start tells it apart and holds eight of its characters', () => {
  const token = newToken('ocv_')
  assert.equal(tokenStart(token), token.reveal().slice(0, 12))
})

test('token: any one character changed, dropped, doubled or swapped is found', () => {
  const text = fresh()
  for (let at = 0; at < text.length; at++) {
    const here = text.charAt(at)
    const other = here === 'a' ? 'b' : 'a'
    assert.equal(parseToken(text.slice(0, at) + other + text.slice(at + 1)), null, `change ${at}`)
    assert.equal(parseToken(text.slice(0, at) + text.slice(at + 1)), null, `drop ${at}`)
    assert.equal(parseToken(text.slice(0, at) + here + text.slice(at)), null, `double ${at}`)
    const next = text.charAt(at + 1)
    if (next !== '' && next !== here)
      assert.equal(
        parseToken(text.slice(0, at) + next + here + text.slice(at + 2)),
        null,
        `swap ${at}`,
      )
  }
})

const hostile: readonly [what: string, text: string][] = [
  ['empty', ''],
  ['only a prefix', 'spt_local_'],
  ['a space before', ` ${fresh()}`],
  ['a line end after', `${fresh()}\n`],
  ['upper case', fresh().toUpperCase()],
  ['a million characters', 'a_'.repeat(500_000)],
  ['no prefix', fresh().slice('spt_local_'.length)],
  ['a lone underscore as prefix', `_${fresh().slice('spt_local_'.length)}`],
  ['a surrogate', `spt_local_\ud800${fresh().slice(11)}`],
  ['a second spelling with its checksum', `spt_local_${'A'.repeat(42)}B0cjm4t`],
  ['Bearer before', `Bearer ${fresh()}`],
]
for (const [what, text] of hostile)
  test(`token: ${what} is none`, () => assert.equal(parseToken(text), null))

test('token: no other text is one', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 90 }),
      (text) => parseToken(text) === null,
    ),
  )
})

for (const prefix of ['', 'spt', 'Spt_', 'spt__', '_', 'spt-', `${'x'.repeat(24)}_`])
  test(`token: '${prefix}' is no prefix`, () => assert.throws(() => newToken(prefix), RangeError))

test('token: its hash is HMAC-SHA256, another under another key', () => {
  const key = Buffer.alloc(20, 0x0b)
  // RFC 4231, test case 1.
  assert.equal(
    tokenHash(key, SecretText.fromText('Hi There')).toString('hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  )
  const token = newToken('spt_local_')
  const one = tokenHash(key, token)
  assert.equal(sameTokenHash(one, tokenHash(key, token)), true)
  assert.equal(sameTokenHash(one, tokenHash(Buffer.alloc(20, 0x0c), token)), false)
  assert.equal(sameTokenHash(one, tokenHash(key, newToken('spt_local_'))), false)
  assert.equal(sameTokenHash(one, one.subarray(1)), false)
  assert.equal(sameTokenHash(Buffer.alloc(0), one), false)
})
