import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { FREEZE_ARGUMENT, freezeTarget, plainTarget, targetText } from '../freeze-target.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const unfreeze = command({
  name: 'unfreeze',
  summary: 'Let what was frozen go on.',
  gated: true,
  arguments: [FREEZE_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    plainTarget(args.target)
    const caller = await asPerson(deps, io, {
      action: `let go on what is frozen: ${args.target ?? 'ALL'}`,
      detail: null,
    })
    const { agents, freezes } = await deps.identity()
    const target = await freezeTarget(agents, caller, args.target)
    await freezes.lift(caller, target)
    const text = targetText(target)
    await io.answer({ target: text, frozen: false }, () => `No longer frozen: ${text}.`)
  },
})
