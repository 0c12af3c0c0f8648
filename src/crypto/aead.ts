import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto'
import { Fault } from '../core/faults.ts'
import { encodeFields, type Field } from '../core/fields.ts'

const SUITE_AES_256_GCM = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + NONCE_BYTES

/** What a ciphertext belongs to. Every field is authenticated: a value moved to another row does not open. */
export interface SealContext {
  readonly purpose:
    | 'value'
    | 'version-key'
    | 'purpose-key'
    | 'root-key'
    | 'backup'
    | 'sink-config'
    | 'webhook'
    | 'recording'
    | 'upstream-login'
    | 'gateway-state'
    | 'round'
  /** The store that this belongs to. */
  readonly tenant: string
  readonly vault: string | null
  readonly subject: string | null
  readonly version: number | null
  /** Id of the key that seals. GCM does not commit to its key, so the id is bound here. */
  readonly keyId: string
}

function associatedData(context: SealContext): Buffer {
  const fields: Field[] = [
    'sallyport-seal-1',
    context.purpose,
    context.tenant,
    context.vault,
    context.subject,
    context.version,
    context.keyId,
  ]
  return encodeFields(fields)
}

/**
 * Seals bytes with AES-256-GCM under a 96-bit random nonce.
 *
 * @returns suite byte ‖ nonce (12) ‖ ciphertext ‖ tag (16)
 * @see NIST SP 800-38D section 8.2.2: random nonces bound a key to 2^32 uses; keys here are rotated at 2^31
 */
export function seal(key: Uint8Array, context: SealContext, plain: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEADER_BYTES + plain.byteLength + TAG_BYTES)
  out[0] = SUITE_AES_256_GCM
  const nonce = out.subarray(1, HEADER_BYTES)
  randomFillSync(nonce)
  // Given bytes, node:crypto throws and catches on its way to a key object, which costs four times the sealing.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonce, {
    authTagLength: TAG_BYTES,
  })
  cipher.setAAD(associatedData(context))
  const body = cipher.update(plain)
  out.set(body, HEADER_BYTES)
  cipher.final()
  out.set(cipher.getAuthTag(), HEADER_BYTES + body.byteLength)
  return out
}

/**
 * Opens what `seal` made for the same context.
 *
 * @throws {Fault} `STORE_TAMPERED` when key, context or bytes are not those that were sealed
 */
export function open(key: Uint8Array, context: SealContext, sealed: Uint8Array): Buffer {
  return new Opener(key, context).open(sealed)
}

/** A key and a context made ready, for what is opened again and again. */
export class Opener {
  readonly #key: KeyObject
  readonly #associated: Buffer
  readonly #context: SealContext

  /** @param key is copied; the caller may wipe its own */
  constructor(key: Uint8Array, context: SealContext) {
    this.#key = createSecretKey(key)
    this.#associated = associatedData(context)
    this.#context = context
  }

  /** @throws {Fault} `STORE_TAMPERED` */
  open(sealed: Uint8Array): Buffer {
    if (sealed.byteLength < HEADER_BYTES + TAG_BYTES || sealed[0] !== SUITE_AES_256_GCM)
      throw unopenable(this.#context)
    const tagAt = sealed.byteLength - TAG_BYTES
    const nonce = sealed.subarray(1, HEADER_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, TAGGED)
    decipher.setAAD(this.#associated)
    decipher.setAuthTag(sealed.subarray(tagAt))
    const plain = decipher.update(sealed.subarray(HEADER_BYTES, tagAt))
    try {
      decipher.final()
    } catch (cause) {
      plain.fill(0)
      throw unopenable(this.#context, cause)
    }
    return plain
  }
}

const TAGGED = { authTagLength: TAG_BYTES } as const

function unopenable(context: SealContext, cause?: unknown): Fault {
  return new Fault(
    'STORE_TAMPERED',
    `A sealed ${context.purpose} does not open: its key, its place or its bytes were changed.`,
    { details: { purpose: context.purpose, keyId: context.keyId }, cause },
  )
}
