import type { AgentPort } from '../../core/identity-port.ts'
import type { PolicyPort } from '../../core/policy-port.ts'
import type { Caller } from '../../core/principals.ts'
import {
  AGENT_PRESET_NAMES,
  AGENT_PRESETS,
  type AgentPresetName,
  presetPaths,
} from '../agent-presets.ts'
import { AGENT_OPTIONS, agentJson, chosenOf, vaultIdsOf } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'
import { plural } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'openVault' | 'defaultVault'>

export const agentCreate = command({
  name: 'agent create',
  summary: 'Register an agent and show its key once.',
  about: [
    'An agent without a policy may do nothing. A preset gives it the policies of a purpose, in the vault that is named or the default one, and binds it to that vault: read-only lists and reads; ci lists, reads and uses config/** and api-keys/** unless paths are given; rotation lists, reads and writes.',
  ],
  gated: true,
  arguments: [{ name: 'name', summary: 'what it is called' }],
  options: {
    preset: { summary: 'policies of a purpose', value: 'NAME', choices: AGENT_PRESET_NAMES },
    path: {
      summary: 'with a preset: where its policies hold',
      value: 'GLOB',
      repeats: true,
    },
    ...AGENT_OPTIONS,
  },
  examples: [
    ["sallyport agent create reader --preset read-only --path 'api-keys/**'", 'reads those alone'],
    ['sallyport agent create deploy --preset ci --expires 90d', 'a pipeline, for three months'],
  ],
  async run(args, io, deps: Deps) {
    const paths = args.preset === undefined ? [] : presetPaths(args.preset, args.path)
    const chosen = chosenOf(args)
    const caller = await asPerson(deps, io, {
      action: `register the agent ${args.name}`,
      detail: args.preset === undefined ? null : `preset ${args.preset}: ${paths.join(' ')}`,
    })
    const named =
      args.vault.length > 0 || args.preset === undefined ? args.vault : [deps.defaultVault()]
    const vaultIds = await vaultIdsOf(await deps.openVault(), caller, named)
    const { agents, policies } = await deps.identity()
    const { agent, key } = await agents.create(caller, {
      name: args.name,
      ...(args.preset !== undefined && {
        tokenTtlSeconds: AGENT_PRESETS[args.preset].tokenSeconds,
      }),
      ...chosen,
      ...(vaultIds.length > 0 && { vaultIds }),
    })
    if (args.preset !== undefined)
      await givePolicies(agents, policies, caller, agent.id, args.preset, vaultIds, paths)
    await printOnce(
      key,
      io,
      (text) => ({ api_key: text, agent: agentJson(agent) }),
      (text) => text,
    )
    if (io.json) return
    const count = paths.length * vaultIds.length
    await io.say(
      `Agent ${agent.id}${count === 0 ? '' : `, with ${plural(count, 'policy', 'policies')}`}. Its key is shown this once: only a hash of it is kept.`,
    )
  },
})

/** An agent that got only some of its policies is none: it is taken back. */
async function givePolicies(
  agents: AgentPort,
  policies: PolicyPort,
  caller: Caller,
  id: string,
  preset: AgentPresetName,
  vaults: readonly string[],
  paths: readonly string[],
): Promise<void> {
  try {
    for (const vault of vaults)
      for (const pattern of paths)
        await policies.create(caller, vault, {
          pattern,
          principalType: 'agent',
          principalId: id,
          permissions: AGENT_PRESETS[preset].permissions,
        })
  } catch (error) {
    await agents.remove(caller, id)
    throw error
  }
}
