import { type NamedCharge, quoted } from '../audit/index.ts'
import type { CounterWindow } from '../core/counter-port.ts'
import { type Charge, type ToolLimit, windowOf } from '../policy/tool-policy/index.ts'

/** What a call is counted as, and which counter of the limit that is for one caller. */
export interface LimitCharge extends Charge, NamedCharge {}

/** Longest first, because a name of the document may hold what separates. */
export function counterOf(server: string, scopeId: string, limit: ToolLimit): string {
  const { counter, scope, window, algorithm, scale } = limit
  const key = [server, counter, scope, scopeId, window, algorithm]
  // What is counted in other units is another count.
  return JSON.stringify(scale === 0 ? key : [...key, scale])
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
