import { SecretText } from '../core/secret-text.ts'
import { tokenHash } from '../crypto/index.ts'

/** Keyed hash of a text for one purpose: what is kept of links, cookies and of names that nobody should read. */
export function keyedHash(key: Uint8Array, purpose: string, text: string): Buffer {
  const named = SecretText.fromText(`${purpose}:${text}`)
  try {
    return tokenHash(key, named)
  } finally {
    named.wipe()
  }
}

export function keyedName(key: Uint8Array, purpose: string, text: string): string {
  return keyedHash(key, purpose, text).toString('base64url')
}
