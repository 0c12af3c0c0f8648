import { type Reader } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { StandingAt, StandingPort } from '../core/identity-port.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'

/** Nothing can be read through it: what is known without reading is all that is asked for. */
const NO_READER: Reader = {
  dialect: 'sqlite',
  all: () => Promise.reject(new Error('nothing is read at once')),
  get: () => Promise.reject(new Error('nothing is read at once')),
}

/** What is frozen as of the snapshot. @throws {Fault} `UNAUTHENTICATED` when the caller no longer counts */
export async function frozenNow(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<ReadonlySet<string>> {
  if (caller.access !== undefined) await standing.standingOf(reader, caller, at)
  return standing.frozen(reader)
}

/** The same where it is known without reading. */
export function knownFrozen(
  standing: StandingAt,
  caller: Caller,
  at: EpochMs,
): ReadonlySet<string> | null {
  const found = caller.access === undefined ? null : standing.standingOf(NO_READER, caller, at)
  const frozen = standing.frozen(NO_READER)
  for (const one of [found, frozen])
    if (one instanceof Promise) {
      one.catch(() => {})
      if (frozen instanceof Promise) frozen.catch(() => {})
      return null
    }
  return frozen instanceof Promise ? null : frozen
}

export function isFrozenIn(frozen: ReadonlySet<string>, { principal }: Caller): boolean {
  return frozen.size > 0 && (frozen.has('all') || frozen.has(principalName(principal)))
}

export function frozenFault(frozen: ReadonlySet<string>, caller: Caller): Fault | null {
  if (!isFrozenIn(frozen, caller)) return null
  return new Fault('ACCESS_DENIED', 'Everything this agent does is frozen.', {
    details: { remedy: 'have the person run sallyport unfreeze' },
  })
}
