import type { Freeze } from '../../core/identity-port.ts'
import { toIso } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { FREEZE_ARGUMENT, freezeTarget, freezeText, targetText } from '../freeze-target.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const freeze = command({
  name: 'freeze',
  summary: 'Stop everything, one agent or one grant, at once.',
  about: [
    "Whatever is asked for after it is refused, in all processes on this store. Nobody has to prove presence to stop something; sallyport unfreeze is a person's.",
  ],
  arguments: [FREEZE_ARGUMENT],
  options: {
    reason: { summary: 'why, for those who come after', value: 'TEXT' },
    list: { summary: 'freeze nothing, say what is frozen' },
  },
  examples: [
    ['sallyport freeze', 'stop everything now'],
    ['sallyport freeze deploy --reason "reads at night"', 'stop one agent'],
  ],
  async run(args, io, deps: Deps) {
    const caller = await deps.caller()
    const { agents, freezes } = await deps.identity()
    if (args.list) {
      const all = await freezes.list(caller)
      await io.answer({ frozen: all.map(freezeJson) }, () => all.map(freezeText).join('\n'))
      return
    }
    const target = await freezeTarget(agents, caller, args.target)
    const frozen = await freezes.freeze(caller, target, args.reason ?? null)
    await io.answer(freezeJson(frozen), () => freezeText(frozen))
  },
})

function freezeJson({ target, at, by, reason }: Freeze) {
  return { target: targetText(target), at: toIso(at), by, reason }
}
