import { strictestOf } from '../../core/counter-port.ts'
import type { Charge } from './cost.ts'
import type { LiftedVerdict } from './decide.ts'
import type { CallExplanation } from './explain-call.ts'
import { windowOf } from './windows.ts'

/** What becomes of a call whose counts are known. */
export interface CallOutcome {
  readonly verdict: 'allowed' | 'denied' | 'hidden' | 'limited' | 'approval' | 'withheld'
  /** Of what decided: JSON Pointer or a word in brackets. */
  readonly rule: string
  readonly name: string | null
  readonly reason: string | null
  /** What a rule in shadow would have done. */
  readonly shadow: {
    readonly wouldBe: LiftedVerdict['wouldBe'] | 'limited'
    readonly rule: string
    readonly reason: string | null
  } | null
}

/** @param after - so many calls like this one were counted before, in the same windows */
export function outcomeOfCall(
  { decision, result, charges }: Pick<CallExplanation, 'decision' | 'result' | 'charges'>,
  after: number,
): CallOutcome {
  if (!decision.allowed) {
    const { rule, name, reason, isHidden } = decision
    return { verdict: isHidden ? 'hidden' : 'denied', rule, name, reason, shadow: null }
  }
  const full = strictestOf(charges.map(counted)).filter(
    ({ max, amount }) => amount > 0 && amount * (after + 1) > max,
  )
  const [reached, told] = [false, true].map((isShadow) => {
    const limit = full.find((one) => one.isShadow === isShadow)?.limit
    return limit && { rule: limit.pointer, name: limit.name, reason: limit.onDeny }
  })
  const shadow =
    decision.shadow ??
    (told && { wouldBe: 'limited' as const, rule: told.rule, reason: told.reason }) ??
    (result?.allowed === true ? result.shadow : null)
  if (reached !== undefined) return { verdict: 'limited', ...reached, shadow }
  // Nobody is asked about a call that would not fit.
  const { needsApproval } = decision
  if (needsApproval !== null) {
    const { rule, name, reason } = needsApproval
    return { verdict: 'approval', rule, name, reason, shadow }
  }
  if (result !== null && !result.allowed) {
    const { rule, name, reason } = result
    return { verdict: 'withheld', rule, name, reason, shadow }
  }
  return { verdict: 'allowed', rule: decision.rule, name: null, reason: null, shadow }
}

/** All these calls are one caller's. */
function counted(charge: Charge) {
  const { counter, window, scope, algorithm, max } = charge.limit
  const key = JSON.stringify([counter, window, scope, algorithm])
  return { ...charge, counter: key, window: windowOf(charge.limit), max }
}
