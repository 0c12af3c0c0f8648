import { FAULTS } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { neededTextFile, readTextFile } from '../text-files.ts'

type Deps = Pick<CliDeps, 'evidence'>

export const auditCheckProof = command({
  name: 'audit check-proof',
  summary: 'Check a proof without the store.',
  about: [`Exit code ${FAULTS.AUDIT_BROKEN.exit} when it does not hold.`],
  arguments: [{ name: 'file', summary: 'what audit proof answered' }],
  options: {
    key: { summary: 'the public key of audit checkpoint-key', value: 'FILE' },
    against: {
      summary: 'the checkpoint that you kept, at which a consistency proof must begin',
      value: 'FILE',
    },
  },
  async run(args, io, deps: Deps) {
    const key = await neededTextFile('--key', args.key)
    const against =
      args.against === undefined ? null : await readTextFile('--against', args.against)
    const proof = await readTextFile('FILE', args.file)
    const report = (await deps.evidence()).checkProof(proof, key, against)
    await io.answer({ ok: report.ok, lines: report.lines }, () => report.lines.join('\n'))
    return report.ok ? 0 : FAULTS.AUDIT_BROKEN.exit
  },
})
