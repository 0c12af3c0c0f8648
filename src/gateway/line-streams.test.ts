import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { LineWriter } from './line-streams.ts'

test('who waits for a slow reader again and again leaves no listeners behind', async () => {
  const stream = new Writable({
    highWaterMark: 8,
    write: (_chunk, _encoding, done) => void setImmediate(done),
  })
  const writer = new LineWriter(stream)
  const counts = (): readonly number[] =>
    ['drain', 'close', 'error'].map((event) => stream.listenerCount(event))
  const before = counts()
  let waits = 0
  for (let at = 0; at < 50; at += 1) {
    writer.write('longer than eight')
    const waiting = writer.drained()
    if (waiting !== undefined) waits += 1
    await waiting
  }
  assert.equal(waits, 50)
  assert.deepEqual(counts(), before)
})
