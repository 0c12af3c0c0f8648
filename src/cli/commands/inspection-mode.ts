import { SANITIZATION_MODES } from '../../core/config.ts'
import { approveRules } from '../approve-rules.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { RULE_SCOPE_OPTIONS } from '../options.ts'

type Deps = Pick<CliDeps, 'inspectionRules' | 'presence'>

export const inspectionMode = command({
  name: 'inspection mode',
  summary: 'What happens to a call with severe findings.',
  gated: true,
  about: [
    'Writes it into the inspection file and approves the file. block refuses; surgical takes out what can be taken ' +
      'out and refuses the rest; log_only records; default says nothing here, so that what is said more widely holds, ' +
      'and SALLYPORT_MCP_SANITIZATION_MODE at last.',
  ],
  arguments: [
    { name: 'mode', summary: 'what happens', choices: [...SANITIZATION_MODES, 'default'] },
  ],
  options: RULE_SCOPE_OPTIONS,
  examples: [['sallyport inspection mode log_only --agent agent:local', 'watch it for a while']],
  async run(args, io, deps: Deps) {
    const { mode, agent, server, tool } = args
    const rules = await deps.inspectionRules()
    const found = SANITIZATION_MODES.find((one) => one === mode) ?? null
    const draft = await rules.draft({ to: 'mode', mode: found }, { agent, server, tool })
    await approveRules(draft, `set the mode of inspection to ${mode}`, io, deps)
    await io.answer({ mode }, () => `The mode of inspection is ${mode}.`)
  },
})
