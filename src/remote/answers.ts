import * as z from 'zod'
import { Fault } from '../core/faults.ts'
import type { SecretId, VaultId } from '../core/ids.ts'
import { SecretText } from '../core/secret-text.ts'
import { type EpochMs, epochMs, parseInstant } from '../core/time.ts'
import type {
  ListedSecret,
  SecretInfo,
  SecretType,
  VaultInfo,
  VersionInfo,
} from '../core/vault-port.ts'
import { SECRET_TYPES } from '../core/vault-port.ts'

// What a server of the 1claw API answers. Only what we need is demanded; members that only a Sallyport server adds are
// optional, and others are let through.

const instant = z.string().transform((text, context): EpochMs => {
  const at = parseInstant(text)
  if (at === null) context.addIssue({ code: 'custom', message: 'not an instant' })
  return at ?? epochMs(0)
})
const optionalInstant = instant.nullish().transform((at) => at ?? null)
const type = z
  .string()
  .transform((text): SecretType => SECRET_TYPES.find((one) => one === text) ?? 'generic')

const metadataOf = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .nullish()
  .catch(null)

const secretFields = {
  id: z.string(),
  path: z.string(),
  type,
  version: z.number().int(),
  metadata: metadataOf,
  created_at: instant,
  expires_at: optionalInstant,
  updated_at: optionalInstant,
  is_disabled: z.boolean().nullish(),
  max_access_count: z.number().int().nullish(),
  access_count: z.number().int().nullish(),
  byte_length: z.number().int().nullish(),
  is_binary: z.boolean().nullish(),
  readable: z.boolean().nullish(),
}

const vaultSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullish(),
  created_at: instant,
  created_by: z.string().nullish(),
})
const secretSchema = z.object(secretFields)
const secretWithValue = z.object({
  ...secretFields,
  value: z.string(),
  encoding: z.enum(['utf8', 'base64']).nullish(),
})
const versionSchema = z.object({
  version: z.number().int(),
  created_at: instant,
  created_by: z.string().nullish(),
  expires_at: optionalInstant,
  state: z.enum(['active', 'disabled', 'destroyed']).nullish(),
  is_disabled: z.boolean().nullish(),
  max_access_count: z.number().int().nullish(),
  access_count: z.number().int().nullish(),
  byte_length: z.number().int().nullish(),
})
const createdSchema = z.object({
  id: z.string(),
  path: z.string(),
  type,
  version: z.number().int(),
  metadata: metadataOf,
  created_at: instant,
  expires_at: optionalInstant,
  not_redactable: z.boolean().nullish(),
})

function checked<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  // Only where it went wrong: what stands there may be a value.
  throw new Fault(
    'NET_FAILED',
    `The server's answer is not ${what}: ${issue?.path.join('.') ?? 'it'} does not fit.`,
  )
}

function secretInfo(row: z.output<typeof secretSchema>, vaultId: VaultId): SecretInfo {
  return {
    id: row.id as SecretId,
    vaultId,
    path: row.path,
    type: row.type,
    metadata: row.metadata ?? {},
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at ?? row.created_at,
    expiresAt: row.expires_at,
    maxAccessCount: row.max_access_count ?? null,
    accessCount: row.access_count ?? 0,
    isDisabled: row.is_disabled ?? false,
    deletedAt: null,
    byteLength: row.byte_length ?? 0,
    isBinary: row.is_binary ?? false,
  }
}

function vaultInfo(row: z.output<typeof vaultSchema>): VaultInfo {
  return {
    id: row.id as VaultId,
    name: row.name,
    description: row.description ?? null,
    createdAt: row.created_at,
    createdBy: row.created_by ?? 'unknown',
  }
}

export function readVaults(body: unknown): readonly VaultInfo[] {
  return checked(z.object({ vaults: z.array(vaultSchema) }), body, 'a list of vaults').vaults.map(
    vaultInfo,
  )
}

export function readVault(body: unknown): VaultInfo {
  return vaultInfo(checked(vaultSchema, body, 'a vault'))
}

export function readSecrets(
  body: unknown,
  vaultId: VaultId,
): { readonly total: number; readonly secrets: readonly ListedSecret[] } {
  const schema = z.object({ secrets: z.array(secretSchema), total: z.number().int().nullish() })
  const { secrets, total } = checked(schema, body, 'a list of secrets')
  return {
    total: total ?? secrets.length,
    // A server that does not say so lists what may be read.
    secrets: secrets.map((row) => ({
      ...secretInfo(row, vaultId),
      readable: row.readable ?? true,
    })),
  }
}

export function readSecret(body: unknown, vaultId: VaultId): ListedSecret {
  const row = checked(secretSchema, body, 'a secret')
  return { ...secretInfo(row, vaultId), readable: row.readable ?? true }
}

export function readValue(
  body: unknown,
  vaultId: VaultId,
): { readonly info: SecretInfo; readonly value: SecretText } {
  const row = checked(secretWithValue, body, 'a secret with its value')
  const isBinary = row.encoding === 'base64'
  const bytes = Buffer.from(row.value, isBinary ? 'base64' : 'utf8')
  // The buffer is the value's own from here on.
  const value = new SecretText(bytes)
  return { info: { ...secretInfo(row, vaultId), byteLength: bytes.byteLength, isBinary }, value }
}

export function readVersions(body: unknown): readonly VersionInfo[] {
  const schema = z.object({ versions: z.array(versionSchema) })
  return checked(schema, body, 'a list of versions').versions.map((row) => ({
    version: row.version,
    state: row.state ?? (row.is_disabled === true ? 'disabled' : 'active'),
    createdAt: row.created_at,
    createdBy: row.created_by ?? 'unknown',
    expiresAt: row.expires_at,
    maxAccessCount: row.max_access_count ?? null,
    accessCount: row.access_count ?? 0,
    byteLength: row.byte_length ?? 0,
  }))
}

export function readCreated(body: unknown) {
  return checked(createdSchema, body, 'a stored version')
}
