import * as z from 'zod'
import { isFault } from '../core/faults.ts'
import { type EpochMs, toIso } from '../core/time.ts'
import { nullableInstant, uuid } from './contract/schemas.ts'
import type { AnswerContract, Answered } from './operation.ts'

/** How often is often enough: people take longer. */
const POLL_SECONDS = 5
const RESPOND_ASYNC = /(?:^|,)\s*respond-async\s*(?:[;,]|$)/i

/** What an act that waits for a person answers to those who prefer to poll for it; to all others it is a 403. */
export const AWAITING: AnswerContract = {
  description:
    'With `Prefer: respond-async`: a person has to approve it. Poll Location, then make the same call again.',
  schema: z
    .object({
      status: z.literal('awaiting_approval'),
      pending_approval_id: uuid,
      approval_url: z.string().optional().describe('Page on which the person decides.'),
      expires_at: nullableInstant,
      detail: z.string(),
    })
    .meta({ id: 'AwaitingApproval' }),
}

/**
 * The 202 of an act that waits for a person.
 *
 * @param prefer the header `Prefer` (RFC 7240), or null
 * @returns null when it is another error, or the client did not say that it polls
 */
export function awaitingAnswer(error: unknown, prefer: string | null): Answered | null {
  if (prefer === null || !RESPOND_ASYNC.test(prefer)) return null
  if (!isFault(error, 'APPROVAL_REQUIRED')) return null
  const { approval, url, expiresAt } = error.details
  if (typeof approval !== 'string') return null
  return {
    status: 202,
    body: {
      status: 'awaiting_approval',
      pending_approval_id: approval,
      ...(typeof url === 'string' ? { approval_url: url } : {}),
      expires_at: typeof expiresAt === 'number' ? toIso(expiresAt as EpochMs) : null,
      detail: error.message,
    },
    headers: {
      Location: `/v1/approvals/${approval}/status`,
      'Preference-Applied': 'respond-async',
      'Retry-After': String(POLL_SECONDS),
    },
  }
}
