import * as z from 'zod'
import { instant } from './schemas.ts'

const headerSchema = z.object({
  name: z.string(),
  value: z.string().describe('Holds secret://PATH, which becomes the value when a request leaves.'),
})

const limitsSchema = z
  .strictObject({
    start_ms: z.number().int().optional().describe('Until its first answer.'),
    call_ms: z.number().int().optional().describe('Of a call without an answer or progress.'),
    idle_ms: z.number().int().optional().describe('Nobody uses it for so long, and it is ended.'),
    max_open: z.number().int().optional().describe('Calls that may be open at once.'),
    late_in_a_row: z
      .number()
      .int()
      .optional()
      .describe('Calls in a row that came too late before it is left alone.'),
    rest_ms: z.number().int().optional().describe('For how long it is left alone then.'),
  })
  .describe('Where it differs from what is usual here.')

export const gatewayServerBody = z.union([
  z.strictObject({
    name: z.string(),
    kind: z.literal('stdio'),
    command: z.array(z.string()).describe('Program and arguments; no shell reads them.'),
    env: z
      .array(z.string())
      .optional()
      .describe('Names of variables of the gateway that the program may have.'),
    limits: limitsSchema.optional(),
  }),
  z.strictObject({
    name: z.string(),
    kind: z.literal('http'),
    url: z.string(),
    headers: z.array(headerSchema).optional(),
    limits: limitsSchema.optional(),
  }),
])

const serverFields = {
  name: z.string(),
  policies: z.array(z.string()).describe('By which every call is judged, whoever makes it.'),
  limits: limitsSchema,
  created_by: z.string(),
  created_by_type: z.enum(['user', 'agent', 'system']),
  created_at: instant,
  updated_at: instant,
}

export const gatewayServerSchema = z
  .union([
    z.object({
      ...serverFields,
      kind: z.literal('stdio'),
      command: z.array(z.string()),
      env: z.array(z.string()),
    }),
    z.object({
      ...serverFields,
      kind: z.literal('http'),
      url: z.string(),
      headers: z.array(headerSchema),
    }),
  ])
  .meta({ id: 'GatewayServer' })

export const toolPolicyBody = z.strictObject({
  text: z.string().describe('The policy, as a file of one would hold it.'),
})

export const toolPolicySchema = z
  .object({
    name: z.string(),
    revision: z.string().describe('First 16 characters of the SHA-256 of the text.'),
    servers: z.array(z.string()).describe('Whose every call it judges.'),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
    updated_by: z.string(),
    updated_at: instant,
  })
  .meta({ id: 'ToolPolicy' })

export const toolPolicyTextSchema = toolPolicySchema
  .extend({ text: z.string() })
  .meta({ id: 'ToolPolicyWithText' })

export const toolPolicySetSchema = toolPolicySchema
  .extend({
    warnings: z
      .array(
        z.object({
          line: z.int().describe('From 1, as the column.'),
          column: z.int(),
          problem: z.string(),
        }),
      )
      .describe('What is right in it and perhaps not meant.'),
  })
  .meta({ id: 'ToolPolicyWithWarnings' })

export const attachedSchema = z
  .object({ policies: z.array(z.string()).describe('What judges the calls there now.') })
  .meta({ id: 'AttachedPolicies' })

export const gatewayLoginBody = z.strictObject({
  client_id: z.string().optional().describe('Of a client that was registered by hand.'),
  client_secret: z
    .string()
    .optional()
    .describe('secret://PATH: where the vault has the secret of that client.'),
  scopes: z.array(z.string()).optional().describe('In place of those that the server asks for.'),
})

const loginClient = z
  .enum(['given', 'document', 'registered'])
  .describe('How the authorization server knows this program.')

export const gatewayLoginBegunSchema = z
  .object({
    authorization_url: z
      .string()
      .describe('What the same browser opens; it comes back to a page of this server.'),
    issuer: z.string(),
    client: loginClient,
    scopes: z.array(z.string()),
    expires_at: instant,
  })
  .meta({ id: 'GatewayLoginBegun' })

export const gatewayLoginSchema = z
  .object({
    server: z.string(),
    state: z
      .enum(['active', 'refused', 'needed'])
      .describe(
        'refused: the server did not take the token of renewed_at although it was new; the next is asked for after a pause. needed: the tokens are taken no more. Either way somebody has to log in again.',
      ),
    issuer: z.string(),
    client: loginClient,
    client_id: z.string(),
    scopes: z.array(z.string()),
    missing_scopes: z
      .array(z.string())
      .describe('What the server has asked for since, and the login lacks.'),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
    renewed_at: instant,
    expires_at: instant.nullable(),
  })
  .meta({ id: 'GatewayLogin' })

export const gatewayLogoutSchema = z
  .object({
    issuer: z.string(),
    revoked: z.boolean().describe('Whether the authorization server took the tokens back.'),
  })
  .meta({ id: 'GatewayLogout' })
