import type { CallOutcome } from '../audit/index.ts'
import type { Caller } from '../core/principals.ts'
import { Soon } from '../core/soon.ts'
import {
  errorAnswer,
  type Frames,
  type Message,
  type Notification,
  type Part,
  type Refused,
  type Request,
  type Response,
  RPC_ERRORS,
  readFrames,
  readMessage,
  refusalAnswer,
  UNLIKE_ID,
} from '../mcp/wire/index.ts'
import { hasMethodRules } from './applied-policies.ts'
import type { ApprovalWaits, PendingApproval, Waited } from './approval-waits.ts'
import {
  agreesOnBatches,
  type Batch,
  NO_BATCH,
  type SendBatch,
  takeBatch,
  unbatched,
} from './batch.ts'
import { type Denial, denialAnswer, deniedByTime } from './denial.ts'
import { InTurn, whenThere } from './in-turn.ts'
import {
  type CallAllowed,
  type CallJudged,
  type Judgeable,
  type Judging,
  judgeableCall,
} from './judging.ts'
import { leftUnanswered } from './large-lines.ts'
import { LISTEN, listeningJudged } from './listened-resources.ts'
import { GREETINGS, PLAIN_NOTIFICATIONS, PLAIN_REQUESTS } from './methods.ts'
import { unknownRevision } from './modern-problem.ts'
import { OpenQuestions } from './open-questions.ts'
import { OpenRequests } from './open-requests.ts'
import { Patience } from './patience.ts'
import { plainDenial } from './plain-messages.ts'
import { ProgressWords } from './progress-words.ts'
import {
  type Asked,
  cancelledBy,
  cancelling,
  endOf,
  introductionIn,
  judgeableMethod,
  methodDenial,
  progressTokenOf,
  readNotification,
  readRequest,
  tokenRefused,
  unanswered,
} from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'
import {
  answerGoesOn,
  answersRefused,
  digestsWhenSent,
  MAY_PAUSE,
  resumedBy,
} from './relay-rounds.ts'
import type { Paid } from './rounds.ts'
import { ServerWords } from './server-words.ts'
import { StandIns } from './stand-ins.ts'
import type { ToolCall } from './tool-call.ts'
import { UnfinishedWork } from './unfinished-work.ts'

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
  /** The same without what the client says of itself. */
  #cameAs: Caller
  readonly #asked = new OpenRequests()
  /** Requests of the server. */
  readonly #askedByServer = new OpenQuestions()
  readonly #unfinished: UnfinishedWork
  readonly #patience: Patience
  readonly #words: ServerWords
  readonly #progress = new ProgressWords()
  /** Requests that came in a batch, by `idKey`. */
  readonly #batches = new Map<string, Batch>()
  #hasBatches = false
  readonly #turns = new InTurn()
  /** Until a call was allowed: each may wait for something else that is loaded when it is first needed. */
  #isCold = true
  /** What the client of a session said that it can do. */
  #capabilities: unknown
  #waits: ApprovalWaits | null = null
  /** Calls of hidden tools, once there were any. */
  #standIns: StandIns | null = null

  constructor(options: RelayOptions) {
    this.#options = options
    this.#unfinished = new UnfinishedWork(options.log)
    this.#caller = options.caller
    this.#cameAs = options.caller
    this.#patience = new Patience(
      (idKey) => this.#late(idKey),
      () => this.#askedByServer.size > 0,
    )
    this.#words = new ServerWords({
      ...options,
      callerNow: () => this.#caller,
      tell: (text, about, isAnswer) => this.#toClient(text, about, isAnswer),
      refusalOf: (request) => this.#askedByServer.refusalOf(request),
      onAsked: (request, question) => this.#askedByServer.add(request, question),
      onWithdrawn: (idKey) => this.#askedByServer.withdraw(idKey),
      onProgress: (token) => this.#patience.progress(token),
      progress: this.#progress,
    })
  }

  /** Messages of the client that are being judged. */
  get underway(): number {
    return this.#unfinished.size
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
    // What is known of a caller is known of the object.
    if (caller === this.#cameAs) return
    this.#cameAs = caller
    this.#isCold = true
    const { client } = this.#caller
    this.#caller = client === undefined ? caller : { ...caller, client }
  }

  /** Resolves when everything the client sent so far was judged and settled. */
  async idle(): Promise<void> {
    this.#options.path.flush()
    await this.#unfinished.done()
  }

  fromClient(frame: Buffer | string): void {
    const read = readFrames(frame)
    if (read.kind === 'batch')
      this.takeAll(read, (text) => {
        if (text !== null) this.#options.toClient(text, null)
      })
    else this.#one(read)
  }

  /** As `fromClient`, for one that was read already. */
  take(message: Message): void {
    this.#one(message)
  }

  #one(message: Message | Refused): void {
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

  /** What was to be carried to the client will never come there: nobody answers it, if it asks something. */
  untold(text: string): void {
    const message = readMessage(text)
    if (message.kind === 'request')
      this.answeredForClient(message.idKey, unanswered(message.idText))
  }

  /** What the server asked is answered in the client's place: these are words of ours, which no rule judges. */
  answeredForClient(idKey: string, text: string): void {
    if (this.#askedByServer.take(idKey) !== null) this.#options.toServer(text, null)
  }

  /** Whoever asked is gone: the client is told that nobody waits for its answers. */
  questionsLost(): void {
    for (const request of this.#askedByServer.clear()) {
      const cancel = cancelling(request, 'The server ended.')
      if (cancel !== null) this.#options.toClient(cancel.text, null)
    }
  }

  /** A message of the client was too large, or was none. */
  refuse(refused: Refused): void {
    this.#options.toClient(refusalAnswer(refused), null)
  }

  /**
   * Messages of the server are handled one after another: what it said first, the client hears first. So the next is
   * given once this one is done; it is done at once when there is no promise.
   *
   * @param about `idKey` of the client's request on whose stream it came, where the transport has such streams
   */
  fromServer(frame: Buffer | string, about: string | null = null): void | Promise<void> {
    const read = readFrames(frame)
    if (read.kind !== 'batch') return this.hear(read, about)
    return this.#heardAll(this.#hasBatches ? read.messages : read.messages.map(unbatched), about)
  }

  async #heardAll(messages: readonly (Message | Refused)[], about: string | null): Promise<void> {
    for (const message of messages) await this.heard(message, about)
  }

  /** As `take`, for a batch: each element is judged by itself, and their answers go out together. */
  takeAll({ messages }: Frames, send: SendBatch): void {
    if (!this.#hasBatches) send(errorAnswer('null', RPC_ERRORS.request, NO_BATCH))
    else
      takeBatch(messages, this.#batches, {
        isOpen: (idKey) => this.isOpen(idKey),
        send,
        take: (message) => this.#one(message),
      })
  }

  /** As `fromServer`, with what the frame was read as. */
  async heard(message: Message | Refused, about: string | null = null): Promise<void> {
    await this.hear(message, about)
  }

  /** As `heard`, done at once when there is no promise. */
  hear(came: Message | Refused, about: string | null = null): void | Promise<void> {
    const message = this.#standIns === null ? came : this.#standIns.shown(came)
    if (message.kind === 'refused') {
      this.#options.log.warn('the server sent what is no message', { reason: message.message })
      // Whoever waits for what would have been an answer does not wait in vain.
      for (const { idKey, why } of leftUnanswered(message)) this.serverFailed(idKey, 'lost', why)
      return undefined
    }
    if (message.kind === 'response' && !message.hasExtras) return this.#serverAnswer(message)
    return this.#words.uncovered(message, (shown) =>
      shown.kind === 'response' ? this.#serverAnswer(shown) : this.#words.message(shown, about),
    )
  }

  /**
   * One request will not be answered.
   *
   * @param why told to the client
   */
  serverFailed(idKey: string, end: CallOutcome, why: string): void {
    const asked = this.#asked.get(idKey)
    if (asked === undefined) {
      // Nor will one that nobody waits for.
      this.#asked.wasGivenUp(idKey)
      return
    }
    this.#asked.delete(idKey)
    this.#patience.end(idKey)
    if (asked.allowed !== null) void this.#unfinished.follow(asked.allowed.settle(end))
    if (!asked.isCancelled)
      this.#toClient(errorAnswer(asked.idText, RPC_ERRORS.internal, why), idKey)
  }

  /** A request waited for too long: the server is told that nobody waits any more. Whether it ran is not known. */
  #late(idKey: string): void {
    const asked = this.#asked.get(idKey)
    if (asked === undefined) return
    const cancel = cancelling(asked.request)
    if (cancel !== null) this.#options.toServer(cancel.text, cancel)
    this.serverFailed(idKey, 'timed-out', 'The server did not answer in time.')
    this.#asked.giveUp(idKey)
  }

  /** The server is gone: whoever waits is told. */
  async serverEnded(how: string): Promise<void> {
    this.#patience.close()
    this.leave()
    for (const idKey of this.#asked.keys())
      this.serverFailed(idKey, 'lost', `The server ended before it answered (${how}).`)
    await this.idle()
  }

  #request(request: Request): void {
    const { policiesNow } = this.#options
    const { idKey, method } = request
    const refusal = this.#asked.refusalOf(request)
    if (refusal?.isTwin === true) this.#options.toClient(refusal.text, null)
    else if (refusal !== null) this.#toClient(refusal.text, idKey)
    if (refusal !== null) return
    const unknown = unknownRevision(request)
    if (unknown !== null) {
      this.#toClient(unknown, idKey)
      return
    }
    if (MAY_PAUSE.has(method)) {
      const resumed = resumedBy(this.#options.path, this.#caller, request, policiesNow())
      if (resumed?.kind === 'refused') this.#toClient(refusalAnswer(resumed.refused), idKey)
      else if (resumed?.kind === 'visited') this.#written(resumed.request, null, resumed.action)
      else
        this.#written(resumed?.request ?? request, resumed?.kind === 'next' ? resumed.paid : null)
      return
    }
    if (method === 'initialize') this.#introduced(request.params)
    if (PLAIN_REQUESTS.has(method) && !hasMethodRules(policiesNow())) this.#unjudged(request)
    else this.#written(request, null)
  }

  /** A request that says what the protocol has it say. */
  #unjudged(request: Request): void {
    const { idKey, method } = request
    const refused = tokenRefused(request)
    if (refused !== null) {
      this.#toClient(refusalAnswer(refused), idKey)
      return
    }
    const { startMs, callMs } = this.#options.path.health
    const asked = this.#asked.begin(request, method)
    const judging = plainDenial(this.#options, this.#caller, request)
    const passing = this.#turns.take(judging, (denial) => {
      if (this.#asked.get(idKey) !== asked) return
      if (denial !== null || asked.isCancelled) this.#asked.delete(idKey)
      if (asked.isCancelled) return
      if (denial === null) {
        asked.isWritten = true
        this.#patience.begin(idKey, GREETINGS.has(method) ? startMs : callMs, undefined)
        this.#inOrder(request)
      } else this.#toClient(methodDenial(request, denial), idKey)
    })
    asked.judged = this.#unfinished.follow(passing)
  }

  /** A request that an agent wrote something into. */
  #written(request: Request, paid: Paid | null, visit: string | null = null): void {
    const read = readRequest(request)
    if ('refused' in read) this.#toClient(refusalAnswer(read.refused), request.idKey)
    else if ('call' in read) this.#judged(request, judgeableCall(read.call), read.call, paid, visit)
    else this.#judged(request, judgeableMethod(request, read.params, false), null, paid, visit)
  }

  /** @param call null for what is no call of a tool */
  #judged(
    request: Request,
    what: Judgeable,
    call: ToolCall | null,
    paid: Paid | null,
    visit: string | null,
  ): void {
    let mayWait = this.#options.path.people !== undefined
    const asked = this.#asked.begin(request, what.name)
    const go = (judged: CallJudged): void | Promise<void> => {
      if ('denial' in judged) {
        const { denial } = judged
        if (mayWait && denial.approval !== undefined && !asked.isCancelled) {
          mayWait = false
          return this.#waited(request, denial.approval, visit).then((next) => {
            if (next === 'again') return judge()
            if (next === 'expired') return go({ denial: deniedByTime(denial) })
            return next === 'refused' ? go(judged) : this.#asks(request, next.question)
          })
        }
        this.#asked.delete(request.idKey)
        if (asked.isCancelled) return undefined
        const answer = call === null ? methodDenial(request, denial) : denialAnswer(call, denial)
        this.#toClient(answer, request.idKey)
        return undefined
      }
      // Nobody waits any more, or the server is gone: it never ran.
      if (asked.isCancelled || this.#asked.get(request.idKey) !== asked) {
        if (this.#asked.get(request.idKey) === asked) this.#asked.delete(request.idKey)
        return judged.settle('never-sent')
      }
      this.#isCold = false
      const allowed = call !== null && judged.isHidden ? this.#standingIn(call, judged) : judged
      asked.allowed = allowed
      asked.digests = digestsWhenSent(request)
      asked.isWritten = true
      const token = progressTokenOf(request)
      // Whoever listens waits for what may never come.
      if (request.method !== LISTEN)
        this.#patience.begin(request.idKey, this.#options.path.health.callMs, token)
      this.#progress.begin(token, judged.judgeResult)
      this.#options.toServer(allowed.text, allowed.sent ?? request)
      return undefined
    }
    const { path } = this.#options
    const judge = (): void | Promise<void> =>
      this.#whenJudged(
        request.method === LISTEN
          ? listeningJudged(path, this.#caller, request, what, paid)
          : path.judge(what, this.#caller, paid),
        go,
      )
    const answers = what.params['inputResponses']
    asked.judged = this.#unfinished.follow(
      answers === undefined
        ? judge()
        : answersRefused(this.#options.inspection, this.#caller, answers).then((refusal) => {
            if (refusal === null) return judge()
            this.#asked.delete(request.idKey)
            this.#toClient(errorAnswer(request.idText, RPC_ERRORS.params, refusal), request.idKey)
            return undefined
          }),
    )
  }

  async #waited(
    request: Request,
    approval: PendingApproval,
    visit: string | null,
  ): Promise<Waited> {
    const { people } = this.#options.path
    if (people === undefined) return 'refused'
    const { ApprovalWaits } = await import('./approval-waits.ts')
    this.#waits ??= new ApprovalWaits({
      people,
      tell: (text, about) => this.#toClient(text, about, false),
    })
    return this.#waits.wait(request, approval, this.#caller, this.#capabilities, visit)
  }

  /** Answers with a question of ours: the client comes back with the same call. */
  #asks(request: Request, question: string): void {
    const { path } = this.#options
    this.#asked.delete(request.idKey)
    const text = path.rounds.paused(question, request, path.roundOf(this.#caller), null)
    this.#toClient(text, request.idKey)
  }

  /** The client is gone: nobody waits for people any more. */
  leave(): void {
    this.#waits?.stop()
  }

  /** A tool that is hidden is answered as the server answers one that it does not have. */
  #standingIn(call: ToolCall, judged: CallAllowed): CallAllowed {
    this.#standIns ??= new StandIns()
    return this.#standIns.of(call, judged)
  }

  #notification(notification: Notification): void {
    const { method } = notification
    const drop = (reason: string): void =>
      this.#options.log.warn('a notification was not passed on', { reason })
    const isCancel = method === 'notifications/cancelled'
    // What is meant is the same for every reader: whose request is cancelled, above all.
    const read = readNotification(notification)
    if ('problem' in read) {
      drop(read.problem)
      return
    }
    if (
      isCancel ||
      (PLAIN_NOTIFICATIONS.has(method) && !hasMethodRules(this.#options.policiesNow()))
    ) {
      const asked = isCancel ? this.#asked.meantBy(cancelledBy(notification) ?? '') : undefined
      const go = (denial: Denial | null): void => {
        if (denial !== null) drop(denial.text)
        if (asked !== undefined && this.#asked.get(asked.request.idKey) === asked)
          this.#cancelled(notification, asked, denial === null)
        else if (denial === null) this.#inOrder(notification)
      }
      const judging = plainDenial(this.#options, this.#caller, notification)
      // What is cancelled may be waiting for its turn. What is not open may be at the server all the same.
      void this.#unfinished.follow(asked ? whenThere(judging, go) : this.#turns.take(judging, go))
      return
    }
    const go = (judged: CallJudged): void | Promise<void> => {
      if ('denial' in judged) drop(judged.denial.rule)
      else {
        this.#options.toServer(judged.text, notification)
        return judged.settle('answered')
      }
      return undefined
    }
    const what = judgeableMethod(notification, read.params, false)
    void this.#unfinished.follow(this.#whenJudged(this.#options.path.judge(what, this.#caller), go))
  }

  /** @returns a promise where something is waited for beyond this turn of the event loop */
  #whenJudged(
    judging: Judging,
    go: (judged: CallJudged) => void | Promise<void>,
  ): void | Promise<void> {
    if (!this.#turns.isFree || (this.#isCold && judging instanceof Promise))
      return this.#turns.take(judging, go)
    if (judging instanceof Promise) return judging.then(go)
    if (!(judging instanceof Soon)) return go(judging)
    judging.when(
      (judged) =>
        void this.#unfinished.follow(judged instanceof Promise ? judged.then(go) : go(judged)),
      (error) => this.#unfinished.failed(error),
    )
    return undefined
  }

  /** Goes on as it is, behind what came before it; one that took its turn, ahead of calls that came later. */
  #inOrder(message: Request | Notification): void {
    const { path, toServer } = this.#options
    if (!this.#turns.isFree) path.flush()
    path.inOrder(() => toServer(message.text, message))
  }

  /**
   * Passed on behind the request that it is about; one that was not written yet never will be.
   *
   * @param mayGoOn else only that the request is cancelled does
   */
  #cancelled(notification: Notification, asked: Asked, mayGoOn: boolean): void {
    const { toServer } = this.#options
    const { idKey } = asked.request
    const told = mayGoOn ? notification : cancelling(asked.request, 'The client gave it up.')
    asked.isCancelled = true
    this.#options.onCancelled?.(idKey)
    this.#waits?.stop(idKey)
    // A batch has nothing more to wait for.
    this.#batches.get(idKey)?.without(idKey)
    const cancel = (): void | Promise<void> => {
      if (!asked.isWritten || told === null) return undefined
      toServer(told.text, told)
      // Servers need not answer what was cancelled; whether it ran is not known.
      if (this.#asked.get(idKey) !== asked) return undefined
      this.#asked.delete(idKey)
      this.#patience.end(idKey)
      this.#asked.giveUp(idKey)
      return asked.allowed?.settle('cancelled')
    }
    void this.#unfinished.follow(asked.judged === null ? cancel() : asked.judged.then(cancel))
  }

  /** What the person or the model behind the client answers a server. */
  #clientAnswer(response: Response): void {
    const { idKey } = response
    if (this.#waits?.answered(response) === true) return
    const question = idKey === null ? null : this.#askedByServer.take(idKey)
    if (question !== null)
      void this.#unfinished.follow(answerGoesOn(this.#options, this.#caller, response, question))
  }

  #serverAnswer(response: Response): void | Promise<void> {
    const { idKey, outcome, body } = response
    const asked = idKey === null ? undefined : this.#asked.get(idKey)
    if (idKey === null || asked === undefined) {
      if (idKey !== null && this.#asked.wasGivenUp(idKey)) return undefined
      this.#options.log.warn('the server answered what nobody asked', {})
      const meant = idKey === null ? undefined : this.#asked.meantBy(idKey)
      if (meant !== undefined) this.serverFailed(meant.request.idKey, 'lost', UNLIKE_ID)
      return undefined
    }
    this.#asked.delete(idKey)
    this.#patience.end(idKey)
    const { allowed, method, idText, name } = asked
    const isResult = outcome === 'result'
    if (allowed !== null) void this.#unfinished.follow(allowed.settle(endOf(response), body.value))
    if (asked.isCancelled) return undefined
    if (method === 'initialize' && isResult) this.#hasBatches = agreesOnBatches(body)
    return this.#words.answer(response, {
      idText,
      name: allowed?.tool ?? name,
      isList: isResult && method.endsWith('/list'),
      judge: allowed?.judgeResult ?? null,
      isCall: method === 'tools/call',
      asked,
    })
  }

  /** @param isAnswer false for what comes with a request and is not its answer */
  #toClient(text: string, about: string | null, isAnswer = true): void {
    const batch = isAnswer && about !== null ? this.#batches.get(about) : undefined
    if (about === null || batch === undefined) this.#options.toClient(text, about)
    else batch.add(about, text)
  }

  /** How the client calls itself: recorded, never trusted. */
  #introduced(params: Part | null): void {
    const { capabilities, name } = introductionIn(params)
    this.#capabilities = capabilities
    if (name !== null) this.#caller = { ...this.#caller, client: name }
  }
}
