import { randomUUID } from 'node:crypto'
import { jsonDigest } from '../core/canonical-json.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { stopping } from '../core/stopping.ts'
import { type EpochMs, monotonicMs, systemClock } from '../core/time.ts'
import { isWithin } from '../mcp/wire/index.ts'
import { KINDS } from './all-lists.ts'
import type { AllMember, MemberOptions, Way } from './all-member.ts'
import { uriAtServer, uriOfAll } from './all-names.ts'
import {
  type AllNotice,
  AllServers,
  type MemberParts,
  type PassedOver,
  type Reach,
} from './all-servers.ts'
import { type AllIntroduction, AllWords } from './all-words.ts'
import type { MayComeBack } from './http-standings.ts'
import type { KnownServers } from './known-servers.ts'
import { Member } from './member.ts'
import { ModernMember } from './modern-member.ts'
import type { RegistryView } from './registry-view.ts'

/** Who asks for all servers, and which they are. */
export interface AdmittedToAll {
  readonly caller: Caller
  /** What is open belongs to it: an agent, a local bearer. */
  readonly owner: string
  readonly reaches: readonly Reach[]
  /** Servers that he may reach in more ways than one, and so in none here. */
  readonly passedOver: readonly PassedOver[]
  /** When some of that counts no longer, even if nothing changes, as far as is known. */
  readonly until: EpochMs | null
  /** Digest of the one message that another process let him in for. */
  readonly sentOn?: string
}

export interface AllOpensOptions {
  readonly view: RegistryView
  readonly servers: KnownServers
  readonly log: Log
  readonly partsOf: (admitted: AdmittedToAll, reach: () => Reach) => MemberParts
  /** What somebody may reach as of now, and until when; null when he no longer counts. */
  readonly reachesOf: (
    admitted: AdmittedToAll,
  ) => Promise<(Pick<AdmittedToAll, 'reaches' | 'passedOver' | 'until'> & MayComeBack) | null>
}

/** A connection on which somebody waits to be told. */
export interface Listening {
  /** With what he came; null in a session, whose client may come with something else later. */
  admitted: AdmittedToAll | null
  /** Resources of which it is told. */
  readonly uris: ReadonlySet<string>
  /** @param notice null: that the connection is not dead */
  readonly tell: (notice: AllNotice | null) => void
  /** For what servers ask and say of a session; null where there is none. */
  readonly way: Way | null
  readonly end: () => void
}

/** For one session, or for all requests of one caller that declare the same: the servers, and who waits to be told. */
export interface Open {
  readonly owner: string
  readonly all: AllServers
  admitted: AdmittedToAll
  readonly listening: Set<Listening>
  /** What ends requests of clients with sessions that are not answered, by client and id. */
  readonly asked: Map<string, Set<AbortController>>
  /** Resources of which those among them that have sessions elsewhere want to be told. */
  readonly listened: Set<string>
  /** What servers say to the client of a session; null where there is none. */
  readonly words: AllWords | null
  /** Which servers there were, and what calls of them were judged by, when it was last looked at. */
  reached: string
  judgedBy: string
  /** Monotonic milliseconds. */
  lastUsed: number
  /** Nobody finds it any more. */
  isOver: boolean
}

const TOUCH_MS = 15_000
/** How exactly the idle time of a server is kept. */
const LOOK_MS = 1_000
/** How exactly it is kept when rights end by themselves: that is no change of the store, which would tell of it. */
const ENDS_MS = 500
/** For how long resources are listened to while nobody is there who could be told. */
const UNHEARD_MS = 5 * 60_000
/** A session is remembered longer than its servers run. */
const SESSION_MS = 60 * 60_000
/** Of all callers together: each may be a process for each of its servers. */
const MAX_OPEN = 256
/** Of one caller; beyond that its own idle ones give way, never somebody else's. */
const MAX_OF_OWNER = 32
const MAX_LISTENING = 32
/** What is told when there are other servers. */
const LISTS_CHANGED = new Set(Object.values(KINDS).map(({ changed }) => changed))

/** What is open at the endpoint of all servers. */
export class AllOpens {
  readonly #options: AllOpensOptions
  readonly #open = new Map<string, Open>()
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #endView: () => void
  /** Servers of what nobody finds any more. */
  readonly #ending = new Set<Promise<void>>()
  #isClosed = false

  constructor(options: AllOpensOptions) {
    this.#options = options
    this.#timers = [
      setInterval(() => this.#touch(), TOUCH_MS).unref(),
      setInterval(() => this.#endIdle(), LOOK_MS).unref(),
      setInterval(() => void this.#judgedAnew(hasEnded), ENDS_MS).unref(),
    ]
    this.#endView = options.view.onChange(() => void this.#judgedAnew(() => true))
  }

  /** Resolves once all servers have ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#endView()
    for (const key of this.#open.keys()) this.#end(key)
    await Promise.all(this.#ending)
  }

  /** A client begins a session. @returns its id @throws {Fault} `THROTTLED`, `STOPPING` */
  begin(admitted: AdmittedToAll, introduction: AllIntroduction): string {
    const id = randomUUID()
    const listening = new Set<Listening>()
    const words = new AllWords(introduction, () => [...listening].at(-1)?.way ?? null)
    this.#opened(
      sessionKey(admitted, id),
      admitted,
      listening,
      words,
      (of) => new Member(of, words),
    )
    return id
  }

  /** That of a session, or of all who have none, where no session has this id. @throws {Fault} `THROTTLED`, `STOPPING` */
  ofClient(admitted: AdmittedToAll, id: string): Open {
    return (
      this.known(admitted, id) ??
      this.#opened(noSession(admitted), admitted, new Set(), null, (of) => new Member(of))
    )
  }

  /** The same, where it is open. */
  known(admitted: AdmittedToAll, id: string): Open | null {
    const session = id === '' ? null : this.#known(sessionKey(admitted, id), admitted)
    return session ?? this.#known(noSession(admitted), admitted)
  }

  /** That of requests which stand alone and declare this. @throws {Fault} `THROTTLED`, `STOPPING` */
  ofRequests(admitted: AdmittedToAll, declared: object): Open {
    const key = JSON.stringify([admitted.owner, 'modern', jsonDigest(declared)])
    return (
      this.#known(key, admitted) ??
      this.#opened(key, admitted, new Set(), null, (of) => new ModernMember(of, declared))
    )
  }

  /** Ends a session. @returns whether there was one */
  endSession(admitted: AdmittedToAll, id: string): boolean {
    return this.#end(sessionKey(admitted, id))
  }

  /** @param onClose told when nobody is there any more */
  listen(open: Open, onClose: (left: () => void) => void, one: Listening): void {
    const { listening } = open
    if (open.isOver) {
      one.end()
      return
    }
    listening.add(one)
    onClose(() => listening.delete(one))
    if (listening.size <= MAX_LISTENING) return
    const [oldest] = listening
    if (oldest === undefined) return
    listening.delete(oldest)
    oldest.end()
  }

  #known(key: string, admitted: AdmittedToAll): Open | null {
    const known = this.#open.get(key)
    if (known === undefined) return null
    known.admitted = admitted
    known.lastUsed = monotonicMs()
    known.all.reach(admitted.reaches)
    return known
  }

  #opened(
    key: string,
    admitted: AdmittedToAll,
    listening: Set<Listening>,
    words: AllWords | null,
    memberFor: (options: MemberOptions) => AllMember,
  ): Open {
    const { owner, reaches } = admitted
    if (this.#isClosed) throw stopping()
    this.#makeRoom(owner)
    const { partsOf, log } = this.#options
    const all = new AllServers({
      partsOf: (reach) => partsOf(admitted, reach),
      memberFor,
      log,
      onNotice: (notice) => {
        for (const one of whoHears(notice, [...listening])) one.tell(notice)
      },
    })
    all.reach(reaches)
    const open: Open = {
      owner,
      all,
      admitted,
      listening,
      asked: new Map(),
      listened: new Set(),
      words,
      reached: reachedOf(reaches),
      judgedBy: this.#judgedBy(reaches),
      lastUsed: monotonicMs(),
      isOver: false,
    }
    this.#open.set(key, open)
    return open
  }

  #makeRoom(owner: string): void {
    const all = [...this.#open]
    const own = all.filter(([, open]) => open.owner === owner)
    const full = own.length >= MAX_OF_OWNER ? own : all.length >= MAX_OPEN ? all : null
    if (full === null) return
    const [idlest] = full
      .filter(([, { all: servers, listening }]) => servers.isIdle && listening.size === 0)
      .toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed)
    if (idlest === undefined)
      throw new Fault('THROTTLED', 'Too many clients are served at once.', {
        details: { retryAfterSeconds: 10 },
      })
    this.#end(idlest[0])
  }

  #touch(): void {
    for (const { listening } of this.#open.values()) for (const one of listening) one.tell(null)
  }

  #endIdle(): void {
    const now = monotonicMs()
    const { servers } = this.#options
    for (const [key, open] of this.#open) {
      const { all, listening, listened, words, lastUsed } = open
      if (listening.size === 0 && lastUsed < now - UNHEARD_MS) {
        for (const uri of listened) all.unsubscribe(uri)
        listened.clear()
      }
      all.endIdle((server) => now - servers.idleMs(server))
      const keptMs = words === null ? TOUCH_MS : SESSION_MS
      if (all.size + listening.size === 0 && lastUsed <= now - keptMs) this.#forget(key, open)
    }
  }

  /** Rights changed, or ended by themselves. @param isDue of whom it is looked at what he may reach now */
  async #judgedAnew(isDue: (admitted: AdmittedToAll) => boolean): Promise<void> {
    for (const [key, open] of this.#open)
      try {
        for (const one of open.listening) await this.#listenerJudged(one, open, isDue)
        if (isDue(open.admitted)) await this.#openJudged(key, open)
      } catch (error) {
        this.#options.log.warn('a caller could not be judged anew', { error: asFault(error).code })
        // Nobody can say that it counts longer than was known.
        if (hasEnded(open.admitted)) this.#end(key)
      }
  }

  /** Whoever shares what is open with others ends when what he came with does, not when theirs does. */
  async #listenerJudged(
    one: Listening,
    { admitted: last, listening }: Open,
    isDue: (admitted: AdmittedToAll) => boolean,
  ): Promise<void> {
    const { admitted } = one
    if (admitted === null || admitted.caller === last.caller || !isDue(admitted)) return
    const now = await this.#options.reachesOf(admitted)
    one.admitted = { ...admitted, ...now }
    if ((now === null || now.isOut) && listening.delete(one)) one.end()
  }

  async #openJudged(key: string, open: Open): Promise<void> {
    const { admitted } = open
    const now = await this.#options.reachesOf(admitted)
    // With what he came meanwhile is something else.
    if (open.admitted.caller !== admitted.caller) return this.#openJudged(key, open)
    if (open.isOver) return undefined
    if (now === null) {
      const other = dropLast(open)
      if (other === null) {
        this.#end(key)
        return undefined
      }
      open.admitted = other
      return this.#openJudged(key, open)
    }
    if (now.isOut) dropLast(open)
    const { reaches, passedOver, until } = now
    open.admitted = { ...admitted, reaches, passedOver, until }
    open.all.reach(reaches)
    const reached = reachedOf(reaches)
    const judgedBy = this.#judgedBy(reaches)
    const hasOthers = reached !== open.reached
    if (!hasOthers && judgedBy === open.judgedBy) return undefined
    open.reached = reached
    open.judgedBy = judgedBy
    // Policies take out tools and nothing else.
    for (const method of hasOthers ? LISTS_CHANGED : [KINDS.tools.changed])
      for (const one of open.listening) one.tell({ method, uri: null, isListenedTo: false })
  }

  #judgedBy(reaches: readonly Reach[]): string {
    return JSON.stringify(
      reaches.map(({ server, policies }) =>
        this.#options.view
          .policiesAt(server.name, policies)
          .map(({ name, revision }) => `${name} ${revision}`),
      ),
    )
  }

  #end(key: string): boolean {
    const open = this.#open.get(key)
    if (open === undefined) return false
    this.#forget(key, open)
    for (const one of open.listening) one.end()
    const ending = open.all
      .close()
      .catch((error: unknown) => {
        this.#options.log.warn('servers did not end well', { error: asFault(error).code })
      })
      .finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
    return true
  }

  #forget(key: string, open: Open): void {
    open.isOver = true
    this.#open.delete(key)
  }
}

/**
 * Of a resource, whoever listens to it, or to what it is a part of. Some servers name parts otherwise; what is nobody's
 * by its address is told where only one client listens to that server, for nobody hears of what only others listen to.
 */
function whoHears(
  { uri, isListenedTo }: AllNotice,
  listening: readonly Listening[],
): readonly Listening[] {
  if (uri === null) return listening
  if (isListenedTo) return listening.filter(({ uris }) => isWithin(uri, uris))
  const server = uriOfAll(uriAtServer(uri)?.server ?? '', '')
  const near = listening.filter(({ uris }) => [...uris].some((one) => one.startsWith(server)))
  return new Set(near.map(({ uris }) => uris)).size === 1 ? near : []
}

function hasEnded({ until }: AdmittedToAll): boolean {
  return until !== null && until <= systemClock()
}

/** Ends who listens with what was shown last. @returns what one of the others came with, or null when there is none */
function dropLast({ admitted: last, listening }: Open): AdmittedToAll | null {
  let other: AdmittedToAll | null = null
  for (const one of listening)
    if (one.admitted !== null && one.admitted.caller !== last.caller) other = one.admitted
    else if (listening.delete(one)) one.end()
  return other
}

function reachedOf(reaches: readonly Reach[]): string {
  return JSON.stringify(reaches.map(({ server, grant }) => [server.name, server.createdAt, grant]))
}

function noSession({ owner }: AdmittedToAll): string {
  return JSON.stringify([owner])
}

function sessionKey({ owner }: AdmittedToAll, id: string): string {
  return JSON.stringify([owner, 'session', id])
}
