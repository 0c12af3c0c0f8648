import { resolve } from 'node:path'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { findingLine, findingsJson } from '../policy-view.ts'
import { asPerson } from '../presence.ts'
import { readBytes } from '../text-files.ts'
import { POLICY_ARGUMENT, toolPolicyJson } from '../tool-policy-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'registry' | 'policyTools'>

const MAX_BYTES = 1_048_576

export const policySet = command({
  name: 'policy set',
  summary: 'Keep a policy on tools under a name.',
  about: [
    'The text takes the place of the one before. It is a copy: a later change of the file changes nothing. Where the policy is attached, the new text ' +
      'holds within a second.',
  ],
  gated: true,
  arguments: [POLICY_ARGUMENT, { name: 'file', summary: 'the policy; - is standard input' }],
  options: {},
  examples: [
    ['sallyport policy set read-only policy.json', 'and attach it to a server or a grant'],
  ],
  async run(args, io, deps: Deps) {
    const isInput = args.file === '-'
    const text = isInput ? await io.stdin.read(MAX_BYTES) : await readBytes('FILE', args.file)
    const shown = isInput ? 'standard input' : args.file
    await (await deps.policyTools()).keepable(shown, args.name, text)
    const caller = await asPerson(deps, io, {
      action: `set the policy ${args.name}`,
      detail: isInput ? 'from standard input' : resolve(args.file),
    })
    const policy = await (await deps.registry()).policies.set(caller, args.name, text)
    if (!io.json)
      for (const one of policy.warnings) await io.say(`warning: ${findingLine(shown, one)}`)
    await io.answer(
      { ...toolPolicyJson(policy), warnings: findingsJson(policy.warnings) },
      () => `The policy ${policy.name} is set, revision ${policy.revision}.`,
    )
  },
})
