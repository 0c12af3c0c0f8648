import { isUtf8 } from 'node:buffer'

/** Bytes that are no UTF-8 stand as these in the text: the text of UTF-8 has none of them alone. */
const LONE = 0xdc00
const LONES = /([\u{DC80}-\u{DCFF}]+)/u

/**
 * Bytes that come in pieces as a text that can be searched, from which they come back as they were, whatever they are.
 * A character in two pieces is one in the text.
 */
export class BytesAsText {
  #rest: Buffer = Buffer.alloc(0)

  push(piece: Buffer): string {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    const end = wholeEnd(bytes)
    this.#rest = bytes.subarray(end)
    return textOf(bytes.subarray(0, end))
  }

  /** @returns the rest, whole or not */
  end(): string {
    const text = textOf(this.#rest)
    this.#rest = Buffer.alloc(0)
    return text
  }
}

/** @param text of `BytesAsText` */
export function bytesIn(text: string): Buffer {
  // Of each such unit the low byte is what it stands for.
  const parts = text
    .split(LONES)
    .map((part, at) => Buffer.from(part, at % 2 === 0 ? 'utf8' : 'latin1'))
  return Buffer.concat(parts)
}

function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  let from = 0
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at] ?? 0
    const length = lengthOf(byte)
    if (byte < 0x80 || (length > 1 && isUtf8(bytes.subarray(at, at + length)))) {
      at += length
      continue
    }
    text += bytes.toString('utf8', from, at) + String.fromCharCode(LONE + byte)
    at += 1
    from = at
  }
  return text + bytes.toString('utf8', from)
}

/** Where the last character ends that is whole, or cannot become one. */
function wholeEnd(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    return lengthOf(byte) > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

/** How many bytes a character has by its first one; 1 for one that begins none. */
function lengthOf(first: number): number {
  if (first >= 0xc2 && first <= 0xdf) return 2
  if (first >= 0xe0 && first <= 0xef) return 3
  return first >= 0xf0 && first <= 0xf4 ? 4 : 1
}
