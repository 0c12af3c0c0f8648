import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { authority, certificateFor } from '../../test/support/certificates.ts'
import { bareWriter, readBare } from './bare-io.ts'

/** Reads nothing for a while, and then tells the digest of all that it was sent. */
const SLOW_READER = `
  setTimeout(() => {
    const hash = require('node:crypto').createHash('sha256')
    process.stdin.on('data', (piece) => hash.update(piece))
    process.stdin.on('end', () => process.stdout.write(hash.digest('hex')))
  }, 300)`
/** Says more than any pipe takes at once, with odd ends of pieces. */
const TALKER = `
  const lines = Array.from({ length: 40000 }, (_, at) => at + ' ' + 'äx'.repeat(at % 97) + '\\n')
  process.stdout.write(lines.join(''))`

function node(script: string) {
  return spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
}

test('what a pipe does not take at once follows in its order', async () => {
  const child = node(SLOW_READER)
  const sent = createHash('sha256')
  const write = bareWriter(child.stdin)
  for (let at = 0; at < 2_000; at += 1) {
    const text = `${at} ${(at % 3 === 0 ? 'é' : 'e').repeat(at)}\n`
    sent.update(text)
    write(text)
  }
  assert.ok(child.stdin.writableLength > 0, 'the pipe took more than a pipe can hold')
  child.stdin.end()
  const [told] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
  assert.equal(told, sent.digest('hex'))
})

test('a pipe whose reader is gone fails as a stream does', async () => {
  const child = node(
    "require('node:fs').closeSync(0); console.log('closed'); setTimeout(() => {}, 500)",
  )
  await once(child.stdout, 'data')
  const failed = once(child.stdin, 'error')
  const write = bareWriter(child.stdin)
  write('hello\n')
  const [error] = (await failed) as [NodeJS.ErrnoException]
  assert.ok(['EPIPE', 'ECONNRESET'].includes(error.code ?? ''), error.code)
  write('hello again\n')
  await once(child, 'exit')
})

test('all that comes is given, also when reading pauses, and then the end', async () => {
  const child = node(TALKER)
  const pieces: Buffer[] = []
  let pauses = 0
  const unread = readBare(child.stdout, (bytes, length) => {
    pieces.push(Buffer.from(bytes.subarray(0, length)))
    if (pieces.length % 5 !== 0) return
    pauses += 1
    child.stdout.pause()
    setTimeout(() => child.stdout.resume(), 2)
  })
  assert.notEqual(unread, null)
  await once(child.stdout, 'end')
  const expected = Array.from({ length: 40_000 }, (_, at) => `${at} ${'äx'.repeat(at % 97)}\n`)
  assert.equal(Buffer.concat(pieces).toString(), expected.join(''))
  assert.ok(pauses > 2)
})

async function connected() {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect(port, '127.0.0.1')
  const [there] = (await once(server, 'connection')) as [Socket]
  return {
    client,
    there,
    async end() {
      client.destroy()
      await once(there, 'close')
      server.close()
    },
  }
}

test('nothing is read while it pauses', async () => {
  const { client, there, end } = await connected()
  let seen = ''
  readBare(there, (bytes, length) => {
    seen += bytes.toString('latin1', 0, length)
    if (seen === 'one') there.pause()
  })
  bareWriter(client)('one')
  await sleep(50)
  bareWriter(client)('two')
  await sleep(50)
  assert.equal(seen, 'one')
  there.resume()
  await sleep(50)
  assert.equal(seen, 'onetwo')
  await end()
})

test('a socket becomes a stream like any other again', async () => {
  const { client, there, end } = await connected()
  let bare = ''
  const unread = readBare(there, (bytes, length) => {
    bare += bytes.toString('latin1', 0, length)
    if (bare === 'one') unread?.()
  })
  bareWriter(client)('one')
  await sleep(50)
  let streamed = ''
  there.on('data', (piece: Buffer) => {
    streamed += piece.toString()
  })
  bareWriter(client)('two')
  await sleep(50)
  assert.deepEqual([bare, streamed], ['one', 'two'])
  await end()
})

test('what goes over TLS is left to it', async () => {
  const { cert, key } = certificateFor(authority(), ['127.0.0.1'])
  const server = createTlsServer({ cert, key })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const [there] = (await once(server, 'secureConnection')) as [Socket]
  assert.equal(
    readBare(there, () => {}),
    null,
  )
  bareWriter(client)('hello')
  const [heard] = (await once(there, 'data')) as [Buffer]
  assert.equal(heard.toString(), 'hello')
  client.destroy()
  server.close()
})

test('a stream that is no pipe is left as it is', async () => {
  const stream = new PassThrough()
  assert.equal(
    readBare(stream, () => {}),
    null,
  )
  bareWriter(stream)('hello')
  assert.equal(String(stream.read()), 'hello')
})

test('a pipe that somebody reads already is left as it is', async () => {
  const child = node("process.stdout.write('hello')")
  child.stdout.on('data', () => {})
  assert.equal(
    readBare(child.stdout, () => {}),
    null,
  )
  await once(child, 'exit')
})
