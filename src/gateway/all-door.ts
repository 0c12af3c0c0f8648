import { randomUUID } from 'node:crypto'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'
import {
  errorAnswer,
  type Frames,
  META,
  type Notification,
  type Request,
  RPC_ERRORS,
  readFrames,
  refusalAnswer,
  ToolHeaders,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { answerAll } from './all-requests.ts'
import {
  type AllNotice,
  AllServers,
  type MemberParts,
  type PassedOver,
  type Reach,
} from './all-servers.ts'
import { BATCHES_OF, type Batch, NO_BATCH, takeBatch } from './batch.ts'
import { EventStream } from './event-stream.ts'
import {
  accepts,
  type DoorRequest,
  type DoorResponse,
  frameOf,
  type KnockOf,
  letIn,
  refuse,
  takenBy,
} from './http-request.ts'
import { traced } from './http-trace.ts'
import { headerOf, MODERN, modernProblem } from './modern-problem.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import type { RegistryView } from './registry-view.ts'
import { cancelledBy, saidTo } from './relay-messages.ts'
import { isObject } from './tool-call.ts'

/** Who asks for all servers, and which they are. */
export interface AdmittedToAll {
  readonly caller: Caller
  /** What is open belongs to it: an agent, a local bearer. */
  readonly owner: string
  readonly reaches: readonly Reach[]
  /** Servers that he may reach in more ways than one, and so in none here. */
  readonly passedOver: readonly PassedOver[]
}

export interface AllDoorOptions {
  readonly view: RegistryView
  readonly log: Log
  readonly version: string
  readonly partsOf: (owner: string, reach: () => Reach) => MemberParts
  /** What somebody may reach as of now; null when he no longer counts. */
  readonly reachesOf: (admitted: AdmittedToAll) => Promise<readonly Reach[] | null>
  readonly hostnames: readonly string[]
  readonly maxMessageBytes: number
}

/** A connection on which somebody waits to be told. */
interface Listening {
  /** @param notice null: that the connection is not dead */
  readonly tell: (notice: AllNotice | null) => void
  readonly end: () => void
}

/** Of one owner: his servers, and the connections on which he waits to be told of changes. */
interface Open {
  readonly all: AllServers
  admitted: AdmittedToAll
  readonly listening: Set<Listening>
  /** What ends requests of clients with sessions that are not answered, by client and id. */
  readonly asked: Map<string, Set<AbortController>>
  /** Resources of which those among them that have sessions elsewhere want to be told. */
  readonly listened: Set<string>
  /** What his calls were judged by when it was last looked at. */
  judgedBy: string
  /** Monotonic milliseconds. */
  lastUsed: number
}

const TOUCH_MS = 15_000
const IDLE_MS = 5 * 60_000
const MAX_OWNERS = 64
const MAX_LISTENING = 32
const LIST_CHANGED = 'notifications/tools/list_changed'
const NO_HEADERS = new ToolHeaders()
/** What a listener may ask to be told of. */
const WANTED: Readonly<Record<string, string>> = {
  toolsListChanged: LIST_CHANGED,
  promptsListChanged: 'notifications/prompts/list_changed',
  resourcesListChanged: 'notifications/resources/list_changed',
}

/**
 * Every server that a caller may reach behind one endpoint, `/mcp/all`. It has no sessions in either era: the id that
 * older clients are given only tells one from another, whose ids of requests are the same.
 */
export class AllDoor {
  readonly #options: AllDoorOptions
  readonly #hostnames: ReadonlySet<string>
  readonly #open = new Map<string, Open>()
  readonly #timer: NodeJS.Timeout
  readonly #endView: () => void

  constructor(options: AllDoorOptions) {
    this.#options = options
    this.#hostnames = new Set(options.hostnames)
    this.#timer = setInterval(() => this.#sweep(), TOUCH_MS)
    this.#timer.unref()
    this.#endView = options.view.onChange(() => void this.#changed())
  }

  async handle(knock: KnockOf<AdmittedToAll>): Promise<void> {
    const { log } = this.#options
    const { request, response } = knock
    await letIn(knock, { hostnames: this.#hostnames, log }, (admitted) =>
      this.#admitted(request, response, admitted),
    )
  }

  close(): void {
    clearInterval(this.#timer)
    this.#endView()
    for (const open of this.#open.values()) this.#end(open)
    this.#open.clear()
  }

  async #admitted(
    request: DoorRequest,
    response: DoorResponse,
    admitted: AdmittedToAll,
  ): Promise<void> {
    const version = headerOf(request, 'mcp-protocol-version')
    const isModern = version !== null && version >= MODERN
    if (request.method === 'GET' && !isModern && accepts(request, 'text/event-stream')) {
      this.#streams(response, this.#openFor(admitted))
      return
    }
    if (request.method !== 'POST') {
      refuse(response, 405, 'METHOD_NOT_ALLOWED', 'Messages are sent by POST.', { Allow: 'POST' })
      return
    }
    const frame = await frameOf(request, this.#options.maxMessageBytes)
    if (!Buffer.isBuffer(frame)) {
      sendJson(response, 400, refusalAnswer(frame))
      return
    }
    const read = readFrames(frame)
    if (read.kind === 'refused') {
      sendJson(response, 400, refusalAnswer(read))
      return
    }
    if (read.kind === 'batch') {
      // Who shows no revision speaks the one that has batches: the later ones say which they are.
      const hasBatches = version === null || version === BATCHES_OF
      if (hasBatches) this.#askedAll(read, request, response, admitted)
      else sendJson(response, 400, errorAnswer('null', RPC_ERRORS.request, NO_BATCH))
      return
    }
    const { message } = traced(request, { message: read, frame })
    const standsAlone = isModern || versionNamedBy(message) !== null
    const problem = standsAlone ? modernProblem(request, message, NO_HEADERS) : null
    if (problem !== null) {
      sendJson(response, 400, problem)
      return
    }
    const client = standsAlone ? null : clientOf(request)
    if (message.kind !== 'request') {
      response.writeHead(202, { 'Content-Length': 0 }).end()
      if (message.kind === 'notification' && client !== null) this.#told(message, client, admitted)
      return
    }
    const taken = takenBy(request)
    if (taken === null) {
      refuse(response, 406, 'BAD_INPUT', 'Accept must name application/json or text/event-stream.')
      return
    }
    const pending = new PendingAnswer(response, {
      isModern: standsAlone,
      ...taken,
      name: null,
      headers:
        client !== null && message.method === 'initialize'
          ? { 'Mcp-Session-Id': randomUUID() }
          : {},
    })
    await this.#asked(message, pending, response, this.#openFor(admitted), client)
  }

  /** Of what clients with sessions say of their own accord, servers here hear that a request is cancelled. */
  #told(message: Notification, client: string, { owner }: AdmittedToAll): void {
    if (message.method !== 'notifications/cancelled') return
    const asked = this.#open.get(owner)?.asked.get(askedBy(client, cancelledBy(message)))
    // Of clients that cannot be told apart, neither ends what may be the other's.
    if (asked?.size === 1) for (const one of asked) one.abort()
  }

  /** Each element by itself; their answers come together. */
  #askedAll(
    { messages }: Frames,
    request: DoorRequest,
    response: DoorResponse,
    admitted: AdmittedToAll,
  ): void {
    const client = clientOf(request)
    const open = this.#openFor(admitted)
    const batches = new Map<string, Batch>()
    const all: AbortController[] = []
    response.once('close', () => {
      for (const one of all) one.abort()
    })
    takeBatch(messages, batches, {
      isOpen: () => false,
      send: (text) => {
        if (text !== null) sendJson(response, text.startsWith('[') ? 200 : 400, text)
        else response.writeHead(202, { 'Content-Length': 0 }).end()
      },
      take: (message) => {
        if (message.kind === 'notification') this.#told(message, client, admitted)
        if (message.kind !== 'request') return
        const { idKey } = message
        const gone = new AbortController()
        all.push(gone)
        void this.#answered(message, () => {}, gone, open, client).then((answer) =>
          batches.get(idKey)?.add(idKey, answer),
        )
      },
    })
  }

  async #asked(
    request: Request,
    pending: PendingAnswer,
    response: DoorResponse,
    open: Open,
    client: string | null,
  ): Promise<void> {
    if (request.method !== 'subscriptions/listen' || client !== null) {
      const tell = (text: string): void => pending.event(text)
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      pending.answer(await this.#answered(request, tell, gone, open, client))
      return
    }
    try {
      await this.#listens(request, pending, response, open)
    } catch (error) {
      pending.answer(errorAnswer(request.idText, RPC_ERRORS.internal, saidTo(error, null)))
    }
  }

  /**
   * @param gone ends it
   * @param client null for one of the revisions without sessions
   */
  async #answered(
    request: Request,
    event: (text: string) => void,
    gone: AbortController,
    open: Open,
    client: string | null,
  ): Promise<string> {
    const { idText, idKey } = request
    const { all, admitted, listened } = open
    const isModern = client === null
    const key = askedBy(client ?? '', idKey)
    const alike = isModern ? null : (open.asked.get(key) ?? new Set())
    if (alike !== null) open.asked.set(key, alike.add(gone))
    try {
      return await answerAll({
        request,
        all,
        listened,
        isModern,
        caller: admitted.caller,
        passedOver: admitted.passedOver,
        version: this.#options.version,
        event,
        signal: gone.signal,
      })
    } catch (error) {
      return errorAnswer(idText, RPC_ERRORS.internal, saidTo(error, null))
    } finally {
      alike?.delete(gone)
      if (alike?.size === 0) open.asked.delete(key)
    }
  }

  /** What is told on the connection of one request, until it closes (2026-07-28). */
  async #listens(
    { idText, params }: Request,
    pending: PendingAnswer,
    response: DoorResponse,
    open: Open,
  ): Promise<void> {
    const { all, admitted } = open
    const filter = isObject(params?.value) ? params.value['notifications'] : undefined
    const asked = isObject(filter) ? filter : {}
    const kinds = Object.keys(WANTED).filter((kind) => asked[kind] === true)
    const methods = new Set(kinds.map((kind) => WANTED[kind]))
    const uris = new Set<string>()
    for (const uri of listOf(asked['resourceSubscriptions']))
      if (typeof uri === 'string' && !uris.has(uri)) {
        const isHeard = await all.subscribe(uri, admitted.caller).then(
          () => true,
          () => false,
        )
        if (isHeard) uris.add(uri)
      }
    const leave = (): void => {
      for (const uri of uris) all.unsubscribe(uri)
    }
    if (response.destroyed) {
      leave()
      return
    }
    response.once('close', leave)
    const told = (method: string, more: object): string =>
      `{"jsonrpc":"2.0","method":"${method}","params":{${JSON.stringify(more).slice(1, -1)}${Object.keys(more).length > 0 ? ',' : ''}"_meta":{${JSON.stringify(META.subscription)}:${idText}}}}`
    pending.begin()
    const notifications = {
      ...Object.fromEntries(kinds.map((kind) => [kind, true])),
      ...(uris.size > 0 && { resourceSubscriptions: [...uris] }),
    }
    pending.event(told('notifications/subscriptions/acknowledged', { notifications }))
    this.#listening(open, response, {
      tell: (notice) => {
        if (notice === null) pending.touch()
        else if (notice.uri === null) {
          if (methods.has(notice.method)) pending.event(told(notice.method, {}))
        } else if (uris.has(notice.uri)) pending.event(told(notice.method, { uri: notice.uri }))
      },
      end: () => pending.drop(),
    })
  }

  /** What clients with sessions are told: all of it, for here they have none. */
  #streams(response: DoorResponse, open: Open): void {
    const stream = new EventStream(null)
    stream.attach(response, {}, null)
    this.#listening(open, response, {
      tell: (notice) => {
        if (notice === null) stream.touch()
        else if (notice.uri === null) stream.push(`{"jsonrpc":"2.0","method":"${notice.method}"}`)
        else if (open.listened.has(notice.uri)) {
          const params = JSON.stringify({ uri: notice.uri })
          stream.push(`{"jsonrpc":"2.0","method":"${notice.method}","params":${params}}`)
        }
      },
      end: () => stream.end(),
    })
  }

  #listening({ listening }: Open, response: DoorResponse, one: Listening): void {
    listening.add(one)
    response.once('close', () => listening.delete(one))
    if (listening.size <= MAX_LISTENING) return
    const [oldest] = listening
    if (oldest === undefined) return
    listening.delete(oldest)
    oldest.end()
  }

  /** @throws {Fault} `THROTTLED` */
  #openFor(admitted: AdmittedToAll): Open {
    const known = this.#open.get(admitted.owner)
    if (known !== undefined) {
      known.admitted = admitted
      known.lastUsed = monotonicMs()
      known.all.reach(admitted.reaches)
      return known
    }
    if (this.#open.size >= MAX_OWNERS) this.#makeRoom()
    const { partsOf, log } = this.#options
    const listening = new Set<Listening>()
    const all = new AllServers(
      (reach) => partsOf(admitted.owner, reach),
      log,
      (notice) => {
        for (const one of listening) one.tell(notice)
      },
    )
    all.reach(admitted.reaches)
    const judgedBy = this.#judgedBy(admitted.reaches)
    const open: Open = {
      all,
      admitted,
      listening,
      asked: new Map(),
      listened: new Set(),
      judgedBy,
      lastUsed: monotonicMs(),
    }
    this.#open.set(admitted.owner, open)
    return open
  }

  #makeRoom(): void {
    for (const [owner, open] of this.#open)
      if (open.all.size === 0 && open.listening.size === 0) {
        this.#open.delete(owner)
        return
      }
    throw new Fault('THROTTLED', 'Too many callers are served at once.', {
      details: { retryAfterSeconds: 10 },
    })
  }

  #sweep(): void {
    const before = monotonicMs() - IDLE_MS
    for (const [owner, { all, listening, listened, lastUsed }] of this.#open) {
      // Nobody is there who could be told.
      if (listening.size === 0 && lastUsed < before) {
        for (const uri of listened) all.unsubscribe(uri)
        listened.clear()
      }
      all.endIdle(before)
      for (const one of listening) one.tell(null)
      if (all.size === 0 && listening.size === 0) this.#open.delete(owner)
    }
  }

  async #changed(): Promise<void> {
    for (const [owner, open] of this.#open) {
      try {
        const reaches = await this.#options.reachesOf(open.admitted)
        if (reaches === null) {
          this.#open.delete(owner)
          this.#end(open)
          continue
        }
        open.all.reach(reaches)
        const judgedBy = this.#judgedBy(reaches)
        if (judgedBy === open.judgedBy) continue
        open.judgedBy = judgedBy
        for (const one of open.listening) one.tell({ method: LIST_CHANGED, uri: null })
      } catch (error) {
        this.#options.log.warn('a caller could not be judged anew', { error: asFault(error).code })
      }
    }
  }

  #judgedBy(reaches: readonly Reach[]): string {
    return JSON.stringify(
      reaches.map(({ server, grant, policies }) => [
        server.name,
        server.createdAt,
        grant,
        this.#options.view
          .policiesAt(server.name, policies)
          .map(({ name, revision }) => `${name} ${revision}`),
      ]),
    )
  }

  #end({ all, listening }: Open): void {
    for (const one of listening) one.end()
    all.close()
  }
}

/** The id that a client with sessions was given; none where it shows none. */
function clientOf(request: DoorRequest): string {
  return headerOf(request, 'mcp-session-id') ?? ''
}

/** @param client the id that it was given; none for those that show none */
function askedBy(client: string, idKey: string): string {
  return `${client} ${idKey}`
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
