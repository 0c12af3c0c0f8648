import { Fault } from '../core/faults.ts'
import { monotonicMs } from '../core/time.ts'

interface Waiter {
  readonly start: () => void
  timer: NodeJS.Timeout | undefined
}

const NOW = Promise.resolve()

/** First come, first served: so many holders at a time, and nobody waits past a deadline. */
export class Turns {
  #free: number
  readonly #waiting = new Set<Waiter>()

  constructor(holders: number) {
    this.#free = holders
  }

  /**
   * @param deadline monotonic milliseconds after which waiting ends
   * @throws {Fault} `STORE_BUSY`
   */
  take(deadline: number): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return NOW
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { start: resolve, timer: undefined }
      waiter.timer = setTimeout(
        () => {
          this.#waiting.delete(waiter)
          reject(busyFault())
        },
        Math.max(0, deadline - monotonicMs()),
      )
      this.#waiting.add(waiter)
    })
  }

  /** Takes a turn that is free now. */
  takeFree(): boolean {
    if (this.#free === 0) return false
    this.#free -= 1
    return true
  }

  give(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      clearTimeout(next.timer)
      next.start()
      return
    }
    this.#free += 1
  }
}

export function busyFault(cause?: unknown): Fault {
  return new Fault('STORE_BUSY', 'The store was held by another writer for too long; try again.', {
    cause,
  })
}
