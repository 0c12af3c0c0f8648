import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'acceptCounters' | 'presence'>

export const countersAccept = command({
  name: 'counters accept',
  summary: 'Count from what Redis still holds.',
  gated: true,
  about: [
    'Where SALLYPORT_COUNTERS_URL is set, limits on tool calls are counted there. When Redis was emptied, started without ' +
      'its data or replaced by a replica that lacked some, calls with limits are denied (COUNTERS_LOST): what they used is ' +
      'not known any more. Put the data back, or accept that calls count from what is there now. A record says who did.',
  ],
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: 'go on counting calls from what Redis holds',
      detail: 'what was lost of it can be used again by agents, up to their limits',
    })
    const counters = await deps.acceptCounters(caller)
    await io.answer({ accepted: true, counters }, () => `Calls count from what is at ${counters}.`)
  },
})
