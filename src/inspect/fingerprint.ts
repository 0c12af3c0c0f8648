import { type Hmac, type RollingHash, rollingHash, WINDOW, windowHash } from './rolling-hash.ts'
import { guessBits } from './strength.ts'
import { unitsOf } from './text-units.ts'
import { linesOf, type ValueLine } from './value-lines.ts'
import {
  canonicalOf,
  type Form,
  formsOf,
  formsOfLine,
  stretchOf,
  stretchOfLine,
  type Variant,
} from './variants.ts'

/** What is remembered of one form of a value. The value cannot be read back from it without guessing all of it. */
export interface Fingerprint {
  readonly variant: Variant
  /** UTF-16 units of the form. */
  readonly length: number
  /** Where in the form the window lies. */
  readonly windowAt: number
  /** 52 bits of keyed hash of the window. */
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
  /** Of each line that tells something by itself and takes as many guesses as a value must. */
  readonly lines: readonly (readonly Fingerprint[])[]
}

/**
 * The fingerprints of a value, one for each of its forms, and those of its lines.
 *
 * @param options.minGuessBits - below it nothing is kept, because whoever holds the key could guess the value
 */
export function fingerprintsOf(
  key: FingerprintKey,
  value: Uint8Array,
  options: { readonly minGuessBits?: number } = {},
): Remembered {
  const canonical = canonicalOf(value)
  if (canonical.text.length < WINDOW) return { guessBits: 0, fingerprints: [], lines: [] }
  const stretch = stretchOf(canonical)
  const bits = guessBits(canonical.text, [stretch, stretch + WINDOW])
  const least = options.minGuessBits ?? MIN_GUESS_BITS
  if (bits < least) return { guessBits: bits, fingerprints: [], lines: [] }
  return {
    guessBits: bits,
    fingerprints: formsOf(canonical, stretch).map((form) => fingerprintOf(key, form)),
    lines: canonical.isText
      ? linesOf(canonical.text)
          .map((line) => lineFingerprints(key, line))
          .filter((prints) => prints.length > 0)
      : [],
  }
}

const KEY_DIGIT_BITS = 6

/** A line is remembered by itself, so it must take as many guesses as a value, whatever the person said of the whole. */
function lineFingerprints(
  key: FingerprintKey,
  { text, common, isOfKey }: ValueLine,
): readonly Fingerprint[] {
  const stretch = stretchOfLine(text, common)
  const [from, to] = known(stretch - common)
  const own = text.slice(common)
  const bits = isOfKey ? (own.length - (to - from)) * KEY_DIGIT_BITS : guessBits(own, [from, to])
  return bits < MIN_GUESS_BITS
    ? []
    : formsOfLine(text, stretch).map((form) => fingerprintOf(key, form))
}

/** What of a text that begins behind a window does not stand in it is not known. */
function known(stretch: number): readonly [start: number, end: number] {
  return [Math.max(0, stretch), Math.max(0, stretch + WINDOW)]
}

function fingerprintOf(key: FingerprintKey, { variant, text, windowAt }: Form): Fingerprint {
  return {
    variant,
    length: text.length,
    windowAt,
    window: windowHash(key.hash, unitsOf(text), windowAt),
    proof: Uint8Array.from(key.proofOf(text)),
    spansLines: /[\r\n]/.test(text),
  }
}
