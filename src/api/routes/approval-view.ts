import type { ApprovalInfo, ApprovalStatus } from '../../core/approval-port.ts'
import { toIso } from '../../core/time.ts'
import { isoOrNull } from './moments.ts'

/** States of ours in the words of the older API: what was used up had been approved. */
const WORDS = {
  pending: 'pending',
  approved: 'approved',
  denied: 'rejected',
  expired: 'expired',
  cancelled: 'cancelled',
  consumed: 'approved',
} as const satisfies Record<ApprovalStatus, string>

export function approvalFields(approval: ApprovalInfo, orgId: string, url: string | null) {
  const last = approval.votes.at(-1)
  const isDecided = approval.decidedAt !== null && approval.status !== 'cancelled'
  return {
    id: approval.id,
    org_id: orgId,
    user_id: idOf('user', approval.requester),
    agent_id: idOf('agent', approval.requester),
    requester: approval.requester,
    kind: approval.kind,
    action: approval.action,
    target_type: approval.target.type,
    target_id: approval.target.id,
    risk_tier: 2 as const,
    status: WORDS[approval.status],
    state: approval.status,
    summary: approval.preview,
    reason: approval.reason,
    payload_hash: approval.argumentsDigest,
    required_approvals: approval.needed,
    current_approvals: yesCount(approval),
    signatures: signatures(approval),
    decision_reason: isDecided ? (last?.reason ?? null) : null,
    decided_by: isDecided ? idOf('user', last?.by ?? '') : null,
    decided_at: isoOrNull(approval.decidedAt),
    consumed_at: isoOrNull(approval.consumedAt),
    approval_url: url,
    expires_at: toIso(approval.expiresAt),
    created_at: toIso(approval.createdAt),
  }
}

export function pendingFields(approval: ApprovalInfo, orgId: string) {
  const [kind, id = ''] = approval.requester.split(':')
  const { target, status } = approval
  const changes = [
    approval.createdAt,
    ...approval.votes.map(({ at }) => at),
    approval.decidedAt ?? approval.createdAt,
    approval.consumedAt ?? approval.createdAt,
  ]
  return {
    id: approval.id,
    org_id: orgId,
    policy_id: target.type === 'policy' ? target.id : null,
    action: approval.action,
    payload_hash: approval.argumentsDigest,
    submitted_by: id,
    submitted_by_type: kind === 'agent' ? ('agent' as const) : ('user' as const),
    status: status === 'consumed' ? ('executed' as const) : WORDS[status],
    required_approvals: approval.needed,
    current_approvals: yesCount(approval),
    signatures: signatures(approval),
    summary: approval.preview,
    expires_at: toIso(approval.expiresAt),
    executed_at: isoOrNull(approval.consumedAt),
    created_at: toIso(approval.createdAt),
    updated_at: toIso(changes.reduce((latest, one) => (one > latest ? one : latest))),
  }
}

function signatures({ votes }: ApprovalInfo) {
  return votes.map(({ by, decision, reason, at }) => ({
    user: by,
    decision: decision === 'approve' ? ('approve' as const) : ('reject' as const),
    reason,
    signed_at: toIso(at),
  }))
}

function yesCount({ votes }: ApprovalInfo): number {
  return votes.filter(({ decision }) => decision === 'approve').length
}

/** The id in a principal of that kind; those of this machine have none. */
function idOf(kind: 'user' | 'agent', principal: string): string | null {
  const [own, id = 'local'] = principal.split(':')
  return own === kind && id !== 'local' ? id : null
}

/** `approve` and `deny` in whatever words. */
export function decisionFrom(word: string): 'approve' | 'deny' {
  return word.startsWith('approve') ? 'approve' : 'deny'
}

/** A state by our name or by the older API's; what was approved may have been used up since. */
export function stateFrom(word: string): ApprovalStatus {
  return word === 'rejected'
    ? 'denied'
    : word === 'executed'
      ? 'consumed'
      : (word as ApprovalStatus)
}

export const STATE_WORDS = [
  'pending',
  'approved',
  'denied',
  'rejected',
  'expired',
  'cancelled',
  'consumed',
  'executed',
] as const
