import * as z from 'zod'
import { instant, nullableInstant, uuid } from './schemas.ts'

export const grantBody = z.strictObject({
  label: z.string().describe('Who holds it: a client, a machine.'),
  server: z
    .string()
    .describe('Server behind the gateway, added before; the bearer counts nowhere else.'),
  policies: z.array(z.string()).describe('Names of the policies that its calls are judged by.'),
  expires_at: instant.nullish(),
})

export const grantSchema = z
  .object({
    id: uuid,
    agent_id: uuid,
    label: z.string(),
    server: z.string(),
    policies: z.array(z.string()),
    prefix: z.string().describe('First characters of its bearer.'),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
    rotated_at: nullableInstant,
    expires_at: nullableInstant,
    revoked_at: nullableInstant,
  })
  .meta({ id: 'Grant' })

export const grantBearerSchema = z
  .object({ grant: grantSchema, token: z.string().describe('Shown this once.') })
  .meta({ id: 'GrantWithBearer' })
