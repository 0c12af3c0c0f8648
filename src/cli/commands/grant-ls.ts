import type { GrantInfo } from '../../core/grant-port.ts'
import { systemClock } from '../../core/time.ts'
import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { grantJson } from '../grant-view.ts'
import { table, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const grantLs = command({
  name: 'grant ls',
  summary: 'List grants, of one agent or all; never a bearer.',
  arguments: [{ ...AGENT_ARGUMENT, optional: true }],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await deps.caller()
    const { agents, grants } = await deps.identity()
    const of = args.agent === undefined ? null : await agentNamed(agents, caller, args.agent)
    const [list, known] = await Promise.all([
      grants.list(caller, of?.id ?? null),
      agents.list(caller),
    ])
    const names = new Map<string, string>(known.map((agent) => [agent.id, agent.name]))
    await io.answer({ grants: list.map(grantJson) }, () =>
      list.length === 0
        ? ''
        : table(
            ['ID', 'AGENT', 'LABEL', 'SERVER', 'POLICIES', 'BEARER', 'STATE'],
            list.map((one) => [
              one.id,
              visible(names.get(one.agentId) ?? one.agentId),
              visible(one.label),
              one.server,
              one.policies.join(' '),
              one.prefix,
              stateOf(one),
            ]),
            io.stdout,
          ),
    )
  },
})

function stateOf({ revokedAt, expiresAt }: GrantInfo): string {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && expiresAt <= systemClock() ? 'ended' : 'active'
}
