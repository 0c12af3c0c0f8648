import type { Tx } from '../core/db-port.ts'
import { type EpochMs, epochMs } from '../core/time.ts'

/** Rows that say themselves when they end, and carry no rights. */
const SELF_ENDING = [
  'sign_in_challenges',
  'shown_proofs',
  'idempotent_requests',
  'gateway_counters',
  'gateway_login_attempts',
  'gateway_login_leases',
  'recorded_calls',
  'recorded_days',
] as const

/** Longer than wrong passwords are counted. */
const FAILURES_MS = 2 * 86_400_000

/** Removes what ended by itself. @returns how many rows */
export async function deleteEnded(tx: Tx, at: EpochMs): Promise<number> {
  let count = 0
  for (const table of SELF_ENDING)
    count += await tx.run(`delete from ${table} where ends_at <= ?`, [at])
  count += await tx.run('delete from sign_in_failures where last_at < ? and blocked_until < ?', [
    epochMs(at - FAILURES_MS),
    at,
  ])
  return count
}
