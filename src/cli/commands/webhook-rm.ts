import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'

type Deps = Pick<CliDeps, 'presence' | 'webhooks'>

export const webhookRm = command({
  name: 'webhook rm',
  summary: 'Tell an address nothing more.',
  gated: true,
  arguments: [{ name: 'id', summary: 'the webhook' }],
  options: {},
  async run(args, io, deps: Deps) {
    const { id } = args
    const caller = await asPerson(deps, io, { action: `remove the webhook ${id}`, detail: null })
    await (await deps.webhooks()).remove(caller, id)
    await io.answer({ id, removed: true }, () => 'Removed, with what was still to be sent to it.')
  },
})
