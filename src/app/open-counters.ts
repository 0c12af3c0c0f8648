import type { Ledger } from '../audit/index.ts'
import type { Counters } from '../core/counter-port.ts'
import type { CountersAddress } from '../core/counters-address.ts'
import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { Log } from '../core/log.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import { CounterMarks } from '../gateway/index.ts'
import { RedisCounters } from '../store/redis-counters.ts'
import type { Stack } from './open-stack.ts'

/** Counters that stand apart from the store. */
export interface CountersApart {
  readonly counters: Counters
  /**
   * Goes on from what is there, after some of it was lost.
   *
   * @returns where
   * @throws {Fault} `CONFLICT` when nothing was lost, `COUNTERS_UNAVAILABLE`
   */
  accept(caller: Caller): Promise<string>
  /**
   * Whether they can be used.
   *
   * @returns whether they outlive their server
   * @throws {Fault} `COUNTERS_UNAVAILABLE`, `COUNTERS_LOST`
   */
  check(): Promise<{ readonly isLogged: boolean }>
  close(): Promise<void>
}

/** The counters of a store in Redis or Valkey; connected when something is first counted. */
export function openCounters(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly storeId: string
  readonly address: CountersAddress
  readonly caFile: string | null
  readonly log: Log
}): CountersApart {
  const marks = new CounterMarks(parts)
  const counters = new RedisCounters({ ...parts, marks })
  return {
    counters,
    async accept(caller) {
      await marks.accept(caller, {
        found: () => counters.found(),
        put: (marker) => counters.mark(marker, true),
      })
      return parts.address.shown
    },
    check: () => counters.check(),
    close: () => counters.close(),
  }
}

/** @throws {Fault} as `CountersApart.accept`; `UNSUPPORTED` where the store counts */
export async function acceptCounters(
  { counters }: Pick<Stack, 'counters'>,
  caller: Caller,
): Promise<string> {
  if (counters === null)
    throw new Fault(
      'UNSUPPORTED',
      'The store itself counts here: SALLYPORT_COUNTERS_URL is not set.',
    )
  return (await counters()).accept(caller)
}
