import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** DER of a PKCS #8 private key for Ed25519 up to its 32 bytes. @see RFC 8410, section 7 */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface SigningPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** The Ed25519 key pair of a stored seed. @param seed 32 bytes */
export function ed25519Pair(seed: Uint8Array): SigningPair {
  if (seed.byteLength !== 32) throw new RangeError('an Ed25519 seed has 32 bytes')
  const der = Buffer.concat([PKCS8_ED25519, seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** @returns 64 bytes, RFC 8032 section 5.1.6 */
export function ed25519Sign({ privateKey }: SigningPair, message: Uint8Array): Buffer {
  return sign(null, message, privateKey)
}

/** False for a key of another kind too: what it verifies is no Ed25519 signature. */
export function ed25519Verify(
  publicKey: KeyObject,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return publicKey.asymmetricKeyType === 'ed25519' && verify(null, message, publicKey, signature)
}

/** SubjectPublicKeyInfo as PEM. */
export function publicPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

const PEM_BLOCK = /-----BEGIN PUBLIC KEY-----[\s\S]{1,4096}?-----END PUBLIC KEY-----/g

/** All Ed25519 public keys in a PEM text, in order; blocks of other kinds are left out. */
export function publicKeysFromPem(text: string): readonly KeyObject[] {
  return [...text.matchAll(PEM_BLOCK)].flatMap(([block]) => {
    try {
      const key = createPublicKey(block)
      return key.asymmetricKeyType === 'ed25519' ? [key] : []
    } catch {
      return []
    }
  })
}
