import * as z from 'zod'
import { instant, uuid } from './schemas.ts'

export const eventSchema = z
  .object({
    id: uuid.describe('Made from the organisation and seq, so it is the same whoever asks.'),
    seq: z.int().describe('Sequence number of the record in the tree.'),
    kind: z.string(),
    action: z.string(),
    actor_id: z.string(),
    actor_type: z.string(),
    resource_type: z.string(),
    resource_id: z.string(),
    org_id: uuid,
    details: z.record(z.string(), z.unknown()),
    ip_address: z.string().nullable(),
    created_at: instant,
  })
  .meta({ id: 'AuditEvent' })

export const eventsSchema = z
  .object({
    events: z.array(eventSchema),
    count: z.int().describe('Of this page.'),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: 'AuditEventsResponse' })

export const auditReportSchema = z
  .object({
    chain_valid: z.boolean(),
    events_verified: z.int(),
    events_checked: z.int(),
    broken_at_event_id: uuid.optional(),
    scheme: z.object({
      algorithm: z.string(),
      chain_structure: z.string(),
      hash_field: z.string(),
      link_field: z.string(),
    }),
    root: z.string().describe('Root hash of the tree, hex.'),
    rows_checked: z.int(),
    findings: z.array(z.object({ kind: z.string(), detail: z.string(), seq: z.int().nullable() })),
  })
  .meta({ id: 'AuditVerifyResponse' })

export const checkpointSchema = z
  .object({
    type: z.literal('sallyport-checkpoint-1'),
    store: z.string(),
    size: z.int(),
    root: z.string(),
    at: instant,
    key_id: z.string(),
    signature: z.string(),
  })
  .meta({ id: 'AuditCheckpoint' })

export const inclusionSchema = z
  .object({
    type: z.literal('sallyport-inclusion-1'),
    seq: z.int(),
    record: z.string(),
    proof: z.array(z.string()),
    checkpoint: checkpointSchema,
  })
  .meta({ id: 'InclusionProof' })

export const consistencySchema = z
  .object({
    type: z.literal('sallyport-consistency-1'),
    first: z.object({ size: z.int(), root: z.string() }),
    proof: z.array(z.string()),
    checkpoint: checkpointSchema,
  })
  .meta({ id: 'ConsistencyProof' })
