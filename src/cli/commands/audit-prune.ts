import { Fault } from '../../core/faults.ts'
import { systemClock, toIso } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { instantOption, momentOption } from '../options.ts'
import { asPerson } from '../presence.ts'
import { instant, plural } from '../text.ts'

type Deps = Pick<CliDeps, 'audit' | 'presence'>

export const auditPrune = command({
  name: 'audit prune',
  summary: 'Take old records away and keep their hashes.',
  gated: true,
  about: [
    'Everything recorded before a time goes, as far as every required sink has it; nothing younger than 30 days does. ' +
      'The hashes stay, so the tree, its checkpoints and proofs, and the copies that you keep hold as before; what the ' +
      'records said does not. Export them first: sallyport audit export.',
    'The audit is verified before anything goes, and a record says who pruned it and how far. ' +
      'Servers do this by themselves once audit set-retention says how long to keep records.',
  ],
  arguments: [],
  options: {
    before: { summary: 'what was recorded before this date and time', value: 'DATE' },
    keep: { summary: 'what is older than this, such as 400d', value: 'LENGTH' },
  },
  examples: [['sallyport audit prune --keep 400d', 'a year and a month stay']],
  async run({ before, keep }, io, deps: Deps) {
    if ((before === undefined) === (keep === undefined))
      throw new Fault('BAD_USAGE', 'Give --before DATE or --keep LENGTH.')
    const until =
      before === undefined
        ? momentOption('--keep', keep ?? '', 'ago', systemClock())
        : instantOption('--before', before)
    const caller = await asPerson(deps, io, {
      action: 'take old audit records away',
      detail: `all that was recorded before ${toIso(until)}`,
    })
    const report = await (await deps.audit()).prune(caller, until)
    const { pruned, upTo, heldBy, skipped } = report
    await io.answer({ pruned, up_to: upTo, held_by: heldBy, skipped: [...skipped] }, () =>
      pruned === 0
        ? `Nothing was recorded before ${instant(until)} that could go.`
        : `${plural(pruned, 'record')} pruned; records 1 to ${upTo} are hashes now.`,
    )
    if (heldBy !== null) await io.say(`The sink ${heldBy} lacks the next record, which stays.`)
    if (skipped.length > 0)
      await io.say(`These sinks never got all of them: ${skipped.join(', ')}.`)
  },
})
