import { monotonicMs } from '../core/time.ts'

/** A busy store commits hundreds of times a second; a client is told at most so often. */
const PAUSE_MS = 200

/** Tells one client that a resource changed, if what the client may see of it did. */
export class ChangeWatch {
  readonly #glimpse: () => Promise<string>
  readonly #tell: () => void
  #seen: string | null = null
  #isLooking = false
  /** Whether something changed since the last look began. */
  #isStale = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #hasEnded = false

  /** @param seen what `glimpse` answered before, if it was asked */
  constructor(glimpse: () => Promise<string>, tell: () => void, seen: string | null = null) {
    this.#glimpse = glimpse
    this.#tell = tell
    this.#seen = seen
  }

  /** What is there now is known to the client: only what differs from it will be told. */
  async begin(): Promise<void> {
    this.#seen = await this.#looked()
  }

  /** Something changed, for somebody. */
  changed(): void {
    this.#isStale = true
    if (this.#isLooking || this.#timer !== null || this.#hasEnded) return
    const waitMs = Math.max(0, this.#lookedAt + PAUSE_MS - monotonicMs())
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.#look()
    }, waitMs)
    this.#timer.unref()
  }

  end(): void {
    this.#hasEnded = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    this.#isStale = false
    this.#lookedAt = monotonicMs()
    const seen = await this.#looked()
    this.#isLooking = false
    if (this.#hasEnded) return
    // Who may see nothing now is told nothing, and hears of it again when that changes.
    if (seen !== null && seen !== this.#seen) {
      this.#seen = seen
      this.#tell()
    }
    if (this.#isStale) this.changed()
  }

  async #looked(): Promise<string | null> {
    try {
      return await this.#glimpse()
    } catch {
      return null
    }
  }
}
