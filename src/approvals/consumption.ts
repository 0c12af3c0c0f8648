import type { RecordDraft, RowRevision } from '../audit/index.ts'
import type { ApprovalAct, Consumption } from '../core/approval-port.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import type { Caller } from '../core/principals.ts'
import { principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import type { MacKey } from '../crypto/index.ts'
import {
  type ApprovalRow,
  type ApprovalTable,
  approvalInfo,
  statusOf,
  votesOf,
} from './approval-rows.ts'
import { type DeciderParts, frozenProblem, stillCounts } from './deciders.ts'
import { actDigest, keyedAct } from './filing.ts'

export interface ConsumptionParts extends DeciderParts {
  /** By which digests of arguments are kept. */
  readonly digestKey: (reader: Reader) => Promise<MacKey>
  readonly approvals: ApprovalTable
  /** Whether the glob covers the path. */
  readonly covers: (pattern: string, path: string) => boolean
}

/** What a consumption did to the store: the record of whoever consumes must name the rows. */
export interface Consumed {
  readonly consumption: Consumption
  readonly rows: readonly RowRevision[]
}

const UNTOUCHED: readonly RowRevision[] = []

/**
 * Uses up, inside the transaction of what is to be done, the approval of exactly this act, else one use of a grant that
 * covers it.
 *
 * @throws {Fault} `UNAUTHENTICATED` or `ACCESS_DENIED` when the caller is stopped, `STORE_TAMPERED`
 */
export async function consumeWithin(
  parts: ConsumptionParts,
  tx: Tx,
  caller: Caller,
  act: ApprovalAct,
  at: EpochMs,
): Promise<Consumed> {
  const problem = await frozenProblem(parts, tx, caller, at)
  if (problem !== null) throw problem
  const keyed = keyedAct(caller, act, await parts.digestKey(tx))
  const filed = await openFor(parts.approvals, tx, caller, actDigest(caller, 'act', keyed), at)
  if (filed !== null && filed.status === 'approved' && (await isUpheld(parts, tx, filed, at)))
    return taken(parts, tx, { ...filed, status: 'consumed', consumed_at: at, used: 1 }, at)
  const grant = await grantFor(parts, tx, caller, act, at)
  if (grant !== null) {
    const used = grant.used + 1
    const isSpent = grant.grant_uses !== null && used >= grant.grant_uses
    return taken(
      parts,
      tx,
      { ...grant, used, ...(isSpent ? { status: 'consumed', consumed_at: at } : {}) },
      at,
    )
  }
  if (filed === null || filed.status === 'approved')
    return { consumption: { outcome: 'none' }, rows: UNTOUCHED }
  const outcome = filed.status === 'pending' ? 'pending' : 'denied'
  return { consumption: { outcome, approval: approvalInfo(filed, at) }, rows: UNTOUCHED }
}

/** Whether `consumeWithin` would find something to use up now. */
export async function isApproved(
  parts: ConsumptionParts,
  reader: Reader,
  caller: Caller,
  act: ApprovalAct,
  at: EpochMs,
): Promise<boolean> {
  if ((await frozenProblem(parts, reader, caller, at)) !== null) return false
  const keyed = keyedAct(caller, act, await parts.digestKey(reader))
  const digest = actDigest(caller, 'act', keyed)
  const filed = await openFor(parts.approvals, reader, caller, digest, at, '')
  if (filed !== null && filed.status === 'approved' && (await isUpheld(parts, reader, filed, at)))
    return true
  return (await grantFor(parts, reader, caller, act, at, '')) !== null
}

/** The newest request of the caller for an act that is neither used up, cancelled nor expired. */
export async function openFor(
  approvals: ApprovalTable,
  reader: Reader,
  caller: Caller,
  digest: string,
  at: EpochMs,
  lock = ' /*lock*/',
): Promise<ApprovalRow | null> {
  return approvals.get(
    reader,
    `requester = ? and act_digest = ? and status in ('pending', 'approved', 'denied')
     and expires_at > ? order by created_at desc, id desc limit 1${lock}`,
    [principalName(caller.principal), digest, at],
  )
}

/** Whether, without those whose word no longer counts, enough people have said yes. */
export async function isUpheld(
  parts: DeciderParts,
  reader: Reader,
  row: ApprovalRow,
  at: EpochMs,
): Promise<boolean> {
  let count = 0
  for (const { by, decision } of votesOf(row))
    if (decision === 'approve' && (await stillCounts(parts, reader, by, row, at))) count += 1
  return count >= row.needed
}

async function grantFor(
  parts: ConsumptionParts,
  reader: Reader,
  caller: Caller,
  act: ApprovalAct,
  at: EpochMs,
  lock = ' /*lock*/',
): Promise<ApprovalRow | null> {
  const { within } = act
  if (within === undefined) return null
  const { principal } = caller
  const grants = await parts.approvals.select(
    reader,
    `requester = ? and kind = 'grant' and status = 'approved' and expires_at > ?
     and place = ? and permission = ? and policy_revision = ?
     order by expires_at, id${lock}`,
    [principalName(principal), at, within.place, within.permission, act.policyRevision],
  )
  const project = principal.kind === 'agent' ? principal.project : null
  for (const grant of grants) {
    const isHis = grant.project === project
    const hasUses = grant.grant_uses === null || grant.used < grant.grant_uses
    if (!isHis || !hasUses || !parts.covers(grant.pattern ?? '', within.path)) continue
    if (await isUpheld(parts, reader, grant, at)) return grant
  }
  return null
}

async function taken(
  { approvals }: ConsumptionParts,
  tx: Tx,
  row: ApprovalRow,
  at: EpochMs,
): Promise<Consumed> {
  const next = { ...row, revision: row.revision + 1 }
  await approvals.save(tx, [next])
  return {
    consumption: {
      outcome: 'granted',
      taken: { approval: approvalInfo(next, at), revision: next.revision },
    },
    rows: [['approvals', next.id, next.revision]],
  }
}

/**
 * The row as it was before the act took it, or null when there is nothing to give back: it was given back already, or
 * its time is over.
 */
export function givenBack(row: ApprovalRow, revision: number, at: EpochMs): ApprovalRow | null {
  if (row.used < 1 || row.expires_at <= at) return null
  if (row.status !== 'consumed' && row.status !== 'approved') return null
  // A single use is given back by whoever took it. Of a grant others may have used something meanwhile.
  if (row.kind !== 'grant' && row.revision !== revision) return null
  if (row.kind === 'grant' && row.revision < revision) return null
  return {
    ...row,
    status: 'approved',
    used: row.used - 1,
    consumed_at: null,
    revision: row.revision + 1,
  }
}

export function changeRecord(
  action: string,
  caller: Caller,
  row: ApprovalRow,
  at: EpochMs,
): RecordDraft {
  return {
    kind: 'change',
    action,
    caller,
    rows: [['approvals', row.id, row.revision]],
    detail: {
      approval: row.id,
      requester: row.requester,
      what: row.action,
      target: `${row.target_type}:${row.target_id}`,
      act: row.act_digest,
      policy: row.policy_revision,
      status: statusOf(row, at),
    },
  }
}
