import type { Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { Crowd } from '../core/crowd.ts'
import { monotonicMs } from '../core/time.ts'
import { type AnswerEars, type AnswerFields, AnswerReader } from './answer-reader.ts'
import { bareWriter, pieceOf, readBare } from './bare-io.ts'
import type { Hop } from './redirects.ts'

/** How long a connection is kept for the next request when the server says nothing of it, in milliseconds. */
const KEPT_MS = 4_000
const MAX_KEPT_MS = 600_000
/** A server counts from when it sent its answer: what goes out in its last moments may find it gone. */
const MARGIN_MS = 2_000

const METHOD = /^[A-Z]{1,20}$/
const PATH = /^[\x21-\x7e]+$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** One who waits for an answer. */
export interface Waiter extends AnswerEars {
  /** All that came in one piece was told. */
  onRead(): void
  /** Nothing more comes. */
  onError(error: Error): void
}

/** A request under way, as whoever made it can still act on it. */
export interface UnderWay {
  pause(): void
  resume(): void
  /** Leaves the answer, and the connection with it. Nothing is told any more, and what was not sent never is. */
  abort(): void
}

class Broken extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/**
 * Connections to servers of HTTP/1.1, kept from one request to the next. One carries one request at a time: nothing is
 * sent ahead, and what comes without having been asked for ends it.
 */
export class Connections {
  readonly #dial: buildConnector.connector
  /** By origin, the one that was used last at the end. */
  readonly #idle = new Map<string, Connection[]>()
  readonly #open = new Crowd<Connection>()
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  /** @param dial opens connections to what may be reached */
  constructor(dial: buildConnector.connector) {
    this.#dial = dial
  }

  send(hop: Hop, waiter: Waiter): UnderWay {
    const request = new Request(hop, waiter)
    const { url } = hop
    const head = headOf(hop)
    if (head === null) queueMicrotask(() => request.failed(new Broken('UND_ERR_INVALID_ARG')))
    else {
      request.head = head
      const kept = this.#kept(placeOf(url).origin)
      if (kept === null) this.#connect(url, request)
      else kept.carry(request)
    }
    return request
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    for (const one of this.#open.all()) one.destroy(new Broken('UND_ERR_SOCKET'))
    this.#idle.clear()
  }

  #kept(origin: string): Connection | null {
    const idle = this.#idle.get(origin)
    const now = monotonicMs()
    for (let one = idle?.pop(); one !== undefined; one = idle?.pop()) {
      if (one.isUsable && one.keptUntil > now) return one
      one.destroy(null)
    }
    return null
  }

  #connect(url: URL, request: Request): void {
    const { protocol, host, hostname, port } = url
    // TLS and the resolver want the address without its brackets.
    const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
    this.#dial({ protocol, host, hostname: bare, port }, (error, socket) => {
      if (error !== null || socket === null) {
        request.failed(error ?? new Broken('UND_ERR_SOCKET'))
        return
      }
      const connection = new Connection(socket, {
        onIdle: (one) => this.#keep(placeOf(url).origin, one),
        onGone: (one) => this.#open.delete(one),
      })
      this.#open.add(connection)
      if (this.#isClosed) connection.destroy(null)
      if (this.#isClosed || request.isOver) {
        request.failed(new Broken('UND_ERR_SOCKET'))
        connection.destroy(null)
      } else connection.carry(request)
    })
  }

  #keep(origin: string, one: Connection): void {
    const idle = this.#idle.get(origin)
    if (idle === undefined) this.#idle.set(origin, [one])
    else idle.push(one)
    this.#timer ??= setTimeout(() => this.#sweep(), KEPT_MS).unref()
  }

  #sweep(): void {
    this.#timer = null
    const now = monotonicMs()
    for (const [origin, idle] of this.#idle) {
      const left = idle.filter((one) => one.isUsable && one.keptUntil > now)
      for (const one of idle) if (!left.includes(one)) one.destroy(null)
      if (left.length === 0) this.#idle.delete(origin)
      else this.#idle.set(origin, left)
    }
    if (this.#idle.size > 0) this.#timer = setTimeout(() => this.#sweep(), KEPT_MS).unref()
  }
}

/** One request, until its answer is whole or nothing more comes of it. */
class Request implements UnderWay, AnswerEars {
  readonly hop: Hop
  readonly reader: AnswerReader
  readonly #waiter: Waiter
  /** As it is written, but for its length. */
  head = ''
  connection: Connection | null = null
  /** Whether its last byte was handed to the connection. */
  isSent = false
  #isOver = false

  constructor(hop: Hop, waiter: Waiter) {
    this.hop = hop
    this.#waiter = waiter
    this.reader = new AnswerReader(hop.method, this)
  }

  onHead(status: number, fields: AnswerFields): void {
    if (!this.#isOver) this.#waiter.onHead(status, fields)
  }

  onData(chunk: Buffer): void {
    if (!this.#isOver) this.#waiter.onData(chunk)
  }

  onEnd(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiter.onEnd()
  }

  /** @param bytes of the body; null without one */
  headFor(bytes: number | null): string {
    const { method } = this.hop
    const isSaid = bytes !== null || method === 'POST' || method === 'PUT' || method === 'PATCH'
    return isSaid ? `${this.head}content-length: ${bytes ?? 0}\r\n\r\n` : `${this.head}\r\n`
  }

  /** All that came in one piece was told, and the connection knows how it goes on. */
  read(): void {
    this.#waiter.onRead()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  failed(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#waiter.onError(error)
  }

  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.connection?.destroy(null)
  }
}

interface ConnectionKeeper {
  readonly onIdle: (one: Connection) => void
  readonly onGone: (one: Connection) => void
}

class Connection {
  /** Among all that are open. */
  place = -1
  readonly #socket: Socket
  readonly #write: (text: string, bytes: number) => void
  readonly #to: ConnectionKeeper
  #request: Request | null = null
  /** Until when, in monotonic milliseconds, another request may follow. */
  keptUntil = 0

  constructor(socket: Socket, to: ConnectionKeeper) {
    this.#socket = socket
    this.#write = bareWriter(socket)
    this.#to = to
    socket.setNoDelay(true)
    if (readBare(socket, (bytes, length) => this.#heard(pieceOf(bytes, length))) === null)
      socket.on('data', (chunk: Buffer) => this.#heard(chunk))
    socket.on('end', () => this.#ended())
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => {
      this.destroy(null)
      to.onGone(this)
    })
  }

  get isUsable(): boolean {
    return this.#socket.readyState === 'open'
  }

  carry(request: Request): void {
    this.#request = request
    request.connection = this
    this.#socket.ref()
    const { hop } = request
    const { body } = hop
    if (body === null || typeof body === 'string') {
      const text = body ?? ''
      const bytes = Buffer.byteLength(text, 'utf8')
      const head = request.headFor(body === null ? null : bytes)
      // One write carries both where both are of one encoding.
      if (isAscii(head)) this.#write(head + text, head.length + bytes)
      else {
        this.#socket.write(head, 'latin1')
        this.#socket.write(text, 'utf8')
      }
      request.isSent = true
    } else if ('pieces' in body) void this.#sendPieces(request, body.bytes, body.pieces())
    else void this.#sendPieces(request, body.byteLength, [body])
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** @param error null: nobody has to be told */
  destroy(error: Error | null): void {
    const request = this.#request
    this.#request = null
    this.#socket.destroy()
    request?.failed(error ?? new Broken('UND_ERR_SOCKET'))
  }

  async #sendPieces(request: Request, bytes: number, pieces: Iterable<Uint8Array>): Promise<void> {
    this.#socket.write(request.headFor(bytes), 'latin1')
    try {
      for (const piece of pieces) {
        if (this.#request !== request) return
        if (!this.#socket.write(piece)) await this.#drained()
      }
      request.isSent = true
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Broken('UND_ERR_SOCKET'))
    }
  }

  #drained(): Promise<void> {
    const socket = this.#socket
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done).off('close', done)
        resolve()
      }
      socket.on('drain', done).on('close', done)
    })
  }

  #heard(chunk: Buffer): void {
    const request = this.#request
    if (request === null) {
      this.destroy(null)
      return
    }
    try {
      request.reader.push(chunk)
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Broken('HPE_OTHER'))
      return
    }
    // Whoever heard it may have left.
    if (this.#request === request && request.reader.isOver) this.#free(request)
    request.read()
  }

  /** Its answer is whole: the connection is there for the next one, before anybody makes it. */
  #free(request: Request): void {
    this.#request = null
    request.connection = null
    const { isKept, keptMs } = request.reader.standing
    const forMs = keptMs === null ? KEPT_MS : Math.min(keptMs - MARGIN_MS, MAX_KEPT_MS)
    if (!isKept || forMs <= 0 || !request.isSent || !this.isUsable) {
      this.#socket.destroy()
      return
    }
    this.keptUntil = monotonicMs() + forMs
    this.#socket.resume()
    this.#socket.unref()
    this.#to.onIdle(this)
  }

  #ended(): void {
    const request = this.#request
    if (request?.reader.end() === true) this.#request = null
    this.destroy(null)
    request?.read()
  }
}

/** What is said of a URL with every request. */
interface Place {
  readonly origin: string
  readonly path: string
  readonly host: string
  readonly isSound: boolean
}

/** Many requests go to one address; reading a URL costs more than all else here. */
const places = new WeakMap<URL, { readonly href: string; readonly place: Place }>()

function placeOf(url: URL): Place {
  const { href } = url
  const known = places.get(url)
  if (known?.href === href) return known.place
  const path = url.pathname + url.search
  const place = { origin: url.origin, path, host: url.host, isSound: PATH.test(path) }
  places.set(url, { href, place })
  return place
}

/** By headers that nobody changes any more. */
const knownHeads = new WeakMap<
  Hop['headers'],
  { readonly place: Place; readonly method: string; readonly head: string }
>()

/** @returns the lines up to the one with the length; null for what is no head */
function headOf({ method, url, headers }: Hop): string | null {
  const place = placeOf(url)
  const known = knownHeads.get(headers)
  if (known?.place === place && known.method === method) return known.head
  const { path, host, isSound } = place
  if (!isSound || !METHOD.test(method)) return null
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (const name of Object.keys(headers)) {
    const value = headers[name] ?? ''
    if (!NAME.test(name) || !VALUE.test(value)) return null
    head += `${name}: ${value}\r\n`
  }
  if (Object.isFrozen(headers)) knownHeads.set(headers, { place, method, head })
  return head
}

function isAscii(text: string): boolean {
  return Buffer.byteLength(text, 'utf8') === text.length
}
