import * as z from 'zod'
import { ROLES } from '../../core/identity-port.ts'
import { instant, nullableInstant, uuid } from './schemas.ts'

export const personTokenSchema = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int().describe('Seconds.'),
    user_id: uuid,
  })
  .meta({ id: 'UserTokenResponse' })

export const profileSchema = z
  .object({
    id: uuid,
    email: z.string(),
    display_name: z.string(),
    auth_method: z.enum(['password', 'other']),
    role: z.enum(ROLES),
    email_verified: z
      .literal(true)
      .describe('Whoever has an account came by a link or a provider.'),
    is_active: z.boolean(),
    created_at: instant,
  })
  .meta({ id: 'UserProfileResponse' })

export const sessionSchema = z
  .object({
    user: profileSchema,
    session: z.object({
      id: uuid,
      signed_in_with: z.enum(['password', 'passkey', 'oidc', 'link']),
      created_at: instant,
      ends_at: instant.describe('Unused it ends after eight hours, used after seven days.'),
    }),
    stepped_up_until: nullableInstant.describe(
      'Until when it counts that the person proved to be there; null: not any more.',
    ),
    csrf_token: z.string().describe('For X-CSRF-Token of every other call of this session.'),
  })
  .meta({ id: 'SessionResponse' })

export const passkeyQuestionSchema = z
  .object({
    handle: z.string().describe('To answer under, once and within five minutes.'),
    options: z
      .record(z.string(), z.unknown())
      .describe('For PublicKeyCredential.parseRequestOptionsFromJSON().'),
  })
  .meta({ id: 'PasskeyQuestion' })

export const personalKeySchema = z
  .object({
    id: uuid,
    name: z.string(),
    key_prefix: z.string(),
    scopes: z.array(z.string()).describe('Path globs; none: all that its person may.'),
    is_active: z.boolean(),
    created_at: instant,
    expires_at: nullableInstant,
  })
  .meta({ id: 'ApiKeyResponse' })

export const personalKeyBody = z.object({
  name: z.string(),
  scopes: z.array(z.string()).nullish(),
  expires_at: instant.nullish(),
})

export const newPersonalKeySchema = z
  .object({ key: personalKeySchema, api_key: z.string().describe('Shown this once.') })
  .meta({ id: 'ApiKeyCreatedResponse' })
