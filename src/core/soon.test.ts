import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Soon } from './soon.ts'

test('whoever waits goes on at once and in order, however much is made of it', () => {
  const [first, second] = [new Soon<number>(), new Soon<number>()]
  const told: string[] = []
  const fail = (error: unknown): void => assert.fail(String(error))
  second.map((n) => n * 10).when((n) => told.push(`second ${n}`), fail)
  first
    .map((n) => n + 1)
    .map((n) => n + 1)
    .when((n) => told.push(`first ${n}`), fail)
  first.resolve(1)
  told.push('between')
  second.resolve(2)
  assert.deepEqual(told, ['first 3', 'between', 'second 20'])
})

test('what was wrong is told at the end of what is made of it, unless something is made of that', async () => {
  const bad = new Error('bad')
  const one = new Soon<number>()
  const made = one.map((n) => n + 1).promise()
  one.reject(bad)
  await assert.rejects(made, bad)
  const other = new Soon<number>()
  other.reject(bad)
  assert.equal(
    await other
      .map(
        () => 'fine',
        (error) => String(error),
      )
      .promise(),
    'Error: bad',
  )
  const thrown = new Soon<number>()
  thrown.resolve(1)
  await assert.rejects(
    thrown
      .map(() => {
        throw bad
      })
      .promise(),
    bad,
  )
})

test('what is there already is given at once', async () => {
  const one = new Soon<string>()
  one.resolve('there')
  let told = ''
  one.when(
    (value) => {
      told = value
    },
    () => assert.fail(),
  )
  assert.equal(told, 'there')
})
