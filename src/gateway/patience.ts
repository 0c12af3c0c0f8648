import { Crowd } from '../core/crowd.ts'
import { Few } from '../core/few.ts'
import { monotonicMs } from '../core/time.ts'

interface Waiting {
  readonly token: unknown
  readonly ms: number
  heardAt: number
}

/** Often enough for times of minutes. */
const MOST_TICK_MS = 1_000

/** Clients that wait for something. One timer looks at all: one for each request would cost more than all else here. */
const waitingClients = new Crowd<Patience>()
let timer: NodeJS.Timeout | undefined
let tickMs = MOST_TICK_MS

function lookWithin(ms: number): void {
  const wanted = Math.min(MOST_TICK_MS, ms)
  if (timer !== undefined && wanted >= tickMs) return
  clearInterval(timer)
  tickMs = wanted
  timer = setInterval(lookAtAll, wanted).unref()
}

function lookAtAll(): void {
  for (const one of waitingClients.all()) one.look()
  if (waitingClients.size > 0) return
  clearInterval(timer)
  timer = undefined
}

/** Which requests of one client wait for their server for too long. Progress begins the time anew. */
export class Patience {
  /** Among those that wait. */
  place = -1
  readonly #late: (idKey: string) => void
  readonly #isHeld: () => boolean
  readonly #waiting = new Few<Waiting>()

  /**
   * @param late called once for each request that waited for too long
   * @param isHeld whether the server itself waits, for the person or the model behind the client: no time passes
   */
  constructor(late: (idKey: string) => void, isHeld: () => boolean) {
    this.#late = late
    this.#isHeld = isHeld
  }

  /** @param token by which the server tells of progress, when the client gave one */
  begin(idKey: string, ms: number, token: unknown): void {
    this.#waiting.set(idKey, { token, ms, heardAt: monotonicMs() })
    waitingClients.add(this)
    lookWithin(ms)
  }

  end(idKey: string): void {
    if (this.#waiting.delete(idKey) && this.#waiting.size === 0) this.close()
  }

  progress(token: unknown): void {
    if (token === undefined) return
    for (const waiting of this.#waiting.values())
      if (waiting.token === token) waiting.heardAt = monotonicMs()
  }

  /** Nobody is waited for any more. */
  close(): void {
    waitingClients.delete(this)
  }

  /** Tells of those that waited for too long by now. */
  look(): void {
    const now = monotonicMs()
    const isHeld = this.#isHeld()
    for (const [idKey, waiting] of this.#waiting.entries())
      if (isHeld) waiting.heardAt = now
      else if (now - waiting.heardAt >= waiting.ms) {
        this.end(idKey)
        this.#late(idKey)
      }
  }
}
