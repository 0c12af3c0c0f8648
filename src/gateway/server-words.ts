import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import {
  errorAnswer,
  judgedPart,
  type Message,
  type Notification,
  type Request,
  type Response,
  RPC_ERRORS,
  withPart,
} from '../mcp/wire/index.ts'
import { beforeTold } from './before-told.ts'
import { type Denial, denialResult } from './denial.ts'
import type { CallJudged } from './judging.ts'
import { withoutExtras } from './message-search.ts'
import type { Question } from './open-questions.ts'
import type { ProgressWords } from './progress-words.ts'
import {
  type Answered,
  cancelledBy,
  inDoubtAs,
  judgeableMethod,
  methodDenial,
  said,
  saidTo,
  textOf,
} from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'
import { pausedText } from './relay-rounds.ts'
import { isObject } from './tool-call.ts'
import { keptShortly, shownList } from './tool-list.ts'

const PROGRESS = 'notifications/progress'
const CANCELLED = 'notifications/cancelled'
const TOOLS_CHANGED = 'notifications/tools/list_changed'
const NOT_PASSED_ON = 'The message was not passed on.'
const NO_PARAMS = { value: undefined, hasTwins: false, problem: null }

type Carried = Pick<RelayOptions, 'path' | 'inspection' | 'policiesNow' | 'log' | 'toServer'>

export interface ServerWordsOptions extends Carried {
  readonly callerNow: () => Caller
  /**
   * Carries one message to the client.
   *
   * @param isAnswer false for what comes with the request `about` and is not its answer
   */
  readonly tell: (text: string, about: string | null, isAnswer: boolean) => void
  /** @returns null when the server may ask this, else what it is told */
  readonly refusalOf: (request: Request) => string | null
  /** The server asks the client something. */
  readonly onAsked: (request: Request, question: Question) => void
  /** It does not want to know any more. */
  readonly onWithdrawn: (idKey: string) => void
  readonly onProgress: (token: unknown) => void
  readonly progress: ProgressWords
}

/** What a server says, as its client may hear it: judged, inspected, and with known values taken out. */
export class ServerWords {
  readonly #options: ServerWordsOptions

  constructor(options: ServerWordsOptions) {
    this.#options = options
  }

  get #caller(): Caller {
    return this.#options.callerNow()
  }

  /**
   * Hands on a message of the server without known values around what is judged of it; done at once when there is no
   * promise.
   */
  uncovered(message: Message, go: (shown: Message) => void | Promise<void>): void | Promise<void> {
    const stop = (reason: string): void | Promise<void> => {
      this.#options.log.warn('a message of the server was not passed on', { reason })
      if (message.kind === 'request')
        this.#options.toServer(
          errorAnswer(message.idText, RPC_ERRORS.internal, NOT_PASSED_ON),
          null,
        )
      const bare = message.kind === 'response' ? withoutExtras(message) : null
      return bare === null ? undefined : go(inDoubtAs(message, bare))
    }
    const handOn = (shown: Message | null): void | Promise<void> =>
      shown === null ? stop('It holds a known value.') : go(inDoubtAs(message, shown))
    try {
      const shown = this.#options.inspection.search.envelope(this.#caller, message)
      return shown instanceof Promise
        ? shown.then(handOn, (error: unknown) => stop(said(error)))
        : handOn(shown)
    } catch (error) {
      return stop(said(error))
    }
  }

  /** An answer as the client may see it. */
  answer(response: Response, to: Answered): void | Promise<void> {
    const { idKey, body } = response
    const { idText, isList, judge = null } = to
    const failed = (error: unknown): void =>
      this.#options.tell(
        errorAnswer(idText, RPC_ERRORS.internal, saidTo(error, this.#caller.principal)),
        idKey,
        true,
      )
    try {
      const { value, hasTwins, problem } = judgedPart(response, body)
      if (problem !== null) throw new Fault('BAD_INPUT', `The server's answer ${problem}.`)
      const denial = judge === null ? null : judge(value)
      if (denial !== null) return this.#withheld(response, to, denial)
      const first = beforeTold(this.#options.path, this.#caller, to.asked, value)
      if (first !== null)
        return first
          .then((told) =>
            'denial' in told
              ? this.#withheld(response, to, told.denial)
              : this.#told(response, to, value, told.value, hasTwins),
          )
          .catch(failed)
      const listed = isList ? this.#listed(to.asked.request, value) : value
      const telling = this.#told(response, to, value, listed, hasTwins)
      if (telling instanceof Promise) return telling.catch(failed)
    } catch (error) {
      failed(error)
    }
    return undefined
  }

  #listed({ method, params }: Request, value: unknown): unknown {
    const { path, policiesNow } = this.#options
    const listed = shownList(method, value, path.isClosed ? null : policiesNow())
    if (method === 'tools/list')
      path.tools.saw(value, isObject(params?.value) ? params.value['cursor'] : undefined)
    return listed
  }

  /**
   * @param value as the server wrote it
   * @param listed what of it is not kept back
   */
  #told(
    response: Response,
    to: Answered,
    value: unknown,
    listed: unknown,
    hasTwins: boolean,
  ): void | Promise<void> {
    const { body, idKey } = response
    const tell = (seen: unknown): void => {
      const shown = seen === listed ? seen : keptShortly(seen)
      const text = hasTwins ? withPart(response, body, shown) : textOf(response, body, value, shown)
      this.#options.tell(
        pausedText(this.#options.path, this.#caller, to.asked, shown, text),
        idKey,
        true,
      )
    }
    const shown = this.#options.inspection.output(this.#caller, to.name, listed)
    return shown instanceof Promise ? shown.then(tell) : tell(shown)
  }

  /** The server did it, and what it answered is not shown. */
  async #withheld(response: Response, to: Answered, denial: Denial): Promise<void> {
    const { idText, isCall = false, asked } = to
    const { method, allowed, name } = asked
    const what = isCall
      ? { name, isMethod: false }
      : { name: method, isMethod: true, tool: allowed?.tool ?? undefined }
    await this.#options.path.withheld(this.#caller, what, denial.rule)
    const isModern = isObject(response.body.value) && 'resultType' in response.body.value
    this.#options.tell(
      isCall ? denialResult(idText, isModern, denial) : methodDenial({ idText }, denial),
      response.idKey,
      true,
    )
  }

  /** What a server asks or tells of its own accord. */
  message(message: Request | Notification, about: string | null): void | Promise<void> {
    const { log } = this.#options
    const failed = (error: unknown): void => {
      log.warn('a message of the server was not passed on', { reason: said(error) })
      if (message.kind === 'request')
        this.#options.toServer(
          errorAnswer(message.idText, RPC_ERRORS.internal, NOT_PASSED_ON),
          null,
        )
    }
    if (this.#isRefused(message)) return undefined
    if (message.method === TOOLS_CHANGED) this.#options.path.tools.changed()
    try {
      const { params } = message
      const { value, hasTwins, problem } = params === null ? NO_PARAMS : judgedPart(message, params)
      if (problem !== null) throw new Fault('BAD_INPUT', `A message of the server ${problem}.`)
      let told: unknown = value
      if (message.method === PROGRESS && isObject(value)) {
        this.#options.onProgress(value['progressToken'])
        told = this.#options.progress.shown(value)
        if (told !== value) log.warn('the policy does not let the words of a progress out')
      }
      const what = judgeableMethod(message, isObject(value) ? value : {}, true)
      const judged = this.#options.path.judgeNow(what, this.#caller)
      const go = (one: CallJudged): void | Promise<void> => {
        if ('denial' in one) {
          log.warn('the policy denies a message of the server', { rule: one.denial.rule })
          if (message.kind === 'request')
            this.#options.toServer(methodDenial(message, one.denial), null)
          return undefined
        }
        const shown =
          params === null
            ? value
            : this.#options.inspection.output(this.#caller, message.method, told)
        const tell = (seen: unknown): void | Promise<void> => {
          // Another stream may have brought one with the same id meanwhile.
          if (this.#isRefused(message)) return one.settle('never-sent')
          if (message.kind === 'request') this.#options.onAsked(message, { what, paid: one.paid })
          else if (message.method === CANCELLED)
            this.#options.onWithdrawn(cancelledBy(message) ?? '')
          this.#options.tell(
            hasTwins && params !== null
              ? withPart(message, params, seen)
              : textOf(message, params, value, seen),
            about,
            false,
          )
          return one.settle('answered')
        }
        return shown instanceof Promise ? shown.then(tell) : tell(shown)
      }
      const done = judged instanceof Promise ? judged.then(go) : go(judged)
      return done instanceof Promise ? done.catch(failed) : undefined
    } catch (error) {
      failed(error)
    }
    return undefined
  }

  #isRefused(message: Request | Notification): boolean {
    const refusal = message.kind === 'request' ? this.#options.refusalOf(message) : null
    if (refusal !== null) this.#options.toServer(refusal, null)
    return refusal !== null
  }
}
