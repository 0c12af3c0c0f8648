import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guessBits } from './strength.ts'

const STRETCH = [8, 16] as const

const cases: readonly [what: string, value: string, isStrong: boolean][] = [
  ['128 bits in hex', '9f3c1a7be05d4826b1c97e3f5a08d264', true],
  ['20 characters of letters and digits', 'q7Xz0WkP4vR8mTcY6bN1', true],
  ['a UUID that begins like a prefix', 'a3f2b8c1-9d47-4a06-b5e8-71c0d94f6a2b', true],
  ['a UUID', '3f2b8c1e-9d47-4a06-b5e8-71c0d94f6a2b', true],
  ['40 characters of base64', 'wJ8xUtnFE4MIk7MDbNGzbPxRfiCYzQ3kLm9pVhTe', true],
  ['12 characters', 'q7Xz0WkP4vR8', false],
  ['16 characters', 'q7Xz0WkP4vR8mTcY', false],
  ['four words', 'correct horse battery staple', false],
  ['digits', '4929381726354011', false],
  ['one character', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', false],
  ['a sequence', 'abcdefghijklmnopqrstuvwxyz0123456789', false],
  ['a short part repeated', 'x7Kq2x7Kq2x7Kq2x7Kq2x7Kq2x7Kq2x7Kq2', false],
  ['a public prefix and little more', 'sk_live_q7Xz0WkP4vR8mT', false],
  ['an option of a program', '--max-old-space-size=4096', false],
  ['options of a program', '--enable-source-maps --max-http-header-size=16384', false],
  ['a token behind an option', '--auth-token=q7Xz0WkP4vR8mTcY6bN1', true],
  ['empty', '', false],
]
for (const [what, value, isStrong] of cases)
  test(`strength: ${what} ${isStrong ? 'takes' : 'does not take'} 2^64 guesses`, () => {
    const bits = guessBits(value, STRETCH)
    assert.equal(bits >= 64, isStrong, `${bits} bits`)
  })

test('strength: random letters between underscores are no public prefix', () => {
  assert.ok(guessBits('tk_qJkVZ_KIOvhUU_hj6lgx7Alpt1Tt573f', [20, 32]) >= 64)
  assert.ok(guessBits('github_pat_hj6lgx7Alpt1Tt573f', [14, 26]) < 64)
})
