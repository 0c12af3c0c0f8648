import type { AccessPermission } from '../core/policy-port.ts'
import type { EpochMs } from '../core/time.ts'
import { type AccessMoment, conditionsCover } from './access-conditions.ts'
import {
  type AccessSubject,
  isOfAnother,
  type ReadSubject,
  readSubject,
} from './access-decision.ts'
import {
  type AccessPolicy,
  type AccessTerms,
  checkAccessTerms,
  isAsked,
  type ReadPolicy,
  readPolicy,
} from './access-policy.ts'
import { globCovers, globsMeet } from './glob-sets.ts'
import { quoted } from './quoted.ts'

/** Who wants to grant, with all policies that are about him. */
export interface Granter {
  readonly subject: AccessSubject
  readonly policies: readonly AccessPolicy[]
  /** The subject created the vault: he holds everything there that no policy denies him. Default: he did not. */
  readonly isOwner?: boolean
}

/** What he wants to grant. The vault is one of his organisation. */
export interface WantedGrant extends AccessTerms {
  readonly vaultId: string
}

/** Where the granter is while he grants; what is not known holds for none of his conditional policies. */
export type GrantPlace = Pick<AccessMoment, 'address' | 'environment'>

export type GrantCheck =
  | { readonly ok: true }
  | {
      readonly ok: false
      /** What he lacks: an answer to "how must the grant change?" */
      readonly missing: GrantLack
      readonly permission: AccessPermission | null
      /** Id of a policy that stands against it. */
      readonly by: string | null
      /** One sentence; of paths it shows patterns only. */
      readonly reason: string
    }

export type GrantLack =
  | 'credential'
  | 'vault-binding'
  | 'token-scope'
  | 'readable policies'
  | 'right to deny'
  | 'freedom from denial'
  | 'freedom from approval'
  | 'permission'
  | 'path'
  | 'expiry'
  | 'circumstances'
  | 'conditions'

const NOWHERE: GrantPlace = { address: null, environment: null }
const OK: GrantCheck = { ok: true }

/**
 * Nobody grants more than he holds, longer than he holds it, or on a path he may not share.
 *
 * To allow, the granter needs `share` on the whole pattern at this moment, and each permission from one policy that
 * covers the whole pattern, holds at this moment, ends no sooner and has conditions no narrower; and no deny of his own
 * may touch any of these paths for these permissions, whatever its conditions. What several policies would only cover
 * together is not seen. What he may do only once people have approved it he grants with no fewer of them to ask. A deny takes from others what somebody else gave them: it is for the vault's creator and the
 * organisation's owners and admins, within what their credential reaches.
 *
 * A yes is proven: as long as the granter's policies stay, every decision that the grant allows is one that he is
 * allowed too.
 *
 * @throws {Fault} `BAD_INPUT` naming the field of `wanted` that is malformed
 */
export function checkGrant(
  granter: Granter,
  wanted: WantedGrant,
  at: EpochMs,
  place: GrantPlace = NOWHERE,
): GrantCheck {
  const terms: WantedGrant = { ...checkAccessTerms(wanted), vaultId: wanted.vaultId }
  const caller = readSubject(granter.subject)
  if (caller === null) return lack('credential', 'The credential of the granter cannot be read.')
  const reach = reachOf(caller, terms)
  if (reach !== null) return reach
  const isOwner = granter.isOwner === true && caller.mayOwn
  const own: ReadPolicy[] = []
  for (const row of granter.policies) {
    if (isOfAnother(row, caller.subject)) continue
    const read = readPolicy(row)
    if (read === null)
      return lack(
        'readable policies',
        'A policy of the granter cannot be read, so he grants nothing.',
      )
    if (read.policy.vaultId === terms.vaultId) own.push(read)
  }
  if (terms.effect === 'deny') {
    const { type, role } = caller.subject
    const mayDeny = isOwner || (type === 'user' && (role === 'owner' || role === 'admin'))
    return mayDeny
      ? OK
      : lack(
          'right to deny',
          "Only the vault's creator and owners or admins of the organisation may deny others.",
        )
  }
  const holding: Holding = { own, isOwner, moment: { at, ...place }, pattern: terms.pattern }
  const share = lackOf(holding, 'share', null)
  if (share !== null) return share
  for (const permission of terms.permissions) {
    const missing = lackOf(holding, permission, terms)
    if (missing !== null) return missing
  }
  return OK
}

/** What the granter holds, and the pattern it is held against. */
interface Holding {
  readonly own: readonly ReadPolicy[]
  readonly isOwner: boolean
  readonly moment: AccessMoment
  readonly pattern: string
}

function reachOf(
  { isBoundTo, subject }: ReadSubject,
  { vaultId, pattern }: WantedGrant,
): GrantCheck | null {
  if (!isBoundTo(vaultId))
    return lack('vault-binding', 'The credential of the granter is not bound to this vault.')
  const isWithin = (scopes: readonly string[]): boolean =>
    scopes.some((scope) => globCovers(scope, pattern))
  return subject.scopes.every(isWithin)
    ? null
    : lack('token-scope', `No scope of the granter's credential covers ${quoted(pattern)}.`)
}

/** @param lasting - what the right must outlast and be no narrower than; null: to hold at this moment is enough */
function lackOf(
  { own, isOwner, moment, pattern }: Holding,
  permission: AccessPermission,
  lasting: AccessTerms | null,
): GrantCheck | null {
  const mine = own.filter(({ policy }) => policy.permissions.includes(permission))
  const against = mine.find(
    ({ policy, standingAt }) =>
      policy.effect === 'deny' &&
      standingAt(moment).state !== 'expired' &&
      globsMeet(policy.pattern, pattern),
  )
  const what = `${permission} on ${quoted(pattern)}`
  if (against !== undefined) {
    const { id, pattern: denied } = against.policy
    const reason = `The granter may not grant ${what}: a policy on ${quoted(denied)} denies it to him.`
    return lack('freedom from denial', reason, permission, id)
  }
  const asking = isAsked(permission)
    ? mine.find(
        ({ policy, standingAt }) =>
          (policy.approval?.needed ?? 0) > (lasting?.approval?.needed ?? 0) &&
          standingAt(moment).state !== 'expired' &&
          globsMeet(policy.pattern, pattern),
      )
    : undefined
  if (asking !== undefined) {
    const { id, pattern: asked, approval } = asking.policy
    const reason = `The granter may not grant ${what} with fewer than ${approval?.needed ?? 1} to approve each use: a policy on ${quoted(asked)} asks for as many of him.`
    return lack('freedom from approval', reason, permission, id)
  }
  if (isOwner) return null
  // Each row is what the one before it left over: the first that leaves nothing is what is missing.
  const tests: readonly (readonly [GrantLack, string, (read: ReadPolicy) => boolean])[] = [
    ['permission', `has no ${permission} in this vault`, ({ policy }) => policy.effect === 'allow'],
    ['path', `does not hold ${what}`, ({ policy }) => globCovers(policy.pattern, pattern)],
    [
      'circumstances',
      `does not hold ${what} at this moment and from here`,
      ({ standingAt }) => standingAt(moment).state === 'holds',
    ],
    [
      'expiry',
      `does not hold ${what} for so long`,
      ({ policy }) => lasting === null || endsNoSooner(policy.expiresAt, lasting.expiresAt),
    ],
    [
      'conditions',
      `holds ${what} under conditions that the grant must have too`,
      ({ policy }) => lasting === null || conditionsCover(policy.conditions, lasting.conditions),
    ],
  ]
  let left: readonly ReadPolicy[] = mine
  for (const [missing, says, passes] of tests) {
    left = left.filter(passes)
    if (left.length === 0) return lack(missing, `The granter ${says}.`, permission)
  }
  return null
}

function endsNoSooner(held: EpochMs | null, wanted: EpochMs | null): boolean {
  return held === null || (wanted !== null && wanted <= held)
}

function lack(
  missing: GrantLack,
  reason: string,
  permission: AccessPermission | null = null,
  by: string | null = null,
): GrantCheck {
  return { ok: false, missing, permission, by, reason }
}
