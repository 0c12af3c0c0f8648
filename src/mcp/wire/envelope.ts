import { isUtf8 } from 'node:buffer'
import { foldedName } from '../../core/folded-name.ts'
import {
  elementsOf,
  kindOfNumber,
  type Member,
  membersIn,
  membersOf,
  parseExactly,
  type Span,
  type Survey,
  surveyed,
  textsIn,
} from './json-text.ts'

export const RPC_ERRORS = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
} as const

/** A message of JSON-RPC as it came. `text` is what is forwarded when nothing had to be changed. */
interface Envelope {
  readonly text: string
  /** It has members at its top that JSON-RPC does not know. */
  readonly hasExtras: boolean
}

export interface Request extends Envelope {
  readonly kind: 'request'
  /** As it was written, for the answer. */
  readonly idText: string
  /** Where that begins in `text`. */
  readonly idAt: number
  /** Equal for ids that are equal as JSON values. */
  readonly idKey: string
  readonly method: string
  readonly params: Part | null
}

export interface Notification extends Envelope {
  readonly kind: 'notification'
  readonly method: string
  readonly params: Part | null
}

export interface Response extends Envelope {
  readonly kind: 'response'
  readonly idText: string
  /** Where that begins in `text`; −1 for an error without an id. */
  readonly idAt: number
  /** Null for an error whose id is null or missing: only the way it came on may tell whose it is. */
  readonly idKey: string | null
  /** `result` or `error`. */
  readonly outcome: 'result' | 'error'
  readonly body: Part
  /** Of HTTP, with which an error came. */
  readonly status?: number
}

/** The value of one member of the envelope: parsed as by JSON.parse, where it stands, and what only its text shows. */
export interface Part extends Span {
  readonly value: unknown
  readonly survey: Survey
}

export type Message = Request | Notification | Response

/** Why a frame is not forwarded. */
export interface Refused {
  readonly kind: 'refused'
  readonly code: number
  /** Repeats nothing of the frame. */
  readonly message: string
  /** Of the request, as it was written, where it can be told; else `null`. */
  readonly idText: string
  /** It would have been an answer: whoever asked under its id gets no other. */
  readonly isAnswer?: boolean
  /** Ids of the answers in what would have been a batch, as they were written. */
  readonly answers?: readonly string[]
}

/** More than any id or progress token has: whoever waits for something keeps them. */
export const MAX_ID_LENGTH = 1_000

const FIXED: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])

/**
 * Reads one frame strictly: whatever another parser could read differently is refused. At the top level no name twice
 * and no two that fold to one, nothing that folds to a name of the envelope without being it.
 *
 * @param frame as text where that was read strictly already
 */
export function readFrame(frame: Buffer | string): Message | Refused {
  const read = readFrames(frame)
  return read.kind === 'batch' ? refusedBatch(read) : read
}

/** A batch where none is taken: whoever asked under the ids of its answers gets no other. */
export function refusedBatch({ messages }: Frames): Refused {
  const answers = messages
    .filter((one) => one.kind === 'response' || (one.kind === 'refused' && one.isAnswer === true))
    .map((one) => (one.kind === 'notification' ? 'null' : one.idText))
  return {
    ...refused(RPC_ERRORS.request, NO_BATCH),
    ...(answers.length > 0 && { isAnswer: true, answers }),
  }
}

/** As `readFrame`, where the revision may have batches. */
export function readFrames(frame: Buffer | string): Message | Frames | Refused {
  if (typeof frame !== 'string' && !isUtf8(frame))
    return refused(RPC_ERRORS.parse, 'The message is not UTF-8.')
  const text = typeof frame === 'string' ? frame : frame.toString('utf8')
  const isList = !text.startsWith('{') && /^\s*\[/.test(text)
  return isList ? readBatch(text) : readMessage(text)
}

/** A list of messages, each read by itself. */
export interface Frames {
  readonly kind: 'batch'
  readonly messages: readonly (Message | Refused)[]
}

/** More than any client sends at once. */
const MAX_BATCH = 1_000

function readBatch(text: string): Frames | Refused {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refused(RPC_ERRORS.parse, 'The message is not JSON.')
  }
  if (!Array.isArray(value) || value.length > MAX_BATCH)
    return refused(RPC_ERRORS.request, `A batch holds ${MAX_BATCH} messages at most.`)
  const messages = elementsOf(text).map(({ start, end }) => readMessage(text.slice(start, end)))
  return { kind: 'batch', messages }
}

export function readMessage(text: string): Message | Refused {
  const stray = text.indexOf('\r')
  // Some readers of lines end one at a carriage return: what follows would be a message of its own.
  const isBroken = stray !== -1 && stray < text.length - 1
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return isBroken
      ? refused(RPC_ERRORS.request, BROKEN)
      : refused(RPC_ERRORS.parse, 'The message is not JSON.')
  }
  if (Array.isArray(value)) return refused(RPC_ERRORS.request, NO_BATCH)
  if (typeof value !== 'object' || value === null)
    return refused(RPC_ERRORS.request, 'The message is not a JSON-RPC 2.0 message.')
  const members = membersOf(text)
  const problem = isBroken ? BROKEN : problemOfNames(members)
  if (problem === null) return messageOf(text, value as Readonly<Record<string, unknown>>, members)
  return { ...refused(RPC_ERRORS.request, problem), ...answering(text, value, members) }
}

const NO_BATCH = 'Batches are not served: send one message at a time.'
const BAD_ID = `'id' must be a text or a number that every reader keeps, of ${MAX_ID_LENGTH} characters at most.`
const BROKEN = 'The message holds a carriage return between its tokens.'

/** Whose answer the message would have been, where that can be read in one way only. */
function answering(
  text: string,
  value: object,
  members: readonly Member[],
): Pick<Refused, 'idText' | 'isAnswer'> | null {
  const names = members.map(({ key }) => foldedName(key))
  const id = members[names.indexOf('id')]
  if (id?.key !== 'id' || names.lastIndexOf('id') !== names.indexOf('id')) return null
  if (names.includes('method')) return null
  const idText = text.slice(id.start, id.end)
  return keyOfId('id' in value ? value.id : null, idText) === null
    ? null
    : { idText, isAnswer: true }
}

function problemOfNames(members: readonly Member[]): string | null {
  if (areFixedOnce(members)) return null
  const seen = new Set<string>()
  for (const { key } of members) {
    if (!key.isWellFormed()) return 'A name at the top level of the message holds half a character.'
    const folded = FIXED.has(key) ? key : foldedName(key)
    if (folded !== key && FIXED.has(folded))
      return `A name at the top level of the message could be read as '${folded}'.`
    if (seen.has(folded)) return 'A name at the top level of the message stands there twice.'
    seen.add(folded)
  }
  return null
}

/** Whether there are names of the envelope only and each of them once: then nothing can be read in two ways. */
function areFixedOnce(members: readonly Member[]): boolean {
  for (let at = 0; at < members.length; at += 1) {
    const { key } = members[at] as Member
    if (!FIXED.has(key)) return false
    for (let before = 0; before < at; before += 1) if (members[before]?.key === key) return false
  }
  return true
}

function messageOf(
  text: string,
  value: Readonly<Record<string, unknown>>,
  members: readonly Member[],
): Message | Refused {
  let id: Member | null = null
  let params: Part | null = null
  let result: Part | null = null
  let error: Part | null = null
  let hasMethod = false
  let hasExtras = false
  for (const member of members)
    switch (member.key) {
      case 'id':
        id = member
        break
      case 'method':
        hasMethod = true
        break
      case 'params':
        params = partOf(member, value['params'])
        break
      case 'result':
        result = partOf(member, value['result'])
        break
      case 'error':
        error = partOf(member, value['error'])
        break
      case 'jsonrpc':
        break
      default:
        hasExtras = true
    }
  const idText = id === null ? 'null' : text.slice(id.start, id.end)
  const idAt = id === null ? -1 : id.start
  const idKey = id === null ? null : keyOfId(value['id'], idText)
  const isAnswer = !hasMethod || result !== null || error !== null
  const bad = (problem: string): Refused => ({
    kind: 'refused',
    code: RPC_ERRORS.request,
    message: problem,
    idText: idKey === null ? 'null' : idText,
    ...(isAnswer && idKey !== null && { isAnswer }),
  })
  if (value['jsonrpc'] !== '2.0') return bad('\'jsonrpc\' must be "2.0".')
  if (hasMethod) {
    const method = value['method']
    if (typeof method !== 'string' || method === '' || !method.isWellFormed())
      return bad("'method' must be a text.")
    if (result !== null || error !== null) return bad('A request has neither result nor error.')
    if (params !== null && (typeof params.value !== 'object' || params.value === null))
      return bad("'params' must be an object.")
    if (id === null) return { kind: 'notification', text, hasExtras, method, params }
    if (idKey === null) return bad(BAD_ID)
    return { kind: 'request', text, hasExtras, idText, idAt, idKey, method, params }
  }
  if (params !== null) return bad("There is 'params' without 'method'.")
  if (result !== null && error === null && idKey !== null)
    return {
      kind: 'response',
      text,
      hasExtras,
      idText,
      idAt,
      idKey,
      outcome: 'result',
      body: result,
    }
  // Servers that refuse what they did not read leave its id out, or make it null.
  if (error !== null && result === null && (idKey !== null || id === null || value['id'] === null))
    return isError(error.value)
      ? { kind: 'response', text, hasExtras, idText, idAt, idKey, outcome: 'error', body: error }
      : bad("'error' must have a code and a message.")
  return bad('The message is neither a request nor an answer.')
}

function partOf({ start, end, survey }: Member, value: unknown): Part {
  return { start, end, value, survey }
}

function isError(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { code, message } = value as { readonly code?: unknown; readonly message?: unknown }
  return Number.isSafeInteger(code) && typeof message === 'string'
}

/** @returns null for what is no id: it is too long, or equal keys would not mean equal ids at the other end */
function keyOfId(value: unknown, text: string): string | null {
  // However a text is escaped, it has the same length. Numbers of that length are none that every reader keeps.
  if (typeof value === 'string')
    return value.length <= MAX_ID_LENGTH && value.isWellFormed() ? `s${value}` : null
  if (typeof value !== 'number' || kindOfNumber(text) !== 'exact') return null
  return `n${value}`
}

function refused(code: number, message: string): Refused {
  return { kind: 'refused', code, message, idText: 'null' }
}

/** Deeper values are not looked at by the inspection, so they do not pass. */
export const MAX_DEPTH = 256

/** The value of a part for whoever judges it. */
export interface JudgedPart {
  /** Numbers that a double changes are `bigint` or `ExactNumber`. */
  readonly value: unknown
  /** One name stands twice in an object: another reader may have taken the other value. */
  readonly hasTwins: boolean
  /** Null when it can be judged. */
  readonly problem: string | null
}

/** A member at the top of a message that JSON-RPC does not know. */
export interface Extra {
  readonly name: string
  /** As it is written. */
  readonly text: string
}

export function extrasOf({ text, hasExtras }: Envelope): readonly Extra[] {
  if (!hasExtras) return []
  return membersOf(text)
    .filter(({ key }) => !FIXED.has(key))
    .map(({ key, start, end }) => ({ name: key, text: text.slice(start, end) }))
}

/**
 * A value for whoever only looks for what stands in it: as JSON.parse reads it, or the list of all its texts and names
 * where that would not show all of them.
 */
export function searchable(text: string): unknown {
  const { depth, members } = surveyed(text)
  if (depth > MAX_DEPTH) return textsIn(text)
  const value: unknown = JSON.parse(text)
  return members === membersIn(value) ? value : textsIn(text)
}

/** Reads a part for judging. */
export function judgedPart({ text }: Pick<Envelope, 'text'>, part: Part): JudgedPart {
  const { value, survey } = part
  if (survey.depth > MAX_DEPTH)
    return { value, hasTwins: false, problem: `is nested deeper than ${MAX_DEPTH} levels` }
  const hasTwins = survey.members !== membersIn(value)
  if (survey.hasUnusableNumber)
    return { value, hasTwins, problem: 'holds a number that no reader can keep' }
  if (!survey.hasInexactNumber) return { value, hasTwins, problem: null }
  return { value: parseExactly(text.slice(part.start, part.end)), hasTwins, problem: null }
}

export type JudgedParams =
  | { readonly params: Readonly<Record<string, unknown>> }
  | { readonly refused: Refused }

/** Names of the members of `params` that decide what is called. */
const PARAMETERS: ReadonlySet<string> = new Set(
  'name arguments uri _meta ref argument context cursor task taskId notifications requestId inputResponses requestState'.split(
    ' ',
  ),
)
const FOLDED_PARAMETERS: ReadonlySet<string> = new Set([...PARAMETERS].map(foldedName))

/**
 * The parameters of an inspected message: an object in which no name stands twice, at any depth, no number is lost,
 * and no name of the object itself could be taken for another.
 *
 * @returns a refusal with −32602 otherwise
 */
export function judgedParams(message: Request | Notification): JudgedParams {
  const bad = (problem: string): JudgedParams => ({
    refused: {
      kind: 'refused',
      code: RPC_ERRORS.params,
      message: problem,
      idText: message.kind === 'request' ? message.idText : 'null',
    },
  })
  if (message.params === null) return { params: {} }
  if (Array.isArray(message.params.value)) return bad("'params' must be an object.")
  const { value, hasTwins, problem } = judgedPart(message, message.params)
  if (problem !== null) return bad(`'params' ${problem}.`)
  if (hasTwins) return bad("A name stands twice in an object of 'params'.")
  const params = value as Readonly<Record<string, unknown>>
  let seen: Set<string> | null = null
  for (const name of Object.keys(params)) {
    if (PARAMETERS.has(name)) continue
    seen ??= new Set()
    const folded = foldedName(name)
    if (seen.has(folded) || FOLDED_PARAMETERS.has(folded))
      return bad("A name of 'params' could be taken for another.")
    seen.add(folded)
  }
  return { params }
}
