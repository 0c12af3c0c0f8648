import { AGENT_ARGUMENT, agentJson, agentNamed, agentText } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const agentShow = command({
  name: 'agent show',
  summary: 'Say all of one agent but its key.',
  arguments: [AGENT_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const { agents } = await deps.identity()
    const agent = await agentNamed(agents, await deps.caller(), args.agent)
    await io.answer(agentJson(agent), () => agentText(agent))
  },
})
