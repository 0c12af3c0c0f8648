import type { KeyObject } from 'node:crypto'
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { type AgentId, isUuid, type OrgId, type UserId, type VaultId } from '../core/ids.ts'
import { principalName, type RegisteredPrincipal } from '../core/principals.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { AUDIENCE, issuerOf } from './issuer.ts'
import type { RefusedBy } from './refused.ts'
import type { SigningKey } from './signing-keys.ts'

const ALGORITHM = 'EdDSA'
const TYPE = 'JWT'
/** What clocks of two nodes may differ by, seconds. It never lengthens a life: that ends by the clock of the reader. */
const LEEWAY_SECONDS = 5

/** What a token says, as far as Sallyport asks. */
export interface TokenClaims {
  /** Whose token it is. */
  readonly principal: RegisteredPrincipal
  readonly orgId: OrgId
  /** Path globs; null when the token is not narrowed. */
  readonly scopes: readonly string[] | null
  readonly vaultIds: readonly VaultId[] | null
  readonly tokenId: string
  /** The key, rule or session that it was changed for, and with which it dies. */
  readonly keyId: string
  /** Thumbprint of the key whose holder alone may show it, or null. */
  readonly boundTo: string | null
  readonly issuedAt: EpochMs
  readonly expiresAt: EpochMs
}

/** @returns a compact JWS; instants are cut to whole seconds */
export function signToken(key: SigningKey, claims: TokenClaims): Promise<string> {
  const issuedAt = Math.floor(claims.issuedAt / 1000)
  return new SignJWT({
    org: claims.orgId,
    // Clients read lists here; an empty one is no narrowing.
    scopes: [...(claims.scopes ?? [])],
    vault_ids: [...(claims.vaultIds ?? [])],
    kver: claims.keyId,
    ...(claims.boundTo === null ? {} : { cnf: { jkt: claims.boundTo } }),
  })
    .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: key.id })
    .setIssuer(issuerOf(claims.orgId))
    .setAudience(AUDIENCE)
    .setSubject(principalName(claims.principal))
    .setIssuedAt(issuedAt)
    .setNotBefore(issuedAt)
    .setExpirationTime(Math.floor(claims.expiresAt / 1000))
    .setJti(claims.tokenId)
    .sign(key.privateKey)
}

/** @param keyFor the public key of a `kid`, or null when no valid token can have it */
export async function verifyToken(
  text: string,
  orgId: OrgId,
  at: EpochMs,
  keyFor: (kid: string) => Promise<KeyObject | null>,
): Promise<TokenClaims | { readonly by: RefusedBy }> {
  if (!isOneSpelling(text)) return { by: 'malformed' }
  try {
    const { payload } = await jwtVerify(
      text,
      async ({ kid }) => {
        const key = kid === undefined ? null : await keyFor(kid)
        if (key === null) throw new UnknownKey()
        return key
      },
      {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: issuerOf(orgId),
        audience: AUDIENCE,
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(at),
        requiredClaims: ['sub', 'iat', 'nbf', 'exp', 'jti'],
      },
    )
    const claims = claimsOf(payload, orgId)
    if (claims === null) return { by: 'malformed' }
    return claims.expiresAt <= at ? { by: 'expired' } : claims
  } catch (error) {
    const by = refusedBy(error)
    if (by === null) throw error
    return { by }
  }
}

/** A token has one spelling: decoders take padding, white space and spare bits of a last character for nothing. */
function isOneSpelling(text: string): boolean {
  const parts = text.split('.')
  return (
    parts.length === 3 &&
    parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
  )
}

class UnknownKey extends Error {}

/** @returns null when it is not the token's fault */
function refusedBy(error: unknown): RefusedBy | null {
  if (error instanceof UnknownKey) return 'bad-signature'
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad-signature'
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.claim === 'nbf'
      ? 'not-yet-valid'
      : error.claim === 'iss'
        ? 'other-organisation'
        : 'malformed'
  return error instanceof errors.JOSEError ? 'malformed' : null
}

function claimsOf(payload: JWTPayload, orgId: OrgId): TokenClaims | null {
  const { sub = '', jti = '', iat = 0, exp = 0 } = payload
  const scopes = texts(payload['scopes'])
  const vaultIds = texts(payload['vault_ids'])
  const keyId = payload['kver']
  const principal = principalOf(sub)
  if (payload['org'] !== orgId || principal === null || !isUuid(jti)) return null
  const boundTo = boundToOf(payload['cnf'])
  if (scopes === null || vaultIds === null || typeof keyId !== 'string') return null
  if (boundTo === undefined) return null
  return {
    principal,
    orgId,
    scopes: scopes.length === 0 ? null : scopes,
    vaultIds: vaultIds.length === 0 ? null : (vaultIds as readonly VaultId[]),
    tokenId: jti,
    keyId,
    boundTo,
    issuedAt: epochMs(iat * 1000),
    expiresAt: epochMs(exp * 1000),
  }
}

function principalOf(subject: string): RegisteredPrincipal | null {
  const [kind, id = '', ...rest] = subject.split(':')
  if (rest.length > 0 || !isUuid(id)) return null
  if (kind === 'agent') return { kind: 'registered-agent', id: id as AgentId }
  return kind === 'user' ? { kind: 'user', id: id as UserId } : null
}

/** @returns undefined when it is bound in a way that is not understood */
function boundToOf(cnf: unknown): string | null | undefined {
  if (cnf === undefined) return null
  if (typeof cnf !== 'object' || cnf === null || !('jkt' in cnf)) return undefined
  return typeof cnf.jkt === 'string' ? cnf.jkt : undefined
}

function texts(claim: unknown): readonly string[] | null {
  return Array.isArray(claim) && claim.every((one) => typeof one === 'string') ? claim : null
}
