import { resolve } from 'node:path'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { plural, visible } from '../text.ts'
import { readTextFile } from '../text-files.ts'
import { sinksJson, sinksTable } from './audit-sinks.ts'

type Deps = Pick<CliDeps, 'audit' | 'presence'>

const MAX_BYTES = 1_048_576

export const auditSetSinks = command({
  name: 'audit set-sinks',
  summary: 'Say where records go besides the store.',
  gated: true,
  about: [
    'The file replaces all sinks; {"sinks":[]} takes them away. What it says, with the keys in it, is sealed in the ' +
      'store and holds for every process that uses it from its next record on; the file is not needed afterwards. ' +
      'A sink of the same name and kind keeps the key that is left out. docs/audit-sinks.md has the members of each kind.',
    'Nothing is released that a required sink does not have: while one does not answer, reads and changes are refused.',
  ],
  arguments: [{ name: 'file', summary: 'JSON; - is standard input' }],
  options: {},
  examples: [['sallyport audit set-sinks sinks.json', 'and remove the file']],
  async run(args, io, deps: Deps) {
    const isInput = args.file === '-'
    const text = isInput
      ? (await io.stdin.read(MAX_BYTES)).toString('utf8')
      : await readTextFile('FILE', args.file)
    const caller = await asPerson(deps, io, {
      action: 'set where audit records go',
      detail: isInput ? 'from standard input' : visible(resolve(args.file)),
    })
    const sinks = await (await deps.audit()).setSinks(caller, text)
    await io.answer({ sinks: sinksJson(sinks) }, () => sinksTable(sinks, io.stdout))
    if (!io.json) await io.say(`${plural(sinks.length, 'sink')} set.`)
  },
})
