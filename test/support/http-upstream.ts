// One client's end of a server over HTTP, and servers on loopback that say exactly what a test wants.
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { sleep } from '../../src/core/time.ts'
import { HttpUpstream, NO_CREDENTIALS, type UpstreamCredentials } from '../../src/gateway/index.ts'
import { bodyOf, serve, way } from './outgoing.ts'

export interface Rpc {
  readonly id?: string | number | null
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

export interface UpstreamEnd {
  readonly upstream: HttpUpstream
  /** As they came, in order: the request they belong to, a space, the text. */
  readonly heard: readonly string[]
  readonly failed: readonly string[]
  send(message: object | string): void
  /** Resolves with the first message heard that the text is part of. */
  hears(part: string): Promise<Rpc>
  fails(part: string): Promise<string>
  ask(id: string | number, method: string, params?: object): Promise<Rpc>
  /** `initialize` and what follows it. */
  begin(version?: string): Promise<Rpc>
}

const WAIT_MS = 10_000

export async function eventually<T>(look: () => T | undefined, what: () => string): Promise<T> {
  for (let waited = 0; waited < WAIT_MS; waited += 5) {
    const found = look()
    if (found !== undefined) return found
    await sleep(5)
  }
  throw new Error(`it did not come: ${what()}`)
}

export function upstreamAt(
  url: string,
  more: {
    readonly credentials?: UpstreamCredentials
    readonly maxMessageBytes?: number
    readonly answerMs?: number
  } = {},
): UpstreamEnd {
  const heard: string[] = []
  const failed: string[] = []
  const upstream = new HttpUpstream({
    url: new URL(url),
    out: way([]),
    credentials: NO_CREDENTIALS,
    maxMessageBytes: 8_000_000,
    answerMs: 5_000,
    log: silentLog,
    ...more,
    hear: async (message, about) => {
      const text = message.kind === 'refused' ? `refused ${message.message}` : message.text
      heard.push(`${about ?? '-'} ${text}`)
    },
    failed: (request, end, why) => failed.push(`${request.idText} ${end} ${why}`),
  })
  after(() => upstream.close())
  const everything = (): string => [...heard, ...failed].join('\n')
  const send = (message: object | string): void =>
    upstream.send(
      typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message }),
    )
  const hears = async (part: string): Promise<Rpc> => {
    const found = await eventually(() => heard.find((one) => one.includes(part)), everything)
    return JSON.parse(found.slice(found.indexOf(' ') + 1)) as Rpc
  }
  const ask = async (id: string | number, method: string, params?: object): Promise<Rpc> => {
    send({ id, method, ...(params === undefined ? {} : { params }) })
    return eventually(() => {
      for (const one of heard) {
        if (one.includes(' refused ')) continue
        const message = JSON.parse(one.slice(one.indexOf(' ') + 1)) as Rpc
        if (message.id === id && message.method === undefined) return message
      }
      return undefined
    }, everything)
  }
  return {
    upstream,
    heard,
    failed,
    send,
    hears,
    fails: (part) => eventually(() => failed.find((one) => one.includes(part)), everything),
    ask,
    async begin(version = '2025-11-25') {
      const answer = await ask('hello', 'initialize', {
        protocolVersion: version,
        capabilities: {},
        clientInfo: { name: 'test', version: '1' },
      })
      send({ method: 'notifications/initialized' })
      return answer
    },
  }
}

/** One request that reached a server. */
export interface Got {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly rpc: Rpc
}

export interface ScriptedServer {
  readonly url: string
  readonly got: Got[]
  /** Resolves with the first request of which this is true. */
  reached(of: (got: Got) => boolean): Promise<Got>
}

/** A server of which every answer is written by the test. */
export async function scripted(
  answer: (got: Got, response: ServerResponse) => unknown,
): Promise<ScriptedServer> {
  const got: Got[] = []
  const port = await serve(async (request, response) => {
    const body = await bodyOf(request)
    const one: Got = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body,
      rpc: body === '' ? {} : (JSON.parse(body) as Rpc),
    }
    got.push(one)
    await answer(one, response)
  })
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    got,
    reached: (of) =>
      eventually(
        () => got.find(of),
        () => got.map(({ method, body }) => `${method} ${body}`).join('\n'),
      ),
  }
}

export function json(response: ServerResponse, body: string | object, status = 200): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(typeof body === 'string' ? body : JSON.stringify({ jsonrpc: '2.0', ...body }))
}

export function events(response: ServerResponse, text?: string): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  if (text !== undefined) response.write(text)
  return response
}

export const gone = (response: ServerResponse): Promise<unknown> => once(response, 'close')

export const INITIALIZED = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: { listChanged: true } },
  serverInfo: { name: 'scripted', version: '1' },
}

/** Answers the handshake of a legacy client with a session, everything else by the test. */
export function withSession(
  next: (got: Got, response: ServerResponse) => unknown,
  session: () => string = () => 'session-1',
): (got: Got, response: ServerResponse) => unknown {
  return (got, response) => {
    if (got.rpc.method === 'initialize') {
      response.setHeader('mcp-session-id', session())
      const { protocolVersion = INITIALIZED.protocolVersion } = got.rpc.params ?? {}
      json(response, { id: got.rpc.id, result: { ...INITIALIZED, protocolVersion } })
    } else if (got.rpc.method === 'notifications/initialized') response.writeHead(202).end()
    else if (got.method === 'GET' && got.headers['last-event-id'] === undefined)
      response.writeHead(405).end()
    else if (got.method === 'DELETE') response.writeHead(200).end()
    else return next(got, response)
    return undefined
  }
}
