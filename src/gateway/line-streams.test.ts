import assert from 'node:assert/strict'
import { PassThrough, Writable } from 'node:stream'
import { test } from 'node:test'
import { type Line, LineWriter, readLines } from './line-streams.ts'

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

test('lines are given alike in whatever pieces they come', async () => {
  const said = ['{"a":1}', '', '{"b":"é"}', '\r', '{"c":3}\r', 'x'.repeat(300), '{"d":4}']
  const bytes = Buffer.from(`${said.join('\n')}\n`)
  for (const size of [1, 2, 7, 8, 64, 310, 4_096]) {
    const stream = new PassThrough()
    const seen: Line[] = []
    let refused = 0
    const done = readLines(stream, {
      maxBytes: 256,
      onLine: (line) => void seen.push(line),
      onTooLong: () => {
        refused += 1
      },
    })
    for (let at = 0; at < bytes.length; at += size) {
      stream.write(bytes.subarray(at, at + size))
      await new Promise(setImmediate)
    }
    stream.end()
    await done
    const texts = seen.map((line) => (typeof line === 'string' ? line : line.toString()))
    assert.deepEqual(texts, ['{"a":1}', '{"b":"é"}', '{"c":3}\r', '{"d":4}'], `${size}`)
    assert.equal(refused, 1, `${size}`)
  }
})
