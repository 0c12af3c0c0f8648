import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isIn, runEnd, withoutPadding } from './unit-classes.ts'

test('isIn: by class, false beyond ASCII and where there is no unit', () => {
  const unit = (text: string): number => text.charCodeAt(0)
  assert.equal(isIn('alphanumeric', unit('Z')), true)
  assert.equal(isIn('alphanumeric', unit('_')), false)
  assert.equal(isIn('base64', unit('=')), true)
  assert.equal(isIn('base64', unit('-')), false)
  assert.equal(isIn('base64url', unit('-')), true)
  assert.equal(isIn('base64url', unit('=')), false)
  assert.equal(isIn('base64', unit('я')), false)
  assert.equal(isIn('base64', unit('')), false)
})

test('runEnd: no farther than it may go', () => {
  assert.equal(runEnd('base64url', 'ab-c.d', 0, 100), 4)
  assert.equal(runEnd('base64url', 'ab-c.d', 0, 2), 2)
  assert.equal(runEnd('base64url', 'ab-c.d', 4, 100), 4)
  assert.equal(runEnd('base64url', 'ab', 2, 100), 2)
})

test('withoutPadding: what fills up is at the end only', () => {
  assert.equal(withoutPadding('YQ=='), 'YQ')
  assert.equal(withoutPadding('Y=Q'), 'Y=Q')
  assert.equal(withoutPadding('='), '')
})
