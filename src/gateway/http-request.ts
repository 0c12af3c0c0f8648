import type { IncomingMessage, ServerResponse } from 'node:http'
import { asFault, FAULTS, Fault, type FaultCode } from '../core/faults.ts'
import { sendJson } from './pending-answer.ts'

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Why a request may not be answered at all: pages that a person visits may have names that lead here, and they must
 * reach nothing.
 *
 * @param hostnames beside those of loopback
 */
export function hostProblem(
  { headers }: Pick<IncomingMessage, 'headers'>,
  hostnames: ReadonlySet<string>,
): string | null {
  const isOurs = (name: string | undefined): boolean =>
    name !== undefined && (LOOPBACK.has(name) || hostnames.has(name))
  const { host, origin } = headers
  if (!isOurs(URL.parse(`http://${host ?? ''}`)?.hostname)) return 'The Host is not this server.'
  // `null` is what sandboxed pages and files send.
  if (origin !== undefined && !isOurs(URL.parse(origin)?.hostname))
    return 'The Origin is not this server.'
  return null
}

/** @throws {Fault} `TOO_LARGE`, `UNSUPPORTED_MEDIA` */
export async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const { 'content-type': type, 'content-encoding': encoding } = request.headers
  if (!/^application\/json\s*(?:;|$)/i.test(type ?? ''))
    throw new Fault('UNSUPPORTED_MEDIA', 'Content-Type must be application/json.')
  if (encoding !== undefined && encoding !== 'identity')
    throw new Fault('UNSUPPORTED_MEDIA', 'The body must not be compressed.')
  const tooLarge = (): Fault =>
    new Fault('TOO_LARGE', `The message is larger than ${maxBytes} bytes.`)
  if (Number(request.headers['content-length'] ?? '0') > maxBytes) throw tooLarge()
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > maxBytes) throw tooLarge()
    parts.push(part)
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
}

/** What is asked for in `Accept`; a client that says nothing takes anything. */
export function accepts({ headers }: Pick<IncomingMessage, 'headers'>, type: string): boolean {
  const { accept } = headers
  if (accept === undefined) return true
  return accept.split(',').some((one) => {
    const name = one.split(';')[0]?.trim().toLowerCase() ?? ''
    return name === type || name === '*/*' || name === `${type.split('/')[0] ?? ''}/*`
  })
}

/** A refusal of the transport: no message of the protocol was judged. */
export function refuse(
  response: ServerResponse,
  status: number,
  code: FaultCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ error: { code, message, help: FAULTS[code].help } })
  sendJson(response, status, body, headers)
}

export function refuseFault(
  response: ServerResponse,
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { http, code, message, details } = asFault(error)
  const { retryAfterSeconds } = details
  refuse(response, http, code, message, {
    ...(typeof retryAfterSeconds === 'number' && { 'Retry-After': String(retryAfterSeconds) }),
    ...headers,
  })
}
