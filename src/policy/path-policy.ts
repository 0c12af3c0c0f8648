import { asFault } from '../core/faults.ts'
import type { PolicyApproval } from '../core/policy-port.ts'
import { compileGlob, type GlobMatch } from './glob.ts'
import { isPath } from './path.ts'

/**
 * `write` replaces a value and implies `create`, which stores at paths that hold nothing yet. `use` puts a value into
 * a child process or a template, `ask` has the person type one, `share` hands it on.
 */
export const PERMISSIONS = [
  'list',
  'read',
  'write',
  'create',
  'delete',
  'use',
  'ask',
  'share',
] as const
export type Permission = (typeof PERMISSIONS)[number]

export interface PathPolicy {
  /** What audit records name as the reason. */
  readonly id: string
  readonly effect: 'allow' | 'deny'
  /** A glob, see `compileGlob`. */
  readonly pattern: string
  readonly permissions: readonly Permission[]
}

export interface Judgement {
  readonly allowed: boolean
  /** Id of the policy that decided, or null when none matched. */
  readonly by: string | null
  /**
   * Not allowed as it stands, but with the word of people, which the policy `by` asks for. Whoever does not know how to
   * ask refuses.
   */
  readonly approval?: PolicyApproval
}

export type PathJudge = (path: string, permission: Permission) => Judgement

interface CompiledPolicy {
  readonly id: string
  readonly match: GlobMatch
  readonly permissions: ReadonlySet<Permission>
}

const UNMATCHED: Judgement = { allowed: false, by: null }

/**
 * Judges one path: a deny that matches wins, else an allow that matches, else it is denied. An empty set denies. One
 * policy that cannot be evaluated denies everything, because it may be the deny that was meant.
 *
 * @param path - a path that is not well-formed is denied
 */
export function judge(
  policies: readonly PathPolicy[],
  path: string,
  permission: Permission,
): Judgement {
  return compilePolicies(policies)(path, permission)
}

/** `judge` for many paths: the policies are read once. */
export function compilePolicies(policies: readonly PathPolicy[]): PathJudge {
  const allows: CompiledPolicy[] = []
  const denies: CompiledPolicy[] = []
  for (const policy of policies) {
    const own = compilePolicy(policy)
    if (own === null) {
      const broken: Judgement = {
        allowed: false,
        by: typeof policy?.id === 'string' ? policy.id : 'unreadable',
      }
      return () => broken
    }
    if (policy.effect === 'deny') denies.push(own)
    else allows.push(own)
  }
  return (path, permission) => {
    if (!isPath(path) || !PERMISSIONS.includes(permission)) return UNMATCHED
    const covers = (policy: CompiledPolicy): boolean =>
      policy.permissions.has(permission) && policy.match(path)
    const deny = denies.find(covers)
    if (deny !== undefined) return { allowed: false, by: deny.id }
    const allow = allows.find(covers)
    return allow === undefined ? UNMATCHED : { allowed: true, by: allow.id }
  }
}

/** @returns null when the policy cannot be evaluated: its row may have been written by another version */
function compilePolicy(policy: PathPolicy): CompiledPolicy | null {
  try {
    if (policy.effect !== 'allow' && policy.effect !== 'deny') return null
    if (typeof policy.id !== 'string' || typeof policy.pattern !== 'string') return null
    // A set of nothing would be a deny that never denies.
    if (!Array.isArray(policy.permissions)) return null
    const permissions = new Set<Permission>(policy.permissions)
    for (const permission of permissions) if (!PERMISSIONS.includes(permission)) return null
    if (permissions.has('write')) permissions.add('create')
    return { id: policy.id, match: compileGlob(policy.pattern), permissions }
  } catch (error) {
    if (asFault(error).code === 'BAD_INPUT' || error instanceof TypeError) return null
    throw error
  }
}
