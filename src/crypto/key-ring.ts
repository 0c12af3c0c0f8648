import { randomBytes } from 'node:crypto'
import type { KeyId, StoreId, VaultId } from '../core/ids.ts'
import { open, type SealContext, seal } from './aead.ts'

/** What a key below the root is for. Each is random; its purpose is associated data of its wrapping. */
export const KEY_PURPOSES = [
  'vault',
  'row-mac',
  'audit-mac',
  'head-mac',
  'token-lookup',
  'fingerprint',
  'cursor',
  'jwt-signing',
  'checkpoint-signing',
  'sink-config',
  'webhook',
  'recording',
  'upstream-login',
  'call-journal',
] as const
export type KeyPurpose = (typeof KEY_PURPOSES)[number]

export const KEY_BYTES = 32

/** A key below the root as it is stored. */
export interface WrappedKey {
  readonly id: KeyId
  readonly purpose: KeyPurpose
  readonly vaultId: VaultId | null
  /** The root key that wraps it. */
  readonly rootKeyId: KeyId
  readonly wrapped: Uint8Array
}

export function newKeyBytes(): Buffer {
  return randomBytes(KEY_BYTES)
}

/** Wraps and unwraps keys under one root key. */
export class RootKey {
  readonly id: KeyId
  readonly #storeId: StoreId
  readonly #key: Buffer

  constructor(id: KeyId, storeId: StoreId, key: Buffer) {
    this.id = id
    this.#storeId = storeId
    this.#key = key
  }

  wrap(id: KeyId, purpose: KeyPurpose, vaultId: VaultId | null, key: Uint8Array): WrappedKey {
    const wrapped = seal(this.#key, this.#context(id, purpose, vaultId), key)
    return { id, purpose, vaultId, rootKeyId: this.id, wrapped }
  }

  /** @throws {Fault} `STORE_TAMPERED` */
  unwrap(stored: WrappedKey): Buffer {
    return open(this.#key, this.#context(stored.id, stored.purpose, stored.vaultId), stored.wrapped)
  }

  /** Seals the root itself under a seal key. */
  sealUnder(sealKey: Uint8Array, sealKeyId: string): Buffer {
    return seal(sealKey, rootContext(this.#storeId, this.id, sealKeyId), this.#key)
  }

  /** @throws {Fault} `STORE_TAMPERED` when the seal key is not the one that sealed it */
  static openSealed(
    id: KeyId,
    storeId: StoreId,
    sealKey: Uint8Array,
    sealKeyId: string,
    sealed: Uint8Array,
  ): RootKey {
    return new RootKey(id, storeId, open(sealKey, rootContext(storeId, id, sealKeyId), sealed))
  }

  #context(id: KeyId, purpose: KeyPurpose, vaultId: VaultId | null): SealContext {
    return {
      purpose: 'purpose-key',
      tenant: this.#storeId,
      vault: vaultId,
      subject: `${purpose}/${id}`,
      version: null,
      keyId: this.id,
    }
  }
}

function rootContext(storeId: StoreId, rootKeyId: KeyId, sealKeyId: string): SealContext {
  return {
    purpose: 'root-key',
    tenant: storeId,
    vault: null,
    subject: rootKeyId,
    version: null,
    keyId: sealKeyId,
  }
}
