import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { asPerson } from '../presence.ts'
import { quotaJson, quotaSubject, quotaTable } from '../quota-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

const MAX = 1_000_000_000

export const quotaSet = command({
  name: 'quota set',
  summary: 'Limit how much may be read and written in a month.',
  about: [
    'Months are those of the calendar, UTC. A value that is given out is a read, a version that is stored is a write; what is refused costs nothing. What is not given keeps its limit.',
  ],
  gated: true,
  arguments: [{ name: 'subject', summary: 'org, local, user:ID, or the name or id of an agent' }],
  options: {
    reads: { summary: 'a whole number, or none', value: 'N' },
    writes: { summary: 'a whole number, or none', value: 'N' },
  },
  examples: [
    ['sallyport quota set org --reads 10000', 'all agents and people together'],
    ['sallyport quota set deploy --reads none', 'no limit of its own any more'],
  ],
  async run(args, io, deps: Deps) {
    if (args.reads === undefined && args.writes === undefined)
      throw new Fault('BAD_USAGE', 'Give --reads, --writes or both.')
    const reads = limitFrom('--reads', args.reads)
    const writes = limitFrom('--writes', args.writes)
    const caller = await asPerson(deps, io, {
      action: `set the quota of ${args.subject}`,
      detail: `reads ${args.reads ?? 'as before'}, writes ${args.writes ?? 'as before'}`,
    })
    const { agents, quotas } = await deps.identity()
    const subject = await quotaSubject(agents, caller, args.subject)
    const before = (await quotas.list(caller)).find((one) => one.subject === subject)
    const now = await quotas.set(caller, subject, {
      reads: reads === undefined ? (before?.reads ?? null) : reads,
      writes: writes === undefined ? (before?.writes ?? null) : writes,
    })
    await io.answer(quotaJson(now), () => quotaTable([now], io.stdout))
  },
})

function limitFrom(option: string, text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined
  return text === 'none' ? null : wholeNumber(option, text, { min: 0, max: MAX })
}
