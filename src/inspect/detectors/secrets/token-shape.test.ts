import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginningsOf, piecesOf, sampleOf } from './token-shape.ts'

const beginnings: readonly [shape: string, beginnings: readonly string[]][] = [
  ['ghp_{A36}', ['ghp_']],
  ['(Live|test)_{h35}', ['live_', 'test_']],
  ['a(b|c)-(d|e)_{d9}', ['ab-d_', 'ab-e_', 'ac-d_', 'ac-e_']],
  ['{h40}', ['']],
]
for (const [shape, expected] of beginnings)
  test(`what tokens of ${shape} begin with`, () => assert.deepEqual(beginningsOf(shape), expected))

test('samples are of their shape, the same for the same seed and others for another', () => {
  const shape = 'key-{A20-24}_(x|y){d6}'
  assert.match(sampleOf(shape), /^key-[A-Za-z0-9]{20,24}_[xy][0-9]{6}$/)
  assert.equal(sampleOf(shape, 5), sampleOf(shape, 5))
  assert.notEqual(sampleOf(shape, 5), sampleOf(shape, 6))
})

test('a shape that cannot be read is refused', () => {
  assert.throws(() => piecesOf('ab_{d}'), RangeError)
  assert.throws(() => piecesOf('ab_{Q4}'), RangeError)
  assert.throws(() => piecesOf('ab_(c'), RangeError)
})
