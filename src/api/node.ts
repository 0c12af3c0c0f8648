import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fault } from '../core/faults.ts'
import { type ApiAnswer, type ApiRequest, type ApiServer, refusalOf } from './server.ts'

/** Where a request came from and how. */
export type RequestFrom = Pick<ApiRequest, 'address' | 'scheme'>

/** Whether a target belongs to the API. `*` asks after the server as a whole, which is no page. */
export function isApiTarget(target: string): boolean {
  return (
    target === '*' ||
    target === '/v1' ||
    target.startsWith('/v1?') ||
    target.startsWith('/v1/') ||
    target.startsWith('/.well-known/jwks.json') ||
    target.startsWith('/.well-known/openid-configuration') ||
    target.startsWith('/.well-known/oauth-authorization-server') ||
    target.startsWith('/openapi.json')
  )
}

/**
 * Answers one request of node's HTTP server. Straight on it: every hop costs, and nothing of a request may be decoded
 * before it is matched.
 *
 * @param from where the request came from, after trusted proxies
 */
export async function serveApi(
  api: ApiServer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  from: RequestFrom,
): Promise<void> {
  try {
    const answer = await api.answer(requestOf(incoming, from))
    if (outgoing.destroyed) return
    // What was not read would be taken for the next request.
    if (!incoming.complete) outgoing.setHeader('Connection', 'close')
    write(outgoing, answer)
  } catch {
    // Nobody waits for this promise: an answer that cannot be written ends its connection and no other.
    outgoing.destroy()
  }
}

/** What a refusal needs of an answer. */
export interface Refusable {
  setHeader(name: string, value: string): unknown
  writeHead(
    status: number,
    headers: Readonly<Record<string, string | number>>,
  ): { end(body?: string): unknown }
}

/** Answers a request that may not be answered at all, whatever it asks for. */
export function refuseRequest(outgoing: Refusable, error: unknown): void {
  outgoing.setHeader('Connection', 'close')
  write(outgoing, refusalOf(error))
}

function write(outgoing: Pick<Refusable, 'writeHead'>, { status, headers, body }: ApiAnswer): void {
  if (body === null) {
    outgoing.writeHead(status, withoutType(headers)).end()
    return
  }
  outgoing.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body)
}

function requestOf(incoming: IncomingMessage, { address, scheme }: RequestFrom): ApiRequest {
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    address,
    scheme,
    header(name) {
      const value = incoming.headers[name]
      return typeof value === 'string' ? value : null
    },
    body: (maxBytes) => readBody(incoming, maxBytes),
  }
}

async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  const declared = Number(incoming.headers['content-length'] ?? '0')
  if (declared > maxBytes) throw tooLarge(maxBytes)
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.byteLength
      if (size > maxBytes) throw tooLarge(maxBytes)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('BAD_INPUT', 'The request was cut off; nothing was changed.', { cause: error })
  }
  const body = Buffer.concat(chunks)
  for (const chunk of chunks) chunk.fill(0)
  return body
}

function tooLarge(maxBytes: number): Fault {
  return new Fault('TOO_LARGE', `The body is larger than ${maxBytes} bytes.`, {
    details: { field: 'body' },
  })
}

function withoutType(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'Content-Type': _type, ...rest } = headers
  return rest
}
