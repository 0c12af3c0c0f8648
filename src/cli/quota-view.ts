import type { AgentPort } from '../core/identity-port.ts'
import type { Caller } from '../core/principals.ts'
import type { QuotaInfo } from '../core/quota-port.ts'
import { agentNamed } from './agent-view.ts'
import type { Json, Output } from './command.ts'
import { table } from './text.ts'

/** Whose quota it is. @returns `org`, `agent:<id>` or `user:<id>` */
export async function quotaSubject(
  agents: AgentPort,
  caller: Caller,
  text: string,
): Promise<string> {
  if (text === 'org' || text.startsWith('user:') || text.startsWith('agent:')) return text
  if (text === 'local') return 'agent:local'
  return `agent:${(await agentNamed(agents, caller, text)).id}`
}

export function quotaJson({ subject, reads, writes, used, month }: QuotaInfo): {
  readonly [name: string]: Json
} {
  return { subject, month, reads, writes, used: { reads: used.reads, writes: used.writes } }
}

export function quotaTable(quotas: readonly QuotaInfo[], out: Pick<Output, 'paint'>): string {
  if (quotas.length === 0) return 'Nothing is limited.'
  return table(
    ['SUBJECT', 'MONTH', 'READS', 'WRITES'],
    quotas.map(({ subject, month, reads, writes, used }) => [
      subject,
      month,
      `${used.reads} of ${reads ?? 'any number'}`,
      `${used.writes} of ${writes ?? 'any number'}`,
    ]),
    out,
  )
}
