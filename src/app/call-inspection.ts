import type { Settings } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import { principalName } from '../core/principals.ts'
import type { CallInspection, CallRules } from '../secret-tools/index.ts'
import type { Approved, CountingRules } from './inspection-rules.ts'
import { askLazily, lazily } from './lazily.ts'

/** An agent chooses the names of the tools that it calls. */
const MAX_MERGED = 1_000

/**
 * How the calls of agents are inspected: the switches of the settings, and what the file says. The file is looked at on
 * every call and read when it changed; one that can't be understood refuses calls until it is mended, because what was
 * meant by it is not known.
 *
 * @param approved - what of the file the person approved; without a vault there is nobody to ask, and nothing is
 */
export function callInspection(
  settings: Pick<Settings, 'inspection' | 'inspectionFile'>,
  approved: Approved,
  log: Log,
): CallInspection {
  const { inspection: switches, inspectionFile: file } = settings
  const rules = lazily(async () => {
    const { createRules } = await import('./inspection-rules.ts')
    return createRules(file, approved)
  })
  let warnedOf = ''
  /** By who calls what: the same object as long as the same holds. */
  let merged: { counting: CountingRules | null; byCall: Map<string, CallRules> } = {
    counting: null,
    byCall: new Map(),
  }

  function rulesNow(): CountingRules | Promise<CountingRules> {
    const found = askLazily(rules, (counting) => counting())
    return found instanceof Promise ? found.then(told) : told(found)
  }

  function told(counting: CountingRules): CountingRules {
    if (!counting.isApproved && warnedOf !== counting.mark) {
      warnedOf = counting.mark
      log.warn('the inspection file is not as it was approved: only what is stricter counts', {
        file,
        remedy: 'sallyport inspection status',
      })
    }
    return counting
  }

  return {
    switches,
    allowListFile: file,
    rulesFor(caller, server, tool) {
      const of = (counting: CountingRules): CallRules => {
        const call = { agent: principalName(caller.principal), server, tool }
        const name = JSON.stringify([call.agent, server, tool])
        if (counting !== merged.counting || merged.byCall.size >= MAX_MERGED)
          merged = { counting, byCall: new Map() }
        let found = merged.byCall.get(name)
        if (found === undefined) {
          found = { engine: counting.engine, layers: [counting.settingsFor(call, switches.mode)] }
          merged.byCall.set(name, found)
        }
        return found
      }
      const found = rulesNow()
      return found instanceof Promise ? found.then(of) : of(found)
    },
  }
}
