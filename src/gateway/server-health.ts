import type { CallOutcome } from '../audit/index.ts'
import { monotonicMs } from '../core/time.ts'
import type { Denial } from './denial.ts'

export interface HealthOptions {
  /** How long a call may go without an answer or progress, milliseconds. Default: an hour. */
  readonly callMs?: number
  /** How long the first answer of a server may take. Default: two minutes. */
  readonly startMs?: number
  /** Calls that may be open at one server at once. Default 1,000. */
  readonly maxOpen?: number
  /** So many calls one after another that were not answered in time keep others away from the server. Default 5. */
  readonly lateInARow?: number
  /** For how long, milliseconds. Default: half a minute. */
  readonly restMs?: number
}

/** How one server bears what it is asked, whoever asks: what is open, and whether it answers at all. */
export class ServerHealth {
  readonly callMs: number
  readonly startMs: number
  readonly #maxOpen: number
  readonly #lateInARow: number
  readonly #restMs: number
  #open = 0
  #late = 0
  /** Monotonic milliseconds; until then nothing is sent. */
  #restsUntil = 0

  constructor(options: HealthOptions = {}) {
    this.callMs = options.callMs ?? 3_600_000
    this.startMs = options.startMs ?? 120_000
    this.#maxOpen = options.maxOpen ?? 1_000
    this.#lateInARow = options.lateInARow ?? 5
    this.#restMs = options.restMs ?? 30_000
  }

  /** Why nothing more may be asked of it right now, or null. */
  refusal(): Denial | null {
    const leftMs = this.#restsUntil - monotonicMs()
    if (leftMs > 0)
      return refused(
        `The server did not answer ${this.#late} calls in time. It is asked again in ${Math.ceil(leftMs / 1_000)} seconds.`,
      )
    return this.#open < this.#maxOpen
      ? null
      : refused(`${this.#open} calls of this server are not answered yet. Try again later.`)
  }

  began(): void {
    this.#open += 1
  }

  ended(end: CallOutcome): void {
    this.#open -= 1
    if (end === 'timed-out') {
      this.#late += 1
      // Every further one prolongs the rest: after it, one call at a time finds out.
      if (this.#late >= this.#lateInARow) this.#restsUntil = monotonicMs() + this.#restMs
    } else if (end !== 'cancelled' && end !== 'never-sent') this.#late = 0
  }
}

function refused(text: string): Denial {
  return { rule: 'SERVER_BUSY', kind: 'denied', text, isRecorded: false }
}
