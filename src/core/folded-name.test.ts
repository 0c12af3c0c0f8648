import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldedName } from './folded-name.ts'

const same: readonly (readonly [string, string])[] = [
  ['Method', 'method'],
  ['paramſ', 'params'],
  ['\u212aey', 'key'],
  ['ｉd', 'id'],
  ['re\u00adsult', 'result'],
  ['id\0x', 'id'],
  ['STRASSE', 'straße'],
  ['ὈΔΥΣΣΕΎΣ', 'ὀδυσσεύς'],
]
for (const [a, b] of same)
  test(`folded alike: ${JSON.stringify(a)} and ${b}`, () =>
    assert.equal(foldedName(a), foldedName(b)))

test('other names stay apart', () => {
  assert.notEqual(foldedName('id'), foldedName('ids'))
  assert.notEqual(foldedName('naïve'), foldedName('naive'))
})
