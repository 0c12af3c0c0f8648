import { Fault } from '../../core/faults.ts'
import { epochMs, sleep, systemClock } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { statusJson, statusText } from '../gateway-view.ts'
import { wholeNumber } from '../options.ts'

type Deps = Pick<CliDeps, 'caller' | 'gatewayStatus'>

/** Calls of the last five minutes. */
const SINCE_MS = 300_000
const DEFAULT_SECONDS = 2
const MAX_LIMITS = 15
/** The cursor at home, and what was below it gone. */
const HOME = '\u001b[H\u001b[J'

export const top = command({
  name: 'top',
  summary: 'Watch servers, calls, denials and limits.',
  about: ['Shows the last five minutes until Ctrl-C. With --json each look is a line of its own.'],
  arguments: [],
  options: { interval: { summary: 'seconds between two looks; 2 without', value: 'SECONDS' } },
  async run(args, io, deps: Deps) {
    const seconds =
      args.interval === undefined
        ? DEFAULT_SECONDS
        : wholeNumber('--interval', args.interval, { min: 1, max: 3_600 })
    if (!io.json && !io.stdout.isTerminal)
      throw new Fault('BAD_USAGE', 'sallyport top needs a terminal, or --json.', {
        details: { field: '--json' },
      })
    const caller = await deps.caller()
    const { signal } = io
    while (!signal.aborted) {
      const now = await deps.gatewayStatus(caller, epochMs(systemClock() - SINCE_MS))
      if (io.json) await io.answer(statusJson(now), () => '')
      else await io.stdout.write(`${HOME}${statusText(now, io.stdout, MAX_LIMITS)}\n`)
      // Ctrl-C is how this command ends.
      await sleep(seconds * 1_000, signal).catch(() => {})
    }
  },
})
