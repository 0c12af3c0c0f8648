import type { Db } from '../core/db-port.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { VaultId } from '../core/ids.ts'
import { type Caller, isRegistered } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import type { VaultRights } from './rights.ts'
import type { VaultTables } from './rows-repository.ts'
import { findVault, unknownVault } from './vaults.ts'

/**
 * The vault that a registered caller means. One that is none of his business is unknown to him, and a credential that
 * is bound to exactly one vault need not name it.
 *
 * @param named id or name, or null
 * @returns null when it has to be named
 * @throws {Fault} `VAULT_NOT_FOUND`, `UNAUTHENTICATED`
 */
export type ReachedVault = (caller: Caller, named: string | null) => Promise<VaultId | null>

export function createReach(parts: {
  readonly db: Db
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly standing: StandingPort
  readonly clock: Clock
}): ReachedVault {
  const { db, tables, rights, standing, clock } = parts
  return (caller, named) =>
    db.read(async (reader) => {
      let name = named
      if (name === null) {
        if (!isRegistered(caller.principal)) return null
        const { vaultIds } = await standing.standingOf(reader, caller, clock())
        const [only, ...others] = vaultIds ?? []
        if (only === undefined || others.length > 0) return null
        name = only
      }
      const vault = await findVault(tables, reader, name)
      const [visible] = await (await rights.at(reader, clock())).visible(caller, [vault])
      if (visible === undefined) throw unknownVault(name)
      return visible.id
    })
}
