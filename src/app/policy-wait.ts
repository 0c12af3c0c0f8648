import { constants } from 'node:os'
import { PassThrough, type Readable } from 'node:stream'
import { Fault } from '../core/faults.ts'
import type { PipeWait } from '../gateway/index.ts'

/** What a client may say before it is heard. Who says more is not seen to leave. */
const AHEAD_BYTES = 1_048_576
/** For a client that says all at once and ends: what it said is answered, if the policy is there by then. */
const GRACE_MS = 10_000

/** A client whose policy comes through a pipe, and who may leave, or be made to, before it is there. */
export class PolicyWait implements PipeWait {
  readonly #gone = new AbortController()
  readonly #client: Readable
  #input: Readable
  #exit: number | null = null

  constructor(client: Readable, ending: AbortSignal) {
    this.#client = client
    this.#input = client
    const end = (): void => this.#leave(exitOf(ending.reason), 'This process was told to end')
    if (ending.aborted) end()
    ending.addEventListener('abort', end, { once: true })
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  /** What the client says, from the beginning. */
  get input(): Readable {
    return this.#input
  }

  /** With what the process ends; null when the wait was not broken off. */
  get exit(): number | null {
    return this.#exit
  }

  /** That somebody leaves is seen by who reads what he says. */
  onWait(): void {
    const client = this.#client
    const input = new PassThrough({ highWaterMark: AHEAD_BYTES })
    this.#input = client.pipe(input)
    let hasSaid = false
    client.once('data', () => {
      hasSaid = true
    })
    client.once('end', () => {
      const leave = (exit: number): void => this.#leave(exit, 'The client left')
      if (hasSaid) setTimeout(leave, GRACE_MS, 1).unref()
      else leave(0)
    })
    input.once('close', () => client.destroy())
  }

  #leave(exit: number, why: string): void {
    if (this.#gone.signal.aborted) return
    this.#exit = exit
    this.#gone.abort(new Fault('INPUT_CANCELLED', `${why} before the policy was there to its end.`))
  }
}

/** As shells show it. @param reason of a signal to the process, whose name is its cause */
function exitOf(reason: unknown): number {
  const name = reason instanceof Fault ? reason.cause : null
  return 128 + (constants.signals[name as NodeJS.Signals] ?? constants.signals.SIGTERM)
}
