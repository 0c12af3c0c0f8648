import * as oidc from 'openid-client'
import { Fault, isFault } from '../../core/faults.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import { scopesIn } from './challenge.ts'
import { type AuthorizationServer, shown, webAddress } from './discovery.ts'
import type { LoginNet } from './login-net.ts'
import type { LoginClient } from './sealed-login.ts'

/** A client and what it proves itself with, for one authorization server. */
export interface TokenParts {
  readonly net: LoginNet
  readonly server: AuthorizationServer
  readonly client: LoginClient
  /** Its secret in the clear, where it has one. */
  readonly secret: string | null
}

/** What was given. */
export interface Tokens {
  readonly access: string
  /** Null where there is none, or none in place of the one before. */
  readonly refresh: string | null
  readonly expiresAt: EpochMs | null
  /** Null: those that were asked for. */
  readonly scopes: readonly string[] | null
}

const MAX_TOKEN = 32_768
/** A bearer token in a header field (RFC 6750 section 2.1), and what some servers give in place of one. */
const SENDABLE = /^[\x21-\x7e]+$/

/** The address that the person opens: code flow, PKCE with S256, for one resource (RFC 8707). */
export async function authorizationUrl(
  parts: TokenParts,
  wish: {
    readonly redirect: string
    readonly state: string
    readonly verifier: string
    readonly scopes: readonly string[]
    readonly resource: string
  },
): Promise<string> {
  const { redirect, state, verifier, scopes, resource } = wish
  const url = oidc.buildAuthorizationUrl(configuration(parts), {
    redirect_uri: redirect,
    state,
    resource,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    // OpenID Connect Core section 11: without the person's word nobody is given a token that outlives the session.
    ...(scopes.includes(OFFLINE) ? { prompt: 'consent' } : {}),
  })
  return url.href
}

export const OFFLINE = 'offline_access'

export function newVerifier(): string {
  return oidc.randomPKCECodeVerifier()
}

/**
 * Changes the code of an answer for tokens. `state` and `iss` (RFC 9207) are compared first, so that what another
 * server answered goes nowhere.
 *
 * @param answer where the browser came back
 * @throws {Fault} `ACCESS_DENIED` when the person or the authorization server refused; `NET_…`
 */
export async function tokensForCode(
  parts: TokenParts,
  answer: URL,
  begun: { readonly state: string; readonly verifier: string; readonly resource: string },
  now: EpochMs,
): Promise<Tokens> {
  const { state, verifier, resource } = begun
  const { issuer, namesItself } = parts.server
  const named = answer.searchParams.getAll('iss')
  if (named.some((one) => one !== issuer) || (namesItself && named.length !== 1))
    throw new Fault(
      'ACCESS_DENIED',
      `The answer is not one of ${shown(issuer)}, where this login began; its code was sent nowhere.`,
      { details: { field: 'iss', remedy: 'log in anew, and find out who answered' } },
    )
  return tokensOf(parts, now, () =>
    oidc.authorizationCodeGrant(
      configuration(parts),
      answer,
      { expectedState: state, pkceCodeVerifier: verifier },
      { resource },
    ),
  )
}

/** @throws {Fault} `ACCESS_DENIED` when the refresh token is not taken any more; `NET_…` when that is not known */
export async function renewedTokens(
  parts: TokenParts,
  refresh: string,
  resource: string,
  now: EpochMs,
): Promise<Tokens> {
  return tokensOf(parts, now, () =>
    oidc.refreshTokenGrant(configuration(parts), refresh, { resource }),
  )
}

/**
 * Takes the tokens back (RFC 7009).
 *
 * @returns false where it is not offered or did not work
 */
export async function revoked(
  parts: TokenParts,
  { access, refresh }: Pick<Tokens, 'access' | 'refresh'>,
): Promise<boolean> {
  if (parts.server.revocationEndpoint === null) return false
  const config = configuration(parts)
  try {
    // The refresh token first: with it others could be had.
    if (refresh !== null)
      await oidc.tokenRevocation(config, refresh, { token_type_hint: 'refresh_token' })
    await oidc.tokenRevocation(config, access, { token_type_hint: 'access_token' })
    return true
  } catch {
    return false
  }
}

async function tokensOf(
  parts: TokenParts,
  now: EpochMs,
  ask: () => Promise<oidc.TokenEndpointResponse>,
): Promise<Tokens> {
  let given: oidc.TokenEndpointResponse
  try {
    given = await ask()
  } catch (error) {
    throw faultOf(error, parts.server)
  }
  const { access_token: access, refresh_token: refresh, expires_in: seconds, scope } = given
  const isUsable = SENDABLE.test(access) && access.length <= MAX_TOKEN
  if (!isUsable || given.token_type.toLowerCase() !== 'bearer')
    throw new Fault(
      'UNSUPPORTED',
      `The authorization server ${shown(parts.server.issuer)} gave no bearer token.`,
    )
  return {
    access,
    refresh: refresh === undefined || refresh.length > MAX_TOKEN ? null : refresh,
    expiresAt: seconds === undefined ? null : epochMs(Math.floor(now + seconds * 1_000)),
    scopes: scope === undefined ? null : scopesIn(scope),
  }
}

function configuration({ net, server, client, secret }: TokenParts): oidc.Configuration {
  const algorithms = server.idTokenAlgorithms
  const config = new oidc.Configuration(
    {
      issuer: server.issuer,
      authorization_endpoint: server.authorizationEndpoint,
      token_endpoint: server.tokenEndpoint,
      ...(server.revocationEndpoint === null
        ? {}
        : { revocation_endpoint: server.revocationEndpoint }),
      authorization_response_iss_parameter_supported: server.namesItself,
      ...(algorithms === null ? {} : { id_token_signing_alg_values_supported: [...algorithms] }),
    },
    client.id,
    {},
    proofOf(client, secret),
  )
  const { fetch } = net
  config[oidc.customFetch] = (url, options) => fetch(url, options as RequestInit)
  // Our own way out lets nothing but this machine be asked without TLS.
  if (isPlain(server)) oidc.allowInsecureRequests(config)
  return config
}

function isPlain({ tokenEndpoint, revocationEndpoint }: AuthorizationServer): boolean {
  return [tokenEndpoint, revocationEndpoint ?? ''].some(
    (text) => webAddress(text)?.protocol === 'http:',
  )
}

function proofOf({ id, method }: LoginClient, secret: string | null): oidc.ClientAuth {
  if (method === 'none' || secret === null) return oidc.None()
  return method === 'client_secret_basic' ? plainBasic(id, secret) : oidc.ClientSecretPost(secret)
}

/**
 * RFC 6749 section 2.3.1, encoded as forms are: what the library encodes beyond that, many servers compare without
 * decoding it.
 */
function plainBasic(id: string, secret: string): oidc.ClientAuth {
  const encoded = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1)
  const value = Buffer.from(`${encoded(id)}:${encoded(secret)}`, 'utf8').toString('base64')
  return (_server, _client, _body, headers) => headers.set('authorization', `Basic ${value}`)
}

/** Refusals that say nothing about the token. */
const PASSING: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error'])

function faultOf(error: unknown, { issuer }: AuthorizationServer): Fault {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (isFault(at)) return at
  if (error instanceof oidc.AuthorizationResponseError) return refused(issuer, error.error)
  if (error instanceof oidc.ResponseBodyError) {
    const isPassing = error.status >= 500 || error.status === 429 || PASSING.has(error.error)
    return isPassing
      ? failed(issuer, `answered with HTTP ${error.status}`, error)
      : refused(issuer, error.error)
  }
  if (error instanceof Error && error.cause instanceof Response)
    return failed(issuer, `answered with HTTP ${error.cause.status}`, error)
  if (error instanceof oidc.WWWAuthenticateChallengeError) return refused(issuer, 'invalid_client')
  return failed(issuer, 'gave no answer that can be used', error)
}

function refused(issuer: string, reason: string): Fault {
  return new Fault(
    'ACCESS_DENIED',
    `The authorization server ${shown(issuer)} refused: ${shown(reason)}.`,
    {
      details: {
        reason: shown(reason),
        remedy: 'log in anew: sallyport server login NAME',
      },
    },
  )
}

function failed(issuer: string, why: string, cause: unknown): Fault {
  return new Fault('NET_FAILED', `The authorization server ${shown(issuer)} ${why}.`, { cause })
}
