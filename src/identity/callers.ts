import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { CallerPort, Role, StandingPort } from '../core/identity-port.ts'
import { type Caller, isRegistered } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import { refusedRecord } from './administration.ts'
import type { RefusalLane } from './refusals.ts'

const READERS: ReadonlySet<Role | null> = new Set(['owner', 'admin', 'auditor'] as const)

export interface CallerParts {
  readonly db: Db
  readonly clock: Clock
  readonly standing: StandingPort
  readonly refusal: RefusalLane
}

/** What requests are judged by that no vault judges: whether their caller counts, and what of the audit it may read. */
export function createCallers({ db, clock, standing, refusal }: CallerParts): CallerPort {
  async function auditReach(caller: Caller): Promise<'all' | 'own'> {
    if (caller.principal.kind === 'person') return 'all'
    if (!isRegistered(caller.principal)) return 'own'
    const { role, scopes, vaultIds } = await db.read(async (reader) =>
      standing.standingOf(reader, caller, clock()),
    )
    return READERS.has(role) && scopes.length === 0 && vaultIds === null ? 'all' : 'own'
  }

  return {
    auditReach,
    async check(caller) {
      await auditReach(caller)
    },
    async demandAudit(caller, action) {
      if ((await auditReach(caller)) === 'all') return
      const fault = new Fault(
        'ACCESS_DENIED',
        'Only owners, admins and auditors of the organisation may do this.',
      )
      await refusal(fault, refusedRecord(action, caller, fault))
    },
  }
}
