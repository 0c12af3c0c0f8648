import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { table, visible } from '../text.ts'
import { workloadJson } from '../workload-view.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const workloadLs = command({
  name: 'workload ls',
  summary: 'List which workloads are which agents.',
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const caller = await deps.caller()
    const { agents, workloads } = await deps.identity()
    const [rules, known] = await Promise.all([workloads.list(caller), agents.list(caller)])
    const names = new Map(known.map((agent) => [agent.id, agent.name]))
    await io.answer({ rules: rules.map(workloadJson) }, () =>
      rules.length === 0
        ? ''
        : table(
            ['ID', 'AGENT', 'ISSUER', 'SUBJECT', 'AUDIENCE'],
            rules.map((one) => [
              one.id,
              visible(names.get(one.agentId) ?? one.agentId),
              visible(one.issuer),
              visible(one.subject),
              visible(one.audience),
            ]),
            io.stdout,
          ),
    )
  },
})
