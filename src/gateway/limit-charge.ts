import { type NamedCharge, quoted } from '../audit/index.ts'
import type { CounterWindow } from '../core/counter-port.ts'
import { amountIn, counterIn, unitOf } from '../core/counter-units.ts'
import { type Charge, settlementOf, type ToolLimit, windowOf } from '../policy/tool-policy/index.ts'
import { isNoResultYet } from './made-tasks.ts'
import { isObject } from './tool-call.ts'

/** What a call is counted as, and which counter of the limit that is for one caller. */
export interface LimitCharge extends Charge, NamedCharge {}

/** Longest first, because a name of the document may hold what separates. */
export function counterOf(server: string, scopeId: string, limit: ToolLimit): string {
  const { counter, scope, window, algorithm, scale } = limit
  // The units are in the name, and no part of what is counted: what others count in other units counts too.
  return counterIn(JSON.stringify([server, counter, scope, scopeId, window, algorithm]), scale)
}

interface Known {
  readonly server: string
  readonly scopeId: string
  readonly counter: string
  readonly window: CounterWindow
  readonly ruleText: string
}

/** What was last made of a limit: callers come again. */
const known = new WeakMap<ToolLimit, Known>()

export function limitCharge(charge: Charge, server: string, scopeId: string): LimitCharge {
  const { limit, amount, isShadow } = charge
  let of = known.get(limit)
  if (of === undefined || of.scopeId !== scopeId || of.server !== server) {
    const counter = counterOf(server, scopeId, limit)
    of = { server, scopeId, counter, window: windowOf(limit), ruleText: quoted(limit.pointer) }
    known.set(limit, of)
  }
  const { counter, window, ruleText } = of
  return { limit, amount, isShadow, counter, window, max: limit.max, ruleText }
}

/**
 * What limits with a cost in the answer are to count.
 *
 * @param keyOf gives the counter of a limit
 * @param warn told of costs that cannot be counted as they stand
 * @returns by counter; null when all stays as it was reserved
 */
export function settledCounts(
  charges: readonly Charge[],
  result: unknown,
  keyOf: (limit: ToolLimit) => string,
  warn: (problem: string, limit: ToolLimit) => void,
): ReadonlyMap<string, number> | null {
  const bases = new Set<string>()
  for (const { limit, amount } of charges) {
    const settled = settlementOf(limit, result)
    if (settled === null || isNoResultYet(result)) continue
    const { amount: actual, problem } = settled
    if (problem !== null && actual !== null)
      warn(`${problem} It is counted as the whole limit.`, limit)
    // A tool that failed need not say what it cost.
    else if (problem !== null && !(isObject(result) && result['isError'] === true))
      warn(`${problem} The estimate stays.`, limit)
    if (actual === null || actual === amount) continue
    bases.add(unitOf(keyOf(limit)).base)
  }
  if (bases.size === 0) return null
  // As where it was reserved: of a counter that several limits name, the higher amount counts, in any of its units.
  const costs = charges
    .map(({ limit, amount }) => ({
      counter: keyOf(limit),
      ...unitOf(keyOf(limit)),
      cost: settlementOf(limit, result)?.amount ?? amount,
    }))
    .filter(({ base }) => bases.has(base))
  return new Map(
    costs.map(({ counter, base, scale }) => [
      counter,
      Math.max(
        ...costs
          .filter((other) => other.base === base)
          .map((other) => amountIn(other.cost, other.scale, scale)),
      ),
    ]),
  )
}
