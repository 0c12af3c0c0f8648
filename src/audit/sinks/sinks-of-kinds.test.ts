import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  httpSink,
  s3Judge,
  seqsOf,
  syslogServer,
  udpServer,
} from '../../../test/support/sink-servers.ts'
import { isFault } from '../../core/faults.ts'
import type { KeyId, StoreId } from '../../core/ids.ts'
import { epochMs } from '../../core/time.ts'
import { isSignedWebhook, outgoing } from '../../net/index.ts'
import { encodeRecord } from '../record.ts'
import { openSink } from './open-sink.ts'
import { type Sink, type SinkBatch, sinkRecord } from './sink.ts'
import { parseSinkConfigs, type SinkConfig } from './sink-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-sinks-'))
const out = outgoing({ allow: [] })
after(async () => {
  rmSync(folder, { recursive: true, force: true })
  await out.close()
})

const NOW = epochMs(Date.parse('2026-11-20T10:00:00.123Z'))
const STORE = '11111111-1111-4111-8111-111111111111' as StoreId
const EPOCH = '22222222-2222-4222-8222-222222222222' as KeyId
const never = new AbortController().signal

function batch(from: number, to: number): SinkBatch {
  const records = Array.from({ length: to - from + 1 }, (_, at) => {
    const seq = from + at
    const kind = seq % 2 === 0 ? 'refusal' : 'intent'
    const body = encodeRecord(seq, NOW, { kind, action: 'secret.read', caller: null, path: 'ä/b' })
    return sinkRecord(STORE, { seq, epochKeyId: EPOCH, body, mac: Buffer.alloc(32, seq) })
  })
  return { storeId: STORE, records }
}

function open(fields: object): Promise<Sink> {
  const text = JSON.stringify({ sinks: [{ name: 'one', mode: 'best-effort', ...fields }] })
  const [config] = parseSinkConfigs(text) as [SinkConfig]
  return openSink(config, { clock: () => NOW, outgoing: async () => out })
}

const LINE = `{"store":"${STORE}","seq":1,"epoch":"${EPOCH}","body":"{\\"v\\":1,\\"seq\\":1,\\"at\\":1795168800123,\\"kind\\":\\"intent\\",\\"action\\":\\"secret.read\\",\\"path\\":\\"ä/b\\"}","mac":"${'01'.repeat(32)}"}`

test('file: lines that only the owner reads, one after another', async () => {
  const path = join(folder, 'plain.jsonl')
  const sink = await open({ kind: 'file', path })
  await sink.send(batch(1, 1), never)
  assert.equal(readFileSync(path, 'utf8'), `${LINE}\n`)
  await sink.send(batch(2, 4), never)
  assert.deepEqual(seqsOf(readFileSync(path, 'utf8')), [1, 2, 3, 4])
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600)
  await sink.close()
  const again = await open({ kind: 'file', path })
  await again.send(batch(5, 5), never)
  assert.deepEqual(seqsOf(readFileSync(path, 'utf8')), [1, 2, 3, 4, 5])
  await again.close()
})

test('file: a full one is put aside under the number that came next, none is lost', async () => {
  const path = join(folder, 'full.jsonl')
  const sink = await open({ kind: 'file', path, maxBytes: 65_536 })
  const other = await open({ kind: 'file', path, maxBytes: 65_536 })
  for (let from = 1; from <= 901; from += 100) {
    await sink.send(batch(from, from + 49), never)
    await other.send(batch(from + 50, from + 99), never)
  }
  const names = readdirSync(folder)
    .filter((name) => name.startsWith('full.jsonl'))
    .toSorted()
  assert.ok(names.length >= 4, names.join(' '))
  const [current, ...aside] = names
  assert.equal(current, 'full.jsonl')
  const seqs = [...aside, 'full.jsonl'].flatMap((name) => {
    assert.ok(statSync(join(folder, name)).size <= 65_536, name)
    return seqsOf(readFileSync(join(folder, name), 'utf8'))
  })
  assert.deepEqual(
    seqs,
    Array.from({ length: 1000 }, (_, at) => at + 1),
  )
  for (const name of aside) {
    const next = aside[aside.indexOf(name) + 1] ?? 'full.jsonl'
    assert.equal(
      seqsOf(readFileSync(join(folder, next), 'utf8'))[0],
      Number(name.split('.').at(-1)),
    )
  }
  await sink.close()
  await other.close()
})

test('file: another program may move it away', async () => {
  const path = join(folder, 'moved.jsonl')
  const sink = await open({ kind: 'file', path })
  await sink.send(batch(1, 1), never)
  renameSync(path, `${path}.1`)
  await sink.send(batch(2, 2), never)
  assert.deepEqual(seqsOf(readFileSync(path, 'utf8')), [2])
  assert.deepEqual(seqsOf(readFileSync(`${path}.1`, 'utf8')), [1])
  await sink.close()
})

test('file: after half a line the next one begins anew', async () => {
  const path = join(folder, 'torn.jsonl')
  appendFileSync(path, '{"seq":1,"bo')
  const sink = await open({ kind: 'file', path })
  await sink.send(batch(2, 2), never)
  const [torn, line = ''] = readFileSync(path, 'utf8').split('\n')
  assert.equal(torn, '{"seq":1,"bo')
  assert.deepEqual(seqsOf(line), [2])
  await sink.close()
})

test('file: a folder that is not there is an error each time', async () => {
  const sink = await open({ kind: 'file', path: join(folder, 'none', 'a.jsonl') })
  await assert.rejects(sink.send(batch(1, 1), never), { code: 'ENOENT' })
  await assert.rejects(sink.send(batch(1, 1), never), { code: 'ENOENT' })
})

const SYSLOG = new RegExp(
  `^<(\\d+)>1 2026-11-20T10:00:00\\.123Z \\S+ sallyport ${process.pid} (\\w+) - (\\{.*\\})$`,
)

function checkSyslog(messages: readonly string[], from: number): void {
  for (const [at, message] of messages.entries()) {
    const [, priority, kind, line = ''] = SYSLOG.exec(message) ?? []
    assert.deepEqual(seqsOf(line), [from + at])
    // Facility 13; a refusal is a warning, an intent informational.
    assert.equal(priority, kind === 'refusal' ? '108' : '110')
  }
}

async function arrived(messages: readonly string[], count: number): Promise<void> {
  for (let i = 0; messages.length < count && i < 400; i++)
    await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(messages.length, count)
}

test('syslog over TCP: counted messages on one connection, a new one when it was closed', async () => {
  const server = await syslogServer()
  const sink = await open({
    kind: 'syslog',
    transport: 'tcp',
    host: '127.0.0.1',
    port: server.port,
  })
  await sink.send(batch(1, 3), never)
  await sink.send(batch(4, 4), never)
  await arrived(server.messages, 4)
  checkSyslog(server.messages, 1)
  assert.equal(server.connections, 1)
  server.dropAll()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await sink.send(batch(5, 5), never)
  // The four that may have been lost with the connection come again before it.
  await arrived(server.messages, 9)
  checkSyslog(server.messages.slice(4), 1)
  assert.equal(server.connections, 2)
  await sink.close()
  await server.close()
  await assert.rejects(sink.send(batch(6, 6), never), { code: 'ECONNREFUSED' })
})

test('syslog over a Unix socket', {
  skip: process.platform === 'win32' && 'no Unix sockets',
}, async () => {
  const path = join(folder, 'log.sock')
  const server = await syslogServer(path)
  const sink = await open({ kind: 'syslog', transport: 'unix', path })
  await sink.send(batch(1, 2), never)
  await arrived(server.messages, 2)
  checkSyslog(server.messages, 1)
  await sink.close()
  await server.close()
})

test('syslog over UDP: a datagram each', async () => {
  const server = await udpServer()
  const sink = await open({
    kind: 'syslog',
    transport: 'udp',
    host: 'localhost',
    port: server.port,
  })
  const named = await open({
    kind: 'syslog',
    transport: 'udp',
    host: '127.0.0.1',
    port: server.port,
  })
  await named.send(batch(1, 3), never)
  await arrived(server.messages, 3)
  checkSyslog(server.messages, 1)
  await sink.close()
  server.close()
})

test('syslog over TLS: a server that speaks none is an error', async () => {
  const server = await syslogServer()
  const sink = await open({
    kind: 'syslog',
    transport: 'tls',
    host: '127.0.0.1',
    port: server.port,
  })
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 200)
  await assert.rejects(sink.send(batch(1, 1), controller.signal))
  await server.close()
})

test('webhook: lines of JSON, signed with their time', async () => {
  const server = await httpSink()
  const key = 'k'.repeat(32)
  const sink = await open({ kind: 'webhook', url: `${server.url}/in?token=hidden`, key })
  await sink.send(batch(1, 3), never)
  const [one] = server.received
  assert.equal(one?.method, 'POST')
  assert.equal(one?.path, '/in?token=hidden')
  assert.equal(one?.headers['content-type'], 'application/x-ndjson')
  assert.equal(one?.headers['x-sallyport-delivery'], `${STORE}:1-3`)
  assert.deepEqual(seqsOf(one?.body.toString() ?? ''), [1, 2, 3])
  assert.ok(isSignedWebhook(key, one?.headers ?? {}, one?.body ?? Buffer.alloc(0), NOW))
  for (const status of [301, 400, 503]) {
    server.answer = status
    await assert.rejects(
      sink.send(batch(4, 4), never),
      (error) =>
        isFault(error, 'NET_FAILED') && error.message === `${server.url} answered with ${status}.`,
    )
  }
  await server.close()
})

test('s3: an object for each delivery, locked, with a signature that the service checks', async () => {
  const secret = `word/${Math.random().toString(36)}+=`
  const server = await httpSink(s3Judge(secret, 'eu-central-1'))
  const fields = {
    kind: 's3',
    endpoint: `${server.url}/`,
    region: 'eu-central-1',
    bucket: 'audit-of-us',
    prefix: 'a b/ü',
    accessKeyId: 'someone',
    secretAccessKey: secret,
    retainDays: 30,
  }
  const sink = await open(fields)
  await sink.send(batch(1, 3), never)
  const [one] = server.received
  assert.equal(one?.method, 'PUT')
  assert.equal(
    one?.path,
    `/audit-of-us/a%20b/%C3%BC/${STORE}/00000000000000000001-00000000000000000003.jsonl`,
  )
  assert.equal(one?.headers['x-amz-object-lock-mode'], 'COMPLIANCE')
  assert.equal(one?.headers['x-amz-object-lock-retain-until-date'], '2026-12-20T10:00:00.123Z')
  assert.deepEqual(seqsOf(one?.body.toString() ?? ''), [1, 2, 3])
  const unlocked = await open({ ...fields, lockMode: 'none' })
  await unlocked.send(batch(4, 4), never)
  assert.equal(server.received[1]?.headers['x-amz-object-lock-mode'], undefined)
  const stranger = await open({ ...fields, secretAccessKey: 'another' })
  await assert.rejects(stranger.send(batch(5, 5), never), /answered with 403/)
  await server.close()
})
