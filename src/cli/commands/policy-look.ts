import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { instant, table } from '../text.ts'
import { POLICY_ARGUMENT, toolPolicyJson } from '../tool-policy-view.ts'

type Deps = Pick<CliDeps, 'caller' | 'registry'>

export const policyLs = command({
  name: 'policy ls',
  summary: 'List the policies that are kept.',
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const list = await (await deps.registry()).policies.list(await deps.caller())
    await io.answer({ policies: list.map(toolPolicyJson) }, () =>
      list.length === 0
        ? ''
        : table(
            ['NAME', 'REVISION', 'CHANGED', 'BY', 'SERVERS'],
            list.map((one) => [
              one.name,
              one.revision,
              instant(one.changedAt),
              one.changedBy,
              one.servers.join(' ') || '-',
            ]),
            io.stdout,
          ),
    )
  },
})

export const policyShow = command({
  name: 'policy show',
  summary: 'Print a policy that is kept.',
  arguments: [POLICY_ARGUMENT],
  options: {},
  async run(args, io, deps: Deps) {
    const { policies } = await deps.registry()
    const policy = await policies.get(await deps.caller(), args.name)
    if (io.json) await io.answer({ ...toolPolicyJson(policy), text: policy.text }, () => '')
    else await io.stdout.write(policy.text)
  },
})
