import { APPROVAL_ARGUMENT, approvalJson, approvalText } from '../approval-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'

type Deps = Pick<CliDeps, 'caller' | 'approvals'>

export const approvalsShow = command({
  name: 'approvals show',
  summary: 'Say what somebody asks for, and what became of it.',
  arguments: [APPROVAL_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const approval = await (await deps.approvals()).status(await deps.caller(), args.id)
    await io.answer(approvalJson(approval), () => approvalText(approval))
  },
})
