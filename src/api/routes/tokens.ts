import * as z from 'zod'
import type { AuthenticationPort, Origin } from '../../core/identity-port.ts'
import { uuid } from '../contract/schemas.ts'
import { type Call, type Operation, operation } from '../operation.ts'

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

export function tokenOperations(authentication: AuthenticationPort): readonly Operation[] {
  return [
    operation({
      id: 'exchangeAgentKey',
      method: 'POST',
      path: '/v1/auth/agent-token',
      tag: 'auth',
      summary: "Changes an agent's key for a short-lived token.",
      isPublic: true,
      body: z.object({ api_key: z.string(), agent_id: z.string().nullish() }),
      answers: {
        200: { description: 'A token.', schema: tokenSchema },
        401: { description: 'The key does not count.' },
      },
      async handle(call) {
        const { api_key, agent_id } = call.body
        const { token, expiresInSeconds, agent } = await authentication.exchange(
          api_key,
          agent_id ?? null,
          originOf(call),
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
      id: 'revokeToken',
      method: 'DELETE',
      path: '/v1/auth/token',
      tag: 'auth',
      summary: 'Ends the token that is shown.',
      answers: { 204: { description: 'Ended.' } },
      async handle(call) {
        await authentication.revoke(call.bearer ?? '', originOf(call))
        return { status: 204 }
      },
    }),
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
  ]
}

export function originOf({ address }: Call): Origin {
  return { address, channel: 'http' }
}
