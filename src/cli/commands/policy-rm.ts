import { checkPolicy } from '../checked-first.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { POLICY_ARGUMENT, toolPolicyJson } from '../tool-policy-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry'>

export const policyRm = command({
  name: 'policy rm',
  summary: 'Drop a policy that judges nothing any more.',
  gated: true,
  arguments: [POLICY_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    await checkPolicy(deps, args.name)
    const caller = await asPerson(deps, io, {
      action: `drop the policy ${args.name}`,
      detail: null,
    })
    const policy = await (await deps.registry()).policies.remove(caller, args.name)
    await io.answer(toolPolicyJson(policy), () => `The policy ${policy.name} is gone.`)
  },
})
