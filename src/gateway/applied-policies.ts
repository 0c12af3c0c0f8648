import {
  type CallSubject,
  decideTool,
  isListed,
  type RuleSays,
  type ToolDecision,
  type ToolPolicy,
} from '../policy/tool-policy/index.ts'

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

/** The first policy that denies decides what is said; what the others ask for comes together. */
export function decideByAll(policies: PoliciesNow, subject: CallSubject): ToolDecision {
  let all: Extract<ToolDecision, { readonly allowed: true }> = {
    allowed: true,
    charges: [],
    needsApproval: null,
    shadow: null,
    isDurable: false,
    judgesResult: false,
  }
  for (const one of policies) {
    const decision = decideTool(one.policy, subject)
    const named = <S extends RuleSays>(says: S): S => ({
      ...says,
      rule: ruleOf(policies, one, says.rule),
    })
    if (!decision.allowed) return named(decision)
    const { needsApproval, shadow } = decision
    all = {
      allowed: true,
      charges: [
        ...all.charges,
        ...decision.charges.map(({ limit, ...charge }) => ({
          ...charge,
          limit: { ...limit, pointer: ruleOf(policies, one, limit.pointer) },
        })),
      ],
      needsApproval: all.needsApproval ?? (needsApproval && named(needsApproval)),
      shadow: all.shadow ?? (shadow && named(shadow)),
      isDurable: all.isDurable || decision.isDurable,
      judgesResult: all.judgesResult || decision.judgesResult,
    }
  }
  return all
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
