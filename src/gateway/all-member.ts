import { FAULTS, Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import {
  judgedParams,
  memberOf,
  type Notification,
  type Request,
  readMessage,
  withMembers,
} from '../mcp/wire/index.ts'
import type { RelayOptions } from './relay-options.ts'
import type { Reader } from './slow-readers.ts'
import { isObject } from './tool-call.ts'
import type { OpenUpstream } from './upstream.ts'

export interface MemberOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly upstream: OpenUpstream
  /** Name of the server. */
  readonly server: string
  /** How we call ourselves to servers. */
  readonly version: string
  /** What the server tells of its own accord: that a list or a resource changed. */
  readonly onNotice: (notice: Notification) => void
  /** Called once, when the server is gone. */
  readonly onOver: () => void
}

/** Carries what comes before the answer to a request, or what is said of no request. */
export interface Way extends Reader {
  event(text: string): void
}

/** One of the servers behind one endpoint, with its policies and inspection between it and its client. */
export interface AllMember {
  /** Whether nobody waits for an answer. */
  readonly isIdle: boolean
  /**
   * Resolves once the server has introduced itself, for which it has its time to start.
   *
   * @throws {Fault} when it did not
   */
  started(): Promise<void>
  /**
   * Asks as the caller.
   *
   * @param text the request as it goes to the server; its id and token are ours on the way
   * @param way null when its client takes nothing but the answer
   * @returns the answer, with the id of the request
   * @throws {Fault} when the server is not there
   */
  ask(
    request: Request,
    text: string,
    caller: Caller,
    way: Way | null,
    signal: AbortSignal,
  ): Promise<string>
  /** Whether the server says that it has something: `prompts`, `resources`, `completions`. */
  has(capability: string): Promise<boolean>
  /** For a question of ours. @throws {Fault} when there is no result */
  result(method: string, params: object, signal: AbortSignal): Promise<Result>
  /** From now on it is told when a resource changes. @throws {Fault} when the server does not tell */
  subscribe(uri: string, signal: AbortSignal): Promise<void>
  unsubscribe(uri: string): void
  /** Somebody listens: from now on it tells which of its lists change. */
  heed(): void
  /** What its client tells whoever listens. @param text a notification */
  told(text: string): void
  /** From which level on it tells what it logs, in a revision with sessions. */
  setLevel(level: string): Promise<void>
  /** Resolves once its server has ended. */
  close(): Promise<void>
}

/** A result, parsed and as its server wrote it. */
export interface Result {
  readonly value: unknown
  readonly text: string
}

/** The result in an answer. @throws {Fault} `NET_FAILED` with the code of an error, when it is one */
export function resultIn(text: string, method: string): Result {
  const answer = readMessage(text)
  if (answer.kind === 'response' && answer.outcome === 'result') {
    const { value: result, start, end } = answer.body
    return { value: result, text: text.slice(start, end) }
  }
  const { value } = answer.kind === 'response' ? answer.body : { value: null }
  const { message, code } = isObject(value) ? value : {}
  const details = { ...(typeof code === 'number' && { code }) }
  const said = typeof message === 'string' ? message : ''
  // Who was not reached refused nothing: the words are ours, and what helps is said with the fault.
  const own = said.endsWith(HELP) ? said.slice(0, -HELP.length) : said === LATE ? said : null
  const fault = own ?? `The server refused ${method}: ${said.slice(0, 200)}`
  throw new Fault('NET_FAILED', fault, { details })
}

const HELP = ` ${FAULTS.NET_FAILED.help}`
const LATE = 'The server did not answer in time.'

/** Why a request that was given up has no answer. */
export function givenUp({ reason }: AbortSignal): string {
  const isLate = reason instanceof DOMException && reason.name === 'TimeoutError'
  return isLate ? LATE : 'The request was cancelled.'
}

/** What comes of it, unless it is given up before. @throws {Fault} `NET_FAILED` then */
export async function unlessGivenUp<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const giveUp = (): void => reject(new Fault('NET_FAILED', givenUp(signal)))
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  try {
    return await Promise.race([coming, over])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/** Why a request was given up that its client took back: it has no answer. */
export class TakenBack {
  readonly notification: Notification

  constructor(notification: Notification) {
    this.notification = notification
  }
}

/**
 * What a server is told of a request that was given up: what the client said of it, with the id that the server knows.
 *
 * @param idText of the request at the server
 */
export function cancelAt(idText: string, { reason }: AbortSignal): string {
  const notification = reason instanceof TakenBack ? reason.notification : null
  const params = notification === null ? null : memberOf(notification.text, 'params')
  // Where a name stands twice, another request could be meant.
  if (notification === null || params === null || 'refused' in judgedParams(notification))
    return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${idText}}}`
  return withMembers(notification.text, { params: withMembers(params, { requestId: idText }) })
}
