import {
  decideTool,
  isListed,
  type ToolDecision,
  type ToolLimit,
  type ToolPolicy,
} from '../policy/index.ts'

/** A policy that holds for calls right now. */
export interface AppliedPolicy {
  /** What its person calls it. */
  readonly name: string
  readonly policy: ToolPolicy
  /** Another text when the document is another. */
  readonly revision: string
}

/** A call has to pass all of them, and all of their limits count. None: there is no policy. */
export type PoliciesNow = readonly AppliedPolicy[]

/** Which revisions a call was judged by, as it is recorded; null without a policy. */
export function revisionOf(policies: PoliciesNow): string | null {
  return policies.length === 0 ? null : policies.map(({ revision }) => revision).join(' ')
}

/** The first policy that denies decides what is said. */
export function decideByAll(
  policies: PoliciesNow,
  tool: string,
  args: Readonly<Record<string, unknown>>,
): ToolDecision {
  const limits: ToolLimit[] = []
  for (const one of policies) {
    const decision = decideTool(one.policy, tool, args)
    if (!decision.allowed) return { ...decision, rule: ruleOf(policies, one, decision.rule) }
    for (const limit of decision.limits)
      limits.push({ ...limit, pointer: ruleOf(policies, one, limit.pointer) })
  }
  return { allowed: true, limits }
}

/** Whether a tool stands in the list that agents are given. */
export function isListedByAll(policies: PoliciesNow, tool: string): boolean {
  return policies.every(({ policy }) => isListed(policy, tool))
}

/** Whether what no rule names is denied. */
export function isDefaultDeny(policies: PoliciesNow): boolean {
  return policies.some(({ policy }) => policy.fallback === 'deny')
}

/** Where there are several, a rule is known by its policy too. */
function ruleOf(policies: PoliciesNow, { name }: AppliedPolicy, pointer: string): string {
  return policies.length === 1 ? pointer : `${name}#${pointer}`
}
