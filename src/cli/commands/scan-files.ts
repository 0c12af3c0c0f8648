import { command, type Io } from '../command.ts'
import type { CliDeps, FoundSpan, ScannedFile } from '../deps.ts'
import { FAIL_ON_OPTION, failsOn } from '../options.ts'
import { plural, table, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'inspection'>

const SEVERE: ReadonlySet<string> = new Set(['high', 'critical'])

export const scanFiles = command({
  name: 'scan-files',
  summary: 'Look for threats and secrets in files or in a git diff.',
  about: [
    'Files that git ignores are left out; so are those that are no text or larger than 5 MB. What was found is named ' +
      'by detector, line and column; no text of the files is printed.',
    'Exit code 1 when a verdict is at least that of --fail-on.',
  ],
  arguments: [
    {
      name: 'paths',
      summary: 'files and folders; the working directory without',
      optional: true,
      repeats: true,
    },
  ],
  options: {
    diff: { summary: 'only lines that this revision or range of git added', value: 'RANGE' },
    sarif: { summary: 'answer SARIF 2.1.0, as code scanning takes it' },
    ...FAIL_ON_OPTION,
  },
  examples: [
    ['sallyport scan-files --fail-on suspicious', 'this folder'],
    ['sallyport scan-files --diff main...HEAD --sarif > found.sarif', 'what a branch adds'],
  ],
  async run(args, io, deps: Deps) {
    const inspection = await deps.inspection()
    const request = { directory: process.cwd(), paths: args.paths, diff: args.diff ?? null }
    const isTold = !args.sarif && !io.json
    const files: ScannedFile[] = []
    for await (const file of inspection.scanFiles(request)) {
      files.push(file)
      if (isTold) await tell(file, io)
    }
    if (args.sarif) await io.stdout.write(`${JSON.stringify(inspection.sarif(files), null, 2)}\n`)
    else
      await io.answer(
        {
          files: files.map(({ file, skipped, verdict, findings }) => ({
            file,
            skipped,
            verdict,
            findings: findings.map((one) => ({ ...one })),
          })),
        },
        () => summary(files, io),
      )
    return failsOn(
      args.failOn,
      files.map(({ verdict }) => verdict),
    )
      ? 1
      : 0
  },
})

async function tell({ file, findings }: ScannedFile, io: Io): Promise<void> {
  if (findings.length === 0) return
  const lines = findings.map(
    ({ startLine, startColumn, detector, severity }) =>
      `${visible(file)}:${startLine}:${startColumn}  ${io.stdout.paint(SEVERE.has(severity) ? 'red' : 'yellow', severity)}  ${detector}\n`,
  )
  await io.stdout.write(lines.join(''))
}

/** By detector, so that one that alarms too often is seen. */
function summary(files: readonly ScannedFile[], io: Io): string {
  const found = Map.groupBy(
    files.flatMap((one) => one.findings),
    (one: FoundSpan) => one.detector,
  )
  const looked = files.filter(({ skipped }) => skipped === null).length
  const left = files.length - looked
  const counts = `${plural(looked, 'file')} looked at${left === 0 ? '' : `, ${left} left out`}`
  if (found.size === 0) return `${counts}; nothing was found.`
  const rows = [...found]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([detector, all]) => [detector, all[0]?.category ?? '', String(all.length)])
  return `\n${table(['detector', 'category', 'findings'], rows, io.stdout)}\n\n${counts}.`
}
