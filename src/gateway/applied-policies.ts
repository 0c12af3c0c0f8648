import {
  bothAsk,
  type CallSubject,
  type Charge,
  type Denied,
  decideMethod,
  decideResult,
  decideTool,
  hidesSubject,
  isListed,
  type MethodSubject,
  type NeedsApproval,
  type RuleSays,
  type ToolDecision,
  type ToolLimit,
  type ToolPolicy,
  withoutNames,
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

export type Subject = CallSubject | MethodSubject

type Allowed = Extract<ToolDecision, { readonly allowed: true }>

export interface AllowedByAll extends Omit<Allowed, 'charges' | 'shadow'> {
  readonly charges: readonly Charge[]
  /** Rule in shadow that would have stopped it. */
  readonly shadow: string | null
}

/** What holds where there is no policy and none is needed. */
export const ALLOWED: AllowedByAll = {
  allowed: true,
  rule: '(no policy)',
  charges: [],
  needsApproval: null,
  shadow: null,
  isDurable: false,
  judgesResult: false,
}

/** Which revisions a call was judged by, as it is recorded; null without a policy. */
export function revisionOf(policies: PoliciesNow): string | null {
  const [first, ...others] = policies
  if (first === undefined) return null
  return others.length === 0 ? first.revision : policies.map(({ revision }) => revision).join(' ')
}

/**
 * The first policy that denies decides what is said, but for one that hides: a denial would say that the tool is there.
 * What policies that allow ask for comes together.
 *
 * @param among those of them that have a say
 */
export function decideByAll(
  policies: PoliciesNow,
  subject: Subject,
  among: PoliciesNow = policies,
): AllowedByAll | Denied {
  let all = ALLOWED
  for (const one of among) {
    const decision =
      'method' in subject ? decideMethod(one.policy, subject) : decideTool(one.policy, subject)
    if (!decision.allowed) {
      const says = named(policies, one, decision)
      return decision.isHidden ? says : (hiddenBy(policies, subject, among) ?? says)
    }
    const { needsApproval, shadow, charges } = decision
    const rule = ruleOf(policies, one, decision.rule)
    all = {
      allowed: true,
      rule: all === ALLOWED ? rule : `${all.rule} ${rule}`,
      charges:
        policies.length === 1 ? charges : [...all.charges, ...namedCharges(policies, one, charges)],
      needsApproval:
        needsApproval === null
          ? all.needsApproval
          : bothAsk(all.needsApproval, namedAsking(policies, one, needsApproval)),
      shadow: all.shadow ?? (shadow && ruleOf(policies, one, shadow.rule)),
      isDurable: all.isDurable || decision.isDurable,
      judgesResult: all.judgesResult || decision.judgesResult,
    }
  }
  return all
}

/**
 * Why a client is not told that a resource changed. Who listens to one is told of its parts, too, of which he may not
 * have been let listen to each.
 *
 * @param params of the notification
 */
export function deniesChange(
  policies: PoliciesNow,
  asker: Omit<MethodSubject, 'method' | 'params'>,
  params: MethodSubject['params'],
): Denied | null {
  const method = 'resources/subscribe'
  const among = policies.filter((one) => namesMethod(one, method))
  const decision = decideByAll(policies, { ...asker, method, params }, among)
  return decision.allowed ? null : decision
}

/** Policies as they hold for a tool that none of them names. */
export function withoutNamesOfAll(policies: PoliciesNow): PoliciesNow {
  return policies.map((one) => ({ ...one, policy: withoutNames(one.policy) }))
}

function hiddenBy(policies: PoliciesNow, subject: Subject, among: PoliciesNow): Denied | null {
  for (const one of among) {
    const hidden = hidesSubject(one.policy, subject)
    if (hidden !== null) return named(policies, one, hidden)
  }
  return null
}

/** @returns null when the answer may go out, with what rules in shadow say of it */
export function decideResultByAll(
  policies: PoliciesNow,
  subject: Subject,
  result: unknown,
  among: PoliciesNow = policies,
): { readonly denied: Denied | null; readonly shadow: string | null } {
  let shadow: string | null = null
  for (const one of among) {
    const decision = decideResult(one.policy, subject, result)
    if (!decision.allowed) return { denied: named(policies, one, decision), shadow }
    if (decision.shadow !== null) shadow ??= ruleOf(policies, one, decision.shadow.rule)
  }
  return { denied: null, shadow }
}

/** Whether a tool stands in the list that agents are given. */
export function isListedByAll(policies: PoliciesNow, tool: string): boolean {
  return policies.every(({ policy }) => isListed(policy, tool))
}

/** Whether a policy has a rule for a method, or for its family. */
export function namesMethod({ policy }: AppliedPolicy, method: string): boolean {
  const { methods } = policy
  if (methods.size === 0) return false
  return methods.has(method) || methods.has(`${method.slice(0, method.indexOf('/'))}/*`)
}

/** Whether a policy lets a method pass, whatever it says and whoever it is for. */
export function passesFreely({ policy }: AppliedPolicy, method: string): boolean {
  const { methods, fallback } = policy
  const rule = methods.get(method) ?? methods.get(`${method.slice(0, method.indexOf('/'))}/*`)
  if (rule === undefined) return fallback === 'allow'
  const { action, denyIf, require, approveIf, limits, onResult } = rule
  const clauses = denyIf.length + require.length + approveIf.length + limits.length
  return action === 'allow' && clauses === 0 && onResult === null
}

/** Whether any policy says something of methods. */
export function hasMethodRules(policies: PoliciesNow): boolean {
  return policies.some(({ policy }) => policy.methods.size > 0)
}

function named<S extends RuleSays>(policies: PoliciesNow, by: AppliedPolicy, says: S): S {
  return policies.length === 1 ? says : { ...says, rule: ruleOf(policies, by, says.rule) }
}

function namedAsking(
  policies: PoliciesNow,
  by: AppliedPolicy,
  asking: NeedsApproval,
): NeedsApproval {
  return {
    ...named(policies, by, asking),
    others: asking.others.map((other) => named(policies, by, other)),
  }
}

/** Where there are several, a rule is known by its policy too. */
function ruleOf(policies: PoliciesNow, { name }: AppliedPolicy, pointer: string): string {
  return policies.length === 1 ? pointer : `${name}#${pointer}`
}

/** A limit of several policies is known by its own, too: the same object each time, so that others can remember it. */
const namedLimits = new WeakMap<ToolLimit, ToolLimit>()

function namedCharges(
  policies: PoliciesNow,
  by: AppliedPolicy,
  charges: readonly Charge[],
): readonly Charge[] {
  return charges.map((charge) => {
    const pointer = ruleOf(policies, by, charge.limit.pointer)
    let limit = namedLimits.get(charge.limit)
    if (limit?.pointer !== pointer) {
      limit = { ...charge.limit, pointer }
      namedLimits.set(charge.limit, limit)
    }
    return { ...charge, limit }
  })
}
