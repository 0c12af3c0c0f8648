import * as z from 'zod'
import { WEBHOOK_EVENTS } from '../../core/approval-port.ts'
import { instant, nullableInstant, uuid } from './schemas.ts'

const SUMMARY = 'What the person is shown. Names, never the value of a secret.'

export const summarySchema = z
  .object({
    title: z.string(),
    body: z.string().optional(),
    fields: z.array(z.object({ label: z.string(), value: z.string() })).optional(),
  })
  .describe(SUMMARY)

const limits = {
  reason: z.string().nullish().describe('In the words of whoever asks.'),
  expires_in_seconds: z.int().min(30).max(604_800).optional().describe('Default: 900.'),
  required_approvals: z.int().min(1).max(10).optional().describe('Different people. Default: 1.'),
}

export const approvalBody = z.object({
  action: z.string().describe('namespace.verb'),
  target_type: z.string(),
  target_id: z.string(),
  summary: summarySchema,
  payload: z.unknown().describe('Bound by its digest, which alone is kept.').optional(),
  risk_tier: z.int().nullish(),
  declared_risk_tier: z.int().min(1).max(3).nullish(),
  ...limits,
})

export const decisionWord = z.enum(['approve', 'approved', 'reject', 'rejected', 'deny', 'denied'])

export const reasonBody = z.object({ reason: z.string().nullish() })

export const decideBody = reasonBody.extend({
  decision: decisionWord,
  payload_hash: z.string().optional().describe('What was seen; another one is refused.'),
})

const voteSchema = z.object({
  user: z.string().describe('Principal.'),
  decision: z.enum(['approve', 'reject']),
  reason: z.string().nullable(),
  signed_at: instant,
})

export const approvalSchema = z
  .object({
    id: uuid,
    org_id: uuid,
    user_id: uuid.nullable().describe('When a person asks.'),
    agent_id: uuid.nullable().describe('When a registered agent asks.'),
    requester: z.string().describe('Principal.'),
    kind: z
      .enum(['act', 'own', 'grant'])
      .describe('act: enforced by Sallyport. own: in words of the requester. grant: of a scope.'),
    action: z.string(),
    target_type: z.string(),
    target_id: z.string(),
    risk_tier: z.literal(2).describe('Every decision takes a fresh proof that a person is there.'),
    status: z
      .enum(['pending', 'approved', 'rejected', 'expired', 'cancelled'])
      .describe('In the words of the older API.'),
    state: z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'consumed']),
    summary: summarySchema,
    reason: z.string().nullable(),
    payload_hash: z.string(),
    required_approvals: z.int(),
    current_approvals: z.int(),
    signatures: z.array(voteSchema),
    decision_reason: z.string().nullable(),
    decided_by: uuid.nullable().describe('Null for the person at the machine of the server.'),
    decided_at: nullableInstant,
    consumed_at: nullableInstant,
    approval_url: z.string().nullable().describe('Page on which a person decides.'),
    expires_at: instant,
    created_at: instant,
  })
  .meta({ id: 'ApprovalResponse' })

export const requestedSchema = approvalSchema
  .extend({
    declared_below_floor: z.boolean(),
    human_summary: z.string().describe('The sentence that the person sees.'),
  })
  .meta({ id: 'ApprovalRequestedResponse' })

export const approvalStatusSchema = approvalSchema
  .pick({
    id: true,
    status: true,
    state: true,
    expires_at: true,
    decision_reason: true,
    approval_url: true,
  })
  .meta({ id: 'ApprovalStatusResponse' })

export const pendingBody = z.object({
  policy_id: uuid.nullish(),
  action: z.string(),
  action_payload: z.record(z.string(), z.unknown()),
  summary: summarySchema.optional(),
  ...limits,
})

export const pendingDecisionBody = decideBody.extend({
  payload_hash: z.string(),
  credential_type: z
    .string()
    .nullish()
    .describe('Not believed: what counts is how the person signed in.'),
})

export const pendingSchema = z
  .object({
    id: uuid,
    org_id: uuid,
    policy_id: uuid.nullable(),
    action: z.string(),
    payload_hash: z.string().describe('The payload itself is not kept.'),
    submitted_by: z.string(),
    submitted_by_type: z.enum(['user', 'agent']),
    status: z.enum(['pending', 'approved', 'rejected', 'expired', 'cancelled', 'executed']),
    required_approvals: z.int(),
    current_approvals: z.int(),
    signatures: z.array(voteSchema),
    summary: summarySchema,
    expires_at: instant,
    executed_at: nullableInstant,
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'PendingApprovalResponse' })

export const webhookBody = z.object({
  url: z.url(),
  events: z.array(z.string()).describe(`${WEBHOOK_EVENTS.join(', ')}, approval.* or *`),
  description: z.string().nullish(),
})

export const webhookChangeBody = webhookBody.partial().extend({ is_active: z.boolean().optional() })

const webhookFields = {
  id: uuid,
  url: z.string(),
  events: z.array(z.string()),
  is_active: z.boolean(),
  description: z.string(),
  created_by: z.string(),
  created_at: instant,
}

export const webhookSchema = z.object(webhookFields).meta({ id: 'WebhookResponse' })

export const webhookCreatedSchema = z
  .object({
    ...webhookFields,
    secret: z.string().describe('Signs every request. Shown this once.'),
  })
  .meta({ id: 'WebhookCreatedResponse' })
