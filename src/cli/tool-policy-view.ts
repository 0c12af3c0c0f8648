import type { ToolPolicyInfo } from '../core/gateway-port.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'

export const POLICY_ARGUMENT = { name: 'name', summary: 'the policy' } as const

export function toolPolicyJson(policy: ToolPolicyInfo): { readonly [name: string]: Json } {
  return {
    name: policy.name,
    revision: policy.revision,
    servers: policy.servers,
    created_at: toIso(policy.createdAt),
    created_by: policy.createdBy,
    changed_at: toIso(policy.changedAt),
    changed_by: policy.changedBy,
  }
}
