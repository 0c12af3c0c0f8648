import type { Denied, MethodSubject } from '../policy/tool-policy/index.ts'
import {
  ALLOWED,
  type AllowedByAll,
  decideByAll,
  decideResultByAll,
  namesMethod,
  type PoliciesNow,
  type Subject,
} from './applied-policies.ts'
import { type Denial, deniedByPolicy } from './denial.ts'
import { type MadeBy, resultsOfTask } from './made-tasks.ts'
import type { SeenTools } from './seen-tools.ts'

/** What is said of a message about a task. */
export interface TaskDecision {
  /** What holds of the message; what the call itself took or asked for is done with. */
  readonly decision: AllowedByAll
  /** Judges what is said of the task; null when no rule looks at results. */
  readonly judgeResult: ((said: unknown) => Denial | null) | null
}

/**
 * Judges what is asked or told of a task. The call that made it has to be allowed still; a rule for the method has a
 * say beside that. What nobody is known to have called for follows `default`.
 *
 * @param onShadow told of a rule in shadow that would have kept an answer back
 */
export function decideTask(
  policies: PoliciesNow,
  subject: MethodSubject,
  made: MadeBy,
  tools: SeenTools,
  onShadow: (rule: string) => void = () => {},
): TaskDecision | Denial {
  const { method } = subject
  if (policies.length === 0) return { decision: ALLOWED, judgeResult: null }
  if (made.kind === 'withheld') return deniedByPolicy('(task)', made.why)
  const judging =
    made.kind === 'call' ? policies.filter((one) => namesMethod(one, method)) : policies
  const own = decideByAll(policies, subject, judging)
  if (!own.allowed) return denialOf(own)
  if (made.kind === 'unreadable') return deniedByPolicy('(task)', made.why)
  const verdictOn = (of: Subject, result: unknown, among = policies): Denial | null => {
    const { denied, shadow } = decideResultByAll(policies, of, result, among)
    if (shadow !== null) onShadow(shadow)
    return denialOf(denied)
  }
  const judgeOwn = own.judgesResult ? (said: unknown) => verdictOn(subject, said, judging) : null
  if (made.kind === 'unknown') return { decision: own, judgeResult: judgeOwn }
  const { principal, labels, client, at } = subject
  const { tool, args } = made.call
  const call = {
    principal,
    labels,
    client,
    at,
    tool,
    args,
    annotations: tools.annotationsOf(tool),
    toolClass: null,
  }
  const verdict = decideByAll(policies, call)
  if (!verdict.allowed) return denialOf(verdict)
  const judgeCall = verdict.judgesResult
    ? (said: unknown) => {
        for (const result of resultsOfTask(method, said)) {
          const denial = verdictOn(call, result)
          if (denial !== null) return denial
        }
        return null
      }
    : null
  return {
    decision: {
      ...own,
      rule: judging.length === 0 ? verdict.rule : own.rule,
      shadow: own.shadow ?? verdict.shadow,
      isDurable: own.isDurable || verdict.isDurable,
    },
    judgeResult:
      judgeOwn === null || judgeCall === null
        ? (judgeOwn ?? judgeCall)
        : (said) => judgeOwn(said) ?? judgeCall(said),
  }
}

function denialOf(denied: Denied): Denial
function denialOf(denied: Denied | null): Denial | null
function denialOf(denied: Denied | null): Denial | null {
  if (denied === null) return null
  const denial = deniedByPolicy(denied.rule, denied.reason)
  return denied.isHidden ? { ...denial, kind: 'unknown-tool' } : denial
}
