import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'identity'>

export const workloadRm = command({
  name: 'workload rm',
  summary: 'Let a workload in no longer; its tokens are dead at once.',
  gated: true,
  arguments: [{ name: 'id', summary: 'which rule; sallyport workload ls lists them' }],
  options: {},
  async run(args, io, deps: Deps) {
    const caller = await asPerson(deps, io, {
      action: 'let a workload in no longer',
      detail: args.id,
    })
    await (await deps.identity()).workloads.remove(caller, args.id)
    await io.answer({ id: args.id, removed: true }, () => `The rule ${args.id} is gone.`)
  },
})
