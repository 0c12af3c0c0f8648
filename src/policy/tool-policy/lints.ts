import { compareDecimals, decimalOf } from '../../core/decimal.ts'
import { quoted } from '../quoted.ts'
import type {
  Condition,
  Operator,
  Rule,
  SubjectPath,
  Test,
  ToolLimit,
  ToolPolicy,
} from './model.ts'
import { pointerStep } from './pointer-step.ts'

/** Something that is allowed and perhaps not meant. */
export interface Lint {
  /** JSON Pointer. */
  readonly pointer: string
  /** A sentence part. */
  readonly problem: string
}

/** What a policy says that its author may not mean: what never counts, and what is less than it looks. */
export function lintsOf(policy: ToolPolicy): readonly Lint[] {
  const rules = [
    policy.allTools,
    ...policy.tools.values(),
    ...policy.byClass.values(),
    ...policy.methods.values(),
  ]
  const filled = new Set(policy.classes.values())
  return [
    ...unreachableTools(policy, filled),
    ...recordLints(policy),
    ...rules.flatMap((rule) => rulesLints(rule, filled)),
    ...counterLints(rules.flatMap(({ limits }) => limits)),
  ]
}

/** @param filled - classes that have a tool: nothing but the policy itself classifies tools */
function unreachableTools(
  { hide, tools, byClass }: ToolPolicy,
  filled: ReadonlySet<string>,
): readonly Lint[] {
  const lints: Lint[] = []
  for (const [name, { pointer, action }] of tools)
    if (action !== 'hide' && (hide.has(name) || hide.has('*')))
      lints.push({ pointer, problem: "the tool is hidden by 'hide': its rule never counts" })
  for (const [name, { pointer }] of byClass)
    if (!filled.has(name)) lints.push({ pointer, problem: emptyClass(name) })
  return lints
}

function emptyClass(name: string): string {
  return `'classes' has no tool of the class ${quoted(name)}`
}

function recordLints({ recordSeconds, tools, byClass, methods }: ToolPolicy): readonly Lint[] {
  if (recordSeconds !== null) return []
  return [...tools.values(), ...byClass.values(), ...methods.values()]
    .filter((rule) => rule.recordSeconds === 0)
    .map(({ pointer }) => ({
      pointer,
      problem: "'record' is 'none' and the policy records no calls: it counts beside others only",
    }))
}

function rulesLints(rule: Rule, filled: ReadonlySet<string>): readonly Lint[] {
  const { pointer, action, denyIf, require, approveIf, onResult, limits } = rule
  const lints: Lint[] = []
  const says = (at: string, problem: string): void => {
    lints.push({ pointer: at, problem })
  }
  const always = denyIf.find(({ tests }) => tests.length === 0)
  if (always !== undefined && action !== 'shadow') {
    const behind = [...denyIf, ...require, ...approveIf, ...limits].filter((one) => one !== always)
    for (const one of behind)
      says(one.pointer, 'never counts: a clause without conditions denies every call')
  }
  const asksAlways = approveIf.findIndex(({ tests }) => tests.length === 0)
  if (asksAlways !== -1)
    for (const one of approveIf.slice(asksAlways + 1))
      says(one.pointer, 'never counts: a clause before it asks a person about every call')
  const all = [
    ...denyIf,
    ...require,
    ...approveIf,
    ...(onResult?.denyIf ?? []),
    ...(onResult?.require ?? []),
  ]
  if (action === 'shadow' && all.length + limits.length === 0)
    says(pointer, "'shadow' has nothing to let pass: the rule never denies")
  for (const clause of all) {
    if (isContradiction(clause.tests)) says(clause.pointer, 'its conditions are never met together')
    for (const problem of new Set(pathsOf(clause.tests).map(notFound)))
      if (problem !== null) says(clause.pointer, problem)
    for (const name of new Set(classesIn(clause.tests)))
      if (!filled.has(name)) says(clause.pointer, emptyClass(name))
    for (const root of rootsOf(clause.tests)) {
      if (root === 'client')
        says(clause.pointer, "clients name themselves: whoever wants to has another 'client'")
      if (root === 'annotations')
        says(
          clause.pointer,
          "servers say 'annotations' of themselves: trust them as you trust the server",
        )
    }
  }
  for (const { pointer: at, scope, max, cost } of limits) {
    const problem = cost.kind === 'fixed' ? null : notFound(cost.path)
    if (problem !== null) says(at, problem)
    if (scope === 'session')
      says(at, "a client can begin a new session and with it a new count; the scope 'grant' holds")
    if (max === 0) says(at, "lets no call pass; the action 'deny' says so")
  }
  return lints
}

function counterLints(limits: readonly ToolLimit[]): readonly Lint[] {
  const first = new Map<string, ToolLimit>()
  const lints: Lint[] = []
  for (const limit of limits) {
    const { counter, window, scope, algorithm, max, pointer } = limit
    const key = JSON.stringify([counter, window, scope, algorithm])
    const other = first.get(key)
    if (other === undefined) first.set(key, limit)
    else if (other.max !== max)
      lints.push({
        pointer,
        problem: `the counter ${quoted(counter)} has another 'max' at ${other.pointer}; they count together`,
      })
  }
  return lints
}

function rootsOf(tests: readonly Test[]): ReadonlySet<string> {
  return new Set(pathsOf(tests).map(({ root }) => root))
}

function pathsOf(tests: readonly Test[]): readonly SubjectPath[] {
  return conditionsOf(tests).map(({ path }) => path)
}

function conditionsOf(tests: readonly Test[]): readonly Condition[] {
  return tests.flatMap((test) =>
    test.kind === 'condition' ? [test] : test.kind === 'time' ? [] : conditionsOf(test.tests),
  )
}

const NAMING: ReadonlySet<Operator> = new Set(['eq', 'neq', 'in', 'not_in'])

/** Classes that conditions name. */
function classesIn(tests: readonly Test[]): readonly string[] {
  return conditionsOf(tests)
    .filter(({ path, op }) => path.root === 'class' && NAMING.has(op))
    .flatMap(({ wanted }) => wanted.filter((one) => typeof one === 'string'))
}

/** What looks like a way into lists and is none. */
function notFound({ root, steps, isPointer }: SubjectPath): string | null {
  if (steps.includes('*')) return "'*' in a path is a name: no path leads to all elements of a list"
  return !isPointer && steps.some((step) => /^\d+$/.test(step))
    ? `names joined by dots do not lead into lists: write ${quoted(`${root}#${steps.map(pointerStep).join('')}`)} for an element`
    : null
}

/** Each is held against each: nobody writes more on one place. */
const MAX_COMPARED = 50

/** Whether conditions that all have to hold never do, as far as conditions on one place can show it. */
function isContradiction(tests: readonly Test[]): boolean {
  const byPath = new Map<string, Condition[]>()
  for (const test of tests)
    if (test.kind === 'condition') {
      const key = JSON.stringify(test.path)
      const others = byPath.get(key)
      if (others === undefined) byPath.set(key, [test])
      else others.push(test)
    }
  return [...byPath.values()].some(
    (conditions) =>
      conditions.length > 1 &&
      conditions.length <= MAX_COMPARED &&
      conditions.some((one) => excludes(one, conditions)),
  )
}

/** Whether none of the values that meet a condition meets the others. */
function excludes(condition: Condition, all: readonly Condition[]): boolean {
  const others = all.filter((one) => one !== condition)
  switch (condition.op) {
    case 'eq':
    case 'in':
      return condition.wanted.every((value) => others.some((one) => one.meets(value) === false))
    case 'exists':
      return condition.whenMissing && others.some((one) => !one.whenMissing)
    case 'gt':
    case 'gte':
      return others.some((other) => isBelow(other) && !overlap(condition, other))
    default:
      return false
  }
}

function isBelow({ op }: Condition): boolean {
  return op === 'lt' || op === 'lte'
}

function overlap(lower: Condition, upper: Condition): boolean {
  const [from, to] = [decimalOf(lower.wanted[0]), decimalOf(upper.wanted[0])]
  if (from === null || to === null) return true
  const order = compareDecimals(from, to)
  return order < 0 || (order === 0 && lower.op === 'gte' && upper.op === 'lte')
}
