import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { instant, table } from '../text.ts'
import { webhookJson } from '../webhook-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'webhooks'>

export const webhookLs = command({
  name: 'webhook ls',
  summary: 'List the addresses that are told what happens.',
  about: ['Addresses often hold a token of the receiver, so this is for the person too.'],
  gated: true,
  arguments: [],
  options: {},
  async run(_, io, deps: Deps) {
    const caller = await asPerson(deps, io, { action: 'list the webhooks', detail: null })
    const all = await (await deps.webhooks()).list(caller)
    await io.answer({ webhooks: all.map(webhookJson) }, () =>
      all.length === 0
        ? ''
        : table(
            ['ID', 'STATE', 'EVENTS', 'URL', 'ADDED'],
            all.map((one) => [
              one.id,
              one.isActive ? 'active' : 'paused',
              one.events.join(' '),
              one.url,
              instant(one.createdAt),
            ]),
            io.stdout,
          ),
    )
  },
})
