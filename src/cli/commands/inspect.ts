import { readFile, stat } from 'node:fs/promises'
import { SANITIZATION_MODES } from '../../core/config.ts'
import { FAULTS, Fault } from '../../core/faults.ts'
import { command, type Io, type Json } from '../command.ts'
import { type CliDeps, type InspectedText, type InspectHow } from '../deps.ts'
import { inspectLines } from '../inspect-lines.ts'
import { reportOf } from '../inspect-report.ts'
import { FAIL_ON_OPTION, failsOn } from '../options.ts'

type Deps = Pick<CliDeps, 'inspection'>

/** Far more than a model reads at once. */
const MAX_BYTES = 64 * 1024 * 1024

interface Named {
  readonly name: string
  readonly text: string
  readonly inspected: InspectedText
}

export const inspect = command({
  name: 'inspect',
  summary: 'Look for threats, secrets and personal data in texts.',
  about: [
    'Shows what the detectors find, with carets under it. Nothing is sent anywhere and no vault is opened.',
    'With --jsonl it reads one {"id","text","kind"?,"direction"?} per line from standard input and writes one ' +
      '{"id","verdict","blocked","findings"} per line, in the same order; a line that cannot be read is answered ' +
      'with {"id","error"}, and the exit code is 2 in the end.',
    'Exit code 1 when a verdict is at least that of --fail-on.',
  ],
  arguments: [
    {
      name: 'files',
      summary: 'files to read; - or none is standard input',
      optional: true,
      repeats: true,
    },
  ],
  options: {
    mode: {
      summary: 'block (without it), surgical: show what would go on, log_only: block nothing',
      value: 'MODE',
      choices: SANITIZATION_MODES,
    },
    direction: {
      summary: 'input (without it): to a tool; output: from one, which is never blocked',
      value: 'WAY',
      choices: ['input', 'output'],
    },
    kind: {
      summary: 'what the text is: text, json, shell, path, url, code, prose …',
      value: 'KIND',
    },
    jsonl: { summary: 'many texts, one JSON object per line' },
    ...FAIL_ON_OPTION,
  },
  examples: [
    ['sallyport inspect notes.md', 'what is in a file'],
    ['pbpaste | sallyport inspect --fail-on suspicious', 'stop when it looks bad'],
    ['sallyport inspect --jsonl < calls.jsonl > found.jsonl', 'many texts at once'],
  ],
  async run(args, io, deps: Deps) {
    const inspection = await deps.inspection()
    const how: InspectHow = {
      kind: args.kind ?? null,
      mode: args.mode ?? 'block',
      direction: args.direction ?? 'input',
    }
    if (how.kind !== null && !inspection.kinds.includes(how.kind))
      throw new Fault('BAD_USAGE', `--kind must be one of: ${inspection.kinds.join(', ')}.`, {
        details: { field: '--kind' },
      })
    if (args.jsonl) {
      if (args.files.some((one) => one !== '-'))
        throw new Fault('BAD_USAGE', '--jsonl reads standard input, not files.')
      const { bad, verdicts } = await inspectLines(io, inspection, how)
      if (bad > 0) await io.say(`${bad} of the lines could not be read.`)
      if (failsOn(args.failOn, verdicts)) return 1
      return bad > 0 ? FAULTS.BAD_INPUT.exit : 0
    }
    const all: Named[] = []
    for (const name of args.files.length === 0 ? ['-'] : args.files) {
      const text = name === '-' ? await fromStdin(io) : await fromFile(name)
      all.push({ name, text, inspected: inspection.inspect(text, how) })
    }
    await io.answer({ files: all.map(jsonOf) }, () =>
      all
        .map(({ name, text, inspected }) =>
          reportOf(shownName(name), text, inspected, io.stdout, inspection.summaryOf),
        )
        .join('\n\n'),
    )
    return failsOn(
      args.failOn,
      all.map(({ inspected }) => inspected.verdict),
    )
      ? 1
      : 0
  },
})

const shownName = (name: string): string => (name === '-' ? 'standard input' : name)

function jsonOf({ name, inspected }: Named): Json {
  const { verdict, blocked, findings, cleaned } = inspected
  return {
    file: name,
    verdict,
    blocked,
    findings: findings.map((one) => ({ ...one })),
    ...(cleaned !== null && { cleaned }),
  }
}

async function fromStdin(io: Io): Promise<string> {
  return (await io.stdin.read(MAX_BYTES)).toString('utf8')
}

async function fromFile(name: string): Promise<string> {
  try {
    const { size } = await stat(name)
    if (size <= MAX_BYTES) return await readFile(name, 'utf8')
  } catch (cause) {
    throw new Fault('BAD_INPUT', `The file '${name}' cannot be read.`, {
      details: { field: 'FILES' },
      cause,
    })
  }
  throw new Fault('TOO_LARGE', `The file '${name}' is larger than ${MAX_BYTES} bytes.`, {
    details: { field: 'FILES', maxBytes: MAX_BYTES },
  })
}
