import type { Ledger } from '../audit/index.ts'
import type { Db } from '../core/db-port.ts'
import type { ServerPort, ToolPolicyPort } from '../core/gateway-port.ts'
import type { GrantPort } from '../core/grant-port.ts'
import type { StandingPort } from '../core/identity-port.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import type { Grants } from '../identity/index.ts'
import type { LoginRow } from './oauth/login-rows.ts'
import { createToolPolicies } from './policies.ts'
import { checksNames, createsRegistered, type GrantNames } from './registered-grants.ts'
import type { GrantsNaming, RevokeGrants } from './registry-lookup.ts'
import { type RegistryTables, registryTables } from './registry-rows.ts'
import { createServers } from './servers.ts'

/** The servers behind the gateway and the policies on their tools, as the store has them. */
export interface Registry {
  readonly servers: ServerPort
  readonly policies: ToolPolicyPort
  /** As `GrantPort.create`, for a server and policies that there are. */
  readonly createGrant: GrantPort['create']
  /** @throws {Fault} as `createGrant` for a server or a policy that is not there */
  readonly checkGrant: (caller: Caller, names: GrantNames) => Promise<void>
  readonly tables: RegistryTables
}

export function createRegistry(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly standing: StandingPort
  readonly grants: Pick<Grants, 'create' | 'attach' | 'detach'>
  readonly revokeGrants: RevokeGrants
  readonly grantsNaming: GrantsNaming
  readonly rowMac: RowMac
  readonly revoke: (login: LoginRow, by: Caller) => Promise<boolean>
}): Registry {
  const { rowMac, ...rest } = parts
  const tables = registryTables(rowMac)
  const within = { ...rest, tables }
  return {
    servers: createServers(within),
    policies: createToolPolicies(within),
    createGrant: createsRegistered(within),
    checkGrant: checksNames(within),
    tables,
  }
}
