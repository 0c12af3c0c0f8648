import type {
  ListedSecret,
  Metadata,
  SecretInfo,
  VaultInfo,
  VersionInfo,
} from '../core/vault-port.ts'
import { isOpen } from './needs-person.ts'
import type { VersionCounters } from './read-lane.ts'
import type { CallerRights } from './rights.ts'
import type { SecretRow, VaultRow, VersionRow } from './rows-repository.ts'

export function vaultInfo(row: VaultRow): VaultInfo {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}

export function secretInfo(row: SecretRow): SecretInfo {
  return {
    id: row.id,
    vaultId: row.vault_id,
    path: row.path,
    type: row.type,
    metadata: row.metadata === '{}' ? {} : (JSON.parse(row.metadata) as Metadata),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
    maxAccessCount: row.max_reads,
    accessCount: row.reads,
    isDisabled: row.state !== 'active',
    deletedAt: row.deleted_at,
    byteLength: row.byte_length,
    isBinary: row.is_binary === 1,
  }
}

/** The secret as of one of its versions. */
export function infoOfVersion(row: SecretRow, version: VersionCounters): SecretInfo {
  const info = secretInfo(row)
  return {
    id: info.id,
    vaultId: info.vaultId,
    path: info.path,
    type: version.type,
    metadata: info.metadata,
    version: version.version,
    createdAt: info.createdAt,
    updatedAt: info.updatedAt,
    expiresAt: version.expiresAt,
    maxAccessCount: version.maxReads,
    accessCount: version.reads,
    isDisabled: version.state !== 'active',
    deletedAt: info.deletedAt,
    byteLength: version.byteLength,
    isBinary: version.isBinary,
  }
}

export function listedSecret(row: SecretRow, rights: CallerRights): ListedSecret {
  return { ...secretInfo(row), readable: isOpen(rights.judge(row.path, 'read')) }
}

/** @param current the secret's row, which counts for the version it names */
export function versionInfo(row: VersionRow, current: SecretRow): VersionInfo {
  const isCurrent = current.version === row.version
  return {
    version: row.version,
    state: isCurrent ? current.state : row.state,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    maxAccessCount: row.max_reads,
    accessCount: isCurrent ? current.reads : row.reads,
    byteLength: row.byte_length,
  }
}
