import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { keepText } from '../text-files.ts'

type Deps = Pick<CliDeps, 'audit'>

export const auditCheckpointKey = command({
  name: 'audit checkpoint-key',
  summary: 'Print the key that checkpoints are checked with.',
  about: [
    'Ed25519 as PEM. Take it once, from the machine itself, and keep it with your checkpoints: ' +
      'it is all that audit verify --export and audit check-proof need.',
  ],
  arguments: [],
  options: { out: { summary: 'write it into this file, which must not exist', value: 'FILE' } },
  json: false,
  examples: [['sallyport audit checkpoint-key --out sallyport-audit.pem', 'once']],
  async run(args, io, deps: Deps) {
    await keepText(args.out, await (await deps.audit()).checkpointKeys(), io)
  },
})
