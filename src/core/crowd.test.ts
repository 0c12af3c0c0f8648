import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crowd, type InCrowd } from './crowd.ts'

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constantFrom('add', 'delete'), at: fc.nat(19) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear'), at: fc.constant(0) }) },
)

test('who came and did not leave is there, as a set has it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const people: readonly InCrowd[] = Array.from({ length: 20 }, () => ({ place: -1 }))
      const crowd = new Crowd<InCrowd>()
      const set = new Set<InCrowd>()
      for (const { kind, at } of steps) {
        const one = people[at] as InCrowd
        if (kind === 'clear') {
          crowd.clear()
          set.clear()
        } else if (kind === 'add') {
          crowd.add(one)
          set.add(one)
        } else {
          crowd.delete(one)
          set.delete(one)
        }
        assert.equal(crowd.size, set.size)
        assert.deepEqual(new Set(crowd.all()), set)
        for (const each of people) assert.equal(crowd.has(each), set.has(each))
      }
    }),
  )
})

test('who is in another crowd is neither in this one nor taken out of it', () => {
  const crowds = [new Crowd<InCrowd>(), new Crowd<InCrowd>()] as const
  const [one, other] = [{ place: -1 }, { place: -1 }]
  crowds[0].add(one)
  crowds[1].add(other)
  crowds[1].delete(one)
  assert.equal(crowds[1].has(one), false)
  assert.deepEqual(crowds[1].all(), [other])
  assert.deepEqual(crowds[0].all(), [one])
})
