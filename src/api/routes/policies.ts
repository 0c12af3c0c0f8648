import * as z from 'zod'
import { Fault } from '../../core/faults.ts'
import type {
  AccessConditions,
  AccessExplanation,
  AccessPermission,
  PathPolicyInfo,
  PolicyApproval,
  PolicyPort,
} from '../../core/policy-port.ts'
import { toIso } from '../../core/time.ts'
import { AWAITING } from '../awaiting.ts'
import { expectationOf, shownAs } from '../conditional.ts'
import {
  conditionsSchema,
  type consensusTriggerSchema,
  explanationSchema,
  permissionSchema,
  policyBody,
  policyChangeBody,
  policySchema,
} from '../contract/access.ts'
import { type Call, type Operation, operation } from '../operation.ts'
import { withWireNames } from '../wire-names.ts'
import { isoOrNull, madeBy, optionalMoment } from './moments.ts'

const WIRE = {
  pattern: 'secret_path_pattern',
  ipAllowlist: 'conditions.ip_allowlist',
  timeWindow: 'conditions.time_window',
  environmentIn: 'conditions.environment_in',
  startHour: 'start_hour',
  endHour: 'end_hour',
  daysOfWeek: 'days_of_week',
  cronExpr: 'cron_expr',
  expiresAt: 'expires_at',
  principalType: 'principal_type',
  principalId: 'principal_id',
  'approval.expiresInSeconds': 'approval.expires_in',
} as const

const NOT_ALLOWED = { description: 'More than the caller holds, or may hand on.' }
const GONE = { description: 'There is no such vault or policy.' }

export function policyOperations(policies: PolicyPort): readonly Operation[] {
  return [
    operation({
      id: 'listPolicies',
      method: 'GET',
      path: '/v1/vaults/{vault}/policies',
      tag: 'policies',
      summary: 'The path policies of a vault; those about the caller, if it may not see more.',
      answers: {
        200: {
          description: 'By pattern.',
          schema: z.object({ policies: z.array(policySchema) }),
        },
        404: GONE,
      },
      async handle(call) {
        const list = await policies.list(call.caller, vaultOf(call))
        return { status: 200, body: { policies: list.map(policyFields) } }
      },
    }),
    operation({
      id: 'createPolicy',
      method: 'POST',
      path: '/v1/vaults/{vault}/policies',
      tag: 'policies',
      summary: 'Allows or denies somebody something at the paths of a pattern.',
      tagged: true,
      body: policyBody,
      answers: {
        201: { description: 'In force.', schema: policySchema },
        202: AWAITING,
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const { body } = call
        const expiresAt = optionalMoment('expires_at', body.expires_at)
        const approval = approvalFrom(body)
        const made = await withWireNames(WIRE, () =>
          policies.create(call.caller, vaultOf(call), {
            pattern: body.secret_path_pattern,
            principalType: body.principal_type,
            principalId: body.principal_id,
            permissions: permissionsFrom(body.permissions, body.exact_permissions),
            ...(body.effect === undefined ? {} : { effect: body.effect }),
            ...(body.priority === undefined ? {} : { priority: body.priority }),
            ...(expiresAt === undefined ? {} : { expiresAt }),
            conditions: conditionsFrom(body.conditions) ?? null,
            ...(approval === undefined ? {} : { approval }),
          }),
        )
        return shownAs(made, { status: 201, body: policyFields(made) })
      },
    }),
    operation({
      id: 'getPolicy',
      method: 'GET',
      path: '/v1/vaults/{vault}/policies/{policy}',
      tag: 'policies',
      summary: 'One policy; one about somebody else, if the caller may see that.',
      tagged: true,
      answers: { 200: { description: 'As it is.', schema: policySchema }, 404: GONE },
      async handle(call) {
        const id = call.params['policy'] ?? ''
        const policy = (await policies.list(call.caller, vaultOf(call))).find(
          (one) => one.id === id,
        )
        if (policy === undefined)
          throw new Fault('NOT_FOUND', `There is no policy '${id.slice(0, 64)}' in this vault.`)
        return shownAs(policy, { status: 200, body: policyFields(policy) })
      },
    }),
    operation({
      id: 'updatePolicy',
      method: 'PUT',
      path: '/v1/vaults/{vault}/policies/{policy}',
      tag: 'policies',
      summary: 'Changes what is named; pattern and principal stay.',
      conditions: ['If-Match'],
      tagged: true,
      body: policyChangeBody,
      answers: {
        200: { description: 'In force.', schema: policySchema },
        202: AWAITING,
        403: NOT_ALLOWED,
        404: GONE,
      },
      async handle(call) {
        const { body } = call
        const expiresAt = optionalMoment('expires_at', body.expires_at)
        const conditions = conditionsFrom(body.conditions)
        const approval = approvalFrom(body)
        const expected = expectationOf(call)
        const changed = await withWireNames(WIRE, () =>
          policies.update(
            call.caller,
            vaultOf(call),
            call.params['policy'] ?? '',
            {
              ...(body.permissions === undefined
                ? {}
                : { permissions: permissionsFrom(body.permissions, body.exact_permissions) }),
              ...(conditions === undefined ? {} : { conditions }),
              ...(approval === undefined ? {} : { approval }),
              ...(expiresAt === undefined ? {} : { expiresAt }),
              ...(body.effect === undefined ? {} : { effect: body.effect }),
              ...(body.priority === undefined ? {} : { priority: body.priority }),
            },
            expected,
          ),
        )
        return shownAs(changed, { status: 200, body: policyFields(changed) })
      },
    }),
    operation({
      id: 'deletePolicy',
      method: 'DELETE',
      path: '/v1/vaults/{vault}/policies/{policy}',
      tag: 'policies',
      summary: 'Takes a policy away.',
      conditions: ['If-Match'],
      answers: { 204: { description: 'Gone.' }, 403: NOT_ALLOWED, 404: GONE },
      async handle(call) {
        const expected = expectationOf(call)
        await policies.remove(call.caller, vaultOf(call), call.params['policy'] ?? '', expected)
        return { status: 204 }
      },
    }),
    operation({
      id: 'explainAccess',
      method: 'GET',
      path: '/v1/policies/explain',
      tag: 'policies',
      summary: 'Whether somebody may do something at a path, why, and what would change it.',
      query: z.object({
        vault: z.string(),
        path: z.string(),
        permission: permissionSchema.default('read'),
        principal_type: z.enum(['user', 'agent']),
        principal_id: z.string(),
      }),
      answers: {
        200: { description: 'The decision and its reasons.', schema: explanationSchema },
        403: { description: 'It is about somebody else, and the caller may not see that.' },
        404: { description: 'There is no such vault or principal.' },
      },
      async handle({ caller, query }) {
        const explained = await policies.explain(caller, query.vault, {
          principalType: query.principal_type,
          principalId: query.principal_id,
          path: query.path,
          permission: query.permission,
        })
        return { status: 200, body: explanationFields(explained) }
      },
    }),
  ]
}

function vaultOf({ params }: Call): string {
  return params['vault'] ?? ''
}

/** In the older API, whose only permissions are these three, whoever may read may also list. */
function permissionsFrom(
  given: readonly AccessPermission[],
  isExact = false,
): readonly AccessPermission[] {
  const isOlder = given.every((one) => one === 'read' || one === 'write' || one === 'delete')
  return isOlder && !isExact && given.includes('read') ? [...given, 'list'] : given
}

function conditionsFrom(
  given: z.output<typeof conditionsSchema> | null | undefined,
): AccessConditions | null | undefined {
  if (given === null || given === undefined) return given
  const { ip_allowlist, time_window, environment_in } = given
  if (ip_allowlist === undefined && time_window === undefined && environment_in === undefined)
    return null
  return {
    ...(ip_allowlist === undefined ? {} : { ipAllowlist: ip_allowlist }),
    ...(time_window === undefined ? {} : { timeWindow: windowFrom(time_window) }),
    ...(environment_in === undefined ? {} : { environmentIn: environment_in }),
  }
}

/** By either name; both at once must say the same. */
function approvalFrom({
  approval,
  consensus_trigger: trigger,
}: {
  readonly approval?: { readonly needed: number; readonly expires_in: number } | null | undefined
  readonly consensus_trigger?: z.output<typeof consensusTriggerSchema> | null | undefined
}): PolicyApproval | null | undefined {
  const own = approval && { needed: approval.needed, expiresInSeconds: approval.expires_in }
  const older = trigger && {
    needed: trigger.approval.min_approvals,
    expiresInSeconds: trigger.expiry_secs ?? TRIGGER_SECONDS,
  }
  const isSame = own?.needed === older?.needed && own?.expiresInSeconds === older?.expiresInSeconds
  if (own && older && !isSame)
    throw new Fault('BAD_INPUT', 'approval and consensus_trigger differ; give one of them.', {
      details: { field: 'approval' },
    })
  return own ?? older ?? (approval === null || trigger === null ? null : undefined)
}

/** Of a consensus_trigger that does not say. */
const TRIGGER_SECONDS = 86_400

function windowFrom(given: NonNullable<z.output<typeof conditionsSchema>['time_window']>) {
  const { start_hour, end_hour, days_of_week, timezone, cron_expr } = given
  return {
    ...(start_hour === undefined ? {} : { startHour: start_hour }),
    ...(end_hour === undefined ? {} : { endHour: end_hour }),
    ...(days_of_week === undefined ? {} : { daysOfWeek: days_of_week }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(cron_expr === undefined ? {} : { cronExpr: cron_expr }),
  }
}

function conditionFields(conditions: AccessConditions | null) {
  const { ipAllowlist, timeWindow, environmentIn } = conditions ?? {}
  return {
    ...(ipAllowlist === undefined ? {} : { ip_allowlist: ipAllowlist }),
    ...(timeWindow === undefined
      ? {}
      : {
          time_window: {
            start_hour: timeWindow.startHour,
            end_hour: timeWindow.endHour,
            days_of_week: timeWindow.daysOfWeek,
            timezone: timeWindow.timezone,
            cron_expr: timeWindow.cronExpr,
          },
        }),
    ...(environmentIn === undefined ? {} : { environment_in: environmentIn }),
  }
}

function policyFields(policy: PathPolicyInfo) {
  return {
    id: policy.id,
    vault_id: policy.vaultId,
    secret_path_pattern: policy.pattern,
    principal_type: policy.principalType,
    principal_id: policy.principalId,
    permissions: policy.permissions,
    conditions: conditionFields(policy.conditions),
    expires_at: isoOrNull(policy.expiresAt),
    effect: policy.effect,
    priority: policy.priority,
    approval: approvalFields(policy.approval),
    consensus_trigger: triggerFields(policy.approval),
    ...madeBy(policy.createdBy),
    created_at: toIso(policy.createdAt),
  }
}

function approvalFields(approval: PolicyApproval | null) {
  return approval === null
    ? null
    : { needed: approval.needed, expires_in: approval.expiresInSeconds }
}

function triggerFields(approval: PolicyApproval | null) {
  return approval === null
    ? null
    : {
        conditions: [],
        approval: { min_approvals: approval.needed },
        expiry_secs: approval.expiresInSeconds,
      }
}

function explanationFields(explained: AccessExplanation) {
  return {
    allowed: explained.allowed,
    layer: explained.layer,
    policy_id: explained.by,
    reason: explained.reason,
    approval: approvalFields(explained.approval),
    without_it:
      explained.withoutIt === null
        ? null
        : { allowed: explained.withoutIt.allowed, reason: explained.withoutIt.reason },
    considered: explained.considered.map(({ policy, outcome }) => ({
      policy: policyFields(policy),
      outcome,
    })),
  }
}
