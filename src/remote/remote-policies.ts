import * as z from 'zod'
import { Fault } from '../core/faults.ts'
import type { PolicyId, VaultId } from '../core/ids.ts'
import {
  ACCESS_PERMISSIONS,
  type AccessGranting,
  type AccessPermission,
  type GrantedAccess,
  type PathPolicyRequest,
} from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import type { Connection } from './connection.ts'

/** Only what is needed is demanded. */
const answer = z.object({
  id: z.string(),
  permissions: z.array(z.enum(ACCESS_PERMISSIONS)).nullish(),
})

/** Grants at a server of the 1claw API, which judges whether the agent of the connection may. */
export class RemotePolicies implements AccessGranting {
  readonly #connection: Connection
  readonly #idOf: (vault: string) => Promise<VaultId>

  constructor(connection: Connection, idOf: (vault: string) => Promise<VaultId>) {
    this.#connection = connection
    this.#idOf = idOf
  }

  async create(_caller: Caller, vault: string, request: PathPolicyRequest): Promise<GrantedAccess> {
    const vaultId = await this.#idOf(vault)
    const { pattern, principalType, principalId, expiresAt = null } = request
    const body = JSON.stringify({
      secret_path_pattern: pattern,
      principal_type: principalType,
      principal_id: principalId,
      ...permissionFields(request.permissions),
      ...(expiresAt === null ? {} : { expires_at: toIso(expiresAt) }),
    })
    const read = answer.safeParse(
      await this.#connection.ask({ method: 'POST', path: `/v1/vaults/${vaultId}/policies`, body }),
    )
    if (!read.success)
      throw new Fault('NET_FAILED', 'The server answered with something that is no policy.')
    return {
      id: read.data.id as PolicyId,
      vaultId,
      pattern,
      principalType,
      principalId,
      permissions: read.data.permissions ?? request.permissions,
      expiresAt,
    }
  }
}

/** The older API knows three permissions, of which read brings list; the others are for a server that knows them. */
function permissionFields(permissions: readonly AccessPermission[]) {
  const named = permissions.filter((one) => one !== 'list')
  const isOlder =
    named.includes('read') &&
    named.length < permissions.length &&
    named.every((one) => one !== 'use' && one !== 'share')
  return isOlder ? { permissions: named } : { permissions, exact_permissions: true }
}
