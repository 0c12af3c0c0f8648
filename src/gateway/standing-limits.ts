import type { StandingCount } from '../core/counter-port.ts'
import type { LimitStatus } from '../core/gateway-port.ts'
import { epochMs } from '../core/time.ts'
import type { ToolLimit } from '../policy/tool-policy/index.ts'
import type { RegistryView } from './registry-view.ts'

/**
 * The limits that counters are of.
 *
 * @param counts whose counters `counterOf` named
 */
export function standingLimits(
  counts: readonly StandingCount[],
  view: RegistryView,
  named: readonly string[],
): readonly LimitStatus[] {
  return counts.flatMap(({ counter: key, used, endsAt }) => {
    const parsed: unknown = JSON.parse(key)
    if (!Array.isArray(parsed)) return []
    const [server, counter, scope, of, window, algorithm, scale = 0] = parsed as readonly unknown[]
    const max = lowestMax(
      view,
      String(server),
      named,
      (limit) =>
        limit.counter === counter &&
        String(limit.window) === String(window) &&
        limit.scope === scope &&
        limit.algorithm === algorithm,
    )
    return {
      server: String(server),
      counter: String(counter),
      scope: String(scope),
      of: String(of),
      window: typeof window === 'number' ? `${window} s` : String(window),
      used: told(used, Number(scale)),
      max,
      endsAt: epochMs(endsAt),
    }
  })
}

/** Divided, so that 57 hundredths are told as 0.57. */
function told(units: number, scale: number): number {
  return units / 10 ** scale
}

function lowestMax(
  view: RegistryView,
  server: string,
  named: readonly string[],
  isMeant: (limit: ToolLimit) => boolean,
): number | null {
  const found = view
    .policiesAt(server, named)
    .flatMap(({ policy }) =>
      [
        policy.allTools,
        ...policy.tools.values(),
        ...policy.byClass.values(),
        ...policy.methods.values(),
      ].flatMap(({ limits }) => limits.filter(isMeant).map(({ max, scale }) => told(max, scale))),
    )
  return found.length === 0 ? null : Math.min(...found)
}
