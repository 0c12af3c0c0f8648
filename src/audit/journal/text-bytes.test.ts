import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TextBytes } from './text-bytes.ts'

function written(value: number): string {
  const out = new TextBytes()
  out.text('before ')
  out.integer(value)
  return out.bytes.toString('latin1', 0, out.length)
}

test('whole numbers are written as JavaScript writes them', () => {
  const edges = [0, 9, 10, 99_999_999, 100_000_000, 100_000_001, Number.MAX_SAFE_INTEGER]
  for (const value of edges) assert.equal(written(value), `before ${value}`)
  for (let power = 1; power < 2 ** 53; power *= 10)
    for (const value of [power - 1, power, power + 1])
      assert.equal(written(value), `before ${value}`)
  fc.assert(fc.property(fc.maxSafeNat(), (value) => written(value) === `before ${value}`))
})
