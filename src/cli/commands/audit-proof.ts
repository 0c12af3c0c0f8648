import { Fault } from '../../core/faults.ts'
import { MAX_RECORD_BYTES } from '../audit-view.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { wholeNumber } from '../options.ts'
import { visible } from '../text.ts'
import { keepText, linesOfFile } from '../text-files.ts'

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
  options: {
    record: {
      summary: 'a copy of the audit in which a record stands that was pruned here',
      value: 'FILE',
    },
    out: { summary: 'write it into this file, which must not exist', value: 'FILE' },
  },
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
    if (args.record !== undefined && !isInclusion)
      throw new Fault('BAD_USAGE', '--record belongs to a proof of inclusion.')
    const record = args.record === undefined ? undefined : await recordIn(args.record, first)
    const proof = isInclusion
      ? await audit.proveInclusion(first, second, record)
      : await audit.proveConsistency(first, second)
    await keepText(args.out, `${JSON.stringify(proof)}\n`, io)
  },
})

/** The text of a record as it stands in a copy. @throws {Fault} `NOT_FOUND` when it does not */
async function recordIn(file: string, seq: number): Promise<string> {
  for await (const lines of linesOfFile('--record', file, MAX_RECORD_BYTES))
    for (const line of lines) {
      // Most lines are of other records; those are not worth parsing.
      if (line?.includes(`"seq":${seq},`) !== true) continue
      const body = bodyOf(line, seq)
      if (body !== null) return body
    }
  throw new Fault('NOT_FOUND', `Record ${seq} does not stand in '${visible(file)}'.`, {
    details: { field: '--record' },
  })
}

function bodyOf(line: string, wanted: number): string | null {
  try {
    const { seq, body } = JSON.parse(line) as { readonly seq?: unknown; readonly body?: unknown }
    return seq === wanted && typeof body === 'string' ? body : null
  } catch {
    return null
  }
}
