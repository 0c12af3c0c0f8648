import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { quotaJson, quotaTable } from '../quota-view.ts'

type Deps = Pick<CliDeps, 'caller' | 'identity'>

export const quotaShow = command({
  name: 'quota show',
  summary: 'Show what is limited and what is used of it this month.',
  arguments: [],
  options: {},
  async run(_args, io, deps: Deps) {
    const { quotas } = await deps.identity()
    const all = await quotas.list(await deps.caller())
    await io.answer({ quotas: all.map(quotaJson) }, () => quotaTable(all, io.stdout))
  },
})
