import { isUtf8 } from 'node:buffer'
import { newHeldReference } from '../../core/held-values.ts'
import { type Refused, RPC_ERRORS, readMessage } from './envelope.ts'
import { kindOfNumber } from './json-text.ts'

/** A value of a message that stands in its outline as a reference. Bytes of the message, the quotes of a text included. */
export interface HeldSpan {
  readonly reference: string
  readonly start: number
  readonly end: number
  readonly kind: 'text' | 'structure'
}

export interface OutlineOptions {
  /** A line break between tokens becomes a space, in the bytes that were pushed: the message is to go on as one line. */
  readonly isOneLine: boolean
}

/** The message with references in place of its large values: it is read and judged as any other. */
export interface Outlined {
  readonly text: string
  readonly spans: readonly HeldSpan[]
}

/** A longer text is held, in bytes as it is written. */
export const HELD_TEXT_BYTES = 65_536
/** Beyond this much, what is made of many small values is held as a whole. */
const SOFT_BYTES = 524_288
/** What cannot be held may take so much. */
const HARD_BYTES = 8_388_608
const MAX_NAME_BYTES = 65_536
const MAX_TOKEN_BYTES = 4_096
const MAX_ID_BYTES = 4_096
/** Open at once. Deeper ones than 256 are refused, and read on for their id; this bounds what is kept meanwhile. */
const MAX_LEVELS = 1_000_000
const MAX_DEPTH = 256
/** Names in open objects whose twins are looked for. */
const MAX_NAMES = 200_000
/** Digits that a double always keeps. */
const KEPT_DIGITS = 15

/** Members of `params`, `result` and `error` that the gateway itself reads: they stay in the outline. */
const READ: ReadonlySet<string> = new Set(
  (
    'name uri _meta ref cursor nextCursor task tasks requestState requestId progressToken protocolVersion clientInfo ' +
    'serverInfo capabilities level notifications method resultType tools resources resourceTemplates prompts ' +
    'inputRequests isError ttlMs cacheScope code message'
  ).split(' '),
)
/** Members of `params` that are read name by name. */
const READ_BY_NAME: ReadonlySet<string> = new Set(['arguments', 'inputResponses'])
const PARTS: ReadonlySet<string> = new Set(['params', 'result', 'error'])
const ENVELOPE: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method'])

/** So many bytes are copied faster one by one. */
const FEW = 24

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const RETURN = 0x0d

/** By byte: what it is between tokens. */
const SPACE = 1
const WORD = 2
const classes = new Uint8Array(256)
for (const space of ' \t\n\r') classes[space.charCodeAt(0)] = SPACE
for (let byte = 0; byte < 128; byte += 1)
  if (/[-+.0-9A-Za-z]/.test(String.fromCharCode(byte))) classes[byte] = WORD

const TOKEN = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/

/** What may come next. */
type Next = 'value' | 'value or ]' | 'name or }' | 'name' | 'colon' | 'comma' | 'nothing'

interface Level {
  readonly isObject: boolean
  /** Of its first byte, in the outline and in the message. */
  readonly outlineAt: number
  readonly at: number
  /** Whether it may be held as a whole. */
  readonly mayBeHeld: boolean
  /** Names so far, where twins are looked for. */
  readonly names: Set<string> | null
}

/** Of a message that is refused already. */
const REFUSED_LIST: Level = {
  isObject: false,
  outlineAt: 0,
  at: 0,
  mayBeHeld: false,
  names: null,
}
const REFUSED_OBJECT: Level = { ...REFUSED_LIST, isObject: true }

/**
 * Reads one message piece by piece without keeping it, as strictly as it would be read in one, and writes down its
 * outline. What would be refused of a value that is held is refused here.
 */
export class Outline {
  readonly #isOneLine: boolean
  #outline = Buffer.allocUnsafe(65_536)
  #length = 0
  #spans: (HeldSpan & { readonly outlineAt: number })[] = []
  /** Bytes of the message before the piece under way. */
  #before = 0
  readonly #levels: Level[] = []
  #next: Next = 'value'
  /** Index into `#levels` of what is held as a whole; −1: everything goes into the outline. */
  #heldLevel = -1
  #names = 0
  /** Name of the member at the top level and at the second, where reading stands. */
  #top = ''
  #second = ''
  #isInText = false
  #isName = false
  /** Units of an escape that are still to come: 5 is the letter, 4 to 1 hex digits. */
  #escape = 0
  #textAt = 0
  #textOutlineAt = 0
  #hasEscapes = false
  #isHeldText = false
  /** A word that is not complete, as it is written. */
  #token = ''
  #name: Buffer[] = []
  #nameBytes = 0
  #tail = Buffer.alloc(0)
  #refused: Refused | null = null
  #isBroken = false
  #idText: string | null = null
  #ids = 0
  #isAnswer = false

  constructor({ isOneLine }: OutlineOptions) {
    this.#isOneLine = isOneLine
  }

  /** Whether it is refused already: what comes is read for its id alone. */
  get isRefused(): boolean {
    return this.#refused !== null
  }

  /** Of the request, as it was written, as far as it can be told; else `null`. */
  get idText(): string {
    const idText = this.#idText
    if (this.#isBroken || this.#ids !== 1 || idText === null) return 'null'
    const { kind } = readMessage(`{"jsonrpc":"2.0","id":${idText},"method":"ping"}`)
    return kind === 'request' ? idText : 'null'
  }

  /** It will be refused, whatever comes. The first reason counts. */
  refuse(code: number, message: string): void {
    this.#refused ??= { kind: 'refused', code, message, idText: 'null' }
    this.#outline = Buffer.allocUnsafe(MAX_ID_BYTES)
    this.#length = 0
    this.#spans = []
    for (const level of this.#levels) level.names?.clear()
  }

  /** @param bytes the next of the message; they may be changed, see `isOneLine` */
  push(bytes: Buffer): void {
    if (this.#isBroken) return
    if (!this.#isUtf8(bytes)) {
      this.#break('The message is not UTF-8.')
      return
    }
    let at = 0
    while (at < bytes.length && !this.#isBroken)
      at = this.#isInText ? this.#inText(bytes, at) : this.#between(bytes, at)
    this.#before += bytes.length
  }

  /** @returns the outline, or why the message is refused */
  finish(): Outlined | Refused {
    if (this.#tail.length > 0) this.#break('The message is not UTF-8.')
    this.#endToken()
    if (this.#next !== 'nothing') this.#break('The message is not JSON.')
    if (this.#refused !== null)
      return { ...this.#refused, idText: this.idText, isAnswer: this.#isAnswer }
    const text = this.#outline.toString('utf8', 0, this.#length)
    return { text, spans: this.#spans }
  }

  #break(message: string): void {
    if (this.#isBroken) return
    this.refuse(RPC_ERRORS.parse, message)
    this.#isBroken = true
  }

  #isUtf8(bytes: Buffer): boolean {
    const whole = this.#tail.length === 0 ? bytes : Buffer.concat([this.#tail, bytes])
    const end = whole.length - openBytes(whole)
    this.#tail = Buffer.from(whole.subarray(end))
    return isUtf8(whole.subarray(0, end))
  }

  #put(bytes: Buffer, from: number, to: number): void {
    if (this.#heldLevel !== -1) return
    if (this.#refused !== null && !this.#isId) return
    const length = this.#length + to - from
    if (length > this.#outline.length) {
      if (length > (this.#refused === null ? HARD_BYTES : MAX_ID_BYTES)) {
        this.refuse(
          RPC_ERRORS.request,
          `The message has more than ${HARD_BYTES} bytes beside its large values.`,
        )
        return
      }
      const grown = Buffer.allocUnsafe(Math.min(HARD_BYTES, length * 2))
      this.#outline.copy(grown, 0, 0, this.#length)
      this.#outline = grown
    }
    if (to - from > FEW) bytes.copy(this.#outline, this.#length, from, to)
    else
      for (let at = from; at < to; at += 1)
        this.#outline[this.#length + at - from] = bytes[at] as number
    this.#length = length
    if (length > SOFT_BYTES) this.#holdOutermost()
  }

  get #isId(): boolean {
    return this.#levels.length === 1 && this.#top === 'id'
  }

  /** Too much is made of small values: the outermost of what is open goes to what is held. */
  #holdOutermost(): void {
    const index = this.#levels.findIndex(({ mayBeHeld }) => mayBeHeld)
    const level = this.#levels[index]
    if (level === undefined || this.#heldLevel !== -1) return
    this.#heldLevel = index
    this.#isHeldText = false
    this.#length = level.outlineAt
    while ((this.#spans.at(-1)?.outlineAt ?? -1) >= level.outlineAt) this.#spans.pop()
  }

  #between(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length) {
      const byte = bytes[at] as number
      const what = classes[byte]
      if (what === WORD) {
        at = this.#word(bytes, at)
        continue
      }
      if (this.#token !== '') this.#endToken()
      if (this.#isBroken) return bytes.length
      if (what === SPACE) {
        if (byte === RETURN || byte === 0x0a) this.#lineBreak(bytes, at)
        this.#put(bytes, at, at + 1)
      } else if (byte === QUOTE) {
        this.#beginText(bytes, at)
        return at + 1
      } else this.#mark(byte, bytes, at)
      if (this.#isBroken) return bytes.length
      at += 1
    }
    return at
  }

  #lineBreak(bytes: Buffer, at: number): void {
    if (this.#isOneLine) bytes[at] = 0x20
    else if (this.#levels.length > 0)
      // Some readers of lines end one at a carriage return: what follows would be a message of its own.
      this.refuse(RPC_ERRORS.request, 'The message holds a carriage return between its tokens.')
  }

  #mark(byte: number, bytes: Buffer, at: number): void {
    switch (byte) {
      case 0x7b:
      case 0x5b:
        this.#open(byte === 0x7b, bytes, at)
        return
      case 0x7d:
      case 0x5d:
        this.#close(byte === 0x7d, bytes, at)
        return
      case COLON:
        if (this.#next !== 'colon') break
        this.#next = 'value'
        this.#put(bytes, at, at + 1)
        return
      case COMMA:
        if (this.#next !== 'comma') break
        this.#next = this.#levels.at(-1)?.isObject === true ? 'name' : 'value'
        this.#put(bytes, at, at + 1)
        return
      default:
    }
    this.#break('The message is not JSON.')
  }

  #open(isObject: boolean, bytes: Buffer, at: number): void {
    const depth = this.#levels.length
    if (!this.#takesValue()) {
      this.#break('The message is not JSON.')
      return
    }
    if (depth === 0 && !isObject)
      this.refuse(RPC_ERRORS.request, 'A batch must be smaller: send one message at a time.')
    if (depth >= MAX_LEVELS) {
      this.#isBroken = true
      return
    }
    if (depth > MAX_DEPTH && this.#refused === null) this.#refuseDepth()
    this.#levels.push(
      this.#refused === null
        ? {
            isObject,
            outlineAt: this.#length,
            at: this.#before + at,
            mayBeHeld: this.#mayHold(depth),
            names: isObject && depth >= 2 && this.#top === 'params' ? new Set() : null,
          }
        : isObject
          ? REFUSED_OBJECT
          : REFUSED_LIST,
    )
    this.#next = isObject ? 'name or }' : 'value or ]'
    this.#put(bytes, at, at + 1)
  }

  #refuseDepth(): void {
    const code = this.#top === 'params' ? RPC_ERRORS.params : RPC_ERRORS.request
    this.refuse(code, `The message is nested deeper than ${MAX_DEPTH} levels.`)
  }

  /** Whether the value that begins may be held. @param depth how many levels are open around it */
  #mayHold(depth: number, isText = false): boolean {
    if (depth === 0 || ENVELOPE.has(this.#top)) return false
    if (!PARTS.has(this.#top)) return true
    if (depth === 1) return isText && this.#top === 'result'
    if (READ.has(this.#second)) return false
    return depth > 2 || !(this.#top === 'params' && READ_BY_NAME.has(this.#second))
  }

  #close(isObject: boolean, bytes: Buffer, at: number): void {
    const level = this.#levels.at(-1)
    const mayEnd = this.#next === 'comma' || this.#next === (isObject ? 'name or }' : 'value or ]')
    if (level === undefined || level.isObject !== isObject || !mayEnd) {
      this.#break('The message is not JSON.')
      return
    }
    this.#put(bytes, at, at + 1)
    this.#names -= level.names?.size ?? 0
    this.#levels.pop()
    if (this.#heldLevel === this.#levels.length) {
      this.#heldLevel = -1
      this.#refer('structure', level.at, this.#before + at + 1)
    }
    this.#valueEnded()
  }

  /** Puts a reference where the value would stand. */
  #refer(kind: HeldSpan['kind'], start: number, end: number): void {
    if (this.#refused !== null) return
    const reference = newHeldReference()
    this.#spans.push({ reference, start, end, kind, outlineAt: this.#length })
    const written = Buffer.from(`"${reference}"`, 'latin1')
    this.#put(written, 0, written.length)
  }

  #takesValue(): boolean {
    return this.#next === 'value' || this.#next === 'value or ]'
  }

  #valueEnded(): void {
    this.#next = this.#levels.length === 0 ? 'nothing' : 'comma'
  }

  #word(bytes: Buffer, from: number): number {
    let to = from + 1
    while (to < bytes.length && classes[bytes[to] as number] === WORD) to += 1
    if (this.#token === '') {
      if (!this.#takesValue()) {
        this.#break('The message is not JSON.')
        return bytes.length
      }
    }
    if (this.#token.length + to - from > MAX_TOKEN_BYTES) {
      this.#break('The message holds a number that no reader can keep.')
      return bytes.length
    }
    this.#token += bytes.toString('latin1', from, to)
    this.#put(bytes, from, to)
    if (to < bytes.length) this.#endToken()
    return to
  }

  #endToken(): void {
    const token = this.#token
    if (token === '') return
    this.#token = ''
    if (!TOKEN.test(token)) {
      this.#break('The message is not JSON.')
      return
    }
    if (this.#isId) this.#identified(token)
    const isNumber = /^[-\d]/.test(token)
    const isLong = isNumber && (token.length > KEPT_DIGITS || /[eE]/.test(token))
    const mayBeHeld = this.#levels.at(-1)?.mayBeHeld === true
    if (mayBeHeld && isLong && kindOfNumber(token) === 'unusable') {
      const code = this.#top === 'params' ? RPC_ERRORS.params : RPC_ERRORS.request
      this.refuse(code, 'The message holds a number that no reader can keep.')
    }
    this.#valueEnded()
  }

  #identified(idText: string): void {
    this.#ids += 1
    this.#idText = idText.length <= MAX_ID_BYTES ? idText : null
  }

  #beginText(bytes: Buffer, at: number): void {
    this.#isName = this.#next === 'name' || this.#next === 'name or }'
    if (!this.#isName && !this.#takesValue()) {
      this.#break('The message is not JSON.')
      return
    }
    this.#isInText = true
    this.#hasEscapes = false
    this.#isHeldText = false
    this.#textAt = this.#before + at
    if (this.#refused !== null && this.#isId) this.#length = 0
    this.#textOutlineAt = this.#length
    this.#name = []
    this.#nameBytes = 0
    this.#put(bytes, at, at + 1)
  }

  /** Reads on in a text, to its end or that of the piece. */
  #inText(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length) {
      if (this.#escape > 0) {
        if (!this.#escaped(bytes[at] as number)) {
          this.#break('The message is not JSON.')
          return bytes.length
        }
        at += 1
        continue
      }
      let byte = 0
      while (at < bytes.length) {
        byte = bytes[at] as number
        if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break
        at += 1
      }
      if (at === bytes.length) break
      if (byte === QUOTE) {
        this.#take(bytes, from, at + 1)
        this.#endText(at)
        return at + 1
      }
      if (byte !== BACKSLASH) {
        this.#break('The message is not JSON.')
        return bytes.length
      }
      this.#hasEscapes = true
      this.#escape = 5
      at += 1
    }
    this.#take(bytes, from, at)
    return at
  }

  /** @returns false for what is no escape */
  #escaped(byte: number): boolean {
    if (this.#escape === 5) {
      this.#escape = byte === 0x75 ? 4 : 0
      return byte === 0x75 || ESCAPED.has(byte)
    }
    this.#escape -= 1
    return isHex(byte)
  }

  /** Bytes of the text under way, the quote at its end included. */
  #take(bytes: Buffer, from: number, to: number): void {
    if (this.#isName) {
      this.#nameBytes += to - from
      if (this.#nameBytes > MAX_NAME_BYTES) this.#break('A name in the message is too long.')
      else if (this.#isNameAsked) this.#name.push(bytes.subarray(from, to))
      this.#put(bytes, from, to)
      return
    }
    if (this.#isHeldText) return
    const size = this.#before + to - this.#textAt
    if (
      size > HELD_TEXT_BYTES &&
      this.#heldLevel === -1 &&
      this.#mayHold(this.#levels.length, true)
    ) {
      this.#isHeldText = true
      if (this.#refused === null) this.#length = this.#textOutlineAt
      return
    }
    this.#put(bytes, from, to)
  }

  #endText(at: number): void {
    this.#isInText = false
    if (this.#isName) {
      this.#named()
      this.#next = 'colon'
      return
    }
    if (this.#isId)
      this.#identified(this.#outline.toString('utf8', this.#textOutlineAt, this.#length))
    if (this.#isHeldText) this.#refer('text', this.#textAt, this.#before + at + 1)
    this.#isHeldText = false
    this.#valueEnded()
  }

  get #isNameAsked(): boolean {
    const depth = this.#levels.length
    if (this.#refused !== null) return depth === 1
    return depth <= 2 || this.#levels[depth - 1]?.names !== null
  }

  /** A name was read: which, as far as anybody asks. */
  #named(): void {
    if (!this.#isNameAsked) return
    const depth = this.#levels.length
    const names = this.#levels[depth - 1]?.names ?? null
    const written = this.#name.length === 1 ? (this.#name[0] as Buffer) : Buffer.concat(this.#name)
    const text = written.toString('utf8', 0, written.length - 1)
    const name = this.#hasEscapes ? (JSON.parse(`"${text}"`) as string) : text
    if (depth === 1) {
      this.#top = name
      this.#second = ''
      this.#isAnswer ||= name === 'result' || name === 'error'
      if (this.#refused !== null) this.#length = 0
    } else if (depth === 2) this.#second = name
    if (names === null || this.#refused !== null) return
    if (names.has(name)) {
      this.refuse(RPC_ERRORS.params, "A name stands twice in an object of 'params'.")
      return
    }
    names.add(name)
    this.#names += 1
    if (this.#names > MAX_NAMES)
      this.refuse(RPC_ERRORS.params, `An object of 'params' has more than ${MAX_NAMES} names.`)
  }
}

const ESCAPED: ReadonlySet<number> = new Set([...'"\\/bfnrt'].map((one) => one.charCodeAt(0)))

function isHex(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66)
}

/** Bytes at the end that begin a character of UTF-8 without ending it. */
function openBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] as number
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const size = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return size > back ? back : 0
  }
  return 0
}
