import { Fault } from '../core/faults.ts'
import type { Caller } from '../core/principals.ts'
import type { QuotaPort } from '../core/quota-port.ts'
import { quotaHeaders } from './quota-headers.ts'
import { type RateLimits, type RateStanding, rateHeaders } from './rate-limits.ts'

/** What counts requests. Nothing is limited where there are no limits. */
export interface Meters {
  readonly limits: RateLimits | null
  readonly quotas: Pick<QuotaPort, 'seen'>
}

/** One request as the meters see it. */
export class Metered {
  readonly #meters: Meters
  #rate: RateStanding | null = null
  #caller: Caller | null = null

  constructor(meters: Meters) {
    this.#meters = meters
  }

  /** @throws {Fault} `THROTTLED` */
  takeAddress(address: string | null): void {
    const { limits } = this.#meters
    if (limits !== null) this.#take(limits.ofAddress(address))
  }

  /** @throws {Fault} `THROTTLED` */
  takeCaller(caller: Caller): void {
    this.#caller = caller
    const { limits } = this.#meters
    if (limits !== null) this.#take(limits.ofCaller(caller))
  }

  /** Of the answer, whatever it is. */
  headers(): Readonly<Record<string, string>> {
    const quota = this.#caller === null ? null : this.#meters.quotas.seen(this.#caller)
    if (this.#rate === null && quota === null) return NOTHING
    return { ...(this.#rate === null ? NOTHING : rateHeaders(this.#rate)), ...quotaHeaders(quota) }
  }

  #take(standing: RateStanding | null): void {
    if (standing === null) return
    if (this.#rate === null || standing.remaining < this.#rate.remaining || !standing.isAllowed)
      this.#rate = standing
    if (standing.isAllowed) return
    const seconds = standing.retryAfterSeconds
    throw new Fault('THROTTLED', `Too many requests; try again in ${seconds} s.`, {
      details: { retryAfterSeconds: seconds },
    })
  }
}

const NOTHING: Readonly<Record<string, string>> = {}
