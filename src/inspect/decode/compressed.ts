import process from 'node:process'
import type { Expansions } from '../expansions.ts'
import { textOfBytes } from './bytes.ts'

/** How compressed bytes begin, in base64 and hex: nothing else is tried, so that other runs cost a look at a letter. */
const MAGIC = /(?:H4sI|KLUv|1f8b08|28b52ffd)/iy
const EXACT = /^(?:H4sI|KLUv)/
/** Digits by which zlib is told: its header and how a block that is stored begins, in hex. */
export const HEAD_DIGITS = 14
/** Units with which any of them may begin. */
export const BEGINNINGS: ReadonlySet<number> = new Set(
  [...'HKkCGKOSWae01234567'].map((one) => one.charCodeAt(0)),
)
/** The shortest that holds anything worth hiding. */
const MIN_DIGITS = 24
const GZIP = 0x1f
const ZSTD = 0xb5
/** Of what would be too much, so much is looked at to tell whether it is text at all. */
const SAMPLE_BYTES = 1_024
const MAX_SAMPLE_BYTES = 1_114_112

/** Bytes that stand compressed in a run of digits. */
export interface Compressed {
  readonly encoding: 'gzip' | 'zlib' | 'zstd'
  /** Cut off where the run is. Null: there would be more than was asked for. */
  readonly bytes: Uint8Array | null
  /** Of what would be too much: how it begins. */
  readonly sample: Uint8Array | null
  /** Nothing of the kind is expanded any more in the message. */
  readonly isUnread: boolean
  /** Something that is no part of it follows, or it is not as it was written. */
  readonly isBroken: boolean
}

/**
 * Undoes the compression of what a run of base64 or hex digits holds, where it begins like compressed bytes.
 *
 * @param digits from where the run begins, without line breaks
 * @param expansions of the message: nothing more is tried when they are spent
 * @returns null for what is not compressed
 */
export function decompressed(
  digits: string,
  maxBytes: number,
  expansions: Expansions,
): Compressed | null {
  if (digits.length < MIN_DIGITS || !beginsCompressed(digits, 0)) return null
  const head = bytesOf(digits.slice(0, MIN_DIGITS))
  const encoding = head[0] === GZIP ? 'gzip' : head[1] === ZSTD ? 'zstd' : 'zlib'
  if (expansions.left === 0)
    return { encoding, bytes: null, sample: null, isUnread: true, isBroken: false }
  const bytes = bytesOf(digits)
  const room = Math.min(maxBytes, expansions.left)
  const all = expanded(encoding, bytes, room, expansions)
  if (all !== 'too much')
    return all === null ? null : { encoding, ...all, sample: null, isUnread: false }
  const sample = expanded(encoding, bytes.subarray(0, SAMPLE_BYTES), MAX_SAMPLE_BYTES, expansions)
  return {
    encoding,
    bytes: null,
    sample: sample === 'too much' ? null : (sample?.bytes ?? null),
    isUnread: room < maxBytes,
    isBroken: false,
  }
}

/** Whether compressed bytes may begin at a unit of a text. */
export function beginsCompressed(text: string, at: number): boolean {
  if (!BEGINNINGS.has(text.charCodeAt(at))) return false
  MAGIC.lastIndex = at
  const [magic] = MAGIC.exec(text) ?? []
  if (magic !== undefined && (isHex(magic) || EXACT.test(magic))) return true
  const head = bytesOf(text.slice(at, at + HEAD_DIGITS))
  const [method = 0, flags = 0] = head
  // Deflate, a window that there is, no dictionary, and a sum that is right.
  const isZlib = (method & 0x8f) === 8 && (flags & 0x20) === 0 && (method * 256 + flags) % 31 === 0
  return isZlib && beginsBlock(head)
}

/** What begins with a decimal digit is hex: in base64 none of these begins so. */
function isHex(digits: string): boolean {
  return digits.charCodeAt(0) <= 0x39
}

function bytesOf(digits: string): Buffer {
  return Buffer.from(digits, isHex(digits) ? 'hex' : 'base64')
}

/** Whether the first block behind a header of zlib may be one. */
function beginsBlock(bytes: Buffer): boolean {
  if (bytes.length < 7) return false
  const kind = ((bytes[2] ?? 0) >> 1) & 3
  if (kind !== 0) return kind !== 3
  // Stored: its length, and the same inverted.
  return bytes.readUInt16LE(3) + bytes.readUInt16LE(5) === 0xffff
}

/** As text; null when it is none. One that was cut off may end within a character. */
export function textOfExpanded(bytes: Uint8Array): string | null {
  for (let cut = 0; cut <= 3 && cut < bytes.length; cut += 1) {
    const text = textOfBytes(cut === 0 ? bytes : bytes.subarray(0, -cut))
    if (text !== null) return text
    if (((bytes[bytes.length - 1 - cut] ?? 0) & 0x80) === 0) return null
  }
  return null
}

/** How compressed bytes begin that stand among others: zlib with the window that everybody has. */
// oxlint-disable-next-line no-control-regex
const WITHIN = /\x1f\x8b\x08|\x28\xb5\x2f\xfd|\x78[\x01\x5e\x9c\xda]/g
/** By what so much of them is expanded to is told whether they are any, and worth it. */
const PROBE_BYTES = 256
/** Compressions within compressions. */
const MAX_WITHIN = 3

/**
 * What stands compressed among other bytes, as in a PNG or a PDF, or in what was expanded, where it begins like text
 * or like something compressed.
 *
 * @param maxBytes of each
 * @param expansions of the message
 */
export function expandedWithin(
  bytes: Uint8Array,
  maxBytes: number,
  expansions: Expansions,
  layers = MAX_WITHIN,
): readonly Uint8Array[] {
  const found: Uint8Array[] = []
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const { 0: magic, index } of all.toString('latin1').matchAll(WITHIN)) {
    if (expansions.left === 0) break
    const encoding = magic.startsWith('x') ? 'zlib' : magic.startsWith('(') ? 'zstd' : 'gzip'
    const own = all.subarray(index)
    if (encoding === 'zlib' && !beginsBlock(own)) continue
    const probe = tried(encoding, own.subarray(0, PROBE_BYTES), maxBytes, expansions)
    if (probe === null || probe === 'too much' || !isTelling(probe)) continue
    const inner = expanded(encoding, own, Math.min(maxBytes, expansions.left), expansions)
    if (inner === null || inner === 'too much') continue
    found.push(inner.bytes)
    if (layers > 1) found.push(...expandedWithin(inner.bytes, maxBytes, expansions, layers - 1))
  }
  return found
}

function isTelling(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 4)).toString('latin1')
  return head.search(WITHIN) === 0 || textOfExpanded(bytes) !== null
}

type Encoding = Compressed['encoding']

/** Of a run that breaks off, or that something else follows, so much is tried first, and then twice as much. */
const FIRST_TRY = 64

/** All that can be expanded: what comes before an error, too. Null where that is nothing. */
function expanded(
  encoding: Encoding,
  bytes: Buffer,
  maxBytes: number,
  expansions: Expansions,
): { readonly bytes: Uint8Array; readonly isBroken: boolean } | 'too much' | null {
  const all = tried(encoding, bytes, maxBytes, expansions)
  if (all === 'too much') return all
  if (all !== null) return { bytes: all, isBroken: false }
  let best: Uint8Array | null = null
  let good = 0
  let bad = bytes.length
  while (bad - good > 1 && expansions.left > 0) {
    const size = Math.min((good + bad) >> 1, Math.max(FIRST_TRY, good * 2))
    const some = tried(encoding, bytes.subarray(0, size), maxBytes, expansions)
    if (some === 'too much') return some
    if (some === null) {
      bad = size
      expansions.spend(best?.length ?? 0)
    } else {
      good = size
      best = some
    }
  }
  return best === null || best.length === 0 ? null : { bytes: best, isBroken: true }
}

/** One try. Null: there is an error in it. */
function tried(
  encoding: Encoding,
  bytes: Buffer,
  maxOutputLength: number,
  expansions: Expansions,
): Uint8Array | 'too much' | null {
  // Loaded with the first that needs it.
  const { constants, gunzipSync, inflateSync, zstdDecompressSync } =
    process.getBuiltinModule('node:zlib')
  // What is cut off is read as far as it goes.
  const options = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH, info: true }
  let written = 0
  let read = bytes.length
  try {
    const { buffer, engine } = (encoding === 'gzip'
      ? gunzipSync(bytes, options)
      : encoding === 'zlib'
        ? inflateSync(bytes, options)
        : zstdDecompressSync(bytes, {
            maxOutputLength,
            finishFlush: constants.ZSTD_e_flush,
            info: true,
          })) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    written = buffer.length
    // What follows its end is not read.
    read = engine.bytesWritten
    return buffer
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code !== 'ERR_BUFFER_TOO_LARGE') return null
    written = maxOutputLength
    return 'too much'
  } finally {
    expansions.spend(read + written)
  }
}
