import { systemClock } from '../core/time.ts'
import type { OutgoingStream } from '../net/index.ts'

/** Where the server does not say how long. */
const FIRST_WAIT_MS = 1_000
/** A server that is not there is looked for so often at least. */
const MAX_WAIT_MS = 30_000
/** However soon a server wants its stream opened anew, it is not asked in a loop. */
const MIN_WAIT_MS = 100
const MAX_RETRY_AFTER_MS = 3_600_000

/** Before a stream that the server ended is opened anew. @param retryMs what the server said of that */
export function pollWaitMs(retryMs: number | null): number {
  return Math.max(retryMs ?? FIRST_WAIT_MS, MIN_WAIT_MS)
}

/** After so many failures one after another. @param firstMs after the first of them */
export function backOffMs(failures: number, firstMs = FIRST_WAIT_MS): number {
  return Math.max(firstMs, Math.min(firstMs * 2 ** (failures - 1), MAX_WAIT_MS))
}

/** How long a refusal asks to be left alone (RFC 9110, 10.2.3); 0 when it does not say. */
export function retryAfterMs({ headers }: OutgoingStream): number {
  const text = headers.get('retry-after')?.trim() ?? ''
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - systemClock()
  return Number.isNaN(ms) ? 0 : Math.min(ms, MAX_RETRY_AFTER_MS)
}
