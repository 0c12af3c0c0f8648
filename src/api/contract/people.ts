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
