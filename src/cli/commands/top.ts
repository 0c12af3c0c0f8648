import { Fault } from '../../core/faults.ts'
import { epochMs, sleep, systemClock } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { statusJson, statusScreen } from '../gateway-view.ts'
import { wholeNumber } from '../options.ts'

type Deps = Pick<CliDeps, 'caller' | 'gatewayStatus'>

/** Calls of the last five minutes. */
const SINCE_MS = 300_000
const DEFAULT_SECONDS = 2
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
    const { signal, stdout } = io
    while (!signal.aborted) {
      const now = await deps.gatewayStatus(caller, epochMs(systemClock() - SINCE_MS))
      const draw = () => stdout.write(`${HOME}${statusScreen(now, stdout)}\n`)
      if (io.json) await io.answer(statusJson(now), () => '')
      else await draw()
      const done = io.json ? null : stdout.onResize(() => void draw().catch(() => {}))
      // Ctrl-C is how this command ends.
      await sleep(seconds * 1_000, signal).catch(() => {})
      done?.()
    }
  },
})
