import type { GatewayStatus } from '../core/gateway-port.ts'
import { toIso } from '../core/time.ts'
import type { Json, Output } from './command.ts'
import { instant, plural, table } from './text.ts'

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

/** @param most rows of limits that are shown */
export function statusText(
  status: GatewayStatus,
  out: Pick<Output, 'paint'>,
  most: number = status.limits.length,
): string {
  const { servers, limits, limitsUnknown, since, isCut } = status
  const blocks: string[] = []
  if (servers.length === 0) blocks.push('No server: sallyport server add NAME -- COMMAND')
  else
    blocks.push(
      table(
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
      ),
    )
  if (limits.length > 0)
    blocks.push(
      table(
        ['LIMIT', 'SERVER', 'USED', 'MAX', 'WINDOW', 'OF', 'GIVEN BACK'],
        limits
          .slice(0, most)
          .map((one) => [
            one.counter,
            one.server,
            String(one.used),
            one.max === null ? '-' : String(one.max),
            one.window,
            one.of === '' ? one.scope : one.of,
            instant(one.endsAt),
          ]),
        out,
      ),
    )
  if (limits.length > most) blocks.push(`and ${plural(limits.length - most, 'limit')} more`)
  if (limitsUnknown !== null) blocks.push(`What is used of limits is not known. ${limitsUnknown}`)
  blocks.push(
    isCut
      ? `Calls since ${instant(since)}; there were more than could be counted.`
      : `Calls since ${instant(since)}.`,
  )
  return blocks.join('\n\n')
}
