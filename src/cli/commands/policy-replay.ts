import { systemClock } from '../../core/time.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { momentOption } from '../options.ts'
import { asPerson } from '../presence.ts'
import { replayJson, replayText } from '../replay-view.ts'
import { readBytes } from '../text-files.ts'

type Deps = Pick<CliDeps, 'caller' | 'presence' | 'replays'>

export const policyReplay = command({
  name: 'policy replay',
  summary: 'Try a draft on calls that were recorded.',
  about: [
    "Policies with 'record' have their calls recorded. Each is judged by the draft as of its own time, with limits counted " +
      'over the recorded calls, and what would have ended otherwise is told: newly denied, newly allowed, asked a person, ' +
      'limited. A call that hangs on a value that was not recorded is undecidable, with the place of the value. Names of ' +
      'arguments are told; --show-arguments shows what was recorded of their values and passes the presence gate.',
  ],
  arguments: [
    { name: 'drafts', summary: 'policies, JSON or YAML; a call has to pass all', repeats: true },
  ],
  options: {
    since: { summary: 'how far back, such as 7d; that without', value: 'TIME' },
    server: { summary: 'the calls of this server only', value: 'NAME' },
    showArguments: { summary: 'show the recorded arguments of calls that would end otherwise' },
    failOnChange: { summary: 'exit code 1 when any call would end otherwise' },
  },
  examples: [
    ['sallyport policy replay draft.yaml --since 7d --server files', 'before it takes the place'],
    ['sallyport policy replay policy.json --fail-on-change', 'in a check of a change'],
  ],
  async run(args, io, deps: Deps) {
    const since = momentOption('--since', args.since ?? '7d', 'ago', systemClock())
    const drafts = await Promise.all(
      args.drafts.map(async (name) => ({ name, text: await readBytes('DRAFTS', name) })),
    )
    const caller = args.showArguments
      ? await asPerson(deps, io, {
          action: 'show the recorded arguments of calls',
          detail: args.server === undefined ? null : `at ${args.server}`,
        })
      : await deps.caller()
    const report = await (await deps.replays()).replay(caller, {
      drafts,
      server: args.server ?? null,
      since,
      showsArguments: args.showArguments,
    })
    await io.answer(replayJson(report), () => replayText(report, io.stdout))
    return args.failOnChange && report.changed > 0 ? 1 : 0
  },
})
