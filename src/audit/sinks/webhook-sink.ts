import { Fault } from '../../core/faults.ts'
import type { Clock } from '../../core/time.ts'
import { type Outgoing, signWebhook } from '../../net/index.ts'
import { batchName, linesOfBatch, type Sink } from './sink.ts'
import type { WebhookSinkConfig } from './sink-config.ts'

/** An answer is looked at for its status alone. */
const MAX_ANSWER_BYTES = 65_536

/** Records as lines of JSON in one POST; any 2xx says that they are kept. */
export function webhookSink(config: WebhookSinkConfig, out: Outgoing, clock: Clock): Sink {
  return {
    async send(batch, signal) {
      const body = linesOfBatch(batch)
      const { status } = await out.request({
        method: 'POST',
        url: config.url,
        headers: {
          'content-type': 'application/x-ndjson',
          'x-sallyport-delivery': `${batch.storeId}:${batchName(batch, String)}`,
          ...signWebhook(config.key, clock(), body),
        },
        body,
        audience: 'configured',
        deadlineMs: config.deadlineMs,
        maxResponseBytes: MAX_ANSWER_BYTES,
        signal,
      })
      if (status < 200 || status > 299) throw refusedBy(config.url, status)
    },
    close: async () => undefined,
  }
}

export function refusedBy(url: string, status: number): Fault {
  const { origin } = new URL(url)
  return new Fault('NET_FAILED', `${origin} answered with ${status}.`, {
    details: { origin, status },
  })
}
