import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type { GrantInfo, GrantPort, GrantWithBearer } from '../../core/grant-port.ts'
import { toIso } from '../../core/time.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import { grantBearerSchema, grantBody, grantSchema } from '../contract/grants.ts'
import { type Answered, type Operation, operation } from '../operation.ts'
import { isoOrNull, madeBy, optionalMoment } from './moments.ts'

const NOT_ALLOWED = {
  description: 'Only owners and admins may do this, in a session after a step-up.',
}
const GONE = { description: 'There is no such agent, or no such grant that counts.' }
const LIST = {
  description: 'The oldest first, also those that were revoked.',
  schema: z.object({ grants: z.array(grantSchema) }),
}

export function grantOperations(grants: GrantPort): readonly Operation[] {
  return [
    operation({
      id: 'listGrants',
      method: 'GET',
      path: '/v1/grants',
      tag: 'grants',
      summary: 'The grants of all agents.',
      answers: { 200: LIST, 403: NOT_ALLOWED },
      async handle({ caller }) {
        return { status: 200, body: { grants: (await grants.list(caller, null)).map(grantFields) } }
      },
    }),
    operation({
      id: 'listAgentGrants',
      method: 'GET',
      path: '/v1/agents/{agent}/grants',
      tag: 'grants',
      summary: 'The grants of one agent, which may look at its own.',
      answers: { 200: LIST, 403: NOT_ALLOWED },
      async handle({ caller, params }) {
        const list = await grants.list(caller, params['agent'] ?? '')
        return { status: 200, body: { grants: list.map(grantFields) } }
      },
    }),
    operation({
      id: 'createGrant',
      method: 'POST',
      path: '/v1/agents/{agent}/grants',
      tag: 'grants',
      summary: 'Makes a bearer of an agent for one server of the gateway. It is shown this once.',
      tagged: true,
      body: grantBody,
      withheld: ['token'],
      answers: {
        201: { description: 'Made.', schema: grantBearerSchema },
        403: NOT_ALLOWED,
        404: GONE,
        409: { description: 'The agent has a grant of this label.' },
      },
      async handle({ caller, params, body }) {
        const { label, server, policies } = body
        const expiresAt = optionalMoment('expires_at', body.expires_at) ?? null
        return withBearer(
          201,
          await grants.create(caller, params['agent'] ?? '', {
            label,
            server,
            policies,
            expiresAt,
          }),
        )
      },
    }),
    operation({
      id: 'getGrant',
      method: 'GET',
      path: '/v1/grants/{grant}',
      tag: 'grants',
      summary: 'One grant, also one that was revoked.',
      tagged: true,
      answers: {
        200: { description: 'As it is.', schema: grantSchema },
        403: NOT_ALLOWED,
        404: { description: 'There is no such grant.' },
      },
      async handle({ caller, params }) {
        const id = params['grant'] ?? ''
        const grant = (await grants.list(caller, null)).find((one) => one.id === id)
        if (grant === undefined)
          throw new Fault('NOT_FOUND', `There is no grant '${id.slice(0, 64)}'.`)
        return shownAs(grant, { status: 200, body: grantFields(grant) })
      },
    }),
    operation({
      id: 'rotateGrant',
      method: 'POST',
      path: '/v1/grants/{grant}/rotate',
      tag: 'grants',
      summary: 'A new bearer in place of the old one, which is dead at once.',
      conditions: ['If-Match'],
      tagged: true,
      withheld: ['token'],
      answers: {
        200: { description: 'The new bearer.', schema: grantBearerSchema },
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const { caller, params } = call
        const expected = expectationOf(call)
        return withBearer(200, await grants.rotate(caller, params['grant'] ?? '', expected))
      },
    }),
    operation({
      id: 'revokeGrant',
      method: 'DELETE',
      path: '/v1/grants/{grant}',
      tag: 'grants',
      summary: 'Ends one grant; others of its agent stay.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Dead.' }, 403: NOT_ALLOWED, 404: GONE },
      async handle(call) {
        await grants.revoke(call.caller, call.params['grant'] ?? '', expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function withBearer(status: number, { grant, bearer }: GrantWithBearer): Answered {
  try {
    const body = { grant: grantFields(grant), token: bearer.reveal() }
    return shownAs(grant, { status, body })
  } finally {
    bearer.wipe()
  }
}

function grantFields(grant: GrantInfo) {
  return {
    id: grant.id,
    agent_id: grant.agentId,
    label: grant.label,
    server: grant.server,
    policies: grant.policies,
    prefix: grant.prefix,
    ...madeBy(grant.createdBy),
    created_at: toIso(grant.createdAt),
    rotated_at: isoOrNull(grant.rotatedAt),
    expires_at: isoOrNull(grant.expiresAt),
    revoked_at: isoOrNull(grant.revokedAt),
  }
}
