import { Fault, isFault } from '../core/faults.ts'
import {
  ACCESS_PERMISSIONS,
  type AccessConditions,
  type AccessPermission,
  type PolicyApproval,
} from '../core/policy-port.ts'
import type { EpochMs } from '../core/time.ts'
import {
  type AccessMoment,
  type ConditionCheck,
  compileConditions,
  parseConditions,
  readConditions,
} from './access-conditions.ts'
import { canMatchAnyPath, compileGlob, type GlobMatch } from './glob.ts'
import type { Permission } from './path-policy.ts'
import { quoted } from './quoted.ts'

/** What a policy says, without for whom and where. */
export interface AccessTerms {
  /** A glob, see `compileGlob`. */
  readonly pattern: string
  readonly effect: 'allow' | 'deny'
  /** At least one. */
  readonly permissions: readonly AccessPermission[]
  /** null: always */
  readonly conditions: AccessConditions | null
  /** From this instant on the policy is as if it were not there. null: never */
  readonly expiresAt: EpochMs | null
  /** What is asked for before each use of what is allowed, but for listing. None, or null: nothing. */
  readonly approval?: PolicyApproval | null
}

export interface AccessPolicy extends AccessTerms {
  readonly id: string
  readonly vaultId: string
  readonly principalType: 'user' | 'agent'
  readonly principalId: string
  /** Orders which of several is named as the reason; a deny wins over an allow of any priority. */
  readonly priority: number
}

/** What a policy does at a moment, on the paths and permissions that it names. */
export interface PolicyStanding {
  readonly state: 'holds' | 'expired' | 'fails' | 'unknown'
  /** Any doubt denies: what cannot be evaluated counts if it denies, and does not if it allows. */
  readonly counts: boolean
  /** The end of a sentence that begins with the policy; null when it holds. */
  readonly because: string | null
}

/** A policy that was understood. */
export interface ReadPolicy {
  readonly policy: AccessPolicy
  /** For well-formed paths only. */
  readonly matches: GlobMatch
  /** Neither conditions nor an end: it holds at every moment. */
  readonly isTimeless: boolean
  standingAt(moment: AccessMoment): PolicyStanding
}

const OF_LOCAL: Readonly<Record<Permission, AccessPermission>> = {
  list: 'list',
  read: 'read',
  write: 'write',
  create: 'write',
  delete: 'delete',
  use: 'use',
  // A value that a person types for the caller may replace one.
  ask: 'write',
  share: 'share',
}

/** The permission of a server that covers one of the local agent. */
export function accessPermissionFor(permission: Permission): AccessPermission {
  return OF_LOCAL[permission]
}

/**
 * Checks a policy that somebody wrote. `id` and `vaultId` may be empty still.
 *
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function checkAccessPolicy(input: unknown): AccessPolicy {
  return readFields(input, true)
}

/**
 * Checks what a policy says.
 *
 * @throws {Fault} `BAD_INPUT` naming the field
 */
export function checkAccessTerms(input: unknown): AccessTerms {
  return readTerms(rowOf(input), parseConditions)
}

/** @returns null when the policy is malformed: its row may have been written by another version */
export function readPolicy(row: unknown): ReadPolicy | null {
  try {
    const policy = readFields(row, false)
    const check = policy.conditions === null ? null : compileConditions(policy.conditions)
    return {
      policy,
      matches: pathMatcher(policy.pattern),
      isTimeless: check === null && policy.expiresAt === null,
      standingAt: (moment) => standingOf(policy, check, moment),
    }
  } catch (error) {
    if (isFault(error, 'BAD_INPUT')) return null
    throw error
  }
}

const HOLDS: PolicyStanding = { state: 'holds', counts: true, because: null }
const EXPIRED: PolicyStanding = { state: 'expired', counts: false, because: 'it has expired' }

function standingOf(
  policy: AccessPolicy,
  check: ConditionCheck | null,
  moment: AccessMoment,
): PolicyStanding {
  const { effect, expiresAt } = policy
  const unknown = (because: string | null): PolicyStanding => ({
    state: 'unknown',
    counts: effect === 'deny',
    because,
  })
  if (expiresAt !== null) {
    if (moment.at >= expiresAt) return EXPIRED
    if (!(moment.at < expiresAt)) return unknown('the time is not known')
  }
  if (check === null) return HOLDS
  const { standing, because } = check(moment)
  if (standing === 'holds') return HOLDS
  return standing === 'fails' ? { state: 'fails', counts: false, because } : unknown(because)
}

/**
 * `compileGlob` for well-formed paths only: the shapes that most patterns have are compared as text.
 *
 * @throws {Fault} `BAD_INPUT`
 */
export function pathMatcher(pattern: string): GlobMatch {
  const match = compileGlob(pattern)
  if (pattern === '**') return () => true
  const folder = pattern.endsWith('/**') ? pattern.slice(0, -2) : null
  if (folder !== null && !/[*?]/.test(folder))
    return (path) => path.length > folder.length && path.startsWith(folder)
  return /[*?]/.test(pattern) ? match : (path) => path === pattern
}

type ReadConditions = (input: unknown) => AccessConditions | null
type Row = Readonly<Record<string, unknown>>

function readFields(input: unknown, isDraft: boolean): AccessPolicy {
  const row = rowOf(input)
  const { id, vaultId, principalType, priority } = row
  if (principalType !== 'user' && principalType !== 'agent')
    return refuse('principalType', "must be 'user' or 'agent'")
  if (typeof priority !== 'number' || !Number.isSafeInteger(priority))
    return refuse('priority', 'must be a whole number')
  return {
    id: isDraft && id === '' ? id : textOf(row, 'id'),
    vaultId: isDraft && vaultId === '' ? vaultId : textOf(row, 'vaultId'),
    principalType,
    principalId: textOf(row, 'principalId'),
    priority,
    ...readTerms(row, isDraft ? parseConditions : readConditions),
  }
}

function readTerms(row: Row, conditionsOf: ReadConditions): AccessTerms {
  const { effect, permissions, conditions, expiresAt } = row
  const pattern = textOf(row, 'pattern')
  compileGlob(pattern)
  if (!canMatchAnyPath(pattern))
    refuse(
      'pattern',
      `is ${quoted(pattern)}, which matches nothing; paths have letters, digits, '_', '.', '-' and '/'`,
    )
  if (effect !== 'allow' && effect !== 'deny') return refuse('effect', "must be 'allow' or 'deny'")
  if (expiresAt !== null && (typeof expiresAt !== 'number' || !Number.isFinite(expiresAt)))
    return refuse('expiresAt', 'must be null or milliseconds since 1970')
  const named = readPermissions(permissions)
  const approval = readApproval(row['approval'], effect, named)
  return {
    pattern,
    effect,
    permissions: named,
    // Not written down is not none: it may have been lost on the way.
    conditions: conditionsOf(conditions),
    expiresAt: expiresAt as EpochMs | null,
    ...(approval === null ? {} : { approval }),
  }
}

const MAX_NEEDED = 10
const MIN_SECONDS = 30
const MAX_SECONDS = 604_800

function readApproval(
  input: unknown,
  effect: 'allow' | 'deny',
  permissions: readonly AccessPermission[],
): PolicyApproval | null {
  if (input === undefined || input === null) return null
  if (typeof input !== 'object')
    return refuse('approval', 'must be null, or say how many people are needed')
  const { needed, expiresInSeconds } = input as Partial<Record<keyof PolicyApproval, unknown>>
  if (!isWhole(needed, 1, MAX_NEEDED))
    return refuse('approval.needed', `must be a whole number from 1 to ${MAX_NEEDED}`)
  if (!isWhole(expiresInSeconds, MIN_SECONDS, MAX_SECONDS))
    return refuse(
      'approval.expiresInSeconds',
      `must be a whole number from ${MIN_SECONDS} to ${MAX_SECONDS}`,
    )
  if (effect === 'deny') return refuse('approval', 'goes with allow: what is denied stays denied')
  if (permissions.includes('share'))
    return refuse(
      'approval',
      'does not go with share, whose readings nobody would be asked about; leave share out',
    )
  if (!permissions.some(isAsked))
    return refuse('approval', 'is never asked for list alone; name what people shall be asked for')
  return { needed, expiresInSeconds }
}

/** Whether people are asked before what needs this permission, where a policy wants that: names alone are no secret. */
export function isAsked(permission: AccessPermission): boolean {
  return permission !== 'list'
}

function isWhole(input: unknown, min: number, max: number): input is number {
  return typeof input === 'number' && Number.isSafeInteger(input) && input >= min && input <= max
}

function readPermissions(input: unknown): readonly AccessPermission[] {
  const all = `one or more of ${ACCESS_PERMISSIONS.join(', ')}`
  if (!Array.isArray(input) || input.length === 0)
    return refuse('permissions', `must be a list of ${all}`)
  const permissions = new Set<AccessPermission>()
  for (const entry of input as readonly unknown[]) {
    const known = ACCESS_PERMISSIONS.find((one) => one === entry)
    if (known === undefined) return refuse('permissions', `must be ${all}`)
    permissions.add(known)
  }
  return [...permissions]
}

function rowOf(input: unknown): Row {
  return typeof input === 'object' && input !== null
    ? (input as Row)
    : refuse('policy', 'must be an object')
}

function textOf(row: Row, field: string): string {
  const value = row[field]
  return typeof value === 'string' && value !== '' ? value : refuse(field, 'must be text')
}

function refuse(field: string, problem: string): never {
  throw new Fault('BAD_INPUT', `${field} ${problem}.`, { details: { field } })
}
