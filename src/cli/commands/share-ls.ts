import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { shareJson, shareTable } from '../share-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const shareLs = command({
  name: 'share ls',
  summary: 'List what was shared from here.',
  gated: true,
  arguments: [],
  options: {},
  async run(_args, io, deps: Deps) {
    const caller = await asPerson(deps, io, { action: 'see what is shared', detail: null })
    const { shares } = await deps.identity()
    const all = await shares.outbound(caller)
    await io.answer({ shares: all.map(shareJson) }, () => shareTable(all, io.stdout))
  },
})
