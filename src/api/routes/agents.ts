import * as z from 'zod'
import { asFault, Fault } from '../../core/faults.ts'
import type {
  AgentInfo,
  AgentPort,
  AgentRequest,
  AuthenticationPort,
} from '../../core/identity-port.ts'
import type { VaultId } from '../../core/ids.ts'
import type { SecretText } from '../../core/secret-text.ts'
import { toIso } from '../../core/time.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import {
  agentBody,
  agentChangeBody,
  agentKeySchema,
  agentSchema,
  batchBody,
  batchSchema,
} from '../contract/access.ts'
import { type Answered, type Call, type Operation, operation } from '../operation.ts'
import { isoOrNull, madeBy, optionalMoment } from './moments.ts'

const NOT_ALLOWED = { description: 'Only owners and admins may do this.' }
const GONE = { description: 'There is no such agent.' }

export interface AgentRouteParts {
  readonly agents: AgentPort
  readonly authentication: Pick<AuthenticationPort, 'org'>
}

export function agentOperations(parts: AgentRouteParts): readonly Operation[] {
  const { agents } = parts
  const shown = async (info: AgentInfo) => agentFields(info, (await parts.authentication.org()).id)
  const answered = async (info: AgentInfo) =>
    shownAs(info, { status: 200, body: await shown(info) })
  const withKey = async (
    status: number,
    made: { readonly agent: AgentInfo; readonly key: SecretText },
  ): Promise<Answered> => {
    try {
      const body = { agent: await shown(made.agent), api_key: made.key.reveal() }
      return shownAs(made.agent, { status, body })
    } finally {
      made.key.wipe()
    }
  }
  return [
    operation({
      id: 'listAgents',
      method: 'GET',
      path: '/v1/agents',
      tag: 'agents',
      summary: 'The agents of the organisation.',
      answers: {
        200: {
          description: 'The oldest first.',
          schema: z.object({ agents: z.array(agentSchema) }),
        },
        403: NOT_ALLOWED,
      },
      async handle({ caller }) {
        const list = await agents.list(caller)
        return { status: 200, body: { agents: await Promise.all(list.map(shown)) } }
      },
    }),
    operation({
      id: 'createAgent',
      method: 'POST',
      path: '/v1/agents',
      tag: 'agents',
      summary: 'Makes an agent. Its key is shown this once.',
      tagged: true,
      body: agentBody,
      withheld: ['api_key'],
      answers: { 201: { description: 'Made.', schema: agentKeySchema }, 403: NOT_ALLOWED },
      async handle({ caller, body }) {
        const request = { ...requestFrom(body), name: body.name }
        return withKey(201, await agents.create(caller, request))
      },
    }),
    operation({
      id: 'getOwnAgent',
      method: 'GET',
      path: '/v1/agents/me',
      tag: 'agents',
      summary: 'The agent that is asking.',
      tagged: true,
      answers: {
        200: { description: 'The agent.', schema: agentSchema },
        404: { description: 'A person is asking.' },
      },
      async handle({ caller }) {
        if (caller.principal.kind !== 'registered-agent')
          throw new Fault('NOT_FOUND', 'The caller is no agent.')
        return answered(await agents.get(caller, caller.principal.id))
      },
    }),
    operation({
      id: 'getAgent',
      method: 'GET',
      path: '/v1/agents/{agent}',
      tag: 'agents',
      summary: 'One agent. An agent may look at itself.',
      tagged: true,
      answers: {
        200: { description: 'The agent.', schema: agentSchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        return answered(await agents.get(call.caller, agentOf(call)))
      },
    }),
    operation({
      id: 'updateAgent',
      method: 'PATCH',
      path: '/v1/agents/{agent}',
      tag: 'agents',
      summary: 'Changes what is named. An agent that is not active is nobody at once.',
      conditions: ['If-Match'],
      tagged: true,
      body: agentChangeBody,
      answers: {
        200: { description: 'Changed.', schema: agentSchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const { body } = call
        const change = {
          ...requestFrom(body),
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.is_active === undefined ? {} : { isActive: body.is_active }),
        }
        const expected = expectationOf(call)
        return answered(await agents.update(call.caller, agentOf(call), change, expected))
      },
    }),
    operation({
      id: 'rotateAgentKey',
      method: 'POST',
      path: '/v1/agents/{agent}/rotate-key',
      tag: 'agents',
      summary: 'A new key in place of the old one, which is dead at once with every token of it.',
      conditions: ['If-Match'],
      tagged: true,
      withheld: ['api_key'],
      answers: {
        200: { description: 'The new key.', schema: agentKeySchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const expected = expectationOf(call)
        return withKey(200, await agents.rotateKey(call.caller, agentOf(call), expected))
      },
    }),
    operation({
      id: 'deleteAgents',
      method: 'POST',
      path: '/v1/agents/batch-delete',
      tag: 'agents',
      summary: 'Removes several agents, each by itself: what fails leaves the others removed.',
      body: batchBody,
      answers: {
        200: { description: 'How many, and why the others are not.', schema: batchSchema },
      },
      async handle({ caller, body }) {
        const errors: { id: string; reason: string }[] = []
        const ids = [...new Set(body.agent_ids)]
        for (const id of ids)
          try {
            await agents.remove(caller, id)
          } catch (error) {
            const { code, message } = asFault(error)
            // What is wrong with the caller or the store is wrong with all of them.
            if (code !== 'NOT_FOUND') throw error
            errors.push({ id: id.slice(0, 64), reason: message })
          }
        return {
          status: 200,
          body: { deleted: ids.length - errors.length, failed: errors.length, errors },
        }
      },
    }),
    operation({
      id: 'deleteAgent',
      method: 'DELETE',
      path: '/v1/agents/{agent}',
      tag: 'agents',
      summary: 'Removes an agent.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Gone.' }, 403: NOT_ALLOWED, 404: GONE },
      async handle(call) {
        await agents.remove(call.caller, agentOf(call), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function agentOf({ params }: Call): string {
  return params['agent'] ?? ''
}

/** In the older API an empty list is no narrowing, as null is here. */
function requestFrom(body: z.output<typeof agentChangeBody>): Partial<AgentRequest> {
  const expiresAt = optionalMoment('expires_at', body.expires_at)
  const keyExpiresAt = optionalMoment('api_key_expires_at', body.api_key_expires_at)
  return {
    ...(body.description === undefined ? {} : { description: body.description }),
    ...(body.scopes === undefined ? {} : { scopes: listOrNull(body.scopes) }),
    ...(body.vault_ids === undefined
      ? {}
      : { vaultIds: listOrNull(body.vault_ids) as readonly VaultId[] | null }),
    ...(body.token_ttl_seconds === undefined ? {} : { tokenTtlSeconds: body.token_ttl_seconds }),
    ...(body.environment === undefined ? {} : { environment: body.environment }),
    ...(body.labels === undefined ? {} : { labels: body.labels ?? [] }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(keyExpiresAt === undefined ? {} : { keyExpiresAt }),
  }
}

function listOrNull(list: readonly string[] | null): readonly string[] | null {
  return list === null || list.length === 0 ? null : list
}

export function agentFields(info: AgentInfo, orgId: string) {
  return {
    id: info.id,
    name: info.name,
    description: info.description ?? '',
    org_id: orgId,
    auth_method: info.keyPrefix === null ? 'oidc_client_credentials' : 'api_key',
    scopes: info.scopes ?? [],
    is_active: info.isActive,
    token_ttl_seconds: info.tokenTtlSeconds,
    vault_ids: info.vaultIds ?? [],
    environment: info.environment,
    labels: [...info.labels],
    key_prefix: info.keyPrefix,
    api_key_expires_at: isoOrNull(info.keyExpiresAt),
    ...madeBy(info.createdBy),
    created_at: toIso(info.createdAt),
    expires_at: isoOrNull(info.expiresAt),
    // What the older API has for its wallets and its proxy.
    intents_api_enabled: false,
    shroud_enabled: false,
  }
}
