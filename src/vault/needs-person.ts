import type { ApprovalPort, ApprovalRequest } from '../core/approval-port.ts'
import { Fault } from '../core/faults.ts'
import type { PolicyApproval } from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import type { Judgement } from '../policy/index.ts'

export type ActApprovals = Pick<ApprovalPort, 'consumeWithin' | 'demand' | 'isApproved'>

/** Says that an act was allowed but for a person's word, and what to ask for. */
export class NeedsPerson extends Fault {
  readonly request: ApprovalRequest

  constructor(request: ApprovalRequest) {
    super('APPROVAL_REQUIRED', 'A person has to approve this first.')
    this.request = request
  }
}

/** Does something; when it lacks a person's word, that is asked for. @throws {Fault} `APPROVAL_REQUIRED` */
export async function askingPerson<T>(
  approvals: Pick<ActApprovals, 'demand'>,
  caller: Caller,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof NeedsPerson)) throw error
    return await approvals.demand(caller, error.request)
  }
}

/** A policy that lets the caller do something once people have approved it. */
export interface AskedPolicy extends PolicyApproval {
  /** Its id. */
  readonly policy: string
}

/** Which policy asks for an approval; null: none does, or it is not allowed at all. */
export function askedFor({ allowed, approval, by }: Judgement): AskedPolicy | null {
  return allowed || approval === undefined || by === null ? null : { ...approval, policy: by }
}

/** Whether it may be done at once or after an approval: what is told of a path to whoever has not asked for it yet. */
export function isOpen(judgement: Judgement): boolean {
  return judgement.allowed || askedFor(judgement) !== null
}
