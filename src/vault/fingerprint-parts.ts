import { parseEnvBundle } from '../core/env-bundle.ts'
import { isFault } from '../core/faults.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { SecretType } from '../core/vault-port.ts'
import {
  type Fingerprint,
  type FingerprintKey,
  fingerprintsOf,
  type Remembered,
} from '../inspect/index.ts'

/** What is remembered of a value: of the whole, then of each value inside of a bundle, then of their lines. */
export interface FingerprintParts {
  /** One list for the whole and one for each part; an empty one could be guessed and is not kept. */
  readonly parts: readonly (readonly Fingerprint[])[]
  readonly guessBits: number
}

/** @param minGuessBits see `fingerprintsOf`; 0 with a person's word for it */
export function fingerprintParts(
  key: FingerprintKey,
  value: SecretText,
  type: SecretType,
  options: { readonly minGuessBits?: number } = {},
): FingerprintParts {
  const whole = fingerprintsOf(key, value.revealBytes(), options)
  const entries = type === 'env_bundle' ? entriesOf(key, value) : []
  const parts = [
    whole.fingerprints,
    ...entries.map((one) => one.fingerprints),
    ...(entries.length > 0 ? entries : [whole]).flatMap((one) => one.lines),
  ]
  return { parts, guessBits: whole.guessBits }
}

/** The values inside a bundle are used one by one. Those that are too weak alone are left to the whole. */
function entriesOf(key: FingerprintKey, bundle: SecretText): readonly Remembered[] {
  try {
    return parseEnvBundle(bundle)
      .map(([, value]) => {
        const remembered = fingerprintsOf(key, value.revealBytes())
        value.wipe()
        return remembered
      })
      .filter(({ fingerprints }) => fingerprints.length > 0)
  } catch (error) {
    if (isFault(error, 'BAD_INPUT')) return []
    throw error
  }
}
