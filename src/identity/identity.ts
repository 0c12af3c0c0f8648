import type { Ledger } from '../audit/index.ts'
import type { Db } from '../core/db-port.ts'
import type { AgentPort, AuthenticationPort, FreezePort } from '../core/identity-port.ts'
import type { Log } from '../core/log.ts'
import type { Clock } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import { createAgents } from './agents.ts'
import { Authentication } from './authentication.ts'
import { createFreezes } from './freezes.ts'
import { type IdentityTables, identityTables } from './identity-rows.ts'
import { Refusals, refusalLane } from './refusals.ts'
import { ShownProofs } from './shown-proofs.ts'
import { SigningKeys } from './signing-keys.ts'
import { Standing } from './standing.ts'

/** Who is calling and whether it still counts. */
export interface Identity {
  readonly agents: AgentPort
  readonly authentication: AuthenticationPort
  readonly freezes: FreezePort
  readonly standing: Standing
  readonly tables: IdentityTables
  /** Before the ledger closes: writes down what is only counted yet. */
  close(): Promise<void>
}

export interface IdentityParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly keys: StoreKeys
  readonly clock: Clock
  readonly log: Log
}

/** @param standing one that was made before, over the same tables, because the vault asks it too */
export function createIdentity(
  parts: IdentityParts,
  tables: IdentityTables = identityTables(parts.keys.rowMac),
  standing: Standing = new Standing(tables),
): Identity {
  const { db, ledger, keys, clock } = parts
  let key: Promise<Uint8Array> | null = null
  const lookupKey = (): Promise<Uint8Array> => {
    key ??= db
      .read((reader) => keys.active(reader, 'token-lookup'))
      .then(
        (held) => held.key,
        (error: unknown) => {
          key = null
          throw error
        },
      )
    return key
  }
  const refusals = new Refusals({ ledger, clock, log: parts.log })
  const authentication = new Authentication({
    db,
    ledger,
    clock,
    tables,
    standing,
    lookupKey,
    signingKeys: new SigningKeys(keys),
    refusals,
    shownProofs: new ShownProofs(db, clock),
  })
  const changed = (): void => authentication.noteChange()
  const refusal = refusalLane(ledger)
  return {
    agents: createAgents({ db, ledger, clock, tables, standing, lookupKey, refusal, changed }),
    authentication,
    freezes: createFreezes({ db, ledger, clock, tables, standing, refusal, changed }),
    standing,
    tables,
    close: () => refusals.close(),
  }
}
