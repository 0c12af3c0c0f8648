import * as z from 'zod'
import type { ApprovalInfo } from '../../core/approval-port.ts'
import {
  pendingBody,
  pendingDecisionBody,
  pendingSchema,
  reasonBody,
} from '../contract/approvals.ts'
import { type Operation, operation } from '../operation.ts'
import { decisionFrom, pendingFields } from './approval-view.ts'
import {
  type ApprovalRouteParts,
  approvalOf,
  decisionAnswers,
  limitsFrom,
  listed,
  listQuery,
  previewFrom,
} from './approvals.ts'

const TAG = 'pending approvals'
const GONE = { description: 'There is none, or none that is the business of the caller.' }
const MAX_FIELDS = 32

/** The approvals once more, as the older API has them where several people decide: bound to the hash of a payload. */
export function pendingApprovalOperations(parts: ApprovalRouteParts): readonly Operation[] {
  const { approvals } = parts
  const shown = async (approval: ApprovalInfo) =>
    pendingFields(approval, (await parts.authentication.org()).id)
  return [
    operation({
      id: 'submitPendingApproval',
      method: 'POST',
      path: '/v1/pending-approvals',
      tag: TAG,
      summary: 'Asks people for an action with a payload, of which the hash is kept.',
      body: pendingBody,
      answers: { 202: { description: 'People have to decide.', schema: pendingSchema } },
      async handle({ caller, body }) {
        const { action, action_payload, policy_id, summary } = body
        const approval = await approvals.ask(caller, {
          action,
          target: { type: 'policy', id: policy_id ?? NO_POLICY },
          payload: action_payload,
          preview: summary === undefined ? namesOf(action, action_payload) : previewFrom(summary),
          ...limitsFrom(body),
        })
        return { status: 202, body: await shown(approval) }
      },
    }),
    operation({
      id: 'listPendingApprovals',
      method: 'GET',
      path: '/v1/pending-approvals',
      tag: TAG,
      summary: 'The newest first.',
      query: listQuery,
      answers: {
        200: {
          description: 'A page.',
          schema: z.object({
            pending_approvals: z.array(pendingSchema),
            next_cursor: z.string().nullable(),
          }),
        },
      },
      async handle({ caller, query }) {
        const { page, next } = await listed(parts, 'pending-approvals', caller, query)
        return {
          status: 200,
          body: { pending_approvals: await Promise.all(page.map(shown)), next_cursor: next },
        }
      },
    }),
    operation({
      id: 'getPendingApproval',
      method: 'GET',
      path: '/v1/pending-approvals/{approval}',
      tag: TAG,
      summary: 'One of them.',
      answers: { 200: { description: 'As it stands.', schema: pendingSchema }, 404: GONE },
      handle: async (call) => ({
        status: 200,
        body: await shown(await approvals.status(call.caller, approvalOf(call))),
      }),
    }),
    operation({
      id: 'decidePendingApproval',
      method: 'POST',
      path: '/v1/pending-approvals/{approval}/approve',
      tag: TAG,
      summary: 'Says yes or no to the payload of this hash. A person, never a key.',
      body: pendingDecisionBody,
      answers: decisionAnswers(pendingSchema),
      async handle(call) {
        const { decision, payload_hash, reason } = call.body
        const approval = await approvals.decide(
          call.caller,
          approvalOf(call),
          decisionFrom(decision),
          { expected: payload_hash, ...(typeof reason === 'string' ? { reason } : {}) },
        )
        return { status: 200, body: await shown(approval) }
      },
    }),
    operation({
      id: 'executePendingApproval',
      method: 'POST',
      path: '/v1/pending-approvals/{approval}/execute',
      tag: TAG,
      summary: 'Uses it up, once, for who asked and is about to do it.',
      body: z.object({ payload_hash: z.string().optional() }),
      answers: {
        200: { description: 'Used up.', schema: pendingSchema },
        404: GONE,
        409: { description: 'It is not approved, or used up.' },
      },
      async handle(call) {
        const { payload_hash } = call.body
        const used = await approvals.useOwn(call.caller, approvalOf(call), payload_hash)
        return { status: 200, body: await shown(used) }
      },
    }),
    operation({
      id: 'cancelPendingApproval',
      method: 'POST',
      path: '/v1/pending-approvals/{approval}/cancel',
      tag: TAG,
      summary: 'Withdraws it.',
      body: reasonBody,
      answers: {
        200: { description: 'Withdrawn.', schema: pendingSchema },
        404: GONE,
        409: { description: 'It is decided or expired.' },
      },
      async handle(call) {
        const { reason } = call.body
        const cancelled = await approvals.cancel(call.caller, approvalOf(call), reason ?? undefined)
        return { status: 200, body: await shown(cancelled) }
      },
    }),
  ]
}

/** The nil UUID (RFC 9562): the request names no policy. */
const NO_POLICY = '00000000-0000-0000-0000-000000000000'

/** What is in the payload by name alone: values may be anything. */
function namesOf(action: string, payload: Readonly<Record<string, unknown>>) {
  const names = Object.keys(payload)
  return {
    title: action,
    fields: names.slice(0, MAX_FIELDS).map((label) => ({ label, value: '' })),
  }
}
