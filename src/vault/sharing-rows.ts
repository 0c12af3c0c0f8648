import type { SecretId, VaultId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'

/** How much one subject may do in a calendar month; null is without a limit. */
export interface QuotaRow {
  /** `org`, `agent:<id>` or `user:<id>`. */
  readonly id: string
  readonly reads: number | null
  readonly writes: number | null
  readonly set_at: EpochMs
  readonly set_by: string
  readonly revision: number
}

/** What a subject with a quota has used of the month it last did anything in. */
export interface QuotaUseRow {
  readonly id: string
  /** `2026-11`, UTC. */
  readonly month: string
  readonly reads: number
  readonly writes: number
  readonly revision: number
}

/** A path whose value nobody has a reason to ask for. */
export interface CanaryRow {
  readonly id: string
  readonly vault_id: VaultId
  readonly path: string
  /** 1: whoever asks is frozen. */
  readonly freezes: number
  readonly notes: string | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly triggered: number
  readonly last_at: EpochMs | null
  readonly revision: number
}

export interface ShareRow {
  readonly id: string
  readonly vault_id: VaultId
  readonly secret_id: SecretId
  readonly path: string
  readonly recipient_type: 'user' | 'agent' | 'creator' | 'anyone_with_link' | 'external_email'
  /** Principal that alone may read it; null: whoever has the link. */
  readonly recipient: string | null
  readonly email: string | null
  /** Keyed hash of the link's secret part; null where there is no link. */
  readonly digest: Uint8Array | null
  /** Argon2id record, or null. */
  readonly passphrase: string | null
  /** Wrong passphrases since the last right one, and those that are being looked at. */
  readonly failures: number
  readonly state: 'open' | 'declined' | 'locked' | 'revoked'
  readonly reads: number
  readonly max_reads: number | null
  /** JSON array, or null. */
  readonly ip_allowlist: string | null
  readonly expires_at: EpochMs
  readonly accepted_at: EpochMs | null
  readonly created_at: EpochMs
  /** Principal. */
  readonly created_by: string
  /** Address from which it was made, by which conditions of the sharer's policies are judged when it is opened. */
  readonly created_from: string | null
  readonly revision: number
}

/** A variable of the environment; its value is the secret at `envVarPath`. */
export interface EnvVarRow {
  readonly id: string
  readonly vault_id: VaultId
  readonly key: string
  /** JSON array of slugs. */
  readonly environments: string
  readonly git_branch: string | null
  /** 1: the value is resolved, and never shown by itself. */
  readonly sensitive: number
  readonly comment: string | null
  /** Of one of the organisation: JSON array of vaults that it is resolved in. Null: of its vault alone. */
  readonly linked_vaults: string | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly updated_at: EpochMs
  readonly revision: number
}

export interface EnvironmentRow {
  readonly id: string
  readonly vault_id: VaultId
  readonly slug: string
  readonly description: string | null
  readonly copied_from: string | null
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

export interface SharingTables {
  readonly quotas: MacTable<QuotaRow>
  readonly quotaUse: MacTable<QuotaUseRow>
  readonly canaries: MacTable<CanaryRow>
  readonly shares: MacTable<ShareRow>
  readonly envVars: MacTable<EnvVarRow>
  readonly environments: MacTable<EnvironmentRow>
}

export function sharingTables(mac: RowMac): SharingTables {
  return {
    quotas: new MacTable<QuotaRow>(
      mac,
      'quotas',
      ['id', 'reads', 'writes', 'set_at', 'set_by', 'revision'],
      ['id'],
    ),
    quotaUse: new MacTable<QuotaUseRow>(
      mac,
      'quota_use',
      ['id', 'month', 'reads', 'writes', 'revision'],
      ['id'],
    ),
    canaries: new MacTable<CanaryRow>(mac, 'canaries', CANARY_COLUMNS, ['id']),
    shares: new MacTable<ShareRow>(mac, 'shares', SHARE_COLUMNS, ['id']),
    envVars: new MacTable<EnvVarRow>(mac, 'env_vars', ENV_VAR_COLUMNS, ['id']),
    environments: new MacTable<EnvironmentRow>(
      mac,
      'environments',
      [
        'id',
        'vault_id',
        'slug',
        'description',
        'copied_from',
        'created_at',
        'created_by',
        'revision',
      ],
      ['id'],
    ),
  }
}

const CANARY_COLUMNS = [
  'id',
  'vault_id',
  'path',
  'freezes',
  'notes',
  'created_at',
  'created_by',
  'triggered',
  'last_at',
  'revision',
] as const satisfies readonly (keyof CanaryRow)[]

const SHARE_COLUMNS = [
  'id',
  'vault_id',
  'secret_id',
  'path',
  'recipient_type',
  'recipient',
  'email',
  'digest',
  'passphrase',
  'failures',
  'state',
  'reads',
  'max_reads',
  'ip_allowlist',
  'expires_at',
  'accepted_at',
  'created_at',
  'created_by',
  'created_from',
  'revision',
] as const satisfies readonly (keyof ShareRow)[]

const ENV_VAR_COLUMNS = [
  'id',
  'vault_id',
  'key',
  'environments',
  'git_branch',
  'sensitive',
  'comment',
  'linked_vaults',
  'created_at',
  'created_by',
  'updated_at',
  'revision',
] as const satisfies readonly (keyof EnvVarRow)[]
