import type { Caller } from '../core/principals.ts'
import { principalName } from '../core/principals.ts'
import { monotonicMs } from '../core/time.ts'

/** So many requests at once, and so many a second from then on. */
export interface RateLimit {
  readonly burst: number
  readonly perSecond: number
}

export interface RateLimitSettings {
  /** For each credential that is shown; null is without a limit. */
  readonly token: RateLimit | null
  /** For each agent or person, whatever it shows. */
  readonly principal: RateLimit | null
  /** For each address, before anybody knows who calls. */
  readonly address: RateLimit | null
  /** Monotonic milliseconds; another one only in tests. */
  readonly clock?: () => number
}

/** How a limit stands after a request was taken from it, in the words of the RateLimit header fields. */
export interface RateStanding {
  readonly isAllowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Seconds until the burst is whole again. */
  readonly resetSeconds: number
  /** Seconds until the next request is taken; 0 when this one was. */
  readonly retryAfterSeconds: number
}

const MAX_BUCKETS = 50_000

interface Bucket {
  left: number
  at: number
}

/** Token buckets of one limit. Those that are full again are like those that never were. */
class Buckets {
  readonly #limit: RateLimit
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: RateLimit) {
    this.#limit = limit
  }

  take(name: string, now: number): RateStanding {
    const { burst, perSecond } = this.#limit
    let bucket = this.#buckets.get(name)
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_BUCKETS) this.#drop(now)
      bucket = { left: burst, at: now }
      this.#buckets.set(name, bucket)
    }
    bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) * perSecond) / 1000)
    bucket.at = now
    const isAllowed = bucket.left >= 1
    if (isAllowed) bucket.left -= 1
    return {
      isAllowed,
      limit: burst,
      remaining: Math.floor(bucket.left),
      resetSeconds: Math.ceil((burst - bucket.left) / perSecond),
      retryAfterSeconds: isAllowed ? 0 : Math.ceil((1 - bucket.left) / perSecond),
    }
  }

  /** The full ones; where there is none, the one that waits longest. */
  #drop(now: number): void {
    const { burst, perSecond } = this.#limit
    for (const [name, { left, at }] of this.#buckets)
      if (left + ((now - at) * perSecond) / 1000 >= burst) this.#buckets.delete(name)
    const oldest = this.#buckets.keys().next()
    if (this.#buckets.size >= MAX_BUCKETS && oldest.done !== true)
      this.#buckets.delete(oldest.value)
  }
}

/** How fast one process answers one credential, one principal and one address. */
export class RateLimits {
  readonly #token: Buckets | null
  readonly #principal: Buckets | null
  readonly #address: Buckets | null
  readonly #clock: () => number

  constructor({ token, principal, address, clock = monotonicMs }: RateLimitSettings) {
    this.#token = token === null ? null : new Buckets(token)
    this.#principal = principal === null ? null : new Buckets(principal)
    this.#address = address === null ? null : new Buckets(address)
    this.#clock = clock
  }

  /** Before a bearer is looked at, so that wrong ones cost no more than right ones. Null: nothing is limited. */
  ofAddress(address: string | null): RateStanding | null {
    return this.#address?.take(address ?? 'unknown', this.#clock()) ?? null
  }

  /** Once it is known who calls. @returns the standing that is nearest to its end */
  ofCaller({ principal, access }: Caller): RateStanding | null {
    const now = this.#clock()
    const own = this.#principal?.take(principalName(principal), now) ?? null
    const token =
      access === undefined ? null : (this.#token?.take(access.credential.id, now) ?? null)
    if (own === null || token === null) return own ?? token
    if (own.isAllowed !== token.isAllowed) return own.isAllowed ? token : own
    return own.remaining < token.remaining ? own : token
  }
}

/** RateLimit header fields, and Retry-After where the request was refused. */
export function rateHeaders(standing: RateStanding): Readonly<Record<string, string>> {
  return {
    'RateLimit-Limit': String(standing.limit),
    'RateLimit-Remaining': String(standing.remaining),
    'RateLimit-Reset': String(standing.resetSeconds),
    ...(standing.isAllowed ? {} : { 'Retry-After': String(standing.retryAfterSeconds) }),
  }
}
