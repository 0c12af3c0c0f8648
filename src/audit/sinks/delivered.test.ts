import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Delivered } from './delivered.ts'

type Step = readonly [from: number, to: number] | number

const cases: readonly [what: string, start: number, steps: readonly Step[], cursor: number][] = [
  ['nothing', 4, [], 4],
  ['the next ones', 0, [[1, 3]], 3],
  [
    'one after another',
    0,
    [
      [1, 3],
      [4, 4],
    ],
    4,
  ],
  ['a gap', 0, [[2, 3]], 0],
  [
    'a gap that is filled',
    0,
    [
      [2, 3],
      [1, 1],
    ],
    3,
  ],
  [
    'two gaps, filled from behind',
    0,
    [
      [5, 6],
      [2, 3],
      [4, 4],
      [1, 1],
    ],
    6,
  ],
  ['what was there already', 5, [[1, 5]], 5],
  ['more than was there', 5, [[3, 8]], 8],
  ['the store says more', 0, [[5, 6], 4], 6],
  ['the store says less', 5, [3], 5],
  ['the store says what lies within a range', 0, [[5, 9], 7], 9],
  ['an empty range', 3, [[4, 3]], 3],
  [
    'ranges over each other',
    0,
    [
      [3, 6],
      [2, 4],
      [1, 1],
    ],
    6,
  ],
]
for (const [what, start, steps, cursor] of cases)
  test(`Delivered: ${what}`, () => {
    const delivered = new Delivered(start)
    for (const step of steps)
      if (typeof step === 'number') delivered.reach(step)
      else delivered.add(...step)
    assert.equal(delivered.cursor, cursor)
  })

test('Delivered: the cursor is the end of what is there without a gap', () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(6))
  fc.assert(
    fc.property(fc.array(range, { maxLength: 25 }), (ranges) => {
      const delivered = new Delivered(0)
      const there = new Set<number>()
      for (const [from, more] of ranges) {
        delivered.add(from, from + more)
        for (let seq = from; seq <= from + more; seq++) there.add(seq)
      }
      let end = 0
      while (there.has(end + 1)) end += 1
      assert.equal(delivered.cursor, end)
    }),
  )
})
