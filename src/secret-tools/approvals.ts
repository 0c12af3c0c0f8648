import * as z from 'zod'
import { APPROVAL_STATUSES, type AskedState } from '../core/approval-port.ts'
import { toIso } from '../core/time.ts'

/** What is said of a request to people. */
export const approvalShape = z.strictObject({
  approval_id: z.string(),
  status: z.enum(APPROVAL_STATUSES),
  expires_at: z.string().describe('RFC 3339, UTC.').nullable(),
  approval_url: z.string().describe('Page on which the person decides.').nullable(),
  decision_reason: z.string().describe('In the words of the person.').nullable(),
})

export function approvalFields(asked: AskedState): z.output<typeof approvalShape> {
  return {
    approval_id: asked.id,
    status: asked.status,
    expires_at: asked.expiresAt === null ? null : toIso(asked.expiresAt),
    approval_url: asked.url,
    decision_reason: asked.decisionReason,
  }
}

export function approvalText({ id, status, expiresAt, decisionReason, url }: AskedState): string {
  const said = decisionReason === null ? '' : ` The person said: ${decisionReason}`
  switch (status) {
    case 'pending':
      return [
        `Approval ${id} is pending: a person decides it ${url === null ? `with sallyport approvals approve ${id}` : `at ${url}`}.`,
        ...(expiresAt === null ? [] : [`It ends at ${toIso(expiresAt)}.`]),
        'Ask again with get_approval_status, not more often than every few seconds.',
      ].join('\n')
    case 'approved':
      return `Approval ${id} is approved.${said}`
    case 'denied':
      return `Approval ${id} is denied. Do not do it, and do not ask again for the same.${said}`
    case 'expired':
      return `Approval ${id} has expired, which counts as no.`
    case 'cancelled':
      return `Approval ${id} was cancelled.`
    case 'consumed':
      return `Approval ${id} is used up.`
  }
}
