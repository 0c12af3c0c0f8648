import { Fault } from './faults.ts'

/** So many at once, and so many a second from then on. */
export interface RateLimit {
  readonly burst: number
  readonly perSecond: number
}

/** How a limit stands after one was asked for, in the words of the RateLimit header fields. */
export interface RateStanding {
  readonly isAllowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Seconds until the burst is whole again. */
  readonly resetSeconds: number
  /** Seconds until the next one is taken; 0 when this one was. */
  readonly retryAfterSeconds: number
}

/** Buckets of tokens that every process of a store takes from, so that together they hold to the limit exactly. */
export interface RatePort {
  /**
   * Takes one.
   *
   * @param name of the bucket: what is limited, and for whom
   * @throws {Fault} as the store does; what cannot be counted must be refused
   */
  take(name: string, limit: RateLimit): Promise<RateStanding>
}

/** @param what `requests` or `attempts`, for the message. @throws {Fault} `THROTTLED` when there is none left */
export function demandRate({ isAllowed, retryAfterSeconds }: RateStanding, what: string): void {
  if (isAllowed) return
  throw new Fault('THROTTLED', `Too many ${what}; try again in ${retryAfterSeconds} s.`, {
    details: { retryAfterSeconds },
  })
}

/** So many a minute, all of them at once if nothing was taken for a while. */
export function perMinute(count: number): RateLimit {
  return { burst: count, perSecond: count / 60 }
}
