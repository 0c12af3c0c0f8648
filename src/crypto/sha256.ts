import { hash } from 'node:crypto'

export const DIGEST_BYTES = 32

/**
 * Writes the SHA-256 of `data` to `out` at an offset.
 *
 * Measured on Node 24: asked for text, node:crypto answers in a third of the time that it takes to make a buffer, and
 * `binary` is the digest's bytes as characters.
 */
export function sha256Into(out: Buffer, at: number, data: Uint8Array): void {
  out.write(hash('sha256', data, 'binary'), at, DIGEST_BYTES, 'latin1')
}

/** @returns base64url */
export function sha256Text(data: Uint8Array): string {
  return hash('sha256', data, 'base64url')
}

/** @returns 32 bytes */
export function sha256(data: Uint8Array): Buffer {
  const digest = Buffer.allocUnsafe(DIGEST_BYTES)
  sha256Into(digest, 0, data)
  return digest
}
