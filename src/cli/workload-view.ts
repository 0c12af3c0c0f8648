import type { WorkloadRule } from '../core/identity-port.ts'
import { toIso } from '../core/time.ts'
import type { Json } from './command.ts'

export function workloadJson(rule: WorkloadRule): { readonly [name: string]: Json } {
  return {
    id: rule.id,
    agent_id: rule.agentId,
    issuer: rule.issuer,
    audience: rule.audience,
    subject: rule.subject,
    created_at: toIso(rule.createdAt),
    created_by: rule.createdBy,
  }
}
