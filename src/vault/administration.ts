import type { Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { type Caller, isPersonPresent, isRegistered, isSession } from '../core/principals.ts'
import { stepUpRequired } from '../core/step-up-required.ts'
import type { EpochMs } from '../core/time.ts'
import { accessDenied } from './access.ts'
import { isMaker } from './registered-rights.ts'

/**
 * Why the caller may not set what holds for others, or null when he may: the person at this machine, owners and
 * admins, and whoever made the vault; by a credential that is narrowed to nothing, and by a session only while its
 * person is there.
 *
 * @param maker of the vault that it is about, as its row names him; null where it is about the whole organisation
 * @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts
 */
export async function administrationProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  maker: string | null,
  at: EpochMs,
): Promise<Fault | null> {
  if (caller.principal.kind === 'person') return null
  if (!isRegistered(caller.principal)) return accessDenied(null, null)
  const own = await standing.standingOf(reader, caller, at)
  const administers =
    own.role === 'owner' ||
    own.role === 'admin' ||
    (maker !== null && isMaker(caller.principal, own, maker))
  if (!administers || own.scopes.length > 0 || own.vaultIds !== null)
    return accessDenied(null, null)
  if (!isSession(caller) || isPersonPresent(caller, at)) return null
  return stepUpRequired()
}
