import { randomInt } from 'node:crypto'
import type { Glance, Reader, Tx } from '../core/db-port.ts'

const REVISION = 'select revision from rights where id = 1'

/** Changes with every change to what anybody may do, so that what was read of rights can be kept until then. */
export async function rightsRevision(reader: Reader): Promise<number> {
  const row = await reader.get<{ revision: number }>(REVISION)
  return row?.revision ?? 0
}

export function rightsRevisionAtOnce(reader: Pick<Glance, 'get'>): number {
  return reader.get<{ revision: number }>(REVISION, [])?.revision ?? 0
}

/** A number never seen before, so that one written in a transaction that was undone cannot come again. */
export async function bumpRights(tx: Tx): Promise<void> {
  await tx.run('update rights set revision = ? where id = 1', [randomInt(2, 2 ** 47)])
}
