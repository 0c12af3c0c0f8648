import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareDecimals, decimalOf, ExactNumber, parseDecimal } from './decimal.ts'

const parsed: readonly [source: string, units: bigint | null, scale?: number][] = [
  ['0', 0n, 0],
  ['-0.00', 0n, 0],
  ['1.50', 15n, 1],
  ['-1.5e3', -1500n, 0],
  ['1e-3', 1n, 3],
  ['1e+21', 10n ** 21n, 0],
  ['0e1000', 0n, 0],
  ['1e1001', null],
  ['', null],
  ['1.', null],
  ['Infinity', null],
  ['0x10', null],
]
for (const [source, units, scale = 0] of parsed)
  test(`parseDecimal: '${source}'`, () =>
    assert.deepEqual(parseDecimal(source), units === null ? null : { units, scale }))

const ordered: readonly [a: unknown, b: unknown, sign: number][] = [
  [0.1, new ExactNumber('0.10'), 0],
  [0.1, new ExactNumber('0.1000000000000000000001'), -1],
  [12345678901234567890n, 12345678901234567000, 1],
  [-5, 0.5, -1],
  [1e21, 10n ** 21n, 0],
]
for (const [a, b, sign] of ordered)
  test(`compareDecimals: ${String(a)} and ${String(b)}`, () => {
    const left = decimalOf(a) ?? assert.fail()
    const right = decimalOf(b) ?? assert.fail()
    assert.equal(compareDecimals(left, right), sign)
  })

test('what is no finite number is no decimal', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined, true])
    assert.equal(decimalOf(value), null)
})
