import process from 'node:process'
import { textOfBytes } from './bytes.ts'

/** How compressed bytes begin, in base64 and hex: nothing else is tried, so that other runs cost a look at a letter. */
const MAGIC = /(?:H4sI|e(?:A[E-H]|F[4-7]|J[w-z]|N[o-r])|KLUv)|(1f8b08|78(?:01|5e|9c|da)|28b52ffd)/iy
/** Units with which it may begin. */
export const BEGINNINGS: ReadonlySet<number> = new Set(
  [...'He1Kk27'].map((one) => one.charCodeAt(0)),
)
const EXACT = /^(?:H4sI|e(?:A[E-H]|F[4-7]|J[w-z]|N[o-r])|KLUv)/
/** The shortest that holds anything worth hiding. */
const MIN_DIGITS = 24
const GZIP = 0x1f
const ZSTD = 0x28
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
}

/**
 * Undoes the compression of what a run of base64 or hex digits holds, where it begins like compressed bytes.
 *
 * @param digits from where the run begins, without line breaks
 * @returns null for what is not compressed
 */
export function decompressed(digits: string, maxBytes: number): Compressed | null {
  if (digits.length < MIN_DIGITS || !beginsCompressed(digits, 0)) return null
  const bytes = Buffer.from(digits, EXACT.test(digits) ? 'base64' : 'hex')
  const encoding = bytes[0] === GZIP ? 'gzip' : bytes[0] === ZSTD ? 'zstd' : 'zlib'
  const all = expanded(bytes, maxBytes)
  if (all !== 'too much') return all === null ? null : { encoding, bytes: all, sample: null }
  const sample = expanded(bytes.subarray(0, SAMPLE_BYTES), MAX_SAMPLE_BYTES)
  return { encoding, bytes: null, sample: sample === 'too much' ? null : sample }
}

/** Whether compressed bytes may begin at a unit of a text. */
export function beginsCompressed(text: string, at: number): boolean {
  if (!BEGINNINGS.has(text.charCodeAt(at))) return false
  MAGIC.lastIndex = at
  const found = MAGIC.exec(text)
  return found !== null && (found[1] !== undefined || EXACT.test(found[0]))
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

function expanded(bytes: Buffer, maxOutputLength: number): Uint8Array | 'too much' | null {
  // Loaded with the first that needs it.
  const { constants, gunzipSync, inflateSync, zstdDecompressSync } =
    process.getBuiltinModule('node:zlib')
  // What is cut off is read as far as it goes.
  const options = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH }
  try {
    if (bytes[0] === GZIP) return gunzipSync(bytes, options)
    return bytes[0] === ZSTD
      ? zstdDecompressSync(bytes, { maxOutputLength, finishFlush: constants.ZSTD_e_flush })
      : inflateSync(bytes, options)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    return code === 'ERR_BUFFER_TOO_LARGE' ? 'too much' : null
  }
}
