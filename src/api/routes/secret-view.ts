import { toIso } from '../../core/time.ts'
import type { ListedSecret, SecretInfo, VaultInfo, VersionInfo } from '../../core/vault-port.ts'
import { isoOrNull, madeBy } from './moments.ts'

export function secretFields(info: SecretInfo) {
  return {
    id: info.id,
    vault_id: info.vaultId,
    path: info.path,
    type: info.type,
    version: info.version,
    metadata: info.metadata,
    created_at: toIso(info.createdAt),
    updated_at: toIso(info.updatedAt),
    expires_at: isoOrNull(info.expiresAt),
    is_disabled: info.isDisabled,
    max_access_count: info.maxAccessCount,
    access_count: info.accessCount,
    byte_length: info.byteLength,
    is_binary: info.isBinary,
  }
}

export function listedFields(info: ListedSecret) {
  return { ...secretFields(info), readable: info.readable }
}

export function versionFields(info: VersionInfo) {
  return {
    version: info.version,
    state: info.state,
    is_disabled: info.state !== 'active',
    created_at: toIso(info.createdAt),
    created_by: info.createdBy,
    expires_at: isoOrNull(info.expiresAt),
    max_access_count: info.maxAccessCount,
    access_count: info.accessCount,
    byte_length: info.byteLength,
  }
}

export function vaultFields(info: VaultInfo) {
  return {
    id: info.id,
    name: info.name,
    description: info.description ?? '',
    ...madeBy(info.createdBy),
    created_at: toIso(info.createdAt),
  }
}
