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
    changes: report.changes.map((one) => ({ ...changeJson(one), ...seenJson(one) })),
    undecided: report.undecided.map((one) => ({
      ...calledJson(one),
      hangs_on: one.paths,
      ...seenJson(one),
    })),
    calls: report.calls.map((one) => ({
      at: toIso(one.at),
      ...changeJson(one),
      principal: one.principal,
      client: one.client,
      ...('arguments' in one && { arguments: one.arguments as Json }),
    })),
  }
}

type Change = ReplayReport['changes'][number]
type Doubt = ReplayReport['undecided'][number]

function calledJson({ server, name, isMethod }: Pick<Doubt, 'server' | 'name' | 'isMethod'>) {
  return { server, [isMethod ? 'method' : 'tool']: name }
}

function changeJson(one: Change | ReplayReport['calls'][number]) {
  const { from, to, was, rule, argumentNames } = one
  return { ...calledJson(one), from, to, was, rule, argument_names: argumentNames }
}

function seenJson({ count, firstAt, lastAt }: Change | Doubt) {
  return { calls: count, first_at: toIso(firstAt), last_at: toIso(lastAt) }
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
