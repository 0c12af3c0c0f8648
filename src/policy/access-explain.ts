import {
  type AccessDecision,
  type AccessQuestion,
  type AccessSubject,
  brokenDenial,
  decideAccess,
  isOfAnother,
  readSubject,
} from './access-decision.ts'
import { type AccessPolicy, readPolicy } from './access-policy.ts'
import { isPath } from './path.ts'

/** Why a policy had its say in a decision, or had none. */
export type PolicyOutcome =
  | 'decides'
  | 'agrees'
  | 'overruled'
  | 'another principal'
  | 'another vault'
  | 'another path'
  | 'another permission'
  | 'expired'
  | 'conditions fail'
  | 'conditions unknown'
  | 'not reached'
  | 'malformed'

const APPLYING: readonly PolicyOutcome[] = ['agrees', 'malformed']
const LEFT_OUT = {
  holds: 'agrees',
  expired: 'expired',
  fails: 'conditions fail',
  unknown: 'conditions unknown',
} as const satisfies Record<string, PolicyOutcome>

export interface ConsideredPolicy {
  /** `unreadable` when the row has none. */
  readonly id: string
  readonly outcome: PolicyOutcome
  /** Whether it would deny or allow here; what does not apply, or is doubtful and allows, does not count. */
  readonly counts: boolean
  /** What it failed at, as the end of a sentence that begins with the policy. */
  readonly because: string | null
}

export interface AccessExplained {
  readonly decision: AccessDecision
  /** Every policy that was given, in that order. */
  readonly considered: readonly ConsideredPolicy[]
  /** What the decision would be if the policy that decided went; null when none did. */
  readonly withoutIt: AccessDecision | null
}

/** The decision of `decideAccess`, with what each policy had to do with it. */
export function explainAccess(
  subject: AccessSubject,
  policies: readonly AccessPolicy[],
  question: AccessQuestion,
): AccessExplained {
  const decision = decideAccess(subject, policies, question)
  const isReached =
    readSubject(subject) !== null && ['policy', 'owner', 'none'].includes(decision.layer)
  const isAsking = decision.approval !== undefined
  const brokenAt = policies.findIndex(
    (row) => !isOfAnother(row, subject) && readPolicy(row) === null,
  )
  const considered = policies.map((row, i): ConsideredPolicy => {
    const plain = consider(row, subject, question)
    // Of one that may hold nothing is allowed, but it is the one that has people asked.
    if (isAsking && plain.id === decision.by) return { ...plain, outcome: 'decides' }
    if (!APPLYING.includes(plain.outcome)) return plain
    if (!isReached) return { ...plain, outcome: 'not reached' }
    if (brokenAt !== -1) {
      if (i === brokenAt) return { ...plain, outcome: 'decides' }
      return plain.outcome === 'malformed' ? plain : { ...plain, outcome: 'not reached' }
    }
    const isAllow = row.effect === 'allow'
    const isOtherwise = isAllow !== decision.allowed || (isAsking && !row.approval)
    if (isOtherwise) return { ...plain, outcome: 'overruled' }
    return plain.id === decision.by ? { ...plain, outcome: 'decides' } : plain
  })
  const rest = policies.filter((_, i) => considered[i]?.outcome !== 'decides')
  return {
    decision,
    considered,
    withoutIt: rest.length < policies.length ? decideAccess(subject, rest, question) : null,
  }
}

/** Somebody who may be able to do a thing, with all policies that are about him. */
export interface AccessCandidate {
  readonly subject: AccessSubject
  readonly policies: readonly AccessPolicy[]
  /** The subject created the vault. */
  readonly isOwner: boolean
}

export interface AccessHolder {
  readonly subject: AccessSubject
  readonly decision: AccessDecision
  /** He may not in the case that was asked about, but at another time, from another place or in another environment. */
  readonly isConditional: boolean
}

/**
 * Who may do it, and who could under other circumstances, in the order in which they were given. A null address or
 * environment is a case that was left open.
 */
export function whoMay(
  candidates: readonly AccessCandidate[],
  question: Omit<AccessQuestion, 'isOwner'>,
): readonly AccessHolder[] {
  return candidates.flatMap(({ subject, policies, isOwner }): readonly AccessHolder[] => {
    const own = { ...question, isOwner }
    const decision = decideAccess(subject, policies, own)
    if (decision.allowed) return [{ subject, decision, isConditional: false }]
    const atBest = decideAccess(subject, atTheirBest(policies), own)
    return atBest.allowed ? [{ subject, decision: atBest, isConditional: true }] : []
  })
}

/** Conditions of what allows taken to hold, of what denies not to. */
function atTheirBest(policies: readonly AccessPolicy[]): readonly AccessPolicy[] {
  return policies.flatMap((policy) => {
    const read = readPolicy(policy)
    if (read === null || read.policy.conditions === null) return [policy]
    return read.policy.effect === 'deny' ? [] : [{ ...read.policy, conditions: null }]
  })
}

/** What a policy would have to say for itself; that it applies is `agrees` or `malformed`. */
function consider(
  row: AccessPolicy,
  subject: AccessSubject,
  question: AccessQuestion,
): ConsideredPolicy {
  const read = readPolicy(row)
  const id = read?.policy.id ?? brokenDenial(row).by ?? 'unreadable'
  const says = (outcome: PolicyOutcome): ConsideredPolicy => ({
    id,
    outcome,
    counts: false,
    because: null,
  })
  if (isOfAnother(row, subject)) return says('another principal')
  if (read === null) return { ...says('malformed'), counts: true }
  const { policy, matches } = read
  if (policy.vaultId !== question.vaultId) return says('another vault')
  if (!isPath(question.path) || !matches(question.path)) return says('another path')
  if (!policy.permissions.includes(question.permission)) return says('another permission')
  const { state, counts, because } = read.standingAt(question)
  return { id, counts, because, outcome: counts ? 'agrees' : LEFT_OUT[state] }
}
