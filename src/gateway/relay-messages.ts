import type { CallOutcome } from '../audit/index.ts'
import { asFault, FAULTS } from '../core/faults.ts'
import type { Principal } from '../core/principals.ts'
import { toldTo } from '../core/told.ts'
import {
  errorAnswer,
  type JudgedParams,
  judgedParams,
  MAX_ID_LENGTH,
  type Message,
  type Notification,
  type Part,
  type Refused,
  type Request,
  type Response,
  RPC_ERRORS,
  readMessage,
  withPart,
} from '../mcp/wire/index.ts'
import type { Denial } from './denial.ts'
import type { CallAllowed, Judgeable } from './judging.ts'
import type { Digests } from './rounds.ts'
import { isObject, readToolCall, type ToolCall } from './tool-call.ts'

/** A request of the client that is not answered yet. */
export interface Asked {
  readonly idText: string
  readonly method: string
  /** What rules of inspection know it by: the name of the tool, else the method. */
  readonly name: string
  /** Resolves when it is decided whether the message is written to the server; null when it is. */
  judged: Promise<void> | null
  isWritten: boolean
  isCancelled: boolean
  /** What was said of it, when anything was. */
  allowed: CallAllowed | null
  /** Where they could not be taken any more when its server asks something. */
  digests: Digests | null
  /** As it goes to the server. */
  readonly request: Request
}

export function newlyAsked(request: Request, name: string): Asked {
  const { idText, method } = request
  return {
    request,
    idText,
    method,
    name,
    judged: null,
    isWritten: false,
    isCancelled: false,
    allowed: null,
    digests: null,
  }
}

/** To whom an answer goes, and how it is judged. */
export interface Answered {
  readonly idText: string
  readonly name: string
  readonly isList: boolean
  readonly isCall?: boolean
  readonly asked: Asked
  readonly judge?: CallAllowed['judgeResult']
}

export function judgeableMethod(
  message: Request | Notification,
  params: Readonly<Record<string, unknown>>,
  isFromServer: boolean,
): Judgeable {
  return { message, name: message.method, isMethod: true, isFromServer, params, args: params }
}

/** Reasons of our own have codes of our own, outside of those that JSON-RPC keeps for itself. */
const DENIED_CODE = FAULTS.ACCESS_DENIED.http
const NOT_THERE: ReadonlySet<string> = new Set(['/default', '(no policy)'])

/** What no rule names is not there; what a rule denies is denied. */
export function methodDenial(
  { idText }: Pick<Request, 'idText'>,
  { rule, kind, text }: Denial,
): string {
  if (kind === 'unknown-tool') return errorAnswer(idText, RPC_ERRORS.method, 'Method not found')
  if (rule === 'INSPECTION_REFUSED') return errorAnswer(idText, RPC_ERRORS.params, text)
  const isThere = !NOT_THERE.has(rule.slice(rule.indexOf('#') + 1))
  return errorAnswer(idText, isThere ? DENIED_CODE : RPC_ERRORS.method, text)
}

/** The message as it came when nothing was changed. */
export function textOf(
  message: Message,
  part: Part | null,
  before: unknown,
  after: unknown,
): string {
  return before === after || part === null ? message.text : withPart(message, part, after)
}

/** By which the server tells of progress; undefined when the client wants none. */
export function progressTokenOf({ params }: Request): unknown {
  const meta = isObject(params?.value) ? params.value['_meta'] : undefined
  return isObject(meta) ? meta['progressToken'] : undefined
}

const BAD_TOKEN = `'progressToken' must be a text or a number, of ${MAX_ID_LENGTH} characters at most.`

/** A token is kept for as long as somebody waits. @returns null for one that may be */
export function tokenRefused(request: Request): Refused | null {
  const token = progressTokenOf(request)
  const isTooLong = typeof token === 'string' && token.length > MAX_ID_LENGTH
  if (!isTooLong && (typeof token !== 'object' || token === null)) return null
  const { idText } = request
  return { kind: 'refused', code: RPC_ERRORS.params, message: BAD_TOKEN, idText }
}

/** What a request says that an agent wrote something into. */
export function readRequest(request: Request): { readonly call: ToolCall } | JudgedParams {
  const refused = tokenRefused(request)
  if (refused !== null) return { refused }
  return request.method === 'tools/call' ? readToolCall(request) : judgedParams(request)
}

/** What a notification of a client says, or why it does not go on. */
export function readNotification(
  notification: Notification,
): { readonly params: Readonly<Record<string, unknown>> } | { readonly problem: string } {
  const { method } = notification
  if (method === 'notifications/cancelled' && cancelledBy(notification) === null)
    return { problem: 'It says of no request that it is cancelled.' }
  const read = judgedParams(notification)
  return 'refused' in read ? { problem: read.refused.message } : read
}

/** What a client says of itself when it begins. */
export function introductionIn(params: Part | null): {
  readonly capabilities: unknown
  readonly name: string | null
} {
  const { capabilities, clientInfo } = isObject(params?.value) ? params.value : {}
  const name = isObject(clientInfo) ? clientInfo['name'] : undefined
  return { capabilities, name: typeof name === 'string' ? name.toWellFormed() : null }
}

/** `idKey` of the request that nobody waits for any more; null where what stands there is no id. */
export function cancelledBy({ params }: Notification): string | null {
  const id = isObject(params?.value) ? params.value['requestId'] : undefined
  if (typeof id === 'string') return id.length <= MAX_ID_LENGTH ? `s${id}` : null
  return typeof id === 'number' ? `n${id}` : null
}

/** What a client says that waits no more. Null for the first request, which cannot be taken back. */
export function cancelling(
  { idText, method }: Request,
  reason = 'It took too long.',
): Notification | null {
  if (method === 'initialize') return null
  const message = readMessage(
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${idText},"reason":"${reason}"}}`,
  )
  return message.kind === 'notification' ? message : null
}

/** What a server is told that asked something. */
export function unanswered(idText: string): string {
  return errorAnswer(idText, RPC_ERRORS.internal, 'The client is not there any more.')
}

/** What is shown in place of a message of the server tells as much of whether the request ran. */
export function inDoubtAs<T extends Message | Refused>(message: Message, shown: T): T {
  return message.kind === 'response' && message.status !== undefined && shown.kind === 'response'
    ? { ...shown, status: message.status }
    : shown
}

export function endOf({ outcome, body, status = 0 }: Response): CallOutcome {
  // Of what broke inside, nothing says how far the call came.
  if (outcome === 'error') return status > 499 ? 'lost' : 'refused-by-server'
  return isObject(body.value) && body.value['isError'] === true ? 'tool-error' : 'answered'
}

/** For the log, or for who may read all of it. */
export function said(error: unknown): string {
  const { message, help } = asFault(error)
  return `${message} ${help}`
}

/** What is told to a caller; null for whoever it is. */
export function saidTo(error: unknown, principal: Principal | null): string {
  const { message, cure } = toldTo(error, principal)
  return `${message} ${cure}`
}
