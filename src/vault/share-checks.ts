import { Fault } from '../core/faults.ts'
import { isUuid } from '../core/ids.ts'
import type { ShareRequest } from '../core/share-port.ts'
import type { EpochMs } from '../core/time.ts'
import { rangeProblem } from '../policy/index.ts'

const MAX_AGE_MS = 366 * 86_400_000
const MAX_READS = 1_000_000
const MAX_RANGES = 32
const EMAIL = /^[^\s@<>"']{1,64}@[a-z0-9.-]{1,190}\.[a-z]{2,24}$/i

/** @throws {Fault} `BAD_INPUT` naming the field */
export function checkShareRequest(request: ShareRequest, at: EpochMs): void {
  const { recipientType, recipientId, email, expiresAt, maxAccessCount, ipAllowlist } = request
  const isNamed = recipientType === 'user' || recipientType === 'agent'
  if (isNamed && (recipientId === undefined || !isUuid(recipientId)))
    throw bad(
      'recipient_id',
      `must be the id of ${recipientType === 'user' ? 'a user' : 'an agent'}`,
    )
  if (!isNamed && recipientId !== undefined)
    throw bad('recipient_id', `does not go with ${recipientType}`)
  if (recipientType === 'external_email' && (email === undefined || !EMAIL.test(email)))
    throw bad('email', 'must be an e-mail address')
  if (recipientType !== 'external_email' && email !== undefined)
    throw bad('email', `does not go with ${recipientType}`)
  if (!Number.isSafeInteger(expiresAt) || expiresAt <= at)
    throw bad('expires_at', 'must be in the future')
  if (expiresAt > at + MAX_AGE_MS) throw bad('expires_at', 'must be at most a year away')
  if (
    maxAccessCount !== undefined &&
    maxAccessCount !== null &&
    !(Number.isInteger(maxAccessCount) && maxAccessCount >= 1 && maxAccessCount <= MAX_READS)
  )
    throw bad('max_access_count', `must be a whole number from 1 to ${MAX_READS}`)
  checkRanges(ipAllowlist)
}

function checkRanges(ranges: readonly string[] | undefined): void {
  if (ranges === undefined) return
  if (ranges.length === 0 || ranges.length > MAX_RANGES)
    throw bad('ip_allowlist', `must have 1 to ${MAX_RANGES} addresses or ranges`)
  for (const range of ranges) {
    const problem = rangeProblem(range)
    if (problem !== null) throw bad('ip_allowlist', `has an entry that ${problem}`)
  }
}

function bad(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}
