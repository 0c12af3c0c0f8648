import { foldedName } from '../../core/folded-name.ts'
import { findArgument } from './argument-path.ts'
import type { Clause, Condition, Outcome, ToolLimit, ToolPolicy, ToolRule } from './model.ts'

export type ToolDecision =
  | {
      readonly allowed: true
      /** What the call has to be counted against, those of the policy first. */
      readonly limits: readonly ToolLimit[]
    }
  | {
      readonly allowed: false
      /** JSON Pointer into the document, `(hidden)` or `(default deny)`. */
      readonly rule: string
      readonly reason: string
      readonly isHidden: boolean
    }

/** Judges a call. Pure: limits are the caller's to count. */
export function decideTool(
  policy: ToolPolicy,
  tool: string,
  args: Readonly<Record<string, unknown>>,
): ToolDecision {
  const rule = policy.tools.get(tool)
  if (isHidden(policy, tool))
    return { allowed: false, rule: '(hidden)', reason: 'There is no such tool.', isHidden: true }
  if (rule === undefined) {
    if (policy.fallback === 'deny')
      return denied('(default deny)', 'The policy does not allow this tool.')
    if (policy.foldedNames.has(foldedName(tool)))
      return denied('(name)', 'The name could be taken for that of a tool with rules of its own.')
    return { allowed: true, limits: policy.limits }
  }
  if (rule.action === 'deny')
    return denied(`${rule.pointer}/action`, rule.reason ?? 'The policy denies this tool.')
  for (const clause of rule.denyIf)
    if (outcomeOf(clause, args) !== false) return refusedBy(clause, rule)
  for (const clause of rule.require)
    if (outcomeOf(clause, args) !== true) return refusedBy(clause, rule)
  return { allowed: true, limits: [...policy.limits, ...rule.limits] }
}

/** Whether a tool stands in the list that agents are given. */
export function isListed(policy: ToolPolicy, tool: string): boolean {
  if (isHidden(policy, tool)) return false
  const rule = policy.tools.get(tool)
  if (rule === undefined)
    return policy.fallback === 'allow' && !policy.foldedNames.has(foldedName(tool))
  const isDenied =
    rule.action === 'deny' || rule.denyIf.some((clause) => clause.conditions.length === 0)
  return !isDenied || policy.listsDenied
}

function isHidden(policy: ToolPolicy, tool: string): boolean {
  return policy.hide.has('*') || policy.hide.has(tool) || policy.tools.get(tool)?.action === 'hide'
}

function refusedBy(clause: Clause, rule: ToolRule): ToolDecision {
  return denied(
    clause.pointer,
    clause.onDeny ?? rule.reason ?? 'The policy does not allow these arguments.',
  )
}

function denied(rule: string, reason: string): ToolDecision {
  return { allowed: false, rule, reason, isHidden: false }
}

/** False as soon as one is not met; else in doubt when one is. */
function outcomeOf({ conditions }: Clause, args: unknown): Outcome {
  let outcome: Outcome = true
  for (const condition of conditions) {
    const one = conditionOutcome(condition, args)
    if (one === false) return false
    if (one === 'doubt') outcome = 'doubt'
  }
  return outcome
}

function conditionOutcome(condition: Condition, args: unknown): Outcome {
  const found = findArgument(args, condition)
  if (found === 'doubt') return 'doubt'
  return found === 'missing' ? condition.whenMissing : condition.meets(found.value)
}
