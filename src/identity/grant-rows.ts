import { stateTag } from '../core/expectation.ts'
import type { GrantInfo } from '../core/grant-port.ts'
import type { AgentId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'

export interface GrantRow {
  readonly id: string
  readonly agent_id: AgentId
  readonly label: string
  readonly server: string
  /** JSON array of names. */
  readonly policies: string
  /** Another one with every rotation: what was verified under the old one no longer counts. */
  readonly key_id: string
  readonly prefix: string
  readonly digest: Uint8Array
  readonly created_at: EpochMs
  readonly created_by: string
  readonly rotated_at: EpochMs | null
  readonly expires_at: EpochMs | null
  readonly revoked_at: EpochMs | null
  readonly revision: number
}

const COLUMNS = [
  'id',
  'agent_id',
  'label',
  'server',
  'policies',
  'key_id',
  'prefix',
  'digest',
  'created_at',
  'created_by',
  'rotated_at',
  'expires_at',
  'revoked_at',
  'revision',
] as const satisfies readonly (keyof GrantRow)[]

export function grantTable(mac: RowMac): MacTable<GrantRow> {
  return new MacTable<GrantRow>(mac, 'grants', COLUMNS, ['id'])
}

export function grantInfo(row: GrantRow): GrantInfo {
  return {
    id: row.id,
    tag: stateTag(row.revision),
    agentId: row.agent_id,
    label: row.label,
    server: row.server,
    // The row is authenticated, so it is what was written.
    policies: JSON.parse(row.policies) as readonly string[],
    prefix: row.prefix,
    createdAt: row.created_at,
    createdBy: row.created_by,
    rotatedAt: row.rotated_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }
}
