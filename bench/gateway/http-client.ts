import { connect, type Socket } from 'node:net'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { type Client, PUT_OFF_MS, wordsOf } from './client.ts'
import { cpuUsOf, familyOf, memoryKbOf } from './cpu.ts'

export interface Address {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Whether requests stand alone, as from 2026-07-28 on, or belong to a session. */
  readonly isModern: boolean
  /** The process that answers, whose memory is looked at. */
  readonly pid: number
  /** Processes behind it whose time counts too. */
  readonly beside: readonly number[]
}

interface Answer {
  readonly head: string
  readonly body: string
}

/** One connection that is kept, and one request after another on it. */
interface Connection {
  /** Servers end connections on which nothing was asked for a while. */
  isOpen(): boolean
  ask(headers: Readonly<Record<string, string>>, body: string): Promise<Answer>
  close(): void
}

const END_OF_HEAD = '\r\n\r\n'
const LENGTH = /\r\nContent-Length: (\d+)/i
const SESSION = /\r\nMcp-Session-Id: ([^\r]+)/i
const REVISION = '2025-11-25'
const MODERN = '2026-07-28'
const META = `"_meta":{"io.modelcontextprotocol/protocolVersion":"${MODERN}","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}`

/** A client over HTTP that does as little as it can; its own time is not counted, but it runs on the same processors. */
export async function startHttpClient(at: Address): Promise<Client> {
  let connections: Connection[] = [await opened(at.url)]
  const [first] = connections
  const standing =
    at.isModern || first === undefined ? modernHeaders() : await introduced(at, first)
  let last = 0
  async function call(one: Connection, text: string): Promise<void> {
    last += 1
    const id = last
    const meta = at.isModern ? `,${META}` : ''
    const { head, body } = await one.ask(
      { ...at.headers, ...standing },
      `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{"text":"${text}"}${meta}}}`,
    )
    if (!head.startsWith('HTTP/1.1 200') || !body.includes(text) || !body.includes(`"id":${id},`))
      throw new Error(`not the answer: ${head}\n${body.slice(0, 300)}`)
  }
  return {
    async drive(calls, callers, characters = 64) {
      const text = wordsOf(characters)
      connections = connections.filter((one) => one.isOpen())
      while (connections.length < callers) connections.push(await opened(at.url))
      const pids = [...familyOf(at.pid), ...at.beside]
      const cpu = cpuUsOf(pids)
      const begun = monotonicMs()
      let left = calls
      const caller = async (one: Connection): Promise<void> => {
        while (left > 0) {
          left -= 1
          await call(one, text)
        }
      }
      await Promise.all(connections.slice(0, callers).map(caller))
      const elapsedMs = monotonicMs() - begun
      await sleep(PUT_OFF_MS)
      return { calls, cpuUs: cpuUsOf(pids) - cpu, elapsedMs }
    },
    memoryKb: () => memoryKbOf(at.pid),
    async close() {
      for (const one of connections) one.close()
    },
  }
}

function modernHeaders(): Readonly<Record<string, string>> {
  return { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': 'tools/call', 'Mcp-Name': 'echo' }
}

async function introduced(
  { headers }: Address,
  connection: Connection,
): Promise<Readonly<Record<string, string>>> {
  const { head, body } = await connection.ask(
    headers,
    `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"${REVISION}","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`,
  )
  const session = SESSION.exec(head)?.[1]
  if (session === undefined) throw new Error(`no session: ${head}\n${body.slice(0, 300)}`)
  const standing = { 'MCP-Protocol-Version': REVISION, 'Mcp-Session-Id': session }
  await connection.ask(
    { ...headers, ...standing },
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  )
  return standing
}

function opened(url: URL): Promise<Connection> {
  const socket: Socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true })
  let text = ''
  let waiting: { answered(answer: Answer): void; failed(error: Error): void } | null = null
  const failed = (error: Error): void => waiting?.failed(error)
  socket.setEncoding('latin1')
  socket.on('error', failed)
  socket.on('close', () => failed(new Error('the server closed a connection')))
  socket.on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf(END_OF_HEAD)
    if (end === -1) return
    const head = text.slice(0, end)
    const from = end + END_OF_HEAD.length
    const length = Number(LENGTH.exec(head)?.[1] ?? 0)
    if (text.length < from + length) return
    const body = text.slice(from)
    text = ''
    waiting?.answered({ head, body })
  })
  const connection: Connection = {
    isOpen: () => socket.readyState === 'open',
    ask(headers, body) {
      const lines = Object.entries({
        Host: url.host,
        Accept: 'application/json, text/event-stream',
        'Content-Type': 'application/json',
        ...headers,
        'Content-Length': String(body.length),
      }).map(([name, value]) => `${name}: ${value}\r\n`)
      return new Promise((resolve, reject) => {
        waiting = { answered: resolve, failed: reject }
        socket.write(`POST ${url.pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`, 'latin1')
      })
    },
    close() {
      socket.removeAllListeners('close')
      socket.destroy()
    },
  }
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(connection))
    socket.once('error', reject)
  })
}
