import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matcherOf } from './shape-matcher.ts'
import { sampleOf, shortOf } from './token-shape.ts'

function found(shapes: readonly string[], text: string, from = 0, to = text.length): string | null {
  const place = matcherOf(shapes)(text, from, to)
  return place === null ? null : text.slice(place.start, place.end)
}

const cases: readonly [shape: string, text: string, expected: string | null][] = [
  ['ab_{d4}', 'ab_7401', 'ab_7401'],
  ['ab_{d4}', 'ab_740', null],
  ['ab_{d4}', 'x = "ab_7401"', 'ab_7401'],
  ['ab_{d4}', 'xab_7401', null],
  ['ab_{d4}', '.ab_7401', null],
  ['ab_{d4}', '-ab_7401', 'ab_7401'],
  ['ab_{d4}', '\\nab_7401', 'ab_7401'],
  ['ab_{d4}', 'nab_7401', null],
  ['ab_{d4}', 'ab_74015', null],
  ['ab_{d4}', 'ab_7401x', 'ab_7401'],
  ['ab_{d4}', 'AB_7401', null],
  ['(live|test)_{h3}', 'test_0fa', 'test_0fa'],
  ['(live|test)_{h3}', 'prod_0fa', null],
  ['a.b{d1}', 'a.b7', 'a.b7'],
  ['a.b{d1}', 'axb7', null],
  ['k-{l2-3}.{d2}', 'k-abc.12', 'k-abc.12'],
  ['k-{l2-3}.{d2}', 'k-abcd.12', null],
  ['cl(ass)?-{d2}', 'cl-12', 'cl-12'],
  ['cl(ass)?-{d2}', 'class-12', 'class-12'],
  ['cl(ass)?-{d2}', 'clas-12', null],
  // The run gives back what the next pieces need.
  ['k{w2-9}-{d2}', 'kab-cd-12-3', 'kab-cd-12'],
  ['k{w2-8}_{x2}', 'kab_cd_ef', 'kab_cd_ef'],
  // A long run takes what it may and asks nothing of what comes then.
  ['L{a20-100}', `L${'a7'.repeat(60)}`, `L${'a7'.repeat(50)}`],
  ['L{a20-99}', `L${'a7'.repeat(60)}`, null],
]
for (const [shape, text, expected] of cases)
  test(`a token of ${shape} in ${text.slice(0, 20)}: ${expected?.slice(0, 20)}`, () =>
    assert.equal(found([shape], text), expected))

test('a token begins in the window and may end behind it; what stands before it is seen', () => {
  assert.equal(found(['ab_{d4}'], '..  ab_7401', 3, 5), 'ab_7401')
  assert.equal(found(['ab_{d4}'], '..  ab_7401', 5), null)
  assert.equal(found(['b_{d4}'], 'ab_7401', 1), null)
})

test('of two shapes at one place the first is taken, and an earlier place before a later one', () => {
  assert.equal(found(['k{d2-4}', 'k{d4}'], 'k1234'), 'k1234')
  assert.equal(found(['k{d2}:', 'k{d2}'], 'k12:'), 'k12:')
  assert.equal(found(['z{d2}', 'k{d2}'], 'k12 z34'), 'k12')
})

test('samples are of their shape, what is too short is not', () => {
  for (const shape of [
    'key-{A20-24}_(x|y){d6}',
    '(M|N){A21-26}.{w6}.{w27-38}',
    'cl(ass)?-{b40}=',
  ]) {
    for (const seed of [1, 2, 3]) {
      const sample = sampleOf(shape, seed)
      assert.equal(found([shape], `"${sample}"`), sample)
    }
    assert.equal(found([shape], shortOf(shape)), null)
  }
})
