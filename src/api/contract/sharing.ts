import * as z from 'zod'
import { SHARE_RECIPIENTS } from '../../core/share-port.ts'
import { instant, nullableInstant, secretTypeSchema, uuid } from './schemas.ts'

export const shareRecipientSchema = z.enum(SHARE_RECIPIENTS)

export const createShareSchema = z.object({
  recipient_type: shareRecipientSchema,
  recipient_id: uuid.nullish(),
  email: z.string().max(256).nullish(),
  permissions: z
    .array(z.enum(['read']))
    .optional()
    .describe('A share is read, and nothing else.'),
  expires_at: instant,
  max_access_count: z.int().nullish(),
  passphrase: z.string().nullish(),
  ip_allowlist: z.array(z.string().max(64)).max(32).nullish(),
})

export const madeShareSchema = z
  .object({
    id: uuid,
    share_url: z
      .string()
      .describe('Of a link: its part behind the # is shown this once, and sent to no server.'),
    recipient_type: shareRecipientSchema,
    recipient_email: z.string().nullable(),
    expires_at: instant,
    max_access_count: z.int().nullable(),
  })
  .meta({ id: 'ShareResponse' })

export const sharedSecretSchema = z
  .object({
    id: uuid,
    path: z.string(),
    type: secretTypeSchema,
    version: z.int(),
    value: z.string(),
    encoding: z.enum(['utf8', 'base64']),
    access_count: z.int(),
    max_access_count: z.int().nullable(),
    expires_at: instant,
  })
  .meta({ id: 'SharedSecretResponse' })

export const shareItemSchema = z
  .object({
    id: uuid,
    vault_id: uuid,
    secret_id: uuid,
    secret_path: z.string(),
    recipient_type: shareRecipientSchema,
    recipient_id: uuid.nullable(),
    recipient_email: z.string().nullable(),
    state: z.enum(['open', 'declined', 'locked', 'revoked']),
    has_passphrase: z.boolean(),
    access_count: z.int(),
    max_access_count: z.int().nullable(),
    expires_at: instant,
    created_at: instant,
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    is_expired: z.boolean(),
    is_accepted: z.boolean(),
  })
  .meta({ id: 'ShareListItem' })

export const quotaSchema = z
  .object({
    subject: z.string().describe('org, agent:<id> or user:<id>'),
    reads: z.int().nullable(),
    writes: z.int().nullable(),
    used: z.object({ reads: z.int(), writes: z.int() }),
    month: z.string().describe('Calendar month, UTC.'),
  })
  .meta({ id: 'Quota' })

export const honeytokenSchema = z
  .object({
    id: uuid,
    vault_id: uuid,
    org_id: uuid,
    secret_path: z.string(),
    freezes: z.boolean().describe('Whoever asks for it is frozen.'),
    notes: z.string().nullable(),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
    triggered_count: z.int(),
    last_triggered_at: nullableInstant,
  })
  .meta({ id: 'Honeytoken' })
