import { type MappedText, textOfUnits } from './mapped-text.ts'

/** Share of the units of a decoded text that may be neither text nor white space. */
const MAX_ODD = 0.02
/** Shorter texts say nothing. */
export const MIN_TEXT = 5

/**
 * Bytes as text: UTF-8, or UTF-16 in either order where every second byte is zero. Null when they are no text, as is
 * almost every byte string that was not made from one.
 */
export function textOfBytes(bytes: Uint8Array): string | null {
  if (bytes.length < MIN_TEXT) return null
  const text = wideText(bytes) ?? utf8(bytes)
  if (text === null) return null
  let odd = 0
  const limit = maxOdd(text.length)
  for (let at = 0; at < text.length; at += 1)
    if (isOdd(text.charCodeAt(at)) && ++odd > limit) return null
  return text
}

/** How many units of a decoded text may be odd. @param length of the text */
export function maxOdd(length: number): number {
  return Math.floor(length * MAX_ODD)
}

/** Whether a unit is neither text nor white space. */
export function isOdd(unit: number): boolean {
  if (unit < 0x20) return unit !== 0x0a && unit !== 0x0d && unit !== 0x09 && unit !== 0x1b
  return (unit >= 0x7f && unit < 0xa0) || unit === 0xfffd
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(bytes: Uint8Array): string | null {
  let ascii = 0
  while (ascii < bytes.length && (bytes[ascii] as number) < 0x80) ascii += 1
  if (ascii === bytes.length) return textOfUnits(bytes, bytes.length)
  // A look at all bytes costs less than the decoder's refusal.
  if (utf8Until(bytes, ascii) < bytes.length) return null
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return null
  }
}

/** Where the first character begins that is none in UTF-8, also one that is cut off; the length where all are some. */
function utf8Until(bytes: Uint8Array, from: number): number {
  let first = from
  let pending = 0
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at] as number
    if (pending > 0) {
      if ((byte & 0xc0) !== 0x80) return first
      pending -= 1
    } else {
      first = at
      if (byte < 0x80) continue
      if (byte < 0xc2 || byte > 0xf4) return first
      pending = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
    }
  }
  return pending > 0 ? first : bytes.length
}

/** Whether bytes may be UTF-16 that is mostly ASCII, as they begin. */
export function mayBeWide(bytes: Uint8Array, from = 0): boolean {
  const until = Math.min(bytes.length, from + 4)
  for (let at = from; at < until; at += 1) if (bytes[at] === 0) return true
  return false
}

/** The order of UTF-16 that is mostly ASCII; null for other bytes. @param even, @param odd places that are zero */
export function wideOrder(pairs: number, even: number, odd: number): 'le' | 'be' | null {
  if (pairs < 4) return null
  if (Math.max(even, odd) < pairs * 0.7 || Math.min(even, odd) > pairs * 0.1) return null
  return odd > even ? 'le' : 'be'
}

/** UTF-16 that is mostly ASCII: every second byte of it is zero. */
function wideText(bytes: Uint8Array): string | null {
  if (!mayBeWide(bytes)) return null
  const pairs = bytes.length >> 1
  let even = 0
  let odd = 0
  for (let at = 0; at < pairs; at += 1) {
    if (bytes[2 * at] === 0) even += 1
    if (bytes[2 * at + 1] === 0) odd += 1
  }
  const order = wideOrder(pairs, even, odd)
  if (order === null) return null
  return new TextDecoder(`utf-16${order}`).decode(bytes.subarray(0, pairs * 2))
}

/**
 * The character of UTF-8 that begins with a byte, overlong forms included as some readers take them; a byte that begins
 * none is taken as Latin-1.
 *
 * @param byteAt - a byte, or -1 where there is none
 * @returns how many bytes were taken
 */
export function putByte(
  into: MappedText,
  byteAt: (at: number) => number,
  at: number,
  source: number,
): number {
  const first = byteAt(at)
  const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 1
  let code = length === 1 ? first : first & (0x7f >> length)
  let taken = 1
  while (taken < length) {
    const next = byteAt(at + taken)
    if (next < 0 || (next & 0xc0) !== 0x80) break
    code = (code << 6) | (next & 0x3f)
    taken += 1
  }
  if (taken < length || code > 0x10ffff) {
    into.putUnit(first, source)
    return 1
  }
  into.putCode(code, source)
  return length
}
