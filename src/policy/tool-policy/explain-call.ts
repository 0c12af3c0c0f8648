import { ExactNumber } from '../../core/decimal.ts'
import type { Charge } from './cost.ts'
import {
  decideMethod,
  decideResult,
  decideTool,
  judgedOf,
  type ResultDecision,
  rulesFor,
  type ToolDecision,
} from './decide.ts'
import { clauseOutcome, testOutcome } from './evaluate.ts'
import type {
  CallSubject,
  Clause,
  MethodSubject,
  Outcome,
  RuleAction,
  Test,
  ToolPolicy,
} from './model.ts'
import { recordSecondsOf } from './recording.ts'
import { findInSubject, type Judged } from './subject-path.ts'
import { withoutNames } from './without-names.ts'

/** One condition, and what it saw. */
export interface SeenTest {
  /** `args.amount lte 50`, `any`, `not` … */
  readonly shown: string
  readonly outcome: Outcome
  /** What stood there, cut short; null for groups and hours. */
  readonly saw: string | null
  readonly within: readonly SeenTest[]
}

export interface SeenClause {
  readonly kind: 'deny_if' | 'require' | 'approve_if' | 'on_result.deny_if' | 'on_result.require'
  readonly pointer: string
  readonly name: string | null
  readonly outcome: Outcome
  readonly tests: readonly SeenTest[]
}

export interface CallExplanation {
  readonly decision: ToolDecision
  /** Null without an answer to judge. */
  readonly result: ResultDecision | null
  /** The rules that were asked, in their order. None: hidden, or the default decides. */
  readonly rules: readonly {
    readonly pointer: string
    readonly action: RuleAction
    readonly clauses: readonly SeenClause[]
  }[]
  readonly charges: readonly Charge[]
  /** For how long the call is recorded; 0 and null: it is not. */
  readonly recordSeconds: number | null
  /** Of a hidden tool: what is made of its call, as of one of a tool that nothing names. Else null. */
  readonly asUnnamed: CallExplanation | null
}

/** Why a policy decides as it does: every clause that has a say, whether it is met, and what it saw. */
export function explainCall(
  policy: ToolPolicy,
  subject: CallSubject | MethodSubject,
  result?: unknown,
): CallExplanation {
  const decision = 'method' in subject ? decideMethod(policy, subject) : decideTool(policy, subject)
  const judged = judgedOf(policy, subject)
  const answered: Judged = { ...judged, result }
  const isHidden = !decision.allowed && decision.isHidden
  const rules = (isHidden ? [] : rulesFor(policy, subject)).map((rule) => {
    const seen = (
      kind: SeenClause['kind'],
      clauses: readonly Clause[],
      of: Judged,
    ): readonly SeenClause[] => clauses.map((clause) => seenClause(kind, clause, of))
    const { onResult } = rule
    return {
      pointer: rule.pointer,
      action: rule.action,
      clauses: [
        ...seen('deny_if', rule.denyIf, judged),
        ...seen('require', rule.require, judged),
        ...seen('approve_if', rule.approveIf, judged),
        ...(onResult === null || result === undefined
          ? []
          : [
              ...seen('on_result.deny_if', onResult.denyIf, answered),
              ...seen('on_result.require', onResult.require, answered),
            ]),
      ],
    }
  })
  return {
    decision,
    result: result === undefined ? null : decideResult(policy, subject, result),
    rules,
    charges: decision.allowed ? decision.charges : [],
    recordSeconds: recordSecondsOf(policy, subject),
    asUnnamed:
      isHidden && 'tool' in subject
        ? explainCall(
            withoutNames(policy),
            { ...subject, annotations: null, toolClass: null },
            result,
          )
        : null,
  }
}

function seenClause(kind: SeenClause['kind'], clause: Clause, judged: Judged): SeenClause {
  const { pointer, name, tests } = clause
  return {
    kind,
    pointer,
    name,
    outcome: clauseOutcome(clause, judged),
    tests: tests.map((test) => seenTest(test, judged)),
  }
}

function seenTest(test: Test, judged: Judged): SeenTest {
  const outcome = testOutcome(test, judged)
  if (test.kind === 'time') return { shown: test.shown, outcome, saw: null, within: [] }
  if (test.kind !== 'condition')
    return {
      shown: test.kind,
      outcome,
      saw: null,
      within: test.tests.map((one) => seenTest(one, judged)),
    }
  const found = findInSubject(judged, test.path)
  const saw =
    found === 'missing'
      ? 'nothing'
      : found === 'doubt'
        ? 'what cannot be said for sure'
        : shown(found.value)
  return { shown: test.shown, outcome, saw, within: [] }
}

const MAX_SHOWN = 60

function shown(value: unknown): string {
  const text =
    value instanceof ExactNumber
      ? value.source
      : (JSON.stringify(value, (_, one: unknown) =>
          one instanceof ExactNumber ? one.source : typeof one === 'bigint' ? String(one) : one,
        ) ?? 'nothing')
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}…` : text
}
