import { systemClock } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { statusJson, statusText } from '../gateway-view.ts'
import { momentOption } from '../options.ts'

type Deps = Pick<CliDeps, 'caller' | 'gatewayStatus'>

export const status = command({
  name: 'status',
  summary: 'Show servers, calls, denials and limits.',
  about: [
    'Counts what every process of this vault recorded: sallyport up, and each sallyport wrap. Limits are shown of which something is used.',
  ],
  arguments: [],
  options: { since: { summary: 'from when calls are counted; 1h without', value: 'TIME' } },
  async run(args, io, deps: Deps) {
    const since = momentOption('--since', args.since ?? '1h', 'ago', systemClock())
    const now = await deps.gatewayStatus(await deps.caller(), since)
    await io.answer(statusJson(now), () => statusText(now, io.stdout))
  },
})
