import { foldedName } from '../../core/folded-name.ts'
import { type Charge, chargesOf } from './cost.ts'
import { clauseOutcome } from './evaluate.ts'
import type { CallSubject, Clause, MethodSubject, Rule, ToolPolicy } from './model.ts'
import { OPEN_METHODS } from './open-methods.ts'
import type { Judged } from './subject-path.ts'

/** Where a document says what holds for what it does not name. */
const DEFAULT = '/default'

/** Which rule says something, and what. */
export interface RuleSays {
  /** JSON Pointer into the document, `(hidden)` or `(name)`. */
  readonly rule: string
  /** What its author calls it, or null. */
  readonly name: string | null
  readonly reason: string
}

/** What a rule in shadow would have done. */
export interface LiftedVerdict extends RuleSays {
  readonly wouldBe: 'denied' | 'approval'
}

/** The first rule that asks for a person. */
export interface NeedsApproval extends RuleSays {
  /** How long one is waited for: the shortest time that a rule gives; null: as long as approvals are. */
  readonly seconds: number | null
  /** The other rules that ask, in their order. */
  readonly others: readonly RuleSays[]
}

export type ToolDecision =
  | {
      readonly allowed: true
      /** What lets it pass: a rule or `default`, as JSON Pointer, or `(protocol)`. */
      readonly rule: string
      /** What the call has to be counted against, those of its own rule first. */
      readonly charges: readonly Charge[]
      /** Null: it goes on by itself. */
      readonly needsApproval: NeedsApproval | null
      /** Null: no rule in shadow would have stopped it. */
      readonly shadow: LiftedVerdict | null
      /** It has to be in the audit for good before it is sent. */
      readonly isDurable: boolean
      /** The answer goes through `decideResult` before anybody sees it. */
      readonly judgesResult: boolean
    }
  | Denied

export interface Denied extends RuleSays {
  readonly allowed: false
  readonly isHidden: boolean
}

export type ResultDecision =
  | { readonly allowed: true; readonly shadow: LiftedVerdict | null }
  | Denied

/** Judges a call of a tool. Pure: charges are the caller's to count, approvals the caller's to ask for. */
export function decideTool(policy: ToolPolicy, subject: CallSubject): ToolDecision {
  const { tool } = subject
  if (isHidden(policy, subject)) return NO_TOOL
  const rule = ruleFor(policy, subject)
  if (rule === undefined) {
    if (policy.fallback === 'deny') return denied(DEFAULT, 'The policy does not allow this tool.')
    // What is said of another spelling of a hidden tool would say that there is one.
    if (isLookAlike(policy.foldedHidden, tool)) return NO_TOOL
    if (isLookAlike(policy.foldedTools, tool))
      return denied('(name)', 'The name could be taken for that of a tool with rules of its own.')
  }
  return decideBy(
    rule === undefined ? [policy.allTools] : [rule, policy.allTools],
    rule?.pointer ?? DEFAULT,
    judgedOf(policy, subject),
  )
}

/** Judges a request of another method: of the client, or one that the server makes of it. */
export function decideMethod(policy: ToolPolicy, subject: MethodSubject): ToolDecision {
  const rule = methodRule(policy, subject.method)
  if (rule === undefined) {
    if (OPEN_METHODS.has(subject.method))
      return decideBy([], '(protocol)', judgedOf(policy, subject))
    if (policy.fallback === 'deny') return denied(DEFAULT, 'The policy does not allow this method.')
    if (isLookAlike(policy.foldedMethods, subject.method))
      return denied('(name)', 'The name could be taken for that of a method with rules of its own.')
    return decideBy([], DEFAULT, judgedOf(policy, subject))
  }
  if (rule.action === 'hide') return NO_METHOD
  return decideBy([rule], rule.pointer, judgedOf(policy, subject))
}

/** Whether a policy hides what it is asked about, whatever else it says of it. */
export function hidesSubject(
  policy: ToolPolicy,
  subject: CallSubject | MethodSubject,
): Denied | null {
  if ('method' in subject)
    return methodRule(policy, subject.method)?.action === 'hide' ? NO_METHOD : null
  return isHidden(policy, subject) ? NO_TOOL : null
}

/** @param result - the `result` of the answer to what was allowed, as parsed */
export function decideResult(
  policy: ToolPolicy,
  subject: CallSubject | MethodSubject,
  result: unknown,
): ResultDecision {
  const judged: Judged = { ...judgedOf(policy, subject), result }
  let shadow: LiftedVerdict | null = null
  for (const rule of rulesFor(policy, subject)) {
    if (rule.onResult === null) continue
    const says = refusalBy(rule, rule.onResult, judged, 'The policy does not let this answer out.')
    if (says === null) continue
    if (rule.action !== 'shadow') return { allowed: false, ...says, isHidden: false }
    shadow ??= { ...says, wouldBe: 'denied' }
  }
  return { allowed: true, shadow }
}

/** Whether a tool stands in the list that agents are given. @param toolClass - of a catalogue, or null */
export function isListed(
  policy: ToolPolicy,
  tool: string,
  toolClass: string | null = null,
): boolean {
  const named = { tool, toolClass }
  if (isHidden(policy, named)) return false
  const rule = ruleFor(policy, named)
  if (rule === undefined && (policy.fallback === 'deny' || isLookAlike(policy.foldedTools, tool)))
    return false
  const isDenied = [rule, policy.allTools].some((one) => one !== undefined && deniesAll(one))
  return !isDenied || policy.listsDenied
}

function deniesAll({ action, denyIf }: Rule): boolean {
  return (
    action === 'deny' || (action !== 'shadow' && denyIf.some(({ tests }) => tests.length === 0))
  )
}

type Named = Pick<CallSubject, 'tool' | 'toolClass'>

function isHidden(policy: ToolPolicy, named: Named): boolean {
  return (
    policy.hide.has('*') || policy.hide.has(named.tool) || ruleFor(policy, named)?.action === 'hide'
  )
}

/** The rule of the tool itself, else that of its class. */
function ruleFor(policy: ToolPolicy, named: Named): Rule | undefined {
  const own = policy.tools.get(named.tool)
  if (own !== undefined || policy.byClass.size === 0) return own
  const toolClass = classOf(policy, named)
  // Another spelling of a tool with rules of its own is no member of a class.
  if (toolClass === null || isLookAlike(policy.foldedTools, named.tool, policy.classes))
    return undefined
  return policy.byClass.get(toolClass)
}

function classOf(policy: ToolPolicy, { tool, toolClass }: Named): string | null {
  return policy.classes.get(tool) ?? toolClass
}

function methodRule({ methods }: ToolPolicy, method: string): Rule | undefined {
  if (methods.size === 0) return undefined
  const own = methods.get(method)
  const slash = method.indexOf('/')
  return own ?? (slash === -1 ? undefined : methods.get(`${method.slice(0, slash)}/*`))
}

/** The rules that have a say on a call: its own, then that of all tools. */
export function rulesFor(
  policy: ToolPolicy,
  subject: CallSubject | MethodSubject,
): readonly Rule[] {
  const own = 'method' in subject ? methodRule(policy, subject.method) : ruleFor(policy, subject)
  return [...(own === undefined ? [] : [own]), ...('method' in subject ? [] : [policy.allTools])]
}

function isLookAlike(
  folded: ReadonlySet<string>,
  name: string,
  exact?: ReadonlyMap<string, unknown>,
): boolean {
  return exact?.has(name) !== true && folded.size > 0 && folded.has(foldedName(name))
}

/** What rules are held against. */
export function judgedOf(policy: ToolPolicy, subject: CallSubject | MethodSubject): Judged {
  const { principal, labels, client, at } = subject
  const asker = { principal, labels, client, at }
  return 'method' in subject
    ? {
        ...asker,
        args: subject.params,
        annotations: null,
        toolClass: null,
        tool: null,
        method: subject.method,
      }
    : {
        ...asker,
        args: subject.args,
        annotations: subject.annotations,
        toolClass: classOf(policy, subject),
        tool: subject.tool,
        method: null,
      }
}

/** Of what denies whatever the arguments are. */
const ALWAYS = 'The policy denies this.'

/**
 * All rules together: the first that denies decides; what a rule in shadow says is only told.
 *
 * @param by what lets it pass where none of them denies
 */
function decideBy(rules: readonly Rule[], by: string, judged: Judged): ToolDecision {
  const charges: Charge[] = []
  let needsApproval: NeedsApproval | null = null
  let shadow: LiftedVerdict | null = null
  for (const rule of rules) {
    const isShadow = rule.action === 'shadow'
    const refusal =
      rule.action === 'deny'
        ? saying(`${rule.pointer}/action`, rule.reason ?? ALWAYS)
        : refusalBy(rule, rule, judged, 'The policy does not allow these arguments.')
    if (refusal !== null) {
      if (!isShadow) return { allowed: false, ...refusal, isHidden: false }
      shadow ??= { ...refusal, wouldBe: 'denied' }
    }
    const charged = chargesOf(rule, judged)
    if ('problem' in charged) {
      const { pointer, name, onDeny } = charged.limit
      // What a rule says of itself does not tell what is wrong with an amount.
      const own = onDeny === rule.reason ? null : onDeny
      const says = saying(`${pointer}/cost`, own ?? charged.problem, name)
      if (!isShadow) return { allowed: false, ...says, isHidden: false }
      shadow ??= { ...says, wouldBe: 'denied' }
      charges.push(...charged.charges)
    } else charges.push(...charged)
    const approval = approvalBy(rule, judged)
    if (approval === null) continue
    if (isShadow) shadow ??= { ...approval, wouldBe: 'approval' }
    else
      needsApproval = bothAsk(needsApproval, {
        ...approval,
        seconds: rule.approvalSeconds,
        others: [],
      })
  }
  return {
    allowed: true,
    rule: by,
    charges,
    needsApproval,
    shadow,
    isDurable: rules.some((rule) => rule.isDurable),
    judgesResult: rules.some(({ onResult }) => onResult !== null),
  }
}

function refusalBy(
  rule: Rule,
  { denyIf, require }: { readonly denyIf: readonly Clause[]; readonly require: readonly Clause[] },
  judged: Judged,
  otherwise: string,
): RuleSays | null {
  const by = (clause: Clause, byItself: string): RuleSays =>
    saying(clause.pointer, clause.says ?? rule.reason ?? byItself, clause.name)
  for (const clause of denyIf)
    if (clauseOutcome(clause, judged) !== false)
      return by(clause, clause.tests.length === 0 ? ALWAYS : otherwise)
  for (const clause of require)
    if (clauseOutcome(clause, judged) !== true) return by(clause, otherwise)
  return null
}

/** A call has to pass all that ask: whoever waits for the one no longer does not wait for the other. */
export function bothAsk(first: NeedsApproval | null, next: NeedsApproval): NeedsApproval {
  if (first === null) return next
  const { seconds, others, ...says } = next
  return {
    ...first,
    seconds:
      first.seconds === null || seconds === null
        ? (first.seconds ?? seconds)
        : Math.min(first.seconds, seconds),
    others: [...first.others, says, ...others],
  }
}

function approvalBy(rule: Rule, judged: Judged): RuleSays | null {
  const otherwise = rule.reason ?? 'A person has to allow this.'
  if (rule.action === 'require_approval') return saying(`${rule.pointer}/action`, otherwise)
  const asking = rule.approveIf.find((clause) => clauseOutcome(clause, judged) !== false)
  return asking === undefined ? null : saying(asking.pointer, asking.says ?? otherwise, asking.name)
}

function saying(rule: string, reason: string, name: string | null = null): RuleSays {
  return { rule, name, reason }
}

function denied(rule: string, reason: string): Denied {
  return { allowed: false, ...saying(rule, reason), isHidden: false }
}

function hidden(reason: string): Denied {
  return { allowed: false, ...saying('(hidden)', reason), isHidden: true }
}

const NO_TOOL = hidden('There is no such tool.')
const NO_METHOD = hidden('There is no such method.')
