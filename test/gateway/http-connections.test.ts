// Requests that the doors read by themselves, and all others on the same port, which node reads.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import type { DoorAnswer } from '../../src/app/door-answer.ts'
import { DoorConnections } from '../../src/app/door-connections.ts'
import { type Listening, openListener } from '../../src/app/listener.ts'
import { silentLog } from '../../src/core/log.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import type { WholeRequest } from '../../src/gateway/index.ts'

type Answering = (request: WholeRequest, response: DoorAnswer) => void

const LIMITS = { headersMs: 300, requestMs: 600, maxConnections: 50, maxOfAddress: 50 }

/** One byte more than a door waits for. */
const LARGE = 'y'.repeat(1_048_577)

/** The door says `door` and what it read; node says `node` and what it read. */
const echo: Answering = ({ url, body }, response) => {
  const text = `door ${url} ${body.toString('utf8')};`
  response.writeHead(200, { 'Content-Length': Buffer.byteLength(text) }).end(text)
}

describe('connections to the doors', () => {
  let listening: Listening | null = null
  let doors: DoorConnections | null = null
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    listening?.close()
    listening?.server.close()
    listening?.server.closeAllConnections()
    doors?.closeAll()
  })

  async function serve(answer: Answering = echo, limits = LIMITS): Promise<number> {
    listening = await openListener(
      { port: 0, host: '127.0.0.1', tls: null, behindProxy: [] },
      (incoming, outgoing) => {
        let text = ''
        incoming.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        incoming.on('error', () => {})
        incoming.on('end', () => outgoing.end(`node ${incoming.method} ${incoming.url} ${text};`))
      },
      silentLog,
      limits,
    )
    const made = new DoorConnections(listening.server, 'connection', {
      keptMs: limits.headersMs,
      answer,
    })
    listening.limits.asks((socket) => made.isUnderWay(socket))
    doors = made
    return listening.port
  }

  function open(port: number) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    sockets.push(socket)
    const heard = { text: '', isClosed: false }
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', (piece: string) => {
      heard.text += piece
    })
    socket.on('close', () => {
      heard.isClosed = true
    })
    return {
      socket,
      heard,
      async until(text: string, times = 1): Promise<void> {
        const by = monotonicMs() + 5_000
        while (heard.text.split(text).length <= times) {
          assert.ok(monotonicMs() < by, `waited for '${text}' in ${heard.text}`)
          await sleep(2)
        }
      },
    }
  }

  const asking = (body: string, ...more: readonly string[]): string =>
    [
      'POST /s/echo/mcp HTTP/1.1',
      'Host: x',
      ...more,
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n')

  test('are answered in order, whole or in pieces, one request after another', async () => {
    const { socket, heard, until } = open(await serve())
    socket.write(asking('one'))
    await until('door /s/echo/mcp one;')
    assert.match(
      heard.text,
      /^HTTP\/1\.1 200 OK\r\nContent-Length: 21\r\nDate: [A-Z][a-z]{2}, [^\r]+ GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=0\r\n\r\ndoor/,
    )
    // A body in pieces, and the next request with its end.
    const second = asking('a body that is cut', 'X-A: b')
    socket.write(second.slice(0, -9))
    await sleep(20)
    socket.write(`${second.slice(-9)}${asking('three')}${asking('four', 'X-B: c')}`)
    await until('door /s/echo/mcp four;')
    const said = [...heard.text.matchAll(/door [^;]*;/g)].map(([one]) => one)
    assert.deepEqual(said, [
      'door /s/echo/mcp one;',
      'door /s/echo/mcp a body that is cut;',
      'door /s/echo/mcp three;',
      'door /s/echo/mcp four;',
    ])
  })

  const others: readonly [what: string, text: string, answer: string][] = [
    ['another address', asking('x').replace('/s/echo/mcp', '/mcp'), 'node POST /mcp x;'],
    ['a GET', 'GET /s/echo/mcp HTTP/1.1\r\nHost: x\r\n\r\n', 'node GET /s/echo/mcp ;'],
    [
      'chunks',
      'POST /s/echo/mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      'node POST /s/echo/mcp abc;',
    ],
    ['an expectation', asking('x', 'Expect: 100-continue'), 'HTTP/1.1 100 Continue'],
    ['a large body', asking(LARGE), `node POST /s/echo/mcp ${LARGE};`],
    ['a length and chunks', asking('x', 'Transfer-Encoding: chunked'), 'HTTP/1.1 400'],
    ['two lengths', asking('x', 'Content-Length: 5'), 'HTTP/1.1 400'],
    ['a folded field', asking('x', 'X-A: b', ' c'), 'HTTP/1.1 400'],
    ['a space before a colon', asking('x', 'X-A : b'), 'HTTP/1.1 400'],
    [
      'a head without end',
      `POST /s/echo/mcp HTTP/1.1\r\nX-A: ${'y'.repeat(17_000)}`,
      'HTTP/1.1 431',
    ],
    ['what is no HTTP', '\x16\x03\x01\x02\r\n\r\n', 'HTTP/1.1 400'],
  ]
  for (const [what, text, answer] of others)
    test(`are read by node with ${what}, and what follows, too`, async () => {
      const first = open(await serve())
      first.socket.write(text)
      await first.until(answer)
      const { socket, until } = open(listening?.port ?? 0)
      socket.write(asking('before'))
      await until('door /s/echo/mcp before;')
      socket.write(text)
      await until(answer)
      if (answer.startsWith('HTTP/1.1 4')) return
      if (answer.startsWith('HTTP/1.1 1')) await until('node POST /s/echo/mcp x;')
      socket.write(asking('behind'))
      await until('node POST /s/echo/mcp behind;')
    })

  test('wait for bodies of a megabyte, and for as many as memory is there for', async () => {
    const port = await serve()
    const body = 'y'.repeat(1_000_000)
    const all = Array.from({ length: 20 }, () => open(port))
    // None is whole: all of them are waited for at the same time.
    for (const { socket } of all) socket.write(asking(body).slice(0, -1))
    await sleep(200)
    for (const { socket } of all) socket.write('y')
    await Promise.all(all.map(({ until }) => until(`${body};`)))
    const byDoor = all.filter(({ heard }) => heard.text.includes('door /s'))
    assert.equal(byDoor.length, 16)
    const [first] = byDoor
    first?.socket.write(asking('behind'))
    await first?.until('door /s/echo/mcp behind;')
    // What they waited for was given back.
    const again = open(port)
    again.socket.write(asking(body).slice(0, -1))
    await sleep(20)
    again.socket.destroy()
    const last = Array.from({ length: 16 }, () => open(port))
    for (const { socket } of last) socket.write(asking(body).slice(0, -1))
    await sleep(200)
    for (const { socket } of last) socket.write('y')
    await Promise.all(last.map(({ until }) => until(`door /s/echo/mcp ${body};`)))
  })

  test('bring no second request in the body of the first', async () => {
    const { socket, heard, until } = open(await serve())
    socket.write(`${asking('123')}45POST /s/echo/mcp HTTP/1.1\r\n\r\n`)
    await until('HTTP/1.1 400')
    assert.equal(heard.text.split('door /s/echo/mcp 123;').length, 2)
    assert.equal(heard.text.split('HTTP/1.1 200').length, 2)
  })

  test('that say nothing, say it late, or are done are closed in their time', async () => {
    const port = await serve()
    const silent = open(port)
    const slow = open(port)
    const done = open(port)
    slow.socket.write(asking('half of it').slice(0, -5))
    done.socket.write(asking('x'))
    await done.until('door')
    const began = monotonicMs()
    while (![silent, slow, done].every(({ heard }) => heard.isClosed)) {
      assert.ok(monotonicMs() - began < 6_000)
      await sleep(20)
      for (const { socket } of [silent, slow, done]) if (socket.readableEnded) socket.end()
    }
    assert.match(silent.heard.text, /^HTTP\/1\.1 408/)
    assert.match(slow.heard.text, /^HTTP\/1\.1 408/)
    assert.doesNotMatch(done.heard.text, /408/)
  })

  test('tell who answers when their client left', async () => {
    const left: string[] = []
    const port = await serve((_request, response) => {
      response.once('close', () => left.push(`closed ${response.destroyed}`))
    })
    const gone = open(port)
    const half = open(port)
    gone.socket.write(asking('x'))
    half.socket.write(asking('x'))
    await sleep(50)
    assert.deepEqual(left, [])
    gone.socket.destroy()
    half.socket.end()
    await sleep(50)
    assert.deepEqual(left, ['closed true', 'closed true'])
  })

  test('carry streams, and say when they take no more', async () => {
    let answer: DoorAnswer | null = null
    const port = await serve((_request, response) => {
      answer = response
    })
    const { socket, heard, until } = open(port)
    socket.write(asking('x'))
    while (answer === null) await sleep(2)
    const response: DoorAnswer = answer
    const closed = once(response, 'close')
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    assert.equal(response.write('data: ö\n\n'), true)
    await until('a\r\ndata: Ã¶\n\n\r\n')
    assert.match(heard.text, /\r\nTransfer-Encoding: chunked\r\n/)
    socket.pause()
    let pieces = 0
    while (response.write('z'.repeat(65_536))) pieces += 1
    assert.ok(pieces > 0)
    assert.equal(response.writableNeedDrain, true)
    const drained = once(response, 'drain')
    socket.resume()
    await drained
    response.end('last')
    await until('4\r\nlast\r\n0\r\n\r\n')
    await closed
    assert.equal(response.writable, false)
    // The connection goes on.
    answer = null
    socket.write(asking('y'))
    while (answer === null) await sleep(2)
  })

  test('give way to new ones between two requests, and not in the middle of one', async () => {
    const limits = { headersMs: 5_000, requestMs: 5_000, maxConnections: 9, maxOfAddress: 3 }
    const port = await serve((request, response) => {
      if (request.body.length > 1) response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      else response.writeHead(204).end()
    }, limits)
    const [streaming, half, done] = [open(port), open(port), open(port)]
    await sleep(20)
    streaming.socket.write(asking('xx'))
    half.socket.write(asking('x'.repeat(99)).slice(0, -1))
    done.socket.write(asking('x'))
    await done.until('HTTP/1.1 204')
    const fourth = open(port)
    fourth.socket.write(asking('xx'))
    await sleep(50)
    const isEnded = ({ socket }: typeof done): boolean => socket.readableEnded || socket.destroyed
    assert.deepEqual([streaming, half, done, fourth].map(isEnded), [false, false, true, false])
    const fifth = open(port)
    await sleep(50)
    assert.deepEqual([streaming, half, fourth, fifth].map(isEnded), [false, false, false, true])
  })

  test('write no field that would be two', async () => {
    let problem: unknown
    const port = await serve((_request, response) => {
      try {
        response.writeHead(200, { 'X-A': 'b\r\nX-C: d' })
      } catch (error) {
        problem = error
      }
      response.writeHead(204).end()
    })
    const { socket, until } = open(port)
    socket.write(asking('x'))
    await until('HTTP/1.1 204 No Content')
    assert.ok(problem instanceof TypeError)
  })

  test('are ended when nothing is under way, and when the server goes down', async () => {
    const port = await serve((request, response) => {
      if (request.body.length > 1) response.writeHead(200, { Connection: 'close' }).end()
    })
    const [idle, busy, last] = [open(port), open(port), open(port)]
    await sleep(20)
    busy.socket.write(asking('x'))
    last.socket.write(asking('xx'))
    await last.until('Connection: close')
    await sleep(20)
    doors?.closeIdle()
    const isEnded = ({ socket }: typeof idle): boolean => socket.readableEnded || socket.destroyed
    await sleep(50)
    assert.deepEqual([idle, busy, last].map(isEnded), [true, false, true])
    doors?.closeAll()
    await sleep(50)
    assert.equal(isEnded(busy), true)
  })
})
