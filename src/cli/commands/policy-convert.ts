import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { POLICY_FORMS } from '../policy-tools.ts'
import { findingLine, refuseJsonName } from '../policy-view.ts'
import { visible } from '../text.ts'
import { keepText, readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyConvert = command({
  name: 'policy convert',
  summary: 'Write a policy in another form.',
  about: [
    'From JSON to YAML and back, and from rules of Intercept to our own keys: every call is decided as before. --to hosted ' +
      'uses only what hosted gateways of this format read. What is not kept is said on standard error; where that would ' +
      'change what is decided, nothing is written and the exit code is 1.',
  ],
  arguments: [{ name: 'file', summary: 'the policy, JSON or YAML' }],
  options: {
    to: {
      summary: 'the form; else the other one of JSON and YAML',
      value: 'FORM',
      choices: POLICY_FORMS,
    },
    out: {
      summary: 'a file that is not there yet; else standard output',
      short: 'o',
      value: 'FILE',
    },
  },
  json: false,
  examples: [
    [
      'sallyport policy convert intercept.yaml --to json -o policy.json',
      'from one product to the other',
    ],
  ],
  async run(args, io, deps: Deps) {
    const to = args.to ?? (/\.ya?ml$/i.test(args.file) ? 'json' : 'yaml')
    if (to === 'yaml') refuseJsonName(args.out, 'The policy is written in YAML')
    const bytes = await readBytes('FILE', args.file)
    const { text, notes, problems } = await (await deps.policyTools()).converted(
      args.file,
      bytes,
      to,
    )
    for (const note of notes) await io.say(visible(note))
    if (text === null) {
      for (const one of problems) await io.say(findingLine(args.file, one))
      await io.say('Nothing was written: without these it would be another policy.')
      return 1
    }
    await keepText(args.out, text, io)
    return 0
  },
})
