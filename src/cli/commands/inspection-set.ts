import { Fault } from '../../core/faults.ts'
import { approveRules } from '../approve-rules.ts'
import { command } from '../command.ts'
import type { CliDeps, RuleChange } from '../deps.ts'
import { RULE_SCOPE_OPTIONS } from '../options.ts'

type Deps = Pick<CliDeps, 'inspectionRules' | 'presence'>

export const inspectionSet = command({
  name: 'inspection set',
  summary: 'Switch a detector off or on, or set its threshold.',
  gated: true,
  about: [
    'Writes it into the inspection file and approves the file. A detector that is off finds nothing; one with a ' +
      'threshold refuses from that confidence on, in place of 0.8, and records the rest.',
  ],
  arguments: [
    { name: 'detector', summary: 'id, as refusals and reports name it' },
    { name: 'state', summary: 'off, on, or a threshold from 0 to 1' },
  ],
  options: RULE_SCOPE_OPTIONS,
  examples: [
    ['sallyport inspection set shell-chain 0.95', 'refuse only what is all but certain'],
    ['sallyport inspection set email off --tool create_vault', 'do not report it there'],
  ],
  async run(args, io, deps: Deps) {
    const { detector, state, agent, server, tool } = args
    const change = changeTo(detector, state)
    const rules = await deps.inspectionRules()
    const draft = await rules.draft(change, { agent, server, tool })
    await approveRules(draft, `set the detector ${detector} to ${state}`, io, deps)
    await io.answer({ detector, state }, () => `${detector} is set to ${state}.`)
  },
})

function changeTo(detector: string, state: string): RuleChange {
  if (state === 'off' || state === 'on') return { to: state, detector }
  const from = /^(?:0|1|0?\.\d{1,4}|1\.0{1,4})$/.test(state) ? Number(state) : null
  if (from === null)
    throw new Fault('BAD_USAGE', 'STATE must be off, on, or a threshold from 0 to 1.', {
      details: { field: 'STATE' },
    })
  return { to: 'threshold', detector, from }
}
