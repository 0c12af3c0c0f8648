import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tortureChildren } from '../torture/children.ts'

const ROUNDS = 25

test('servers that are started and ended in every way leave no process behind', {
  skip: process.platform === 'linux' ? false : 'processes are read from /proc',
}, async () => {
  const { failures, figures } = await tortureChildren(ROUNDS)
  assert.deepEqual(failures, [])
  assert.deepEqual(figures, { rounds: ROUNDS, started: ROUNDS, left: 0, children: 0 })
})
