import * as z from 'zod'
import type { WebhookInfo, WebhookPort } from '../../core/approval-port.ts'
import { Fault } from '../../core/faults.ts'
import { toIso } from '../../core/time.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import {
  webhookBody,
  webhookChangeBody,
  webhookCreatedSchema,
  webhookSchema,
} from '../contract/approvals.ts'
import { type Call, type Operation, operation } from '../operation.ts'

const TAG = 'webhooks'
const NOT_ALLOWED = {
  description: 'Owners and admins, signed in and with a fresh proof; a key changes nothing here.',
}
const GONE = { description: 'There is no such webhook.' }

export function webhookOperations(webhooks: WebhookPort): readonly Operation[] {
  return [
    operation({
      id: 'listWebhooks',
      method: 'GET',
      path: '/v1/webhooks',
      tag: TAG,
      summary: 'Addresses that are told what happens.',
      answers: {
        200: {
          description: 'The oldest first.',
          schema: z.object({ webhooks: z.array(webhookSchema) }),
        },
        403: NOT_ALLOWED,
      },
      async handle({ caller }) {
        const list = await webhooks.list(caller)
        return { status: 200, body: { webhooks: list.map(webhookFields) } }
      },
    }),
    operation({
      id: 'createWebhook',
      method: 'POST',
      path: '/v1/webhooks',
      tag: TAG,
      summary: 'Adds an address. What its requests are signed with is shown this once.',
      tagged: true,
      body: webhookBody,
      withheld: ['secret'],
      answers: { 201: { description: 'Added.', schema: webhookCreatedSchema }, 403: NOT_ALLOWED },
      async handle({ caller, body }) {
        const { webhook, secret } = await webhooks.create(caller, {
          url: body.url,
          events: body.events,
          description: body.description ?? null,
        })
        try {
          const shown = { ...webhookFields(webhook), secret: secret.reveal() }
          return shownAs(webhook, { status: 201, body: shown })
        } finally {
          secret.wipe()
        }
      },
    }),
    operation({
      id: 'getWebhook',
      method: 'GET',
      path: '/v1/webhooks/{webhook}',
      tag: TAG,
      summary: 'One address that is told what happens.',
      tagged: true,
      answers: {
        200: { description: 'As it is.', schema: webhookSchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const id = webhookOf(call)
        const webhook = (await webhooks.list(call.caller)).find((one) => one.id === id)
        if (webhook === undefined)
          throw new Fault('NOT_FOUND', `There is no webhook '${id.slice(0, 64)}'.`)
        return shownAs(webhook, { status: 200, body: webhookFields(webhook) })
      },
    }),
    operation({
      id: 'updateWebhook',
      method: 'PATCH',
      path: '/v1/webhooks/{webhook}',
      tag: TAG,
      summary: 'Changes what is named; one that is not active is told nothing.',
      conditions: ['If-Match'],
      tagged: true,
      body: webhookChangeBody,
      answers: {
        200: { description: 'Changed.', schema: webhookSchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const { url, events, description, is_active } = call.body
        const change = {
          ...(url === undefined ? {} : { url }),
          ...(events === undefined ? {} : { events }),
          ...(description === undefined ? {} : { description }),
          ...(is_active === undefined ? {} : { isActive: is_active }),
        }
        const expected = expectationOf(call)
        const changed = await webhooks.update(call.caller, webhookOf(call), change, expected)
        return shownAs(changed, { status: 200, body: webhookFields(changed) })
      },
    }),
    operation({
      id: 'deleteWebhook',
      method: 'DELETE',
      path: '/v1/webhooks/{webhook}',
      tag: TAG,
      summary: 'Tells it nothing more.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Gone.' }, 403: NOT_ALLOWED, 404: GONE },
      async handle(call) {
        await webhooks.remove(call.caller, webhookOf(call), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function webhookOf({ params }: Pick<Call, 'params'>): string {
  return params['webhook'] ?? ''
}

function webhookFields(webhook: WebhookInfo) {
  return {
    id: webhook.id,
    url: webhook.url,
    events: webhook.events,
    is_active: webhook.isActive,
    description: webhook.description ?? '',
    created_by: webhook.createdBy,
    created_at: toIso(webhook.createdAt),
  }
}
