import type { Log } from '../core/log.ts'
import { said } from './relay-messages.ts'

/** What a relay has begun and nobody waits for. */
export class UnfinishedWork {
  readonly #log: Log
  readonly #underway = new Set<Promise<void>>()

  constructor(log: Log) {
    this.#log = log
  }

  get size(): number {
    return this.#underway.size
  }

  /** Keeps hold of what is not finished yet; null for what is. */
  follow(work: void | Promise<void>): Promise<void> | null {
    if (!(work instanceof Promise)) return null
    const guarded: Promise<void> = work.then(
      () => {
        this.#underway.delete(guarded)
      },
      (error: unknown) => {
        this.#underway.delete(guarded)
        this.failed(error)
      },
    )
    this.#underway.add(guarded)
    return guarded
  }

  failed(error: unknown): void {
    this.#log.error('a message could not be finished', { reason: said(error) })
  }

  /** Resolves when all of it is finished, what was begun meanwhile too. */
  async done(): Promise<void> {
    while (this.#underway.size > 0) await Promise.allSettled(this.#underway)
  }
}
