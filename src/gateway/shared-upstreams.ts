import { jsonDigest } from '../core/canonical-json.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import { stopping } from '../core/stopping.ts'
import { monotonicMs } from '../core/time.ts'
import type { Admitted } from './http-standings.ts'
import { SharedUpstream } from './shared-upstream.ts'
import type { OpenUpstream } from './upstream.ts'

interface Held {
  readonly upstream: SharedUpstream
  readonly server: string
  readonly createdAt: number
  /** Who used it last. */
  admitted: Admitted
  /** With what its last user came, when that was found to have no rights any more. */
  without: Admitted | null
  lastUsed: number
}

/** Of all callers together: each may be a process. */
const MAX_SHARED = 128
/** Of one grant; what nobody uses gives way. */
const MAX_OF_OWNER = 8

/** Clients declare the same with every request. */
const MAX_DIGESTS = 256
const MAX_DECLARED_CHARACTERS = 4_096
const digests = new Map<string, string>()

function digestOf(capabilities: object): string {
  const text = JSON.stringify(capabilities)
  const known = digests.get(text)
  if (known !== undefined) return known
  const digest = jsonDigest(capabilities)
  if (digests.size >= MAX_DIGESTS) digests.clear()
  if (text.length <= MAX_DECLARED_CHARACTERS) digests.set(text, digest)
  return digest
}

function keyOf(
  name: string,
  createdAt: number,
  owner: string,
  capabilities: object | null,
): string {
  return `${name} ${createdAt} ${owner} ${digestOf(capabilities ?? {})}`
}

/**
 * Servers for clients without sessions: one for each grant and what its clients declare, because a server may offer
 * more to those who can do more.
 */
export class SharedUpstreams {
  readonly #upstreamOf: (server: ServerInfo, caller: Caller) => OpenUpstream
  readonly #log: Log
  readonly #held = new Map<string, Held>()
  /** Nobody finds them any more, and they take seconds to end. */
  readonly #ending = new Set<Promise<void>>()
  #isClosed = false

  constructor(upstreamOf: (server: ServerInfo, caller: Caller) => OpenUpstream, log: Log) {
    this.#upstreamOf = upstreamOf
    this.#log = log
  }

  /** Names of the servers, one for each that is open. */
  servers(): readonly string[] {
    return [...this.#held.values()].flatMap(({ upstream, server }) =>
      upstream.isOpen ? [server] : [],
    )
  }

  /** As `of`, of one that is there; else null. */
  now(
    { name, createdAt }: ServerInfo,
    admitted: Admitted,
    capabilities: object | null,
  ): SharedUpstream | null {
    const known = this.#held.get(keyOf(name, createdAt, admitted.owner, capabilities))
    if (known === undefined || known.upstream.isOver) return null
    known.admitted = admitted
    known.lastUsed = monotonicMs()
    return known.upstream
  }

  /** @throws {Fault} `THROTTLED` when there are too many and all are in use, `STOPPING` once it is closed */
  async of(
    server: ServerInfo,
    admitted: Admitted,
    capabilities: object | null,
  ): Promise<SharedUpstream> {
    const known = this.now(server, admitted, capabilities)
    if (known !== null) return known
    const { name, createdAt } = server
    const { owner, caller } = admitted
    const key = keyOf(name, createdAt, owner, capabilities)
    this.#held.delete(key)
    await this.#makeRoom(owner)
    if (this.#isClosed) throw stopping()
    // Somebody else may have been as quick.
    const other = this.#held.get(key)
    if (other !== undefined) return other.upstream
    const open = this.#upstreamOf(server, caller)
    const upstream = new SharedUpstream(open, this.#log)
    this.#held.set(key, {
      upstream,
      server: name,
      createdAt,
      admitted,
      without: null,
      lastUsed: monotonicMs(),
    })
    return upstream
  }

  /** Ends those that nobody used since. @param before by server, monotonic milliseconds */
  endIdle(before: (server: string) => number): void {
    for (const [key, held] of this.#held) {
      const { upstream, server } = held
      if (!upstream.isIdle) held.lastUsed = monotonicMs()
      const isLeft = held.without === held.admitted && upstream.isIdle
      if (isLeft || upstream.isOver || held.lastUsed < before(server)) this.#end(key, upstream)
    }
  }

  /** Ends those of servers that are not there any more. */
  keep(isThere: (server: string, createdAt: number) => boolean): void {
    for (const [key, { upstream, server, createdAt }] of this.#held)
      if (!isThere(server, createdAt)) this.#end(key, upstream)
  }

  /** Ends those whose callers have no rights any more: those that still have a request open once they have none. */
  async keepOf(hasRights: (admitted: Admitted, server: string) => Promise<boolean>): Promise<void> {
    for (const [key, held] of this.#held) {
      const { admitted, server, upstream } = held
      held.without = (await hasRights(admitted, server)) ? null : admitted
      // Somebody may have come meanwhile, with another token.
      const isLeft = this.#held.get(key) === held && held.without === held.admitted
      if (isLeft && upstream.isIdle) this.#end(key, upstream)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const [key, { upstream }] of this.#held) this.#end(key, upstream)
    await Promise.all(this.#ending)
  }

  #end(key: string, upstream: SharedUpstream): void {
    this.#held.delete(key)
    const ending = upstream
      .close()
      .catch((error: unknown) => {
        this.#log.warn('a server did not end well', { error: asFault(error).code })
      })
      .finally(() => this.#ending.delete(ending))
    this.#ending.add(ending)
  }

  async #makeRoom(owner: string): Promise<void> {
    const all = [...this.#held]
    const own = all.filter(([, held]) => held.admitted.owner === owner)
    const full = own.length >= MAX_OF_OWNER ? own : all.length >= MAX_SHARED ? all : null
    if (full === null) return
    const [idlest] = full
      .filter(([, { upstream }]) => upstream.isIdle)
      .toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed)
    if (idlest === undefined)
      throw new Fault('THROTTLED', 'Too many servers are in use.', {
        details: { retryAfterSeconds: 10 },
      })
    const [key, { upstream }] = idlest
    this.#held.delete(key)
    await upstream.close()
  }
}
