import { Fault } from '../../core/faults.ts'
import {
  AGENT_ARGUMENT,
  AGENT_OPTIONS,
  agentJson,
  agentNamed,
  agentText,
  chosenOf,
  vaultIdsOf,
} from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'openVault'>

export const agentUpdate = command({
  name: 'agent update',
  summary: 'Change what an agent is called, narrowed and bound to.',
  about: ['What is changed counts at once, also for tokens that are in use.'],
  gated: true,
  arguments: [AGENT_ARGUMENT],
  options: {
    name: { summary: 'what it is called from now on', value: 'NAME' },
    ...AGENT_OPTIONS,
    anyScope: { summary: 'narrow its tokens no longer' },
    anyVault: { summary: 'bind it to no vault' },
  },
  async run(args, io, deps: Deps) {
    if ((args.anyScope && args.scope.length > 0) || (args.anyVault && args.vault.length > 0))
      throw new Fault('BAD_USAGE', 'Narrow it or do not: both were asked for.')
    const chosen = chosenOf(args)
    const caller = await asPerson(deps, io, {
      action: `change the agent ${args.agent}`,
      detail: null,
    })
    const { agents } = await deps.identity()
    const { id } = await agentNamed(agents, caller, args.agent)
    const vaultIds =
      args.vault.length === 0 ? [] : await vaultIdsOf(await deps.openVault(), caller, args.vault)
    const agent = await agents.update(caller, id, {
      ...(args.name !== undefined && { name: args.name }),
      ...chosen,
      ...(vaultIds.length > 0 && { vaultIds }),
      ...(args.anyScope && { scopes: null }),
      ...(args.anyVault && { vaultIds: null }),
    })
    await io.answer(agentJson(agent), () => agentText(agent))
  },
})
