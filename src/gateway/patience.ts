import { monotonicMs } from '../core/time.ts'

interface Waiting {
  readonly token: unknown
  readonly ms: number
  heardAt: number
}

/** Often enough for times of minutes. */
const MOST_TICK_MS = 1_000

/** Which requests of one client wait for their server for too long. Progress begins the time anew. */
export class Patience {
  readonly #late: (idKey: string) => void
  readonly #isHeld: () => boolean
  readonly #waiting = new Map<string, Waiting>()
  #timer: NodeJS.Timeout | undefined
  #tickMs = MOST_TICK_MS

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
    // A timer for each request would cost more than all else here.
    if (this.#timer === undefined || ms < this.#tickMs) this.#tickEach(Math.min(MOST_TICK_MS, ms))
  }

  #tickEach(ms: number): void {
    clearInterval(this.#timer)
    this.#tickMs = ms
    this.#timer = setInterval(() => this.#look(), ms).unref()
  }

  end(idKey: string): void {
    this.#waiting.delete(idKey)
  }

  progress(token: unknown): void {
    if (token === undefined) return
    for (const waiting of this.#waiting.values())
      if (waiting.token === token) waiting.heardAt = monotonicMs()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    if (this.#waiting.size === 0) {
      this.close()
      return
    }
    const now = monotonicMs()
    const isHeld = this.#isHeld()
    for (const [idKey, waiting] of this.#waiting)
      if (isHeld) waiting.heardAt = now
      else if (now - waiting.heardAt >= waiting.ms) {
        this.end(idKey)
        this.#late(idKey)
      }
  }
}
