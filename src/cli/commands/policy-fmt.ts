import { realpath, rename, stat, writeFile } from 'node:fs/promises'
import { Fault } from '../../core/faults.ts'
import { newId } from '../../core/ids.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { visible } from '../text.ts'
import { readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'policyTools'>

export const policyFmt = command({
  name: 'policy fmt',
  summary: 'Write policies in one form: names in order, comments kept.',
  about: [
    'The files are changed where they are not in that form yet; what they decide stays. Comments of YAML, numbers and ' +
      'texts stay as they were written. An invalid policy is left alone.',
  ],
  arguments: [{ name: 'files', summary: 'policies, JSON or YAML', repeats: true }],
  options: { check: { summary: 'change nothing; exit code 1 when a file would change' } },
  examples: [['sallyport policy fmt policies/*.yaml', 'before they are committed']],
  async run(args, io, deps: Deps) {
    const tools = await deps.policyTools()
    const changed: string[] = []
    for (const file of args.files) {
      const bytes = await readBytes('FILES', file)
      const text = await tools.formatted(file, bytes)
      if (Buffer.from(text).equals(bytes)) continue
      changed.push(file)
      if (!args.check) await replace(file, text)
    }
    await io.answer({ changed }, () =>
      changed.length === 0
        ? 'Nothing to change.'
        : changed
            .map((file) => `${args.check ? 'would change' : 'changed'}: ${visible(file)}`)
            .join('\n'),
    )
    return args.check && changed.length > 0 ? 1 : 0
  },
})

/** In one step: a gateway that watches the file sees the old text or the new one. */
async function replace(file: string, text: string): Promise<void> {
  try {
    const target = await realpath(file)
    const { mode } = await stat(target)
    const beside = `${target}.${newId()}`
    await writeFile(beside, text, { flag: 'wx', mode: mode & 0o777 })
    await rename(beside, target)
  } catch (cause) {
    throw new Fault('BAD_INPUT', `The file '${visible(file)}' cannot be written.`, {
      details: { field: 'FILES' },
      cause,
    })
  }
}
