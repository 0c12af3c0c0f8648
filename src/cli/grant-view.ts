import type { GrantInfo } from '../core/grant-port.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'

export const GRANT_ARGUMENT = { name: 'grant', summary: 'its id' } as const

export function grantJson(grant: GrantInfo): { readonly [name: string]: Json } {
  return {
    id: grant.id,
    agent_id: grant.agentId,
    label: grant.label,
    server: grant.server,
    policies: grant.policies,
    prefix: grant.prefix,
    created_at: toIso(grant.createdAt),
    created_by: grant.createdBy,
    rotated_at: grant.rotatedAt === null ? null : toIso(grant.rotatedAt),
    expires_at: grant.expiresAt === null ? null : toIso(grant.expiresAt),
    revoked_at: grant.revokedAt === null ? null : toIso(grant.revokedAt),
  }
}
