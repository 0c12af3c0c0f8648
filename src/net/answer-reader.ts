/** What an answer of HTTP/1 is told to, as it comes. */
export interface AnswerEars {
  /** Names in lower case; several fields of one name as a list. */
  onHead(status: number, fields: AnswerFields): void
  onData(chunk: Buffer): void
  /** Its last byte was read. */
  onEnd(): void
}

export type AnswerFields = Readonly<Record<string, string | string[] | undefined>>

/** How a connection goes on once the answer is there. */
export interface Standing {
  /** Whether another request may follow on it. */
  readonly isKept: boolean
  /** How long the server keeps it, in milliseconds, when it says so. */
  readonly keptMs: number | null
}

/** What was read is no answer: `HPE_…`, or `ERR_HEADERS_OVERFLOW` for one whose head is too large. */
export class BadAnswer extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

const MAX_HEAD_BYTES = 16_384
/** Of a line with the size of a chunk. */
const MAX_SIZE_LINE_BYTES = 1_024
const END_OF_HEAD = Buffer.from('\r\n\r\n')
const BEGINNING = 'HTTP/1.'
const STATUS = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const LENGTH = /^\d{1,15}$/
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/
const KEPT = /(?:^|[,;\s])timeout\s*=\s*(\d{1,6})/i
const EMPTY = Buffer.alloc(0)

type Stage = 'head' | 'length' | 'size' | 'chunk' | 'behind-chunk' | 'trailers' | 'rest' | 'over'

/**
 * Reads one answer of HTTP/1.1 or 1.0 (RFC 9112), whatever pieces it comes in. Strict where readers differ: lines end
 * in CR LF, nothing is folded, a length stands once and not beside `Transfer-Encoding`, which is `chunked` or nothing.
 */
export class AnswerReader {
  readonly #ears: AnswerEars
  readonly #isHead: boolean
  #stage: Stage = 'head'
  /** What is not enough yet for the stage. */
  #held: Buffer = EMPTY
  /** Bytes of the body, or of the chunk, that are still to come. */
  #left = 0
  #trailerBytes = 0
  #standing: Standing = { isKept: false, keptMs: null }

  /** @param method of the request: the answer to HEAD has no body */
  constructor(method: string, ears: AnswerEars) {
    this.#isHead = method === 'HEAD'
    this.#ears = ears
  }

  get isOver(): boolean {
    return this.#stage === 'over'
  }

  get standing(): Standing {
    return this.#standing
  }

  /** @throws {BadAnswer} */
  push(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = EMPTY
    while (rest.length > 0) {
      const taken = this.#take(rest)
      if (taken === 0) {
        this.#held = rest
        return
      }
      rest = rest.subarray(taken)
    }
  }

  /** Nothing more comes. @returns whether the answer is whole */
  end(): boolean {
    if (this.#stage === 'rest') this.#finish()
    return this.#stage === 'over'
  }

  /** @returns how many bytes are done with; 0 when more are needed */
  #take(bytes: Buffer): number {
    switch (this.#stage) {
      case 'head':
        return this.#head(bytes)
      case 'length':
      case 'chunk':
        return this.#some(bytes)
      case 'rest':
        this.#ears.onData(bytes)
        return bytes.length
      case 'size':
        return this.#size(bytes)
      case 'behind-chunk':
        return this.#behindChunk(bytes)
      case 'trailers':
        return this.#trailer(bytes)
      case 'over':
        // Nobody asked for it: the connection says something of its own.
        this.#standing = { isKept: false, keptMs: null }
        return bytes.length
    }
  }

  #head(bytes: Buffer): number {
    const end = bytes.indexOf(END_OF_HEAD)
    if (end === -1 || end > MAX_HEAD_BYTES) {
      if (bytes.length > MAX_HEAD_BYTES) throw new BadAnswer('ERR_HEADERS_OVERFLOW')
      const text = bytes.toString('latin1')
      const isBegun = text.startsWith(BEGINNING) || BEGINNING.startsWith(text)
      if (!isBegun || /(?:^|[^\r])\n/.test(text)) throw new BadAnswer('HPE_INVALID_HEAD')
      return 0
    }
    const { status, fields, is11 } = headIn(bytes.toString('latin1', 0, end))
    // Nobody asked for another protocol.
    if (status === 101) throw new BadAnswer('HPE_UPGRADE')
    if (status >= 200) this.#begin(status, fields, is11)
    return end + END_OF_HEAD.length
  }

  #begin(status: number, fields: AnswerFields, is11: boolean): void {
    const { 'content-length': length, 'transfer-encoding': encoding } = fields
    const isChunked = encoding !== undefined
    if (isChunked && (length !== undefined || !is11 || !isWord(encoding, 'chunked')))
      throw new BadAnswer('HPE_INVALID_TRANSFER_ENCODING')
    if (length !== undefined && (typeof length !== 'string' || !LENGTH.test(length)))
      throw new BadAnswer('HPE_INVALID_CONTENT_LENGTH')
    const hasNone = this.#isHead || status === 204 || status === 304
    const isFramed = hasNone || isChunked || length !== undefined
    this.#standing = {
      isKept: is11 && isFramed && !hasToken(fields['connection'], 'close'),
      keptMs: keptMsIn(fields['keep-alive']),
    }
    this.#ears.onHead(status, fields)
    this.#left = Number(length ?? 0)
    if (hasNone || (length !== undefined && this.#left === 0)) this.#finish()
    else if (isChunked) this.#stage = 'size'
    else this.#stage = length === undefined ? 'rest' : 'length'
  }

  #some(bytes: Buffer): number {
    const taken = Math.min(this.#left, bytes.length)
    this.#left -= taken
    this.#ears.onData(taken === bytes.length ? bytes : bytes.subarray(0, taken))
    if (this.#left === 0) {
      if (this.#stage === 'chunk') this.#stage = 'behind-chunk'
      else this.#finish()
    }
    return taken
  }

  #size(bytes: Buffer): number {
    const line = lineOf(bytes, MAX_SIZE_LINE_BYTES)
    if (line === null) return 0
    const [, size] = CHUNK_SIZE.exec(line) ?? []
    if (size === undefined) throw new BadAnswer('HPE_INVALID_CHUNK_SIZE')
    this.#left = Number.parseInt(size, 16)
    this.#stage = this.#left === 0 ? 'trailers' : 'chunk'
    return line.length + 2
  }

  #behindChunk(bytes: Buffer): number {
    const line = lineOf(bytes, 0)
    if (line === null) return 0
    this.#stage = 'size'
    return 2
  }

  /** They say nothing that is looked at. */
  #trailer(bytes: Buffer): number {
    const line = lineOf(bytes, MAX_HEAD_BYTES)
    if (line === null) return 0
    this.#trailerBytes += line.length
    if (this.#trailerBytes > MAX_HEAD_BYTES) throw new BadAnswer('ERR_HEADERS_OVERFLOW')
    if (line === '') this.#finish()
    else fieldsOf([line])
    return line.length + 2
  }

  #finish(): void {
    this.#stage = 'over'
    this.#ears.onEnd()
  }
}

interface Head {
  readonly status: number
  readonly fields: AnswerFields
  readonly is11: boolean
}

/** Servers that are asked again and again say the same, but for the second. */
let lastHead: { readonly text: string; readonly head: Head } | null = null

/** @throws {BadAnswer} */
function headIn(text: string): Head {
  if (lastHead?.text === text) return lastHead.head
  const [line = '', ...lines] = text.split('\r\n')
  const [, minor, code] = STATUS.exec(line) ?? []
  if (code === undefined) throw new BadAnswer('HPE_INVALID_HEAD')
  const head = { status: Number(code), fields: fieldsOf(lines), is11: minor === '1' }
  lastHead = { text, head }
  return head
}

/** @returns null when it is not whole yet. @throws {BadAnswer} for one that is longer, or ends otherwise */
function lineOf(bytes: Buffer, maxBytes: number): string | null {
  const end = bytes.indexOf('\n')
  const length = end === -1 ? bytes.length : end - 1
  // Without its end, the last byte may be the CR of it.
  if (length > maxBytes + (end === -1 ? 1 : 0)) throw new BadAnswer('HPE_LINE_TOO_LONG')
  if (end === -1) return null
  if (bytes[end - 1] !== 0x0d) throw new BadAnswer('HPE_CR_EXPECTED')
  return bytes.toString('latin1', 0, end - 1)
}

function fieldsOf(lines: readonly string[]): AnswerFields {
  const fields: Record<string, string | string[]> = Object.create(null) as object as Record<
    string,
    string | string[]
  >
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).toLowerCase()
    const written = line.slice(colon + 1)
    if (!NAME.test(name) || !VALUE.test(written)) throw new BadAnswer('HPE_INVALID_HEAD')
    const value = written.trim()
    const before = fields[name]
    fields[name] = before === undefined ? value : [before, value].flat()
  }
  return fields
}

function isWord(value: string | string[], word: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === word
}

function hasToken(value: string | string[] | undefined, token: string): boolean {
  if (value === undefined) return false
  const text = Array.isArray(value) ? value.join(',') : value
  return text.split(',').some((one) => one.trim().toLowerCase() === token)
}

function keptMsIn(value: string | string[] | undefined): number | null {
  const [, seconds] = typeof value === 'string' ? (KEPT.exec(value) ?? []) : []
  return seconds === undefined ? null : Number(seconds) * 1_000
}
