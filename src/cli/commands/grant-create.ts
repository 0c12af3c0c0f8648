import { systemClock } from '../../core/time.ts'
import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { checkNewGrant } from '../checked-first.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { grantJson } from '../grant-view.ts'
import { momentOption } from '../options.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'registry'>

export const grantCreate = command({
  name: 'grant create',
  summary: 'Give an agent a bearer for one server; it is shown once.',
  about: [
    'Whoever holds the bearer is the agent, at that server and under those policies and those of the server. Without any policy every call is denied. Each client gets a bearer of its own, so that each is rotated, frozen and revoked alone.',
  ],
  gated: true,
  arguments: [AGENT_ARGUMENT],
  options: {
    server: { summary: 'server behind the gateway', value: 'NAME', needed: true },
    policy: {
      summary: 'policy that its calls are judged by',
      value: 'NAME',
      repeats: true,
    },
    label: { summary: 'who holds it: a client, a machine', value: 'TEXT', needed: true },
    expires: { summary: 'when it ends: 90d, or a date and time with a zone', value: 'TIME' },
  },
  examples: [
    [
      'sallyport grant create deploy --server github --policy read-only --label laptop',
      'one client of one agent',
    ],
  ],
  async run(args, io, deps: Deps) {
    const { server, label } = args
    const expiresAt =
      args.expires === undefined
        ? null
        : momentOption('--expires', args.expires, 'ahead', systemClock())
    await checkNewGrant(deps, { agent: args.agent, server, policies: args.policy })
    const caller = await asPerson(deps, io, {
      action: `give the agent ${args.agent} a bearer for ${server}`,
      detail: `${label}: ${args.policy.join(' ') || 'no policy of its own'}`,
    })
    const { agents, grants } = await deps.identity()
    const { id } = await agentNamed(agents, caller, args.agent)
    const { grant, bearer } = await grants.create(caller, id, {
      label,
      server,
      policies: args.policy,
      expiresAt,
    })
    await printOnce(
      bearer,
      io,
      (text) => ({ token: text, grant: grantJson(grant) }),
      (text) => text,
    )
    if (!io.json) await io.say(`Grant ${grant.id}: its bearer is shown this once.`)
  },
})
