import type { AgentPort } from '../core/identity-port.ts'
import { ACCESS_PERMISSIONS, type PathPolicyInfo } from '../core/policy-port.ts'
import type { Caller } from '../core/principals.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'
import { table, visible } from './text.ts'

export const VAULT_OPTION = {
  vault: { summary: 'vault, by name or id; default the configured one', value: 'NAME' },
} as const

export const PERMISSION_CHOICES = ACCESS_PERMISSIONS

export function policyJson(policy: PathPolicyInfo): { readonly [name: string]: Json } {
  return {
    id: policy.id,
    vault_id: policy.vaultId,
    pattern: policy.pattern,
    principal: `${policy.principalType}:${policy.principalId}`,
    effect: policy.effect,
    permissions: policy.permissions,
    conditions: policy.conditions === null ? null : JSON.stringify(policy.conditions),
    expires_at: policy.expiresAt === null ? null : toIso(policy.expiresAt),
    approval:
      policy.approval === null
        ? null
        : { needed: policy.approval.needed, expires_in: policy.approval.expiresInSeconds },
    created_at: toIso(policy.createdAt),
    created_by: policy.createdBy,
  }
}

/** ` after 2 approvals`, or nothing. */
export function approvalWords({ approval }: Pick<PathPolicyInfo, 'approval'>): string {
  if (approval === null) return ''
  return approval.needed === 1 ? ' after an approval' : ` after ${approval.needed} approvals`
}

/** Names of agents by `agent:ID`, so that a table can be read. */
export async function namesOf(
  agents: AgentPort,
  caller: Caller,
): Promise<ReadonlyMap<string, string>> {
  const all = await agents.list(caller)
  return new Map(all.map(({ id, name }) => [`agent:${id}`, name]))
}

export function policyTable(
  policies: readonly PathPolicyInfo[],
  names: ReadonlyMap<string, string>,
  stream: Parameters<typeof table>[2],
): string {
  if (policies.length === 0) return ''
  return table(
    ['ID', 'WHO', 'EFFECT', 'PATHS', 'MAY', 'UNTIL'],
    policies.map((one) => {
      const who = `${one.principalType}:${one.principalId}`
      return [
        one.id,
        visible(names.get(who) ?? who),
        one.effect,
        one.pattern,
        `${one.permissions.join(' ')}${approvalWords(one)}`,
        one.expiresAt === null ? '-' : toIso(one.expiresAt),
      ]
    }),
    stream,
  )
}
