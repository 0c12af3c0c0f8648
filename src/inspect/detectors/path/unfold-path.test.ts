import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NUL, unfoldPath } from './unfold-path.ts'

const cases: readonly [what: string, run: string, plain: string, isEvasive: boolean][] = [
  ['nothing to undo', '../../a', '../../a', false],
  ['empty', '', '', false],
  ['backslashes', '..\\..\\a', '../../a', false],
  ['one layer', '..%2f..%2Fa', '../../a', false],
  ['two layers', '%252e%252e%252fa', '../a', true],
  ['a noncharacter is no percent sign', '\ufffe2e\ufffe2e/a', '\ufffe2e\ufffe2e/a', false],
  ['a noncharacter among escapes', '%252e\ufffe2e%2fa', '.\ufffe2e/a', true],
  ['a percent sign that stays', '100%', '100%', false],
  ['overlong in two bytes', '%c0%ae%c0%ae%c0%afa', '../a', true],
  ['overlong in three bytes', '%e0%80%ae%e0%80%ae/a', '../a', true],
  ['overlong in four bytes', '..%f0%80%80%afa', '../a', true],
  ['wide', '..%u2215a', '../a', true],
  ['digit by digit', '%%32%%65%%32%%65/a', '../a', true],
  ['textual hexadecimal', '0x2e0x2e0x2fa', '../a', true],
  ['percent signs stripped', '..2f..2fetc2fhosts', '../../etc/hosts', true],
  ['a letter of a word', 'caf%C3%A9', 'caf\u00c3\u00a9', false],
]
for (const [what, run, plain, isEvasive] of cases)
  test(`unfoldPath: ${what}`, () => {
    const path = unfoldPath(run)
    assert.equal(path.plain, plain)
    assert.equal(path.isEvasive, isEvasive)
  })

test('unfoldPath: a NUL is kept visible', () => {
  const path = unfoldPath('a.php%00.png')
  assert.equal(path.plain, `a.php${NUL}.png`)
  assert.equal(path.hasNul, true)
})

test('unfoldPath: six layers are more than it undoes', () => {
  assert.equal(unfoldPath('%25252525252e').plain, '%2e')
})
