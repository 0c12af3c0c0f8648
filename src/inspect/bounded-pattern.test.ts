import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedTo } from './bounded-pattern.ts'

test('boundedTo: what lies behind the limit is not seen', () => {
  const ends = boundedTo(4, /b$/)
  assert.equal(ends.test('aaab'), true)
  assert.equal(ends.test('aaaab'), false)
  assert.equal(ends.test('aaabc'), true)
  assert.equal(boundedTo(3, /b/).exec('aab b')?.index, 2)
  assert.equal(boundedTo(2, /b/).exec('aab'), null)
})
