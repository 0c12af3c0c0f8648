import * as z from 'zod'
import { toIso } from '../core/time.ts'
import {
  type ListedSecret,
  SECRET_TYPES,
  type SecretInfo,
  type StoredVersion,
  type VaultInfo,
  type VersionInfo,
} from '../core/vault-port.ts'

const time = z.string().describe('RFC 3339, UTC.')

/** What is said of a secret without its value. */
export const secretShape = z.strictObject({
  id: z.string(),
  path: z.string(),
  type: z.enum(SECRET_TYPES),
  version: z.int(),
  created_at: time,
  updated_at: time,
  expires_at: time.nullable(),
  max_access_count: z.int().nullable(),
  access_count: z.int().describe('Reads spent by the current version.'),
  is_disabled: z.boolean(),
  readable: z.boolean().describe('Whether you may read the value.'),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
})

export function secretFields(secret: ListedSecret): z.output<typeof secretShape> {
  return {
    id: secret.id,
    path: secret.path,
    type: secret.type,
    version: secret.version,
    created_at: toIso(secret.createdAt),
    updated_at: toIso(secret.updatedAt),
    expires_at: secret.expiresAt === null ? null : toIso(secret.expiresAt),
    max_access_count: secret.maxAccessCount,
    access_count: secret.accessCount,
    is_disabled: secret.isDisabled,
    readable: secret.readable,
    metadata: { ...secret.metadata },
  }
}

export const secretListShape = z.strictObject({
  total: z.int().describe('How many secrets the vault holds.'),
  visible: z.int().describe('How many of them are listed here.'),
  names: z.array(z.string()),
  secrets: z.array(secretShape),
})

/** One line a secret: `- api/stripe  (api_key, version 3, expires 2030-01-31T00:00:00.000Z)`. */
export function secretLine(secret: ListedSecret): string {
  const facts = [
    secret.type,
    `version ${secret.version}`,
    ...(secret.expiresAt === null ? [] : [`expires ${toIso(secret.expiresAt)}`]),
    ...(secret.isDisabled ? ['disabled'] : []),
    ...(secret.readable ? [] : ['you may not read it']),
  ]
  return `- ${secret.path}  (${facts.join(', ')})`
}

export const storedShape = z.strictObject({
  id: z.string(),
  vault_id: z.string(),
  path: z.string(),
  type: z.enum(SECRET_TYPES),
  version: z.int(),
  replaced: z.int().nullable().describe('The version that was current before.'),
  not_redactable: z
    .literal(true)
    .describe('The value can be guessed, so nothing is remembered of it and redaction misses it.')
    .optional(),
})

export function storedFields(stored: StoredVersion): z.output<typeof storedShape> {
  return {
    id: stored.id,
    vault_id: stored.vaultId,
    path: stored.path,
    type: stored.type,
    version: stored.version,
    replaced: stored.replaced,
    ...(stored.notRedactable === true && { not_redactable: true as const }),
  }
}

/** What was done, and beneath it what the caller should know of the value that was stored. */
export function storedText(done: string, { path, notRedactable }: StoredVersion): string {
  if (notRedactable !== true) return done
  return (
    `${done}\nWarning: this value can be guessed, so nothing is remembered of it and it is not redacted where it ` +
    `shows up (not_redactable). Use a longer random value, or have the person run: ` +
    `sallyport secret put ${path} --remember-weak`
  )
}

export const versionShape = z.strictObject({
  version: z.int(),
  state: z.enum(['active', 'disabled', 'destroyed']),
  created_at: time,
  created_by: z.string(),
  expires_at: time.nullable(),
  max_access_count: z.int().nullable(),
  access_count: z.int(),
  byte_length: z.int(),
})

export function versionFields(version: VersionInfo): z.output<typeof versionShape> {
  return {
    version: version.version,
    state: version.state,
    created_at: toIso(version.createdAt),
    created_by: version.createdBy,
    expires_at: version.expiresAt === null ? null : toIso(version.expiresAt),
    max_access_count: version.maxAccessCount,
    access_count: version.accessCount,
    byte_length: version.byteLength,
  }
}

export const vaultShape = z.strictObject({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  created_at: time,
  created_by: z.string(),
})

export function vaultFields(vault: VaultInfo): z.output<typeof vaultShape> {
  return {
    id: vault.id,
    name: vault.name,
    description: vault.description,
    created_at: toIso(vault.createdAt),
    created_by: vault.createdBy,
  }
}

/** Ids and version of the secret a value was read from. */
export const readShape = {
  id: z.string(),
  vault_id: z.string(),
  path: z.string(),
  type: z.enum(SECRET_TYPES),
  version: z.int(),
}

export function readFields(info: SecretInfo): {
  id: string
  vault_id: string
  path: string
  type: SecretInfo['type']
  version: number
} {
  return {
    id: info.id,
    vault_id: info.vaultId,
    path: info.path,
    type: info.type,
    version: info.version,
  }
}
