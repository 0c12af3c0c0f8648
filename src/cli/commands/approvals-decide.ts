import { APPROVAL_ARGUMENT, decide, REASON_OPTION } from '../approval-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'

type Deps = Pick<CliDeps, 'presence' | 'caller' | 'approvals'>

export const approvalsApprove = command({
  name: 'approvals approve',
  summary: 'Say yes to exactly what is shown.',
  about: [
    'It counts for the very act that is shown, with these arguments and under this policy, and is used up by it; for a scope it counts as often and as long as it says.',
  ],
  gated: true,
  arguments: [APPROVAL_ARGUMENT],
  options: REASON_OPTION,
  run: (args, io, deps: Deps) => decide(deps, io, 'approve', args),
})

export const approvalsDeny = command({
  name: 'approvals deny',
  summary: 'Say no.',
  gated: true,
  arguments: [APPROVAL_ARGUMENT],
  options: REASON_OPTION,
  run: (args, io, deps: Deps) => decide(deps, io, 'deny', args),
})
