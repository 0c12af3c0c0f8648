const NEWLINE = 0x0a
const RETURN = 0x0d
const COLON = 0x3a
const SPACE = 0x20

export interface SseEvent {
  /** `message` where the stream names none. */
  readonly type: string
  /** What stood behind `data:`, lines joined by a newline. */
  readonly data: Buffer
}

export interface SseReaderOptions {
  /** No more than this is ever held of an event, in bytes. */
  readonly maxBytes: number
  onEvent(event: SseEvent): void
  /** A longer event ended. Its bytes are gone. */
  onTooLong(): void
}

/** Ids are sent back as a header: longer ones are not kept. */
const MAX_ID_BYTES = 2048
const MAX_RETRY_MS = 3_600_000

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * Cuts a stream of server-sent events into events, whatever pieces it comes in (WHATWG HTML section 9.2.6). Lines end at
 * a newline, a carriage return, or both; an event that its blank line does not end is none.
 */
export class SseReader {
  readonly #options: SseReaderOptions
  /** Of the stream, as the last complete event left it; null before one named any. */
  lastEventId: string | null = null
  /** How long to wait before the stream is opened anew, in milliseconds, when the server said so. */
  retryMs: number | null = null
  #line: Buffer[] = []
  #data: Buffer[] = []
  #type = ''
  #id: string | null = null
  /** Of the event and the line under way. */
  #heldBytes = 0
  #isSkipping = false
  #endedAtReturn = false
  #isAtStart = true

  constructor(options: SseReaderOptions) {
    this.#options = options
  }

  push(chunk: Buffer): void {
    let start = 0
    if (this.#endedAtReturn && chunk.length > 0) {
      this.#endedAtReturn = false
      if (chunk[0] === NEWLINE) start = 1
    }
    let newline = chunk.indexOf(NEWLINE, start)
    let carriage = chunk.indexOf(RETURN, start)
    for (;;) {
      const isReturn = carriage !== -1 && (newline === -1 || carriage < newline)
      const end = isReturn ? carriage : newline
      if (end === -1) break
      this.#endLine(chunk.subarray(start, end))
      start = end + 1
      if (isReturn) {
        if (start === chunk.length) this.#endedAtReturn = true
        else if (chunk[start] === NEWLINE) start += 1
        carriage = chunk.indexOf(RETURN, start)
      }
      if (newline !== -1 && newline < start) newline = chunk.indexOf(NEWLINE, start)
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start))
  }

  #hold(part: Buffer): void {
    if (this.#isSkipping) {
      // Only whether the line is a blank one is still of interest.
      if (this.#line.length === 0) this.#line.push(part.subarray(0, 1))
      return
    }
    this.#heldBytes += part.length
    this.#line.push(part)
    if (this.#heldBytes > this.#options.maxBytes) this.#skip()
  }

  #skip(): void {
    this.#isSkipping = true
    this.#data = []
    this.#type = ''
    this.#line = this.#line.length === 0 ? [] : [Buffer.alloc(1)]
    this.#heldBytes = 0
  }

  #endLine(last: Buffer): void {
    let line = last
    if (this.#line.length > 0) {
      if (last.length > 0) this.#hold(last)
      line = this.#line.length === 1 ? (this.#line[0] ?? last) : Buffer.concat(this.#line)
      this.#line = []
    } else {
      this.#heldBytes += last.length
      if (!this.#isSkipping && this.#heldBytes > this.#options.maxBytes) this.#skip()
    }
    if (this.#isAtStart) {
      this.#isAtStart = false
      if (line.subarray(0, 3).equals(BYTE_ORDER_MARK)) line = line.subarray(3)
    }
    if (line.length === 0) this.#endEvent()
    else if (!this.#isSkipping) this.#field(line)
  }

  #field(line: Buffer): void {
    const colon = line.indexOf(COLON)
    if (colon === 0) {
      // A comment keeps the connection alive and is part of no event.
      this.#heldBytes -= line.length
      return
    }
    const name = line.toString('latin1', 0, colon === -1 ? line.length : Math.min(colon, 6))
    const from = colon === -1 ? line.length : colon + (line[colon + 1] === SPACE ? 2 : 1)
    const value = line.subarray(from)
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#type = value.toString('utf8')
    else if (name === 'id') {
      if (value.length <= MAX_ID_BYTES && !value.includes(0)) this.#id = value.toString('utf8')
    } else if (name === 'retry') {
      const text = value.toString('latin1')
      if (/^\d{1,15}$/.test(text)) this.retryMs = Math.min(Number(text), MAX_RETRY_MS)
    }
  }

  #endEvent(): void {
    const data = this.#data
    const type = this.#type
    const wasSkipping = this.#isSkipping
    this.#data = []
    this.#type = ''
    this.#heldBytes = 0
    this.#isSkipping = false
    if (wasSkipping) {
      this.#id = this.lastEventId
      this.#options.onTooLong()
      return
    }
    if (this.#id !== null) this.lastEventId = this.#id
    if (data.length === 0) return
    const [only] = data
    const joined =
      data.length === 1 && only !== undefined
        ? only
        : Buffer.concat(
            data.flatMap((line, index) => (index === 0 ? [line] : [Buffer.from('\n'), line])),
          )
    if (joined.length > 0)
      this.#options.onEvent({ type: type === '' ? 'message' : type, data: joined })
  }
}

/** One message as an event of a stream, ready to be sent. */
export function sseEvent(text: string, id: string | null = null): string {
  const lines = /[\r\n]/.test(text) ? text.split(/\r\n|\r|\n/) : [text]
  return `${id === null ? '' : `id: ${id}\n`}event: message\n${lines.map((line) => `data: ${line}\n`).join('')}\n`
}
