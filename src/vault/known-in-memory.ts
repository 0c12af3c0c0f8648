import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import type { SecretText } from '../core/secret-text.ts'
import type { SecretType } from '../core/vault-port.ts'
import { type FingerprintKey, fingerprintKey, KnownValues } from '../inspect/index.ts'
import { fingerprintParts } from './fingerprint-parts.ts'
import type { PrincipalValues } from './known-to.ts'

/** Values that passed through a process without a store, as fingerprints under a key of its own: gone with it. */
export class KnownInMemory {
  readonly #key: FingerprintKey
  readonly #values: KnownValues
  /** Versions that are remembered already, by id and path of the secret. */
  readonly #noted = new Map<string, number>()

  constructor() {
    const key = createSecretKey(randomBytes(32))
    this.#key = fingerprintKey((message) => createHmac('sha256', key).update(message).digest())
    this.#values = new KnownValues(this.#key)
  }

  /** @returns whether redaction will recognise the value */
  note(
    secret: { readonly id: string; readonly path: string; readonly version: number },
    value: SecretText,
    type: SecretType,
  ): boolean {
    const { id, version } = secret
    const noted = this.#noted.get(`${id} ${version}`)
    if (noted !== undefined) return noted > 0
    const { parts } = fingerprintParts(this.#key, value, type)
    const fingerprints = parts.flat()
    this.#values.remember('', secret, fingerprints)
    this.#noted.set(`${id} ${version}`, fingerprints.length)
    return fingerprints.length > 0
  }

  /** One process, one principal. */
  get values(): PrincipalValues {
    return {
      scan: (text) => this.#values.scan('', text),
      redact: (text) => this.#values.redact('', text),
      stream: () => this.#values.stream(''),
      ofMessage: () => this.#values.ofMessage(''),
      reach: () => this.#values.reach(''),
    }
  }
}
