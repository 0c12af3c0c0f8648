import type { SinkStanding } from '../../core/admin-port.ts'
import { command, type Json, type Output } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { table, visible } from '../text.ts'

type Deps = Pick<CliDeps, 'audit'>

export const auditSinks = command({
  name: 'audit sinks',
  summary: 'Show where records go, and what each place lacks.',
  about: ['Set them with audit set-sinks.'],
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const sinks = await (await deps.audit()).sinks()
    await io.answer({ sinks: sinksJson(sinks) }, () => sinksTable(sinks, io.stdout))
    if (!io.json && sinks.length === 0) await io.say('Records go nowhere but into the store.')
  },
})

export function sinksJson(sinks: readonly SinkStanding[]): Json {
  return sinks.map((one) => ({ ...one }))
}

export function sinksTable(sinks: readonly SinkStanding[], out: Output): string {
  if (sinks.length === 0) return ''
  return table(
    ['SINK', 'KIND', 'MODE', 'WHERE', 'DELIVERED', 'LACKING', 'SIGNED', 'PROBLEM'],
    sinks.map((one) => [
      one.name,
      one.kind,
      one.mode,
      visible(one.place),
      String(one.delivered),
      String(one.lacking),
      String(one.signed),
      one.problem ?? '-',
    ]),
    out,
  )
}
