import { changeLane, type Ledger, type RecordDraft } from '../audit/index.ts'
import { addressBlock } from '../core/address-block.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Origin } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import type { RefusedBy } from './refused.ts'

/** Records a refusal and then throws its fault. */
export type RefusalLane = (fault: Fault, record: RecordDraft) => Promise<never>

export function refusalLane(ledger: Ledger): RefusalLane {
  interface Member {
    readonly fault: Fault
    readonly record: RecordDraft
  }
  const lane = changeLane<Member, never>('auth.refuse', async (_tx, member) => member)
  return async (fault, record) => (await ledger.commit(lane, { fault, record })).value
}

const MINUTE_MS = 60_000
/** Wrong bearers of one address a minute that are recorded one by one. */
const PER_ADDRESS = 10
/** Of all addresses together: who has many of them must not fill the audit either. */
const TOGETHER = 120
const MAX_ADDRESSES = 10_000
const MAX_NAMED = 10

interface Bucket {
  left: number
  at: EpochMs
}

/**
 * What is recorded of bearers that do not count. An address has a few failures a minute; what comes beyond is counted,
 * and one record a minute says how many there were.
 */
export class Refusals {
  readonly #options: { readonly ledger: Ledger; readonly clock: Clock; readonly log: Log }
  readonly #buckets = new Map<string, Bucket>()
  readonly #together: Bucket
  readonly #refusal: RefusalLane
  #unrecorded = 0
  #addresses = new Set<string>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: { readonly ledger: Ledger; readonly clock: Clock; readonly log: Log }) {
    this.#options = options
    this.#refusal = refusalLane(options.ledger)
    this.#together = { left: TOGETHER, at: options.clock() }
  }

  /**
   * @param throttles whether to say that there were too many, instead of the fault
   * @throws the fault, once it is recorded; `THROTTLED`
   */
  async refuse(
    fault: Fault,
    by: RefusedBy,
    caller: Caller | null,
    origin: Origin,
    throttles: boolean,
  ): Promise<never> {
    const address = addressBlock(origin.address)
    const seconds = this.#take(address)
    if (seconds === 0 && take(this.#together, TOGETHER, this.#options.clock()) === 0)
      return this.#refusal(fault, {
        kind: 'refusal',
        action: 'auth.refused',
        caller,
        by,
        detail: { channel: origin.channel, address: origin.address },
      })
    this.#count(address)
    if (seconds === 0 || !throttles) throw fault
    throw new Fault('THROTTLED', `Too many failed attempts; try again in ${seconds} s.`, {
      details: { retryAfterSeconds: seconds },
    })
  }

  /** Writes down what is only counted yet. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#summarise()
  }

  /** @returns seconds until the next one is taken, or 0 when this one was */
  #take(address: string): number {
    const now = this.#options.clock()
    let bucket = this.#buckets.get(address)
    if (bucket === undefined) {
      const oldest = this.#buckets.keys().next()
      if (this.#buckets.size >= MAX_ADDRESSES && oldest.done !== true)
        this.#buckets.delete(oldest.value)
      bucket = { left: PER_ADDRESS, at: now }
      this.#buckets.set(address, bucket)
    }
    return take(bucket, PER_ADDRESS, now)
  }

  #count(address: string): void {
    this.#unrecorded += 1
    if (this.#addresses.size < MAX_NAMED) this.#addresses.add(address)
    this.#timer ??= setTimeout(() => void this.#summarise(), MINUTE_MS).unref()
  }

  async #summarise(): Promise<void> {
    this.#timer = null
    if (this.#unrecorded === 0) return
    const detail = { failures: this.#unrecorded, addresses: [...this.#addresses] }
    this.#unrecorded = 0
    this.#addresses = new Set()
    try {
      await this.#options.ledger.commit(SUMMARY, {
        kind: 'event',
        action: 'auth.refused-many',
        caller: null,
        detail,
      })
    } catch (error) {
      const { code } = asFault(error)
      const { failures } = detail
      this.#options.log.error('refused bearers could not be recorded', { failures, code })
    }
  }
}

const SUMMARY = changeLane('auth.refused-many', async (_tx, record: RecordDraft) => ({
  value: null,
  record,
}))

/** Takes one of what is left, which grows again by the whole within a minute. @returns seconds to wait, 0 when taken */
function take(bucket: Bucket, size: number, now: EpochMs): number {
  const passed = Math.max(0, now - bucket.at)
  bucket.left = Math.min(size, bucket.left + (passed * size) / MINUTE_MS)
  bucket.at = now
  if (bucket.left >= 1) {
    bucket.left -= 1
    return 0
  }
  return Math.ceil(((1 - bucket.left) * MINUTE_MS) / size / 1000)
}
