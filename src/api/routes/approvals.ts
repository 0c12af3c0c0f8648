import * as z from 'zod'
import type { ApprovalFilter, ApprovalInfo, ApprovalPort } from '../../core/approval-port.ts'
import type { AuthenticationPort } from '../../core/identity-port.ts'
import { type Caller, principalName } from '../../core/principals.ts'
import {
  approvalBody,
  approvalSchema,
  approvalStatusSchema,
  decideBody,
  reasonBody,
  requestedSchema,
  type summarySchema,
} from '../contract/approvals.ts'
import type { Cursors } from '../cursor.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { approvalFields, decisionFrom, STATE_WORDS, stateFrom } from './approval-view.ts'

export interface ApprovalRouteParts {
  readonly approvals: ApprovalPort
  readonly approvalUrl: (id: string) => string | null
  readonly authentication: Pick<AuthenticationPort, 'org'>
  readonly cursors: Cursors
}

const TAG = 'approvals'
const GONE = { description: 'There is none, or none that is the business of the caller.' }
const SETTLED = { description: 'It is decided, expired, or of another digest.' }
const PEOPLE_ONLY = {
  description: 'A key or token decides nothing; a session needs a fresh proof that it is you.',
}

export const listQuery = z.object({
  status: z.enum(STATE_WORDS).optional(),
  agent_id: z.uuid().optional().describe('Only what this agent asks for.'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().optional().describe('next_cursor of the page before.'),
})

export function approvalOperations(parts: ApprovalRouteParts): readonly Operation[] {
  const { approvals } = parts
  const shown = async (approval: ApprovalInfo) =>
    approvalFields(approval, (await parts.authentication.org()).id, parts.approvalUrl(approval.id))
  return [
    operation({
      id: 'requestApproval',
      method: 'POST',
      path: '/v1/approvals/request',
      tag: TAG,
      summary: 'Asks people for something, in words of the caller. Poll its status afterwards.',
      body: approvalBody,
      answers: {
        202: { description: 'A person has to decide.', schema: requestedSchema },
        429: { description: 'Too much of this caller waits already.' },
      },
      async handle({ caller, body }) {
        const approval = await approvals.ask(caller, {
          action: body.action,
          target: { type: body.target_type, id: body.target_id },
          preview: previewFrom(body.summary),
          ...(body.payload === undefined ? {} : { payload: body.payload }),
          ...limitsFrom(body),
        })
        const declared_below_floor = (body.declared_risk_tier ?? body.risk_tier ?? 2) < 2
        const human_summary = `${approval.requester} asks, in its own words: ${approval.preview.title}`
        return {
          status: 202,
          body: { ...(await shown(approval)), declared_below_floor, human_summary },
          headers: { Location: `/v1/approvals/${approval.id}` },
        }
      },
    }),
    operation({
      id: 'listApprovals',
      method: 'GET',
      path: '/v1/approvals',
      tag: TAG,
      summary: 'What the caller asked for, or may decide, or may see. The newest first.',
      query: listQuery,
      answers: {
        200: {
          description: 'A page.',
          schema: z.object({
            approvals: z.array(approvalSchema),
            next_cursor: z.string().nullable(),
          }),
        },
      },
      async handle({ caller, query }) {
        const { page, next } = await listed(parts, 'approvals', caller, query)
        return {
          status: 200,
          body: { approvals: await Promise.all(page.map(shown)), next_cursor: next },
        }
      },
    }),
    operation({
      id: 'getApproval',
      method: 'GET',
      path: '/v1/approvals/{approval}',
      tag: TAG,
      summary: 'One approval.',
      answers: { 200: { description: 'The approval.', schema: approvalSchema }, 404: GONE },
      handle: async (call) => ({
        status: 200,
        body: await shown(await approvals.status(call.caller, approvalOf(call))),
      }),
    }),
    operation({
      id: 'getApprovalStatus',
      method: 'GET',
      path: '/v1/approvals/{approval}/status',
      tag: TAG,
      summary: 'What became of it, for whoever polls.',
      answers: { 200: { description: 'Its state.', schema: approvalStatusSchema }, 404: GONE },
      async handle(call) {
        const all = await shown(await approvals.status(call.caller, approvalOf(call)))
        const { id, status, state, expires_at, decision_reason, approval_url } = all
        return {
          status: 200,
          body: { id, status, state, expires_at, decision_reason, approval_url },
        }
      },
    }),
    operation({
      id: 'decideApproval',
      method: 'POST',
      path: '/v1/approvals/{approval}/decide',
      tag: TAG,
      summary: 'Says yes or no. A person who signed in, with a fresh proof; never a key.',
      body: decideBody,
      answers: decisionAnswers(approvalSchema),
      handle: (call) =>
        decided(call, decisionFrom(call.body.decision), call.body, call.body.payload_hash),
    }),
    ...(['approve', 'deny'] as const).map((decision) =>
      operation({
        id: `${decision}Approval`,
        method: 'POST',
        path: `/v1/approvals/{approval}/${decision}`,
        tag: TAG,
        summary: `Says ${decision === 'approve' ? 'yes' : 'no'}, as decide does.`,
        body: reasonBody,
        answers: decisionAnswers(approvalSchema),
        handle: (call) => decided(call, decision, call.body),
      }),
    ),
    operation({
      id: 'cancelApproval',
      method: 'POST',
      path: '/v1/approvals/{approval}/cancel',
      tag: TAG,
      summary: 'Withdraws it, by whoever asked or could decide.',
      body: reasonBody,
      answers: {
        200: { description: 'Withdrawn.', schema: approvalSchema },
        404: GONE,
        409: SETTLED,
      },
      async handle(call) {
        const { reason } = call.body
        const cancelled = await approvals.cancel(call.caller, approvalOf(call), reason ?? undefined)
        return { status: 200, body: await shown(cancelled) }
      },
    }),
  ]

  async function decided(
    call: Call,
    decision: 'approve' | 'deny',
    { reason }: { readonly reason?: string | null | undefined },
    expected?: string,
  ): Promise<Answered> {
    const approval = await approvals.decide(call.caller, approvalOf(call), decision, {
      ...(typeof reason === 'string' ? { reason } : {}),
      ...(expected === undefined ? {} : { expected }),
    })
    return { status: 200, body: await shown(approval) }
  }
}

export function decisionAnswers(schema: z.ZodType) {
  return {
    200: { description: 'As it stands now.', schema },
    403: PEOPLE_ONLY,
    404: GONE,
    409: SETTLED,
  } as const
}

export function approvalOf({ params }: Pick<Call, 'params'>): string {
  return params['approval'] ?? ''
}

/** One page, and the cursor of the next one. */
export async function listed(
  { approvals, cursors }: ApprovalRouteParts,
  name: string,
  caller: Caller,
  query: z.output<typeof listQuery>,
): Promise<{ readonly page: readonly ApprovalInfo[]; readonly next: string | null }> {
  const { status, agent_id, limit, cursor } = query
  const list = JSON.stringify([name, principalName(caller.principal), status, agent_id])
  const filter: ApprovalFilter = {
    limit,
    ...(status === undefined ? {} : { status: stateFrom(status) }),
    ...(agent_id === undefined ? {} : { requester: `agent:${agent_id}` }),
    ...(cursor === undefined ? {} : { before: await cursors.read(list, cursor) }),
  }
  const page = await approvals.list(caller, filter)
  const last = page.length === limit ? page.at(-1) : undefined
  return { page, next: last === undefined ? null : await cursors.after(list, last.id) }
}

export function previewFrom({ title, body, fields }: z.output<typeof summarySchema>) {
  return {
    title,
    ...(body === undefined ? {} : { body }),
    ...(fields === undefined ? {} : { fields }),
  }
}

export function limitsFrom(body: {
  readonly reason?: string | null | undefined
  readonly expires_in_seconds?: number | undefined
  readonly required_approvals?: number | undefined
}) {
  const { reason, expires_in_seconds, required_approvals } = body
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(expires_in_seconds === undefined ? {} : { expiresInSeconds: expires_in_seconds }),
    ...(required_approvals === undefined ? {} : { needed: required_approvals }),
  }
}
