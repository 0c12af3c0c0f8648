import * as z from 'zod'
import type { AuthenticationPort } from '../../core/identity-port.ts'
import { unauthenticated } from '../../core/unauthenticated.ts'
import { uuid } from '../contract/schemas.ts'
import { type Operation, operation } from '../operation.ts'
import { originOf } from '../origin.ts'

const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

const tokenSchema = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int().describe('Seconds.'),
    agent_id: uuid,
    vault_ids: z.array(uuid),
    entitlements: z.record(z.string(), z.boolean()),
  })
  .meta({ id: 'TokenResponse' })

/** What this server does for agents, in the older API's words: everything else is not offered. */
const ENTITLEMENTS = {
  intents_api: false,
  execution_intents: false,
  execution_require_tee: false,
  intents_require_tee: false,
  cards: false,
  memory: false,
  shroud: false,
  discoverable: false,
  treasury_signer: false,
  has_delegations: false,
} as const

const federatedSchema = z
  .object({
    access_token: z.string(),
    issued_token_type: z.literal(JWT_TYPE),
    token_type: z.enum(['Bearer', 'DPoP']),
    expires_in: z.int(),
    agent_id: uuid,
  })
  .meta({ id: 'TokenExchangeResponse' })

const jwkSchema = z
  .record(z.string(), z.unknown())
  .describe('A public key that the token is bound to (RFC 9449).')

const PROOF_ALGORITHMS = ['ES256', 'ES384', 'EdDSA']

const NOBODY_401 = { description: 'It does not count; always the same text.' }
const THROTTLED = { description: 'Too many failed attempts from this address.' }

export function tokenOperations(authentication: AuthenticationPort): readonly Operation[] {
  return [...exchanges(authentication), ...publicKeys(authentication)]
}

function exchanges(authentication: AuthenticationPort): readonly Operation[] {
  return [
    operation({
      id: 'exchangeAgentKey',
      method: 'POST',
      path: '/v1/auth/agent-token',
      tag: 'auth',
      summary: "Changes an agent's key for a short-lived token.",
      isPublic: true,
      body: z.object({
        api_key: z.string(),
        agent_id: z.string().nullish(),
        dpop_jwk: jwkSchema.optional(),
      }),
      answers: {
        200: { description: 'A token.', schema: tokenSchema },
        401: NOBODY_401,
        429: THROTTLED,
      },
      async handle(call) {
        const { api_key, agent_id, dpop_jwk } = call.body
        const { token, expiresInSeconds, agent } = await authentication.exchange(
          api_key,
          agent_id ?? null,
          originOf(call),
          dpop_jwk,
        )
        try {
          return {
            status: 200,
            body: {
              access_token: token.reveal(),
              token_type: 'Bearer',
              expires_in: expiresInSeconds,
              agent_id: agent.id,
              vault_ids: agent.vaultIds ?? [],
              entitlements: ENTITLEMENTS,
            },
          }
        } finally {
          token.wipe()
        }
      },
    }),
    operation({
      id: 'exchangeWorkloadToken',
      method: 'POST',
      path: '/v1/auth/federated-token',
      tag: 'auth',
      summary: 'Changes what another issuer signed for a workload for a token (RFC 8693).',
      isPublic: true,
      takesForm: true,
      body: z.object({
        grant_type: z.literal('urn:ietf:params:oauth:grant-type:token-exchange'),
        subject_token: z.string(),
        subject_token_type: z.enum([JWT_TYPE, 'urn:ietf:params:oauth:token-type:id_token']),
        agent_id: z.string().nullish().describe('Which agent, where the workload is several.'),
        audience: z.string().optional().describe('Read past: the token is for this server.'),
        dpop_jwk: jwkSchema.optional(),
      }),
      answers: {
        200: { description: 'A token.', schema: federatedSchema },
        401: NOBODY_401,
        429: THROTTLED,
      },
      async handle(call) {
        const { subject_token, agent_id, dpop_jwk } = call.body
        const { token, expiresInSeconds, agent, boundTo } = await authentication.exchangeWorkload(
          subject_token,
          agent_id ?? null,
          originOf(call),
          dpop_jwk,
        )
        try {
          return {
            status: 200,
            body: {
              access_token: token.reveal(),
              issued_token_type: JWT_TYPE,
              token_type: boundTo === null ? 'Bearer' : 'DPoP',
              expires_in: expiresInSeconds,
              agent_id: agent.id,
            },
          }
        } finally {
          token.wipe()
        }
      },
    }),
    operation({
      id: 'revokeToken',
      method: 'DELETE',
      path: '/v1/auth/token',
      tag: 'auth',
      summary: 'Ends the token that is shown.',
      // Whoever ends a token is asked for it there, and a proof counts once.
      authenticates: 'itself',
      answers: { 204: { description: 'Ended.' }, 401: NOBODY_401 },
      async handle(call) {
        if (call.bearer === null) throw unauthenticated()
        await authentication.revoke(call.bearer, originOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function publicKeys(authentication: AuthenticationPort): readonly Operation[] {
  return [
    operation({
      id: 'keySet',
      method: 'GET',
      path: '/.well-known/jwks.json',
      tag: 'auth',
      summary: 'Public keys of every token that may still be valid.',
      isPublic: true,
      answers: {
        200: {
          description: 'A JWK set.',
          schema: z.object({ keys: z.array(z.record(z.string(), z.string())) }),
        },
      },
      handle: async () => ({ status: 200, body: await authentication.keySet() }),
    }),
    operation({
      id: 'publicKey',
      method: 'GET',
      path: '/v1/auth/jwt-public-key',
      tag: 'auth',
      summary: 'The public key of the tokens that are given out now.',
      isPublic: true,
      answers: {
        200: {
          description: 'Ed25519, 32 bytes.',
          schema: z.object({ alg: z.literal('EdDSA'), public_key_base64: z.string() }),
        },
      },
      async handle() {
        const x = (await authentication.keySet()).keys.at(-1)?.['x'] ?? ''
        const key = Buffer.from(x, 'base64url').toString('base64')
        return { status: 200, body: { alg: 'EdDSA', public_key_base64: key } }
      },
    }),
    operation({
      id: 'discovery',
      method: 'GET',
      path: '/.well-known/openid-configuration',
      tag: 'auth',
      summary: 'Where the keys are and what tokens are signed with.',
      isPublic: true,
      answers: {
        200: {
          description: 'Metadata.',
          schema: z.object({
            issuer: z.string(),
            jwks_uri: z.string(),
            token_endpoint: z.string(),
            response_types_supported: z.array(z.string()),
            subject_types_supported: z.array(z.string()),
            id_token_signing_alg_values_supported: z.array(z.string()),
            grant_types_supported: z.array(z.string()),
            dpop_signing_alg_values_supported: z.array(z.string()),
          }),
        },
      },
      async handle(call) {
        const { id } = await authentication.org()
        const base = call.site
        return {
          status: 200,
          body: {
            issuer: `urn:sallyport:org:${id}`,
            jwks_uri: `${base}/.well-known/jwks.json`,
            token_endpoint: `${base}/v1/auth/agent-token`,
            response_types_supported: ['token'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: ['EdDSA'],
            grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
            dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
          },
        }
      },
    }),
    operation({
      id: 'authorizationServer',
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      tag: 'auth',
      summary: 'What this server does as one that gives out tokens (RFC 8414).',
      isPublic: true,
      answers: {
        200: {
          description: 'Metadata. There is no authorization endpoint: no grant here needs one.',
          schema: z.object({
            issuer: z.string(),
            token_endpoint: z.string(),
            jwks_uri: z.string(),
            response_types_supported: z.array(z.string()),
            grant_types_supported: z.array(z.string()),
            token_endpoint_auth_methods_supported: z.array(z.string()),
            scopes_supported: z.array(z.string()),
            dpop_signing_alg_values_supported: z.array(z.string()),
          }),
        },
      },
      handle: async ({ site }) => ({
        status: 200,
        body: {
          // The address that this document was derived from, as clients check.
          issuer: site,
          token_endpoint: `${site}/v1/auth/federated-token`,
          jwks_uri: `${site}/.well-known/jwks.json`,
          response_types_supported: [],
          grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
          token_endpoint_auth_methods_supported: ['none'],
          scopes_supported: [],
          dpop_signing_alg_values_supported: PROOF_ALGORITHMS,
        },
      }),
    }),
  ]
}
