import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const agentRm = command({
  name: 'agent rm',
  summary: 'Remove an agent for good, with its key and tokens.',
  gated: true,
  arguments: [AGENT_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: `remove the agent ${args.agent}`,
      detail: null,
    })
    const { agents } = await deps.identity()
    const { id, name } = await agentNamed(agents, caller, args.agent)
    await agents.remove(caller, id)
    await io.answer({ id, removed: true }, () => `The agent ${visible(name)} is gone.`)
  },
})
