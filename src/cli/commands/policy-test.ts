import { command, type Json } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import type { CaseEnd, PolicyCaseRun } from '../policy-tools.ts'
import { plural, visible } from '../text.ts'
import { readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyTest = command({
  name: 'policy test',
  summary: 'Run the cases that stand beside policies.',
  about: [
    'A file of cases names calls and what has to become of them; pay.test.yaml is about pay.yaml, or about the file that it ' +
      'names itself. Exit code 1 when a case comes out otherwise. Opens no vault.',
  ],
  arguments: [{ name: 'files', summary: 'files of cases, JSON or YAML', repeats: true }],
  options: {},
  examples: [['sallyport policy test policies/*.test.yaml', 'before a policy is changed']],
  async run(args, io, deps: Deps) {
    const tools = await deps.policyTools()
    const files: { readonly file: string; readonly runs: readonly PolicyCaseRun[] }[] = []
    for (const file of args.files) {
      const bytes = await readBytes('FILES', file)
      files.push({ file, runs: await tools.tried(file, bytes, (one) => readBytes('policy', one)) })
    }
    const runs = files.flatMap((one) => one.runs)
    const failed = runs.filter(({ passed }) => !passed).length
    await io.answer(
      {
        passed: runs.length - failed,
        failed,
        cases: files.flatMap(({ file, runs: of }) => of.map((run): Json => runJson(file, run))),
      },
      () =>
        [
          ...files.flatMap(({ file, runs: of }) =>
            of.filter(({ passed }) => !passed).flatMap((run) => difference(file, run)),
          ),
          failed === 0
            ? `${plural(runs.length, 'case')} passed.`
            : `${failed} of ${plural(runs.length, 'case')} failed.`,
        ]
          .map(visible)
          .join('\n'),
    )
    return failed === 0 ? 0 : 1
  },
})

function runJson(file: string, { name, line, passed, expected, got }: PolicyCaseRun): Json {
  return { file, line, name, passed, expected: { ...expected }, got: { ...got } }
}

function difference(file: string, { name, line, expected, got }: PolicyCaseRun): readonly string[] {
  return [`${file}:${line}: ${name}`, `  - ${endText(expected)}`, `  + ${endText(got)}`]
}

function endText({ outcome, rule, reason }: CaseEnd): string {
  return [
    outcome,
    ...(rule === null ? [] : [`by ${rule}`]),
    ...(reason === null ? [] : [`"${reason}"`]),
  ].join(' ')
}
