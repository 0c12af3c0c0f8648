import type {
  ApprovalInfo,
  ApprovalPreview,
  ApprovalStatus,
  ApprovalVote,
} from '../core/approval-port.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'

/** `expired` is not stored: time alone says it. */
export type StoredStatus = Exclude<ApprovalStatus, 'expired'>

export interface ApprovalRow {
  readonly id: string
  readonly kind: ApprovalInfo['kind']
  readonly requester: string
  readonly project: string | null
  readonly client: string | null
  /** Over who, what, arguments and policy: what the approval is bound to. */
  readonly act_digest: string
  readonly action: string
  readonly target_type: string
  readonly target_id: string
  readonly arguments_digest: string
  readonly policy_revision: string
  /** JSON. */
  readonly preview: string
  readonly reason: string | null
  readonly place: string | null
  readonly permission: string | null
  /** Of acts: the path itself. */
  readonly pattern: string | null
  readonly grant_seconds: number | null
  readonly grant_uses: number | null
  readonly used: number
  readonly needed: number
  /** JSON. */
  readonly votes: string
  readonly status: StoredStatus
  readonly created_at: EpochMs
  /** Of an approved grant: when the grant ends. */
  readonly expires_at: EpochMs
  readonly decided_at: EpochMs | null
  readonly consumed_at: EpochMs | null
  readonly revision: number
}

export type ApprovalTable = MacTable<ApprovalRow>

export function approvalTable(mac: RowMac): ApprovalTable {
  return new MacTable<ApprovalRow>(
    mac,
    'approvals',
    [
      'id',
      'kind',
      'requester',
      'project',
      'client',
      'act_digest',
      'action',
      'target_type',
      'target_id',
      'arguments_digest',
      'policy_revision',
      'preview',
      'reason',
      'place',
      'permission',
      'pattern',
      'grant_seconds',
      'grant_uses',
      'used',
      'needed',
      'votes',
      'status',
      'created_at',
      'expires_at',
      'decided_at',
      'consumed_at',
      'revision',
    ],
    ['id'],
  )
}

export function votesOf(row: ApprovalRow): readonly ApprovalVote[] {
  // Rows are authenticated, so it is what was written.
  return JSON.parse(row.votes) as readonly ApprovalVote[]
}

export function statusOf(row: ApprovalRow, at: EpochMs): ApprovalStatus {
  const isOpen = row.status === 'pending' || row.status === 'approved'
  return isOpen && row.expires_at <= at ? 'expired' : row.status
}

export function approvalInfo(row: ApprovalRow, at: EpochMs): ApprovalInfo {
  return {
    id: row.id,
    kind: row.kind,
    requester: row.requester,
    project: row.project,
    client: row.client,
    action: row.action,
    target: { type: row.target_type, id: row.target_id },
    argumentsDigest: row.arguments_digest,
    policyRevision: row.policy_revision,
    preview: JSON.parse(row.preview) as ApprovalPreview,
    reason: row.reason,
    status: statusOf(row, at),
    needed: row.needed,
    votes: votesOf(row),
    grant: grantOf(row),
    within: withinOf(row),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    decidedAt: row.decided_at,
    consumedAt: row.consumed_at,
  }
}

function withinOf({ kind, place, permission, pattern }: ApprovalRow): ApprovalInfo['within'] {
  if (kind !== 'act' || place === null || permission === null || pattern === null) return null
  return { place, permission, path: pattern }
}

function grantOf(row: ApprovalRow): ApprovalInfo['grant'] {
  const { place, permission, pattern } = row
  if (row.kind !== 'grant' || place === null || permission === null || pattern === null) return null
  const isOpen = row.status === 'approved' || row.status === 'consumed'
  return {
    place,
    permission,
    pattern,
    seconds: row.grant_seconds,
    uses: row.grant_uses,
    used: row.used,
    until: isOpen ? row.expires_at : null,
  }
}
