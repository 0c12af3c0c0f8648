import type { Caller } from '../core/principals.ts'
import type { Message } from '../mcp/wire/index.ts'
import type { MessageInspection } from './message-inspection.ts'
import { saidTo } from './relay-messages.ts'

/** Messages of the client that nobody judges. They are searched for known values, and go on in their order. */
export class PlainMessages {
  readonly #inspection: MessageInspection
  /** Resolves when those before it went on. */
  #before: Promise<void> | null = null

  constructor(inspection: MessageInspection) {
    this.#inspection = inspection
  }

  /**
   * @param go called with null when the message may go on, else with why not; at once where nothing is waited for
   * @returns a promise where something is
   */
  pass(
    caller: Caller,
    message: Message,
    go: (refusal: string | null) => void | Promise<void>,
  ): void | Promise<void> {
    const before = this.#before
    const searching =
      before === null
        ? this.#searched(caller, message)
        : before.then(() => this.#searched(caller, message))
    if (!(searching instanceof Promise)) return go(searching)
    const gone = searching.then(go)
    const passed: Promise<void> = gone
      .catch(() => {})
      .then(() => {
        if (this.#before === passed) this.#before = null
      })
    this.#before = passed
    return gone
  }

  /** @returns why it does not go on, or null; what cannot be searched does not */
  #searched(caller: Caller, message: Message): string | null | Promise<string | null> {
    const failed = (error: unknown): string => saidTo(error, caller.principal)
    try {
      const refusal = this.#inspection.search.whole(caller, message)
      return refusal instanceof Promise ? refusal.catch(failed) : refusal
    } catch (error) {
      return failed(error)
    }
  }
}
