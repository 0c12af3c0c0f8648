import type { CallOutcome } from '../audit/index.ts'
import { Crowd, type InCrowd } from '../core/crowd.ts'
import { Fault } from '../core/faults.ts'
import { Few } from '../core/few.ts'
import type { Log } from '../core/log.ts'
import {
  askedLevel,
  LOG_LEVELS,
  META,
  type Message,
  memberOf,
  type Notification,
  type Refused,
  type Request,
  type Response,
  readMessage,
  renamed,
  ToolHeaders,
  withMembers,
} from '../mcp/wire/index.ts'
import { type Reader, SlowReaders } from './slow-readers.ts'
import { isObject } from './tool-call.ts'
import type { OpenUpstream, Upstream } from './upstream.ts'

/** One who shares a server with others: what he hears is his alone, under the ids he chose. */
export interface SharerEars {
  hear(message: Message | Refused, about: string | null): void | Promise<void>
  failed(idKey: string, end: CallOutcome, why: string): void
  ended(how: string): void
  /** Who takes what is heard; null where nothing is kept for him. */
  readonly reader: Reader | null
}

export interface Sharer {
  send(text: string, message: Message | null): void
  leave(): void
}

/** One who has joined and has not left. */
interface Joined extends InCrowd {
  readonly ears: SharerEars
  /** His requests that are on their way. */
  open: number
}

const LOGGED = 'notifications/message'
const NOBODY: ReadonlySet<Joined> = new Set()

/** A request on its way, known to the server by an id of ours. */
interface Shared {
  readonly by: Joined
  readonly idKey: string
  readonly idText: string
  readonly method: string
  /** Under which the client is told of progress, as it was written; null when it asked for none. */
  readonly tokenText: string | null
  /** From which on the client wants to hear what the server logs. */
  readonly level: number
}

/**
 * One server for several requests that know nothing of each other, as in the revisions without sessions. On the way to
 * the server ids and tokens become our own, and on the way back the client's again; all else stays byte for byte.
 */
export class SharedUpstream {
  /** What tools of the server ask to be told in headers. */
  readonly tools = new ToolHeaders()
  readonly #open: OpenUpstream
  readonly #log: Log
  readonly #shared = new Few<Shared>()
  readonly #sharers = new Crowd<Joined>()
  readonly #slow = new SlowReaders()
  #upstream: Promise<Upstream> | null = null
  /** The same once it is there. */
  #started: Upstream | null = null
  #count = 0
  #joining = 0
  #isOver = false
  #isClosed = false

  constructor(open: OpenUpstream, log: Log) {
    this.#open = open
    this.#log = log
  }

  /** Whether nobody has anything to ask of it. */
  get isIdle(): boolean {
    return this.#joining + this.#sharers.size === 0
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the server is there. */
  get isOpen(): boolean {
    return this.#started !== null
  }

  /** @throws {Fault} when the server cannot be started, or was closed */
  async join(ears: SharerEars): Promise<Sharer> {
    this.#requireOpen()
    this.#upstream ??= this.#start()
    this.#joining += 1
    const upstream = await this.#upstream.finally(() => (this.#joining -= 1))
    this.#requireOpen()
    return this.#joined(upstream, ears)
  }

  /** As `join`, where the server is there already; else null. */
  joinNow(ears: SharerEars): Sharer | null {
    return this.#started === null ? null : this.#joined(this.#started, ears)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new Fault('NET_FAILED', 'The server ended.')
  }

  #joined(upstream: Upstream, ears: SharerEars): Sharer {
    const joined: Joined = { ears, open: 0, place: -1 }
    this.#sharers.add(joined)
    return {
      send: (text, message) => this.#send(upstream, joined, text, message),
      leave: () => {
        this.#sharers.delete(joined)
        if (joined.open === 0) return
        for (const [key, { by }] of this.#shared.entries()) if (by === joined) this.#taken(key)
      },
    }
  }

  /** Whoever waits is answered at once, however long the server takes to end. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#ended('it is not needed any more')
    const upstream = await this.#upstream?.catch(() => null)
    await upstream?.close()
  }

  async #start(): Promise<Upstream> {
    try {
      const upstream = await this.#open({
        hear: (message, about) => this.#hear(message, about),
        failed: (key, end, why) => {
          const one = this.#taken(key)
          one?.by.ears.failed(one.idKey, end, why)
        },
      })
      void upstream.ended.then((how) => this.#ended(how))
      if (this.#isOver) void upstream.close()
      else this.#started = upstream
      return upstream
    } catch (error) {
      this.#isOver = true
      throw error
    }
  }

  #ended(how: string): void {
    this.#isOver = true
    this.#started = null
    this.#slow.close()
    this.#shared.clear()
    for (const { ears } of this.#sharers.all()) ears.ended(how)
    this.#sharers.clear()
  }

  /** The request that was known by it, which is on its way no longer. */
  #taken(key: string): Shared | undefined {
    const one = this.#shared.get(key)
    if (one === undefined) return undefined
    this.#shared.delete(key)
    one.by.open -= 1
    return one
  }

  #send(upstream: Upstream, by: Joined, text: string, message: Message | null): void {
    if (message?.kind === 'request') {
      this.#count += 1
      by.open += 1
      const id = `g${this.#count}`
      const meta = metaOf(message)
      const tokenText =
        meta !== null && Object.hasOwn(meta, 'progressToken') ? progressToken(text) : null
      const { idKey, idText, method } = message
      this.#shared.set(`s${id}`, { by, idKey, idText, method, tokenText, level: askedLevel(meta) })
      this.#slow.othersCame()
      if (tokenText === null && message.text === text) {
        const sent = renamed(message, JSON.stringify(id), `s${id}`)
        // A greeting of the older revisions begins anew with the server; here it is a method like any other.
        upstream.send(sent.text, method === 'initialize' ? null : sent)
        return
      }
      const named = withMembers(text, { id: JSON.stringify(id) })
      upstream.send(tokenText === null ? named : withToken(named, JSON.stringify(id)), null)
      return
    }
    if (message?.kind === 'notification' && message.method === 'notifications/cancelled') {
      const id = this.#idOfCancelled(by, message)
      if (id !== null)
        upstream.send(
          withParams(text, (params) => withMembers(params, { requestId: id })),
          null,
        )
      return
    }
    upstream.send(text, message)
  }

  #idOfCancelled(by: Joined, { params }: Notification): string | null {
    const id = isObject(params?.value) ? params.value['requestId'] : undefined
    const idKey = typeof id === 'string' ? `s${id}` : `n${String(id)}`
    for (const [key, one] of this.#shared.entries())
      if (one.by === by && one.idKey === idKey) {
        this.#taken(key)
        return JSON.stringify(key.slice(1))
      }
    return null
  }

  #hear(message: Message | Refused, about: string | null): void | Promise<void> {
    if (message.kind === 'response') return this.#answered(message)
    if (message.kind === 'notification') return this.#notified(message, about)
    if (message.kind === 'request') return this.#askedBy(message, about)
    this.#log.warn('the server sent what is no message', { reason: message.message })
    return undefined
  }

  #tell(by: Joined, message: Message | Refused, about: string | null): void | Promise<void> {
    const hearing = by.ears.hear(message, about)
    return hearing instanceof Promise ? hearing.then(() => this.#caughtUp(by)) : this.#caughtUp(by)
  }

  #caughtUp(by: Joined): void | Promise<void> {
    const { reader } = by.ears
    return reader?.isBehind === true
      ? this.#slow.wait(reader, () => this.#shared.size > by.open)
      : undefined
  }

  #answered(message: Response): void | Promise<void> {
    const one = message.idKey === null ? undefined : this.#taken(message.idKey)
    if (one === undefined) {
      this.#log.warn('the server answered what nobody asked', {})
      return undefined
    }
    if (one.method === 'tools/list' && message.outcome === 'result')
      this.tools.learn(message.body.value)
    const answer = renamed(message, one.idText, one.idKey)
    return this.#tell(
      one.by,
      one.method === 'subscriptions/listen'
        ? readMessage(withSubscription(answer.text, one))
        : answer,
      one.idKey,
    )
  }

  async #notified(message: Notification, about: string | null): Promise<void> {
    const { value } = message.params ?? {}
    const token = isObject(value) ? value['progressToken'] : undefined
    const subscription = metaOf(message)?.[META.subscription]
    const named = message.method === 'notifications/progress' ? token : subscription
    const one = this.#shared.get(typeof named === 'string' ? `s${named}` : (about ?? ''))
    if (one === undefined) {
      if (named === undefined)
        for (const by of this.#waitingFor(message)) await this.#tell(by, message, null)
      return
    }
    const restored =
      named === undefined
        ? message.text
        : named === token && one.tokenText !== null
          ? withParams(message.text, (params) =>
              withMembers(params, { progressToken: one.tokenText }),
            )
          : withSubscription(message.text, one)
    const shown = restored === message.text ? message : readMessage(restored)
    await this.#tell(one.by, shown, one.idKey)
  }

  /** Who is told what does not say whose it is. */
  #waitingFor({ method, params }: Notification): ReadonlySet<Joined> {
    const said = isObject(params?.value) ? params.value['level'] : undefined
    const level = method === LOGGED ? LOG_LEVELS.indexOf(String(said)) : Number.POSITIVE_INFINITY
    const waiting = new Set<Joined>()
    for (const one of this.#shared.values()) if (one.level <= level) waiting.add(one.by)
    // What changed, everybody may know. All else is about what one of them asked, and others do not hear of it.
    return waiting.size > 1 && !method.endsWith('/list_changed') ? NOBODY : waiting
  }

  /** Servers of revisions with requests of their own are not shared, except where the request names whom it is for. */
  async #askedBy(message: Request, about: string | null): Promise<void> {
    const one = this.#shared.get(about ?? '')
    if (one === undefined)
      this.#log.warn('the server asked something that is for nobody', { method: message.method })
    else await this.#tell(one.by, message, one.idKey)
  }
}

function withParams(text: string, change: (params: string) => string): string {
  const params = memberOf(text, 'params')
  return params === null ? text : withMembers(text, { params: change(params) })
}

function metaOf({ params }: Request | Notification): Readonly<Record<string, unknown>> | null {
  const meta = isObject(params?.value) ? params.value['_meta'] : undefined
  return isObject(meta) ? meta : null
}

/** The token as it was written, so that the client gets the same back. */
function progressToken(text: string): string | null {
  const meta = memberOf(memberOf(text, 'params') ?? '{}', '_meta')
  return meta?.startsWith('{') === true ? memberOf(meta, 'progressToken') : null
}

function withToken(text: string, token: string): string {
  return withMeta(text, 'params', { progressToken: token })
}

function withMeta(
  text: string,
  part: 'params' | 'result',
  edits: Readonly<Record<string, string>>,
): string {
  const inner = memberOf(text, part)
  const meta = inner === null ? null : memberOf(inner, '_meta')
  if (inner === null || meta?.startsWith('{') !== true) return text
  return withMembers(text, { [part]: withMembers(inner, { _meta: withMembers(meta, edits) }) })
}

/** Subscriptions are known by the id of the request that opened them. */
function withSubscription(text: string, { idText }: Shared): string {
  const edits = { [META.subscription]: idText }
  return withMeta(withMeta(text, 'params', edits), 'result', edits)
}
