import { settlementBy } from './cost.ts'
import { judgedOf, rulesFor } from './decide.ts'
import type {
  CallSubject,
  Clause,
  Condition,
  Cost,
  MethodSubject,
  Outcome,
  Rule,
  SubjectPath,
  Test,
  ToolLimit,
  ToolPolicy,
} from './model.ts'
import { type Found, findIn, findInSubject } from './subject-path.ts'

/** Stands in arguments for a value that was not kept. It has no members of its own: nothing is found within it. */
export class Unrecorded {
  readonly #isText: boolean

  constructor(isText: boolean) {
    this.#isText = isText
  }

  /** It was a text that was not empty; else it may have been anything, or nothing. */
  get isText(): boolean {
    return this.#isText
  }
}

export const UNRECORDED_TEXT = new Unrecorded(true)
export const UNRECORDED = new Unrecorded(false)

/** What of an answer was kept: each place that was read, and what stood there. */
export type RecordedParts = readonly {
  readonly path: SubjectPath
  /** `unrecorded`: it was not kept; of `text` it is known to have been a text. */
  readonly found: Found | 'unrecorded'
}[]

/** A call as it was recorded: where a value was not kept, one of `Unrecorded` stands. */
export interface RecordedSubject {
  readonly subject: CallSubject | MethodSubject
  /** Whether what the server says of the tool was kept. */
  readonly hasAnnotations: boolean
  /** Of its answer; null where none is judged. */
  readonly parts: RecordedParts | null
}

/** What is asked about a value that was not kept. */
export interface OpenQuestion {
  /** The same for the same question on the same value. */
  readonly key: string
  /** Where the value stood. */
  readonly path: SubjectPath
}

/** Answers for what is not known: one of the ways in which it may have been. */
export type Choose = (question: OpenQuestion, ways: readonly Outcome[]) => Outcome

/** In place of a cost whose amount was not kept. */
interface UnknownCost {
  readonly kind: 'fixed'
  readonly units: 0
  readonly unknown: Cost
}

/** The cost that a limit of a replayed policy reads where it was not kept; null where it is known. */
export function unknownCostOf({ cost }: Pick<ToolLimit, 'cost'>): Cost | null {
  return 'unknown' in cost ? (cost as UnknownCost).unknown : null
}

/**
 * A policy for one recorded call, which decides as the policy itself does, but for what hangs on values that were not
 * kept: there `choose` decides what was met. Only the rules that have a say on the call are in it.
 */
export function replayedPolicy(
  policy: ToolPolicy,
  recorded: RecordedSubject,
  choose: Choose,
): ToolPolicy {
  const { subject } = recorded
  const rules = rulesFor(policy, subject)
  const replayed = (rule: Rule): Rule => replayedRule(rule, policy, recorded, choose)
  if ('method' in subject) {
    const [own] = rules
    const methods = own === undefined ? NO_RULES : new Map([[subject.method, replayed(own)]])
    return { ...policy, methods }
  }
  const own = rules.length > 1 ? rules[0] : undefined
  const { tool } = subject
  const toolClass = policy.classes.get(tool) ?? subject.toolClass ?? ''
  const isOfTool = policy.tools.has(tool)
  return {
    ...policy,
    allTools: replayed(policy.allTools),
    tools: own !== undefined && isOfTool ? new Map([[tool, replayed(own)]]) : NO_RULES,
    byClass: own !== undefined && !isOfTool ? new Map([[toolClass, replayed(own)]]) : NO_RULES,
  }
}

const NO_RULES: ReadonlyMap<string, Rule> = new Map()

function replayedRule(
  rule: Rule,
  policy: ToolPolicy,
  recorded: RecordedSubject,
  choose: Choose,
): Rule {
  const clauses = (some: readonly Clause[]): readonly Clause[] =>
    some.map((one) => ({
      ...one,
      tests: one.tests.map((test) => replayedTest(test, policy, recorded, choose)),
    }))
  const limits = rule.limits.map((limit): ToolLimit => {
    const path = reservedPath(limit.cost)
    if (path === null || !isAnything(lookedUp(policy, recorded, path))) return limit
    // As it stands it is no number, which denies where it has to.
    const isCounted = choose({ key: JSON.stringify(['cost', path]), path }, YES_NO)
    const cost: UnknownCost = { kind: 'fixed', units: 0, unknown: limit.cost }
    return isCounted === true ? { ...limit, cost } : limit
  })
  return {
    ...rule,
    denyIf: clauses(rule.denyIf),
    require: clauses(rule.require),
    approveIf: clauses(rule.approveIf),
    onResult: rule.onResult && {
      denyIf: clauses(rule.onResult.denyIf),
      require: clauses(rule.onResult.require),
    },
    limits,
  }
}

const YES_NO: readonly Outcome[] = [true, false]

/** What a call reserves is read there; null: it does not hang on the call. */
function reservedPath(cost: Cost): SubjectPath | null {
  if (cost.kind === 'fixed') return null
  if (cost.kind === 'argument') return cost.path
  return typeof cost.estimate === 'number' ? null : cost.estimate
}

function replayedTest(
  test: Test,
  policy: ToolPolicy,
  recorded: RecordedSubject,
  choose: Choose,
): Test {
  if (test.kind === 'time') return test
  if (test.kind !== 'condition')
    return {
      ...test,
      tests: test.tests.map((one) => replayedTest(one, policy, recorded, choose)),
    }
  const isOpen = (): Outcome => {
    const found = lookedUp(policy, recorded, test.path)
    if (found === 'missing') return test.whenMissing
    if (found === 'doubt') return 'doubt'
    const ways = 'value' in found ? waysOfValue(test, found.value) : waysOf(test, found)
    if (ways.length === 1) return ways[0] ?? 'doubt'
    const { path, op, wanted } = test
    return choose({ key: JSON.stringify([path, op, wanted]), path }, ways)
  }
  return { kind: 'time', isOpen, shown: test.shown }
}

interface Lost {
  readonly lost: 'text' | 'anything'
  /** What it stands in was not kept: then names within it may have been in doubt. */
  readonly isWithin: boolean
}

function isAnything(found: Found | Lost): boolean {
  return typeof found === 'object' && 'lost' in found && found.lost === 'anything'
}

function lookedUp(
  policy: ToolPolicy,
  { subject, hasAnnotations, parts }: RecordedSubject,
  path: SubjectPath,
): Found | Lost {
  const { root, steps, isPointer } = path
  if (root === 'result' || root === 'text') return inParts(parts ?? [], path)
  if (root === 'annotations' && !hasAnnotations) return { lost: 'anything', isWithin: true }
  const judged = judgedOf(policy, subject)
  if (root === 'args' || root === 'params') return inValue(judged.args, steps, isPointer)
  const found = findInSubject(judged, path)
  return lostOf(found, false) ?? found
}

/** As `findIn`, in a value that may lack some of what it had. */
function inValue(whole: unknown, steps: readonly string[], isPointer: boolean): Found | Lost {
  for (let depth = 0; depth <= steps.length; depth += 1) {
    const found = findIn(whole, steps.slice(0, depth), isPointer)
    if (found === 'missing' || found === 'doubt') return found
    const lost = lostOf(found, depth < steps.length)
    if (lost === null) continue
    // There is nothing within a text.
    return lost.isWithin && lost.lost === 'text' ? 'missing' : lost
  }
  return findIn(whole, steps, isPointer)
}

function lostOf(found: Found, isWithin: boolean): Lost | null {
  if (typeof found !== 'object' || !(found.value instanceof Unrecorded)) return null
  return { lost: found.value.isText ? 'text' : 'anything', isWithin }
}

function inParts(parts: RecordedParts, { root, steps, isPointer }: SubjectPath): Found | Lost {
  for (const { path, found } of parts) {
    const isAbove =
      path.root === root &&
      path.isPointer === isPointer &&
      path.steps.length <= steps.length &&
      path.steps.every((step, at) => step === steps[at])
    if (!isAbove || found === 'unrecorded') continue
    if (found === 'missing' || found === 'doubt') return found
    return inValue(found.value, steps.slice(path.steps.length), isPointer)
  }
  return root === 'text' ? { lost: 'text', isWithin: false } : { lost: 'anything', isWithin: true }
}

const ANYTHING: readonly Outcome[] = [true, false, 'doubt']

/** A list may hold what was not kept; everything else that does is no single value, and judged as that. */
function waysOfValue({ op, meets }: Condition, value: unknown): readonly Outcome[] {
  const met = meets(value)
  const isOpen = op === 'contains' && met === false && Array.isArray(value)
  return isOpen && value.some((one) => one instanceof Unrecorded) ? YES_NO : [met]
}

/** How a condition may have come out on a value that was not kept. */
function waysOf({ op, wanted, meets }: Condition, { lost, isWithin }: Lost): readonly Outcome[] {
  const isOfTexts = wanted.some((one) => typeof one === 'string')
  switch (op) {
    case 'exists':
      return lost === 'text' ? [meets('text')] : isWithin ? ANYTHING : YES_NO
    case 'eq':
    case 'neq':
    case 'in':
    case 'not_in':
      if (lost === 'text') return isOfTexts ? YES_NO : [meets('text')]
      return isWithin ? ANYTHING : YES_NO
    case 'contains':
      if (lost === 'text') return isOfTexts ? YES_NO : [meets('text')]
      return ANYTHING
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return lost === 'text' ? [meets('text')] : ANYTHING
    case 'regex':
      return ANYTHING
  }
}

/**
 * What a limit counts by the recorded answer, in units of the limit.
 *
 * @returns null where the estimate stays, `unrecorded` where what it reads was not kept
 */
export function replayedSettlement(
  parts: RecordedParts,
  { cost, ...limit }: Pick<ToolLimit, 'cost' | 'scale' | 'max'>,
): number | 'unrecorded' | null {
  const read = 'unknown' in cost ? (cost as UnknownCost).unknown : cost
  if (read.kind !== 'result') return null
  const found = inParts(parts, read.path)
  if (typeof found === 'object' && !('value' in found)) return 'unrecorded'
  return settlementBy(limit, read.path, found).amount
}

/** `args.to.kind`, `result#/rows/0` */
export function shownSubjectPath({ root, steps, isPointer }: SubjectPath): string {
  return isPointer ? `${root}#/${steps.join('/')}` : [root, ...steps].join('.')
}

/**
 * All ways in which something may come out that asks `choose` for what it does not know; each question has one answer
 * within one way.
 *
 * @returns null when there are more than `most`
 */
export function everyWay<T>(work: (choose: Choose) => T, most: number): readonly T[] | null {
  const found: T[] = []
  const taken: { at: number; readonly of: number }[] = []
  do {
    if (found.length >= most) return null
    let asked = 0
    const answers = new Map<string, Outcome>()
    found.push(
      work(({ key }, ways) => {
        const known = answers.get(key)
        if (known !== undefined) return known
        const step = taken[asked] ?? { at: 0, of: ways.length }
        taken[asked] = step
        asked += 1
        const answer = ways[step.at] ?? 'doubt'
        answers.set(key, answer)
        return answer
      }),
    )
    while (taken.length > 0 && (taken.at(-1)?.at ?? 0) + 1 >= (taken.at(-1)?.of ?? 0)) taken.pop()
    const last = taken.at(-1)
    if (last !== undefined) last.at += 1
  } while (taken.length > 0)
  return found
}
