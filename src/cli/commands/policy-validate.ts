import { readFile, stat } from 'node:fs/promises'
import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { visible } from '../text.ts'

type Deps = Pick<CliDeps, 'policyProblems'>

/** More than a policy may have, so that one that is too large is told as such. */
const MAX_BYTES = 2 * 1_048_576

export const policyValidate = command({
  name: 'policy validate',
  summary: 'Check policies on the tools of MCP servers.',
  about: [
    'Says all that is wrong, each with line and column. A key that is not known is wrong: a policy with a mistyped ' +
      'key would be weaker than it looks. Exit code 1 when something is wrong. Opens no vault.',
  ],
  arguments: [{ name: 'files', summary: 'policies, JSON', repeats: true }],
  options: {},
  examples: [['sallyport policy validate policy.json', 'before it is used']],
  async run(args, io, deps: Deps) {
    const files = await Promise.all(
      args.files.map(async (file) => ({
        file,
        problems: await deps.policyProblems(await bytesOf(file)),
      })),
    )
    const isValid = files.every(({ problems }) => problems.length === 0)
    await io.answer(
      {
        valid: isValid,
        files: files.map(({ file, problems }) => ({
          file,
          problems: problems.map((one) => ({ ...one })),
        })),
      },
      () =>
        isValid
          ? files.length === 1
            ? 'Policy file is valid.'
            : `${files.length} policy files are valid.`
          : files
              .flatMap(({ file, problems }) =>
                problems.map(({ line, column, problem }) =>
                  visible(`${file}:${line}:${column}: ${problem}`),
                ),
              )
              .join('\n'),
    )
    return isValid ? 0 : 1
  },
})

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    if ((await stat(file)).size <= MAX_BYTES) return await readFile(file)
  } catch (cause) {
    throw new Fault('BAD_INPUT', `The file '${file}' cannot be read.`, {
      details: { field: 'FILES' },
      cause,
    })
  }
  throw new Fault('TOO_LARGE', `The file '${file}' is larger than ${MAX_BYTES} bytes.`, {
    details: { field: 'FILES', maxBytes: MAX_BYTES },
  })
}
