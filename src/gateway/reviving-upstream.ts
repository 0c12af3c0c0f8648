import { asFault, Fault } from '../core/faults.ts'
import { Few } from '../core/few.ts'
import type { Log } from '../core/log.ts'
import { monotonicMs } from '../core/time.ts'
import {
  type Message,
  type Refused,
  type Request,
  type Response,
  readMessage,
  withMembers,
} from '../mcp/wire/index.ts'
import { keepsPromise, type ServerPromise, sessionOf } from './http-session.ts'
import { StandingRequests } from './standing-requests.ts'
import { isObject } from './tool-call.ts'
import type { OpenUpstream, Upstream, UpstreamEars } from './upstream.ts'

const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}'

export interface Revived {
  /** Name of the server. */
  readonly server: string
  /** One that does not introduce itself anew in that time is gone for good. */
  readonly startMs: number
  readonly log: Log
}

/** So many ends within so long: it would end again. */
const MAX_ENDS = 3
const ENDS_WITHIN_MS = 60_000

/**
 * A server that is started anew behind its client's back when it ended by itself: with the words that its client began
 * the session with, and only while it promises the same as before. Whatever was under way is answered as lost, and is
 * never sent again. The new one is started by the client's next message, so that nothing ends and begins on its own.
 *
 */
export function reviving(open: OpenUpstream, of: Revived): OpenUpstream {
  return async (ears) => {
    const one = new RevivingUpstream(open, ears, of)
    await one.start()
    return one
  }
}

class RevivingUpstream implements Upstream {
  readonly ended: Promise<string>
  readonly #open: OpenUpstream
  readonly #ears: UpstreamEars
  readonly #of: Revived
  readonly #end: (how: string) => void
  #server: Upstream | null = null
  #reviving: Promise<void> | null = null
  #hello: Request | null = null
  /** What the first one promised; null until it did. */
  #promise: ServerPromise | null = null
  #capabilities: unknown
  /** Requests of the client that were written and are not answered. */
  readonly #asked = new Few<true>()
  /** Those that wait for a server to be started anew. */
  readonly #unwritten = new Set<string>()
  /** What a new one is told again. */
  readonly #standing = new StandingRequests()
  /** Requests of our own, and who waits for their answers. */
  readonly #own = new Map<string, (response: Response | null) => void>()
  readonly #ends: number[] = []
  #count = 0
  #isOver = false

  constructor(open: OpenUpstream, ears: UpstreamEars, of: Revived) {
    this.#open = open
    this.#ears = ears
    this.#of = of
    const { promise, resolve } = Promise.withResolvers<string>()
    this.ended = promise
    this.#end = resolve
  }

  /** @throws {Fault} when it cannot be started */
  async start(): Promise<void> {
    const server = await this.#open({
      hear: (message, about) => this.#hear(message, about),
      failed: (idKey, end, why, status) => {
        const own = this.#own.get(idKey)
        if (own !== undefined) own(null)
        else if (this.#asked.delete(idKey)) this.#ears.failed(idKey, end, why, status)
      },
      questionsLost: () => this.#ears.questionsLost?.(),
    })
    this.#server = server
    void server.ended.then((how) => this.#died(server, how))
    if (this.#isOver) await server.close()
  }

  send(text: string, message: Message | null): void {
    const one = message?.text === text ? message : readMessage(text)
    if (one.kind === 'request') this.#keep(one)
    const server = this.#server
    if (server !== null && this.#reviving === null) {
      if (one.kind === 'request') this.#asked.set(one.idKey, true)
      server.send(text, message)
      return
    }
    if (this.#isOver) return
    if (one.kind === 'request') this.#unwritten.add(one.idKey)
    this.#reviving ??= this.#revive().finally(() => {
      this.#reviving = null
    })
    void this.#reviving.then(
      () => {
        // It may have ended once more.
        const again = this.#server
        if (again === null) this.#failUnwritten('The server ended before it answered.')
        if (one.kind === 'request') {
          if (!this.#unwritten.delete(one.idKey)) return
          this.#asked.set(one.idKey, true)
        }
        again?.send(text, message)
      },
      (error: unknown) => this.#failUnwritten(asFault(error).message),
    )
  }

  async close(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#server?.close()
    this.#end('closed')
  }

  #keep(request: Request): void {
    const { method } = request
    if (method === 'initialize') {
      this.#hello = request
      this.#promise = null
      this.#standing.clear()
    } else this.#standing.keep(request)
  }

  #hear(message: Message | Refused, about: string | null): void | Promise<void> {
    if (message.kind === 'response' && message.idKey !== null) {
      const { idKey } = message
      const own = this.#own.get(idKey)
      if (own !== undefined) {
        own(message)
        return undefined
      }
      this.#asked.delete(idKey)
      if (idKey === this.#hello?.idKey && this.#promise === null && message.outcome === 'result') {
        this.#promise = sessionOf(message, null, null).promise
        const { value } = message.body
        this.#capabilities = isObject(value) ? value['capabilities'] : undefined
      }
    }
    return this.#ears.hear(message, about)
  }

  #died(server: Upstream, how: string): void {
    if (this.#server !== server) return
    this.#server = null
    for (const own of this.#own.values()) own(null)
    if (this.#isOver) return
    const why = `The server ended before it answered (${how}).`
    this.#failUnwritten(why)
    const now = monotonicMs()
    this.#ends.push(now)
    const recent = this.#ends.filter((at) => now - at < ENDS_WITHIN_MS)
    if (this.#promise === null || recent.length >= MAX_ENDS) {
      this.#giveUp(how)
      return
    }
    this.#ears.questionsLost?.()
    for (const idKey of this.#asked.keys()) this.#ears.failed(idKey, 'lost', why)
    this.#asked.clear()
  }

  #giveUp(how: string): void {
    this.#isOver = true
    // Before all that waits counts as lost.
    this.#failUnwritten(how)
    this.#end(how)
  }

  #failUnwritten(why: string): void {
    for (const idKey of this.#unwritten) this.#ears.failed(idKey, 'never-sent', why)
    this.#unwritten.clear()
  }

  /** @throws {Fault} when it cannot be, and never will */
  async #revive(): Promise<void> {
    const hello = this.#hello
    try {
      await this.start()
      const answer = hello === null ? null : await this.#ask(hello)
      const promise = answer?.outcome === 'result' ? sessionOf(answer, null, null).promise : null
      const isKept =
        promise !== null && this.#promise !== null && keepsPromise(promise, this.#promise)
      if (!isKept) throw new Fault('NET_FAILED', 'The server ended, and a new one is not like it.')
    } catch (error) {
      const unlike = this.#server
      this.#server = null
      await unlike?.close()
      this.#giveUp(asFault(error).message)
      throw error
    }
    this.#server?.send(INITIALIZED, null)
    for (const request of this.#standing.all()) void this.#ask(request)
    const { server, log } = this.#of
    log.info('a server that ended was started again', { server })
    for (const list of ['tools', 'prompts', 'resources'] as const) {
      const capability = isObject(this.#capabilities) ? this.#capabilities[list] : undefined
      // That the list of tools changes is promised for every server: policies do.
      if (!isObject(capability) || (list !== 'tools' && capability['listChanged'] !== true))
        continue
      const changed = `{"jsonrpc":"2.0","method":"notifications/${list}/list_changed"}`
      await this.#ears.hear(readMessage(changed), null)
    }
  }

  /** Asks again, for ourselves. @returns null when there is no answer */
  #ask(request: Request): Promise<Response | null> {
    this.#count += 1
    const id = `sallyport-again-${this.#count}`
    const { promise, resolve } = Promise.withResolvers<Response | null>()
    const timer = setTimeout(() => resolve(null), this.#of.startMs).unref()
    this.#own.set(`s${id}`, resolve)
    const text = withMembers(request.text, { id: JSON.stringify(id) })
    const message = readMessage(text)
    this.#server?.send(text, message.kind === 'refused' ? null : message)
    return promise.finally(() => {
      clearTimeout(timer)
      this.#own.delete(`s${id}`)
    })
  }
}
