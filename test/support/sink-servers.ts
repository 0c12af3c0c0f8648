// Servers that keep what sinks send, as real ones do: HTTP, S3 with its signature, syslog over TCP and UDP.
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface HttpSink {
  readonly url: string
  readonly received: Received[]
  /** What it answers; null: nothing at all. */
  answer: number | null
  close(): Promise<void>
}

/** @param judge answers with another status than `answer`, or null */
export async function httpSink(
  judge: (request: Received) => number | null = () => null,
): Promise<HttpSink> {
  const received: Received[] = []
  const server = createHttpServer((request, response) => {
    void readAll(request).then((body) => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      )
      const one = { method: request.method ?? '', path: request.url ?? '', headers, body }
      if (sink.answer === null) return
      const status = judge(one) ?? sink.answer
      if (status < 300) received.push(one)
      response.writeHead(status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sink: HttpSink = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: 200,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return sink
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** What S3 does before it takes an object: 403 for a signature that is not the one over what came, 400 without a digest. */
export function s3Judge(secret: string, region: string) {
  return ({ method, path, headers, body }: Received): number | null => {
    const match =
      /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([\w-]+)\/s3\/aws4_request,SignedHeaders=([\w;-]+),Signature=([0-9a-f]{64})$/.exec(
        headers['authorization'] ?? '',
      )
    const [, day = '', where = '', names = '', signature = ''] = match ?? []
    const hash = createHash('sha256').update(body).digest()
    if (where !== region || headers['x-amz-content-sha256'] !== hash.toString('hex')) return 403
    if (Object.keys(headers).some((name) => name.startsWith('x-amz-') && !names.includes(name)))
      return 403
    const [target = '', query = ''] = path.split('?')
    const lines = [
      method,
      target,
      query,
      ...names.split(';').map((name) => `${name}:${headers[name]}`),
      '',
      names,
      headers['x-amz-content-sha256'],
    ]
    const canonical = createHash('sha256').update(lines.join('\n')).digest('hex')
    const scope = `${day}/${region}/s3/aws4_request`
    const text = `AWS4-HMAC-SHA256\n${headers['x-amz-date']}\n${scope}\n${canonical}`
    const mac = (key: string | Buffer, part: string): Buffer =>
      createHmac('sha256', key).update(part).digest()
    let signing = mac(`AWS4${secret}`, day)
    for (const part of [region, 's3', 'aws4_request']) signing = mac(signing, part)
    if (mac(signing, text).toString('hex') !== signature) return 403
    const isLocked = headers['x-amz-object-lock-mode'] !== undefined
    if (isLocked && headers['x-amz-checksum-sha256'] !== hash.toString('base64')) return 400
    return null
  }
}

export interface SyslogServer {
  readonly port: number
  /** Whole messages, without their frames. */
  readonly messages: string[]
  /** Stops reading, as a peer that hangs. */
  hang(): void
  readonly connections: number
  dropAll(): void
  close(): Promise<void>
}

/** RFC 6587 octet counting. @param at a port of loopback, or the path of a socket */
export async function syslogServer(at: number | string = 0): Promise<SyslogServer> {
  const messages: string[] = []
  const sockets = new Set<Socket>()
  let isHung = false
  let connections = 0
  const server: Server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    if (isHung) socket.pause()
    let held = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      for (;;) {
        const space = held.indexOf(0x20)
        const length = Number(held.subarray(0, Math.max(space, 0)).toString())
        if (!(length > 0) || held.byteLength < space + 1 + length) return
        messages.push(held.subarray(space + 1, space + 1 + length).toString('utf8'))
        held = held.subarray(space + 1 + length)
      }
    })
  })
  if (typeof at === 'string') server.listen(at)
  else server.listen(at, '127.0.0.1')
  await once(server, 'listening')
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: typeof at === 'string' ? 0 : (server.address() as AddressInfo).port,
    messages,
    get connections() {
      return connections
    },
    hang() {
      isHung = true
      for (const socket of sockets) socket.pause()
    },
    dropAll,
    async close() {
      dropAll()
      server.close()
      await once(server, 'close')
    },
  }
}

export async function udpServer(): Promise<{
  readonly port: number
  readonly messages: string[]
  close(): void
}> {
  const messages: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (message) => messages.push(message.toString('utf8')))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, messages, close: () => socket.close() }
}

/** A line that holds no record. */
const CHECKPOINT = /^\{"store":"[^"]+","checkpoint":/

/** The records of lines that a sink got, in the order of arrival. */
export function seqsOf(text: string): readonly number[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !CHECKPOINT.test(line))
    .map((line) => {
      const { seq, body } = JSON.parse(line) as { seq: number; body: string }
      assert.equal((JSON.parse(body) as { seq: number }).seq, seq)
      return seq
    })
}
