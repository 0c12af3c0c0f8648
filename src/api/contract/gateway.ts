import * as z from 'zod'
import { instant } from './schemas.ts'

const headerSchema = z.object({
  name: z.string(),
  value: z.string().describe('Holds secret://PATH, which becomes the value when a request leaves.'),
})

export const gatewayServerBody = z.union([
  z.strictObject({
    name: z.string(),
    kind: z.literal('stdio'),
    command: z.array(z.string()).describe('Program and arguments; no shell reads them.'),
    env: z
      .array(z.string())
      .optional()
      .describe('Names of variables of the gateway that the program may have.'),
  }),
  z.strictObject({
    name: z.string(),
    kind: z.literal('http'),
    url: z.string(),
    headers: z.array(headerSchema).optional(),
  }),
])

const serverFields = {
  name: z.string(),
  policies: z.array(z.string()).describe('By which every call is judged, whoever makes it.'),
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

export const attachedSchema = z
  .object({ policies: z.array(z.string()).describe('What judges the calls there now.') })
  .meta({ id: 'AttachedPolicies' })
