import type { Settled } from '../audit/index.ts'
import type { ApprovalInfo } from '../core/approval-port.ts'
import { Fault } from '../core/faults.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { type ApprovalRow, statusOf, votesOf } from './approval-rows.ts'

export function settledProblem(
  row: ApprovalRow,
  caller: Caller,
  expected: string | null,
  at: EpochMs,
): Fault | null {
  const status = statusOf(row, at)
  if (status !== 'pending') return conflict(row, `is ${status}; nothing more is decided`)
  const self = principalName(caller.principal)
  if (votesOf(row).some(({ by }) => by === self))
    return conflict(row, 'has your word already; another person has to decide')
  return expectationProblem(row, expected)
}

export function expectationProblem(row: ApprovalRow, expected: string | null): Fault | null {
  return expected === null || expected === row.arguments_digest
    ? null
    : conflict(row, 'is of other arguments than those that were shown')
}

export function openProblem(row: ApprovalRow, at: EpochMs): Fault | null {
  const status = statusOf(row, at)
  return status === 'pending' || status === 'approved'
    ? null
    : conflict(row, `is ${status}; nothing is left to cancel`)
}

export function conflict(row: ApprovalRow, what: string): Fault {
  return new Fault('CONFLICT', `The approval ${row.id} ${what}.`, { details: { approval: row.id } })
}

export function refused(
  action: string,
  caller: Caller,
  fault: Fault,
  id: string | null = null,
): { readonly fault: Fault; readonly record: Settled<never>['record'] } {
  return {
    fault,
    record: {
      kind: 'refusal',
      action,
      caller,
      by: fault.code,
      ...(id === null ? {} : { detail: { approval: id.slice(0, 64) } }),
    },
  }
}

export function unknown(id: string): Fault {
  return new Fault('NOT_FOUND', `There is no approval '${id.slice(0, 64)}'.`)
}

/** What a caller is told whose act does not pass. */
export function refusalOf(approval: ApprovalInfo, url: string | null): Fault {
  return approval.status === 'denied' ? denied(approval) : required(approval, url)
}

function required({ id, kind, expiresAt, preview }: ApprovalInfo, url: string | null): Fault {
  return new Fault(
    'APPROVAL_REQUIRED',
    `A person has to approve this first. It waits as ${id}: ${url ?? `sallyport approvals approve ${id}`}. Then make the same call again.`,
    {
      details: {
        approval: id,
        expiresAt,
        // Of acts the title is in our words.
        ...(kind === 'act' ? { title: preview.title } : {}),
        ...(url === null ? {} : { url }),
      },
    },
  )
}

function denied(approval: ApprovalInfo): Fault {
  const { id, votes } = approval
  const reason = votes.find(({ decision }) => decision === 'deny')?.reason ?? null
  return new Fault(
    'ACCESS_DENIED',
    `A person denied this (${id})${reason === null ? '.' : `: ${reason}`}`,
    { details: { approval: id } },
  )
}

export function badField(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}
