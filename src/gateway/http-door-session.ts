import { Fault } from '../core/faults.ts'
import { Few } from '../core/few.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'
import {
  errorAnswer,
  type Frames,
  type Message,
  type Refused,
  type Request,
  RPC_ERRORS,
  readMessage,
} from '../mcp/wire/index.ts'
import { OPEN_ID } from './batch.ts'
import { EventStream, eventPlace } from './event-stream.ts'
import type { DoorResponse, Taken } from './http-request.ts'
import type { Admitted, Held } from './http-standings.ts'
import { ListNotices } from './list-notices.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import { Relay } from './relay.ts'
import { progressTokenOf, saidTo } from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'
import { isObject } from './tool-call.ts'
import type { OpenUpstream, Upstream } from './upstream.ts'

export interface DoorSessionOptions extends Omit<RelayOptions, 'toClient' | 'toServer'> {
  readonly id: string
  /** To whom it belongs: nobody else finds it. */
  readonly owner: string
  readonly server: string
  readonly held: Held
  /** Called once, when it is over. */
  readonly onOver: () => void
}

/** The connection that waits for what HTTP answers, and in which form. */
export interface Answering extends Taken {
  readonly response: DoorResponse
}

/** One message of a client. */
export interface Posted extends Answering {
  readonly message: Message
  readonly frame: Buffer
}

/** What keys of batches begin with; those of requests begin with the kind of their ids. */
const BATCH = 'batch '

/** Streams whose answer was said, and that a client may still come back to. */
const MAX_LEFT = 16

/** What clients are told of changes, whatever they are asking just then. */
const UNSOLICITED =
  /list_changed$|^notifications\/resources\/updated$|^notifications\/elicitation\/complete$/

/**
 * One client of the revisions with sessions, and the server that was opened for it. Several requests may be open, each
 * with a connection of its own; what the server says of its own accord goes to the stream that the client keeps open.
 */
export class DoorSession {
  readonly id: string
  readonly owner: string
  readonly server: string
  readonly held: Held
  /** Among all that are open. */
  place = -1
  readonly #options: DoorSessionOptions
  readonly #relay: Relay
  /** By `idKey` of the request, or by the key of a batch. */
  readonly #pending = new Few<PendingAnswer>()
  /** Keys of the batches that requests came in, by `idKey`, until all of a batch are answered. */
  readonly #batchOf = new Map<string, string>()
  /** Requests whose progress is told under a token. */
  readonly #tokens = new Map<string, string>()
  readonly #onUntold = (text: string): void => this.#relay.untold(text)
  readonly #own = new EventStream('g', this.#onUntold)
  /** Streams of requests that were answered. */
  readonly #left = new Map<string, EventStream>()
  #streams = 0
  #opening: Promise<Upstream> | null = null
  #upstream: Upstream | null = null
  /** `idKey` of the first request, until it is answered. */
  #hello: string | null = null
  readonly #notices: ListNotices
  #isOver = false
  lastUsed = monotonicMs()

  constructor(options: DoorSessionOptions) {
    this.#options = options
    this.id = options.id
    this.owner = options.owner
    this.server = options.server
    this.held = options.held
    this.#notices = new ListNotices(options.policiesNow)
    this.#relay = new Relay({
      ...options,
      toClient: (text, about) => this.#toClient(text, about),
      toServer: (text, message) => this.#upstream?.send(text, message),
      onCancelled: (idKey) => this.#withdrawn(idKey),
    })
  }

  /** With what its client came last. */
  get admitted(): Admitted {
    return this.held.admitted
  }

  set admitted(admitted: Admitted) {
    this.held.admitted = admitted
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether nobody waits for anything and nobody listens. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && !this.#own.isAttached
  }

  /** @throws {Fault} when the server cannot be started, or the session was closed meanwhile */
  async open(openUpstream: OpenUpstream): Promise<void> {
    this.#opening = openUpstream({
      hear: (message, about) => this.#hear(message, about),
      failed: (idKey, end, why) => this.#relay.serverFailed(idKey, end, why),
      questionsLost: () => this.#relay.questionsLost(),
    })
    const upstream = await this.#opening
    if (this.#isOver) throw new Fault('NET_FAILED', 'The session is over.')
    this.#upstream = upstream
    void upstream.ended.then((how) => this.#ended(how))
  }

  /** One message of the client. */
  post(posted: Posted, caller: Caller): void {
    this.lastUsed = monotonicMs()
    this.#relay.calledBy(caller)
    const { message } = posted
    if (message.kind !== 'request') {
      posted.response.writeHead(202, { 'Content-Length': 0 }).end()
      this.#relay.take(message)
      return
    }
    const { idKey, idText } = message
    this.#notices.asked(message)
    const pending = this.#pendingAt(posted)
    if (this.#isOpen(idKey)) {
      pending.answer(errorAnswer(idText, RPC_ERRORS.request, OPEN_ID))
      return
    }
    this.#pending.set(idKey, pending)
    if (message.method === 'initialize') this.#hello = idKey
    this.#learnToken(message)
    this.#relay.take(message)
  }

  /** A batch of the client: its answers come together, as one list. */
  postAll(batch: Frames, answering: Answering, caller: Caller): void {
    this.lastUsed = monotonicMs()
    this.#relay.calledBy(caller)
    const pending = this.#pendingAt(answering)
    const key = `${BATCH}${this.#streams}`
    const ids: string[] = []
    this.#pending.set(key, pending)
    for (const one of batch.messages)
      if (one.kind === 'request' && !this.#isOpen(one.idKey)) {
        ids.push(one.idKey)
        this.#batchOf.set(one.idKey, key)
        this.#learnToken(one)
      }
    this.#relay.takeAll(batch, (text) => {
      this.#settled(key)
      for (const idKey of ids) {
        this.#batchOf.delete(idKey)
        this.#settled(idKey)
      }
      if (text === null) pending.withdraw()
      else if (text.startsWith('[')) pending.answer(text)
      // As a whole it was refused before anything was said.
      else sendJson(answering.response, 400, text, { 'Mcp-Session-Id': this.id })
      if (pending.isStreaming) this.#keep(pending.stream)
    })
  }

  #pendingAt({ response, takesStream, prefersStream }: Answering): PendingAnswer {
    this.#streams += 1
    return new PendingAnswer(response, {
      isModern: false,
      takesStream,
      prefersStream,
      // With the letter, no number is the name of the stream that is kept open.
      name: `r${this.#streams.toString(36)}`,
      headers: { 'Mcp-Session-Id': this.id },
      onUntold: this.#onUntold,
    })
  }

  #isOpen(idKey: string): boolean {
    return this.#pending.has(idKey) || this.#batchOf.has(idKey) || this.#relay.isOpen(idKey)
  }

  #learnToken(request: Request): void {
    const token = progressTokenOf(request)
    if (token !== undefined) this.#tokens.set(JSON.stringify(token), request.idKey)
  }

  /** The stream for what the server says of its own accord, or one that broke off. @returns false for a second one */
  listen(response: DoorResponse, lastEventId: string | null): boolean {
    this.lastUsed = monotonicMs()
    const place = eventPlace(lastEventId)
    const named = place === null ? null : this.#streamNamed(place.name)
    const stream = named ?? this.#own
    // Who comes back to a stream knows that its connection is gone, often before we do.
    if (named === null && stream.isAttached) return false
    const after = place !== null && place.name === stream.name ? place.number : null
    stream.attach(response, { 'Mcp-Session-Id': this.id }, after)
    return true
  }

  /** Nobody listens on any more who does not come anew; what was asked is answered. */
  hangUp(): void {
    for (const stream of [this.#own, ...this.#left.values()]) stream.hangUp()
  }

  /** The policies of the session may have changed, and with them the list of tools. */
  policiesChanged(): void {
    for (const text of this.#notices.changed()) this.#own.event(text)
  }

  /** Keeps connections from being taken for dead. */
  touch(): void {
    this.#own.touch()
    for (const pending of this.#pending.values()) pending.touch()
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#over()
    await this.#relay.serverEnded('the session is over')
    this.#own.end()
    for (const pending of this.#pending.values()) pending.drop()
    const upstream = await this.#opening?.catch(() => null)
    await upstream?.close()
  }

  #over(): void {
    this.#isOver = true
    this.#options.onOver()
  }

  async #ended(how: string): Promise<void> {
    if (this.#isOver) return
    this.#over()
    await this.#relay.serverEnded(how)
    this.#own.end()
  }

  #hear(message: Message | Refused, about: string | null): void | Promise<void> {
    const hearing = this.#relay.hear(message, about ?? this.#requestOf(message))
    return hearing instanceof Promise ? hearing.then(() => this.#caughtUp()) : this.#caughtUp()
  }

  /** Streams that are behind are waited for, so that the server is. */
  #caughtUp(): void | Promise<void> {
    if (this.#own.isBehind) return this.#waited()
    for (const one of this.#pending.values()) if (one.isBehind) return this.#waited()
    return undefined
  }

  async #waited(): Promise<void> {
    for (const one of this.#pending.values()) if (one.isBehind) await one.stream.caughtUp()
    if (this.#own.isBehind) await this.#own.caughtUp()
  }

  /** On a pipe nothing says to which request a message belongs; often there is only one. */
  #requestOf(message: Message | Refused): string | null {
    if (message.kind !== 'notification' && message.kind !== 'request') return null
    if (message.method === 'notifications/progress') {
      const { value } = message.params ?? {}
      const token = isObject(value) ? JSON.stringify(value['progressToken']) : ''
      return this.#tokens.get(token) ?? null
    }
    if (UNSOLICITED.test(message.method) || this.#pending.size !== 1) return null
    return this.#pending.keys()[0] ?? null
  }

  #toClient(text: string, about: string | null): void {
    const key = about === null ? null : (this.#batchOf.get(about) ?? about)
    const pending = key === null ? undefined : this.#pending.get(key)
    if (key === null || pending === undefined) {
      if (this.#own.isAttached || this.#pending.size === 0) this.#own.event(text)
      else this.#pending.values().at(-1)?.event(text)
      return
    }
    // The answers of a batch are gathered elsewhere.
    if (key.startsWith(BATCH) || this.#relay.isOpen(key)) {
      pending.event(text)
      return
    }
    this.#settled(key)
    pending.answer(this.#notices.shown(text, key, true).text ?? text)
    if (pending.isStreaming) this.#keep(pending.stream)
    if (key === this.#hello) this.#greeted(text)
  }

  /** A client whose first request is refused has nothing to go on with, and begins another session. */
  #greeted(answer: string): void {
    this.#hello = null
    const read = readMessage(answer)
    if (read.kind === 'response' && read.outcome === 'error') void this.close()
  }

  #withdrawn(idKey: string): void {
    const pending = this.#pending.get(idKey)
    if (pending === undefined) return
    this.#settled(idKey)
    pending.withdraw()
    if (pending.isStreaming) this.#keep(pending.stream)
  }

  #settled(about: string): void {
    this.#pending.delete(about)
    for (const [token, idKey] of this.#tokens) if (idKey === about) this.#tokens.delete(token)
  }

  /** A client that goes away has not cancelled: what is still said it may fetch, if it was given a place to go on from. */
  #streamNamed(name: string): EventStream | null {
    for (const one of this.#pending.values())
      if (one.isStreaming && one.stream.name === name) return one.stream
    return this.#left.get(name) ?? null
  }

  /** What was said on a connection may not have come to the other end. */
  #keep(stream: EventStream): void {
    if (stream.name === null) return
    this.#left.set(stream.name, stream)
    const [oldest] = this.#left.values()
    if (this.#left.size <= MAX_LEFT || oldest?.name == null) return
    this.#left.delete(oldest.name)
    oldest.forget()
  }
}

/** What a client is told whose request could not be taken to the server. */
export function unopened(idText: string, error: unknown): string {
  return errorAnswer(idText, RPC_ERRORS.internal, saidTo(error, null))
}
