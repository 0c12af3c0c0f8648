import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alternativesOf, byFirstUnit, firstUnitsOf } from './first-units.ts'

const firsts: readonly (readonly [pattern: string, units: readonly string[] | null])[] = [
  ['pear', ['p']],
  ['Pear|plum|fig', ['p', 'f']],
  ['(?:pear|fig) tree', ['p', 'f']],
  ['(?:a |b )?(?:c|d)', ['a', 'b', 'c', 'd']],
  ['(?:a|b){0,2}c', ['a', 'b', 'c']],
  ['(?:a|b){1,2}c', ['a', 'b']],
  ['a?b*c+d', ['a', 'b', 'c']],
  ['[-=*]{2}x', ['-', '=', '*']],
  ['[\\]x]', [']', 'x']],
  ['[a-c]', null],
  ['[^a]', null],
  ['\\w', null],
  ['\\d{2}', null],
  ['.', null],
  ['\\n|\\.', ['\n', '.']],
  ['\\bword', ['w']],
  ['(?<=[.,] )x', ['x']],
  ['(?!y)x', ['x']],
  ['(?<![^\\n>])(?:a|b) ?:', ['a', 'b']],
  ['a?', null],
  ['', null],
]

for (const [pattern, units] of firsts)
  test(`firstUnitsOf: ${pattern}`, () => {
    const found = firstUnitsOf(pattern)
    assert.deepEqual(found === null ? null : [...found], units)
  })

test('alternativesOf: only those outside brackets', () => {
  assert.deepEqual(alternativesOf('a|(?:b|c)|[|]|\\|'), ['a', '(?:b|c)', '[|]', '\\|'])
})

test('byFirstUnit: a leading group is taken apart, what can begin with anything is always there', () => {
  const by = byFirstUnit('(?:send|give|sell) it|(?:a )?gift|\\d{2}|é')
  assert.equal(by('s'), 'send it|sell it|\\d{2}')
  assert.equal(by('g'), 'give it|(?:a )?gift|\\d{2}')
  assert.equal(by('z'), '\\d{2}')
  assert.equal(by(null), '\\d{2}|é')
  assert.equal(byFirstUnit('pear')('x'), null)
})

test('an open bracket is an error', () => {
  assert.throws(() => byFirstUnit('(?:a|b'), RangeError)
})
