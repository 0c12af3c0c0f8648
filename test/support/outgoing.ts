// Real servers on loopback and a resolver of our own, for what goes out.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { isFault } from '../../src/core/faults.ts'
import {
  type Lookup,
  type Outgoing,
  type OutgoingRequest,
  outgoing,
  type Resolved,
} from '../../src/net/index.ts'
import { atEnd } from './at-end.ts'

export type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

function portOf(server: { address(): unknown }): number {
  return (server.address() as AddressInfo).port
}

export async function listening(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  return portOf(server)
}

export function serve(answer: Answer, host?: string, port?: number): Promise<number> {
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, response)
  }
  return listening(createServer(listener), host, port)
}

/** Bytes on a socket, for what no HTTP server would say. */
export async function serveRaw(answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    answer(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return portOf(server)
}

/** A resolver whose answers are a table; a name has as many answers as it was asked for. */
function resolver(table: Readonly<Record<string, readonly string[]>>): {
  readonly lookup: Lookup
  readonly asked: string[]
} {
  const asked: string[] = []
  const lookup: Lookup = async (host) => {
    const answers = table[host] ?? []
    const at = Math.min(asked.filter((one) => one === host).length, answers.length - 1)
    asked.push(host)
    return (answers[at] ?? '')
      .split(' ')
      .filter((one) => one !== '')
      .map((address): Resolved => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
  return { lookup, asked }
}

export function way(
  allow: readonly string[],
  table: Readonly<Record<string, readonly string[]>> = {},
  ca: readonly string[] = [],
): Outgoing & { readonly asked: readonly string[] } {
  const { lookup, asked } = resolver(table)
  const out = outgoing({ allow, lookup, ca })
  atEnd(() => out.close())
  return { ...out, asked }
}

export function ask(url: string, more: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return { url, audience: 'configured', deadlineMs: 5_000, maxResponseBytes: 1_000_000, ...more }
}

export async function textOf(out: Outgoing, asked: OutgoingRequest): Promise<string> {
  return (await out.request(asked)).body.toString()
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

/** The message, after a look at code and that nothing of the URL but its origin is told. */
export async function refusal(work: Promise<unknown>, code: string): Promise<string> {
  const error: unknown = await work.then(
    () => assert.fail('it went through'),
    (thrown: unknown) => thrown,
  )
  assert.ok(isFault(error), String(error))
  assert.equal(error.code, code, error.message)
  assert.doesNotMatch(`${error.message} ${JSON.stringify(error.details)}`, /hidden/)
  return error.message
}
