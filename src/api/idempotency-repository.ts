import type { Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'

/** A request that came with a key. */
export interface IdempotentRow {
  readonly id: string
  /** MAC over what was asked. */
  readonly request: Uint8Array
  /** Null while it is being answered. */
  readonly status: number | null
  /** JSON of what is given again: its body and `ETag`, where it had them. Null while it is being answered. */
  readonly answer: string | null
  /** Over id, request, status and answer; null while it is being answered. */
  readonly mac: Uint8Array | null
}

/** @returns false when there is one by this id */
export async function insertRequest(
  tx: Tx,
  { id, request }: Pick<IdempotentRow, 'id' | 'request'>,
  endsAt: EpochMs,
): Promise<boolean> {
  const inserted = await tx.run(
    'insert into idempotent_requests (id, request, ends_at) values (?, ?, ?) on conflict (id) do nothing',
    [id, request, endsAt],
  )
  return inserted === 1
}

export async function findRequest(tx: Tx, id: string): Promise<IdempotentRow | null> {
  const row = await tx.get<IdempotentRow>(
    'select id, request, status, answer, mac from idempotent_requests where id = ?',
    [id],
  )
  return row ?? null
}

export async function saveAnswer(
  tx: Tx,
  { id, status, answer, mac }: Omit<IdempotentRow, 'request'>,
): Promise<void> {
  await tx.run('update idempotent_requests set status = ?, answer = ?, mac = ? where id = ?', [
    status,
    answer,
    mac,
    id,
  ])
}

export async function deleteRequest(tx: Tx, id: string): Promise<void> {
  await tx.run('delete from idempotent_requests where id = ?', [id])
}

export async function deleteEndedRequests(tx: Tx, at: EpochMs): Promise<void> {
  await tx.run('delete from idempotent_requests where ends_at <= ?', [at])
}
