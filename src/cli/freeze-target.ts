import { Fault } from '../core/faults.ts'
import type { AgentPort, Freeze, FreezeTarget } from '../core/identity-port.ts'
import { isUuid, type UserId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { agentNamed } from './agent-view.ts'
import { visible } from './text.ts'

export const FREEZE_ARGUMENT = {
  name: 'target',
  summary: 'ALL (the same as nothing), local, the name or id of an agent, user:ID or grant:ID',
  optional: true,
} as const

/** What was named, or null for an agent. @throws {Fault} `BAD_INPUT` */
export function plainTarget(text: string | undefined): FreezeTarget | null {
  if (text === undefined || text === 'ALL' || text === 'all') return { kind: 'all' }
  if (text === 'local') return { kind: 'agent', id: 'local' }
  const [, kind, id = ''] = /^(user|grant):(.+)$/.exec(text) ?? []
  if (kind === undefined) return null
  if (!isUuid(id))
    throw new Fault('BAD_INPUT', `${kind}: is followed by an id.`, { details: { field: 'target' } })
  return kind === 'user' ? { kind, id: id as UserId } : { kind: 'grant', id }
}

/** What was named. @throws {Fault} `NOT_FOUND`, `BAD_INPUT` */
export async function freezeTarget(
  agents: AgentPort,
  caller: Caller,
  text = 'ALL',
): Promise<FreezeTarget> {
  return plainTarget(text) ?? { kind: 'agent', id: (await agentNamed(agents, caller, text)).id }
}

/** `ALL`, `local`, `agent:<uuid>`, `user:<uuid>`, `grant:<uuid>`. */
export function targetText(target: FreezeTarget): string {
  if (target.kind === 'all') return 'ALL'
  return target.id === 'local' ? 'local' : `${target.kind}:${target.id}`
}

export function freezeText({ target, by, reason }: Freeze): string {
  const why = reason === null ? '' : `: ${visible(reason)}`
  return `Frozen: ${targetText(target)}, by ${by}${why}.`
}
