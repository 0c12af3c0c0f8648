import type { IncomingMessage, ServerResponse } from 'node:http'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'
import {
  errorAnswer,
  META,
  memberOf,
  type Request,
  RPC_ERRORS,
  readFrame,
  refusalAnswer,
  resultAnswer,
  ToolHeaders,
  versionNamedBy,
  withMembers,
} from '../mcp/wire/index.ts'
import { AllServers, type MemberParts, type PassedOver, type Reach } from './all-servers.ts'
import { EventStream } from './event-stream.ts'
import { accepts, frameOf, type KnockOf, letIn, refuse, takenBy } from './http-request.ts'
import { traced } from './http-trace.ts'
import { headerOf, LEGACY, MODERN, modernProblem } from './modern-problem.ts'
import { PendingAnswer, sendJson } from './pending-answer.ts'
import type { RegistryView } from './registry-view.ts'
import { saidTo } from './relay-messages.ts'
import { isObject, readToolCall, shownName } from './tool-call.ts'

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

/** Of one owner: his servers, and the connections on which he waits to be told of changes. */
interface Open {
  readonly all: AllServers
  admitted: AdmittedToAll
  readonly listening: Set<{ readonly tell: (changed: boolean) => void; readonly end: () => void }>
  /** What his calls were judged by when it was last looked at. */
  judgedBy: string
}

const TOUCH_MS = 15_000
const IDLE_MS = 5 * 60_000
const MAX_OWNERS = 64
const MAX_LISTENING = 32
const LIST_CHANGED = 'notifications/tools/list_changed'
const NO_HEADERS = new ToolHeaders()
/** What lists say of how long they may be kept, in milliseconds: policies change. */
const TTL_MS = 1_000

/** Every server that a caller may reach behind one endpoint, `/mcp/all`. It has no sessions in either era. */
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

  handle(knock: KnockOf<AdmittedToAll>): Promise<void> {
    const { log } = this.#options
    const { request, response } = knock
    return letIn(knock, { hostnames: this.#hostnames, log }, (admitted) =>
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
    request: IncomingMessage,
    response: ServerResponse,
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
    const read = readFrame(frame)
    if (read.kind === 'refused') {
      sendJson(response, 400, refusalAnswer(read))
      return
    }
    const { message } = traced(request, { message: read, frame })
    const standsAlone = isModern || versionNamedBy(message) !== null
    const problem = standsAlone ? modernProblem(request, message, NO_HEADERS) : null
    if (problem !== null) {
      sendJson(response, 400, problem)
      return
    }
    if (message.kind !== 'request') {
      response.writeHead(202, { 'Content-Length': 0 }).end()
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
      headers: {},
    })
    await this.#asked(message, pending, response, this.#openFor(admitted), standsAlone)
  }

  async #asked(
    request: Request,
    pending: PendingAnswer,
    response: ServerResponse,
    open: Open,
    isModern: boolean,
  ): Promise<void> {
    const { idText, method } = request
    try {
      switch (method) {
        case 'initialize':
          pending.answer(resultAnswer(idText, this.#greeting(request)))
          return
        case 'ping':
          pending.answer(resultAnswer(idText, {}))
          return
        case 'server/discover':
          pending.answer(resultAnswer(idText, this.#discovered()))
          return
        case 'tools/list':
          pending.answer(resultAnswer(idText, await this.#listed(open, isModern)))
          return
        case 'tools/call':
          pending.answer(await this.#called(request, pending, response, open, isModern))
          return
        case 'subscriptions/listen':
          if (isModern) {
            this.#listens(request, pending, response, open)
            return
          }
          break
        default:
      }
      pending.answer(errorAnswer(idText, RPC_ERRORS.method, 'Method not found'))
    } catch (error) {
      pending.answer(errorAnswer(idText, RPC_ERRORS.internal, saidTo(error, null)))
    }
  }

  #greeting({ params }: Request): object {
    const wanted = isObject(params?.value) ? params.value['protocolVersion'] : undefined
    return {
      protocolVersion: typeof wanted === 'string' && LEGACY.has(wanted) ? wanted : '2025-11-25',
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: 'sallyport', title: 'Sallyport', version: this.#options.version },
      instructions: INSTRUCTIONS,
    }
  }

  #discovered(): object {
    return {
      resultType: 'complete',
      supportedVersions: [MODERN],
      capabilities: { tools: { listChanged: true } },
      instructions: INSTRUCTIONS,
      ttlMs: TTL_MS,
      cacheScope: 'private',
      _meta: { [META.server]: { name: 'sallyport', version: this.#options.version } },
    }
  }

  async #listed({ all, admitted }: Open, isModern: boolean): Promise<object> {
    const { tools, passedOver } = await all.list(admitted.caller)
    const missing = [...admitted.passedOver, ...passedOver]
    return {
      ...(isModern && { resultType: 'complete', ttlMs: TTL_MS, cacheScope: 'private' }),
      tools,
      ...(missing.length > 0 && { _meta: { 'sallyport/passed-over': missing } }),
    }
  }

  async #called(
    request: Request,
    pending: PendingAnswer,
    response: ServerResponse,
    { all, admitted }: Open,
    isModern: boolean,
  ): Promise<string> {
    const read = readToolCall(request)
    if ('refused' in read) return refusalAnswer(read.refused)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { tool } = read.call
    const event = (text: string): void => pending.event(text)
    const answer = await all.call(request, tool, admitted.caller, event, gone.signal)
    if (answer === null)
      return errorAnswer(request.idText, RPC_ERRORS.params, `Unknown tool: ${shownName(tool)}`)
    const result = isModern ? memberOf(answer, 'result') : null
    return result?.startsWith('{') === true && memberOf(result, 'resultType') === null
      ? withMembers(answer, { result: withMembers(result, { resultType: '"complete"' }) })
      : answer
  }

  #listens(
    { idText, params }: Request,
    pending: PendingAnswer,
    response: ServerResponse,
    open: Open,
  ): void {
    const filter = isObject(params?.value) ? params.value['notifications'] : undefined
    const wantsTools = isObject(filter) && filter['toolsListChanged'] === true
    const told = (method: string, more: object): string =>
      `{"jsonrpc":"2.0","method":"${method}","params":{${JSON.stringify(more).slice(1, -1)}${Object.keys(more).length > 0 ? ',' : ''}"_meta":{${JSON.stringify(META.subscription)}:${idText}}}}`
    pending.begin()
    const notifications = wantsTools ? { toolsListChanged: true } : {}
    pending.event(told('notifications/subscriptions/acknowledged', { notifications }))
    this.#listening(open, response, {
      tell: (changed) => {
        if (!changed) pending.touch()
        else if (wantsTools) pending.event(told(LIST_CHANGED, {}))
      },
      end: () => pending.drop(),
    })
  }

  #streams(response: ServerResponse, open: Open): void {
    const stream = new EventStream(null)
    stream.attach(response, {}, null)
    this.#listening(open, response, {
      tell: (changed) => {
        if (changed) stream.push(`{"jsonrpc":"2.0","method":"${LIST_CHANGED}"}`)
        else stream.touch()
      },
      end: () => stream.end(),
    })
  }

  #listening(
    { listening }: Open,
    response: ServerResponse,
    one: { readonly tell: (changed: boolean) => void; readonly end: () => void },
  ): void {
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
      known.all.reach(admitted.reaches)
      return known
    }
    if (this.#open.size >= MAX_OWNERS) this.#makeRoom()
    const { partsOf, log } = this.#options
    const all = new AllServers((reach) => partsOf(admitted.owner, reach), log)
    all.reach(admitted.reaches)
    const judgedBy = this.#judgedBy(admitted.reaches)
    const open: Open = { all, admitted, listening: new Set(), judgedBy }
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
    for (const [owner, { all, listening }] of this.#open) {
      all.endIdle(before)
      for (const one of listening) one.tell(false)
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
        for (const one of open.listening) one.tell(true)
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

const INSTRUCTIONS =
  'Several servers stand behind this one. Their tools are called by SERVER.TOOL; which of them answers is said by the part before the dot.'
