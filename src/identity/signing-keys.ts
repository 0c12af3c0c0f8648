import type { KeyObject } from 'node:crypto'
import type { RowRevision } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import type { EpochMs } from '../core/time.ts'
import { ed25519Pair } from '../crypto/index.ts'
import type { StoreKeys } from '../keys/index.ts'

/** The longest life of a token, seconds. */
export const MAX_TOKEN_SECONDS = 86_400

const PURPOSE = 'jwt-signing'
/** A key that signs for ever is worth stealing for ever. */
const MAX_AGE_MS = 90 * 86_400_000

export interface SigningKey {
  readonly id: string
  readonly privateKey: KeyObject
}

/** A public key as a JWK set lists it. */
export type PublicJwk = Readonly<Record<string, string>>

interface Held {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: PublicJwk
}

/** Ed25519 keys that sign tokens. A key stays known as long as a token of it may be valid. */
export class SigningKeys {
  readonly #keys: StoreKeys
  readonly #held = new Map<string, Held>()

  constructor(keys: StoreKeys) {
    this.#keys = keys
  }

  /** The key that signs now, made inside `tx` when there is none or the newest is old. */
  async signing(
    tx: Tx,
    at: EpochMs,
  ): Promise<{ readonly key: SigningKey; readonly rows: readonly RowRevision[] }> {
    const newest = (await this.#keys.rows.ofPurpose(tx, PURPOSE)).at(-1)
    if (newest !== undefined && at - newest.createdAt < MAX_AGE_MS) {
      const { privateKey } = this.#hold(newest.id, await this.#keys.unwrap(tx, newest))
      return { key: { id: newest.id, privateKey }, rows: [] }
    }
    const { id, key, changed } = await this.#keys.add(tx, PURPOSE, null)
    return { key: { id, privateKey: this.#hold(id, key).privateKey }, rows: [changed] }
  }

  /** Public keys of every token that may still be valid, by id. */
  async valid(
    reader: Reader,
    at: EpochMs,
  ): Promise<ReadonlyMap<string, { readonly publicKey: KeyObject; readonly jwk: PublicJwk }>> {
    const rows = await this.#keys.rows.ofPurpose(reader, PURPOSE)
    const valid = new Map<string, Held>()
    for (const [index, row] of rows.entries()) {
      const next = rows[index + 1]
      if (next !== undefined && at - next.createdAt > MAX_TOKEN_SECONDS * 1000) continue
      valid.set(row.id, this.#hold(row.id, await this.#keys.unwrap(reader, row)))
    }
    return valid
  }

  #hold(id: string, seed: Uint8Array): Held {
    const known = this.#held.get(id)
    if (known !== undefined) return known
    const { privateKey, publicKey } = ed25519Pair(seed)
    const { x = '' } = publicKey.export({ format: 'jwk' })
    const jwk = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: id, x }
    const held: Held = { privateKey, publicKey, jwk }
    this.#held.set(id, held)
    return held
  }
}
