import { Fault } from '../core/faults.ts'
import type { Clock, EpochMs } from '../core/time.ts'

const MINUTE_MS = 60_000
const MAX_KEPT = 10_000

interface Bucket {
  left: number
  at: EpochMs
}

/** So many attempts a minute for each name, as one process sees them. */
export class Throttle {
  readonly #perMinute: number
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute
    this.#clock = clock
  }

  /** @throws {Fault} `THROTTLED` */
  take(name: string): void {
    const now = this.#clock()
    const bucket = this.#buckets.get(name) ?? { left: this.#perMinute, at: now }
    // Taken out and put in again, the map's order is that of their last use.
    this.#buckets.delete(name)
    const oldest = this.#buckets.keys().next()
    if (this.#buckets.size >= MAX_KEPT && oldest.done !== true) this.#buckets.delete(oldest.value)
    this.#buckets.set(name, bucket)
    const passed = Math.max(0, now - bucket.at)
    bucket.left = Math.min(this.#perMinute, bucket.left + (passed * this.#perMinute) / MINUTE_MS)
    bucket.at = now
    if (bucket.left >= 1) {
      bucket.left -= 1
      return
    }
    const seconds = Math.ceil(((1 - bucket.left) * MINUTE_MS) / this.#perMinute / 1000)
    throw new Fault('THROTTLED', `Too many attempts; try again in ${seconds} s.`, {
      details: { retryAfterSeconds: seconds },
    })
  }
}
