import { WEBHOOK_EVENTS } from '../../core/approval-port.ts'
import { command } from '../command.ts'
import type { CliDeps } from '../deps.ts'
import { asPerson } from '../presence.ts'
import { printOnce } from '../print-secret.ts'
import { webhookJson } from '../webhook-view.ts'

type Deps = Pick<CliDeps, 'presence' | 'webhooks'>

export const webhookAdd = command({
  name: 'webhook add',
  summary: 'Have an address told what happens, by signed requests.',
  about: [
    'What the requests are signed with is shown once.',
    'Requests carry x-sallyport-timestamp, in seconds, and x-sallyport-signature: v1= and the HMAC-SHA256, in hex, of the timestamp, a dot and the body. One that is not answered with 2xx is sent again for about a day.',
  ],
  gated: true,
  arguments: [{ name: 'url', summary: 'an https address; it may lie in this network' }],
  options: {
    event: {
      summary: `${WEBHOOK_EVENTS.join(', ')}, approval.* or *; approval.* unless given`,
      value: 'EVENT',
      repeats: true,
    },
    description: { summary: 'what it is for', value: 'TEXT' },
  },
  async run(args, io, deps: Deps) {
    const { url, event, description = null } = args
    const events = event.length === 0 ? ['approval.*'] : event
    const caller = await asPerson(deps, io, {
      action: `tell ${url} what happens`,
      detail: events.join(', '),
    })
    const { webhook, secret } = await (await deps.webhooks()).create(caller, {
      url,
      events,
      description,
    })
    await printOnce(
      secret,
      io,
      (text) => ({ secret: text, ...webhookJson(webhook) }),
      (text) => text,
    )
    if (!io.json)
      await io.say(`Webhook ${webhook.id}. The key of its signatures is shown this once.`)
  },
})
