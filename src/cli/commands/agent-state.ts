import { AGENT_ARGUMENT, agentJson, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const agentDisable = stateCommand('disable', false)
export const agentEnable = stateCommand('enable', true)

function stateCommand(verb: 'disable' | 'enable', isActive: boolean) {
  return command({
    name: `agent ${verb}`,
    summary: isActive
      ? 'Let an agent and its key count again.'
      : 'Stop an agent: its key and tokens count no longer.',
    gated: true,
    arguments: [AGENT_ARGUMENT],
    options: {},
    async run(args, io, deps: Deps) {
      const caller = await asPerson(deps, io, {
        action: `${verb} the agent ${args.agent}`,
        detail: null,
      })
      const { agents } = await deps.identity()
      const { id } = await agentNamed(agents, caller, args.agent)
      const agent = await agents.update(caller, id, { isActive })
      await io.answer(
        agentJson(agent),
        () => `The agent ${visible(agent.name)} is ${isActive ? 'active' : 'disabled'}.`,
      )
    },
  })
}
