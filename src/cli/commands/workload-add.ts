import { AGENT_ARGUMENT, agentNamed } from '../agent-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { workloadJson } from '../workload-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const workloadAdd = command({
  name: 'workload add',
  summary: 'Let a workload be an agent by what its issuer says of it.',
  about: [
    "The workload shows a token of its issuer (GitHub Actions, Kubernetes, any OpenID Connect issuer) and needs no key. In the subject, * stands for one whole piece between ':' and '/', and never for one of the first two.",
  ],
  gated: true,
  arguments: [
    AGENT_ARGUMENT,
    { name: 'issuer', summary: 'URL of the issuer, as its tokens say it' },
    { name: 'subject', summary: 'which of its subjects' },
  ],
  options: {
    audience: { summary: 'for whom its tokens are; this organisation unless given', value: 'NAME' },
  },
  examples: [
    [
      'sallyport workload add deploy https://token.actions.githubusercontent.com repo:acme/app:ref:refs/heads/main',
      'the main branch of one repository',
    ],
  ],
  async run(args, io, deps: Deps) {
    const { issuer, subject, audience } = args
    const caller = await asPerson(deps, io, {
      action: `let a workload be the agent ${args.agent}`,
      detail: `${subject} of ${issuer}`,
    })
    const { agents, workloads } = await deps.identity()
    const { id } = await agentNamed(agents, caller, args.agent)
    const rule = await workloads.add(caller, id, {
      issuer,
      subject,
      ...(audience !== undefined && { audience }),
    })
    await io.answer(
      workloadJson(rule),
      () => `Rule ${rule.id}: its tokens must be for ${rule.audience}.`,
    )
  },
})
