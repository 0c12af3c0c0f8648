import type { Caller } from '../core/principals.ts'
import type { Notification, Request } from '../mcp/wire/index.ts'
import type { Denial } from './denial.ts'
import { judgeableMethod, saidTo } from './relay-messages.ts'
import type { RelayOptions } from './relay-options.ts'

type Passing = Pick<RelayOptions, 'path' | 'inspection' | 'asksStanding'>

/**
 * A message of the client that no policy judges is searched for known values, and does not go on while its caller is
 * frozen.
 *
 * @returns why it does not go on, or null; what cannot be searched does not. At once where there is nothing to wait for.
 */
export function plainDenial(
  passing: Passing,
  caller: Caller,
  message: Request | Notification,
): Denial | null | Promise<Denial | null> {
  const failed = (error: unknown): Denial => refused(saidTo(error, caller.principal))
  try {
    const isFrozen = passing.asksStanding === true && passing.path.isFrozen(caller)
    const denial =
      isFrozen === false
        ? searched(passing, caller, message)
        : whenFrozen(passing, caller, message, isFrozen)
    return denial instanceof Promise ? denial.catch(failed) : denial
  } catch (error) {
    return failed(error)
  }
}

async function whenFrozen(
  passing: Passing,
  caller: Caller,
  message: Request | Notification,
  isFrozen: boolean | Promise<boolean>,
): Promise<Denial | null> {
  if (await isFrozen) {
    // What is judged is in the audit, and has the words of a call.
    const judged = await passing.path.judgeNow(judgeableMethod(message, {}, false), caller)
    if ('denial' in judged) return judged.denial
    await judged.settle('answered')
  }
  return searched(passing, caller, message)
}

function searched(
  { inspection }: Passing,
  caller: Caller,
  message: Request | Notification,
): Denial | null | Promise<Denial | null> {
  const refusal = inspection.search.whole(caller, message)
  return refusal instanceof Promise ? refusal.then(deniedFor) : deniedFor(refusal)
}

function deniedFor(refusal: string | null): Denial | null {
  return refusal === null ? null : refused(refusal)
}

function refused(text: string): Denial {
  return { rule: 'INSPECTION_REFUSED', kind: 'denied', text, isRecorded: true }
}
