import assert from 'node:assert/strict'
import { test } from 'node:test'
import { distinctUnits, entropyOf, runShare } from './entropy.ts'

test('entropyOf: bits per unit, of ASCII and of other text', () => {
  assert.equal(entropyOf(''), 0)
  assert.equal(entropyOf('aaaa'), 0)
  assert.equal(entropyOf('abab'), 1)
  assert.equal(entropyOf('abcd'), 2)
  assert.equal(entropyOf('яяшш'), 1)
  assert.equal(entropyOf('abяш'), 2)
  assert.equal(entropyOf('ab'.repeat(40_000)), 1)
})

test('distinctUnits: how many characters differ', () => {
  assert.equal(distinctUnits(''), 0)
  assert.equal(distinctUnits('abca'), 3)
  assert.equal(distinctUnits('яшя'), 2)
  assert.equal(distinctUnits('a'.repeat(70_000)), 1)
})

test('runShare: steps to the next unit or the same', () => {
  assert.equal(runShare('a'), 0)
  assert.equal(runShare('abcc'), 1)
  assert.equal(runShare('acab'), 1 / 3)
})
