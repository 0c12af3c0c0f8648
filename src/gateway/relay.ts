import type { CallOutcome } from '../audit/index.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import {
  errorAnswer,
  judgedParams,
  judgedPart,
  type Message,
  type Notification,
  type Part,
  type Refused,
  type Request,
  type Response,
  RPC_ERRORS,
  readFrame,
  refusalAnswer,
  versionNamedBy,
  withPart,
} from '../mcp/wire/index.ts'
import { isDefaultDeny, type PoliciesNow } from './applied-policies.ts'
import type { CallPath } from './call-path.ts'
import { denialAnswer } from './denial.ts'
import type { MessageInspection } from './message-inspection.ts'
import { INSPECTED_REQUESTS, PLAIN_NOTIFICATIONS, PLAIN_REQUESTS } from './methods.ts'
import type { Paid, Resumed } from './rounds.ts'
import { isObject, readToolCall } from './tool-call.ts'
import { shownTools } from './tool-list.ts'

export interface RelayOptions {
  readonly caller: Caller
  readonly path: CallPath
  readonly inspection: MessageInspection
  readonly policiesNow: () => PoliciesNow
  readonly log: Log
  /**
   * Carries one message, JSON without a newline, to the client.
   *
   * @param about `idKey` of the client's request that it answers or came with; null for what stands alone
   */
  readonly toClient: (text: string, about: string | null) => void
  /**
   * Carries one message to the server.
   *
   * @param message what `text` was made of, equal to its own `text` when nothing was changed; null for a refusal of
   *   something that the server asked
   */
  readonly toServer: (text: string, message: Message | null) => void
}

/** A request of the client that is not answered yet. */
interface Asked {
  readonly idText: string
  readonly method: string
  /** What rules of inspection know it by: the name of the tool, else the method. */
  readonly name: string
  /** Resolves when it is decided whether the message is written to the server. */
  judged: Promise<void>
  isWritten: boolean
  isCancelled: boolean
  settle: (end: CallOutcome, result?: unknown) => Promise<void>
  /** As it goes to the server; what it took of limits, when it did. */
  readonly request: Request
  paid: Paid | null
}

/** In the middle of these a server may ask something (2026-07-28). */
const MAY_PAUSE: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** More open requests than any client has; each is held until it is answered. */
const MAX_OPEN = 10_000

/**
 * Both directions between one client and one server, message by message, whatever carries the messages: lines of two
 * processes, requests and streams of HTTP. Ids stay as they are; what needs no change goes on byte for byte; what
 * cannot be judged does not go on.
 *
 * Ids are told apart within one relay: clients that share a server have one each, and what joins them keeps their ids
 * apart on the way to the server. A request that comes alone, as in a revision without sessions, may have a relay of
 * its own; all share one `CallPath`.
 */
export class Relay {
  readonly #options: RelayOptions
  #caller: Caller
  readonly #asked = new Map<string, Asked>()
  /** Ids of requests of the server. */
  readonly #askedByServer = new Set<string>()
  readonly #underway = new Set<Promise<void>>()

  constructor(options: RelayOptions) {
    this.#options = options
    this.#caller = options.caller
  }

  /** Messages of the client that are being judged. */
  get underway(): number {
    return this.#underway.size
  }

  /** Requests that the server has not answered. */
  get open(): number {
    return this.#asked.size
  }

  /** Whether the client's request is not answered yet. Its answer is no longer open when `toClient` gets it. */
  isOpen(idKey: string): boolean {
    return this.#asked.has(idKey)
  }

  /** From now on it is this caller, who is the same and came with something else or from elsewhere. */
  calledBy(caller: Caller): void {
    const { client } = this.#caller
    this.#caller = client === undefined ? caller : { ...caller, client }
  }

  /** Resolves when everything the client sent so far was judged and settled. */
  async idle(): Promise<void> {
    while (this.#underway.size > 0) await Promise.allSettled(this.#underway)
  }

  fromClient(frame: Buffer): void {
    const message = readFrame(frame)
    switch (message.kind) {
      case 'refused':
        this.#options.toClient(refusalAnswer(message), null)
        return
      case 'request':
        this.#request(message)
        return
      case 'notification':
        this.#notification(message)
        return
      case 'response':
        this.#clientAnswer(message)
    }
  }

  /** A line of the client was too long to be read. */
  tooLongFromClient(maxBytes: number): void {
    this.#options.toClient(
      errorAnswer('null', RPC_ERRORS.request, `The message is larger than ${maxBytes} bytes.`),
      null,
    )
  }

  /**
   * Messages of the server are handled one after another: what it said first, the client hears first.
   *
   * @param about `idKey` of the client's request on whose stream it came, where the transport has such streams
   */
  fromServer(frame: Buffer, about: string | null = null): Promise<void> {
    return this.heard(readFrame(frame), about)
  }

  /** As `fromServer`, with what the frame was read as. */
  async heard(message: Message | Refused, about: string | null = null): Promise<void> {
    switch (message.kind) {
      case 'refused':
        this.#options.log.warn('the server sent what is no message', { reason: message.message })
        return
      case 'response':
        await this.#serverAnswer(message)
        return
      case 'request':
      case 'notification':
        await this.#serverMessage(message, about)
    }
  }

  /**
   * One request will not be answered.
   *
   * @param why told to the client
   */
  serverFailed(idKey: string, end: CallOutcome, why: string): void {
    const asked = this.#asked.get(idKey)
    if (asked === undefined) return
    this.#asked.delete(idKey)
    this.#run(asked.settle(end))
    if (!asked.isCancelled)
      this.#options.toClient(errorAnswer(asked.idText, RPC_ERRORS.internal, why), idKey)
  }

  /** The server is gone: whoever waits is told. */
  async serverEnded(how: string): Promise<void> {
    const asked = [...this.#asked]
    this.#asked.clear()
    for (const [idKey, one] of asked) {
      this.#run(one.settle('lost'))
      if (!one.isCancelled)
        this.#options.toClient(
          errorAnswer(
            one.idText,
            RPC_ERRORS.internal,
            `The server ended before it answered (${how}).`,
          ),
          idKey,
        )
    }
    await this.idle()
  }

  #request(request: Request): void {
    const { toClient, toServer, policiesNow } = this.#options
    const { idKey, idText, method } = request
    if (this.#asked.has(idKey)) {
      // It is not the answer to the one with the same id, which is still open.
      toClient(
        errorAnswer(idText, RPC_ERRORS.request, 'A request with this id is not answered yet.'),
        null,
      )
      return
    }
    if (this.#asked.size >= MAX_OPEN) {
      toClient(
        errorAnswer(idText, RPC_ERRORS.internal, 'Too many requests are not answered yet.'),
        idKey,
      )
      return
    }
    const resumed = MAY_PAUSE.has(method) ? this.#resumed(request) : null
    if (resumed?.kind === 'refused') {
      toClient(refusalAnswer(resumed.refused), idKey)
      return
    }
    if (method === 'tools/call') {
      this.#call(resumed?.request ?? request, resumed?.kind === 'next' ? resumed.paid : null)
      return
    }
    if (PLAIN_REQUESTS.has(method)) {
      if (method === 'initialize') this.#introduced(request.params)
      this.#ask(request, method)
      toServer(request.text, request)
      return
    }
    if (!INSPECTED_REQUESTS.has(method) && isDefaultDeny(policiesNow())) {
      toClient(
        errorAnswer(
          idText,
          RPC_ERRORS.method,
          '[POLICY DENIED] The policy does not allow this method.',
        ),
        idKey,
      )
      return
    }
    const sent = resumed?.request ?? request
    const asked = this.#ask(sent, method)
    asked.judged = this.#tracked(this.#inspected(sent, idKey))
  }

  /** A request that says that its server asked something before; null for all others. */
  #resumed(request: Request): Resumed | null {
    const { path } = this.#options
    const { value } = request.params ?? {}
    return isObject(value) && 'requestState' in value && versionNamedBy(request) !== null
      ? path.rounds.resumed(request, path.roundOf(this.#caller))
      : null
  }

  #ask(request: Request, name: string): Asked {
    const { idKey, idText, method } = request
    const asked: Asked = {
      idText,
      method,
      name,
      judged: Promise.resolve(),
      isWritten: true,
      isCancelled: false,
      settle: async () => {},
      request,
      paid: null,
    }
    this.#asked.set(idKey, asked)
    return asked
  }

  #call(request: Request, paid: Paid | null): void {
    const { toClient, toServer, path } = this.#options
    const read = readToolCall(request)
    if ('refused' in read) {
      toClient(refusalAnswer(read.refused), request.idKey)
      return
    }
    const { call } = read
    const asked = this.#ask(request, call.tool)
    asked.isWritten = false
    const judge = async (): Promise<void> => {
      const refusal = await this.#answersRefused(call.params['inputResponses'])
      if (refusal !== null) {
        this.#asked.delete(request.idKey)
        toClient(errorAnswer(request.idText, RPC_ERRORS.params, refusal), request.idKey)
        return
      }
      const judged = await path.judge(call, this.#caller, paid)
      if ('denial' in judged) {
        this.#asked.delete(request.idKey)
        if (!asked.isCancelled) toClient(denialAnswer(call, judged.denial), request.idKey)
        return
      }
      // Nobody waits any more, or the server is gone: it never ran.
      if (asked.isCancelled || this.#asked.get(request.idKey) !== asked) {
        this.#asked.delete(request.idKey)
        await judged.settle('never-sent')
        return
      }
      asked.settle = judged.settle
      asked.paid = judged.paid
      asked.isWritten = true
      toServer(judged.text, request)
    }
    asked.judged = this.#tracked(judge())
  }

  /** What the person or the model answered in the middle of a call. @returns why it does not go on, or null */
  async #answersRefused(answers: unknown): Promise<string | null> {
    if (answers === undefined) return null
    const { inspection } = this.#options
    try {
      const inspected = await inspection.input(this.#caller, 'answer', answers)
      if ('refusal' in inspected) return inspected.refusal
      // Taking something out would answer for the person.
      return inspected.value === answers ? null : 'The answers hold what may not be sent.'
    } catch (error) {
      return said(error)
    }
  }

  #notification(notification: Notification): void {
    const { toServer } = this.#options
    if (notification.method === 'notifications/cancelled') {
      this.#cancelled(notification)
      return
    }
    if (PLAIN_NOTIFICATIONS.has(notification.method)) toServer(notification.text, notification)
    else this.#run(this.#inspected(notification, null))
  }

  /** Passed on behind the request that it is about; one that was not written yet never will be. */
  #cancelled(notification: Notification): void {
    const { toServer } = this.#options
    const { params } = notification
    const id = isObject(params?.value) ? params.value['requestId'] : undefined
    const idKey = typeof id === 'string' ? `s${id}` : `n${String(id)}`
    const asked = this.#asked.get(idKey)
    if (asked === undefined) {
      toServer(notification.text, notification)
      return
    }
    asked.isCancelled = true
    const cancel = async (): Promise<void> => {
      await asked.judged
      if (!asked.isWritten) return
      toServer(notification.text, notification)
      // Servers need not answer what was cancelled; whether it ran is not known.
      if (this.#asked.get(idKey) !== asked) return
      this.#asked.delete(idKey)
      await asked.settle('cancelled')
    }
    this.#run(cancel())
  }

  /** A message that an agent wrote something into. */
  async #inspected(message: Request | Notification, idKey: string | null): Promise<void> {
    const { toClient, toServer, inspection } = this.#options
    const refuse = (code: number, text: string): void => {
      if (idKey === null || message.kind !== 'request') {
        this.#options.log.warn('a notification was not passed on', { reason: text })
        return
      }
      this.#asked.delete(idKey)
      toClient(errorAnswer(message.idText, code, text), idKey)
    }
    try {
      const judged = judgedParams(message)
      if ('refused' in judged) {
        refuse(judged.refused.code, judged.refused.message)
        return
      }
      const inspected = await inspection.input(this.#caller, message.method, judged.params)
      if ('refusal' in inspected) refuse(RPC_ERRORS.params, inspected.refusal)
      else toServer(textOf(message, message.params, judged.params, inspected.value), message)
    } catch (error) {
      refuse(RPC_ERRORS.internal, said(error))
    }
  }

  /** What the person or the model behind the client answers a server. */
  #clientAnswer(response: Response): void {
    const { idKey, body } = response
    if (idKey === null || !this.#askedByServer.delete(idKey)) return
    const { toServer, inspection } = this.#options
    const answer = async (): Promise<void> => {
      const idText = response.idText
      try {
        const { value, hasTwins, problem } = judgedPart(response, body)
        if (hasTwins || problem !== null)
          throw new Fault('BAD_INPUT', `The answer ${problem ?? 'says a name twice'}.`)
        const inspected = await inspection.input(this.#caller, 'answer', value)
        if ('value' in inspected) toServer(textOf(response, body, value, inspected.value), response)
        else toServer(errorAnswer(idText, RPC_ERRORS.internal, 'The answer was refused.'), null)
      } catch (error) {
        this.#options.log.warn('an answer of the client was not passed on', { reason: said(error) })
        toServer(errorAnswer(idText, RPC_ERRORS.internal, 'The answer could not be judged.'), null)
      }
    }
    this.#run(answer())
  }

  async #serverAnswer(response: Response): Promise<void> {
    const { toClient, inspection, policiesNow, log } = this.#options
    const { idKey, body, outcome } = response
    const asked = idKey === null ? undefined : this.#asked.get(idKey)
    if (idKey === null || asked === undefined) {
      log.warn('the server answered what nobody asked', {})
      return
    }
    this.#asked.delete(idKey)
    this.#run(asked.settle(endOf(response), outcome === 'result' ? body.value : undefined))
    if (asked.isCancelled) return
    try {
      const { value, hasTwins, problem } = judgedPart(response, body)
      if (problem !== null) throw new Fault('BAD_INPUT', `The server's answer ${problem}.`)
      const isList = asked.method === 'tools/list' && outcome === 'result'
      const listed = isList ? shownTools(value, policiesNow()) : value
      const shown = await inspection.output(this.#caller, asked.name, listed)
      const text = hasTwins ? withPart(response, body, shown) : textOf(response, body, value, shown)
      toClient(this.#paused(asked, shown, text), idKey)
    } catch (error) {
      toClient(errorAnswer(asked.idText, RPC_ERRORS.internal, said(error)), idKey)
    }
  }

  /** The answer in which a server asks something names a state of ours: only with that does the call go on. */
  #paused({ request, paid }: Asked, shown: unknown, text: string): string {
    const isPause =
      isObject(shown) && shown['resultType'] === 'input_required' && MAY_PAUSE.has(request.method)
    if (!isPause || versionNamedBy(request) === null) return text
    const { path } = this.#options
    return path.rounds.paused(text, request, path.roundOf(this.#caller), paid)
  }

  /** What a server asks or tells of its own accord. */
  async #serverMessage(message: Request | Notification, about: string | null): Promise<void> {
    const { toClient, toServer, inspection, log } = this.#options
    try {
      const { params } = message
      if (params === null) {
        if (message.kind === 'request') this.#askedByServer.add(message.idKey)
        toClient(message.text, about)
        return
      }
      const { value, hasTwins, problem } = judgedPart(message, params)
      if (problem !== null) throw new Fault('BAD_INPUT', `A message of the server ${problem}.`)
      const shown = await inspection.output(this.#caller, message.method, value)
      if (message.kind === 'request') this.#askedByServer.add(message.idKey)
      toClient(
        hasTwins ? withPart(message, params, shown) : textOf(message, params, value, shown),
        about,
      )
    } catch (error) {
      log.warn('a message of the server was not passed on', { reason: said(error) })
      if (message.kind === 'request')
        toServer(
          errorAnswer(message.idText, RPC_ERRORS.internal, 'The message was not passed on.'),
          null,
        )
    }
  }

  /** How the client calls itself: recorded, never trusted. */
  #introduced(params: Part | null): void {
    const info = isObject(params?.value) ? params.value['clientInfo'] : undefined
    const name = isObject(info) ? info['name'] : undefined
    if (typeof name === 'string') this.#caller = { ...this.#caller, client: name.toWellFormed() }
  }

  #run(work: Promise<void>): void {
    void this.#tracked(work)
  }

  #tracked(work: Promise<void>): Promise<void> {
    const guarded = work
      .catch((error: unknown) => {
        this.#options.log.error('a message could not be finished', { reason: said(error) })
      })
      .finally(() => this.#underway.delete(guarded))
    this.#underway.add(guarded)
    return guarded
  }
}

/** The message as it came when nothing was changed. */
function textOf(message: Message, part: Part | null, before: unknown, after: unknown): string {
  return before === after || part === null ? message.text : withPart(message, part, after)
}

function endOf({ outcome, body }: Response): CallOutcome {
  if (outcome === 'error') return 'refused-by-server'
  return isObject(body.value) && body.value['isError'] === true ? 'tool-error' : 'answered'
}

function said(error: unknown): string {
  const { message, help } = asFault(error)
  return `${message} ${help}`
}
