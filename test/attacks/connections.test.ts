// Connections that are held on to: each ends in its time, and nobody has them all.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { type Binding, type Limits, type Listening, openListener } from '../../src/app/listener.ts'
import { silentLog } from '../../src/core/log.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { authority, certificateFor } from '../support/certificates.ts'

const BINDING: Binding = { port: 0, host: '127.0.0.1', tls: null, behindProxy: [] }
const LIMITS: Limits = { headersMs: 300, requestMs: 600, maxConnections: 12, maxOfAddress: 4 }

describe('connections', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-test-'))
  const sockets: Socket[] = []
  let listening: Listening | null = null
  afterEach(() => {
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
        incoming.on('end', () => outgoing.end('ok'))
      },
      silentLog,
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

  test('of one address leave as many to others, and those of a proxy are of many', async () => {
    const long = { headersMs: 5_000, requestMs: 5_000 }
    const port = await listen({}, long)
    const held = Array.from({ length: 4 }, () => open(port))
    await sleep(50)
    assert.equal(await isOpen(open(port).closed), false)
    const other = open(port, '127.0.0.2')
    assert.equal(await isOpen(other.closed), true)
    // Whoever lets go may come again.
    held[0]?.socket.destroy()
    await sleep(50)
    assert.equal(await isOpen(open(port).closed), true)
    listening?.close()
    listening?.server.closeAllConnections()
    listening?.server.close()

    const behind = await listen({ behindProxy: ['127.0.0.1'] }, long)
    const proxied = Array.from({ length: 8 }, () => open(behind))
    assert.deepEqual(
      await Promise.all(proxied.map(({ closed }) => isOpen(closed))),
      proxied.map(() => true),
    )
  })
})
