import { changeLane, type Lane, type RecordDraft, type Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { type Caller, isPersonPresent, isRegistered, isSession } from '../core/principals.ts'
import { stepUpRequired } from '../core/step-up-required.ts'
import type { Clock, EpochMs } from '../core/time.ts'

/** What every member of a lane here has: who wants it. */
export interface Asked {
  readonly caller: Caller
}

/**
 * Why the caller may not administer the organisation, or null when it may: the person at this machine, owners and
 * admins may, and the latter not with a key that is narrowed to some paths or vaults.
 */
export async function administrationProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  if (caller.principal.kind === 'person') return null
  if (!isRegistered(caller.principal)) return notAllowed()
  try {
    const { role, scopes, vaultIds } = await standing.standingOf(reader, caller, at)
    const administers = role === 'owner' || role === 'admin'
    return administers && scopes.length === 0 && vaultIds === null ? null : notAllowed()
  } catch (error) {
    if (isFault(error, 'UNAUTHENTICATED')) return error
    throw error
  }
}

function notAllowed(): Fault {
  return new Fault(
    'ACCESS_DENIED',
    'Only owners and admins of the organisation, or the person at its machine, may do this.',
  )
}

/** Why a session's person may have gone away since; a key is judged by what it is. */
function away(caller: Caller, at: EpochMs): Fault | null {
  if (!isSession(caller) || isPersonPresent(caller, at)) return null
  return stepUpRequired()
}

/** A lane of changes that only those who administer may make; what others ask for is recorded as refused. */
export function administeredLane<M extends Asked, R>(
  standing: StandingPort,
  action: string,
  change: (tx: Tx, member: M, at: EpochMs) => Promise<Settled<R>>,
): Lane<M, R> {
  return changeLane(action, async (tx, member: M, at) => {
    const problem =
      (await administrationProblem(standing, tx, member.caller, at)) ?? away(member.caller, at)
    return problem === null
      ? change(tx, member, at)
      : { fault: problem, record: refusedRecord(action, member.caller, problem) }
  })
}

/**
 * A lane of changes that somebody who administers makes himself: no key does, whoever left it where, and a session
 * only while its person is there.
 */
export function attendedLane<M extends Asked, R>(
  standing: StandingPort,
  action: string,
  change: (tx: Tx, member: M, at: EpochMs) => Promise<Settled<R>>,
): Lane<M, R> {
  return administeredLane(standing, action, async (tx, member, at) => {
    if (isPersonPresent(member.caller, at)) return change(tx, member, at)
    const fault = new Fault(
      'ACCESS_DENIED',
      'A person who signed in has to do this, or the one at the machine; a key cannot.',
    )
    return { fault, record: refusedRecord(action, member.caller, fault) }
  })
}

export function refusedRecord(action: string, caller: Caller, fault: Fault): RecordDraft {
  return { kind: 'refusal', action, caller, by: fault.code }
}

/**
 * Why the caller may not look at what is said of an agent, or null: whoever is at this machine may, as it may at the
 * tokens of local clients, for there is no key to be seen; an agent may look at itself.
 *
 * @param agentId - null: at all of them
 */
export async function lookProblem(
  { standing, clock }: { readonly standing: StandingPort; readonly clock: Clock },
  reader: Reader,
  caller: Caller,
  agentId: string | null,
): Promise<Fault | null> {
  if (caller.principal.kind === 'agent') return null
  if (caller.principal.kind === 'registered-agent' && caller.principal.id === agentId) {
    await standing.standingOf(reader, caller, clock())
    return null
  }
  return administrationProblem(standing, reader, caller, clock())
}
