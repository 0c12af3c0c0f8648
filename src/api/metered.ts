import type { Caller } from '../core/principals.ts'
import type { QuotaPort } from '../core/quota-port.ts'
import { demandRate, type RateStanding } from '../core/rate-port.ts'
import { quotaHeaders } from './quota-headers.ts'
import { type RateLimits, rateHeaders } from './rate-limits.ts'

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
  async takeAddress(address: string | null): Promise<void> {
    const { limits } = this.#meters
    if (limits !== null) this.#take(await limits.ofAddress(address))
  }

  /** @throws {Fault} `THROTTLED` */
  async takeCaller(caller: Caller): Promise<void> {
    this.#caller = caller
    const { limits } = this.#meters
    if (limits !== null) this.#take(await limits.ofCaller(caller))
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
    demandRate(standing, 'requests')
  }
}

const NOTHING: Readonly<Record<string, string>> = {}
