import type { Db } from '../../core/db-port.ts'
import { asFault, isFault } from '../../core/faults.ts'
import type { StoreId } from '../../core/ids.ts'
import type { Log } from '../../core/log.ts'
import { type Clock, epochMs } from '../../core/time.ts'
import { readTree } from '../audit-repository.ts'
import type { Delivery } from './delivery.ts'
import { checkpointBatch, type Stamp } from './sink.ts'
import { type CheckpointMark, readCheckpointMarks, takeCheckpointTurn } from './sink-repository.ts'

const MINUTE_MS = 60_000
/** The records that a checkpoint speaks of are on their way. */
const SOON_MS = 1_000
const NEVER: CheckpointMark = { at: epochMs(0), size: 0 }

export interface StampingOptions {
  readonly db: Db
  readonly storeId: StoreId
  readonly clock: Clock
  readonly log: Log
}

/** Puts signed checkpoints between the records of sinks, each after the records that it speaks of. */
export class Stamping {
  /** Null as long as nobody can sign. */
  sign: ((size?: number) => Promise<Stamp>) | null = null
  readonly #options: StampingOptions
  /** By sink: signed, and not sent before the sink has the records, oldest first. */
  readonly #waiting = new Map<string, Stamp[]>()
  #isBroken = false

  constructor(options: StampingOptions) {
    this.#options = options
  }

  /** @returns whether a sink did not take its checkpoint, and in how many milliseconds there is something to do again */
  async pass(
    deliveries: readonly Delivery[],
  ): Promise<{ readonly hasFailed: boolean; readonly againMs: number | null }> {
    let againMs: number | null = null
    let hasFailed = false
    for (const one of deliveries) {
      if (one.state !== 'working' || one.config.checkpointMinutes === 0) continue
      const { name } = one.config
      const waitMs = this.#waiting.has(name) ? 0 : await this.#sign(one)
      if (waitMs !== null && waitMs > 0) againMs = Math.min(againMs ?? waitMs, waitMs)
      const stamps = this.#waiting.get(name) ?? []
      for (;;) {
        const [stamp] = stamps
        if (stamp === undefined) break
        if (one.delivered.cursor < stamp.checkpoint.size) {
          againMs = Math.min(againMs ?? SOON_MS, SOON_MS)
          break
        }
        try {
          await one.deliver(checkpointBatch(this.#options.storeId, stamp))
        } catch {
          hasFailed = true
          break
        }
        stamps.shift()
      }
      if (stamps.length === 0) this.#waiting.delete(name)
    }
    return { hasFailed, againMs }
  }

  /** Signs for a sink if it is time. @returns in how many milliseconds it is, 0 when it was, null when nothing is new */
  async #sign({ config }: Delivery): Promise<number | null> {
    const { db, clock } = this.#options
    const { size, mark } = await db.read(async (reader) => ({
      size: (await readTree(reader))?.size ?? 0,
      mark: (await readCheckpointMarks(reader)).get(config.name) ?? NEVER,
    }))
    if (mark.size >= size || this.sign === null) return null
    const now = clock()
    const periodMs = config.checkpointMinutes * MINUTE_MS
    const waitMs = mark.at + periodMs - now
    // A clock that was set back must not put it off for longer than it says.
    if (waitMs > 0 && waitMs <= periodMs) return waitMs
    // What a sink gets from the middle on is worth as much as what says on which records it stands.
    const isFirst = mark.at === 0 && mark.size > 0
    const stamps = await this.#signed(this.sign, isFirst ? [mark.size, undefined] : [undefined])
    const newest = stamps?.at(-1)
    if (stamps === null || newest === undefined) return periodMs
    const next = { at: now, size: newest.checkpoint.size }
    const isMine = await db.write((tx) => takeCheckpointTurn(tx, config.name, mark, next))
    if (isMine) this.#waiting.set(config.name, stamps)
    return isMine ? 0 : periodMs
  }

  async #signed(
    sign: (size?: number) => Promise<Stamp>,
    sizes: readonly (number | undefined)[],
  ): Promise<Stamp[] | null> {
    try {
      const stamps: Stamp[] = []
      for (const size of sizes) stamps.push(await sign(size))
      this.#isBroken = false
      return stamps
    } catch (error) {
      // The key is made with the first checkpoint, which takes a record; a process that ends leaves that to another.
      if (isFault(error, 'AUDIT_UNAVAILABLE')) return null
      // Nothing is signed for an audit that does not hold; it is said once, and the records go on.
      if (!this.#isBroken)
        this.#options.log.error('no checkpoint can be signed for the audit sinks', {
          reason: asFault(error).message,
        })
      this.#isBroken = true
      return null
    }
  }
}
