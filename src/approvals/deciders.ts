import type { Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { CallerStanding, StandingPort } from '../core/identity-port.ts'
import type { UserId } from '../core/ids.ts'
import {
  type Caller,
  isPersonPresent,
  isRegistered,
  isSession,
  principalName,
} from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import type { ApprovalRow } from './approval-rows.ts'

export interface DeciderParts {
  readonly standing: StandingPort
  /** Principals of the agents that one made. */
  readonly agentsOf: (reader: Reader, maker: string) => Promise<readonly string[]>
}

/** What of all requests a caller is concerned with. */
export type Sight =
  | { readonly kind: 'all' }
  /** Requests of these principals alone. */
  | { readonly kind: 'of'; readonly requesters: readonly string[] }

/**
 * Who may look at what: on this machine whoever is there, of people the owners, admins and auditors; others at what
 * they or their agents asked for.
 *
 * @throws {Fault} `UNAUTHENTICATED`
 */
export async function sightOf(
  parts: DeciderParts,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Sight> {
  const { kind } = caller.principal
  if (kind === 'person' || kind === 'agent') return { kind: 'all' }
  if (!isRegistered(caller.principal)) return { kind: 'of', requesters: [] }
  const standing = await parts.standing.standingOf(reader, caller, at)
  const self = principalName(caller.principal)
  if (isUnnarrowed(standing) && ['owner', 'admin', 'auditor'].includes(standing.role ?? ''))
    return { kind: 'all' }
  if (standing.type === 'agent') return { kind: 'of', requesters: [self] }
  return { kind: 'of', requesters: [self, ...(await parts.agentsOf(reader, self))] }
}

/**
 * Why this caller decides nothing at all, or null. Before anything is looked up: what exists is nobody's business who
 * cannot decide.
 */
export function personProblem(caller: Caller, at: EpochMs): Fault | null {
  if (isPersonPresent(caller, at)) return null
  return isSession(caller)
    ? new Fault('STEP_UP_REQUIRED', 'An approval takes a fresh proof that it is you.')
    : new Fault(
        'ACCESS_DENIED',
        'Approvals are decided by a person who signed in, or at this machine; no key or token decides.',
      )
}

/** Why this person may not decide this one, or null. @throws {Fault} `UNAUTHENTICATED` */
export async function decisionProblem(
  parts: DeciderParts,
  reader: Reader,
  caller: Caller,
  row: ApprovalRow,
  at: EpochMs,
): Promise<Fault | null> {
  const self = principalName(caller.principal)
  if (row.requester === self)
    return new Fault('ACCESS_DENIED', 'Nobody decides what he asked for himself.')
  if (caller.principal.kind === 'person') return null
  const standing = await parts.standing.standingOf(reader, caller, at)
  return (await hasSay(parts, reader, self, standing, row))
    ? null
    : new Fault('ACCESS_DENIED', 'Owners and admins decide this, and who made the agent that asks.')
}

/** Whether somebody who once said yes is still one whose yes counts: people leave, and sessions get stolen. */
export async function stillCounts(
  parts: DeciderParts,
  reader: Reader,
  voter: string,
  row: ApprovalRow,
  at: EpochMs,
): Promise<boolean> {
  if (voter === 'person:local') return true
  const [kind, id = ''] = voter.split(':')
  if (kind !== 'user') return false
  const standing = await parts.standing.ofPrincipal(reader, { kind, id: id as UserId }, at)
  return standing !== null && hasSay(parts, reader, voter, standing, row)
}

async function hasSay(
  parts: DeciderParts,
  reader: Reader,
  person: string,
  standing: CallerStanding,
  row: ApprovalRow,
): Promise<boolean> {
  if (standing.type !== 'user' || !isUnnarrowed(standing)) return false
  if (standing.role === 'owner' || standing.role === 'admin') return true
  if (standing.role !== 'member') return false
  return (await parts.agentsOf(reader, person)).includes(row.requester)
}

function isUnnarrowed({ scopes, vaultIds }: CallerStanding): boolean {
  return scopes.length === 0 && vaultIds === null
}

/**
 * Why the caller may no longer do anything, or null.
 *
 * @throws {Fault} `UNAUTHENTICATED`
 */
export async function frozenProblem(
  { standing }: DeciderParts,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  if (isRegistered(caller.principal)) {
    await standing.standingOf(reader, caller, at)
    return null
  }
  if (caller.principal.kind === 'person') return null
  const frozen = await standing.frozen(reader)
  // A guest asks to be let in, which no freeze of anybody else stops.
  const isFrozen =
    frozen.has('all') || (caller.principal.kind === 'agent' && frozen.has('agent:local'))
  return isFrozen
    ? new Fault('ACCESS_DENIED', 'Everything this agent does is frozen.', {
        details: { remedy: 'have the person run sallyport unfreeze' },
      })
    : null
}
