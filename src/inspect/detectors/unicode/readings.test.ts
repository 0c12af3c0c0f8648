import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Scene } from '../../detector.ts'
import { enoughHidden } from './readings.ts'

const scene = (): Scene => ({ kind: 'text', via: [] })

test('enoughHidden: runs of one detector, in order', () => {
  const text = 'a\u200bb \u202ec d\u2060e'
  assert.deepEqual(
    enoughHidden(text, scene(), ({ kind }) => kind === 'zero-width').map(({ start }) => start),
    [1, 8],
  )
  assert.deepEqual(
    enoughHidden(text, scene(), ({ isOverride }) => isOverride).map(({ start }) => start),
    [4],
  )
  assert.deepEqual(
    enoughHidden('plain', scene(), () => true),
    [],
  )
})

test('enoughHidden: 256 of the worst are enough, and milder ones never stand in their way', () => {
  const flood = `${'a\u200bb '.repeat(1_000)}${'x\u202ey '.repeat(300)}`
  const isOverride = ({ isOverride: is }: { readonly isOverride: boolean }): boolean => is
  const all = (): boolean => true
  assert.equal(enoughHidden(flood, scene(), isOverride).length, 256)
  assert.equal(enoughHidden(flood, scene(), all).length, 256)
  assert.equal(enoughHidden(flood, scene(), all, isOverride).length, 1_256)
})
