import { Fault } from '../core/faults.ts'
import { Few } from '../core/few.ts'
import type { DoorResponse } from './http-request.ts'

/** Below what the listener takes from one address: it is one grant that is refused, not everybody who is there. */
const MAX_OPEN = 192

/** How many requests each caller has open, at all doors together. */
export class OpenOfOwners {
  readonly #open = new Few<number>()

  /**
   * Counts a request until its connection has its answer or is closed.
   *
   * @returns false when that was closed before, while it was asked who it is: nobody waits for an answer
   * @throws {Fault} `THROTTLED` when the caller has too many
   */
  begin(owner: string, response: DoorResponse): boolean {
    // It would never tell that it is.
    if (response.destroyed) return false
    const open = this.#open.get(owner) ?? 0
    if (open >= MAX_OPEN)
      throw new Fault('THROTTLED', 'Too many requests are not answered yet.', {
        details: { retryAfterSeconds: 1 },
      })
    this.#open.set(owner, open + 1)
    response.once('close', () => this.#left(owner))
    return true
  }

  #left(owner: string): void {
    const open = (this.#open.get(owner) ?? 1) - 1
    if (open <= 0) this.#open.delete(owner)
    else this.#open.set(owner, open)
  }
}
