import { EventEmitter } from 'node:events'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type EpochMs, systemClock } from '../core/time.ts'
import type { DoorResponse } from '../gateway/index.ts'

type Fields = Readonly<Record<string, string | number>>

type Listener = Parameters<EventEmitter['once']>[1]

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e]*$/
const LAST_CHUNK = '0\r\n\r\n'
const LENGTH = 'content-length'
const CONNECTION = 'connection'
/** Fields that say the same in nearly every answer, and nothing of anybody. */
const COMMON: ReadonlySet<string> = new Set(['Content-Type', 'Cache-Control'])
const SECOND_MS = 1_000

let dateLine = ''
let datedAt = 0

/** By name, the line that was written last. */
const knownLines = new Map<string, { readonly value: string; readonly line: string }>()

/** @throws {TypeError} for what would end the field, or begin another */
function lineOf(name: string, value: string): string {
  const known = knownLines.get(name)
  if (known?.value === value) return known.line
  if (!NAME.test(name) || !VALUE.test(value))
    throw new TypeError(`the field ${name} cannot be written`)
  const line = `${name}: ${value}\r\n`
  if (COMMON.has(name)) knownLines.set(name, { value, line })
  return line
}

function isName(name: string, lower: string): boolean {
  return name.length === lower.length && name.toLowerCase() === lower
}

/** Answers of one second share it. */
function dateLineNow(now: EpochMs): string {
  const second = Math.floor(now / SECOND_MS)
  if (second !== datedAt) {
    datedAt = second
    dateLine = `Date: ${new Date(now).toUTCString()}\r\n`
  }
  return dateLine
}

/** What an answer needs of the connection that it goes over. */
export interface AnswerWay {
  readonly socket: Socket
  /** Writes to it, as `bareWriter` does. */
  readonly write: (text: string, bytes: number) => void
  /** How long the connection is kept for the next request, in seconds. */
  readonly keptSeconds: number
  /** The answer is whole; the connection may go on unless it is the last one. */
  ended(isLast: boolean): void
}

/**
 * The answer to one request that a door read by itself, as `ServerResponse` would give it: whole with its head in one
 * write, or in chunks as they come. `close` is told once, when nothing more can be said.
 */
export class DoorAnswer extends EventEmitter implements DoorResponse {
  readonly req: DoorResponse['req']
  readonly #way: AnswerWay
  #own = ''
  /** Said with the first piece. */
  #head: string | null = null
  #headersSent = false
  #isChunked = false
  #isLast = false
  #isEnded = false
  #isClosed = false
  /** Nearly the only listeners that answers have, and each has some. */
  #closeListeners: Listener[] = []

  constructor(way: AnswerWay, req: DoorResponse['req']) {
    super()
    this.#way = way
    this.req = req
  }

  get headersSent(): boolean {
    return this.#headersSent
  }

  get destroyed(): boolean {
    return this.#isClosed || this.#way.socket.destroyed
  }

  get writable(): boolean {
    return !this.#isEnded && !this.destroyed
  }

  get writableNeedDrain(): boolean {
    return !this.#isEnded && this.#way.socket.writableNeedDrain
  }

  get writableLength(): number {
    return this.#way.socket.writableLength
  }

  override once(event: string | symbol, listener: Listener): this {
    if (event !== 'close') return super.once(event, listener)
    this.#closeListeners.push(listener)
    return this
  }

  override off(event: string | symbol, listener: Listener): this {
    if (event !== 'close') return super.off(event, listener)
    this.#closeListeners = this.#closeListeners.filter((one) => one !== listener)
    return this
  }

  override removeListener(event: string | symbol, listener: Listener): this {
    return this.off(event, listener)
  }

  /** A field beside those of `writeHead`. */
  setHeader(name: string, value: string): this {
    this.#own += this.#line(name, value)
    return this
  }

  writeHead(status: number, fields: Fields = {}): this {
    if (this.#headersSent) throw new Error('the head of this answer was written')
    let isFramed = status === 204 || status === 304
    let lines = ''
    for (const name in fields) {
      const value = fields[name] ?? ''
      if (isName(name, LENGTH)) isFramed = true
      lines += this.#line(name, value)
    }
    this.#headersSent = true
    this.#isChunked = !isFramed
    const kept = this.#isLast
      ? 'Connection: close\r\n'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${this.#way.keptSeconds}\r\n`
    const framing = isFramed ? '' : 'Transfer-Encoding: chunked\r\n'
    this.#head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}${this.#own}${dateLineNow(systemClock())}${kept}${framing}\r\n`
    return this
  }

  /** @returns false when its reader should be waited for */
  write(piece: string | Uint8Array, done?: () => void): boolean {
    const bytes = typeof piece === 'string' ? Buffer.byteLength(piece, 'utf8') : piece.byteLength
    if (!this.writable || bytes === 0) {
      if (done !== undefined) queueMicrotask(done)
      return this.writable
    }
    if (!this.#headersSent) this.writeHead(200)
    const before = this.#taken() + (this.#isChunked ? `${bytes.toString(16)}\r\n` : '')
    const after = this.#isChunked ? '\r\n' : ''
    if (typeof piece === 'string')
      return this.#send(before + piece + after, bytes === piece.length, done)
    const { socket } = this.#way
    if (before !== '') socket.write(before, 'latin1')
    if (after === '') return socket.write(piece, done)
    socket.write(piece)
    return socket.write(after, 'latin1', done)
  }

  end(text = ''): this {
    if (this.#isEnded) return this
    if (this.destroyed) {
      this.#isEnded = true
      return this
    }
    if (!this.#headersSent) this.writeHead(200)
    if (text !== '' && this.#isChunked) this.write(text)
    const last = this.#isChunked ? LAST_CHUNK : text
    const whole = this.#taken() + last
    if (whole !== '') this.#send(whole, Buffer.byteLength(last, 'utf8') === last.length)
    this.#isEnded = true
    // What was not taken yet counts as open. Nothing is told behind all else, whether or not somebody had to wait.
    if (this.#way.socket.writableLength === 0) queueMicrotask(this.#over)
    else this.#way.socket.write('', this.#over)
    return this
  }

  destroy(): this {
    this.#way.socket.destroy()
    return this
  }

  /** The connection is gone. */
  gone(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#tellClosed()
  }

  #tellClosed(): void {
    for (const listener of this.#closeListeners) listener()
    this.#closeListeners = []
  }

  readonly #over = (): void => {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#tellClosed()
    this.#way.ended(this.#isLast)
  }

  #taken(): string {
    const head = this.#head ?? ''
    this.#head = null
    return head
  }

  /** @param isAscii whether all of it is: then it needs no encoding */
  #send(text: string, isAscii: boolean, done?: () => void): boolean {
    const { socket, write } = this.#way
    if (done !== undefined || !isAscii) return socket.write(text, isAscii ? 'latin1' : 'utf8', done)
    write(text, text.length)
    return !socket.writableNeedDrain
  }

  /** @throws {TypeError} as `lineOf` */
  #line(name: string, value: string | number): string {
    const line = lineOf(name, String(value))
    if (!isName(name, CONNECTION)) return line
    this.#isLast = value === 'close'
    return ''
  }
}
