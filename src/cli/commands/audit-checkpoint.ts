import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { keepText } from '../text-files.ts'

type Deps = Pick<CliDeps, 'audit'>

export const auditCheckpoint = command({
  name: 'audit checkpoint',
  summary: 'Sign the audit as it is now, to be kept elsewhere.',
  about: [
    'The answer is one line of JSON: how many records there are and the root of their tree, signed. ' +
      'Keep it where nobody who can write here can change it: every later history that does not begin with these ' +
      'records is contradicted by it, whoever wrote it and with whatever keys.',
  ],
  arguments: [],
  options: {
    size: { summary: 'sign the first N records instead of all', value: 'N' },
    out: { summary: 'write it into this file, which must not exist', value: 'FILE' },
  },
  json: false,
  examples: [['sallyport audit checkpoint --out friday.json', 'a checkpoint to take away']],
  async run(args, io, deps: Deps) {
    const size = args.size === undefined ? undefined : wholeNumber('--size', args.size, { min: 0 })
    const checkpoint = await (await deps.audit()).checkpoint(size)
    await keepText(args.out, `${JSON.stringify(checkpoint)}\n`, io)
  },
})
