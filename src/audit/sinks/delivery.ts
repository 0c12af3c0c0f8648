import { Fault } from '../../core/faults.ts'
import { Delivered } from './delivered.ts'
import type { Sink, SinkBatch } from './sink.ts'
import type { SinkConfig } from './sink-config.ts'

export type SinkState = 'untried' | 'working' | 'failing'

/** One sink with what is known of it in this process. Deliveries come one after another. */
export class Delivery {
  readonly config: SinkConfig
  readonly delivered: Delivered
  readonly #open: () => Promise<Sink>
  #sink: Promise<Sink> | null = null
  #turn: Promise<unknown> = Promise.resolve()
  /** Ends when the sink is done with the last one, given up or not: nobody else may talk to it meanwhile. */
  #busy: Promise<unknown> | null = null
  #fault: Fault | null = null
  #state: SinkState = 'untried'

  constructor(config: SinkConfig, cursor: number, open: () => Promise<Sink>) {
    this.config = config
    this.delivered = new Delivered(cursor)
    this.#open = open
  }

  get state(): SinkState {
    return this.#state
  }

  /** Why it failed last, while it is failing. */
  get fault(): Fault | null {
    return this.#fault
  }

  /** Nothing is missing, whoever delivered it: the next batch finds out whether it works. */
  trust(): void {
    this.#state = 'working'
    this.#fault = null
  }

  /** @throws {Fault} `AUDIT_UNAVAILABLE` when the sink did not take the batch within its deadline */
  deliver(batch: SinkBatch): Promise<void> {
    const { deadlineMs } = this.config
    const controller = new AbortController()
    const done = this.#turn.then(() => this.#send(batch, controller.signal))
    const timed = unlessLate(done, deadlineMs, controller)
    this.#turn = timed.catch(() => undefined)
    return timed.then(
      () => this.#worked(batch),
      (error: unknown) => {
        throw this.#failed(error)
      },
    )
  }

  async close(): Promise<void> {
    const sink = this.#sink
    this.#sink = null
    if (sink !== null && this.#busy === null) await (await sink).close()
  }

  async #send(batch: SinkBatch, signal: AbortSignal): Promise<void> {
    if (this.#busy !== null) await this.#busy
    if (signal.aborted) throw new LateError()
    this.#sink ??= this.#open().catch((error: unknown) => {
      this.#sink = null
      throw error
    })
    const sink = await this.#sink
    const sent = sink.send(batch, signal)
    const ended = sent
      .catch(() => undefined)
      .then(() => {
        if (this.#busy === ended) this.#busy = null
      })
    this.#busy = ended
    await sent
  }

  #worked({ records, isCheckpoint }: SinkBatch): void {
    const [first] = records
    if (first !== undefined && isCheckpoint !== true)
      this.delivered.add(first.seq, records.at(-1)?.seq ?? first.seq)
    this.#state = 'working'
    this.#fault = null
  }

  #failed(error: unknown): Fault {
    const { name, deadlineMs } = this.config
    const why =
      error instanceof LateError
        ? `did not take a record within ${deadlineMs} ms`
        : `did not take a record: ${reasonOf(error)}`
    this.#state = 'failing'
    this.#fault = new Fault('AUDIT_UNAVAILABLE', `The audit sink '${name}' ${why}.`, {
      details: { sink: name },
      cause: error,
    })
    return this.#fault
  }
}

class LateError extends Error {}

/** Faults and system codes are made for people; what others write may hold anything. */
function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.message.replace(/\.$/, '')
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error && error.constructor === Error ? error.message : 'it failed'
}

async function unlessLate<T>(
  work: Promise<T>,
  ms: number,
  controller: AbortController,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new LateError())
      controller.abort()
    }, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    // What was given up may still end in an error, which nobody waits for.
    work.catch(() => undefined)
  }
}
