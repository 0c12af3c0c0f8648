import type { Db } from '../core/db-port.ts'
import type { Clock } from '../core/time.ts'
import { deleteEndedProofs, insertProof, type ShownProof } from './shown-proofs-repository.ts'

interface Waiting {
  readonly proof: ShownProof
  readonly resolve: (isFirst: boolean) => void
  readonly reject: (error: unknown) => void
}

const MAX_BATCH = 256
const SWEEP_MS = 10_000

/** Proofs that were shown in any process of the store. Those that come together are written together. */
export class ShownProofs {
  readonly #db: Db
  readonly #clock: Clock
  readonly #queue: Waiting[] = []
  #sweptAt = 0
  #isRunning = false

  constructor(db: Db, clock: Clock) {
    this.#db = db
    this.#clock = clock
  }

  /** @returns true for the first who shows it, false for everybody after */
  isFirst(proof: ShownProof): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ proof, resolve, reject })
      if (!this.#isRunning) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#isRunning = true
    // Lets everybody who asks in this turn come along.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#queue.length > 0) await this.#write(this.#queue.splice(0, MAX_BATCH))
    this.#isRunning = false
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const at = this.#clock()
    const sweeps = Math.abs(at - this.#sweptAt) > SWEEP_MS
    try {
      const firsts = await this.#db.write(async (tx) => {
        if (sweeps) await deleteEndedProofs(tx, at)
        const inserted: boolean[] = []
        for (const { proof } of batch) inserted.push(await insertProof(tx, proof))
        return inserted
      })
      if (sweeps) this.#sweptAt = at
      for (const [index, { resolve }] of batch.entries()) resolve(firsts[index] === true)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
