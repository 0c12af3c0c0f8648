import { epochMs, systemClock } from '../../core/time.ts'
import {
  namesOf,
  PERMISSION_CHOICES,
  policyJson,
  policyTable,
  VAULT_OPTION,
} from '../access-view.ts'
import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { asAgentOrPerson, asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'caller' | 'identity' | 'defaultVault'>

const DAY_MS = 86_400_000

export const accessLs = command({
  name: 'access ls',
  summary: 'List what agents and people may do at the paths of a vault.',
  arguments: [],
  options: VAULT_OPTION,
  async run(args, io, deps: Deps) {
    const vault = args.vault ?? deps.defaultVault()
    const { agents, policies } = await deps.identity()
    const request = { action: 'list who may do what', detail: `the vault ${vault}` }
    const found = await asAgentOrPerson(deps, io, request, async (caller) => ({
      list: await policies.list(caller, vault),
      names: await namesOf(agents, caller),
    }))
    await io.answer({ policies: found.list.map(policyJson) }, () =>
      policyTable(found.list, found.names, io.stdout),
    )
  },
})

export const accessUnused = command({
  name: 'access unused',
  summary: 'List what was granted and is not used.',
  arguments: [],
  options: { ...VAULT_OPTION, days: { summary: 'of how many days; default 30', value: 'N' } },
  async run(args, io, deps: Deps) {
    const vault = args.vault ?? deps.defaultVault()
    const days =
      args.days === undefined ? 30 : wholeNumber('--days', args.days, { min: 1, max: 3650 })
    const since = epochMs(systemClock() - days * DAY_MS)
    const { agents, policies } = await deps.identity()
    const request = { action: 'list what nobody uses', detail: `the vault ${vault}` }
    const found = await asAgentOrPerson(deps, io, request, async (caller) => ({
      list: await policies.unused(caller, vault, since),
      names: await namesOf(agents, caller),
    }))
    await io.answer({ days, policies: found.list.map(policyJson) }, () =>
      policyTable(found.list, found.names, io.stdout),
    )
  },
})

export const accessRm = command({
  name: 'access rm',
  summary: 'Remove a policy; what it allowed or denied ends at once.',
  gated: true,
  arguments: [{ name: 'policy', summary: 'its id' }],
  options: VAULT_OPTION,
  async run(args, io, deps: Deps) {
    const vault = args.vault ?? deps.defaultVault()
    const caller = await asPerson(deps, io, {
      action: `remove the policy ${args.policy}`,
      detail: `of the vault ${vault}`,
    })
    await (await deps.identity()).policies.remove(caller, vault, args.policy)
    await io.answer({ id: args.policy, removed: true }, () => `The policy ${args.policy} is gone.`)
  },
})

export const accessExplain = command({
  name: 'access explain',
  summary: 'Say whether and why an agent may do something at a path.',
  arguments: [AGENT_ARGUMENT, { name: 'path', summary: 'path of a secret' }],
  options: {
    permission: {
      summary: 'what it would do; default read',
      value: 'NAME',
      choices: PERMISSION_CHOICES,
    },
    ...VAULT_OPTION,
  },
  async run(args, io, deps: Deps) {
    const vault = args.vault ?? deps.defaultVault()
    const { agents, policies } = await deps.identity()
    const request = { action: `explain what ${args.agent} may do`, detail: args.path }
    const { agent, explained } = await asAgentOrPerson(deps, io, request, async (caller) => {
      const agent = await agentNamed(agents, caller, args.agent)
      const explained = await policies.explain(caller, vault, {
        principalType: 'agent',
        principalId: agent.id,
        path: args.path,
        permission: args.permission ?? 'read',
      })
      return { agent, explained }
    })
    const { allowed, reason, by, withoutIt } = explained
    await io.answer(
      {
        allowed,
        layer: explained.layer,
        policy: by,
        reason,
        approval:
          explained.approval === null
            ? null
            : {
                needed: explained.approval.needed,
                expires_in: explained.approval.expiresInSeconds,
              },
        without_it: withoutIt === null ? null : { ...withoutIt },
        considered: explained.considered.map(({ policy, outcome }) => ({
          ...policyJson(policy),
          outcome,
        })),
      },
      () =>
        [
          `${agent.name} ${allowed ? 'may' : 'may not'} ${args.permission ?? 'read'} ${args.path}: ${reason}`,
          ...(withoutIt === null
            ? []
            : [
                `Without that policy it ${withoutIt.allowed ? 'could' : 'could not'}: ${withoutIt.reason}`,
              ]),
          ...explained.considered.map(
            ({ policy, outcome }) =>
              `  ${policy.effect} ${policy.pattern} (${policy.id}): ${outcome}`,
          ),
        ].join('\n'),
    )
  },
})
