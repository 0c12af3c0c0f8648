import type { GatewayStatus } from '../core/gateway-port.ts'
import { toIso } from '../core/time.ts'
import type { Json, Output } from './command.ts'
import { instant, table } from './text.ts'
import { cutTo } from './width.ts'

export function statusJson(status: GatewayStatus): { readonly [name: string]: Json } {
  return {
    since: toIso(status.since),
    cut: status.isCut,
    servers: status.servers.map((one) => ({
      name: one.name,
      kind: one.kind,
      policies: one.policies,
      calls: one.calls,
      denied: one.denied,
      failed: one.failed,
      last_call_at: one.lastAt === null ? null : toIso(one.lastAt),
    })),
    limits: status.limits.map((one) => ({
      server: one.server,
      counter: one.counter,
      scope: one.scope,
      of: one.of,
      window: one.window,
      used: one.used,
      max: one.max,
      given_back_at: toIso(one.endsAt),
    })),
    limits_unknown: status.limitsUnknown,
  }
}

type Paints = Pick<Output, 'paint'>

export function statusText(status: GatewayStatus, out: Paints): string {
  const { servers, limits } = status
  return [
    serverTable(servers, out),
    ...(limits.length === 0 ? [] : [limitTable(limits, out)]),
    ...notesOf(status),
  ].join('\n\n')
}

type Terminal = Pick<Output, 'paint' | 'columns' | 'rows'>

/** What of it fits a terminal: no line wraps, and none scrolls away. */
export function statusScreen(status: GatewayStatus, out: Terminal): string {
  const { servers, limits } = status
  const notes = notesOf(status)
  // Each table has its header, an empty line is between any two blocks, and the cursor stands below.
  const blocks = (limits.length === 0 ? 1 : 2) + notes.length
  const room = Math.max(0, out.rows - blocks - (blocks - 1) - 1)
  const forServers = Math.min(servers.length, Math.max(Math.ceil(room / 2), room - limits.length))
  const lines = [
    ...linesWithin(servers, forServers, serverTable, out),
    ...(limits.length === 0
      ? []
      : ['', ...linesWithin(limits, room - forServers, limitTable, out)]),
    ...notes.flatMap((note) => ['', cutTo(note, out.columns)]),
  ]
  return lines.slice(0, Math.max(1, out.rows - 1)).join('\n')
}

type TableOf<T> = (rows: readonly T[], out: Paints) => string

const PLAIN: Paints = { paint: (_, text) => text }

/** @param most lines below the header, of which the last may say how many more rows there are */
function linesWithin<T>(
  rows: readonly T[],
  most: number,
  tableOf: TableOf<T>,
  out: Terminal,
): readonly string[] {
  const shown = rows.length <= most ? rows.length : Math.max(0, most - 1)
  // The header is as wide as what is below it, and that of nothing is none.
  const [header = '', ...body] = tableOf(rows.slice(0, Math.max(1, shown)), PLAIN)
    .split('\n')
    .slice(0, shown + 1)
    .concat(shown < rows.length && most > 0 ? [`… and ${rows.length - shown} more`] : [])
    .map((line) => cutTo(line, out.columns))
  return [rows.length === 0 ? header : out.paint('dim', header), ...body]
}

function serverTable(servers: GatewayStatus['servers'], out: Paints): string {
  if (servers.length === 0) return 'No server: sallyport server add NAME -- COMMAND'
  return table(
    ['SERVER', 'KIND', 'CALLS', 'DENIED', 'FAILED', 'LAST CALL', 'POLICIES'],
    servers.map((one) => [
      one.name,
      one.kind ?? '-',
      String(one.calls),
      String(one.denied),
      String(one.failed),
      one.lastAt === null ? '-' : instant(one.lastAt),
      one.policies.join(' ') || '-',
    ]),
    out,
  )
}

function limitTable(limits: GatewayStatus['limits'], out: Paints): string {
  return table(
    ['LIMIT', 'SERVER', 'USED', 'MAX', 'WINDOW', 'OF', 'GIVEN BACK'],
    limits.map((one) => [
      one.counter,
      one.server,
      String(one.used),
      one.max === null ? '-' : String(one.max),
      one.window,
      one.of === '' ? one.scope : one.of,
      instant(one.endsAt),
    ]),
    out,
  )
}

function notesOf({ limitsUnknown, since, isCut }: GatewayStatus): readonly string[] {
  const from = `Calls since ${instant(since)}`
  return [
    ...(limitsUnknown === null ? [] : [`What is used of limits is not known. ${limitsUnknown}`]),
    isCut ? `${from}; there were more than could be counted.` : `${from}.`,
  ]
}
