import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { ask, refusal, serve, serveRaw, way } from '../../test/support/outgoing.ts'
import { sleep } from '../core/time.ts'
import type { Outgoing, OutgoingStreamRequest } from './outgoing.ts'

const MOST = 1_000_000

function asked(port: number, more: Partial<OutgoingStreamRequest> = {}): OutgoingStreamRequest {
  const { redirects: _none, ...rest } = ask(`http://127.0.0.1:${port}/hidden?a=b`)
  return { ...rest, idleMs: 2_000, ...more }
}

async function text(out: Outgoing, request: OutgoingStreamRequest): Promise<string> {
  const answer = await out.open(request)
  return `${answer.status} ${(await answer.whole(MOST)).toString('utf8')}`
}

/** Answers each request on a connection with the next text; says how many connections there were. */
async function scripted(...answers: readonly string[]): Promise<{
  readonly port: number
  readonly sockets: readonly Socket[]
  readonly heard: () => string
}> {
  const sockets: Socket[] = []
  let next = 0
  let heard = ''
  const port = await serveRaw((socket) => {
    sockets.push(socket)
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      socket.write(answers[next] ?? '')
      next += 1
    })
  })
  return { port, sockets, heard: () => heard }
}

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

test('a request is written as it is to be read', async () => {
  const { port, heard } = await scripted(ANSWER)
  const request = asked(port, { method: 'POST', headers: { 'X-A': 'é' }, body: 'ü' })
  assert.equal(await text(way([]), request), '200 ok')
  assert.equal(
    heard(),
    `POST /hidden?a=b HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: keep-alive\r\n` +
      'user-agent: sallyport\r\nx-a: é\r\naccept-encoding: gzip, br, deflate\r\n' +
      `content-length: 2\r\n\r\n${Buffer.from('ü').toString('latin1')}`,
  )
})

test('a connection serves one request after another, and two at once have two', async () => {
  const { port, sockets } = await scripted(ANSWER, ANSWER, ANSWER, ANSWER)
  const out = way([])
  for (let i = 0; i < 2; i += 1) assert.equal(await text(out, asked(port)), '200 ok')
  assert.equal(sockets.length, 1)
  await Promise.all([text(out, asked(port)), text(out, asked(port))])
  assert.equal(sockets.length, 2)
})

const LEFT: readonly [what: string, answer: string][] = [
  ['says that it closes', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
  [
    'is about to close it',
    'HTTP/1.1 200 OK\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok',
  ],
  ['is of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
  ['says more than it was asked', `${ANSWER}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged`],
]
for (const [what, answer] of LEFT)
  test(`a server that ${what} gets no second request there`, async () => {
    const { port, sockets } = await scripted(answer, ANSWER)
    const out = way([])
    for (let i = 0; i < 2; i += 1) assert.equal(await text(out, asked(port)), '200 ok')
    assert.equal(sockets.length, 2)
  })

test('what a server says before it is asked again is no answer', async () => {
  const { port, sockets } = await scripted(ANSWER, ANSWER)
  const out = way([])
  assert.equal(await text(out, asked(port)), '200 ok')
  sockets[0]?.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged')
  await sleep(20)
  assert.equal(await text(out, asked(port)), '200 ok')
  assert.equal(sockets.length, 2)
})

test('an answer before the request is whole is heard, and the connection is left', async () => {
  const sockets: Socket[] = []
  const port = await serveRaw((socket) => {
    sockets.push(socket)
    socket.once('data', () => {
      socket.pause()
      socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno')
    })
  })
  const piece = Buffer.alloc(1_000_000)
  const body = { bytes: 30 * piece.length, pieces: () => Array.from({ length: 30 }, () => piece) }
  const out = way([])
  for (let i = 0; i < 2; i += 1)
    assert.equal(await text(out, asked(port, { method: 'POST', body })), '413 no')
  assert.equal(sockets.length, 2)
})

test('a body in pieces and one in bytes arrive whole', async () => {
  const port = await serve(async (request, response) => {
    let size = 0
    for await (const chunk of request) size += (chunk as Buffer).length
    response.end(`${request.headers['content-length']} ${size}`)
  })
  const out = way([])
  const pieces = () => Array.from({ length: 9 }, () => Buffer.alloc(300_000, 'a'))
  const sent = { bytes: 2_700_000, pieces }
  const post = { method: 'POST' } as const
  assert.equal(await text(out, asked(port, { ...post, body: sent })), '200 2700000 2700000')
  assert.equal(await text(out, asked(port, { ...post, body: Buffer.from('abc') })), '200 3 3')
  assert.equal(await text(out, asked(port, post)), '200 0 0')
})

test('who leaves before the connection is there has sent nothing', async () => {
  let requests = 0
  const port = await serve((_request, response) => {
    requests += 1
    response.end('ok')
  })
  const controller = new AbortController()
  const out = way([])
  const reason = new Error('gone')
  const left = out.open(asked(port, { signal: controller.signal }))
  controller.abort(reason)
  await assert.rejects(left, reason)
  assert.equal(await text(out, asked(port)), '200 ok')
  assert.equal(requests, 1)
})

test('who leaves in the middle of an answer ends the connection', async () => {
  const { port, sockets } = await scripted('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')
  const answer = await way([]).open(asked(port))
  const closed = new Promise((resolve) => sockets[0]?.once('close', resolve))
  answer.cancel()
  await closed
  assert.equal(
    await refusal(answer.whole(MOST), 'NET_FAILED'),
    `http://127.0.0.1:${port} could not be reached (ECANCELED).`,
  )
})

test('a reader that is slow makes the server wait', async () => {
  let sent = 0
  const port = await serveRaw((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n')
      const more = (): void => {
        while (sent < 200e6 && socket.write(Buffer.alloc(100_000))) sent += 100_000
      }
      socket.on('drain', more)
      more()
    })
  })
  const answer = await way([]).open(asked(port, { maxResponseBytes: null }))
  await sleep(100)
  const before = sent
  await sleep(50)
  assert.equal(sent, before)
  assert.ok(sent < 50e6, `${sent} bytes were taken that nobody read`)
  let read = 0
  for await (const piece of answer.body) {
    read += piece.length
    if (read > 60e6) break
  }
  assert.ok(sent > 50e6)
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
    'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: zstd\r\ncontent-length: 1\r\n\r\na',
    'NET_FAILED',
    'answered in an encoding that was not offered',
  ],
  [
    'what is no gzip',
    'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd',
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
  test(`an answer that is ${what} is a fault, and the next request is not harmed`, async () => {
    let count = 0
    const port = await serveRaw((socket) => {
      socket.once('data', () => {
        count += 1
        socket.end(count === 1 ? answer : ANSWER)
      })
    })
    const out = way([])
    const failed = out.open(asked(port)).then((found) => found.whole(MOST))
    assert.equal(await refusal(failed, code), `http://127.0.0.1:${port} ${message}.`)
    assert.equal(await text(out, asked(port)), '200 ok')
  })

for (const headers of [{ 'x-a': 'b\r\nx-c: d' }, { 'x a': 'b' }, { 'x-a': 'ł' }])
  test(`a header ${JSON.stringify(headers)} is not sent`, async () => {
    const { port, sockets } = await scripted(ANSWER)
    await refusal(way([]).open(asked(port, { headers })), 'BAD_INPUT')
    assert.equal(sockets.length, 0)
  })

test('connections end when the way out is closed', async () => {
  const { port, sockets } = await scripted(ANSWER, 'HTTP/1.1 200 OK\r\n\r\nhalf')
  const out = way([])
  assert.equal(await text(out, asked(port)), '200 ok')
  const closed = new Promise((resolve) => sockets[0]?.once('close', resolve))
  const half = (await out.open(asked(port))).whole(MOST)
  const failed = refusal(half, 'NET_FAILED')
  await out.close()
  await closed
  assert.equal(await failed, `http://127.0.0.1:${port} broke the connection off.`)
})
