import * as z from 'zod'
import type { AuditEntry, AuditPort, AuditReport } from '../../core/admin-port.ts'
import { Fault } from '../../core/faults.ts'
import type { AuthenticationPort, CallerPort } from '../../core/identity-port.ts'
import { principalName } from '../../core/principals.ts'
import { toIso } from '../../core/time.ts'
import {
  auditReportSchema,
  checkpointSchema,
  consistencySchema,
  eventsSchema,
  inclusionSchema,
} from '../contract/audit.ts'
import { instant } from '../contract/schemas.ts'
import type { Cursors } from '../cursor.ts'
import { eventId } from '../event-id.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { momentFrom } from './moments.ts'

export interface AuditRouteParts {
  readonly audit: Pick<
    AuditPort,
    'query' | 'verify' | 'checkpoint' | 'checkpointKeys' | 'proveInclusion' | 'proveConsistency'
  >
  readonly callers: CallerPort
  readonly authentication: Pick<AuthenticationPort, 'org'>
  readonly cursors: Cursors
}

const MAX_PAGE = 1000
const DEFAULT_PAGE = 50
const MAX_VERIFIED = 10_000
const DEFAULT_VERIFIED = 1_000
const NOT_ALLOWED = { description: 'Only owners, admins and auditors may do this.' }

const count = (max: number) => z.coerce.number().int().min(1).max(max)

const eventsQuery = z.object({
  action: z.string().optional().describe('secret.read, or secret.* for all that begin so.'),
  actor_id: z.string().optional().describe('Id, or agent:ID, user:ID, person:local.'),
  resource_id: z.string().optional().describe('Path of a secret.'),
  from: instant.optional(),
  to: instant.optional(),
  limit: count(MAX_PAGE).default(DEFAULT_PAGE),
  offset: z.coerce.number().int().min(0).default(0).describe('Together with limit at most 1000.'),
  cursor: z.string().optional().describe('next_cursor of the page before.'),
})

const spanQuery = z.object({
  from: instant.optional().describe('Without any of the three, every event is reported on.'),
  to: instant.optional(),
  limit: count(MAX_VERIFIED)
    .optional()
    .describe('The newest so many. With from or to, by default 1000.'),
})

export function auditOperations(parts: AuditRouteParts): readonly Operation[] {
  return [listing(parts), verifying(parts), ...proving(parts)]
}

function listing({ audit, callers, authentication, cursors }: AuditRouteParts): Operation {
  return operation({
    id: 'listAuditEvents',
    method: 'GET',
    path: '/v1/audit/events',
    tag: 'audit',
    summary:
      'Records of the audit, the newest first; those about the caller, if it may not see more.',
    query: eventsQuery,
    answers: { 200: { description: 'A page.', schema: eventsSchema } },
    async handle({ caller, query }) {
      const self = principalName(caller.principal)
      const own = (await callers.auditReach(caller)) === 'own'
      if (own && !isSelf(query.actor_id, self))
        return { status: 200, body: { events: [], count: 0, next_cursor: null } }
      if (query.offset + query.limit > MAX_PAGE)
        throw new Fault('BAD_INPUT', 'offset and limit together are at most 1000.', {
          details: { field: 'offset', remedy: 'go on with next_cursor as cursor' },
        })
      const { action, actor_id, resource_id, from, to } = query
      const list = JSON.stringify(['audit', self, action, actor_id, resource_id, from, to])
      const before = query.cursor === undefined ? null : await cursors.read(list, query.cursor)
      const actor = own ? self : actor_id
      const found = await audit.query({
        limit: query.offset + query.limit,
        ...(action === undefined ? {} : { action }),
        ...(actor === undefined ? {} : { actor }),
        ...(resource_id === undefined ? {} : { path: resource_id }),
        ...(from === undefined ? {} : { from: momentFrom('from', from) }),
        ...(to === undefined ? {} : { to: momentFrom('to', to) }),
        ...(before === null ? {} : { before: Number(before) }),
      })
      const page = found.slice(query.offset)
      const { id: orgId } = await authentication.org()
      const last = page.length === query.limit ? page.at(-1) : undefined
      return {
        status: 200,
        body: {
          events: page.map((entry) => eventFields(entry, orgId)),
          count: page.length,
          next_cursor: last === undefined ? null : await cursors.after(list, String(last.seq)),
        },
      }
    },
  })
}

function isSelf(asked: string | undefined, self: string): boolean {
  return (
    asked === undefined || asked === self || `agent:${asked}` === self || `user:${asked}` === self
  )
}

function verifying({ audit, callers, authentication }: AuditRouteParts): Operation {
  // One at a time: it reads everything, and whoever asks meanwhile may have the same answer.
  let running: Promise<AuditReport> | null = null
  const verify = (): Promise<AuditReport> => {
    running ??= audit.verify().finally(() => {
      running = null
    })
    return running
  }
  return operation({
    id: 'verifyAudit',
    method: 'GET',
    path: '/v1/audit/verify',
    tag: 'audit',
    summary: 'Verifies every record, the tree, its head and every row with rights.',
    query: spanQuery,
    answers: {
      200: { description: 'What was found.', schema: auditReportSchema },
      403: NOT_ALLOWED,
    },
    async handle({ caller, query }) {
      await callers.demandAudit(caller, 'audit.verify')
      const span = await spanOf(audit, query)
      const { id: orgId } = await authentication.org()
      return { status: 200, body: reportFields(await verify(), span, orgId) }
    },
  })
}

function proving({ audit, callers }: AuditRouteParts): readonly Operation[] {
  const size = count(Number.MAX_SAFE_INTEGER)
  const demanded = (call: Call): Promise<void> => callers.demandAudit(call.caller, 'audit.prove')
  return [
    operation({
      id: 'signCheckpoint',
      method: 'GET',
      path: '/v1/audit/checkpoint',
      tag: 'audit',
      summary: 'Signs the tree as it is now, or as it was with its first records.',
      query: z.object({ size: size.optional() }),
      answers: {
        200: { description: 'A checkpoint.', schema: checkpointSchema },
        403: NOT_ALLOWED,
      },
      async handle(call) {
        await demanded(call)
        return { status: 200, body: await audit.checkpoint(call.query.size) }
      },
    }),
    operation({
      id: 'listCheckpointKeys',
      method: 'GET',
      path: '/v1/audit/checkpoint-keys',
      tag: 'audit',
      summary: 'The public keys that checkpoints are signed with.',
      answers: {
        200: {
          description: 'PEM, the newest last.',
          schema: z.object({ public_keys: z.string() }),
        },
        403: NOT_ALLOWED,
      },
      async handle(call) {
        await demanded(call)
        return { status: 200, body: { public_keys: await audit.checkpointKeys() } }
      },
    }),
    operation({
      id: 'proveInclusion',
      method: 'GET',
      path: '/v1/audit/proofs/inclusion',
      tag: 'audit',
      summary: 'Proves that one record stands in the tree.',
      query: z.object({ seq: size, size: size.optional() }),
      answers: {
        200: { description: 'A proof.', schema: inclusionSchema },
        403: NOT_ALLOWED,
        404: { description: 'The record was pruned: sallyport audit proof takes it from a copy.' },
      },
      async handle(call) {
        await demanded(call)
        return { status: 200, body: await audit.proveInclusion(call.query.seq, call.query.size) }
      },
    }),
    operation({
      id: 'proveConsistency',
      method: 'GET',
      path: '/v1/audit/proofs/consistency',
      tag: 'audit',
      summary: 'Proves that the tree begins with the records that it had before.',
      query: z.object({ first: size, second: size.optional() }),
      answers: { 200: { description: 'A proof.', schema: consistencySchema }, 403: NOT_ALLOWED },
      async handle(call) {
        await demanded(call)
        const { first, second } = call.query
        return { status: 200, body: await audit.proveConsistency(first, second) }
      },
    }),
  ]
}

function eventFields(entry: AuditEntry, orgId: string) {
  const [actorType = '', actorId = ''] = entry.actor.split(':')
  const resource =
    entry.path !== null
      ? { resource_type: 'secret', resource_id: entry.path }
      : entry.vault !== null
        ? { resource_type: 'vault', resource_id: entry.vault }
        : { resource_type: entry.action.split('.')[0] ?? '', resource_id: '' }
  return {
    id: eventId(orgId, entry.seq),
    seq: entry.seq,
    kind: entry.kind,
    action: entry.action,
    actor_id: actorId === '' ? actorType : actorId,
    actor_type: actorId === '' ? 'system' : actorType,
    ...resource,
    org_id: orgId,
    details: {
      ...recordDetail(entry.body),
      channel: entry.channel,
      vault: entry.vault,
      decision: entry.decision,
      outcome: entry.outcome,
    },
    ip_address: entry.address,
    created_at: toIso(entry.at),
  }
}

/** What the record says beyond the members that every record has. */
function recordDetail(body: string): Readonly<Record<string, unknown>> {
  const { detail, version, client } = JSON.parse(body) as Readonly<Record<string, unknown>>
  return {
    ...(typeof detail === 'object' ? detail : {}),
    ...(version === undefined ? {} : { version }),
    ...(client === undefined ? {} : { client }),
  }
}

/** The events that a report is about, by their sequence numbers, the newest first; null: all there are. */
type Span = readonly number[] | null

async function spanOf(
  audit: Pick<AuditPort, 'query'>,
  asked: z.output<typeof spanQuery>,
): Promise<Span> {
  const { from, to, limit } = asked
  if (from === undefined && to === undefined && limit === undefined) return null
  const most = limit ?? DEFAULT_VERIFIED
  const filter = {
    ...(from === undefined ? {} : { from: momentFrom('from', from) }),
    ...(to === undefined ? {} : { to: momentFrom('to', to) }),
  }
  const span: number[] = []
  while (span.length < most) {
    const wanted = Math.min(MAX_PAGE, most - span.length)
    const last = span.at(-1)
    const page = await audit.query({
      ...filter,
      limit: wanted,
      ...(last === undefined ? {} : { before: last }),
    })
    for (const { seq } of page) span.push(seq)
    if (page.length < wanted) break
  }
  return span
}

/**
 * Verifying is always of everything, for a tree is whole or it is not; what is reported is of the span: its events, and
 * what was found within it or of no event in particular.
 */
function reportFields(report: AuditReport, span: Span, orgId: string) {
  const { size, root, rowsChecked } = report
  const newest = span === null ? size : (span.at(0) ?? 0)
  const oldest = span === null ? 1 : (span.at(-1) ?? 1)
  const isWithin = (seq: number): boolean => seq >= oldest && (span === null || seq <= newest)
  const findings = report.findings.filter(({ seq }) => seq === null || isWithin(seq))
  const broken = findings
    .flatMap(({ seq }) => (seq === null ? [] : [seq]))
    .toSorted((a, b) => a - b)
    .at(0)
  const checked = span?.length ?? size
  const before = broken ?? Number.POSITIVE_INFINITY
  // A tree that does not add up says nothing good of any event; a broken event says nothing of those before it.
  const verified = span === null ? before - 1 : span.filter((seq) => seq < before).length
  return {
    chain_valid: findings.length === 0,
    events_verified: findings.length === 0 ? checked : broken === undefined ? 0 : verified,
    events_checked: checked,
    ...(broken === undefined ? {} : { broken_at_event_id: eventId(orgId, broken) }),
    scheme: {
      algorithm: 'HMAC-SHA-256 per record, SHA-256 tree',
      chain_structure: 'Merkle tree of RFC 9162',
      hash_field: 'leaf hash of the stored bytes',
      link_field: 'root',
    },
    root,
    rows_checked: rowsChecked,
    findings: findings.map(({ kind, detail, seq }) => ({ kind, detail, seq })),
  }
}
