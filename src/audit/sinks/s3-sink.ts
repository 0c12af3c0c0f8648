import { createHash } from 'node:crypto'
import { type Clock, epochMs, toIso } from '../../core/time.ts'
import type { Outgoing } from '../../net/index.ts'
import { encodeS3, signS3 } from './sigv4.ts'
import { batchName, linesOfBatch, paddedSeq, type Sink } from './sink.ts'
import type { S3SinkConfig } from './sink-config.ts'
import { refusedBy } from './webhook-sink.ts'

const MAX_ANSWER_BYTES = 65_536
const DAY_MS = 86_400_000

/** An object for each delivery, named after its records: `PREFIX STORE/FIRST-LAST.jsonl`. */
export function s3Sink(config: S3SinkConfig, out: Outgoing, clock: Clock): Sink {
  return {
    async send(batch, signal) {
      // Padded, the names sort as text in the order of the tree.
      const name = `${batch.storeId}/${batchName(batch, paddedSeq)}.jsonl`
      const url = objectUrl(config, `${config.prefix}${name}`)
      const body = linesOfBatch(batch)
      const at = clock()
      const { lockMode, retainDays } = config
      const headers = {
        'content-type': 'application/x-ndjson',
        // S3 takes no locked object without a digest of its own kind.
        'x-amz-checksum-sha256': createHash('sha256').update(body).digest('base64'),
        ...(lockMode === null
          ? {}
          : {
              'x-amz-object-lock-mode': lockMode,
              'x-amz-object-lock-retain-until-date': toIso(epochMs(at + retainDays * DAY_MS)),
            }),
      }
      const { status } = await out.request({
        method: 'PUT',
        url,
        headers: signS3(config, { method: 'PUT', url, headers, body }, at),
        body,
        audience: 'configured',
        deadlineMs: config.deadlineMs,
        maxResponseBytes: MAX_ANSWER_BYTES,
        signal,
      })
      if (status < 200 || status > 299) throw refusedBy(config.endpoint, status)
    },
    close: async () => undefined,
  }
}

/** Path style: it works with every service that speaks S3, and the certificate fits whatever the bucket is called. */
function objectUrl({ endpoint, bucket }: S3SinkConfig, key: string): URL {
  const base = endpoint.replace(/\/+$/, '')
  return new URL(`${base}/${[bucket, ...key.split('/')].map(encodeS3).join('/')}`)
}
