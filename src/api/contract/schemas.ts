import * as z from 'zod'
import { CHARSETS, SECRET_TYPES } from '../../core/vault-port.ts'

export const uuid = z.uuid()
export const instant = z.iso.datetime({ offset: true })
export const nullableInstant = instant.nullable()

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().describe('Stable name of what went wrong; docs/errors.md lists them.'),
    help: z.string().describe('What to do about it.'),
    request_id: z.string(),
    field: z.string().optional().describe('The argument that is wrong.'),
    approval_request_id: uuid
      .optional()
      .describe('What a person has to decide first, or has denied.'),
    approval_url: z.string().optional().describe('Page on which the person decides.'),
  })
  .meta({ id: 'ProblemDetails' })

export const secretTypeSchema = z.enum(SECRET_TYPES)
export const charsetSchema = z.enum(CHARSETS)
export const metadataSchema = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
)

export const vaultSchema = z
  .object({
    id: uuid,
    name: z.string(),
    description: z.string(),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
  })
  .meta({ id: 'VaultResponse' })

const secretFields = {
  id: uuid,
  vault_id: uuid,
  path: z.string(),
  type: secretTypeSchema,
  version: z.int(),
  metadata: metadataSchema,
  created_at: instant,
  updated_at: instant,
  expires_at: nullableInstant,
  is_disabled: z.boolean(),
  max_access_count: z.int().nullable(),
  access_count: z.int(),
  byte_length: z.int(),
  is_binary: z.boolean(),
}

export const secretSchema = z
  .object({ ...secretFields, readable: z.boolean() })
  .meta({ id: 'SecretMetadataResponse' })

export const secretValueSchema = z
  .object({
    ...secretFields,
    value: z.string(),
    encoding: z.enum(['utf8', 'base64']).describe('How value is written.'),
  })
  .meta({ id: 'SecretResponse' })

export const storedSchema = z
  .object({
    id: uuid,
    vault_id: uuid,
    path: z.string(),
    type: secretTypeSchema,
    version: z.int(),
    metadata: metadataSchema,
    created_at: instant,
    expires_at: nullableInstant,
    not_redactable: z
      .literal(true)
      .optional()
      .describe('The value can be guessed, so redaction will not recognise it.'),
  })
  .meta({ id: 'SecretCreatedResponse' })

export const versionSchema = z
  .object({
    version: z.int(),
    state: z.enum(['active', 'disabled', 'destroyed']),
    is_disabled: z.boolean(),
    created_at: instant,
    created_by: z.string(),
    expires_at: nullableInstant,
    max_access_count: z.int().nullable(),
    access_count: z.int(),
    byte_length: z.int(),
  })
  .meta({ id: 'SecretVersionResponse' })
