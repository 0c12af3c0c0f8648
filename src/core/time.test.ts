import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseInstant } from './time.ts'

const cases: readonly [text: string, at: number | null][] = [
  ['2026-11-20T10:00:00Z', 1_795_168_800_000],
  ['2026-11-20T10:00Z', 1_795_168_800_000],
  ['2026-11-20T11:30:00.25+01:30', 1_795_168_800_250],
  ['2026-02-28T23:59:59-01:00', 1_772_326_799_000],
  ['2024-02-29T00:00:00Z', 1_709_164_800_000],
  ['2026-02-29T00:00:00Z', null],
  ['2026-02-30T10:00:00Z', null],
  ['2100-02-29T10:00:00Z', null],
  ['2026-04-31T10:00:00+02:00', null],
  ['2026-01-00T10:00:00Z', null],
  ['2026-13-01T10:00:00Z', null],
  ['2026-11-20T25:00:00Z', null],
  ['2026-11-20T10:00:00', null],
  ['2026-11-20', null],
  ['', null],
]
for (const [text, at] of cases)
  test(`parseInstant: ${text === '' ? 'nothing' : text}`, () =>
    assert.equal(parseInstant(text), at))
