import type { Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'

/** A proof that was shown: what it is told apart by, and when it is too old to count anyway. */
export interface ShownProof {
  readonly id: string
  readonly endsAt: EpochMs
}

/** @returns false when it was shown before */
export async function insertProof(tx: Tx, { id, endsAt }: ShownProof): Promise<boolean> {
  const inserted = await tx.run(
    'insert into shown_proofs (id, ends_at) values (?, ?) on conflict (id) do nothing',
    [id, endsAt],
  )
  return inserted === 1
}

export async function deleteEndedProofs(tx: Tx, at: EpochMs): Promise<void> {
  await tx.run('delete from shown_proofs where ends_at <= ?', [at])
}
