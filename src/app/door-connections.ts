import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Crowd } from '../core/crowd.ts'
import { monotonicMs } from '../core/time.ts'
import type { WholeRequest } from '../gateway/index.ts'
import { bareWriter, pieceOf, readBare } from '../net/index.ts'
import { DoorAnswer } from './door-answer.ts'
import { type DoorHead, readDoorHead } from './door-head.ts'

export interface DoorConnectionsOptions {
  /** Between two requests, and before the first one. */
  readonly keptMs: number
  /** Answers a request that came whole. */
  readonly answer: (request: WholeRequest, response: DoorAnswer) => void
}

const CHECK_MS = 1_000
/** As long as node waits beyond what it says, so that a request that is on its way is not lost. */
const SLACK_MS = 1_000
/** For the rest of a body. Who needs longer is timed by node. */
const REST_MS = 1_000
/** What a client may send ahead while it waits for an answer. */
const MAX_AHEAD_BYTES = 131_072
/** Bodies that are waited for, on all connections together: who sends them was not asked yet who he is. */
const MAX_AWAITED_BYTES = 16_777_216
/** What is this small is waited for in any case. */
const SMALL_BYTES = 65_536
/** As node reads them here. */
const MAX_HEAD_BYTES = 16_384
const END_OF_HEAD = Buffer.from('\r\n\r\n')

/**
 * Reads the requests that nearly all of the traffic of a gateway is made of by itself: short messages to `/s/NAME/mcp`
 * in the one form in which everybody sends them. A connection on which anything else comes is given to node's reader
 * with all that came, and stays with it.
 */
export class DoorConnections {
  readonly options: DoorConnectionsOptions
  readonly #server: Server
  readonly #nodes: (this: Server, socket: Socket) => void
  readonly #open = new Crowd<DoorConnection>()
  readonly #bySocket = new WeakMap<Socket, DoorConnection>()
  #awaited = 0
  readonly #timer: NodeJS.Timeout

  /** @param event with which the server tells of its connections */
  constructor(
    server: Server,
    event: 'connection' | 'secureConnection',
    options: DoorConnectionsOptions,
  ) {
    this.options = options
    this.#server = server
    const [nodes] = server.listeners(event)
    this.#nodes = nodes as (this: Server, socket: Socket) => void
    server.removeListener(event, this.#nodes)
    server.prependListener(event, (socket: Socket) => {
      this.#bySocket.set(socket, new DoorConnection(socket, this))
    })
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref()
    server.once('close', () => clearInterval(this.#timer))
  }

  /** @returns false also for a connection that node reads */
  isUnderWay(socket: Socket): boolean {
    return this.#bySocket.get(socket)?.isUnderWay === true
  }

  /** Ends those on which nothing is under way. */
  closeIdle(): void {
    for (const one of this.#open.all()) if (!one.isUnderWay) one.destroy()
  }

  closeAll(): void {
    for (const one of this.#open.all()) one.destroy()
  }

  took(one: DoorConnection): void {
    this.#open.add(one)
  }

  left(one: DoorConnection): void {
    this.#open.delete(one)
  }

  /** @returns whether so many bytes may be waited for; then they are, until `came` */
  awaits(bytes: number): boolean {
    if (bytes > SMALL_BYTES && this.#awaited + bytes > MAX_AWAITED_BYTES) return false
    this.#awaited += bytes
    return true
  }

  /** They came, or are not waited for any more. */
  came(bytes: number): void {
    this.#awaited -= bytes
  }

  /** To node, with what came and is not answered. */
  give(socket: Socket, bytes: Buffer): void {
    if (bytes.length > 0) socket.unshift(bytes)
    this.#nodes.call(this.#server, socket)
  }

  /** A connection that says nothing is answered as node does. */
  silent(socket: Socket): void {
    const late = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
    this.#server.emit('clientError', late, socket)
  }

  #check(): void {
    const now = monotonicMs()
    for (const one of this.#open.all()) one.check(now)
  }
}

const NOTHING = Buffer.alloc(0)

class DoorConnection {
  /** Among all that are open. */
  place = -1
  readonly socket: Socket
  readonly write: (text: string, bytes: number) => void
  readonly keptSeconds: number
  readonly #all: DoorConnections
  #underWay: DoorAnswer | null = null
  /** What came and is not taken yet. */
  #held: Buffer[] = []
  #heldBytes = 0
  /** Bytes of the request whose body is not there yet; 0 without one. */
  #wanted = 0
  #isNew = true
  /** Since when nothing is under way, or the rest of a body is waited for. */
  #since = monotonicMs()
  /** The last head, as it came: clients say the same again and again. */
  #headBytes: Buffer = NOTHING
  #head: DoorHead | null = null
  /** Has the socket tell what comes by 'data' again; null where it does. */
  readonly #unread: (() => void) | null

  constructor(socket: Socket, all: DoorConnections) {
    this.socket = socket
    this.#all = all
    this.write = bareWriter(socket)
    this.keptSeconds = Math.floor(all.options.keptMs / 1_000)
    all.took(this)
    this.#unread = readBare(socket, (bytes, length) => this.#onData(pieceOf(bytes, length)))
    if (this.#unread === null) socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** A request whose head came, and perhaps no more of it. */
  get isUnderWay(): boolean {
    return this.#underWay !== null || this.#wanted > 0
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Time passed. */
  check(now: number): void {
    if (this.#underWay !== null) return
    const ms = now - this.#since
    if (this.#wanted > 0) {
      if (ms > REST_MS) this.#give(this.#taken())
    } else if (this.#isNew) {
      if (ms > this.#all.options.keptMs) this.#silent()
    } else if (ms > this.#all.options.keptMs + SLACK_MS) this.destroy()
  }

  /** The answer under way is whole. */
  ended(isLast: boolean): void {
    this.#underWay = null
    this.#since = monotonicMs()
    if (isLast) {
      this.socket.end()
      return
    }
    if (this.#heldBytes === 0) return
    this.socket.resume()
    this.#next(this.#taken())
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#underWay === null && this.#heldBytes === 0) {
      this.#next(chunk)
      return
    }
    this.#hold(chunk)
    if (this.#underWay !== null) {
      if (this.#heldBytes > MAX_AHEAD_BYTES) this.socket.pause()
    } else if (this.#heldBytes >= this.#wanted) this.#next(this.#taken())
  }

  readonly #onDrain = (): void => void this.#underWay?.emit('drain')
  /** As node does: who says that he is done waits for nothing. */
  readonly #onEnd = (): void => void this.socket.end()
  readonly #onError = (): void => this.destroy()
  readonly #onClose = (): void => {
    this.#all.left(this)
    this.#waitsNoMore()
    this.#underWay?.gone()
    this.#underWay = null
  }

  #hold(chunk: Buffer): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
  }

  #taken(): Buffer {
    const [first] = this.#held
    const bytes = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    this.#waitsNoMore()
    return bytes
  }

  #waitsNoMore(): void {
    this.#all.came(this.#wanted)
    this.#wanted = 0
  }

  /** What begins with a request. */
  #next(bytes: Buffer): void {
    const head = this.#headOf(bytes)
    if (head === null) {
      this.#give(bytes)
      return
    }
    const from = this.#headBytes.length
    const to = from + head.bodyBytes
    if (bytes.length < to) {
      if (!this.#all.awaits(to)) {
        this.#give(bytes)
        return
      }
      this.#hold(bytes)
      this.#wanted = to
      this.#since = monotonicMs()
      return
    }
    if (bytes.length > to) this.#hold(bytes.subarray(to))
    this.#isNew = false
    const { socket } = this
    const { target, headers } = head
    const body = bytes.subarray(from, to)
    const request: WholeRequest = { method: 'POST', url: target, headers, socket, body }
    const answer = new DoorAnswer(this, request)
    this.#underWay = answer
    this.#all.options.answer(request, answer)
  }

  #headOf(bytes: Buffer): DoorHead | null {
    const known = this.#headBytes
    const { length } = known
    if (length > 0 && bytes.length >= length && bytes.compare(known, 0, length, 0, length) === 0)
      return this.#head
    const end = bytes.indexOf(END_OF_HEAD)
    if (end === -1 || end > MAX_HEAD_BYTES) return null
    const head = readDoorHead(bytes.toString('latin1', 0, end))
    if (head === null) return null
    this.#head = head
    this.#headBytes = Buffer.from(bytes.subarray(0, end + END_OF_HEAD.length))
    return head
  }

  #silent(): void {
    this.#leave()
    this.#all.silent(this.socket)
  }

  #give(bytes: Buffer): void {
    this.#leave()
    this.#all.give(this.socket, bytes)
  }

  /** Nothing of the connection is heard here any more. */
  #leave(): void {
    const { socket } = this
    this.#all.left(this)
    this.#headBytes = NOTHING
    this.#head = null
    this.#unread?.()
    socket.off('data', this.#onData)
    socket.off('drain', this.#onDrain)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
  }
}
