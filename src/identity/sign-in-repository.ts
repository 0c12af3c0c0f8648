import type { Reader, Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'

/** Wrong answers of one account or one address. */
export interface FailureCount {
  /** Keyed hash of what is counted: the table does not say who was tried. */
  readonly id: string
  readonly failures: number
  readonly last_at: EpochMs
  /** 0 when nothing is blocked. */
  readonly blocked_until: EpochMs
}

/** @returns the count, which nobody else changes until this transaction ends */
export async function lockFailures(tx: Tx, id: string): Promise<FailureCount> {
  await tx.run(
    `insert into sign_in_failures (id, failures, last_at, blocked_until) values (?, 0, 0, 0)
     on conflict (id) do nothing`,
    [id],
  )
  const row = await tx.get<FailureCount>('select * from sign_in_failures where id = ? /*lock*/', [
    id,
  ])
  return row ?? { id, failures: 0, last_at: 0 as EpochMs, blocked_until: 0 as EpochMs }
}

export async function saveFailures(tx: Tx, count: FailureCount): Promise<void> {
  await tx.run(
    'update sign_in_failures set failures = ?, last_at = ?, blocked_until = ? where id = ?',
    [count.failures, count.last_at, count.blocked_until, count.id],
  )
}

export async function deleteFailures(tx: Tx, id: string): Promise<void> {
  await tx.run('delete from sign_in_failures where id = ?', [id])
}

export async function deleteOldFailures(tx: Tx, before: EpochMs): Promise<void> {
  await tx.run('delete from sign_in_failures where last_at < ?', [before])
}

/** A question that was put to a browser and waits for its one answer. */
export interface Challenge {
  readonly id: string
  readonly kind: string
  /** JSON. */
  readonly data: string
  readonly ends_at: EpochMs
}

export async function insertChallenge(tx: Tx, challenge: Challenge): Promise<void> {
  const { id, kind, data, ends_at } = challenge
  await tx.run('insert into sign_in_challenges (id, kind, data, ends_at) values (?, ?, ?, ?)', [
    id,
    kind,
    data,
    ends_at,
  ])
}

export async function deleteEndedChallenges(tx: Tx, at: EpochMs): Promise<void> {
  await tx.run('delete from sign_in_challenges where ends_at <= ?', [at])
}

/** Takes it away, so that nobody answers it twice. */
export async function takeChallenge(tx: Tx, id: string): Promise<Challenge | null> {
  const row = await challengeOf(tx, id)
  if (row === null) return null
  const taken = await tx.run('delete from sign_in_challenges where id = ?', [id])
  return taken === 1 ? row : null
}

async function challengeOf(reader: Reader, id: string): Promise<Challenge | null> {
  return (
    (await reader.get<Challenge>('select * from sign_in_challenges where id = ?', [id])) ?? null
  )
}
