import * as z from 'zod'
import { ACCESS_PERMISSIONS } from '../../core/policy-port.ts'
import { instant, nullableInstant, uuid } from './schemas.ts'

export const permissionSchema = z.enum(ACCESS_PERMISSIONS)

export const conditionsSchema = z
  .strictObject({
    ip_allowlist: z.array(z.string()).optional().describe('Addresses and CIDR ranges.'),
    time_window: z
      .strictObject({
        start_hour: z.int().optional(),
        end_hour: z.int().optional(),
        days_of_week: z.array(z.int()).optional().describe('0 is Sunday.'),
        timezone: z.string().optional().describe('IANA name.'),
        cron_expr: z.string().optional().describe('Six fields, seconds first.'),
      })
      .optional(),
    environment_in: z.array(z.string()).optional(),
  })
  .meta({ id: 'PolicyConditions' })

const approvalSchema = z
  .strictObject({
    needed: z.int().min(1).max(10).default(1).describe('How many different people must say yes.'),
    expires_in: z
      .int()
      .min(30)
      .max(604_800)
      .default(900)
      .describe('Seconds that they have, and that their yes can be used.'),
  })
  .describe(
    'Asked for before each read, write, delete or use; sharing cannot wait, listing need not.',
  )
  .meta({ id: 'PolicyApproval' })

const noneOf = z.array(z.unknown()).max(0)
const nothing = noneOf.nullish()

/** Whatever would make it asked for more seldom, or of others, is no promise that is kept here. */
export const consensusTriggerSchema = z
  .strictObject({
    conditions: noneOf.describe('Empty: it is asked for each time.'),
    approval: z.strictObject({
      min_approvals: z.int().min(1).max(10),
      required_roles: nothing,
      per_role_minimums: z.union([z.null(), z.strictObject({})]).optional(),
      require_credential_types: nothing,
    }),
    expiry_secs: z.int().min(30).max(604_800).optional().describe('Default 86400.'),
    self_approval_allowed: z.literal(false).optional(),
    skip_when: nothing,
    require_when: nothing,
    deep_inspect: z.literal(false).optional(),
  })
  .describe('The same as approval, as the older API names it.')
  .meta({ id: 'ConsensusTrigger' })

const terms = {
  permissions: z.array(permissionSchema),
  conditions: conditionsSchema.nullish(),
  expires_at: instant.nullish(),
  effect: z.enum(['allow', 'deny']).optional(),
  priority: z.int().optional(),
  policy_schema_version: z.int().optional().describe('Read past.'),
  // Clients that send every field they know send these as null; anything else would be a promise that is not kept.
  attribute_conditions: z.null().optional(),
  approval: approvalSchema.nullish(),
  consensus_trigger: consensusTriggerSchema.nullish(),
  tx_conditions: z.null().optional(),
  approval_id: z.null().optional(),
  exact_permissions: z
    .boolean()
    .optional()
    .describe('Without it, read brings list with it where only read, write and delete are named.'),
}

/** Strict: a condition that is not known here and was read past would widen what is allowed. */
export const policyBody = z.strictObject({
  secret_path_pattern: z.string(),
  principal_type: z.enum(['user', 'agent']),
  principal_id: z.string(),
  ...terms,
})

export const policyChangeBody = z.strictObject({
  ...terms,
  permissions: terms.permissions.optional(),
})

export const policySchema = z
  .object({
    id: uuid,
    vault_id: uuid,
    secret_path_pattern: z.string(),
    principal_type: z.enum(['user', 'agent']),
    principal_id: z.string(),
    permissions: z.array(permissionSchema),
    conditions: conditionsSchema,
    expires_at: nullableInstant,
    effect: z.enum(['allow', 'deny']),
    priority: z.int(),
    approval: z.object({ needed: z.int(), expires_in: z.int() }).nullable(),
    consensus_trigger: z
      .object({
        conditions: noneOf,
        approval: z.object({ min_approvals: z.int() }),
        expiry_secs: z.int(),
      })
      .nullable()
      .describe('The same as approval, as the older API names it.'),
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
  })
  .meta({ id: 'PolicyResponse' })

export const explanationSchema = z
  .object({
    allowed: z.boolean(),
    layer: z.string().describe('What decided: organisation, vault binding, scope, policy, owner.'),
    policy_id: uuid.nullable(),
    reason: z.string(),
    approval: z
      .object({ needed: z.int(), expires_in: z.int() })
      .nullable()
      .describe('What people are asked before each use of what is allowed.'),
    without_it: z
      .object({ allowed: z.boolean(), reason: z.string() })
      .nullable()
      .describe('What it would be if the deciding policy went.'),
    considered: z.array(z.object({ policy: policySchema, outcome: z.string() })),
  })
  .meta({ id: 'AccessExplanation' })

const agentFields = {
  name: z.string(),
  description: z.string().nullish(),
  scopes: z
    .array(z.string())
    .nullish()
    .describe('Path globs that its tokens are narrowed to; none: only policies decide.'),
  vault_ids: z.array(z.string()).nullish().describe('Vaults it is bound to; none: any.'),
  token_ttl_seconds: z.int().optional(),
  environment: z.string().nullish(),
  labels: z.array(z.string()).nullish().describe('What rules on tools know it by.'),
  expires_at: instant.nullish(),
  api_key_expires_at: instant.nullish(),
}

export const agentBody = z.object({
  ...agentFields,
  auth_method: z.literal('api_key').optional(),
})

export const agentChangeBody = z.object({
  ...agentFields,
  name: z.string().optional(),
  is_active: z.boolean().optional(),
})

export const agentSchema = z
  .object({
    id: uuid,
    name: z.string(),
    description: z.string(),
    org_id: uuid,
    auth_method: z.enum(['api_key', 'oidc_client_credentials']),
    scopes: z.array(z.string()),
    is_active: z.boolean(),
    token_ttl_seconds: z.int(),
    vault_ids: z.array(uuid),
    environment: z.string().nullable(),
    labels: z.array(z.string()),
    key_prefix: z.string().nullable(),
    api_key_expires_at: nullableInstant,
    created_by: z.string(),
    created_by_type: z.enum(['user', 'agent', 'system']),
    created_at: instant,
    expires_at: nullableInstant,
    intents_api_enabled: z.literal(false),
    shroud_enabled: z.literal(false),
  })
  .meta({ id: 'AgentResponse' })

export const agentKeySchema = z
  .object({ agent: agentSchema, api_key: z.string().describe('Shown this once.') })
  .meta({ id: 'AgentCreatedResponse' })

export const enrolBody = z.object({
  name: z.string(),
  human_email: z.string().nullish().describe('Shown to whoever decides; nobody is written to.'),
  // It travels in the token that the key is fetched with.
  description: z.string().max(500).nullish(),
})

export const enrolledSchema = z
  .object({
    agent_id: uuid.describe('That the agent will have.'),
    message: z.string(),
    approval_url: z.string().describe('Page on which a person decides.'),
    approval_id: uuid,
    code: z.string().describe('The person sees the same one.'),
    poll_token: z.string().describe('With which the key is fetched. Shown this once.'),
    expires_at: instant,
  })
  .meta({ id: 'EnrollAgentResponse' })

export const enrolmentSchema = z
  .object({
    status: z.enum(['pending', 'approved', 'denied']),
    agent_id: uuid,
    api_key: z.string().optional().describe('With the first approved, and never again.'),
    vault_ids: z.array(uuid).optional(),
  })
  .meta({ id: 'EnrollmentStatus' })

export const batchBody = z.object({ agent_ids: z.array(z.string()).min(1).max(500) })

export const batchSchema = z
  .object({
    deleted: z.int(),
    failed: z.int(),
    errors: z.array(z.object({ id: z.string(), reason: z.string() })),
  })
  .meta({ id: 'BatchDeleteAgentsResponse' })

export const freezeSchema = z
  .object({
    target: z.string().describe('all, agent:ID, agent:local, user:ID or grant:ID.'),
    reason: z.string().nullable(),
    frozen_by: z.string(),
    frozen_at: instant,
  })
  .meta({ id: 'Freeze' })
