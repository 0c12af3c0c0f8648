import { agentJson } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { instant, table, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const agentLs = command({
  name: 'agent ls',
  summary: 'List the agents that have a key; never a key.',
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const agents = await (await deps.identity()).agents.list(await deps.caller())
    await io.answer({ agents: agents.map(agentJson) }, () =>
      agents.length === 0
        ? ''
        : table(
            ['ID', 'NAME', 'STATE', 'KEY', 'CREATED'],
            agents.map((one) => [
              one.id,
              visible(one.name),
              one.isActive ? 'active' : 'disabled',
              one.keyPrefix ?? '-',
              instant(one.createdAt),
            ]),
            io.stdout,
          ),
    )
  },
})
