import type { Settings } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import { principalName } from '../core/principals.ts'
import type { CallInspection } from '../secret-tools/index.ts'
import type { Approved, CountingRules } from './inspection-rules.ts'
import { lazily } from './lazily.ts'

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

  async function rulesNow(): Promise<CountingRules> {
    const counting = await (await rules())()
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
    async rulesFor(caller, server, tool) {
      const call = { agent: principalName(caller.principal), server, tool }
      const { engine, settingsFor } = await rulesNow()
      return { engine, layers: [settingsFor(call, switches.mode)] }
    },
  }
}
