import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Few } from './few.ts'

type Command =
  | { readonly kind: 'set' | 'delete'; readonly key: string }
  | { readonly kind: 'empty' | 'clear' }

const key = fc.integer({ min: 0, max: 60 }).map((n) => `k${n}`)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('set' as const), key }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'empty' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
)

test('few entries and many are kept as a map keeps them', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400, size: 'max' }), (commands) => {
      const few = new Few<number>()
      const map = new Map<string, number>()
      commands.forEach((one, n) => {
        if (one.kind === 'set') {
          few.set(one.key, n)
          map.set(one.key, n)
        } else if (one.kind === 'delete') assert.equal(few.delete(one.key), map.delete(one.key))
        else if (one.kind === 'clear') {
          few.clear()
          map.clear()
        } else
          for (const gone of map.keys()) {
            assert.equal(few.delete(gone), true)
            map.delete(gone)
          }
        assert.equal(few.size, map.size)
        assert.deepEqual(few.entries(), [...map])
        assert.deepEqual(few.keys(), [...map.keys()])
        assert.deepEqual(few.values(), [...map.values()])
      })
      for (let n = 0; n <= 60; n += 1) {
        assert.equal(few.get(`k${n}`), map.get(`k${n}`))
        assert.equal(few.has(`k${n}`), map.has(`k${n}`))
      }
    }),
  )
})

test('what comes or goes while entries are looked at changes nothing', () => {
  const few = new Few<number>()
  for (let n = 0; n < 5; n += 1) few.set(`k${n}`, n)
  const seen: string[] = []
  for (const [name] of few.entries()) {
    seen.push(name)
    few.delete(name)
    few.set(`more ${name}`, 0)
  }
  assert.deepEqual(seen, ['k0', 'k1', 'k2', 'k3', 'k4'])
  assert.equal(few.size, 5)
})
