import { Fault } from '../../core/faults.ts'
import { systemClock, toIso } from '../../core/time.ts'
import { approveRules } from '../approve-rules.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { momentOption, RULE_SCOPE_OPTIONS } from '../options.ts'
import { instant } from '../text.ts'

type Deps = Pick<CliDeps, 'inspectionRules' | 'presence'>

export const inspectionAllow = command({
  name: 'inspection allow',
  summary: 'Let what a detector finds through for a while.',
  gated: true,
  about: [
    'Writes an entry of the allow-list into the inspection file and approves the file. A refusal prints this command ' +
      'for what it refused. What was let through stays in the audit.',
  ],
  arguments: [{ name: 'detector', summary: 'id, as refusals and reports name it' }],
  options: {
    reason: { summary: 'why this is fine', value: 'TEXT' },
    until: { summary: 'until when: 30d, or a date and time', value: 'TIME' },
    at: { summary: "only in this argument: '$.description'", value: 'PATH' },
    ...RULE_SCOPE_OPTIONS,
    remove: { summary: 'take the entries of this detector out again' },
  },
  examples: [
    [
      "sallyport inspection allow download-and-run --tool create_vault --reason 'our docs' --until 30d",
      'for one tool',
    ],
    ['sallyport inspection allow download-and-run --remove --tool create_vault', 'and no longer'],
  ],
  async run(args, io, deps: Deps) {
    const { detector, reason, until, at, agent, server, tool, remove } = args
    const scope = { agent, server, tool }
    const rules = await deps.inspectionRules()
    if (remove) {
      const draft = await rules.draft({ to: 'disallow', detector }, scope)
      await approveRules(draft, `no longer let through what ${detector} finds`, io, deps)
      await io.answer({ detector, state: 'removed' }, () => `${detector} is not allowed any more.`)
      return
    }
    if (reason === undefined || until === undefined)
      throw new Fault('BAD_USAGE', 'An entry needs --reason and --until.', {
        details: { field: reason === undefined ? '--reason' : '--until' },
      })
    const now = systemClock()
    const expiresAt = momentOption('--until', until, 'ahead', now)
    if (expiresAt <= now)
      throw new Fault('BAD_INPUT', '--until lies in the past.', { details: { field: '--until' } })
    const draft = await rules.draft({ to: 'allow', detector, path: at, reason, expiresAt }, scope)
    await approveRules(draft, `let through what ${detector} finds`, io, deps)
    await io.answer(
      { detector, state: 'allowed', expires: toIso(expiresAt) },
      () => `${detector} is allowed until ${instant(expiresAt)}.`,
    )
  },
})
