import { randomBytes } from 'node:crypto'
import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { type Clock, epochMs } from '../core/time.ts'
import { keyedName } from './keyed-name.ts'
import { deleteEndedChallenges, insertChallenge, takeChallenge } from './sign-in-repository.ts'

const HANDLE = /^[A-Za-z0-9_-]{43}$/

/** Questions that browsers are asked in any process of the store, each answered once and soon. */
export class Challenges {
  readonly #parts: {
    readonly db: Db
    readonly clock: Clock
    readonly lookupKey: () => Promise<Uint8Array>
  }

  constructor(parts: {
    readonly db: Db
    readonly clock: Clock
    readonly lookupKey: () => Promise<Uint8Array>
  }) {
    this.#parts = parts
  }

  /** @returns the handle that whoever answers must bring */
  async ask(kind: string, data: object, lifeMs: number): Promise<string> {
    const handle = randomBytes(32).toString('base64url')
    const id = keyedName(await this.#parts.lookupKey(), 'challenge', handle)
    const at = this.#parts.clock()
    await this.#parts.db.write(async (tx) => {
      await deleteEndedChallenges(tx, at)
      await insertChallenge(tx, {
        id,
        kind,
        data: JSON.stringify(data),
        ends_at: epochMs(at + lifeMs),
      })
    })
    return handle
  }

  /** What was asked; it cannot be answered again. @throws {Fault} `UNAUTHENTICATED` */
  async take(kind: string, handle: string): Promise<Readonly<Record<string, unknown>>> {
    if (!HANDLE.test(handle)) throw tooLate()
    const id = keyedName(await this.#parts.lookupKey(), 'challenge', handle)
    const taken = await this.#parts.db.write((tx) => takeChallenge(tx, id))
    if (taken === null || taken.kind !== kind || taken.ends_at <= this.#parts.clock())
      throw tooLate()
    return JSON.parse(taken.data) as Readonly<Record<string, unknown>>
  }
}

function tooLate(): Fault {
  return new Fault('UNAUTHENTICATED', 'That took too long or was answered already. Try again.')
}
