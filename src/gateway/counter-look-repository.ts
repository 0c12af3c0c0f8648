import type { StandingCount } from '../core/counter-port.ts'
import type { Reader } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'

/** Where a count stands still. */
const MOST = Number.MAX_SAFE_INTEGER
const MAX_COUNTERS = 10_000

/** Counters that count now, those that are used most first. */
export function standingCounts(reader: Reader, now: EpochMs): Promise<readonly StandingCount[]> {
  return reader.all<StandingCount>(
    `select counter, cast(case when sum(used) > ${MOST} then ${MOST} else sum(used) end as bigint) as "used", min(ends_at) as "endsAt" from gateway_counters
     where ends_at > ? and used > 0 group by counter order by sum(used) desc, counter limit ${MAX_COUNTERS}`,
    [now],
  )
}
