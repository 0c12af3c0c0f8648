import { createHmac, timingSafeEqual } from 'node:crypto'
import type { EpochMs } from '../core/time.ts'

/** What a receiver checks: that it was us, when, and that nobody sends it to him a second time an hour later. */
export interface SignatureHeaders {
  /** Seconds since the epoch. */
  readonly 'x-sallyport-timestamp': string
  /** `v1=` and HMAC-SHA256, hex, of the timestamp, a dot and the body. */
  readonly 'x-sallyport-signature': string
}

export function signWebhook(key: string, at: EpochMs, body: Uint8Array): SignatureHeaders {
  const timestamp = String(Math.floor(at / 1000))
  return {
    'x-sallyport-timestamp': timestamp,
    'x-sallyport-signature': `v1=${signatureOf(key, timestamp, body).toString('hex')}`,
  }
}

/** The receiver's side. @param toleranceMs how far the two clocks and the way may lie apart */
export function isSignedWebhook(
  key: string,
  headers: Partial<SignatureHeaders>,
  body: Uint8Array,
  now: EpochMs,
  toleranceMs = 300_000,
): boolean {
  const timestamp = headers['x-sallyport-timestamp'] ?? ''
  const given = headers['x-sallyport-signature'] ?? ''
  if (!/^\d{1,12}$/.test(timestamp) || !/^v1=[0-9a-f]{64}$/.test(given)) return false
  if (Math.abs(now - Number(timestamp) * 1000) > toleranceMs) return false
  return timingSafeEqual(Buffer.from(given.slice(3), 'hex'), signatureOf(key, timestamp, body))
}

function signatureOf(key: string, timestamp: string, body: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${timestamp}.`).update(body).digest()
}
