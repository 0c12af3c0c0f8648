import { Fault } from '../../core/faults.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { keepText } from '../text-files.ts'

type Deps = Pick<CliDeps, 'audit'>

export const auditProof = command({
  name: 'audit proof',
  summary: 'Prove a record, or that the audit only grew.',
  about: [
    'The answer is one line of JSON with a signed checkpoint in it; audit check-proof checks it anywhere. ' +
      'An inclusion proof holds one record and says nothing about the others. A consistency proof says that the ' +
      'first records of the larger tree are all of the smaller one. Both are those of RFC 9162.',
  ],
  arguments: [
    { name: 'kind', summary: 'what is proved', choices: ['inclusion', 'consistency'] },
    { name: 'first', summary: 'the number of the record, or the size of the smaller tree' },
    { name: 'second', summary: 'the size of the whole tree; all records without', optional: true },
  ],
  options: { out: { summary: 'write it into this file, which must not exist', value: 'FILE' } },
  json: false,
  examples: [
    ['sallyport audit proof inclusion 4711 --out proof.json', 'one record, for somebody else'],
    ['sallyport audit proof consistency 1000 2000', 'the second thousand changed nothing'],
  ],
  async run(args, io, deps: Deps) {
    const isInclusion = args.kind === 'inclusion'
    if (!isInclusion && args.kind !== 'consistency')
      throw new Fault('BAD_USAGE', 'KIND is inclusion or consistency.')
    const first = wholeNumber('FIRST', args.first, { min: isInclusion ? 1 : 0 })
    const second =
      args.second === undefined ? undefined : wholeNumber('SECOND', args.second, { min: first })
    const audit = await deps.audit()
    const proof = isInclusion
      ? await audit.proveInclusion(first, second)
      : await audit.proveConsistency(first, second)
    await keepText(args.out, `${JSON.stringify(proof)}\n`, io)
  },
})
