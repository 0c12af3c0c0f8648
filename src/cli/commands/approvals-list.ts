import { APPROVAL_STATUSES } from '../../core/approval-port.ts'
import { approvalJson, askedBy } from '../approval-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { instant, table } from '../text.ts'

type Deps = Pick<CliDeps, 'caller' | 'approvals'>

export const approvalsList = command({
  name: 'approvals list',
  summary: 'List what waits for a person, the newest first.',
  arguments: [],
  options: {
    status: {
      summary: 'those in this state instead of those that wait',
      value: 'STATE',
      choices: [...APPROVAL_STATUSES, 'all'],
    },
    limit: { summary: 'how many at most; 50 unless given', value: 'N' },
  },
  async run(args, io, deps: Deps) {
    const { status = 'pending', limit } = args
    const all = await (await deps.approvals()).list(await deps.caller(), {
      ...(status !== 'all' && { status }),
      ...(limit !== undefined && { limit: wholeNumber('--limit', limit, { min: 1, max: 500 }) }),
    })
    await io.answer({ approvals: all.map(approvalJson) }, () =>
      all.length === 0
        ? ''
        : table(
            ['ID', 'STATE', 'ASKED BY', 'WHAT', 'ENDS'],
            all.map((one) => [
              one.id,
              one.status,
              askedBy(one),
              one.preview.title,
              instant(one.expiresAt),
            ]),
            io.stdout,
          ),
    )
  },
})
