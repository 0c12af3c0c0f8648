import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { findingLine, findingsJson } from '../policy-view.ts'
import { readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyValidate = command({
  name: 'policy validate',
  summary: 'Check policies on the tools of MCP servers.',
  about: [
    'Says all that is wrong, each with line and column. A key that is not known is wrong: a policy with a mistyped ' +
      'key would be weaker than it looks. Exit code 1 when something is wrong. What is right and perhaps not meant ' +
      '(rules that never count, counts that a client can begin anew) is a warning. Opens no vault.',
  ],
  arguments: [{ name: 'files', summary: 'policies, JSON or YAML', repeats: true }],
  options: { strict: { summary: 'warnings are wrong too' } },
  examples: [['sallyport policy validate policy.json', 'before it is used']],
  async run(args, io, deps: Deps) {
    const tools = await deps.policyTools()
    const files = await Promise.all(
      args.files.map(async (file) => ({
        file,
        ...(await tools.check(file, await readBytes('FILES', file))),
      })),
    )
    const isValid = files.every(
      ({ problems, warnings }) => problems.length === 0 && (!args.strict || warnings.length === 0),
    )
    if (!io.json)
      for (const { file, warnings } of files)
        for (const one of warnings) await io.say(`warning: ${findingLine(file, one)}`)
    await io.answer(
      {
        valid: isValid,
        files: files.map(({ file, problems, warnings }) => ({
          file,
          problems: findingsJson(problems),
          warnings: findingsJson(warnings),
        })),
      },
      () => {
        const lines = files.flatMap(({ file, problems }) =>
          problems.map((one) => findingLine(file, one)),
        )
        if (lines.length > 0) return lines.join('\n')
        if (!isValid) return 'There are warnings.'
        return files.length === 1
          ? 'Policy file is valid.'
          : `${files.length} policy files are valid.`
      },
    )
    return isValid ? 0 : 1
  },
})
