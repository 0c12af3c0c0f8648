import { approveRules } from '../approve-rules.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'inspectionRules' | 'presence'>

export const inspectionApprove = command({
  name: 'inspection approve',
  summary: 'Let the inspection file hold as it stands.',
  gated: true,
  about: [
    'Exactly the bytes that are shown are approved. When the file changes, what it changes holds only where it is ' +
      'stricter, until you approve it again.',
  ],
  arguments: [],
  options: { revoke: { summary: 'take the approval back' } },
  examples: [
    ['sallyport inspection approve', 'after you edited the file'],
    ['sallyport inspection approve --revoke', 'back to the defaults, or stricter'],
  ],
  async run(args, io, deps: Deps) {
    const rules = await deps.inspectionRules()
    if (args.revoke) {
      const caller = await asPerson(deps, io, {
        action: 'take the approval of the inspection file back',
        detail: 'also of what it makes stricter, if the file no longer says so',
      })
      await rules.revoke(caller)
      await io.answer({ state: 'revoked' }, () => 'Nothing of the inspection file is approved.')
      return
    }
    const standing = await rules.standing()
    if (standing.state !== 'approved')
      await approveRules(await rules.draft(), 'let the inspection file hold as it stands', io, deps)
    await io.answer(
      { file: standing.file, state: 'approved' },
      () => 'The inspection file holds as it stands.',
    )
  },
})
