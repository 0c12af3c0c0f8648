import type { Tx } from '../../core/db-port.ts'
import type { KeyId } from '../../core/ids.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'

/** A login that waits for the browser to come back. All of it but its end is sealed. */
export interface AttemptRow {
  /** Digest of the state that the browser brings back. */
  readonly id: string
  readonly key_id: KeyId
  readonly sealed: Uint8Array
  readonly ends_at: EpochMs
}

export async function insertAttempt(tx: Tx, attempt: AttemptRow): Promise<void> {
  const { id, key_id, sealed, ends_at } = attempt
  await tx.run(
    'insert into gateway_login_attempts (id, key_id, sealed, ends_at) values (?, ?, ?, ?)',
    [id, key_id, sealed, ends_at],
  )
}

export async function deleteEndedAttempts(tx: Tx, at: EpochMs): Promise<void> {
  await tx.run('delete from gateway_login_attempts where ends_at <= ?', [at])
}

/** Takes it away, so that nobody ends it twice. */
export async function takeAttempt(tx: Tx, id: string): Promise<AttemptRow | null> {
  const row = await tx.get<AttemptRow>('select * from gateway_login_attempts where id = ?', [id])
  if (row === undefined) return null
  const taken = await tx.run('delete from gateway_login_attempts where id = ?', [id])
  return taken === 1 ? row : null
}

/**
 * Lets one process of all renew a login.
 *
 * @returns whether it may now, until `lifeMs` have passed or it is given back
 */
export async function takeLease(
  tx: Tx,
  lease: { readonly server: string; readonly holder: string },
  at: EpochMs,
  lifeMs: number,
): Promise<boolean> {
  const { server, holder } = lease
  const taken = await tx.run(
    `insert into gateway_login_leases (server, holder, ends_at) values (?, ?, ?)
     on conflict (server) do update set holder = excluded.holder, ends_at = excluded.ends_at
     where gateway_login_leases.ends_at <= ? or gateway_login_leases.ends_at > ?`,
    // A lease from further ahead than any lasts was written by a clock that was put back since.
    [server, holder, epochMs(at + lifeMs), at, epochMs(at + 2 * lifeMs)],
  )
  return taken === 1
}

export async function giveLeaseBack(tx: Tx, server: string, holder: string): Promise<void> {
  await tx.run('delete from gateway_login_leases where server = ? and holder = ?', [server, holder])
}
