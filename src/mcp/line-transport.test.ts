import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { JSONRPCMessage } from '@modelcontextprotocol/server'
import { sleep } from '../core/time.ts'
import { LineTransport } from './line-transport.ts'

interface Wire {
  readonly input: PassThrough
  readonly seen: JSONRPCMessage[]
  readonly transport: LineTransport
  sent(): unknown[]
  isClosed(): boolean
  firstAnswers(): number
}

async function open(options: { maxLineBytes?: number; lingerMs?: number } = {}): Promise<Wire> {
  const input = new PassThrough()
  const output = new PassThrough()
  let text = ''
  let closed = false
  let first = 0
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  const transport = new LineTransport({
    input,
    output,
    maxLineBytes: options.maxLineBytes ?? 1000,
    lingerMs: options.lingerMs ?? 50,
    onFirstAnswer: () => {
      first += 1
    },
    onClosed: () => {
      closed = true
    },
  })
  const seen: JSONRPCMessage[] = []
  transport.onmessage = (message) => void seen.push(message)
  await transport.start()
  return {
    input,
    seen,
    transport,
    sent: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown),
    isClosed: () => closed,
    firstAnswers: () => first,
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc()')
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

const refusals: readonly [what: string, line: string | Buffer, id: unknown, code: number][] = [
  ['not JSON', '{"jsonrpc":', null, -32700],
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), null, -32700],
  ['a batch', `[${PING}]`, null, -32600],
  ['an empty batch', '[]', null, -32600],
  ['another JSON value', '42', null, -32600],
  ['no method', '{"jsonrpc":"2.0","id":7}', 7, -32600],
  ['another version', '{"jsonrpc":"1.0","id":"a","method":"ping"}', 'a', -32600],
  ['id of a wrong kind', '{"jsonrpc":"2.0","id":{},"method":"ping"}', null, -32600],
  ['one byte too long', 'x'.repeat(1001), null, -32600],
]
for (const [what, line, id, code] of refusals)
  test(`a line that is ${what} is answered, and the next one is read`, async () => {
    const wire = await open()
    wire.input.write(line)
    wire.input.write(`\n${PING}\n`)
    await turn()
    const [answer] = wire.sent() as { id: unknown; error: { code: number } }[]
    assert.deepEqual([answer?.id, answer?.error.code], [id, code])
    assert.deepEqual(wire.seen, [{ jsonrpc: '2.0', id: 1, method: 'ping' }])
  })

test('a line of exactly the limit is read', async () => {
  const wire = await open({ maxLineBytes: PING.length })
  wire.input.write(`${PING}\n`)
  await turn()
  assert.equal(wire.seen.length, 1)
})

test('lines arrive in pieces, several at once, with CRLF and blank lines between', async () => {
  const wire = await open()
  for (const byte of Buffer.from(PING)) wire.input.write(Buffer.from([byte]))
  wire.input.write(`\r\n\n  \n${PING}\n${PING}\n`)
  await turn()
  assert.equal(wire.seen.length, 3)
  assert.deepEqual(wire.sent(), [])
})

test('a hundred megabytes without a newline are never held', async () => {
  const wire = await open()
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 100; i += 1) {
    wire.input.write(Buffer.alloc(1_000_000, 0x61))
    await turn()
  }
  const held = (): number => process.memoryUsage().arrayBuffers - before
  // What was collected is given back by a thread of its own, late on a busy machine.
  for (let waited = 0; waited < 5_000 && held() >= 20_000_000; waited += 20) {
    collectGarbage()
    await sleep(20)
  }
  assert.ok(held() < 20_000_000, `${held()} bytes`)
  wire.input.write(`\n${PING}\n`)
  await turn()
  assert.equal(wire.sent().length, 1)
  assert.equal(wire.seen.length, 1)
})

test('what was asked before the input ended is answered, then the connection closes', async () => {
  const wire = await open({ lingerMs: 60_000 })
  wire.input.end(`${PING}\n`)
  await turn()
  assert.equal(wire.isClosed(), false)
  await wire.transport.send({ jsonrpc: '2.0', id: 1, result: {} })
  assert.equal(wire.isClosed(), true)
  assert.deepEqual(wire.sent(), [{ jsonrpc: '2.0', id: 1, result: {} }])
})

test('an answer that does not come keeps the connection for a limited time', async () => {
  const wire = await open({ lingerMs: 20 })
  wire.input.end(`${PING}\n`)
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(wire.isClosed(), true)
})

const closers: readonly [what: string, frames: string][] = [
  ['nothing was asked', ''],
  ['only a subscription is open', '{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}\n'],
  [
    'the request was cancelled',
    `${PING}\n{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\n`,
  ],
]
for (const [what, frames] of closers)
  test(`the end of input closes at once when ${what}`, async () => {
    const wire = await open({ lingerMs: 60_000 })
    wire.input.end(frames)
    await turn()
    await turn()
    assert.equal(wire.isClosed(), true)
  })

test('the first answer is told once', async () => {
  const wire = await open()
  await wire.transport.send({ jsonrpc: '2.0', id: 1, result: {} })
  await wire.transport.send({ jsonrpc: '2.0', id: 2, result: {} })
  assert.equal(wire.firstAnswers(), 1)
})

test('2025-03-26 is sent the answers of a batch in one, whatever order they come in', async () => {
  const wire = await open()
  wire.transport.setProtocolVersion('2025-03-26')
  wire.input.write(
    '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"},{"no":1},{"jsonrpc":"2.0","id":2,"method":"ping"}]\n',
  )
  await turn()
  assert.equal(wire.seen.length, 3)
  assert.deepEqual(wire.sent(), [])
  await wire.transport.send({ jsonrpc: '2.0', id: 2, result: {} })
  assert.deepEqual(wire.sent(), [])
  await wire.transport.send({ jsonrpc: '2.0', id: 1, result: {} })
  assert.deepEqual(wire.sent(), [
    [
      {
        jsonrpc: '2.0',
        id: null,
        error: { code: -32600, message: 'The line is not a JSON-RPC 2.0 message.' },
      },
      { jsonrpc: '2.0', id: 2, result: {} },
      { jsonrpc: '2.0', id: 1, result: {} },
    ],
  ])
  await wire.transport.send({ jsonrpc: '2.0', id: 3, result: {} })
  assert.equal(wire.sent().length, 2)
})

test('a cancelled request does not keep a batch from being answered', async () => {
  const wire = await open()
  wire.transport.setProtocolVersion('2025-03-26')
  wire.input.write(
    '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]\n',
  )
  await turn()
  await wire.transport.send({ jsonrpc: '2.0', id: 1, result: {} })
  wire.input.write(
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}\n',
  )
  await turn()
  assert.deepEqual(wire.sent(), [[{ jsonrpc: '2.0', id: 1, result: {} }]])
})

test('a batch of notifications is answered with nothing, and one of 101 messages is refused', async () => {
  const wire = await open({ maxLineBytes: 100_000 })
  wire.transport.setProtocolVersion('2025-03-26')
  wire.input.write('[{"jsonrpc":"2.0","method":"notifications/x"}]\n')
  wire.input.write(`[${Array.from({ length: 101 }, () => PING).join(',')}]\n`)
  await turn()
  assert.equal(wire.seen.length, 1)
  assert.equal(wire.sent().length, 1)
})
