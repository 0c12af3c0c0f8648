import { randomUUID } from 'node:crypto'
import { Crowd } from '../core/crowd.ts'
import { asFault, Fault, isFault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { stopping } from '../core/stopping.ts'
import { type EpochMs, monotonicMs, systemClock } from '../core/time.ts'
import {
  errorAnswer,
  type Frames,
  type Refused,
  type Request,
  RPC_ERRORS,
  readFrames,
  refusalAnswer,
  versionNamedBy,
} from '../mcp/wire/index.ts'
import { NO_BATCH } from './batch.ts'
import type { CallPathOptions } from './call-path-options.ts'
import type { CallRecord } from './call-record.ts'
import { type Answering, DoorSession, type Posted, unopened } from './http-door-session.ts'
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
  takenBy,
} from './http-request.ts'
import { type Admitted, type MayComeBack, type Standing, Standings } from './http-standings.ts'
import { traced } from './http-trace.ts'
import type { KnownServers } from './known-servers.ts'
import type { MadeTasks } from './made-tasks.ts'
import type { MessageInspection } from './message-inspection.ts'
import type { GatewayMetrics } from './metrics.ts'
import {
  capabilitiesOf,
  headerOf,
  idTextOf,
  LEGACY,
  MODERN,
  modernProblem,
  rpcError,
} from './modern-problem.ts'
import { ModernRequest } from './modern-request.ts'
import type { OpenOfOwners } from './open-of-owners.ts'
import { sendJson } from './pending-answer.ts'
import type { CallRecorder } from './recording/recorder.ts'
import type { RegistryView } from './registry-view.ts'
import { holderElsewhere } from './relay-rounds.ts'
import { reviving } from './reviving-upstream.ts'
import type { Rounds } from './rounds.ts'
import type { SharedUpstream } from './shared-upstream.ts'
import { SharedUpstreams } from './shared-upstreams.ts'
import type { OpenUpstream } from './upstream.ts'

export interface HttpDoorOptions {
  readonly view: RegistryView
  readonly log: Log
  readonly record: () => Promise<CallRecord>
  /** Takes calls down whose policy says so. */
  readonly recorder: CallRecorder
  readonly metrics: GatewayMetrics
  readonly inspectionOf: (server: string) => MessageInspection
  /** Whom clients wait for whose calls a person has to allow. */
  readonly people?: CallPathOptions['people']
  /** Where calls go on in which a server asked something. Default: here alone. */
  readonly rounds?: Rounds
  /** Has another process answer. @returns false when it cannot be reached: nothing was answered */
  readonly sendOn?: SendOn
  /** Which calls made the tasks of servers. Default: its own, which no other process knows. */
  readonly tasks?: MadeTasks
  /** How the server is reached. */
  readonly upstreamOf: (server: ServerInfo, caller: Caller) => OpenUpstream
  /** Policies of a grant as of now, and until when; null when it, or who came with it, no longer counts. */
  readonly policiesOf: (
    admitted: Admitted,
    server: string,
  ) => Promise<(Pick<Admitted, 'policies' | 'until'> & MayComeBack) | null>
  /** Host names beside those of loopback under which this server is reached. */
  readonly hostnames: readonly string[]
  readonly maxMessageBytes: number
  readonly servers: KnownServers
  /** Requests that callers have open, here and at the other doors. */
  readonly open: OpenOfOwners
}

/** One request at the address of a server. */
export interface Knock extends KnockOf<Admitted> {
  /** Name of the server in the address. */
  readonly server: string
}

const TOUCH_MS = 15_000
/** How exactly the idle time of a server is kept. */
const LOOK_MS = 1_000
/** How exactly it is kept when rights end by themselves: that is no change of the store, which would tell of it. */
const ENDS_MS = 500
/** Of all callers together: each may be a process. */
const MAX_SESSIONS = 256
/** Of one grant; beyond that its own idle ones give way, never somebody else's. */
const MAX_OF_OWNER = 32

/**
 * The servers of the registry over HTTP, each at an address of its own: with sessions up to 2025-11-25, request by
 * request from 2026-07-28 on. Who calls is asked for every request; what goes through is judged by a relay.
 */
export class HttpDoor {
  readonly #options: HttpDoorOptions
  readonly #porter: { readonly hostnames: ReadonlySet<string>; readonly log: Log }
  readonly #sessions = new Map<string, DoorSession>()
  /** Sessions, and requests that stand alone. */
  readonly #here = new Crowd<DoorSession | ModernRequest>()
  /** Of sessions that are over, and whose servers are not. */
  readonly #ending = new Set<Promise<void>>()
  readonly #shared: SharedUpstreams
  readonly #standings: Standings
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #endView: () => void
  #isClosed = false

  constructor(options: HttpDoorOptions) {
    this.#options = options
    this.#porter = { hostnames: new Set(options.hostnames), log: options.log }
    this.#standings = new Standings(options)
    this.#shared = new SharedUpstreams(options.upstreamOf, options.log)
    this.#timers = [
      setInterval(() => this.#touch(), TOUCH_MS).unref(),
      setInterval(() => this.#endIdle(), LOOK_MS).unref(),
      setInterval(() => void this.#endExpired(), ENDS_MS).unref(),
    ]
    this.#endView = options.view.onChange(() => void this.#changed())
  }

  /** Sessions of clients that have them, by server. */
  sessionsByServer(): ReadonlyMap<string, number> {
    return counted([...this.#sessions.values()].map(({ server }) => server))
  }

  /** Servers that run for clients without sessions. */
  sharedByServer(): ReadonlyMap<string, number> {
    return counted(this.#shared.servers())
  }

  /** Answered at once where there is no promise, but for the server. */
  handle(knock: Knock): void | Promise<void> {
    return letIn(knock, this.#porter, (admitted) => this.#admitted(knock, admitted))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#endView()
    await Promise.all([
      ...this.#here.all().map((one) => one.close()),
      ...this.#ending,
      this.#shared.close(),
    ])
  }

  #admitted(knock: Knock, admitted: Admitted): void | Promise<void> {
    const { view } = this.#options
    const server = view.server(knock.server)
    return server === null
      ? view.serverNow(knock.server).then((found) => this.#asked(knock, admitted, found))
      : this.#asked(knock, admitted, server)
  }

  #asked(knock: Knock, admitted: Admitted, server: ServerInfo | null): void | Promise<void> {
    const { request, response } = knock
    if (server === null) {
      refuse(response, 404, 'NOT_FOUND', 'There is no such server.')
      return undefined
    }
    const id = headerOf(request, 'mcp-session-id')
    const version = headerOf(request, 'mcp-protocol-version')
    const isModern = version !== null && version >= MODERN
    switch (request.method) {
      case 'POST':
        return this.#posted(knock, admitted, server, isModern ? null : id)
      case 'GET':
      case 'DELETE':
        if (isModern || id === null) break
        return this.#ofSession(knock, admitted, id)
      default:
    }
    refuse(response, 405, 'METHOD_NOT_ALLOWED', 'Messages are sent by POST.', { Allow: 'POST' })
    return undefined
  }

  #posted(
    { request, response }: Knock,
    admitted: Admitted,
    server: ServerInfo,
    id: string | null,
  ): void | Promise<void> {
    const { owner } = admitted
    if (!this.#options.open.begin(owner, response)) return undefined
    const frame = frameOf(request, this.#options.maxMessageBytes)
    return frame instanceof Promise
      ? frame.then((read) => this.#framed(request, response, admitted, server, id, read))
      : this.#framed(request, response, admitted, server, id, frame)
  }

  #framed(
    request: DoorRequest,
    response: DoorResponse,
    admitted: Admitted,
    server: ServerInfo,
    id: string | null,
    frame: Buffer | Refused,
  ): void | Promise<void> {
    if (!Buffer.isBuffer(frame)) {
      sendJson(response, 400, refusalAnswer(frame))
      return undefined
    }
    checkSentOn(frame, admitted.sentOn)
    const message = readFrames(frame)
    if (message.kind === 'refused') {
      sendJson(response, 400, refusalAnswer(message))
      return undefined
    }
    const taken = takenBy(request)
    if (taken === null) {
      refuse(response, 406, 'BAD_INPUT', 'Accept must name application/json or text/event-stream.')
      return undefined
    }
    const shown = headerOf(request, 'mcp-protocol-version')
    if (message.kind === 'batch') {
      this.#batched(message, { response, ...taken }, admitted, server, id, shown)
      return undefined
    }
    const posted: Posted = { ...traced(request, { message, frame }), response, ...taken }
    const named = versionNamedBy(message)
    return id === null && (named !== null || (shown !== null && shown >= MODERN))
      ? this.#modern(request, posted, admitted, server)
      : this.#legacy(posted, admitted, server, id, shown)
  }

  #legacy(
    posted: Posted,
    admitted: Admitted,
    server: ServerInfo,
    id: string | null,
    version: string | null,
  ): void | Promise<void> {
    const { message, response } = posted
    const isHello = message.kind === 'request' && message.method === 'initialize'
    if (id === null && isHello) return this.#opened(posted, message, admitted, server)
    if (id === null) {
      sendJson(
        response,
        400,
        rpcError(idTextOf(message), RPC_ERRORS.request, 'Send initialize first.'),
      )
      return undefined
    }
    const session = this.#sessionAt(response, id, admitted, server, version, idTextOf(message))
    if (session === null) return undefined
    if (isHello) {
      sendJson(
        response,
        400,
        rpcError(message.idText, RPC_ERRORS.request, 'The session is open already.'),
      )
      return undefined
    }
    this.#cameBackTo(session, admitted)
    session.post(posted, admitted.caller)
    return undefined
  }

  /** Only what agreed on a revision that has them takes batches, and that was a session. */
  #batched(
    batch: Frames,
    way: Answering,
    admitted: Admitted,
    server: ServerInfo,
    id: string | null,
    version: string | null,
  ): void {
    const { response } = way
    if (id === null) {
      sendJson(response, 400, errorAnswer('null', RPC_ERRORS.request, NO_BATCH))
      return
    }
    const session = this.#sessionAt(response, id, admitted, server, version, 'null')
    if (session === null) return
    this.#cameBackTo(session, admitted)
    session.postAll(batch, way, admitted.caller)
  }

  /** @returns null when there is none that a message can be for: that was answered */
  #sessionAt(
    response: DoorResponse,
    id: string,
    admitted: Admitted,
    server: ServerInfo,
    version: string | null,
    idText: string,
  ): DoorSession | null {
    const refuseIt = (status: number, why: string): null => {
      sendJson(response, status, rpcError(idText, RPC_ERRORS.request, why))
      return null
    }
    const session = this.#sessionOf(id, admitted, server.name)
    if (session === null) return refuseIt(404, 'There is no such session.')
    if (version === null || LEGACY.has(version)) return session
    return refuseIt(400, `Unsupported protocol version '${version.slice(0, 32)}'.`)
  }

  async #opened(
    posted: Posted,
    hello: Request,
    admitted: Admitted,
    server: ServerInfo,
  ): Promise<void> {
    await this.#makeRoom(admitted.owner)
    if (this.#isClosed) throw stopping()
    const { log } = this.#options
    const id = randomUUID()
    const session = new DoorSession({
      id,
      owner: admitted.owner,
      server: server.name,
      caller: admitted.caller,
      ...this.#standings.ofSession(server, admitted, id),
      log,
      onOver: () => {
        this.#sessions.delete(id)
        this.#here.delete(session)
      },
    })
    this.#sessions.set(id, session)
    this.#here.add(session)
    try {
      const { upstreamOf, servers } = this.#options
      const { name } = server
      const { startMs } = servers.of(name).health
      const of = { server: name, startMs, log }
      await session.open(reviving(upstreamOf(server, admitted.caller), of))
    } catch (error) {
      const { code, message: reason } = asFault(error)
      log.error('a server could not be opened', { server: server.name, error: code, reason })
      await session.close()
      sendJson(posted.response, 200, unopened(hello.idText, error))
      return
    }
    session.post(posted, admitted.caller)
  }

  async #ofSession(
    { request, response, server }: Knock,
    admitted: Admitted,
    id: string,
  ): Promise<void> {
    const session = this.#sessionOf(id, admitted, server)
    if (session === null) {
      refuse(response, 404, 'NOT_FOUND', 'There is no such session.')
      return
    }
    if (request.method === 'DELETE') {
      await session.close()
      response.writeHead(204).end()
      return
    }
    if (!accepts(request, 'text/event-stream')) {
      refuse(response, 406, 'BAD_INPUT', 'Accept must name text/event-stream.')
      return
    }
    this.#cameBackTo(session, admitted)
    if (!session.listen(response, headerOf(request, 'last-event-id')))
      refuse(response, 409, 'CONFLICT', 'This session has a stream already.')
  }

  #sessionOf(id: string, { owner }: Admitted, server: string): DoorSession | null {
    const session = this.#sessions.get(id)
    return session !== undefined && session.owner === owner && session.server === server
      ? session
      : null
  }

  #modern(
    request: DoorRequest,
    posted: Posted,
    admitted: Admitted,
    server: ServerInfo,
  ): void | Promise<void> {
    const standing = this.#standings.ofRequest(server, admitted)
    const node = holderElsewhere(standing.path, admitted.caller, posted.message)
    const shared =
      node !== null && admitted.sentOn === undefined
        ? null
        : this.#shared.now(server, admitted, capabilitiesOf(posted.message))
    return shared === null
      ? this.#modernLater(request, posted, admitted, server, standing, node)
      : this.#alone(request, posted, admitted, standing, shared)
  }

  /** There is no such server open yet, or another process holds what the request is for. */
  async #modernLater(
    request: DoorRequest,
    posted: Posted,
    admitted: Admitted,
    server: ServerInfo,
    standing: Standing,
    node: string | null,
  ): Promise<void> {
    const { message, response, frame } = posted
    if (node !== null && admitted.sentOn === undefined) {
      const path = `/s/${server.name}/mcp`
      const elsewhere = { node, path, request, response, frame, admitted }
      if ((await this.#options.sendOn?.(elsewhere)) === true) return
    }
    const shared = await this.#shared.of(server, admitted, capabilitiesOf(message))
    await this.#alone(request, posted, admitted, standing, shared)
  }

  #alone(
    request: DoorRequest,
    posted: Posted,
    admitted: Admitted,
    { held, policiesNow, inspection, path }: Standing,
    shared: SharedUpstream,
  ): void | Promise<void> {
    const { message, response, frame, takesStream, prefersStream } = posted
    const { caller } = admitted
    const refusal = modernProblem(request, message, shared.tools, policiesNow)
    if (refusal !== null) {
      sendJson(response, 400, refusal)
      return undefined
    }
    const one = new ModernRequest({
      message,
      response,
      frame,
      takesStream,
      prefersStream,
      caller,
      admitted,
      policiesNow,
      inspection,
      path,
      log: this.#options.log,
      held,
      onOver: () => this.#here.delete(one),
    })
    this.#here.add(one)
    return one.go(shared)
  }

  /** Since when nobody may have used it. Monotonic milliseconds. */
  #idleBefore(server: string): number {
    return monotonicMs() - this.#options.servers.idleMs(server)
  }

  #cameBackTo(session: DoorSession, admitted: Admitted): void {
    session.admitted = admitted
    session.held.named = admitted.policies
  }

  /** @throws {Fault} `THROTTLED` when all that could give way is in use */
  async #makeRoom(owner: string): Promise<void> {
    const all = [...this.#sessions.values()]
    const own = all.filter((session) => session.owner === owner)
    const full = own.length >= MAX_OF_OWNER ? own : all.length >= MAX_SESSIONS ? all : null
    if (full === null) return
    const [idlest] = full
      .filter((session) => session.isIdle)
      .toSorted((a, b) => a.lastUsed - b.lastUsed)
    if (idlest === undefined)
      throw new Fault('THROTTLED', 'Too many sessions are open.', {
        details: { retryAfterSeconds: 10 },
      })
    await idlest.close()
  }

  #touch(): void {
    for (const session of this.#sessions.values()) session.touch()
    for (const one of this.#here.all()) if (one instanceof ModernRequest) one.touch()
  }

  #endIdle(): void {
    for (const session of this.#sessions.values())
      if (!session.isIdle) session.lastUsed = monotonicMs()
      else if (session.lastUsed < this.#idleBefore(session.server)) this.#end(session)
    this.#shared.endIdle((server) => this.#idleBefore(server))
  }

  /** Rights that end by themselves are over for what was opened with them, too. */
  async #endExpired(): Promise<void> {
    const now = systemClock()
    for (const one of this.#here.all())
      if (hasEnded(one.admitted, now) && this.#here.has(one)) await this.#judgedAnew(one)
    await this.#shared.keepOf(
      async (admitted, server) =>
        !hasEnded(admitted, now) || (await this.#hasRights(admitted, server)),
    )
  }

  /** Rights changed: who no longer counts is let go, and who sees other tools now is told. */
  async #changed(): Promise<void> {
    const seen = new Set<object>()
    const others = () => this.#here.all().filter((one) => !seen.has(one))
    // Who came meanwhile may have been let in by what was read before.
    for (let found = others(); found.length > 0; found = others())
      for (const one of found) {
        if (this.#isClosed) return
        seen.add(one)
        if (this.#here.has(one)) await this.#judgedAnew(one)
      }
    this.#shared.keep((name, createdAt) => this.#isThere(name, createdAt))
    await this.#shared.keepOf((admitted, server) => this.#hasRights(admitted, server))
  }

  /** Who cannot be asked about now may have some: his next request is denied until he can be. */
  async #hasRights(admitted: Admitted, server: string): Promise<boolean> {
    try {
      return (await this.#options.policiesOf(admitted, server)) !== null
    } catch {
      return true
    }
  }

  async #judgedAnew(one: DoorSession | ModernRequest): Promise<void> {
    const { policiesOf, log } = this.#options
    const { held, admitted } = one
    const { server } = held
    try {
      const now = await policiesOf(admitted, server.name)
      // With what it came meanwhile is something else.
      if (one.admitted.caller !== admitted.caller) return await this.#judgedAnew(one)
      const isOver = now === null || (now.isOut && one instanceof ModernRequest)
      if (!isOver && this.#isThere(server.name, server.createdAt)) {
        const { policies, until, isOut } = now
        one.admitted = { ...admitted, policies, until }
        held.named = policies
        if (isOut && one instanceof DoorSession) one.hangUp()
        else one.policiesChanged()
      } else this.#drop(one)
    } catch (error) {
      log.warn('a session could not be judged anew', { error: codeOf(error) })
      // Nobody can say that it counts longer than was known.
      if (hasEnded(one.admitted, systemClock())) this.#drop(one)
    }
  }

  #drop(one: DoorSession | ModernRequest): void {
    if (one instanceof ModernRequest) one.drop()
    else this.#end(one)
  }

  /** It is over at once. Its server may take seconds to end, and nobody else waits for that. */
  #end(session: DoorSession): void {
    const ending = session
      .close()
      .catch((error: unknown) => {
        const { server } = session
        this.#options.log.warn('a session did not end well', { server, error: codeOf(error) })
      })
      .finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }

  /** What cannot be read now may be there: until it can be, every call of it is denied. */
  #isThere(name: string, createdAt: number): boolean {
    try {
      return this.#options.view.server(name)?.createdAt === createdAt
    } catch {
      return true
    }
  }
}

function hasEnded({ until }: Admitted, at: EpochMs): boolean {
  return until !== null && until <= at
}

function counted(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function codeOf(error: unknown): string {
  return isFault(error) ? error.code : 'INTERNAL'
}
