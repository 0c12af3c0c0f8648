import { Few } from '../core/few.ts'
import { monotonicMs, sleep } from '../core/time.ts'
import {
  type Frames,
  type Message,
  type Notification,
  type Request,
  type Response,
  readMessage,
  versionNamedBy,
  withMembers,
} from '../mcp/wire/index.ts'
import { Leaving, type OutgoingStream } from '../net/index.ts'
import { BATCHES_OF } from './batch.ts'
import { EventLink } from './http-event-link.ts'
import {
  type Followed,
  type Heard,
  HttpWay,
  isEventStream,
  isJson,
  isNotUnderstood,
  Unanswered,
  unansweredBy,
  unansweredFor,
} from './http-exchange.ts'
import { listenTo, resume } from './http-get-streams.ts'
import { HttpPosts } from './http-posts.ts'
import { hasLostSession, isMismatch, isSessionGone } from './http-refusals.ts'
import { begunAgain, tellAgain, tellReady } from './http-renewal.ts'
import { headersOfSession, keepsPromise, type Session, sessionOf } from './http-session.ts'
import type { HttpUpstreamOptions } from './http-upstream-options.ts'
import { backOffMs } from './http-waits.ts'
import { whyLost } from './large-lines.ts'
import { StandingRequests } from './standing-requests.ts'

/** A request that is not answered yet. */
interface Exchange {
  readonly request: Request
  readonly isModern: boolean
  readonly leaving: Leaving
  isAnswered: boolean
  /** Whether the client told the server that it wants it no more. */
  isCancelled: boolean
  /** Whether the first stream ended without the answer. */
  isResumed: boolean
  /** Told of every message on its way to whoever asked, the answer among them. */
  onAnswer: ((answer: Response) => void) | null
}

/** For the end of a session. */
const END_MS = 2_000
/** Servers need not answer what was cancelled; so long they may. */
const CANCELLED_MS = 10_000

const UNLIKE = 'The server lost the session, and a new one is not like it: connect again.'

/**
 * One MCP server over HTTP, for one client: Streamable HTTP of both eras and HTTP with server-sent events. Messages go
 * as they are; what HTTP needs beside them (headers, sessions, streams that are opened anew) is made here.
 *
 * A session that the server lost is begun again behind the client's back when the server promises the same as before:
 * what was refused for it never ran and is sent again, nothing else is.
 */
export class HttpUpstream {
  readonly #options: HttpUpstreamOptions
  readonly #way: HttpWay
  readonly #closing = new AbortController()
  readonly #exchanges = new Few<Exchange>()
  readonly #posts: HttpPosts
  #session: Session | null = null
  #hello: Request | null = null
  /** A lost session in place of which the server promises something else. */
  #changed: Session | null = null
  #renewing: Promise<boolean> | null = null
  /** Ends of links one after another, none of which held for long. */
  #linkEnds = 0
  /** What a new session is told again. */
  readonly #standing = new StandingRequests()
  /** Resolves when the server knows that the client is ready: nothing overtakes that. */
  #ready: Promise<void> | null = null

  constructor(options: HttpUpstreamOptions) {
    this.#options = options
    this.#way = new HttpWay(options)
    this.#posts = new HttpPosts(this.#way, {
      answerMs: options.answerMs,
      closing: this.#closing.signal,
    })
  }

  /** Requests that are not answered. */
  get open(): number {
    return this.#exchanges.size
  }

  /**
   * Sends one message of the client.
   *
   * @param message what `text` was read as, where that is at hand
   */
  send(text: string, message: Message | null = null): void {
    const one = message?.text === text ? message : readMessage(text)
    switch (one.kind) {
      case 'refused':
        this.#options.log.error('a message could not be sent', { reason: one.message })
        return
      case 'request':
        this.#ask(one)
        return
      case 'notification':
        if (one.method === 'notifications/cancelled') this.#cancel(one)
        else if (one.method === 'notifications/initialized') this.#introducing(one)
        else void this.#tell(one)
        return
      case 'response':
        void this.#tell(one)
    }
  }

  /** Breaks off what is under way and ends the session at the server. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new Error('closed'))
    for (const { leaving } of this.#exchanges.values()) leaving.leave()
    const session = this.#session
    this.#session = null
    session?.link?.close()
    if (session?.id === null || session === null) return
    await this.#way
      .open({
        method: 'DELETE',
        headers: headersOfSession(session),
        deadlineMs: END_MS,
        idleMs: END_MS,
        signal: AbortSignal.timeout(END_MS),
      })
      .then(
        (answer) => answer.cancel(),
        () => {},
      )
  }

  #ask(request: Request): void {
    const exchange: Exchange = {
      request,
      isModern: versionNamedBy(request) !== null,
      leaving: new Leaving(),
      isAnswered: false,
      isCancelled: false,
      isResumed: false,
      onAnswer: null,
    }
    this.#exchanges.set(request.idKey, exchange)
    if (request.method === 'initialize') this.#follow(exchange, this.#introduce(exchange))
    else if (this.#ready === null) this.#begin(exchange)
    else
      this.#ready.then(
        () => this.#begin(exchange),
        (error: unknown) => this.#failed(exchange, error),
      )
  }

  /** Most requests are answered whole, by one message: then nothing is waited for but that. */
  #begin(exchange: Exchange): void {
    const { request, isModern, leaving } = exchange
    this.#standing.keep(request)
    const session = isModern ? null : this.#session
    if (session?.link != null) {
      this.#follow(exchange, this.#exchange(exchange, null))
      return
    }
    this.#posts.ask(request, session, leaving, {
      answered: (answer) => this.#answered(exchange, session, answer),
      failed: (error) => this.#failed(exchange, error),
    })
  }

  #answered(exchange: Exchange, session: Session | null, answer: OutgoingStream): void {
    try {
      const hearing =
        answer.status === 200
          ? this.#heardNow(answer, exchange, session)
          : this.#exchange(exchange, { answer, session })
      if (hearing instanceof Promise) this.#follow(exchange, hearing)
      else this.#over(exchange)
    } catch (error) {
      this.#failed(exchange, error)
    }
  }

  /** Most answers are there whole when they begin. */
  #heardNow(
    answer: OutgoingStream,
    exchange: Exchange,
    session: Session | null,
  ): void | Promise<void> {
    if (isJson(answer)) {
      const message = this.#way.messageNow(answer)
      if (message !== null) return this.#heard(message, exchange)
    } else if (isEventStream(answer)) {
      const followed = this.#way.followNow(answer, (message) => this.#hear(message, exchange))
      if (followed instanceof Promise)
        return followed.then((one) => this.#readStream(one, exchange, session))
      if (followed !== null)
        return exchange.isAnswered ? undefined : this.#readStream(followed, exchange, session)
    }
    return this.#exchange(exchange, { answer, session })
  }

  #follow(exchange: Exchange, work: Promise<void>): void {
    work.then(
      () => this.#over(exchange),
      (error: unknown) => this.#failed(exchange, error),
    )
  }

  #over(exchange: Exchange): void {
    if (exchange.isAnswered) this.#forget(exchange)
    else this.#failed(exchange, new Unanswered('lost', 'The server did not answer.'))
  }

  #failed(exchange: Exchange, error: unknown): void {
    const { request, isAnswered, leaving } = exchange
    if (!isAnswered && !leaving.isLeft) {
      const { end, message, status } = unansweredBy(error)
      this.#options.failed(request, end, message, status)
    }
    this.#forget(exchange)
  }

  #forget(exchange: Exchange): void {
    const { idKey } = exchange.request
    if (this.#exchanges.get(idKey) === exchange) this.#exchanges.delete(idKey)
  }

  /** @param first what the server answered, where it was asked already */
  async #exchange(
    exchange: Exchange,
    first: { readonly answer: OutgoingStream; readonly session: Session | null } | null,
  ): Promise<void> {
    const { request, isModern, leaving } = exchange
    const { signal } = leaving
    for (let renewals = 0; ; renewals += 1) {
      if (renewals > 0 && (exchange.isCancelled || leaving.isLeft))
        throw new Unanswered('never-sent', 'The request was cancelled.')
      const asked = renewals === 0 ? first : null
      const session = asked !== null ? asked.session : isModern ? null : this.#session
      if (session?.link != null) {
        if (await this.#exchangeOverLink(exchange, session.link, renewals)) return
        continue
      }
      const answer = asked?.answer ?? (await this.#posts.send(request, session, signal))
      const held = session !== null && session.id !== null ? session : null
      if (answer.status === 404 && held !== null && renewals === 0) {
        answer.cancel()
        await this.#mustRenew(held)
        continue
      }
      const mayLearn = isModern && request.method === 'tools/call'
      if (answer.status === 400 && (held !== null || mayLearn) && renewals === 0) {
        const refusal = await this.#way.refusal(answer)
        if (held !== null && isSessionGone(refusal)) {
          await this.#mustRenew(held)
          continue
        }
        const { message } = refusal
        if (mayLearn && isMismatch(message) && (await this.#posts.learnTools(request, signal)))
          continue
        await this.#hearRefusal(answer.status, message, exchange)
        return
      }
      await this.#read(answer, exchange, session)
      return
    }
  }

  /** @throws {Unanswered} the request was refused, and never ran */
  async #mustRenew(session: Session): Promise<void> {
    let why = UNLIKE
    try {
      if (await this.#renewed(session)) return
    } catch (error) {
      why = `The server lost the session, and began no other: ${unansweredBy(error).message}`
    }
    throw new Unanswered('refused-by-server', why)
  }

  /** @returns false when the request never reached the server and may be sent again */
  async #exchangeOverLink(exchange: Exchange, link: EventLink, round: number): Promise<boolean> {
    const { request, leaving } = exchange
    if (link.isOver) {
      if (round > 0 || this.#session === null)
        throw new Unanswered('never-sent', 'The stream of the server ended.')
      await this.#mustRenew(this.#session)
      return false
    }
    await link.exchange(request, this.#options.answerMs, leaving.signal)
    exchange.isAnswered = true
    return true
  }

  /** Takes the answer to a request from what HTTP answered. */
  async #read(answer: OutgoingStream, exchange: Exchange, session: Session | null): Promise<void> {
    const { status } = answer
    if (status < 200 || status > 299) {
      const refusal = isJson(answer) ? await this.#way.message(answer) : null
      answer.cancel()
      await this.#hearRefusal(status, refusal, exchange)
      return
    }
    if (isEventStream(answer)) {
      await this.#readStream(answer, exchange, session)
      return
    }
    const message = isJson(answer) ? await this.#way.message(answer) : null
    answer.cancel()
    if (message === null)
      throw new Unanswered('lost', 'The server accepted it and answered nothing.')
    await this.#heard(message, exchange)
  }

  #heard(said: Heard | Frames, exchange: Exchange): void | Promise<void> {
    return said.kind === 'batch' ? this.#heardAll(said, exchange) : this.#hear(said, exchange)
  }

  async #heardAll({ messages }: Frames, exchange: Exchange): Promise<void> {
    for (const one of messages) await this.#hear(one, exchange)
  }

  /** A refusal that is a message of the protocol is the answer; any other one is told by its status. */
  async #hearRefusal(
    status: number,
    refusal: Heard | Frames | null,
    exchange: Exchange,
  ): Promise<void> {
    const { request } = exchange
    if (refusal?.kind !== 'response' || refusal.outcome !== 'error') throw unansweredFor(status)
    // Who refuses before he reads gives it no id, or one that nobody chose; the connection tells whose it is.
    const isOurs = refusal.idKey === request.idKey
    const answer = isOurs ? refusal : readMessage(withMembers(refusal.text, { id: request.idText }))
    await this.#hear(answer.kind === 'response' ? { ...answer, status } : answer, exchange)
  }

  /** @param first the stream, or what is known of it where it was followed already */
  async #readStream(
    first: OutgoingStream | Followed,
    exchange: Exchange,
    session: Session | null,
  ): Promise<void> {
    const hear = (message: Heard): void | Promise<void> => this.#hear(message, exchange)
    const isDone = (): boolean => exchange.isAnswered
    const followed = 'status' in first ? await this.#way.follow(first, hear, isDone) : first
    if (isDone()) return
    // Modern streams are not resumed, nor is what nobody waits for.
    if (!exchange.isModern && !exchange.isCancelled) {
      exchange.isResumed = true
      const { signal } = exchange.leaving
      const idleMs = this.#options.answerMs
      await resume(this.#way, followed, { session, idleMs, signal, hear, isDone })
      if (isDone()) return
    }
    throw new Unanswered('lost', 'The stream of the server ended before the answer.')
  }

  #hear(message: Heard, exchange: Exchange): void | Promise<void> {
    const { request } = exchange
    let heard = message
    // It belongs to the one request that the connection is for.
    if (message.kind === 'refused' && message.isAnswer === true) {
      exchange.isAnswered = true
      this.#options.failed(request, 'lost', whyLost(message.message), null)
      return undefined
    }
    if (message.kind === 'response' && message.idKey === null)
      heard = readMessage(withMembers(message.text, { id: request.idText }))
    if (heard.kind === 'response') {
      // Who asked under another id is answered on a stream of his own; what is here may be somebody else's.
      if (heard.idKey !== request.idKey) {
        this.#options.log.warn('the server answered what nobody asked', {})
        return undefined
      }
      exchange.isAnswered = true
      exchange.onAnswer?.(heard)
      if (request.method === 'tools/list' && heard.outcome === 'result')
        this.#posts.tools.learn(heard.body.value)
    }
    return this.#options.hear(heard, request.idKey)
  }

  /** `initialize`: the client begins, or begins again. */
  async #introduce(exchange: Exchange): Promise<void> {
    const { request, leaving } = exchange
    const old = this.#session
    this.#session = null
    this.#way.hasBatches = false
    old?.link?.close()
    this.#standing.clear()
    this.#hello = request
    const answer = await this.#posts.send(request, null, leaving.signal)
    if (isNotUnderstood(answer.status)) {
      const refusal = isJson(answer) ? await this.#way.message(answer) : null
      answer.cancel()
      const link = refusal?.kind === 'response' ? null : await this.#openLink()
      if (link === null) {
        await this.#hearRefusal(answer.status, refusal, exchange)
        return
      }
      await link.exchange(request, this.#options.answerMs, leaving.signal, (response) => {
        this.#begun(sessionOf(response, null, link))
      })
      exchange.isAnswered = true
      return
    }
    exchange.onAnswer = (response) => {
      if (response.outcome === 'result') this.#begun(sessionOf(response, answer.headers, null))
    }
    await this.#read(answer, exchange, null)
  }

  #begun(session: Session): void {
    this.#session = session
    this.#way.hasBatches = session.version === BATCHES_OF
    const begunAt = monotonicMs()
    void session.link?.ended.then(() => this.#renewLink(session, monotonicMs() - begunAt))
  }

  /** The way of 2024-11-05. @returns null when the server does not speak it either */
  #openLink(): Promise<EventLink | null> {
    return EventLink.open(this.#way, {
      hear: async (message) => this.#options.hear(message, null),
      hearAnswer: async (message, about) => this.#options.hear(message, about),
      signal: this.#closing.signal,
    })
  }

  #introducing(notification: Notification): void {
    const ready = this.#introduced(notification)
    this.#ready = ready
    void ready.finally(() => {
      if (this.#ready === ready) this.#ready = null
    })
  }

  async #introduced(notification: Notification): Promise<void> {
    await this.#tell(notification)
    const session = this.#session
    if (session !== null && session.link === null) void this.#listen(session)
  }

  /** A notification, or an answer of the client: nothing comes back. */
  async #tell(message: Notification | Response): Promise<void> {
    try {
      if (message.kind === 'notification') await this.#ready?.catch(() => {})
      const session = versionNamedBy(message) === null ? this.#session : null
      if (session?.link != null) {
        await session.link.tell(message)
        return
      }
      const answer = await this.#posts.send(message, session, this.#closing.signal)
      const held = session !== null && session.id !== null ? session : null
      const isGone = held !== null && (await hasLostSession(this.#way, answer))
      answer.cancel()
      if (isGone) await this.#renewed(held)
      else if (answer.status > 299) throw unansweredFor(answer.status)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#options.log.warn('a message did not reach the server', {
        reason: unansweredBy(error).message,
      })
    }
  }

  /** Modern servers see that nobody listens any more; older ones are told. */
  #cancel(notification: Notification): void {
    const { requestId } = (notification.params?.value ?? {}) as { readonly requestId?: unknown }
    const idKey = typeof requestId === 'string' ? `s${requestId}` : `n${String(requestId)}`
    const exchange = this.#exchanges.get(idKey)
    if (exchange?.isModern === true) {
      exchange.leaving.leave()
      return
    }
    void this.#tell(notification)
    if (exchange === undefined) return
    exchange.isCancelled = true
    if (exchange.isResumed) exchange.leaving.leave()
    else setTimeout(() => exchange.leaving.leave(), CANCELLED_MS).unref()
  }

  /** What a legacy server says of its own accord. */
  #listen(session: Session): Promise<void> {
    return listenTo(this.#way, {
      session,
      signal: this.#closing.signal,
      isCurrent: () => this.#isCurrent(session),
      hear: (message) => this.#options.hear(message, null),
      onLost: () => this.#renewed(session),
      log: this.#options.log,
    })
  }

  /** What the server says of its own accord is heard on a link alone: it is opened anew, though nobody asks anything. */
  async #renewLink(lost: Session, heldMs: number): Promise<void> {
    // One that breaks off again and again is begun again less and less often.
    if (heldMs > backOffMs(this.#linkEnds)) this.#linkEnds = 0
    for (let tries = 0; this.#isCurrent(lost); tries += 1) {
      this.#linkEnds += 1
      await sleep(backOffMs(this.#linkEnds), this.#closing.signal).catch(() => {})
      if (!this.#isCurrent(lost)) return
      await this.#renewed(lost).catch((error: unknown) => {
        const reason = unansweredBy(error).message
        const level = tries === 0 ? 'warn' : 'debug'
        this.#options.log[level]('a lost session could not be begun again', { reason })
      })
    }
  }

  /** Whether it is the session that counts, or may be begun again. */
  #isCurrent(session: Session): boolean {
    return this.#session === session && this.#changed !== session
  }

  /**
   * @returns whether there is a session in place of the one that was lost
   * @throws when the server gives none now
   */
  #renewed(lost: Session): Promise<boolean> {
    if (this.#session !== lost) return Promise.resolve(this.#session !== null)
    this.#renewing ??= this.#renew(lost).finally(() => {
      this.#renewing = null
    })
    return this.#renewing
  }

  async #renew(lost: Session): Promise<boolean> {
    const hello = this.#hello
    if (hello === null) return false
    const link = lost.link === null ? null : await this.#openLink()
    if (lost.link !== null && link === null)
      throw new Unanswered('never-sent', 'The stream of the server could not be opened.')
    const again = {
      posts: this.#posts,
      link,
      answerMs: this.#options.answerMs,
      signal: this.#closing.signal,
    }
    try {
      const session = await begunAgain(hello, again)
      // The client may be gone by now, or have begun again itself.
      if (this.#session !== lost) return this.#session !== null
      if (session === null)
        throw new Unanswered('refused-by-server', 'The server began no session.')
      // It was promised something else; only it can begin again.
      if (!keepsPromise(session.promise, lost.promise)) {
        this.#changed = lost
        // Who waits for this is told why first.
        setImmediate(() => this.#options.over?.(UNLIKE))
        return false
      }
      this.#options.renewed?.()
      await tellReady(session, again)
      if (this.#session !== lost) return this.#session !== null
      // The client counts on what it was told, however much more there is now.
      const renewed = { ...session, promise: lost.promise }
      this.#begun(renewed)
      if (link === null) void this.#listen(renewed)
      await tellAgain(renewed, this.#standing.all(), again, this.#options.log)
    } finally {
      if (this.#session?.link !== link) link?.close()
    }
    this.#options.log.info('a session that the server lost was begun again')
    return true
  }
}
