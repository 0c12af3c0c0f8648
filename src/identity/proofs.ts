import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, errors, importJWK, type JWK, jwtVerify } from 'jose'
import { Fault } from '../core/faults.ts'
import type { RequestProof } from '../core/identity-port.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import type { ShownProof } from './shown-proofs-repository.ts'

/** Signatures that proofs may have; no other is looked at. */
const ALGORITHMS = ['ES256', 'ES384', 'EdDSA']
const TYPE = 'dpop+jwt'
const MAX_CHARACTERS = 4096
const MAX_ID_CHARACTERS = 256
/** How old a proof may be, and how far ahead its maker's clock. */
const MAX_AGE_MS = 60_000
const LEEWAY_MS = 5_000

/** A proof that fits its request; whether it was shown before is asked of the store. */
export interface CheckedProof {
  /** Thumbprint of the key that made it, RFC 7638. */
  readonly keyThumbprint: string
  readonly shown: ShownProof
}

/**
 * Checks a proof against its request, RFC 9449 section 4.3.
 *
 * @param token the token that it must name (`ath`), when the scheme asks for that; null where there is none yet
 * @returns null when it does not fit
 */
export async function checkedProof(
  proof: RequestProof,
  token: string | null,
  at: EpochMs,
): Promise<CheckedProof | null> {
  if (proof.jwt.length > MAX_CHARACTERS) return null
  try {
    const { payload, protectedHeader } = await jwtVerify(proof.jwt, EmbeddedJWK, {
      algorithms: ALGORITHMS,
      typ: TYPE,
      currentDate: new Date(at),
      requiredClaims: ['jti', 'iat', 'htm', 'htu'],
    })
    const { jti = '', iat = 0 } = payload
    const madeAt = epochMs(iat * 1000)
    if (payload['htm'] !== proof.method || !isSameAddress(payload['htu'], proof.url)) return null
    if (madeAt < at - MAX_AGE_MS || madeAt > at + LEEWAY_MS) return null
    if (jti === '' || jti.length > MAX_ID_CHARACTERS) return null
    if (!namesToken(payload['ath'], token, proof.scheme)) return null
    if (protectedHeader.jwk === undefined) return null
    const keyThumbprint = await calculateJwkThumbprint(protectedHeader.jwk)
    const id = createHash('sha256').update(`${keyThumbprint} ${jti}`).digest('base64url')
    return { keyThumbprint, shown: { id, endsAt: epochMs(madeAt + MAX_AGE_MS + LEEWAY_MS) } }
  } catch (error) {
    // What is wrong with a key that came along shows as any of these.
    if (error instanceof errors.JOSEError || error instanceof TypeError || isDomError(error))
      return null
    throw error
  }
}

/** Web Cryptography throws its own class for keys that are none. */
function isDomError(error: unknown): boolean {
  return error instanceof DOMException
}

function namesToken(ath: unknown, token: string | null, scheme: RequestProof['scheme']): boolean {
  if (token === null) return true
  if (ath === undefined) return scheme === 'Bearer'
  return ath === createHash('sha256').update(token).digest('base64url')
}

function isSameAddress(htu: unknown, url: string): boolean {
  const [claimed, own] = [typeof htu === 'string' ? addressOf(htu) : null, addressOf(url)]
  return claimed !== null && claimed === own
}

/** Scheme, host, port and path, normalised as RFC 3986 says. */
function addressOf(text: string): string | null {
  const url = URL.parse(text)
  return url === null ? null : `${url.origin}${url.pathname}`
}

/** The thumbprint of a key that a token is to be bound to. @throws {Fault} `BAD_INPUT` when it is no public key */
export async function thumbprintOf(jwk: unknown): Promise<string> {
  try {
    if (typeof jwk === 'object' && jwk !== null && !('d' in jwk) && !('k' in jwk)) {
      const key = jwk as JWK
      const [algorithm] = algorithmsOf(key)
      if (algorithm !== undefined) {
        await importJWK(key, algorithm)
        return await calculateJwkThumbprint(key)
      }
    }
  } catch {
    // Answered below, whatever it was.
  }
  throw new Fault('BAD_INPUT', 'dpop_jwk must be a public key: P-256, P-384 or Ed25519.', {
    details: { field: 'dpop_jwk' },
  })
}

function algorithmsOf({ kty, crv }: JWK): readonly string[] {
  if (kty === 'OKP') return crv === 'Ed25519' ? ['EdDSA'] : []
  if (kty !== 'EC') return []
  return crv === 'P-256' ? ['ES256'] : crv === 'P-384' ? ['ES384'] : []
}
