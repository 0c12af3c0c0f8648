import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hashAtCost } from '../crypto/index.ts'
import { isPassword, newPasswordRecord, passwordProblem } from './passwords.ts'

before(() => hashAtCost('recommended'))
after(() => hashAtCost('least'))

const EMAIL = 'ada.lovelace@example.org'
const SHORT = 'must have at least 12 characters'
const FIRST = 'is one of those that are tried first'
const OWN = 'must not be the e-mail address'
const cases: readonly [what: string, password: string, problem: string | null][] = [
  ['twelve characters', 'rain-harbour', null],
  ['eleven', 'rainharbour', SHORT],
  ['none', '', SHORT],
  ['eleven characters of two bytes', 'éàüöäßñçøåë', SHORT],
  ['twelve of them', 'éàüöäßñçøåëì', null],
  ['ligatures count as what they stand for', 'ﬃce of rain', null],
  ['the e-mail', EMAIL, OWN],
  ['the e-mail in capitals', 'ADA.LOVELACE@example.org', OWN],
  ['its first half with a year', 'ada.lovelace1815', OWN],
  ['password and digits', 'Password1234!', FIRST],
  ['digits and password', '1234password', FIRST],
  ['password twice', 'passwordpassword', FIRST],
  ['a row of keys', 'qwertyuiop12', FIRST],
  ['digits upwards', '123456789012', FIRST],
  ['digits downwards', '987654321098', FIRST],
  ['the one from the comic', 'correcthorsebatterystaple', FIRST],
  ['one character', 'aaaaaaaaaaaa', 'must have at least five different characters'],
  ['four characters', 'abcdabcdabcdabcd', 'must have at least five different characters'],
]
for (const [what, password, problem] of cases)
  test(`password: ${what}`, () => assert.equal(passwordProblem(password, EMAIL), problem))

test('password: kept as Argon2id with 64 MiB and three passes, recognised, and nothing fits no record', async () => {
  const record = await newPasswordRecord('rain over the harbour', EMAIL)
  const { algorithm, memoryKiB, passes } = JSON.parse(record)
  assert.deepEqual([algorithm, memoryKiB, passes], ['argon2id', 65_536, 3])
  assert.equal(await isPassword('rain over the harbour', record), true)
  assert.equal(await isPassword('rain over the harbours', record), false)
  assert.equal(await isPassword('', null), false)
  await assert.rejects(newPasswordRecord('rain over\u0000 the harbour', EMAIL), {
    code: 'BAD_INPUT',
    message: 'The password holds a character that cannot be used.',
  })
})
