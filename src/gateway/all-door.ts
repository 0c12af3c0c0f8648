import {
  errorAnswer,
  type Frames,
  META,
  type Message,
  type Notification,
  type Request,
  RPC_ERRORS,
  readFrames,
  refusalAnswer,
  ToolHeaders,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { KINDS } from './all-lists.ts'
import { TakenBack, type Way } from './all-member.ts'
import { ChangeNotices } from './all-notices.ts'
import { type AdmittedToAll, AllOpens, type AllOpensOptions, type Open } from './all-opens.ts'
import { answerAll, introducedBy } from './all-requests.ts'
import { LIST_MS } from './all-servers.ts'
import { BATCHES_OF, type Batch, NO_BATCH, takeBatch } from './batch.ts'
import { EventStream } from './event-stream.ts'
import {
  accepts,
  checkSentOn,
  type DoorRequest,
  type DoorResponse,
  frameOf,
  type KnockOf,
  letIn,
  refuse,
  type SendOn,
  type Taken,
  takenBy,
} from './http-request.ts'
import { traced } from './http-trace.ts'
import {
  capabilitiesOf,
  headerOf,
  MODERN,
  modernProblem,
  toolHeadersProblem,
  withoutTasks,
} from './modern-problem.ts'
import type { OpenOfOwners } from './open-of-owners.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import { cancelledBy, saidTo } from './relay-messages.ts'
import { MAY_PAUSE } from './relay-rounds.ts'
import { type Rounds, whoOf } from './rounds.ts'
import { isObject } from './tool-call.ts'

export interface AllDoorOptions extends AllOpensOptions {
  /** Where calls go on in which a server asked something. */
  readonly rounds: Rounds
  readonly sendOn: SendOn
  /** Where the others of the store find this endpoint. */
  readonly path: string
  readonly version: string
  readonly hostnames: readonly string[]
  readonly maxMessageBytes: number
  /** Requests that callers have open, here and at the other doors. */
  readonly open: OpenOfOwners
}

const NO_HEADERS = new ToolHeaders()
const NO_FORM = 'Accept must name application/json or text/event-stream.'
/** What a listener may ask to be told of. */
const WANTED: Readonly<Record<string, string>> = {
  toolsListChanged: KINDS.tools.changed,
  promptsListChanged: KINDS.prompts.changed,
  resourcesListChanged: KINDS.resources.changed,
}

/**
 * Every server that a caller may reach behind one endpoint, `/mcp/all`. A client with a session has servers of its own,
 * which are told what it can do and may ask it; those of the later revisions share servers with whoever declares the
 * same. Who shows no session, or one that is not there any more, is served as one who can do nothing.
 */
export class AllDoor {
  readonly #options: AllDoorOptions
  readonly #hostnames: ReadonlySet<string>
  readonly #opens: AllOpens

  constructor(options: AllDoorOptions) {
    this.#options = options
    this.#hostnames = new Set(options.hostnames)
    this.#opens = new AllOpens(options)
  }

  async handle(knock: KnockOf<AdmittedToAll>): Promise<void> {
    const { log } = this.#options
    const { request, response } = knock
    await letIn(knock, { hostnames: this.#hostnames, log }, (admitted) =>
      this.#admitted(request, response, admitted),
    )
  }

  /** Resolves once all servers have ended. */
  async close(): Promise<void> {
    await this.#opens.close()
  }

  async #admitted(
    request: DoorRequest,
    response: DoorResponse,
    admitted: AdmittedToAll,
  ): Promise<void> {
    const version = headerOf(request, 'mcp-protocol-version')
    const isModern = version !== null && version >= MODERN
    if (request.method === 'GET' && !isModern && accepts(request, 'text/event-stream')) {
      this.#streams(response, this.#opens.ofClient(admitted, clientOf(request)))
      return
    }
    if (request.method === 'DELETE' && !isModern && clientOf(request) !== '') {
      if (this.#opens.endSession(admitted, clientOf(request))) response.writeHead(204).end()
      else refuse(response, 404, 'NOT_FOUND', 'There is no such session.')
      return
    }
    if (request.method !== 'POST') {
      refuse(response, 405, 'METHOD_NOT_ALLOWED', 'Messages are sent by POST.', { Allow: 'POST' })
      return
    }
    if (!this.#options.open.begin(admitted.owner, response)) return
    const frame = await frameOf(request, this.#options.maxMessageBytes)
    if (!Buffer.isBuffer(frame)) {
      sendJson(response, 400, refusalAnswer(frame))
      return
    }
    checkSentOn(frame, admitted.sentOn)
    const read = readFrames(frame)
    if (read.kind === 'refused') {
      sendJson(response, 400, refusalAnswer(read))
      return
    }
    if (read.kind === 'batch') {
      // Who shows no revision speaks the one that has batches: the later ones say which they are.
      const hasBatches = version === null || version === BATCHES_OF
      const form = takenBy(request)
      if (!hasBatches) sendJson(response, 400, errorAnswer('null', RPC_ERRORS.request, NO_BATCH))
      else if (form === null) refuse(response, 406, 'BAD_INPUT', NO_FORM)
      else this.#askedAll(read, form, request, response, admitted)
      return
    }
    const { message: told } = traced(request, { message: read, frame })
    const standsAlone = isModern || versionNamedBy(told) !== null
    // Nobody could ask here for a task that one of the servers made.
    const message = standsAlone ? withoutTasks(told) : told
    const problem = standsAlone ? modernProblem(request, message, NO_HEADERS) : null
    if (problem !== null) {
      sendJson(response, 400, problem)
      return
    }
    const client = standsAlone ? null : clientOf(request)
    if (message.kind !== 'request') {
      response.writeHead(202, { 'Content-Length': 0 }).end()
      if (client !== null) this.#told(message, client, admitted)
      return
    }
    const taken = takenBy(request)
    if (taken === null) {
      refuse(response, 406, 'BAD_INPUT', NO_FORM)
      return
    }
    const node = standsAlone ? this.#holderOf(message, admitted) : null
    if (node !== null) {
      const { sendOn, path } = this.#options
      // There it is found out anew what he may reach.
      const elsewhere = { ...admitted, reaches: [], passedOver: [] }
      if (await sendOn({ node, path, request, response, frame, admitted: elsewhere })) return
    }
    const isHello = client !== null && message.method === 'initialize'
    const id = isHello ? this.#opens.begin(admitted, introducedBy(message)) : client
    const pending = new PendingAnswer(response, {
      isModern: standsAlone,
      ...taken,
      name: null,
      headers: isHello && id !== null ? { 'Mcp-Session-Id': id } : {},
    })
    const open =
      id === null
        ? this.#opens.ofRequests(admitted, capabilitiesOf(message) ?? {})
        : this.#opens.ofClient(admitted, id)
    const mismatch = id === null ? toolHeadersProblem(request, message, open.all.tools) : null
    if (mismatch !== null) pending.answer(mismatch)
    else await this.#asked(message, pending, response, open, id, taken.takesStream)
  }

  /** The other process that alone can go on with a request, or null. */
  #holderOf(request: Request, { caller, reaches, sentOn }: AdmittedToAll): string | null {
    if (sentOn !== undefined || !MAY_PAUSE.has(request.method)) return null
    const { value } = request.params ?? {}
    if (!isObject(value) || value['requestState'] === undefined) return null
    for (const { server, grant } of reaches) {
      const of = { server: server.name, who: whoOf(caller, grant ?? undefined), revision: null }
      const node = this.#options.rounds.holderElsewhere(request, of)
      if (node !== null) return node
    }
    return null
  }

  /** What a client with a session answers, and says of its own accord. */
  #told(message: Message, client: string, admitted: AdmittedToAll): void {
    const open = this.#opens.known(admitted, client)
    if (open === null || message.kind === 'request') return
    if (message.kind === 'response') open.words?.answered(message)
    else if (message.method === 'notifications/cancelled') cancelled(message, client, open)
    else if (message.method === 'notifications/progress') open.words?.progressed(message)
    else if (message.method === 'notifications/roots/list_changed')
      open.words?.rootsChanged(open.all)
  }

  /** Each element by itself; their answers come together. */
  #askedAll(
    { messages }: Frames,
    form: Taken,
    request: DoorRequest,
    response: DoorResponse,
    admitted: AdmittedToAll,
  ): void {
    const client = clientOf(request)
    const open = this.#opens.ofClient(admitted, client)
    const batches = new Map<string, Batch>()
    const all: AbortController[] = []
    const pending = new PendingAnswer(response, {
      isModern: false,
      ...form,
      name: null,
      headers: {},
    })
    response.once('close', () => {
      for (const one of all) one.abort()
    })
    takeBatch(messages, batches, {
      isOpen: () => false,
      send: (text) => {
        if (text === null) pending.withdraw()
        else if (text.startsWith('[')) pending.answer(text)
        // As a whole it was refused before anything was said.
        else sendJson(response, 400, text)
      },
      take: (message) => {
        if (message.kind !== 'request') {
          this.#told(message, client, admitted)
          return
        }
        const { idKey } = message
        const gone = new AbortController()
        all.push(gone)
        const way = form.takesStream ? partOf(pending) : null
        void this.#answered(message, way, gone, open, client).then((answer) => {
          if (gone.signal.reason instanceof TakenBack) batches.get(idKey)?.without(idKey)
          else batches.get(idKey)?.add(idKey, answer)
        })
      },
    })
  }

  async #asked(
    request: Request,
    pending: PendingAnswer,
    response: DoorResponse,
    open: Open,
    client: string | null,
    takesStream: boolean,
  ): Promise<void> {
    if (request.method !== 'subscriptions/listen' || client !== null) {
      const way = takesStream ? pending : null
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const answer = await this.#answered(request, way, gone, open, client)
      if (gone.signal.reason instanceof TakenBack) pending.withdraw()
      else pending.answer(answer)
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
    way: Way | null,
    gone: AbortController,
    open: Open,
    client: string | null,
  ): Promise<string> {
    const { idText, idKey } = request
    const { all, admitted, listened, words } = open
    const isModern = client === null
    const key = askedBy(client ?? '', idKey)
    const alike = isModern ? null : (open.asked.get(key) ?? new Set())
    if (alike !== null) open.asked.set(key, alike.add(gone))
    if (way !== null) words?.opened(way)
    const left = (): void => {
      if (way !== null) words?.closed(way, false)
    }
    gone.signal.addEventListener('abort', left, { once: true })
    try {
      return await answerAll({
        request,
        all,
        listened,
        isModern,
        caller: admitted.caller,
        passedOver: admitted.passedOver,
        version: this.#options.version,
        way,
        signal: gone.signal,
      })
    } catch (error) {
      return errorAnswer(idText, RPC_ERRORS.internal, saidTo(error, null))
    } finally {
      gone.signal.removeEventListener('abort', left)
      if (way !== null) words?.closed(way, true)
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
    all.heed()
    const filter = isObject(params?.value) ? params.value['notifications'] : undefined
    const asked = isObject(filter) ? filter : {}
    const kinds = Object.keys(WANTED).filter((kind) => asked[kind] === true)
    const methods = new Set(kinds.map((kind) => WANTED[kind]))
    const uris = new Set<string>()
    const honoured: string[] = []
    // Those of servers that are still starting then are not among what it is told of.
    const signal = AbortSignal.timeout(LIST_MS)
    for (const one of new Set(listOf(asked['resourceSubscriptions'])))
      if (typeof one === 'string') {
        const uri = all.addressOf(one)
        if (uris.has(uri)) {
          honoured.push(one)
          continue
        }
        const isHeard = await all.subscribe(uri, admitted.caller, signal).then(
          () => true,
          () => false,
        )
        if (!isHeard) continue
        uris.add(uri)
        honoured.push(one)
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
      ...(uris.size > 0 && { resourceSubscriptions: honoured }),
    }
    pending.event(told('notifications/subscriptions/acknowledged', { notifications }))
    const changes = new ChangeNotices(pending)
    this.#opens.listen(open, (left) => response.once('close', left), {
      admitted,
      uris,
      way: null,
      tell: (notice) => {
        if (notice === null) pending.touch()
        else if (notice.uri === null) {
          if (methods.has(notice.method)) changes.tell(told(notice.method, {}))
        } else changes.tell(told(notice.method, { uri: notice.uri }))
      },
      end: () => pending.drop(),
    })
  }

  /** What clients with sessions are told: all of it, for here they have none. */
  #streams(response: DoorResponse, open: Open): void {
    const stream = new EventStream(null)
    stream.attach(response, {}, null)
    const changes = new ChangeNotices(stream)
    this.#opens.listen(open, (left) => response.once('close', left), {
      admitted: open.words === null ? open.admitted : null,
      uris: open.listened,
      way: stream,
      tell: (notice) => {
        if (notice === null) stream.touch()
        else if (notice.uri === null) changes.tell(`{"jsonrpc":"2.0","method":"${notice.method}"}`)
        else {
          const params = JSON.stringify({ uri: notice.uri })
          changes.tell(`{"jsonrpc":"2.0","method":"${notice.method}","params":${params}}`)
        }
      },
      end: () => stream.end(),
    })
  }
}

/** The way of one element of a batch: it ends with the element, and what carries it does not. */
function partOf(whole: Way): Way {
  return {
    event: (text) => whole.event(text),
    get isBehind() {
      return whole.isBehind
    },
    get waiting() {
      return whole.waiting
    },
    caughtUp: () => whole.caughtUp(),
    cut: () => whole.cut(),
  }
}

function cancelled(message: Notification, client: string, { asked }: Open): void {
  const idKey = cancelledBy(message)
  const alike = idKey === null ? undefined : asked.get(askedBy(client, idKey))
  // Of clients that cannot be told apart, neither ends what may be the other's.
  if (alike?.size === 1) for (const one of alike) one.abort(new TakenBack(message))
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
