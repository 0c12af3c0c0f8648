import { createHmac } from 'node:crypto'
import type { RowRevision } from '../audit/index.ts'
import type { ApprovalAct, ApprovalRequest } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import type { AccessPermission } from '../core/policy-port.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { EpochMs } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import { accessPermissionFor, type Permission } from '../policy/index.ts'
import { accessDenied, type Refused, type Request, refused } from './access.ts'
import { type ActApprovals, type AskedPolicy, NeedsPerson } from './needs-person.ts'
import type { VaultTables } from './rows-repository.ts'

export interface PathApprovalParts {
  readonly tables: Pick<VaultTables, 'pathPolicies' | 'vaults'>
  readonly approvals: ActApprovals
}

/** What is to be done at a path, as a person is asked about it. */
export interface PathAct {
  readonly request: Request
  readonly permission: Permission
  /** What the request says besides its path, without values: they are told by a keyed digest. */
  readonly args: Readonly<Record<string, unknown>>
}

/** A read as an act. A value that is read twice is asked for twice. */
export function readingOf(
  member: Request & { readonly permission: Permission; readonly version: number | null },
): PathAct {
  const { permission, version } = member
  return { request: member, permission, args: { version } }
}

/**
 * Uses up what people said to exactly this act, or one use of a scope that they granted around it, in the transaction
 * that does it. To be called last, when nothing else stands against the act: nobody is asked in vain, and no yes is
 * spent on what does not happen.
 *
 * @returns the rows that it was used up in, for the record of the act; else the refusal, from which `askingPerson` asks
 */
export async function approvedWithin(
  parts: PathApprovalParts,
  tx: Tx,
  act: PathAct,
  asked: AskedPolicy,
  at: EpochMs,
): Promise<readonly RowRevision[] | Refused> {
  const { request } = act
  const wanted = await requestFor(parts, tx, act, asked)
  if (wanted === null) return refused(request, accessDenied(request.path, null), asked.policy)
  const { consumption, rows } = await parts.approvals.consumeWithin(tx, request.caller, wanted, at)
  if (consumption.outcome === 'granted') return rows
  return refused(request, new NeedsPerson(wanted), asked.policy)
}

/** Whether `approvedWithin` would pass now. Uses nothing up. */
export async function isApproved(
  parts: PathApprovalParts,
  reader: Reader,
  act: PathAct,
  asked: AskedPolicy,
  at: EpochMs,
): Promise<boolean> {
  const wanted = await requestFor(parts, reader, act, asked)
  return wanted !== null && parts.approvals.isApproved(reader, act.request.caller, wanted, at)
}

/** A value as part of an act: another value is another act, and nobody can try values against what is kept of it. */
export async function valueDigest(
  keys: Pick<StoreKeys, 'active'>,
  reader: Reader,
  value: SecretText,
): Promise<string> {
  const { key } = await keys.active(reader, 'fingerprint')
  const own = createHmac('sha256', key).update('value of an act that is approved').digest()
  return createHmac('sha256', own).update(value.revealBytes()).digest('hex')
}

/** @returns null when the policy is gone: then it says nothing any more */
async function requestFor(
  { tables }: PathApprovalParts,
  reader: Reader,
  { request, permission, args }: PathAct,
  asked: AskedPolicy,
): Promise<ApprovalRequest | null> {
  const policy = await tables.pathPolicies.get(reader, 'id = ?', [asked.policy])
  if (policy === null) return null
  const { vaultId, path, action } = request
  const vault = await tables.vaults.get(reader, 'id = ?', [vaultId])
  const needed = accessPermissionFor(permission)
  const act: ApprovalAct = {
    action,
    target: { type: 'secret', id: `${vaultId}/${path}` },
    argumentsDigest: jsonDigest({ vault: vaultId, path, permission: needed, ...args }),
    // A change of the policy, back to what it was too, is another question.
    policyRevision: `policy ${policy.id} ${policy.revision}`,
    within: { place: vaultId, permission: needed, path },
  }
  return {
    ...act,
    needed: asked.needed,
    expiresInSeconds: asked.expiresInSeconds,
    preview: {
      title: `${TITLES[action] ?? SAYS[needed]} ${shortened(path)}`,
      fields: [
        { label: 'Secret', value: path },
        { label: 'In the vault', value: vault?.name ?? vaultId },
        { label: 'Asked for by the policy on', value: policy.pattern },
        ...shownArgs(args),
      ],
    },
  }
}

const TITLES: Readonly<Record<string, string>> = {
  'secret.use': 'Use, without showing it to the agent,',
  'secret.put': 'Store a value at',
  'secret.rotate': 'Replace the value of',
  'secret.undelete': 'Bring back',
  'secret.destroy': 'Destroy for ever',
  'version.enable': 'Enable a version of',
  'version.disable': 'Disable a version of',
}

const SAYS: Readonly<Record<AccessPermission, string>> = {
  list: 'List',
  read: 'Read',
  write: 'Write',
  delete: 'Delete',
  use: 'Use',
  share: 'Share',
}

/** A title has 200 characters at the most; the whole path stands in a field. */
function shortened(path: string): string {
  return path.length <= 120 ? path : `${path.slice(0, 119)}…`
}

const SHOWN: Readonly<Record<string, string>> = {
  version: 'Version',
  ifVersion: 'Only over version',
  type: 'Type',
  bytes: 'Bytes',
  expiresAt: 'Expires, ms since 1970',
  maxReads: 'Readings',
}

function shownArgs(args: PathAct['args']): readonly { label: string; value: string }[] {
  return Object.entries(args).flatMap(([name, value]) => {
    const label = SHOWN[name]
    const isSaid = typeof value === 'string' || typeof value === 'number'
    return label === undefined || !isSaid ? [] : [{ label, value: String(value) }]
  })
}
