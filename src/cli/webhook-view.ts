import type { WebhookInfo } from '../core/approval-port.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'

export function webhookJson(webhook: WebhookInfo): { readonly [name: string]: Json } {
  return {
    id: webhook.id,
    url: webhook.url,
    events: webhook.events,
    description: webhook.description,
    is_active: webhook.isActive,
    created_by: webhook.createdBy,
    created_at: toIso(webhook.createdAt),
  }
}
