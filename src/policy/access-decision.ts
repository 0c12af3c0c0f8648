import { isFault } from '../core/faults.ts'
import {
  ACCESS_PERMISSIONS,
  type AccessPermission,
  type PolicyApproval,
} from '../core/policy-port.ts'
import type { AccessMoment } from './access-conditions.ts'
import {
  type AccessPolicy,
  isAsked,
  type PolicyStanding,
  pathMatcher,
  type ReadPolicy,
  readPolicy,
} from './access-policy.ts'
import type { GlobMatch } from './glob.ts'
import { isPath } from './path.ts'
import { quoted } from './quoted.ts'

/** Who asks, with what his credential narrows him to. */
export interface AccessSubject {
  readonly type: 'user' | 'agent'
  readonly id: string
  readonly orgId: string
  /** The vaults that the credential is bound to. null: every vault of the organisation */
  readonly vaultIds: readonly string[] | null
  /** Lists of path globs, each of which must cover a path. No list: not narrowed; a list without globs: nothing */
  readonly scopes: readonly (readonly string[])[]
  /** Gives no access to a path. An auditor gains nothing from having created a vault. */
  readonly role: 'owner' | 'admin' | 'member' | 'auditor' | null
}

export interface AccessQuestion extends AccessMoment {
  /** Of the vault. */
  readonly orgId: string
  readonly vaultId: string
  readonly path: string
  readonly permission: AccessPermission
  /** The subject created the vault. */
  readonly isOwner: boolean
}

export type AccessLayer =
  | 'organisation'
  | 'vault-binding'
  | 'token-scope'
  | 'policy'
  | 'owner'
  | 'none'

export interface AccessDecision {
  readonly allowed: boolean
  readonly layer: AccessLayer
  /** Id of the policy that decided. */
  readonly by: string | null
  /** One sentence; of paths it shows the policy's pattern only. */
  readonly reason: string
  /** It is allowed with the word of people alone, which the policy that decided asks for. */
  readonly approval?: PolicyApproval
}

export interface CompiledAccess {
  /** Its decisions depend on neither time, address nor environment. */
  readonly isTimeless: boolean
  decide(question: AccessQuestion): AccessDecision
}

/** A credential that was understood. */
export interface ReadSubject {
  readonly subject: AccessSubject
  isBoundTo(vaultId: string): boolean
  /** Whether the path is within the scopes. */
  inScope(path: string): boolean
  /** Whether being the creator of a vault counts. */
  readonly mayOwn: boolean
}

const denial = (layer: AccessLayer, reason: string, by: string | null = null): AccessDecision =>
  Object.freeze({ allowed: false, layer, by, reason })

const UNREADABLE = denial('none', 'The credential cannot be read, so nothing is allowed.')
const FOREIGN = denial('organisation', 'The vault belongs to another organisation.')
const UNBOUND = denial('vault-binding', 'The credential is not bound to this vault.')
const OUT_OF_SCOPE = denial('token-scope', 'No scope of the credential covers this path.')
const NOT_ASKABLE = denial('none', 'The path or the permission is not well-formed.')
const OWNER: AccessDecision = Object.freeze({
  allowed: true,
  layer: 'owner',
  by: null,
  reason: 'The caller created the vault, and no policy denies it.',
})
const UNMATCHED = ACCESS_PERMISSIONS.map((permission) =>
  denial('none', `No policy allows ${permission} here.`),
)
const PLACES: ReadonlyMap<string, number> = new Map(ACCESS_PERMISSIONS.map((one, i) => [one, i]))

/** A policy on a path and permission, with what it decides if it counts. */
interface Candidate {
  readonly read: ReadPolicy
  readonly decision: AccessDecision
}

/** What can be said of a path before the moment is known. */
interface Outlook {
  readonly settled: AccessDecision | null
  /** In the order in which they are named: the first that counts decides. */
  readonly candidates: readonly Candidate[]
}

const settle = (decision: AccessDecision): Outlook => ({ settled: decision, candidates: [] })

const MAX_REMEMBERED = 1024
const NO_OUTLOOKS: readonly (Outlook | undefined)[] = []

/**
 * Decides one question, in this order: organisation, vault binding, token scope, path policies, owner, else denied.
 *
 * Of the policies on the path for this permission, those that have expired or whose conditions do not hold are left
 * out. What cannot be evaluated counts if it denies and does not if it allows. Then a deny wins; priority only orders
 * which of several is named as the reason, the highest first. The creator of a vault, a user, may do what no policy
 * denies him.
 *
 * One policy that asks for an approval is enough for people to be asked, whatever else allows it without and with what
 * priority; the one that asks for most people is the one that counts. One that cannot be evaluated allows nothing, but
 * what another allows then waits for its approval. Listing never waits.
 *
 * A policy of the subject that is malformed denies everything, because it may be the deny that was meant.
 *
 * @param policies - those of other principals and vaults are passed over
 */
export function decideAccess(
  subject: AccessSubject,
  policies: readonly AccessPolicy[],
  question: AccessQuestion,
): AccessDecision {
  return compileAccess(subject, policies).decide(question)
}

/** `decideAccess` for many questions: all is read once, and what does not depend on the moment is remembered. */
export function compileAccess(
  subject: AccessSubject,
  policies: readonly AccessPolicy[],
): CompiledAccess {
  const caller = readSubject(subject)
  return caller === null
    ? { isTimeless: true, decide: () => UNREADABLE }
    : compileFor(caller, policies)
}

function compileFor(caller: ReadSubject, policies: readonly AccessPolicy[]): CompiledAccess {
  const { own, broken } = ownPolicies(caller.subject, policies)
  const { orgId } = caller.subject
  const byPlace = new Map<number, readonly Candidate[]>()
  const memory = new Map<string, Map<string, (Outlook | undefined)[]>>()
  let remembered = 0

  function outlookOn({ vaultId, path, permission }: AccessQuestion, place: number): Outlook {
    if (!isPath(path)) return settle(NOT_ASKABLE)
    if (!caller.inScope(path)) return settle(OUT_OF_SCOPE)
    if (broken !== null) return settle(broken)
    const all = byPlace.get(place) ?? candidatesOf(own, permission)
    byPlace.set(place, all)
    const candidates = all.filter(
      ({ read }) => read.policy.vaultId === vaultId && read.matches(path),
    )
    return { settled: null, candidates }
  }

  function outlookFor(question: AccessQuestion, place: number): Outlook {
    const { vaultId, path } = question
    const outlook = outlookOn(question, place)
    // What is no path has no place in memory: callers choose these texts.
    if (outlook.settled === NOT_ASKABLE) return outlook
    if (remembered >= MAX_REMEMBERED) {
      memory.clear()
      remembered = 0
    }
    const vault = memory.get(vaultId) ?? new Map<string, (Outlook | undefined)[]>()
    const places = vault.get(path) ?? []
    places[place] = outlook
    vault.set(path, places)
    memory.set(vaultId, vault)
    remembered += 1
    return outlook
  }

  return {
    isTimeless: broken !== null || own.every((one) => one.isTimeless),
    decide(question) {
      const { vaultId, path, permission } = question
      if (question.orgId !== orgId) return FOREIGN
      if (!caller.isBoundTo(vaultId)) return UNBOUND
      const place = PLACES.get(permission)
      if (place === undefined) return NOT_ASKABLE
      const known = (memory.get(vaultId)?.get(path) ?? NO_OUTLOOKS)[place]
      const { settled, candidates } = known ?? outlookFor(question, place)
      if (settled !== null) return settled
      // Of a policy that may hold and would ask people: what is allowed otherwise waits for them.
      let asking: AccessDecision | null = null
      for (const { read, decision } of candidates) {
        if (read.isTimeless) return asking ?? decision
        const standing = read.standingAt(question)
        if (standing.state === 'holds') return asking ?? decision
        if (standing.counts) return doubted(decision, standing)
        if (standing.state === 'unknown' && decision.approval !== undefined)
          asking ??= doubted(decision, standing)
      }
      if (caller.mayOwn && question.isOwner) return asking ?? OWNER
      return UNMATCHED[place] ?? NOT_ASKABLE
    },
  }
}

/** @returns null when it is malformed: a list that was lost on the way is not "no limit" */
export function readSubject(subject: AccessSubject): ReadSubject | null {
  const { type, id, orgId, vaultIds, scopes, role } = subject
  if (type !== 'user' && type !== 'agent') return null
  if (typeof id !== 'string' || id === '' || typeof orgId !== 'string' || orgId === '') return null
  if (vaultIds !== null && !isTexts(vaultIds)) return null
  if (!Array.isArray(scopes) || !scopes.every(isTexts)) return null
  const bound = vaultIds === null ? null : new Set(vaultIds)
  let globs: readonly (readonly GlobMatch[])[]
  try {
    globs = scopes.map((list) => list.map(pathMatcher))
  } catch (error) {
    if (isFault(error, 'BAD_INPUT')) return null
    throw error
  }
  return {
    subject: { type, id, orgId, vaultIds, scopes, role },
    isBoundTo: (vaultId) => bound === null || bound.has(vaultId),
    inScope: (path) => globs.every((list) => list.some((match) => match(path))),
    mayOwn: type === 'user' && role !== 'auditor',
  }
}

function isTexts(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.every((entry) => typeof entry === 'string')
}

/** Whether a row is for somebody else for certain; one that does not say is taken for the subject's own. */
export function isOfAnother(row: unknown, subject: AccessSubject): boolean {
  if (typeof row !== 'object' || row === null) return false
  const { principalType, principalId } = row as Partial<Record<keyof AccessPolicy, unknown>>
  if (principalType !== 'user' && principalType !== 'agent') return false
  if (typeof principalId !== 'string' || principalId === '') return false
  return principalType !== subject.type || principalId !== subject.id
}

/** What is said of everything when a policy is malformed. */
export function brokenDenial(row: unknown): AccessDecision {
  const id = typeof row === 'object' && row !== null && 'id' in row ? row.id : null
  return denial(
    'policy',
    'A policy of the caller cannot be read, so nothing is allowed.',
    typeof id === 'string' && id !== '' ? id : null,
  )
}

interface OwnPolicies {
  readonly own: readonly ReadPolicy[]
  readonly broken: AccessDecision | null
}

function ownPolicies(subject: AccessSubject, rows: readonly unknown[]): OwnPolicies {
  const own: ReadPolicy[] = []
  for (const row of rows) {
    if (isOfAnother(row, subject)) continue
    const read = readPolicy(row)
    if (read === null) return { own: [], broken: brokenDenial(row) }
    own.push(read)
  }
  return { own: own.toSorted(byRank), broken: null }
}

/**
 * Denies first, then what asks for more people, then the higher priority, then by id, so that the reason is the same in
 * every process.
 */
function byRank({ policy: a }: ReadPolicy, { policy: b }: ReadPolicy): number {
  if (a.effect !== b.effect) return a.effect === 'deny' ? -1 : 1
  const [more, fewer] = [a.approval?.needed ?? 0, b.approval?.needed ?? 0]
  if (more !== fewer) return fewer - more
  if (a.priority !== b.priority) return b.priority - a.priority
  return a.id < b.id ? -1 : Number(a.id > b.id)
}

/** What each policy decides for one permission, in the order of their ranks. */
function candidatesOf(
  own: readonly ReadPolicy[],
  permission: AccessPermission,
): readonly Candidate[] {
  return own
    .filter(({ policy }) => policy.permissions.includes(permission))
    .map((read) => ({ read, decision: decisionBy(read.policy, permission) }))
}

function decisionBy(policy: AccessPolicy, permission: AccessPermission): AccessDecision {
  const { id, effect, pattern, approval = null } = policy
  const allowed = effect === 'allow'
  const says = `A policy on ${quoted(pattern)} ${allowed ? 'allows' : 'denies'} ${permission}`
  if (approval === null || !isAsked(permission))
    return Object.freeze({ allowed, layer: 'policy', by: id, reason: `${says}.` })
  const people = approval.needed === 1 ? 'a person has' : `${approval.needed} people have`
  const reason = `${says} once ${people} approved it.`
  return Object.freeze({ allowed, layer: 'policy', by: id, reason, approval })
}

function doubted(decision: AccessDecision, { because }: PolicyStanding): AccessDecision {
  return {
    ...decision,
    reason: `${decision.reason.slice(0, -1)}, since ${because ?? 'it may hold'}.`,
  }
}
