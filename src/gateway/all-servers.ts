import { asFault, Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'
import {
  isWithin,
  type Notification,
  type Request,
  RPC_ERRORS,
  ToolHeaders,
} from '../mcp/wire/index.ts'
import {
  type AllKind,
  KINDS,
  type Listed,
  MAX_NAME,
  nameIn,
  underName,
  whole,
} from './all-lists.ts'
import {
  type AllMember,
  givenUp,
  type MemberOptions,
  unlessGivenUp,
  type Way,
} from './all-member.ts'
import { answerOfAll, uriAtServer, uriOfAll } from './all-names.ts'
import { isObject } from './tool-call.ts'

/** One server that a caller may reach, and under which grant. */
export interface Reach {
  readonly server: ServerInfo
  /** Id of the grant, or null for the local agent. */
  readonly grant: string | null
  /** Policies of the grant, beside those of the server. */
  readonly policies: readonly string[]
}

/** A server that is passed over, and why. */
export interface PassedOver {
  readonly server: string
  readonly reason: string
}

/** What a server tells of its own accord: that a list changed, or one resource. */
export interface AllNotice {
  readonly method: string
  readonly uri: string | null
  /** Whether somebody listens to this resource, or to what it is a part of. */
  readonly isListenedTo: boolean
}

/** Things of all servers, by the names that they have here. */
export interface AllOfKind {
  readonly items: readonly Listed[]
  readonly passedOver: readonly PassedOver[]
}

export type MemberParts = Omit<MemberOptions, 'onOver' | 'onNotice' | 'caller' | 'server'>

export interface AllServersOptions {
  /** How a server is reached and judged; what it is judged by may change. */
  readonly partsOf: (reach: () => Reach) => MemberParts
  /** A server, for the one client or the like clients that these are for. */
  readonly memberFor: (options: MemberOptions) => AllMember
  readonly log: Log
  /** Told of what a server says of its own accord. */
  readonly onNotice: (notice: AllNotice) => void
}

/** One request of a caller, on its way to one of the servers. */
export interface Asking {
  readonly request: Request
  readonly caller: Caller
  /** For what comes before the answer; null where nobody hears it. */
  readonly way: Way | null
  readonly signal: AbortSignal
}

/**
 * A server that does not list what it has in that time is passed over. One that is still starting goes on, and those who
 * were answered without it are told once it is there.
 */
export const LIST_MS = 20_000
/** A server that failed is not asked again before. */
const REST_MS = 5_000
const MAX_SUBSCRIPTIONS = 1_000

interface Held {
  readonly member: AllMember
  readonly key: string
  lastUsed: number
  /** Lists that were answered without it while it was starting. */
  readonly missedIn: Set<AllKind>
}

interface Failed {
  /** Of the one that did: another may have its name since. */
  readonly key: string
  readonly reason: string
  readonly at: number
}

/**
 * Every server that one caller may reach, as one: its tools and prompts are called by `SERVER.NAME`, its resources by
 * `mcp://SERVER/URI`. Each server is started when it is first needed, and one that is dead takes nothing from the others.
 */
export class AllServers {
  readonly #options: AllServersOptions
  readonly #held = new Map<string, Held>()
  readonly #reaches = new Map<string, Reach>()
  readonly #failed = new Map<string, Failed>()
  /** By server and the address there: how many listen. */
  readonly #subscribed = new Map<string, Map<string, number>>()

  /** What tools want to be told in headers, by the names that they have here; of those that a list named. */
  readonly tools = new ToolHeaders()
  #isClosed = false
  /** Whether somebody listens for changes. */
  #isHeeded = false
  /** From which level on servers tell what they log; null: as they like. */
  #level: string | null = null

  constructor(options: AllServersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#held.size
  }

  /** Whether nobody waits for an answer. */
  get isIdle(): boolean {
    return [...this.#held.values()].every(({ member }) => member.isIdle)
  }

  /** From now on those that are there tell which of their lists change. */
  heed(): void {
    if (this.#isHeeded) return
    this.#isHeeded = true
    for (const { member } of this.#held.values()) member.heed()
  }

  /** What the client tells whoever listens. @param text a notification */
  told(text: string): void {
    for (const { member } of this.#held.values()) member.told(text)
  }

  async setLevel(level: string): Promise<void> {
    this.#level = level
    await Promise.all([...this.#held.values()].map(({ member }) => member.setLevel(level)))
  }

  /** What the caller may reach now; servers that are no longer among it are ended. */
  reach(reaches: readonly Reach[]): void {
    const now = new Map(reaches.map((one) => [one.server.name, one]))
    for (const [name, { member, key }] of this.#held) {
      const one = now.get(name)
      if (one === undefined || keyOf(one) !== key) void member.close()
    }
    this.#reaches.clear()
    for (const [name, one] of now) this.#reaches.set(name, one)
    for (const name of this.#subscribed.keys()) if (!now.has(name)) this.#subscribed.delete(name)
  }

  /** @throws {Fault} `CONFLICT` when two would have one name */
  async list(kind: AllKind, caller: Caller): Promise<AllOfKind> {
    const names = [...this.#reaches.keys()].toSorted()
    const lists = await Promise.all(names.map((name) => this.#listOf(kind, name, caller, null)))
    const items: Listed[] = []
    const passedOver: PassedOver[] = []
    const owners = new Map<string, string>()
    for (const [index, server] of names.entries()) {
      const listed = lists[index] ?? { reason: 'it was not asked' }
      if ('reason' in listed) {
        passedOver.push({ server, reason: listed.reason })
        continue
      }
      for (const item of listed.items) {
        const name = nameIn(kind, server, item)
        if (name.length > MAX_NAME[kind]) {
          const reason = `the name of one of its ${kind} would have more than ${MAX_NAME[kind]} characters`
          passedOver.push({ server, reason })
          continue
        }
        const other = owners.get(name)
        if (other !== undefined)
          throw new Fault(
            'CONFLICT',
            `The servers '${other}' and '${server}' both have a ${KINDS[kind].one} '${name}' here.`,
          )
        owners.set(name, server)
        items.push(underName(kind, name, item))
      }
    }
    if (kind === 'tools') this.tools.learn({ tools: items.map(({ value }) => value) })
    return { items, passedOver }
  }

  /**
   * Asks the server of a tool or prompt.
   *
   * @param name `SERVER.NAME`
   * @param textFor the request with the name that it has there
   * @returns the answer, with the id of the request; null when no server has this name before its dot, or it is longer than names here
   * @throws {Fault} when the server is not there, `CONFLICT` when two could be meant
   */
  async named(
    kind: 'tools' | 'prompts',
    name: string,
    textFor: (name: string) => string,
    asking: Asking,
  ): Promise<string | null> {
    // What no list holds is not there.
    if (name.length > MAX_NAME[kind]) return null
    const meant = [...this.#reaches.keys()].filter((server) => name.startsWith(`${server}.`))
    const [only] = meant
    if (only === undefined) return null
    const having = meant.length === 1 ? meant : await this.#having(kind, name, meant, asking)
    if (having.length > 1)
      throw new Fault(
        'CONFLICT',
        `Several servers have a ${KINDS[kind].one} '${name.slice(0, 200)}' here.`,
      )
    // No list has it: the longest name of a server leaves the shortest name of a tool.
    const server = having[0] ?? meant.toSorted((a, b) => b.length - a.length)[0] ?? only
    return this.#ask(server, textFor(name.slice(server.length + 1)), asking)
  }

  /**
   * Asks the server of a resource, or of a template of some.
   *
   * @returns null when no server has this address
   */
  async addressed(
    uri: unknown,
    textFor: (uri: string) => string,
    asking: Asking,
  ): Promise<string | null> {
    const place = this.#placeOf(uri)
    return place === null ? null : this.#ask(place.server, textFor(place.uri), asking)
  }

  /**
   * From now on it is told when a resource changes. A server that is starting is waited for.
   *
   * @throws {Fault} `NOT_FOUND` for an address that no server has; what the server said when it refused
   */
  async subscribe(uri: unknown, caller: Caller, signal: AbortSignal): Promise<void> {
    const place = this.#placeOf(uri)
    if (place === null) throw new Fault('NOT_FOUND', 'No server has this resource.')
    const { server } = place
    const listened = this.#subscribed.get(server)
    if (listened?.has(place.uri) !== true) {
      if (listened !== undefined && listened.size >= MAX_SUBSCRIPTIONS)
        throw new Fault('THROTTLED', 'Too many resources are listened to.')
      const { member } = this.#heldAt(server, caller)
      await unlessGivenUp(member.started(), signal)
      await member.subscribe(place.uri, AbortSignal.timeout(LIST_MS))
    }
    // Others may have come meanwhile.
    const counts = this.#subscribed.get(server) ?? new Map<string, number>()
    this.#subscribed.set(server, counts)
    counts.set(place.uri, (counts.get(place.uri) ?? 0) + 1)
  }

  /** The address as it is told here, however its client writes the name of the server; itself where no server has it. */
  addressOf(uri: string): string {
    const place = this.#placeOf(uri)
    return place === null ? uri : uriOfAll(place.server, place.uri)
  }

  unsubscribe(uri: unknown): void {
    const place = this.#placeOf(uri)
    const counts = place === null ? undefined : this.#subscribed.get(place.server)
    const before = place === null ? undefined : counts?.get(place.uri)
    if (place === null || counts === undefined || before === undefined) return
    if (before > 1) {
      counts.set(place.uri, before - 1)
      return
    }
    counts.delete(place.uri)
    if (counts.size === 0) this.#subscribed.delete(place.server)
    this.#held.get(place.server)?.member.unsubscribe(place.uri)
  }

  /**
   * Ends those that nobody used since, and of which nobody wants to be told.
   *
   * @param before by server, monotonic milliseconds
   */
  endIdle(before: (server: string) => number): void {
    for (const [name, held] of this.#held)
      if (!held.member.isIdle || this.#subscribed.has(name)) held.lastUsed = monotonicMs()
      else if (held.lastUsed < before(name)) void held.member.close()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#held.values()].map(({ member }) => member.close()))
  }

  async #ask(
    server: string,
    text: string,
    { request, caller, way, signal }: Asking,
  ): Promise<string> {
    const { member } = this.#heldAt(server, caller)
    const answer = await member.ask(request, text, caller, way, signal)
    return answerOfAll(answer, server)
  }

  /** Some clients write the host of an address in small letters; no two servers differ in nothing else. */
  #placeOf(uri: unknown): { readonly server: string; readonly uri: string } | null {
    const place = uriAtServer(uri)
    if (place === null) return null
    const named = place.server.toLowerCase()
    const server = [...this.#reaches.keys()].find((name) => name.toLowerCase() === named)
    return server === undefined ? null : { server, uri: place.uri }
  }

  async #having(
    kind: AllKind,
    name: string,
    servers: readonly string[],
    { caller, signal }: Asking,
  ): Promise<readonly string[]> {
    const lists = await Promise.all(
      servers.map((server) => this.#listOf(kind, server, caller, signal)),
    )
    if (signal.aborted) throw new Fault('NET_FAILED', givenUp(signal))
    return servers.filter((server, index) => {
      const listed = lists[index]
      return (
        listed !== undefined &&
        'items' in listed &&
        listed.items.some((item) => nameIn(kind, server, item) === name)
      )
    })
  }

  /** @param call who makes one waits for the server as long as it may take to start; null: who lists does not */
  async #listOf(
    kind: AllKind,
    name: string,
    caller: Caller,
    call: AbortSignal | null,
  ): Promise<{ readonly items: readonly Listed[] } | { readonly reason: string }> {
    const reach = this.#reaches.get(name)
    const key = reach === undefined ? '' : keyOf(reach)
    const failed = this.#failed.get(name)
    if (failed?.key === key && monotonicMs() - failed.at < REST_MS) return { reason: failed.reason }
    try {
      const held = this.#heldAt(name, caller)
      const { member } = held
      if (!(await this.#isThere(kind, name, held, call)))
        return { reason: 'The server is still starting.' }
      const signal = AbortSignal.timeout(LIST_MS)
      const items = (await unlessGivenUp(hasAny(kind, member), signal))
        ? await whole(kind, (params) => member.result(KINDS[kind].method, params, signal))
        : []
      this.#failed.delete(name)
      return { items }
    } catch (error) {
      const { message, details } = asFault(error)
      // It has no such thing, whatever it says of itself.
      if (details['code'] === RPC_ERRORS.method && kind !== 'tools') return { items: [] }
      this.#failed.set(name, { key, reason: message, at: monotonicMs() })
      this.#options.log.warn('a server is passed over', { server: name, reason: message })
      return { reason: message }
    }
  }

  /** @throws {Fault} when it did not start */
  async #isThere(
    kind: AllKind,
    name: string,
    held: Held,
    call: AbortSignal | null,
  ): Promise<boolean> {
    const { member, missedIn } = held
    // No list waits for it once more.
    const listing = () => (missedIn.size > 0 ? AbortSignal.abort() : AbortSignal.timeout(LIST_MS))
    const signal = call ?? listing()
    try {
      await unlessGivenUp(member.started(), signal)
      return true
    } catch (error) {
      if (!signal.aborted) throw error
      if (call !== null) return false
      // Whoever came first waits for all.
      if (missedIn.size === 0) void this.#tellOnceThere(name, held)
      missedIn.add(kind)
      return false
    }
  }

  /** Whoever was answered without it asks again. */
  async #tellOnceThere(name: string, { member, key, missedIn }: Held): Promise<void> {
    const { log, onNotice } = this.#options
    const failed = await member.started().then(() => null, asFault)
    const missed = [...missedIn]
    // Who asks from now on is answered with it, or waits for it anew.
    missedIn.clear()
    if (failed !== null) {
      const reason = failed.message
      this.#failed.set(name, { key, reason, at: monotonicMs() })
      log.warn('a server that was passed over did not start', { server: name, reason })
      return
    }
    const changed = new Set<string>()
    for (const kind of missed)
      if (await hasAny(kind, member).catch(() => false)) changed.add(KINDS[kind].changed)
    for (const method of changed) onNotice({ method, uri: null, isListenedTo: false })
  }

  /** @throws {Fault} `NOT_FOUND`, `NET_FAILED` once it is closed */
  #heldAt(name: string, caller: Caller): Held {
    if (this.#isClosed) throw new Fault('NET_FAILED', 'The server ended.')
    const { partsOf, memberFor, log, onNotice } = this.#options
    const reach = this.#reaches.get(name)
    if (reach === undefined) throw new Fault('NOT_FOUND', `There is no server '${name}'.`)
    const known = this.#held.get(name)
    if (known !== undefined) {
      known.lastUsed = monotonicMs()
      return known
    }
    const member: AllMember = memberFor({
      ...partsOf(() => this.#reaches.get(name) ?? { ...reach, policies: ['(gone)'] }),
      caller,
      server: name,
      onNotice: (notice) => onNotice(this.#noticeOfAll(notice, name)),
      onOver: () => {
        if (this.#held.get(name)?.member === member) this.#held.delete(name)
      },
    })
    const held = {
      member,
      key: keyOf(reach),
      lastUsed: monotonicMs(),
      missedIn: new Set<AllKind>(),
    }
    this.#held.set(name, held)
    if (this.#subscribed.has(name))
      this.#listenAgain(name, member).catch((error: unknown) => {
        const reason = asFault(error).message
        log.warn('resources are no longer listened to', { server: name, reason })
      })
    if (this.#isHeeded) member.heed()
    if (this.#level !== null) void member.setLevel(this.#level)
    return held
  }

  #noticeOfAll({ method, params }: Notification, server: string): AllNotice {
    const uri = isObject(params?.value) ? params.value['uri'] : undefined
    if (typeof uri !== 'string') return { method, uri: null, isListenedTo: false }
    const listened = this.#subscribed.get(server)
    const isListenedTo = listened !== undefined && isWithin(uri, listened)
    return { method, uri: uriOfAll(server, uri), isListenedTo }
  }

  /** One that was started anew knows nothing of what is listened to. */
  async #listenAgain(name: string, member: AllMember): Promise<void> {
    await member.started()
    const uris = [...(this.#subscribed.get(name)?.keys() ?? [])]
    await Promise.all(uris.map((uri) => member.subscribe(uri, AbortSignal.timeout(LIST_MS))))
  }
}

/** Whether a server may have any; each is asked for its tools. */
async function hasAny(kind: AllKind, member: AllMember): Promise<boolean> {
  return kind === 'tools' || member.has(KINDS[kind].capability)
}

function keyOf({ server, grant }: Reach): string {
  return `${server.createdAt} ${grant}`
}
