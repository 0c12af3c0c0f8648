// Connections that are held on to: each ends in its time, and nobody has them all.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { type Binding, type Limits, type Listening, openListener } from '../../src/app/listener.ts'
import { createLog } from '../../src/core/log.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { authority, certificateFor } from '../support/certificates.ts'

const BINDING: Binding = { port: 0, host: '127.0.0.1', tls: null, behindProxy: [] }
const LIMITS: Limits = { headersMs: 300, requestMs: 600, maxConnections: 12, maxOfAddress: 4 }

describe('connections', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  const sockets: Socket[] = []
  const warnings: string[] = []
  const log = createLog('warn', (line) => void warnings.push(line))
  let listening: Listening | null = null
  afterEach(() => {
    warnings.length = 0
    for (const socket of sockets.splice(0)) socket.destroy()
    listening?.close()
    listening?.server.closeAllConnections()
    listening?.server.close()
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  async function listen(binding: Partial<Binding> = {}, limits: Partial<Limits> = {}) {
    listening = await openListener(
      { ...BINDING, ...binding },
      (incoming, outgoing) => {
        incoming.resume()
        if (incoming.url === '/stream') outgoing.write('begun')
        else incoming.on('end', () => outgoing.end('ok'))
      },
      log,
      { ...LIMITS, ...limits },
    )
    return listening.port
  }

  /** A connection from one of the addresses of this machine, and when it was closed. */
  function open(port: number, from = '127.0.0.1') {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    sockets.push(socket)
    socket.on('error', () => {})
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    const began = monotonicMs()
    const closed = new Promise<{ readonly ms: number; readonly answer: string }>((resolve) =>
      socket.once('close', () => resolve({ ms: monotonicMs() - began, answer })),
    )
    return { socket, closed }
  }

  const isOpen = (closed: Promise<unknown>): Promise<boolean> =>
    Promise.race([closed.then(() => false), sleep(150).then(() => true)])

  test('that say nothing, or say it a byte at a time, are closed in their time', async () => {
    const port = await listen()
    const silent = open(port)
    const slow = open(port)
    const slowBody = open(port)
    const trickled = setInterval(() => {
      if (!slow.socket.destroyed) slow.socket.write('x')
      if (!slowBody.socket.destroyed) slowBody.socket.write('x')
    }, 50)
    slow.socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    slowBody.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n')
    const ends = await Promise.all([silent.closed, slow.closed, slowBody.closed])
    clearInterval(trickled)
    for (const { ms } of ends) assert.ok(ms < 2_500, `${ms}`)
    assert.match(ends[1].answer, /^HTTP\/1\.1 408/)
  })

  test('to the port of TLS that shake no hand are closed in their time', async () => {
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    const made = certificateFor(authority(), ['one.test'])
    writeFileSync(cert, made.cert)
    writeFileSync(key, made.key)
    const port = await listen({ tls: { cert, key } })
    const { ms } = await open(port).closed
    assert.ok(ms < 2_500, `${ms}`)
    const plain = open(port)
    plain.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.equal((await plain.closed).answer, '')
  })

  const LONG = { headersMs: 5_000, requestMs: 5_000 }
  const STREAM = 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n'

  test('of one address leave as many to others, and those of a proxy are of many', async () => {
    const port = await listen({}, LONG)
    for (const { socket } of Array.from({ length: 4 }, () => open(port))) socket.write(STREAM)
    await sleep(50)
    assert.equal(await isOpen(open(port).closed), false)
    const other = open(port, '127.0.0.2')
    assert.equal(await isOpen(other.closed), true)
    // Whoever lets go may come again.
    sockets[0]?.destroy()
    await sleep(50)
    assert.equal(await isOpen(open(port).closed), true)
    listening?.close()
    listening?.server.closeAllConnections()
    listening?.server.close()

    const behind = await listen({ behindProxy: ['127.0.0.1'] }, LONG)
    const proxied = Array.from({ length: 8 }, () => open(behind))
    assert.deepEqual(
      await Promise.all(proxied.map(({ closed }) => isOpen(closed))),
      proxied.map(() => true),
    )
  })

  test('that are reset and come again from the same port count once', async () => {
    const port = await listen({}, LONG)
    for (let count = 0, localPort: number | undefined; count < 12; count += 1) {
      const socket = connect({
        port,
        host: '127.0.0.1',
        localAddress: '127.0.0.3',
        ...(localPort !== undefined && { localPort }),
      })
      const closed = new Promise((resolve) => socket.once('close', resolve))
      await new Promise((resolve) => socket.once('connect', resolve))
      localPort = socket.localPort
      socket.resetAndDestroy()
      await closed
    }
    const streams = Array.from({ length: 4 }, () => open(port, '127.0.0.3'))
    for (const { socket } of streams) socket.write(STREAM)
    assert.deepEqual(
      await Promise.all(streams.map(({ closed }) => isOpen(closed))),
      streams.map(() => true),
    )
  })

  test('that ask nothing give way to new ones, the oldest first, and no request does', async () => {
    const port = await listen({}, LONG)
    const half = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n'
    const said = [STREAM, '', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ', half]
    const held: ReturnType<typeof open>[] = []
    for (const text of said) {
      const one = open(port)
      one.socket.write(text)
      held.push(one)
      await sleep(20)
    }
    const states = () => Promise.all(held.map(({ closed }) => isOpen(closed)))
    const asked = open(port)
    asked.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    assert.equal(await isOpen(asked.closed), true)
    assert.deepEqual(await states(), [true, false, true, true])
    const second = open(port)
    second.socket.write(STREAM)
    assert.deepEqual(await states(), [true, false, false, true])
    // Between two requests.
    const third = open(port)
    third.socket.write(STREAM)
    assert.match((await asked.closed).answer, /^HTTP\/1\.1 200[\s\S]*ok/)
    assert.equal(await isOpen(open(port).closed), false)
    assert.deepEqual(await states(), [true, false, false, true])
    held[3]?.socket.end('xy')
    assert.match((await held[3]?.closed)?.answer ?? '', /ok/)
    // Told once in a minute.
    const told = warnings.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      told.map(({ address, gave_way }) => [address, gave_way]),
      [['127.0.0.1', 1]],
    )
  })

  test('of all addresses together give way too, first those of who comes', async () => {
    const port = await listen({}, { ...LONG, maxConnections: 3 })
    const first = open(port)
    await sleep(20)
    const own = open(port, '127.0.0.2')
    await sleep(20)
    const busy = open(port, '127.0.0.3')
    busy.socket.write(STREAM)
    await sleep(20)
    const again = open(port, '127.0.0.2')
    assert.equal(await isOpen(again.closed), true)
    const states = () => Promise.all([first, own, busy].map(({ closed }) => isOpen(closed)))
    assert.deepEqual(await states(), [true, false, true])
    again.socket.write(STREAM)
    assert.equal(await isOpen(open(port, '127.0.0.4').closed), true)
    assert.deepEqual(await states(), [false, false, true])
  })

  test('over TLS give way before and after they shook hands, and no request does', async () => {
    const cert = join(folder, 'cert.pem')
    const key = join(folder, 'key.pem')
    const made = certificateFor(authority(), ['one.test'])
    writeFileSync(cert, made.cert)
    writeFileSync(key, made.key)
    const port = await listen({ tls: { cert, key } }, { ...LONG, maxOfAddress: 3 })
    const shaken = async (text: string) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      sockets.push(socket)
      socket.on('error', () => {}).on('data', () => {})
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      await Promise.race([once(socket, 'secureConnect').catch(() => {}), closed])
      if (!socket.destroyed) socket.write(text)
      await sleep(50)
      return { socket, closed }
    }
    const busy = await shaken(STREAM)
    const silent = open(port)
    await sleep(20)
    const idle = await shaken('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    const states = () => Promise.all([busy, silent, idle].map(({ closed }) => isOpen(closed)))
    await shaken(STREAM)
    assert.deepEqual(await states(), [true, false, true])
    const last = await shaken(STREAM)
    assert.deepEqual(await states(), [true, false, false])
    assert.equal(await isOpen((await shaken('')).closed), false)
    // Whoever lets go may come again.
    last.socket.destroy()
    await sleep(50)
    assert.equal(await isOpen((await shaken('')).closed), true)
  })
})
