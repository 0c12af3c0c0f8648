import {
  type Hmac,
  type RollingHash,
  rollingHash,
  stretchHash,
  WINDOW,
  windowHash,
} from './rolling-hash.ts'
import { guessBits } from './strength.ts'
import { unitsOf } from './text-units.ts'
import { canonicalOf, type Form, formsOf, stretchOf, type Variant } from './variants.ts'

/** What is remembered of one form of a value. The value cannot be read back from it without guessing all of it. */
export interface Fingerprint {
  readonly variant: Variant
  /** UTF-16 units of the form. */
  readonly length: number
  /** Where in the form the window lies. */
  readonly windowAt: number
  /** 52 bits of keyed hash of the window; of the whole form for a `pem-line`. */
  readonly window: number
  /** The first 16 bytes of the HMAC of the whole form. */
  readonly proof: Uint8Array
  /** True when a line may end inside of it, so that a line that ends does not end it. */
  readonly spansLines: boolean
}

/** Guesses that a value must take beyond its known stretch to be remembered, as a power of two. */
export const MIN_GUESS_BITS = 64

export const PROOF_BYTES = 16

/** What makes and recognises fingerprints: everything under one key that stays with whoever made it. */
export interface FingerprintKey {
  readonly hash: RollingHash
  proofOf(text: string): Uint8Array
}

const encoder = new TextEncoder()

/** @param hmac keyed, at least 16 bytes long, with no other use of its key */
export function fingerprintKey(hmac: Hmac): FingerprintKey {
  return {
    hash: rollingHash(hmac),
    proofOf: (text) => hmac(encoder.encode(`v${text}`)).subarray(0, PROOF_BYTES),
  }
}

export interface Remembered {
  /** Guesses the value takes for someone who knows the stretch of its windows, as a power of two. */
  readonly guessBits: number
  /** Empty when the value is too weak to be remembered, or too short. */
  readonly fingerprints: readonly Fingerprint[]
}

/**
 * The fingerprints of a value, one for each of its forms.
 *
 * @param options.minGuessBits - below it nothing is kept, because whoever holds the key could guess the value
 */
export function fingerprintsOf(
  key: FingerprintKey,
  value: Uint8Array,
  options: { readonly minGuessBits?: number } = {},
): Remembered {
  const canonical = canonicalOf(value)
  if (canonical.text.length < WINDOW) return { guessBits: 0, fingerprints: [] }
  const stretch = stretchOf(canonical)
  const bits = guessBits(canonical.text, [stretch, stretch + WINDOW])
  const least = options.minGuessBits ?? MIN_GUESS_BITS
  if (bits < least) return { guessBits: bits, fingerprints: [] }
  const known = canonical.text.slice(stretch, stretch + WINDOW)
  const fingerprints = formsOf(canonical, stretch)
    .filter((form) => form.variant !== 'pem-line' || lineBits(form.text, known) >= least)
    .map((form) => ({
      variant: form.variant,
      length: form.text.length,
      windowAt: form.windowAt,
      window: hashOf(key, form),
      proof: Uint8Array.from(key.proofOf(form.text)),
      spansLines: /[\r\n]/.test(form.text),
    }))
  return { guessBits: bits, fingerprints }
}

/** A line is remembered by itself, so it must take as many guesses as a value. */
function lineBits(line: string, known: string): number {
  const at = Math.max(0, line.indexOf(known))
  return guessBits(line, [at, at + WINDOW])
}

function hashOf({ hash }: FingerprintKey, { variant, text, windowAt }: Form): number {
  const units = unitsOf(text)
  return variant === 'pem-line'
    ? stretchHash(hash, units, 0, units.length)
    : windowHash(hash, units, windowAt)
}
