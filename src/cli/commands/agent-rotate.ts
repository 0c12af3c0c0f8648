import { AGENT_ARGUMENT, agentJson, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const agentRotate = command({
  name: 'agent rotate',
  summary: 'Give an agent a new key; the old one is dead at once.',
  gated: true,
  arguments: [AGENT_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: `give the agent ${args.agent} a new key`,
      detail: null,
    })
    const { agents } = await deps.identity()
    const { id } = await agentNamed(agents, caller, args.agent)
    const { agent, key } = await agents.rotateKey(caller, id)
    await printOnce(
      key,
      io,
      (text) => ({ api_key: text, agent: agentJson(agent) }),
      (text) => text,
    )
    if (!io.json) await io.say(`Agent ${agent.id}: this is its key, shown once.`)
  },
})
