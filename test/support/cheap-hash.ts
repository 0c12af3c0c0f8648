import { randomBytes } from 'node:crypto'
import type { Db } from '../../src/core/db-port.ts'
import { SecretText } from '../../src/core/secret-text.ts'
import { derive } from '../../src/crypto/index.ts'
import type { MacTable } from '../../src/keys/index.ts'

interface HashedRow {
  readonly id: string | number
  readonly revision: number
}

/**
 * Puts the least cost that a stored hash may have in the place of the one that is always chosen, which takes 24 times
 * as long: what is tried with many answers is not what the hash costs.
 *
 * @param column where the hash stands
 * @param passphrase what it was made of
 */
export async function makeCheap<R extends HashedRow>(
  db: Db,
  table: MacTable<R>,
  id: R['id'],
  column: keyof R & string,
  passphrase: string,
): Promise<void> {
  const salt = randomBytes(16).toString('base64url')
  const cost = { algorithm: 'argon2id', memoryKiB: 8_192, passes: 1, parallelism: 1, salt }
  const hash = await derive(SecretText.fromText(passphrase), JSON.stringify(cost))
  const record = JSON.stringify({ ...cost, hash: hash.toString('base64url') })
  await db.write(async (tx) => {
    const row = await table.get(tx, 'id = ?', [id])
    if (row === null) throw new Error(`${table.name} has no row ${id}`)
    // With the revision that the audit knows; a row is only replaced by one of the next.
    await tx.run(`update ${table.name} set revision = revision - 1 where id = ?`, [id])
    await table.save(tx, [{ ...row, [column]: record }])
  })
}
