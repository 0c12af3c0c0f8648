import type { ReplayedOutcome, ReplayReport } from '../core/replay-port.ts'
import { toIso } from '../core/time.ts'
import type { Json, Output } from './command.ts'
import { instant, plural, table, visible } from './text.ts'

const CHANGES: Readonly<Record<ReplayedOutcome, string>> = {
  allowed: 'newly allowed',
  denied: 'newly denied',
  hidden: 'newly hidden',
  approval: 'asks a person',
  limited: 'newly limited',
  withheld: 'answer withheld',
}

export function replayJson(report: ReplayReport): { readonly [name: string]: Json } {
  return {
    since: toIso(report.since),
    first_at: report.first === null ? null : toIso(report.first),
    servers: report.servers,
    compared: report.compared,
    changed: report.changed,
    undecidable: report.undecidable,
    not_recorded: report.lost,
    changes: report.changes.map((one) => ({
      server: one.server,
      [one.isMethod ? 'method' : 'tool']: one.name,
      from: one.from,
      to: one.to,
      was: one.was,
      rule: one.rule,
      calls: one.count,
      first_at: toIso(one.firstAt),
      last_at: toIso(one.lastAt),
      argument_names: one.argumentNames,
    })),
    undecided: report.undecided.map((one) => ({
      server: one.server,
      [one.isMethod ? 'method' : 'tool']: one.name,
      hangs_on: one.paths,
      calls: one.count,
      first_at: toIso(one.firstAt),
      last_at: toIso(one.lastAt),
    })),
    calls: report.calls.map((one) => ({
      at: toIso(one.at),
      server: one.server,
      [one.isMethod ? 'method' : 'tool']: one.name,
      principal: one.principal,
      client: one.client,
      from: one.from,
      to: one.to,
      was: one.was,
      rule: one.rule,
      argument_names: one.argumentNames,
      ...('arguments' in one && { arguments: one.arguments as Json }),
    })),
  }
}

export function replayText(report: ReplayReport, out: Pick<Output, 'paint'>): string {
  const { compared, changed, undecidable, lost, unreadable, since, first, changes } = report
  if (compared === 0)
    return `No call was recorded since ${instant(since)}: a policy with 'record' has its calls recorded.`
  const blocks = [
    `${plural(compared, 'call')} since ${instant(first ?? since)}: ${changed} would end otherwise, ${undecidable} cannot be decided.`,
  ]
  if (changes.length > 0)
    blocks.push(
      table(
        ['CALLS', 'CHANGE', 'SERVER', 'TOOL', 'BY', 'BEFORE', 'FIRST', 'LAST', 'ARGUMENTS'],
        changes.map((one) => [
          String(one.count),
          CHANGES[one.to],
          one.server,
          one.name,
          one.rule ?? '-',
          one.was === null ? one.from : `${one.from} ${one.was}`,
          instant(one.firstAt),
          instant(one.lastAt),
          one.argumentNames.join(' ') || '-',
        ]),
        out,
      ),
    )
  if (report.undecided.length > 0)
    blocks.push(
      table(
        ['CALLS', 'UNDECIDABLE', 'SERVER', 'TOOL', 'FIRST', 'LAST'],
        report.undecided.map((one) => [
          String(one.count),
          one.paths.join(' ') || '-',
          one.server,
          one.name,
          instant(one.firstAt),
          instant(one.lastAt),
        ]),
        out,
      ),
    )
  const shown = report.calls.filter((one) => 'arguments' in one)
  if (shown.length > 0)
    blocks.push(
      shown
        .map(({ at, server, name, to, rule, arguments: args }) =>
          visible(
            `${toIso(at)} ${server} ${name} ${CHANGES[to]}${rule === null ? '' : ` ${rule}`} ${JSON.stringify(args)}`,
          ),
        )
        .join('\n'),
    )
  if (lost > 0) blocks.push(`${plural(lost, 'call')} could not be recorded and stood beside these.`)
  if (unreadable > 0)
    blocks.push(
      `${plural(unreadable, 'batch', 'batches')} of calls could not be read: the key is gone.`,
    )
  return blocks.join('\n\n')
}
