import * as z from 'zod'
import type {
  AttachmentTarget,
  ServerInfo,
  ServerPort,
  ServerTarget,
  ToolPolicyInfo,
  ToolPolicyPort,
} from '../../core/gateway-port.ts'
import type { OwnLimits } from '../../core/server-limits.ts'
import { toIso } from '../../core/time.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import {
  attachedSchema,
  gatewayServerBody,
  gatewayServerSchema,
  toolPolicyBody,
  toolPolicySchema,
  toolPolicySetSchema,
  toolPolicyTextSchema,
} from '../contract/gateway.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { type LoginRouteParts, loginOperations } from './gateway-logins.ts'
import { madeBy } from './moments.ts'

const TAG = 'gateway'
const LOOKERS = { description: 'Only owners and admins may look.' }
const CHANGERS = {
  description: 'Owners and admins, signed in and with a fresh proof; a key changes nothing here.',
}
const NO_SERVER = { description: 'There is no such server.' }
const NO_POLICY = { description: 'There is no such policy.' }

export interface GatewayRouteParts extends LoginRouteParts {
  readonly servers: ServerPort
  readonly policies: ToolPolicyPort
}

/** @param open loaded by the first call that asks for it */
export function gatewayOperations(open: () => Promise<GatewayRouteParts>): readonly Operation[] {
  return [
    ...serverOperations(open),
    ...loginOperations(open),
    ...policyOperations(open),
    ...attachOperations(open),
  ]
}

function serverOperations(open: () => Promise<GatewayRouteParts>): readonly Operation[] {
  return [
    operation({
      id: 'listGatewayServers',
      method: 'GET',
      path: '/v1/gateway/servers',
      tag: TAG,
      summary: 'The MCP servers behind the gateway.',
      answers: {
        200: {
          description: 'By name.',
          schema: z.object({ servers: z.array(gatewayServerSchema) }),
        },
        403: LOOKERS,
      },
      async handle({ caller }) {
        const list = await (await open()).servers.list(caller)
        return { status: 200, body: { servers: list.map(serverFields) } }
      },
    }),
    operation({
      id: 'addGatewayServer',
      method: 'POST',
      path: '/v1/gateway/servers',
      tag: TAG,
      summary: 'Puts a server behind the gateway. Every call is denied until a policy is attached.',
      tagged: true,
      body: gatewayServerBody,
      answers: {
        201: { description: 'Added.', schema: gatewayServerSchema },
        403: CHANGERS,
        409: { description: 'The name is taken.' },
      },
      async handle({ caller, body }) {
        const { servers } = await open()
        const added = await servers.add(caller, body.name, targetFrom(body))
        return shownAs(added, { status: 201, body: serverFields(added) })
      },
    }),
    operation({
      id: 'getGatewayServer',
      method: 'GET',
      path: '/v1/gateway/servers/{server}',
      tag: TAG,
      summary: 'One server.',
      tagged: true,
      answers: {
        200: { description: 'As it is.', schema: gatewayServerSchema },
        403: LOOKERS,
        404: NO_SERVER,
      },
      async handle(call) {
        const server = await (await open()).servers.get(call.caller, named(call, 'server'))
        return shownAs(server, { status: 200, body: serverFields(server) })
      },
    }),
    operation({
      id: 'removeGatewayServer',
      method: 'DELETE',
      path: '/v1/gateway/servers/{server}',
      tag: TAG,
      summary: 'Takes it from behind the gateway, and revokes its grants.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Gone.' }, 403: CHANGERS, 404: NO_SERVER },
      async handle(call) {
        const { servers } = await open()
        await servers.remove(call.caller, named(call, 'server'), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

function policyOperations(open: () => Promise<GatewayRouteParts>): readonly Operation[] {
  return [
    operation({
      id: 'listToolPolicies',
      method: 'GET',
      path: '/v1/gateway/policies',
      tag: TAG,
      summary: 'The policies on tools.',
      answers: {
        200: {
          description: 'By name, without their texts.',
          schema: z.object({ policies: z.array(toolPolicySchema) }),
        },
        403: LOOKERS,
      },
      async handle({ caller }) {
        const list = await (await open()).policies.list(caller)
        return { status: 200, body: { policies: list.map(policyFields) } }
      },
    }),
    operation({
      id: 'getToolPolicy',
      method: 'GET',
      path: '/v1/gateway/policies/{policy}',
      tag: TAG,
      summary: 'One policy with its text.',
      tagged: true,
      answers: {
        200: { description: 'As it is.', schema: toolPolicyTextSchema },
        403: LOOKERS,
        404: NO_POLICY,
      },
      async handle(call) {
        const policy = await (await open()).policies.get(call.caller, named(call, 'policy'))
        return shownAs(policy, {
          status: 200,
          body: { ...policyFields(policy), text: policy.text },
        })
      },
    }),
    operation({
      id: 'setToolPolicy',
      method: 'PUT',
      path: '/v1/gateway/policies/{policy}',
      tag: TAG,
      summary: 'Keeps a policy under the name, in place of the one before.',
      conditions: ['If-Match', 'If-None-Match'],
      tagged: true,
      body: toolPolicyBody,
      answers: {
        200: { description: 'Where it is attached, it holds.', schema: toolPolicySetSchema },
        403: CHANGERS,
      },
      async handle(call) {
        const text = Buffer.from(call.body.text, 'utf8')
        const { policies } = await open()
        const expected = expectationOf(call)
        const set = await policies.set(call.caller, named(call, 'policy'), text, expected)
        return shownAs(set, { status: 200, body: { ...policyFields(set), warnings: set.warnings } })
      },
    }),
    operation({
      id: 'removeToolPolicy',
      method: 'DELETE',
      path: '/v1/gateway/policies/{policy}',
      tag: TAG,
      summary: 'Drops a policy that is attached nowhere.',
      conditions: ['If-Match'],
      answers: {
        204: { description: 'Gone.' },
        403: CHANGERS,
        404: NO_POLICY,
        409: { description: 'It is attached to a server or named by a grant.' },
      },
      async handle(call) {
        const { policies } = await open()
        await policies.remove(call.caller, named(call, 'policy'), expectationOf(call))
        return { status: 204 }
      },
    }),
  ]
}

/** A policy is attached to a server and to a grant in the same way. */
function attachOperations(open: () => Promise<GatewayRouteParts>): readonly Operation[] {
  const places = [
    {
      path: '/v1/gateway/servers/{server}/policies/{policy}',
      of: 'Server',
      summary: 'every call at a server',
      target: (call: Named): AttachmentTarget => ({ kind: 'server', name: named(call, 'server') }),
    },
    {
      path: '/v1/grants/{grant}/policies/{policy}',
      of: 'Grant',
      summary: 'the calls of one grant',
      target: (call: Named): AttachmentTarget => ({ kind: 'grant', id: named(call, 'grant') }),
    },
  ]
  const gone = { description: 'There is no such policy, or nothing to attach it to.' }
  return places.flatMap(({ path, of, summary, target }) => [
    operation({
      id: `attachPolicyTo${of}`,
      method: 'PUT',
      path,
      tag: TAG,
      summary: `Has ${summary} judged by a policy, beside those that judge it already.`,
      answers: {
        200: { description: 'Attached.', schema: attachedSchema },
        403: CHANGERS,
        404: gone,
        409: { description: 'It is attached already.' },
      },
      async handle(call) {
        const { policies } = await open()
        const left = await policies.attach(call.caller, named(call, 'policy'), target(call))
        return { status: 200, body: { policies: left } }
      },
    }),
    operation({
      id: `detachPolicyFrom${of}`,
      method: 'DELETE',
      path,
      tag: TAG,
      summary: `No longer has ${summary} judged by a policy. With none left it is denied.`,
      answers: {
        200: { description: 'Detached.', schema: attachedSchema },
        403: CHANGERS,
        404: gone,
      },
      async handle(call) {
        const { policies } = await open()
        const left = await policies.detach(call.caller, named(call, 'policy'), target(call))
        return { status: 200, body: { policies: left } }
      },
    }),
  ])
}

type Named = Pick<Call, 'params'>

function named({ params }: Named, what: 'server' | 'policy' | 'grant'): string {
  return params[what] ?? ''
}

function targetFrom(body: z.output<typeof gatewayServerBody>): ServerTarget {
  const own = body.limits === undefined ? {} : { limits: limitsFrom(body.limits) }
  return body.kind === 'stdio'
    ? { kind: 'stdio', command: body.command, variables: body.env ?? [], ...own }
    : { kind: 'http', url: body.url, headers: body.headers ?? [], ...own }
}

function serverFields({ name, target, policies, createdBy, createdAt, changedAt }: ServerInfo) {
  return {
    name,
    ...(target.kind === 'stdio'
      ? { kind: target.kind, command: target.command, env: target.variables }
      : { kind: target.kind, url: target.url, headers: target.headers }),
    policies,
    limits: limitFields(target.limits ?? {}),
    ...madeBy(createdBy),
    created_at: toIso(createdAt),
    updated_at: toIso(changedAt),
  }
}

const LIMIT_FIELDS = [
  ['start_ms', 'startMs'],
  ['call_ms', 'callMs'],
  ['idle_ms', 'idleMs'],
  ['max_open', 'maxOpen'],
  ['late_in_a_row', 'lateInARow'],
  ['rest_ms', 'restMs'],
] as const

type LimitFields = NonNullable<z.output<typeof gatewayServerBody>['limits']>

function limitsFrom(body: LimitFields): OwnLimits {
  return Object.fromEntries(
    LIMIT_FIELDS.flatMap(([field, key]) => (body[field] === undefined ? [] : [[key, body[field]]])),
  )
}

function limitFields(limits: OwnLimits): LimitFields {
  return Object.fromEntries(
    LIMIT_FIELDS.flatMap(([field, key]) =>
      limits[key] === undefined ? [] : [[field, limits[key]]],
    ),
  )
}

function policyFields(policy: ToolPolicyInfo) {
  return {
    name: policy.name,
    revision: policy.revision,
    servers: policy.servers,
    ...madeBy(policy.createdBy),
    created_at: toIso(policy.createdAt),
    updated_by: madeBy(policy.changedBy).created_by,
    updated_at: toIso(policy.changedAt),
  }
}
