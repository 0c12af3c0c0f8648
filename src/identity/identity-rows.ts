import { stateTag } from '../core/expectation.ts'
import type { AgentInfo, OrgInfo, Role } from '../core/identity-port.ts'
import type { AgentId, OrgId, UserId, VaultId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'
import { type GrantRow, grantTable } from './grant-rows.ts'
import { type PeopleTables, peopleTables } from './people-rows.ts'

export interface OrganisationRow {
  readonly id: OrgId
  readonly name: string
  readonly created_at: EpochMs
  readonly revision: number
}

export interface UserRow {
  readonly id: UserId
  readonly email: string
  readonly name: string | null
  readonly role: Role
  readonly state: 'active' | 'disabled'
  /** Argon2id record, or null for those who sign in otherwise. */
  readonly password: string | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

/** A personal key of somebody with an account. */
export interface UserKeyRow {
  readonly id: string
  readonly user_id: UserId
  readonly label: string
  readonly prefix: string
  readonly digest: Uint8Array
  /** JSON array of path globs, or null. */
  readonly scopes: string | null
  readonly created_at: EpochMs
  readonly expires_at: EpochMs | null
  readonly revoked_at: EpochMs | null
  readonly revision: number
}

export interface AgentRow {
  readonly id: AgentId
  readonly name: string
  readonly description: string | null
  readonly state: 'active' | 'disabled'
  /** JSON array of path globs, or null. */
  readonly scopes: string | null
  /** JSON array of vault ids, or null. */
  readonly vault_ids: string | null
  /** Seconds. */
  readonly token_ttl: number
  readonly environment: string | null
  /** JSON array, or null for none. */
  readonly labels: string | null
  readonly expires_at: EpochMs | null
  readonly key_id: string | null
  readonly key_prefix: string | null
  readonly key_digest: Uint8Array | null
  readonly key_expires_at: EpochMs | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

/** Which workload of which issuer is which agent. */
export interface WorkloadRuleRow {
  readonly id: string
  readonly agent_id: AgentId
  readonly issuer: string
  readonly audience: string
  readonly subject: string
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

/** A token that was ended before its time, kept until then. */
export interface EndedTokenRow {
  readonly id: string
  readonly ends_at: EpochMs
  readonly revision: number
}

export interface FreezeRow {
  /** `all`, `agent:local`, `agent:<uuid>`, `user:<uuid>` or `grant:<id>`. */
  readonly id: string
  readonly state: 'on' | 'off'
  readonly at: EpochMs
  readonly set_by: string
  readonly reason: string | null
  readonly revision: number
}

/** The tables of identity; all of their rows carry rights. */
export interface IdentityTables extends PeopleTables {
  readonly organisation: MacTable<OrganisationRow>
  readonly users: MacTable<UserRow>
  readonly userKeys: MacTable<UserKeyRow>
  readonly agents: MacTable<AgentRow>
  readonly workloadRules: MacTable<WorkloadRuleRow>
  readonly grants: MacTable<GrantRow>
  readonly endedTokens: MacTable<EndedTokenRow>
  readonly freezes: MacTable<FreezeRow>
}

export function identityTables(mac: RowMac): IdentityTables {
  return {
    ...peopleTables(mac),
    organisation: new MacTable<OrganisationRow>(
      mac,
      'organisation',
      ['id', 'name', 'created_at', 'revision'],
      ['id'],
    ),
    users: new MacTable<UserRow>(mac, 'users', USER_COLUMNS, ['id']),
    userKeys: new MacTable<UserKeyRow>(mac, 'user_keys', USER_KEY_COLUMNS, ['id']),
    agents: new MacTable<AgentRow>(mac, 'agents', AGENT_COLUMNS, ['id'], ['labels']),
    workloadRules: new MacTable<WorkloadRuleRow>(mac, 'workload_rules', RULE_COLUMNS, ['id']),
    grants: grantTable(mac),
    endedTokens: new MacTable<EndedTokenRow>(
      mac,
      'ended_tokens',
      ['id', 'ends_at', 'revision'],
      ['id'],
    ),
    freezes: new MacTable<FreezeRow>(
      mac,
      'freezes',
      ['id', 'state', 'at', 'set_by', 'reason', 'revision'],
      ['id'],
    ),
  }
}

const USER_COLUMNS = [
  'id',
  'email',
  'name',
  'role',
  'state',
  'password',
  'created_at',
  'created_by',
  'revision',
] as const satisfies readonly (keyof UserRow)[]

const USER_KEY_COLUMNS = [
  'id',
  'user_id',
  'label',
  'prefix',
  'digest',
  'scopes',
  'created_at',
  'expires_at',
  'revoked_at',
  'revision',
] as const satisfies readonly (keyof UserKeyRow)[]

const RULE_COLUMNS = [
  'id',
  'agent_id',
  'issuer',
  'audience',
  'subject',
  'created_at',
  'created_by',
  'revision',
] as const satisfies readonly (keyof WorkloadRuleRow)[]

const AGENT_COLUMNS = [
  'id',
  'name',
  'description',
  'state',
  'scopes',
  'vault_ids',
  'token_ttl',
  'environment',
  'expires_at',
  'key_id',
  'key_prefix',
  'key_digest',
  'key_expires_at',
  'created_at',
  'created_by',
  'revision',
  'labels',
] as const satisfies readonly (keyof AgentRow)[]

export function orgInfo(row: OrganisationRow): OrgInfo {
  return { id: row.id, name: row.name }
}

export function agentInfo(row: AgentRow): AgentInfo {
  return {
    id: row.id,
    tag: stateTag(row.revision),
    name: row.name,
    description: row.description,
    isActive: row.state === 'active',
    scopes: listOf(row.scopes),
    vaultIds: listOf<VaultId>(row.vault_ids),
    tokenTtlSeconds: row.token_ttl,
    environment: row.environment,
    labels: listOf(row.labels) ?? [],
    expiresAt: row.expires_at,
    keyPrefix: row.key_prefix,
    keyExpiresAt: row.key_expires_at,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

/** A list as its column holds it: rows are authenticated, so it is what was written. */
export function listOf<T extends string>(json: string | null): readonly T[] | null {
  return json === null ? null : (JSON.parse(json) as readonly T[])
}
