import type { Refused } from './envelope.ts'
import { LARGE_BYTES, type LargeLine, tooLarge } from './line-reader.ts'
import { withoutMark } from './members.ts'

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
  /** No longer event is given, in bytes. */
  readonly maxBytes: number
  /** Takes up the data of an event of more than 2 MiB, piece by piece; null: it is held as that of others is. */
  large?(): LargeLine | null
  onEvent(event: SseEvent): void
  /** An event ended that was too long, or could not be put aside. Its bytes are gone. */
  onTooLong(refused: Refused): void
}

/** Ids are sent back as a header: longer ones are not kept, nor those that cannot stand in one. */
const MAX_ID_BYTES = 2048
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]*$/
const MAX_RETRY_MS = 3_600_000

/** `data:` and a space behind it. */
const LONGEST_FIELD = 6
/** Of a line beside the data of a large event. */
const MAX_BESIDE_BYTES = 4_096

const DATA = Buffer.from('data:')

/**
 * Cuts a stream of server-sent events into events, whatever pieces it comes in (WHATWG HTML section 9.2.6). Lines end at
 * a newline, a carriage return, or both. An event that its blank line does not end is none, but for a whole message of
 * JSON at the end of the stream.
 */
export class SseReader {
  readonly #options: SseReaderOptions
  /** Of the stream, as the last complete event left it: a character for each byte. Null before one named any. */
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
  #large: LargeLine | null = null
  /** Of the line under way, while the data are taken up elsewhere. */
  #kindOfLine: 'unknown' | 'data' | 'other' = 'unknown'
  #besideLine = Buffer.alloc(0)
  #isFirstOfLarge = false

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
    if (this.#large !== null) {
      this.#holdLarge(part)
      return
    }
    this.#heldBytes += part.length
    this.#line.push(part)
    if (this.#heldBytes > LARGE_BYTES) this.#takeUp()
    if (this.#heldBytes > this.#options.maxBytes) this.#skip()
  }

  /** What is there of the event goes where the rest of it will. */
  #takeUp(): void {
    this.#large = this.#options.large?.() ?? null
    if (this.#large === null) return
    for (const [index, line] of this.#data.entries()) {
      if (index > 0) this.#large.push(Buffer.from('\n'))
      this.#large.push(line)
    }
    this.#kindOfLine = 'unknown'
    const isFirst = this.#data.length === 0
    this.#data = []
    const line = Buffer.concat(this.#line)
    this.#line = []
    this.#heldBytes = 0
    this.#isFirstOfLarge = isFirst
    this.#holdLarge(this.#withoutMark(line))
  }

  #holdLarge(part: Buffer): void {
    if (this.#kindOfLine === 'data') this.#large?.push(part)
    else {
      const line = Buffer.concat([this.#besideLine, part])
      const isData = line.toString('latin1', 0, 5) === 'data:'
      if (this.#kindOfLine === 'unknown' && isData && line.length >= LONGEST_FIELD)
        this.#beginData(line.subarray(line[5] === SPACE ? 6 : 5))
      else {
        if (line.length >= LONGEST_FIELD && !isData) this.#kindOfLine = 'other'
        this.#besideLine = line.subarray(0, MAX_BESIDE_BYTES)
      }
    }
  }

  #beginData(part: Buffer): void {
    if (!this.#isFirstOfLarge) this.#large?.push(Buffer.from('\n'))
    this.#isFirstOfLarge = false
    this.#kindOfLine = 'data'
    this.#besideLine = Buffer.alloc(0)
    this.#large?.push(part)
  }

  #endLineOfLarge(): void {
    const line = this.#besideLine
    const kind = this.#kindOfLine
    this.#besideLine = Buffer.alloc(0)
    this.#kindOfLine = 'unknown'
    if (kind === 'data') return
    if (line.length === 0) this.#endLarge()
    else if (/^data(?:: ?)?$/.test(line.toString('latin1'))) this.#beginData(Buffer.alloc(0))
    else this.#field(line)
    this.#kindOfLine = 'unknown'
  }

  /** @param isLast whether the stream broke off there, maybe in the middle of it */
  #endLarge(isLast = false): void {
    const data = this.#large?.end() ?? tooLarge(this.#options.maxBytes)
    const type = this.#type
    this.#large = null
    if (isLast && !Buffer.isBuffer(data)) return
    this.#type = ''
    this.#heldBytes = 0
    if (this.#id !== null) this.lastEventId = this.#id
    if (Buffer.isBuffer(data)) this.#options.onEvent({ type: type === '' ? 'message' : type, data })
    else this.#options.onTooLong(data)
  }

  /**
   * The stream is over. Servers that close it behind their last line have said all of it when that is a whole message;
   * what breaks off anywhere before is nothing.
   */
  end(): void {
    if (this.#large === null) this.#endLast()
    else if (this.#kindOfLine === 'data' || this.#besideLine.length === 0) this.#endLarge(true)
    this.drop()
  }

  /** What is not complete is nothing. */
  drop(): void {
    this.#large?.drop()
    this.#large = null
    this.#data = []
    this.#line = []
  }

  #endLast(): void {
    // As nearly every stream ends.
    if (this.#line.length === 0 && this.#data.length === 0) return
    const line = this.#withoutMark(Buffer.concat(this.#line))
    if (this.#isSkipping || (line.length > 0 && !line.subarray(0, 5).equals(DATA))) return
    if (line.length > 0) this.#field(line)
    if (isWhole(this.#data)) this.#endEvent()
  }

  #skip(): void {
    this.#isSkipping = true
    this.#data = []
    this.#type = ''
    this.#line = this.#line.length === 0 ? [] : [Buffer.alloc(1)]
    this.#heldBytes = 0
  }

  #endLine(last: Buffer): void {
    if (this.#large !== null) {
      if (last.length > 0) this.#holdLarge(last)
      this.#endLineOfLarge()
      return
    }
    let line = last
    if (this.#line.length > 0) {
      if (last.length > 0) this.#hold(last)
      if (this.#isTakenUp) {
        this.#endLineOfLarge()
        return
      }
      line = this.#line.length === 1 ? (this.#line[0] ?? last) : Buffer.concat(this.#line)
      this.#line = []
    } else {
      this.#heldBytes += last.length
      if (!this.#isSkipping && this.#heldBytes > LARGE_BYTES) this.#takeUp()
      if (this.#isTakenUp) {
        this.#holdLarge(last)
        this.#endLineOfLarge()
        return
      }
      if (!this.#isSkipping && this.#heldBytes > this.#options.maxBytes) this.#skip()
    }
    line = this.#withoutMark(line)
    if (line.length === 0) this.#endEvent()
    else if (!this.#isSkipping) this.#field(line)
  }

  get #isTakenUp(): boolean {
    return this.#large !== null
  }

  #withoutMark(line: Buffer): Buffer {
    if (!this.#isAtStart) return line
    this.#isAtStart = false
    return withoutMark(line)
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
      const id = value.length <= MAX_ID_BYTES ? value.toString('latin1') : null
      if (id !== null && SENDABLE.test(id)) this.#id = id
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
      this.#options.onTooLong(tooLarge(this.#options.maxBytes))
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

/** Whether nothing of an object or a list of JSON is missing: of a number or a word the end may be. */
function isWhole(lines: readonly Buffer[]): boolean {
  const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])).toString('utf8')
  try {
    return typeof JSON.parse(text) === 'object' && !text.startsWith('null')
  } catch {
    return false
  }
}

/** One message as an event of a stream, ready to be sent. */
export function sseEvent(text: string, id: string | null = null): string {
  const lines = /[\r\n]/.test(text) ? text.split(/\r\n|\r|\n/) : [text]
  return `${id === null ? '' : `id: ${id}\n`}event: message\n${lines.map((line) => `data: ${line}\n`).join('')}\n`
}
