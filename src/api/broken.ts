import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { Fault } from '../core/faults.ts'
import { type Problem, problemAs } from './problem.ts'

/** What node's parser says of what it cannot read, as an answer. */
const BY_CODE: Readonly<Record<string, readonly [status: number, fault: Fault]>> = {
  HPE_HEADER_OVERFLOW: [431, new Fault('TOO_LARGE', 'The header fields are longer than 16 KiB.')],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [
    413,
    new Fault('TOO_LARGE', 'The chunks of the body say more than they carry.'),
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    408,
    new Fault('BAD_INPUT', 'The request did not arrive in its time; nothing was changed.'),
  ],
}
const UNREADABLE = new Fault('BAD_INPUT', 'This is not a request that can be read in one way.')

/**
 * Answers on the bare connection what never became a request, in the form of every other refusal, and ends it: where the
 * next request would begin is not known.
 *
 * @param open the answer that was begun on this connection, if there is one
 */
export function refuseBroken(
  error: { readonly code?: string | undefined },
  socket: Duplex,
  open: ServerResponse | undefined,
): void {
  const isBegun = open?.headersSent === true && !open.writableFinished
  // In the middle of an answer it would be taken for the rest of it.
  if (error.code === 'ECONNRESET' || !socket.writable || isBegun) {
    socket.destroy()
    return
  }
  const [status, fault] = BY_CODE[error.code ?? ''] ?? [400, UNREADABLE]
  const id = randomUUID()
  socket.end(written(problemAs(fault, status, id)), () => socket.destroy())
}

/** Answers a request whose `Expect` says more than `100-continue`. */
export function refuseExpectation(outgoing: ServerResponse): void {
  const fault = new Fault('BAD_INPUT', 'Expect may be 100-continue and nothing else.', {
    details: { field: 'Expect' },
  })
  const body = JSON.stringify(problemAs(fault, 417, randomUUID()))
  outgoing.writeHead(417, { ...HEADERS, 'Content-Length': Buffer.byteLength(body) }).end(body)
}

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Type': 'application/problem+json',
  'X-Content-Type-Options': 'nosniff',
  Connection: 'close',
} as const

function written(problem: Problem): string {
  const body = JSON.stringify(problem)
  const fields = Object.entries({
    ...HEADERS,
    'X-Request-Id': problem.request_id,
    'Content-Length': Buffer.byteLength(body),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${problem.status} ${problem.title}\r\n${fields.join('')}\r\n${body}`
}
