import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeIn } from '../../core/counter-port.ts'
import { type EpochMs, parseInstant, toIso } from '../../core/time.ts'
import type { ToolLimit } from './model.ts'
import { windowOf } from './windows.ts'

const limit = (window: ToolLimit['window'], algorithm: ToolLimit['algorithm']): ToolLimit => ({
  counter: 'c',
  window,
  max: 1,
  scope: 'grant',
  algorithm,
  scale: 0,
  cost: { kind: 'fixed', units: 1 },
  onDeny: null,
  name: null,
  pointer: '',
})
const at = (text: string): EpochMs => parseInstant(text) ?? assert.fail(text)

const calendar: readonly [window: ToolLimit['window'], now: string, start: string, end: string][] =
  [
    ['minute', '2026-11-20T10:00:59.999Z', '2026-11-20T10:00:00.000Z', '2026-11-20T10:01:00.000Z'],
    ['hour', '2026-11-20T10:00:00.000Z', '2026-11-20T10:00:00.000Z', '2026-11-20T11:00:00.000Z'],
    ['day', '2026-11-20T23:59:59.999Z', '2026-11-20T00:00:00.000Z', '2026-11-21T00:00:00.000Z'],
    ['week', '2026-11-22T23:00:00.000Z', '2026-11-16T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['week', '2026-11-23T00:00:00.000Z', '2026-11-23T00:00:00.000Z', '2026-11-30T00:00:00.000Z'],
    ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    [90, '2026-11-20T00:01:31.000Z', '2026-11-20T00:01:30.000Z', '2026-11-20T00:03:00.000Z'],
  ]
for (const [window, now, start, end] of calendar)
  test(`a calendar ${window} at ${now}`, () => {
    const { bucket, from, endsAt } = placeIn(windowOf(limit(window, 'calendar')), at(now))
    assert.deepEqual([bucket, from, endsAt].map(toIso), [start, start, end])
  })

test('a sliding minute counts in seconds, and a call for a second longer than it has to', () => {
  const { bucket, from, endsAt } = placeIn(
    windowOf(limit('minute', 'sliding')),
    at('2026-11-20T10:01:30.500Z'),
  )
  assert.deepEqual([bucket, from, endsAt].map(toIso), [
    '2026-11-20T10:01:30.000Z',
    '2026-11-20T10:00:30.000Z',
    '2026-11-20T10:02:31.000Z',
  ])
})

test('in no interval of the length do more calls pass than the limit says', () => {
  const sliding = limit(7, 'sliding')
  const counted = new Map<number, number>()
  const passed: number[] = []
  let now = 1_795_000_000_123
  for (let call = 0; call < 4_000; call += 1) {
    now += (call * 7919) % 97
    const { bucket, from, endsAt } = placeIn(windowOf(sliding), now as EpochMs)
    let used = 0
    for (const [at, count] of counted) if (at >= from) used += count
    if (used >= 5) {
      const oldest = Math.min(...[...counted.keys()].filter((one) => one >= from))
      assert.ok(endsAt + oldest - bucket > now)
      continue
    }
    counted.set(bucket, (counted.get(bucket) ?? 0) + 1)
    passed.push(now)
  }
  assert.ok(passed.length > 50)
  for (const [index, first] of passed.entries()) {
    const inside = passed.slice(index).filter((one) => one < first + 7_000)
    assert.ok(inside.length <= 5, `${inside.length} from ${first}`)
  }
})
