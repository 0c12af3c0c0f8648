import { asFault, Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import { META, type Request, readMessage } from '../mcp/wire/index.ts'
import {
  type AllMember,
  type MemberOptions,
  type Result,
  resultIn,
  unlessGivenUp,
  type Way,
} from './all-member.ts'
import type { PoliciesNow } from './applied-policies.ts'
import { askAlone, unopenedServer } from './lone-request.ts'
import { MODERN } from './modern-problem.ts'
import { SharedUpstream, type Sharer, type SharerEars } from './shared-upstream.ts'
import type { Reader } from './slow-readers.ts'
import { isObject } from './tool-call.ts'

/** A server that ended a stream of changes is asked for another one then. */
const AGAIN_MS = 5_000
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'

/** What is heard of changes, as long as it is. */
interface Listening {
  readonly stop: AbortController
  /** Resources of which the server tells. */
  readonly acknowledged: Promise<readonly unknown[]>
}

/**
 * One of the servers behind one endpoint, for clients of the revisions without sessions that declare the same: each
 * request by itself, as at the server's own address. What the server asks ends a round, and its answer comes with the
 * next one.
 */
export class ModernMember implements AllMember {
  readonly #options: MemberOptions
  readonly #shared: SharedUpstream
  /** What our own questions say of the client. */
  readonly #standing: object
  readonly #ready: Promise<unknown>
  readonly #uris = new Set<string>()
  #caller: Caller
  /** Whether it answered anything: what fails on the way to it is no answer, whatever its code. */
  #hasAnswered = false
  #capabilities: Promise<unknown> | null = null
  #listening: Listening | null = null
  /** All that are open, the oldest first: those before the one that is wanted end once that is there. */
  readonly #streams = new Set<Listening>()
  #isHeeded = false
  #timer: NodeJS.Timeout | undefined
  #open = 0
  #count = 0
  #isOver = false

  /** @param declared what its clients can do */
  constructor(options: MemberOptions, declared: object) {
    this.#options = options
    this.#caller = options.caller
    this.#standing = {
      [META.version]: MODERN,
      [META.capabilities]: declared,
      [META.client]: { name: 'sallyport', version: options.version },
    }
    this.#shared = new SharedUpstream(options.upstream, options.log)
    // Somebody has to hear that it ended, and the others how it did before it is closed.
    this.#ready = this.#shared.join({
      hear() {},
      failed() {},
      ended: () => {
        this.#over()
        queueMicrotask(() => void this.#shared.close())
      },
      reader: null,
    })
    this.#ready.catch(() => void this.close())
  }

  get isIdle(): boolean {
    return this.#open === 0
  }

  async started(): Promise<void> {
    if (this.#hasAnswered) return
    try {
      await this.#discovered()
    } catch (error) {
      // One that refuses to say what it can do is there, too.
      if (!this.#hasAnswered) throw error
    }
  }

  async ask(
    request: Request,
    text: string,
    caller: Caller,
    way: Way | null,
    signal: AbortSignal,
  ): Promise<string> {
    this.#caller = caller
    const asked = readMessage(text)
    if (asked.kind !== 'request') throw new Fault('BAD_INPUT', 'The request cannot be passed on.')
    this.#open += 1
    try {
      const { policiesNow } = this.#options
      return await this.#asked(asked, caller, way, way, signal, policiesNow, false)
    } finally {
      this.#open -= 1
    }
  }

  async has(capability: string): Promise<boolean> {
    const capabilities = await this.#discovered()
    return isObject(capabilities) && isObject(capabilities[capability])
  }

  async result(method: string, params: object, signal: AbortSignal): Promise<Result> {
    return this.#resultOf(method, params, signal, this.#options.policiesNow)
  }

  async subscribe(uri: string, signal: AbortSignal): Promise<void> {
    this.#uris.add(uri)
    try {
      const uris = await unlessGivenUp(this.#listen().acknowledged, signal)
      if (!uris.includes(uri))
        throw new Fault('NET_FAILED', 'The server does not tell when this resource changes.')
    } catch (error) {
      this.#uris.delete(uri)
      throw error
    }
  }

  unsubscribe(uri: string): void {
    if (this.#uris.delete(uri)) this.#listen()
  }

  heed(): void {
    if (this.#isHeeded) return
    this.#isHeeded = true
    this.#listen()
  }

  told(): void {
    // A client of this revision tells nothing of its own accord.
  }

  async setLevel(): Promise<void> {
    // Each request says it.
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#over()
    await this.#shared.close()
  }

  #over(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    for (const one of this.#streams) one.stop.abort()
    this.#options.onOver()
  }

  /** What the server can do, asked once. It is our greeting and not judged: nothing of the client's limits goes for it. */
  #discovered(): Promise<unknown> {
    if (this.#capabilities !== null) return this.#capabilities
    const signal = AbortSignal.timeout(this.#options.path.health.startMs)
    const asking = this.#resultOf('server/discover', {}, signal, () => []).then(({ value }) =>
      isObject(value) ? value['capabilities'] : undefined,
    )
    asking.catch(() => {
      if (this.#capabilities === asking) this.#capabilities = null
    })
    this.#capabilities = asking
    return asking
  }

  async #resultOf(
    method: string,
    params: object,
    signal: AbortSignal,
    policiesNow: () => PoliciesNow,
  ): Promise<Result> {
    const request = this.#own(method, params)
    this.#open += 1
    try {
      const answer = await this.#asked(request, this.#caller, null, null, signal, policiesNow)
      return resultIn(answer, method)
    } finally {
      this.#open -= 1
    }
  }

  #own(method: string, params: object): Request {
    this.#count += 1
    const id = `own-${this.#count}`
    const text = { jsonrpc: '2.0', id, method, params: { ...params, _meta: this.#standing } }
    const request = readMessage(JSON.stringify(text))
    if (request.kind !== 'request') throw new TypeError('a request was made that is none')
    return request
  }

  /**
   * One request, judged as one at the server's own address.
   *
   * @param way for what comes before the answer; null where nobody hears it
   * @param reader who takes that; null where it is not kept for anybody
   * @param isOurs else a client asks it, and it is judged and recorded whether or not the server is there
   */
  #asked(
    request: Request,
    caller: Caller,
    way: Pick<Way, 'event'> | null,
    reader: Reader | null,
    signal: AbortSignal,
    policiesNow = this.#options.policiesNow,
    isOurs = true,
  ): Promise<string> {
    const { path, inspection, log } = this.#options
    return askAlone({
      request,
      caller,
      path,
      inspection,
      policiesNow,
      log,
      way,
      reader,
      signal,
      join: (ears) => this.#joined(ears, isOurs),
    })
  }

  /** @throws {Fault} when the server is not there for what we ask */
  async #joined(ears: SharerEars, isOurs: boolean): Promise<Sharer> {
    try {
      await this.#ready
      if (this.#isOver) throw new Fault('NET_FAILED', 'The server ended.')
      return await this.#shared.join({
        ...ears,
        hear: (message, about) => {
          if (message.kind === 'response') this.#hasAnswered = true
          return ears.hear(message, about)
        },
      })
    } catch (error) {
      if (isOurs) throw error
      return unopenedServer(ears, error)
    }
  }

  /** Asks to be told of what is wanted now, in place of what was wanted before. */
  #listen(): Listening {
    clearTimeout(this.#timer)
    const stop = new AbortController()
    const { promise: acknowledged, resolve } = Promise.withResolvers<readonly unknown[]>()
    const listening = { stop, acknowledged }
    this.#listening = listening
    this.#streams.add(listening)
    const lists = this.#isHeeded
      ? { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
      : {}
    const resources = this.#uris.size > 0 ? { resourceSubscriptions: [...this.#uris] } : {}
    const request = this.#own('subscriptions/listen', { notifications: { ...lists, ...resources } })
    let isHonoured = false
    const heard = (text: string): void => {
      const message = readMessage(text)
      if (message.kind !== 'notification') return
      if (message.method !== ACKNOWLEDGED) {
        this.#options.onNotice(message)
        return
      }
      // Nothing is missed in between.
      for (const one of this.#streams) {
        if (one === listening) break
        one.stop.abort()
      }
      const { value } = message.params ?? {}
      const honoured = isObject(value) ? value['notifications'] : undefined
      isHonoured = isObject(honoured) && Object.keys(honoured).length > 0
      const uris = isObject(honoured) ? honoured['resourceSubscriptions'] : undefined
      resolve(Array.isArray(uris) ? (uris as readonly unknown[]) : [])
    }
    void this.#asked(request, this.#caller, { event: heard }, null, stop.signal)
      .catch((error: unknown) => {
        this.#options.log.debug('a server does not tell of changes', {
          reason: asFault(error).message,
        })
      })
      .then(() => {
        resolve([])
        this.#streams.delete(listening)
        if (this.#listening !== listening || this.#isOver) return
        // What was heard before it was refused is heard still.
        this.#listening = [...this.#streams].at(-1) ?? null
        if (isHonoured) this.#timer = setTimeout(() => this.#listen(), AGAIN_MS).unref()
      })
    return listening
  }
}
