import type { WebhookInfo } from '../core/approval-port.ts'
import { stateTag } from '../core/expectation.ts'
import type { KeyId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { RowMac } from '../crypto/index.ts'
import { MacTable } from '../keys/index.ts'

export interface WebhookRow {
  readonly id: string
  readonly url: string
  /** JSON. */
  readonly events: string
  readonly description: string | null
  /** The key under which the secret of its signatures is sealed. */
  readonly key_id: KeyId
  readonly sealed: Uint8Array
  readonly state: 'active' | 'paused'
  readonly created_at: EpochMs
  readonly created_by: string
  readonly revision: number
}

export interface DeliveryRow {
  readonly id: string
  readonly webhook_id: string
  readonly event: string
  /** The bytes that are signed and sent. */
  readonly body: string
  readonly attempts: number
  /** Until then nobody tries. */
  readonly next_at: EpochMs
  readonly state: 'waiting' | 'given-up'
  readonly last_problem: string | null
  readonly created_at: EpochMs
  readonly revision: number
}

export interface WebhookTables {
  readonly webhooks: MacTable<WebhookRow>
  /** Authenticated, so that nobody has us sign what he wrote; no record vouches for what is only on its way. */
  readonly deliveries: MacTable<DeliveryRow>
}

export function webhookTables(mac: RowMac): WebhookTables {
  return {
    webhooks: new MacTable<WebhookRow>(
      mac,
      'webhooks',
      [
        'id',
        'url',
        'events',
        'description',
        'key_id',
        'sealed',
        'state',
        'created_at',
        'created_by',
        'revision',
      ],
      ['id'],
    ),
    deliveries: new MacTable<DeliveryRow>(
      mac,
      'webhook_deliveries',
      [
        'id',
        'webhook_id',
        'event',
        'body',
        'attempts',
        'next_at',
        'state',
        'last_problem',
        'created_at',
        'revision',
      ],
      ['id'],
    ),
  }
}

export function webhookInfo(row: WebhookRow): WebhookInfo {
  return {
    id: row.id,
    tag: stateTag(row.revision),
    url: row.url,
    events: JSON.parse(row.events) as readonly string[],
    description: row.description,
    isActive: row.state === 'active',
    createdAt: row.created_at,
    createdBy: row.created_by,
  }
}
