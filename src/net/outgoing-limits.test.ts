import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { brotliCompressSync, createGzip, gzipSync } from 'node:zlib'
import {
  type Answer,
  ask,
  refusal,
  serve,
  serveRaw,
  textOf,
  way,
} from '../../test/support/outgoing.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import type { Lookup } from './dial.ts'
import { outgoing } from './outgoing.ts'

/** Long enough for a slow machine, and what each of the rows below would take without a deadline is endless. */
const DEADLINE_MS = 150

const SLOW: readonly [what: string, answer: (socket: Socket) => void][] = [
  ['nothing', () => undefined],
  [
    'a byte of headers at a time',
    (socket) => drip(socket, `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(9e3)}`),
  ],
  [
    'a byte of body at a time',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n')
      drip(socket, 'b'.repeat(9e3))
    },
  ],
  [
    'a body that stops halfway',
    (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
  ],
  [
    'early hints without end',
    (socket) => drip(socket, 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(99), 28),
  ],
]
for (const [what, answer] of SLOW)
  test(`deadline: a server that sends ${what}`, async () => {
    const port = await serveRaw(answer)
    const began = monotonicMs()
    const message = await refusal(
      way([]).request(ask(`http://127.0.0.1:${port}/hidden`, { deadlineMs: DEADLINE_MS })),
      'NET_TIMED_OUT',
    )
    assert.equal(message, `http://127.0.0.1:${port} did not answer within 150 ms.`)
    assert.ok(monotonicMs() - began < 2_000)
  })

function drip(socket: Socket, text: string, bytes = 1): void {
  let at = 0
  const timer = setInterval(() => {
    socket.write(text.slice(at, at + bytes))
    at += bytes
  }, 10)
  socket.on('close', () => clearInterval(timer))
}

test('deadline: over the resolver too, and nothing is sent when it answers after all', async () => {
  let requests = 0
  const port = await serve((_request, response) => {
    requests += 1
    response.end()
  })
  let answerName = (): void => undefined
  const named = new Promise<void>((resolve) => {
    answerName = resolve
  })
  const lookup: Lookup = async () => {
    await named
    return [{ address: '127.0.0.1', family: 4 }]
  }
  const out = outgoing({ allow: [], lookup })
  const began = monotonicMs()
  await refusal(
    out.request(ask(`http://slow.example:${port}/hidden`, { deadlineMs: DEADLINE_MS })),
    'NET_TIMED_OUT',
  )
  assert.ok(monotonicMs() - began < 2_000)
  answerName()
  // The queue of this origin goes on with a second request: the first one was never sent.
  const url = `http://slow.example:${port}/`
  assert.equal((await out.request(ask(url))).status, 200)
  assert.equal(requests, 1)
  await out.close()
})

test('connection: a name or port that never answers is given up', async () => {
  const out = outgoing({ allow: [], lookup: () => new Promise(() => undefined), connectMs: 50 })
  assert.equal(
    await refusal(out.request(ask('https://never.example/hidden')), 'NET_TIMED_OUT'),
    'https://never.example did not answer in time.',
  )
  await out.close()
})

test('signal: the caller may stop at any time and gets his own reason', async () => {
  const port = await serve(() => undefined)
  const controller = new AbortController()
  const reason = new Error('no longer wanted')
  setTimeout(() => controller.abort(reason), 20)
  await assert.rejects(
    way([]).request(ask(`http://127.0.0.1:${port}/`, { signal: controller.signal })),
    reason,
  )
  await assert.rejects(
    way([]).request(ask(`http://127.0.0.1:${port}/`, { signal: AbortSignal.abort(reason) })),
    reason,
  )
})

const SIZES: readonly [what: string, answer: Answer, code: string | null][] = [
  ['exactly the limit', (_request, response) => response.end('a'.repeat(1000)), null],
  [
    'one more, said before',
    (_request, response) => response.end('a'.repeat(1001)),
    'NET_TOO_LARGE',
  ],
  [
    'one more, in chunks',
    (_request, response) => {
      response.write('a'.repeat(1000))
      response.end('a')
    },
    'NET_TOO_LARGE',
  ],
  [
    'the limit after decompression',
    (_request, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync('a'.repeat(1000)))
    },
    null,
  ],
  [
    'one more after decompression',
    (_request, response) => {
      response.setHeader('content-encoding', 'BR')
      response.end(brotliCompressSync('a'.repeat(1001)))
    },
    'NET_TOO_LARGE',
  ],
  [
    'compressed nothing without end',
    (_request, response) => {
      response.setHeader('content-encoding', 'gzip')
      const nothing = gzipSync('')
      const more = (): void => {
        while (!response.destroyed && response.write(nothing));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    },
    'NET_TOO_LARGE',
  ],
]
for (const [what, answer, code] of SIZES)
  test(`size: ${what}`, async () => {
    const port = await serve(answer)
    const asked = ask(`http://127.0.0.1:${port}/hidden`, { maxResponseBytes: 1000 })
    if (code === null) assert.equal((await textOf(way([]), asked)).length, 1000)
    else
      assert.equal(
        await refusal(way([]).request(asked), code),
        `http://127.0.0.1:${port} answered with more than 1000 bytes.`,
      )
  })

test('size: a gzip bomb is left when the limit is reached, not when it is unpacked', async () => {
  let sent = 0
  const port = await serve((_request, response) => {
    response.setHeader('content-encoding', 'gzip')
    const gzip = createGzip({ level: 9 })
    const zeros = Buffer.alloc(1 << 20)
    gzip.on('data', (chunk: Buffer) => {
      sent += chunk.byteLength
      if (!response.write(chunk)) {
        gzip.pause()
        response.once('drain', () => gzip.resume())
      }
    })
    gzip.on('end', () => response.end())
    let left = 1_000
    const more = (): void => {
      if (left-- > 0 && !response.destroyed) gzip.write(zeros, more)
      else gzip.end()
    }
    more()
  })
  const before = process.memoryUsage().rss
  await refusal(
    way([]).request(ask(`http://127.0.0.1:${port}/`, { maxResponseBytes: 100_000 })),
    'NET_TOO_LARGE',
  )
  assert.ok(sent < 500_000, `${sent} bytes of the bomb were taken`)
  assert.ok(process.memoryUsage().rss - before < 200e6)
})

const BROKEN: readonly [what: string, answer: string, code: string, message: string][] = [
  ['no HTTP', 'SSH-2.0-x\r\n\r\n', 'NET_FAILED', 'answered with something that is not HTTP'],
  [
    'too few bytes',
    'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf',
    'NET_FAILED',
    'broke the connection off',
  ],
  ['nothing', '', 'NET_FAILED', 'broke the connection off'],
  [
    'two lengths',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    'NET_FAILED',
    'answered with something that is not HTTP',
  ],
  [
    'an encoding that was not offered',
    'HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\ncontent-length: 1\r\n\r\na',
    'NET_FAILED',
    'answered in an encoding that was not offered',
  ],
  [
    'two encodings',
    'HTTP/1.1 200 OK\r\ncontent-encoding: gzip, gzip\r\ncontent-length: 1\r\n\r\na',
    'NET_FAILED',
    'answered in an encoding that was not offered',
  ],
  [
    'what is no gzip',
    'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd',
    'NET_FAILED',
    'answered with a body that does not decompress',
  ],
  [
    'too many headers',
    `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(20_000)}\r\n\r\n`,
    'NET_TOO_LARGE',
    'answered with too many headers',
  ],
]
for (const [what, answer, code, message] of BROKEN)
  test(`answers: ${what}`, async () => {
    const port = await serveRaw((socket) => {
      socket.once('data', () => socket.end(answer))
    })
    assert.equal(
      await refusal(way([]).request(ask(`http://127.0.0.1:${port}/hidden`)), code),
      `http://127.0.0.1:${port} ${message}.`,
    )
  })

const SILENCES: readonly [idleMs: number | null, sent: string][] = [
  [DEADLINE_MS, '012345'],
  [null, '012345end'],
]
for (const [idleMs, sent] of SILENCES)
  test(`open: the deadline ends with the headers, silence may last ${idleMs ?? 'any'} ms`, async () => {
    const port = await serve(async (_request, response) => {
      for (let i = 0; i < 6; i++) {
        response.write(String(i))
        await sleep(40)
      }
      await sleep(400)
      response.end('end')
    })
    const { body } = await way([]).open({
      ...ask(`http://127.0.0.1:${port}/hidden`),
      deadlineMs: DEADLINE_MS,
      idleMs,
      maxResponseBytes: null,
    })
    let text = ''
    const read = async (): Promise<void> => {
      for await (const chunk of body) text += chunk.toString()
    }
    if (idleMs === null) {
      // A reader may take his time before he begins.
      await sleep(2 * DEADLINE_MS)
      await read()
    } else
      assert.equal(
        await refusal(read(), 'NET_TIMED_OUT'),
        `http://127.0.0.1:${port} did not answer within 150 ms.`,
      )
    assert.equal(text, sent)
  })
