import type { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline, Readable } from 'node:stream'
import { asFault, FAULTS, Fault, type FaultCode, isFault } from '../core/faults.ts'
import { hostnameIn } from '../core/hostname-in.ts'
import type { Log } from '../core/log.ts'
import { isOurs, toldTo } from '../core/told.ts'
import { sha256 } from '../crypto/index.ts'
import { LARGE_BYTES, type LargeLine, onOneLine, type Refused } from '../mcp/wire/index.ts'
import { decompressor } from '../net/index.ts'
import { largeIntake } from './large-lines.ts'
import { sendJson } from './pending-answer.ts'

/** A request whose body is there. */
export interface WholeRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly socket: Socket
  readonly body: Buffer
}

/** A request to a door: as node reads it, or whole. */
export type DoorRequest = IncomingMessage | WholeRequest

export function isWhole(request: DoorRequest): request is WholeRequest {
  return 'body' in request
}

/** What doors say of an answer, as `ServerResponse` has it. `close` comes once, when nothing more can be said. */
export interface DoorResponse extends EventEmitter {
  /** What it answers. */
  readonly req: Pick<DoorRequest, 'headers'>
  readonly destroyed: boolean
  readonly headersSent: boolean
  readonly writable: boolean
  readonly writableNeedDrain: boolean
  /** Bytes that the connection did not take yet. */
  readonly writableLength: number
  writeHead(
    status: number,
    headers?: Readonly<Record<string, string | number>>,
  ): Pick<DoorResponse, 'end'>
  /** @param done called when the next piece may come, and when nobody takes one any more */
  write(piece: string | Uint8Array, done?: () => void): boolean
  end(text?: string): unknown
  destroy(): unknown
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Why a request may not be answered at all: pages that a person visits may have names that lead here, and they must
 * reach nothing. Of what may come, the name alone counts: pages of other servers of this machine are clients like any
 * other, and show a bearer.
 *
 * @param hostnames beside those of loopback
 */
export function hostProblem(
  { headers }: Pick<IncomingMessage, 'headers'>,
  hostnames: ReadonlySet<string>,
): string | null {
  const isOurs = (name: string | null): boolean =>
    name !== null && (LOOPBACK.has(name) || hostnames.has(name))
  const { host, origin } = headers
  if (!isOurs(hostnameIn(`http://${host ?? ''}`))) return 'The Host is not this server.'
  // `null` is what sandboxed pages and files send.
  if (origin !== undefined && !isOurs(hostnameIn(origin))) return 'The Origin is not this server.'
  return null
}

/** One request at an address of the gateway, and who may make it. */
export interface KnockOf<A> {
  readonly request: DoorRequest
  readonly response: DoorResponse
  /** @throws {Fault} `UNAUTHENTICATED`, `ACCESS_DENIED` */
  readonly admit: () => A | Promise<A>
  /** `WWW-Authenticate` of a refusal. */
  readonly challenge: (error: string | null) => string
}

/** A request that another process of the store holds what it is for. */
export interface Elsewhere {
  readonly node: string
  /** At which address of that process. */
  readonly path: string
  readonly request: DoorRequest
  readonly response: DoorResponse
  readonly frame: Buffer
  /** Who was let in here, as the door at that address knows him. */
  readonly admitted: object
}

/** Has another process answer. @returns false when it cannot be reached: nothing was answered */
export type SendOn = (elsewhere: Elsewhere) => Promise<boolean>

/**
 * @param sentOn digest of what another process let its caller in for; undefined when none did
 * @throws {Fault} `ACCESS_DENIED` for anything else
 */
export function checkSentOn(frame: Buffer, sentOn: string | undefined): void {
  if (sentOn !== undefined && sentOn !== sha256(frame).toString('base64url'))
    throw new Fault('ACCESS_DENIED', 'This is not what the other process sent.')
}

interface Porter {
  readonly hostnames: ReadonlySet<string>
  readonly log: Log
}

const BY_NAME =
  'ask for this server by an address that sallyport up prints; SALLYPORT_PUBLIC_URL tells it another one of its own'

/** Lets in whoever may come in; everybody else is refused by the transport. Done at once when there is no promise. */
export function letIn<A>(
  knock: KnockOf<A>,
  porter: Porter,
  serve: (admitted: A) => void | Promise<void>,
): void | Promise<void> {
  const { request, response, admit } = knock
  try {
    const problem = hostProblem(request, porter.hostnames)
    if (problem !== null)
      refuseFault(response, new Fault('ACCESS_DENIED', problem, { details: { remedy: BY_NAME } }))
    else {
      const admitted = admit()
      const served = admitted instanceof Promise ? admitted.then(serve) : serve(admitted)
      if (served instanceof Promise)
        return served
          .catch((error: unknown) => turnedAway(knock, porter, error))
          .finally(() => readOn(request))
    }
  } catch (error) {
    turnedAway(knock, porter, error)
  }
  readOn(request)
  return undefined
}

function turnedAway<A>(
  { request, response, challenge }: KnockOf<A>,
  { log }: Porter,
  error: unknown,
): void {
  const sentOne = (request.headers.authorization ?? '') !== ''
  const isNobody = isFault(error, 'UNAUTHENTICATED')
  refuseFault(
    response,
    error,
    isNobody ? { 'WWW-Authenticate': challenge(sentOne ? 'invalid_token' : null) } : {},
  )
  if (!isFault(error)) log.error('a request failed', { error: String(error) })
  else if (isOurs(error)) log.error('a request failed', { code: error.code, reason: error.message })
}

/** What was not read of a body must not be taken for the next request. */
function readOn(request: DoorRequest): void {
  if (!isWhole(request) && !request.complete) request.resume()
}

/** What takes no more is read at once. */
const SMALL_BYTES = 65_536

/**
 * The message in the body of a request, on one line; one that is too large for memory with references in place of its
 * large values.
 *
 * @param maxBytes after decompression
 * @returns why it is refused, where that is told as a message
 * @throws {Fault} `TOO_LARGE`, `UNSUPPORTED_MEDIA`, `BAD_INPUT` for what cannot be decompressed
 */
export function frameOf(
  request: DoorRequest,
  maxBytes: number,
): Buffer | Promise<Buffer | Refused> {
  const { 'content-type': type, 'content-encoding': encoding } = request.headers
  if (type !== 'application/json' && !/^application\/json\s*(?:;|$)/i.test(type ?? ''))
    throw new Fault('UNSUPPORTED_MEDIA', 'Content-Type must be application/json.')
  const decoder = encoding === undefined || encoding === 'identity' ? null : decompressor(encoding)
  if (decoder === null && encoding !== undefined && encoding !== 'identity')
    throw new Fault('UNSUPPORTED_MEDIA', 'Content-Encoding must be gzip, br or deflate.')
  const length = Number(request.headers['content-length'] ?? Number.NaN)
  if (length > maxBytes) throw tooLarge(maxBytes)
  if (decoder === null && isWhole(request)) return onOneLine(request.body)
  if (decoder === null && !isWhole(request) && length <= SMALL_BYTES)
    return smallBody(request).then(onOneLine)
  return gathered(decoder === null ? received(request) : inflated(request, decoder), maxBytes)
}

async function gathered(
  pieces: AsyncIterable<Buffer>,
  maxBytes: number,
): Promise<Buffer | Refused> {
  let parts: Buffer[] = []
  let size = 0
  let large: LargeLine | null = null
  try {
    for await (const part of pieces) {
      size += part.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      if (large === null && size > LARGE_BYTES) {
        large = largeIntake({ maxBytes, isOneLine: true })
        if (large !== null) for (const held of parts) large.push(held)
        if (large !== null) parts = []
      }
      if (large === null) parts.push(part)
      else large.push(part)
    }
  } catch (error) {
    large?.drop()
    throw error
  }
  if (large !== null) return large.end()
  return onOneLine(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts))
}

function tooLarge(maxBytes: number): Fault {
  return new Fault('TOO_LARGE', `The message is larger than ${maxBytes} bytes.`)
}

/** A body whose length is said; node gives no byte more. */
function smallBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => void parts.push(part))
    request.once('end', () => {
      const [only] = parts
      resolve(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts))
    })
    // The client went away in the middle of it.
    request.once('error', reject)
  })
}

function received(request: DoorRequest): AsyncIterable<Buffer> {
  if (isWhole(request)) return Readable.from([request.body])
  // Left open when it is not read to its end: the refusal still has to go back.
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
}

/** As it was before it was compressed. What comes in is counted too, for a stream may grow without giving a byte. */
async function* inflated(
  request: DoorRequest,
  decoder: NonNullable<ReturnType<typeof decompressor>>,
): AsyncGenerator<Buffer> {
  const source = received(request)[Symbol.asyncIterator]()
  const head = await source.next()
  if (head.done === true) return
  async function* whole(): AsyncGenerator<Buffer> {
    yield head.value as Buffer
    for (let next = await source.next(); next.done !== true; next = await source.next())
      yield next.value
  }
  const made = decoder(head.value[0] ?? 0)
  const broken = new Fault('BAD_INPUT', 'The body is not what its Content-Encoding says.')
  pipeline(whole, made, () => undefined)
  try {
    for await (const part of made as AsyncIterable<Buffer>) yield part
  } catch {
    throw broken
  } finally {
    void readAway(source)
  }
}

/** An iterator that is left open keeps the rest of the body, and with it the next request of the connection. */
async function readAway(source: AsyncIterator<Buffer>): Promise<void> {
  try {
    while ((await source.next()).done !== true);
  } catch {
    // The client went away in the middle of it.
  }
}

/** How an answer may look to a client. */
export interface Taken {
  /** Whether it reads streams of events. */
  readonly takesStream: boolean
  /** Whether an answer that could be either is one: only then, or when it takes nothing else, is it not JSON. */
  readonly prefersStream: boolean
}

/** Texts that are remembered. */
const MAX_KNOWN = 64
/** Clients say the same with every request. */
const knownTaken = new Map<string, Taken | null>()

/** @returns null when it takes no form that answers have */
export function takenBy(request: Pick<IncomingMessage, 'headers'>): Taken | null {
  const { accept = '*/*' } = request.headers
  const known = knownTaken.get(accept)
  if (known !== undefined) return known
  const stream = weightOf(request, 'text/event-stream')
  const json = weightOf(request, 'application/json')
  const taken =
    stream === 0 && json === 0 ? null : { takesStream: stream > 0, prefersStream: stream > json }
  if (knownTaken.size >= MAX_KNOWN) knownTaken.clear()
  knownTaken.set(accept, taken)
  return taken
}

export function accepts(request: Pick<IncomingMessage, 'headers'>, type: string): boolean {
  return weightOf(request, type) > 0
}

/**
 * How much a client wants a type by its `Accept`, 0 to 1: the range that names it closest decides (RFC 9110, 12.5.1). A
 * client that says nothing takes anything.
 */
function weightOf({ headers }: Pick<IncomingMessage, 'headers'>, type: string): number {
  const { accept } = headers
  if (accept === undefined) return 1
  const ranges = ['*/*', `${type.split('/')[0] ?? ''}/*`, type]
  let closest = -1
  let weight = 0
  for (const one of accept.split(',')) {
    const [name = '', ...params] = one.split(';').map((part) => part.trim().toLowerCase())
    const place = ranges.indexOf(name)
    if (place === -1 || place < closest) continue
    closest = place
    const q = params.find((param) => param.startsWith('q='))
    weight = q === undefined ? 1 : Math.min(Math.max(Number(q.slice(2)) || 0, 0), 1)
  }
  return weight
}

/** A refusal of the transport: no message of the protocol was judged. */
export function refuse(
  response: DoorResponse,
  status: number,
  code: FaultCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  help: string = FAULTS[code].help,
): void {
  sendJson(response, status, JSON.stringify({ error: { code, message, help } }), headers)
}

export function refuseFault(
  response: DoorResponse,
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { http, code } = asFault(error)
  // Who asks may be nobody, or somebody elsewhere.
  const { message, details } = toldTo(error, null)
  const { retryAfterSeconds, remedy } = details
  const retrying = typeof retryAfterSeconds === 'number' && {
    'Retry-After': String(retryAfterSeconds),
  }
  const help = typeof remedy === 'string' ? remedy : undefined
  refuse(response, http, code, message, { ...retrying, ...headers }, help)
}
