import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { SecretText } from '../core/secret-text.ts'

const RANDOM_BYTES = 32
const BODY_LENGTH = 43
const CHECKSUM_LENGTH = 6
const MAX_PREFIX_LENGTH = 24
const PREFIX = /^(?:[a-z0-9]+_)+$/
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/**
 * A token of 256 random bits: prefix, 43 characters of base64url, and 6 of a checksum over both (CRC-32 in base62).
 * The fixed prefix and the checksum let a secret scanner find a leaked one without false alarms:
 * `spt_local_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}`.
 *
 * @param prefix - words of lower-case letters and digits, each with its underscore, for example `spt_local_`; at most 24 characters
 */
export function newToken(prefix: string): SecretText {
  if (!PREFIX.test(prefix) || prefix.length > MAX_PREFIX_LENGTH)
    throw new RangeError('a token prefix is lower-case words, each followed by an underscore')
  const start = prefix + randomBytes(RANDOM_BYTES).toString('base64url')
  return SecretText.fromText(start + checksum(start))
}

/**
 * Takes a token apart; its checksum is verified, so that a mistyped or made-up one never reaches a look-up.
 *
 * @returns `null` when it is not a token of this form
 */
export function parseToken(
  text: string,
): { readonly prefix: string; readonly token: SecretText } | null {
  const prefixLength = text.length - BODY_LENGTH - CHECKSUM_LENGTH
  if (prefixLength < 2 || prefixLength > MAX_PREFIX_LENGTH) return null
  const prefix = text.slice(0, prefixLength)
  const start = text.slice(0, -CHECKSUM_LENGTH)
  const body = start.slice(prefixLength)
  if (!PREFIX.test(prefix) || !/^[A-Za-z0-9_-]+$/.test(body)) return null
  // One token has one spelling: the last character of the body has two bits that say nothing.
  if (Buffer.from(body, 'base64url').toString('base64url') !== body) return null
  if (text.slice(-CHECKSUM_LENGTH) !== checksum(start)) return null
  return { prefix, token: SecretText.fromText(text) }
}

const START_LENGTH = 8

/** Prefix and first characters, by which people tell tokens apart: 48 of the 256 bits, of no use for guessing. */
export function tokenStart(token: SecretText): string {
  const text = token.reveal()
  return text.slice(0, text.length - BODY_LENGTH - CHECKSUM_LENGTH + START_LENGTH)
}

/** What is stored of a token and looked up by: HMAC-SHA256 under a purpose key, 32 bytes. */
export function tokenHash(key: Uint8Array, token: SecretText): Buffer {
  return createHmac('sha256', key).update(token.revealBytes()).digest()
}

/** Constant time for hashes of one length; other lengths are never equal. */
export function sameTokenHash(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}

function checksum(text: string): string {
  let rest = crc32(text)
  let out = ''
  while (out.length < CHECKSUM_LENGTH) {
    out = DIGITS.charAt(rest % DIGITS.length) + out
    rest = Math.floor(rest / DIGITS.length)
  }
  return out
}
