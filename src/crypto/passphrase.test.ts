import assert from 'node:assert/strict'
import { argon2Sync } from 'node:crypto'
import { after, before, test } from 'node:test'
import { isFault } from '../core/faults.ts'
import { SecretText } from '../core/secret-text.ts'
import {
  assertNewPassphrase,
  derive,
  hashAtCost,
  newParams,
  verifierFor,
  verify,
} from './passphrase.ts'

before(() => hashAtCost('recommended'))
after(() => hashAtCost('least'))

const secret = (text: string) => SecretText.fromText(text)
const CHEAP = {
  algorithm: 'argon2id',
  memoryKiB: 8192,
  passes: 1,
  parallelism: 1,
  salt: 'AAECAwQFBgcICQoLDA0ODw',
}
const cheap = (change: Record<string, unknown> = {}) => JSON.stringify({ ...CHEAP, ...change })

test('passphrase: new parameters are the second recommended option of RFC 9106', () => {
  const { salt, ...rest } = JSON.parse(newParams()) as { salt: string }
  assert.deepEqual(rest, { algorithm: 'argon2id', memoryKiB: 65_536, passes: 3, parallelism: 4 })
  assert.equal(Buffer.from(salt, 'base64url').length, 16)
  assert.notEqual(salt, (JSON.parse(newParams()) as { salt: string }).salt)
})

test('passphrase: a process of tests may make cheaper ones, whose records say so', async (t) => {
  hashAtCost('least')
  t.after(() => hashAtCost('recommended'))
  const record = await verifierFor(secret('correct horse'))
  const { memoryKiB, passes, parallelism } = JSON.parse(record) as typeof CHEAP
  assert.deepEqual([memoryKiB, passes, parallelism], [8_192, 1, 1])
  hashAtCost('recommended')
  assert.equal(await verify(secret('correct horse'), record), true)
})

test('passphrase: the key is Argon2id of the text under the stored parameters', async () => {
  const key = await derive(secret('correct horse'), cheap({ passes: 2, parallelism: 2 }))
  const expected = argon2Sync('argon2id', {
    message: Buffer.from('correct horse'),
    nonce: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
    memory: 8192,
    passes: 2,
    parallelism: 2,
    tagLength: 32,
  })
  assert.deepEqual(key, expected)
})

test('passphrase: a stored key comes out the same in every release', async () => {
  const key = await derive(secret('correct horse'), cheap())
  assert.equal(
    key.toString('hex'),
    '68aa6b3e6343f355586e5dd84710fb380cc542b0a47fa8a06ad81318fa48e3b3',
  )
})

const alike: readonly [what: string, one: string, other: string, same: boolean][] = [
  ['é composed and decomposed', 'caf\u00e9 noir', 'cafe\u0301 noir', true],
  ['full-width letters', '\uff50\uff41ssword', 'password', true],
  ['a no-break space', 'pass\u00a0word', 'pass word', true],
  ['an ideographic space', 'pass\u3000word', 'pass word', true],
  ['case', 'Password', 'password', false],
  ['e without its accent', 'caf\u00e9 noir', 'cafe noir', false],
  ['a space more', 'pass word', 'pass  word', false],
]
for (const [what, one, other, same] of alike)
  test(`passphrase: ${what} ${same ? 'is the same' : 'differs'}`, async () => {
    const [a, b] = await Promise.all([derive(secret(one), cheap()), derive(secret(other), cheap())])
    assert.equal(a.equals(b), same)
  })

test('passphrase: a verifier knows its passphrase and no other', async () => {
  const record = await verifierFor(secret('caf\u00e9 noir 12'))
  assert.doesNotMatch(record, /noir/)
  assert.equal(await verify(secret('cafe\u0301 noir 12'), record), true)
  assert.equal(await verify(secret('caf\u00e9 noir 13'), record), false)
  assert.equal(await verify(secret(''), record), false)
  assert.equal(await verify(secret('x'.repeat(1025)), record), false)
})

const fresh: readonly [what: string, text: string, refusal: RegExp | null][] = [
  ['eight characters', 'abcd efg', null],
  ['seven characters', 'abc efg', /at least 8 characters/],
  ['empty', '', /at least 8 characters/],
  [
    'seven characters of many bytes',
    '\u{1f600}\u{1f601}\u{1f602}\u{1f603}\u{1f604}\u{1f605}\u{1f606}',
    /at least 8/,
  ],
  ['seven with a combining mark', 'abcdefe\u0301', /at least 8/],
  ['one character again and again', 'aaaaaaaaaaaa', /must not repeat/],
  ['a line end', 'abcdefgh\n', /cannot be used/],
  ['a NUL', 'abcd\0efgh', /cannot be used/],
  ['an unassigned code point', 'abcdefgh\u{e0fff}', /cannot be used/],
  ['a space at the end', 'abcdefgh ', /start or end with a space/],
  ['1024 bytes', 'abc'.repeat(341) + 'x', null],
  ['1025 bytes', 'abc'.repeat(341) + 'xy', /more than 1024 bytes/],
]
for (const [what, text, refusal] of fresh)
  test(`passphrase: a new one with ${what} is ${refusal === null ? 'taken' : 'refused'}`, () => {
    if (refusal === null) assertNewPassphrase(secret(text))
    else
      assert.throws(
        () => assertNewPassphrase(secret(text)),
        (error) => isFault(error, 'BAD_INPUT') && refusal.test(error.message),
      )
  })

const edited: readonly [what: string, params: string, field: string][] = [
  ['not JSON', 'argon2id', 'JSON'],
  ['null', 'null', 'JSON'],
  ['another algorithm', cheap({ algorithm: 'argon2i' }), 'algorithm'],
  ['4 TiB', cheap({ memoryKiB: 2 ** 32 - 1 }), 'memoryKiB'],
  ['just too much memory', cheap({ memoryKiB: 262_145 }), 'memoryKiB'],
  ['just too little memory', cheap({ memoryKiB: 8_191 }), 'memoryKiB'],
  ['memory as text', cheap({ memoryKiB: '65536' }), 'memoryKiB'],
  ['half a KiB', cheap({ memoryKiB: 8192.5 }), 'memoryKiB'],
  ['no passes', cheap({ passes: 0 }), 'passes'],
  ['too many passes', cheap({ passes: 11 }), 'passes'],
  ['no lanes', cheap({ parallelism: 0 }), 'parallelism'],
  ['too many lanes', cheap({ parallelism: 17 }), 'parallelism'],
  ['a short salt', cheap({ salt: 'AAECAwQFBgcICQoLDA0O' }), 'salt'],
  ['a salt in another alphabet', cheap({ salt: 'AAECAwQFBgcICQoLDA0OD+' }), 'salt'],
  ['no salt', cheap({ salt: undefined }), 'salt'],
  ['a salt of a megabyte', cheap({ salt: 'A'.repeat(1_000_000) }), 'salt'],
]
for (const [what, params, field] of edited)
  test(`passphrase: a record with ${what} is not computed`, async () => {
    const invalid = (error: unknown) =>
      isFault(error, 'KEY_INVALID') && error.details['field'] === field
    await assert.rejects(derive(secret('correct horse'), params), invalid)
    const record = params.startsWith('{')
      ? params.replace(/\}$/, `,"hash":"${'A'.repeat(43)}"}`)
      : params
    await assert.rejects(verify(secret('correct horse'), record), invalid)
  })

for (const hash of [undefined, '', 'A'.repeat(42), 'A'.repeat(86)])
  test(`passphrase: a verifier with a hash of ${hash?.length ?? 'no'} characters is damaged`, async () => {
    await assert.rejects(verify(secret('correct horse'), cheap({ hash })), (error) =>
      isFault(error, 'KEY_INVALID'),
    )
  })

test('passphrase: two at once at the most, and all get their turn', async () => {
  const before = process.memoryUsage().rss
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 2)
  const params = cheap({ memoryKiB: 65_536 })
  const keys = await Promise.all(
    Array.from({ length: 8 }, () => derive(secret('correct horse'), params)),
  )
  clearInterval(watch)
  assert.equal(new Set(keys.map((key) => key.toString('hex'))).size, 1)
  // Eight would take 512 MiB; two take 128, and the allocator may keep a third.
  assert.ok(peak - before < 200 * 2 ** 20, `${(peak - before) / 2 ** 20} MiB`)
})
