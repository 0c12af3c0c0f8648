import type { Widening } from '../../core/approval-port.ts'
import { Fault } from '../../core/faults.ts'
import { APPROVAL_ARGUMENT, decide, REASON_OPTION } from '../approval-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'

type Deps = Pick<CliDeps, 'presence' | 'caller' | 'approvals'>

export const approvalsApprove = command({
  name: 'approvals approve',
  summary: 'Say yes to exactly what is shown.',
  about: [
    'It counts for the very act that is shown, with these arguments and under this policy, and is used up by it; for a scope it counts as often and as long as it says.',
  ],
  gated: true,
  arguments: [APPROVAL_ARGUMENT],
  options: {
    ...REASON_OPTION,
    also: {
      summary: 'say yes to the same at these paths too, within --minutes or --uses',
      value: 'GLOB',
    },
    minutes: { summary: 'with --also: how long; a day unless given', value: 'N' },
    uses: { summary: 'with --also: how often', value: 'N' },
  },
  examples: [
    [
      "sallyport approvals approve ID --also 'api-keys/**' --minutes 15 --uses 5",
      'not to be asked for each of them',
    ],
  ],
  async run(args, io, deps: Deps) {
    await decide(deps, io, 'approve', { ...args, widen: wideningOf(args) })
  },
})

/** @throws {Fault} `BAD_INPUT` naming the option */
function wideningOf(args: {
  readonly also: string | undefined
  readonly minutes: string | undefined
  readonly uses: string | undefined
}): Widening | undefined {
  const { also, minutes, uses } = args
  if (also === undefined) {
    if (minutes === undefined && uses === undefined) return undefined
    throw new Fault('BAD_USAGE', '--minutes and --uses go with --also.')
  }
  return {
    pattern: also,
    seconds:
      minutes === undefined
        ? 86_400
        : 60 * wholeNumber('--minutes', minutes, { min: 1, max: 10_080 }),
    uses: uses === undefined ? null : wholeNumber('--uses', uses, { min: 1, max: 1_000 }),
  }
}

export const approvalsDeny = command({
  name: 'approvals deny',
  summary: 'Say no.',
  gated: true,
  arguments: [APPROVAL_ARGUMENT],
  options: REASON_OPTION,
  run: (args, io, deps: Deps) => decide(deps, io, 'deny', args),
})
