import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitText, limitValue, readLimits, USUAL_LIMITS } from './server-limits.ts'

const VALUES: readonly [name: 'call' | 'open', text: string, value: number | null][] = [
  ['call', '60s', 60_000],
  ['call', '1000ms', 1_000],
  ['call', '999ms', null],
  ['call', '2h', 7_200_000],
  ['call', '7d', 604_800_000],
  ['call', '8d', null],
  ['call', '60', null],
  ['call', '', null],
  ['call', '-1s', null],
  ['call', '1.5s', null],
  ['open', '1', 1],
  ['open', '0', null],
  ['open', '100000', 100_000],
  ['open', '100001', null],
  ['open', '5s', null],
]

for (const [name, text, value] of VALUES)
  test(`the limit '${name}' reads '${text}' as ${value}`, () => {
    assert.equal(limitValue(name, text), value)
    if (value !== null) assert.equal(limitValue(name, limitText(name, value)), value)
  })

test('limits are read from a list, and what is wrong with it is said', () => {
  assert.deepEqual(readLimits('call=60s, start=5s open=3', 'F'), {
    callMs: 60_000,
    startMs: 5_000,
    maxOpen: 3,
  })
  assert.deepEqual(readLimits('', 'F'), {})
  assert.throws(() => readLimits('calls=60s', 'F'), {
    code: 'BAD_INPUT',
    message:
      'F must be a list of start=, call=, idle=, open=, late=, rest=, such as call=60s,open=100.',
  })
  assert.throws(() => readLimits('call=soon', 'F'), {
    message: "F 'call' must be a time such as 60s, 5m or 1h, from 1s to 7d.",
  })
  assert.equal(USUAL_LIMITS.callMs, 3_600_000)
})
