import type { AccessConditions, PolicyApproval } from '../../core/policy-port.ts'
import { systemClock } from '../../core/time.ts'
import { approvalWords, PERMISSION_CHOICES, policyJson, VAULT_OPTION } from '../access-view.ts'
import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { momentOption, wholeNumber } from '../options.ts'
import { asPerson } from '../presence.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity' | 'defaultVault'>

export const accessGrant = command({
  name: 'access grant',
  summary: 'Let an agent do something at paths of a vault, or deny it.',
  gated: true,
  arguments: [AGENT_ARGUMENT, { name: 'paths', summary: 'glob: * is one segment, ** any depth' }],
  options: {
    permission: {
      summary: 'what it may do; default list and read',
      value: 'NAME',
      choices: PERMISSION_CHOICES,
      repeats: true,
    },
    deny: { summary: 'deny it, whatever else allows it' },
    expires: { summary: 'until when: 90d, or a date and time with a zone', value: 'TIME' },
    address: {
      summary: 'only from this address or range',
      value: 'CIDR',
      repeats: true,
    },
    environment: {
      summary: 'only in this environment',
      value: 'NAME',
      repeats: true,
    },
    needsApproval: {
      summary: 'each use waits until so many people have approved it, 1 to 10',
      value: 'N',
    },
    ...VAULT_OPTION,
  },
  examples: [
    ["sallyport access grant deploy 'config/**' --permission read --expires 90d", ''],
    ["sallyport access grant deploy 'live/**' --permission read --needs-approval 1", ''],
  ],
  async run(args, io, deps: Deps) {
    const permissions = args.permission.length === 0 ? (['list', 'read'] as const) : args.permission
    const vault = args.vault ?? deps.defaultVault()
    const approval = approvalOf(args.needsApproval)
    const expiresAt =
      args.expires === undefined
        ? null
        : momentOption('--expires', args.expires, 'ahead', systemClock())
    const caller = await asPerson(deps, io, {
      action: `${args.deny ? 'deny' : 'allow'} the agent ${args.agent} to ${permissions.join(', ')}`,
      detail: `${args.paths} of the vault ${vault}${approval === null ? '' : `, once ${approval.needed === 1 ? 'a person has' : `${approval.needed} people have`} approved it`}`,
    })
    const { agents, policies } = await deps.identity()
    const agent = await agentNamed(agents, caller, args.agent)
    const policy = await policies.create(caller, vault, {
      pattern: args.paths,
      principalType: 'agent',
      principalId: agent.id,
      effect: args.deny ? 'deny' : 'allow',
      permissions,
      conditions: conditionsOf(args.address, args.environment),
      expiresAt,
      approval,
    })
    await io.answer(
      policyJson(policy),
      () =>
        `${args.deny ? 'Denied' : 'Allowed'}: ${visible(agent.name)} ${policy.permissions.join(', ')} at ${policy.pattern}${approvalWords(policy)} (policy ${policy.id}).`,
    )
  },
})

/** As long as any other question to a person. */
const APPROVAL_SECONDS = 900

function approvalOf(needed: string | undefined): PolicyApproval | null {
  if (needed === undefined) return null
  return {
    needed: wholeNumber('--needs-approval', needed, { min: 1, max: 10 }),
    expiresInSeconds: APPROVAL_SECONDS,
  }
}

function conditionsOf(
  addresses: readonly string[],
  environments: readonly string[],
): AccessConditions | null {
  if (addresses.length === 0 && environments.length === 0) return null
  return {
    ...(addresses.length > 0 && { ipAllowlist: addresses }),
    ...(environments.length > 0 && { environmentIn: environments }),
  }
}
