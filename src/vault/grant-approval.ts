import type { RowRevision } from '../audit/index.ts'
import type { ApprovalRequest } from '../core/approval-port.ts'
import { jsonDigest } from '../core/canonical-json.ts'
import type { Tx } from '../core/db-port.ts'
import type { Caller } from '../core/principals.ts'
import { type EpochMs, toIso } from '../core/time.ts'
import type { AccessPolicy } from '../policy/index.ts'
import { type ActApprovals, NeedsPerson } from './needs-person.ts'
import type { VaultRow } from './rows-repository.ts'

/**
 * What an agent hands on, a person has said yes to. Asked for only when nothing else stands against it, so that nobody
 * is asked in vain.
 *
 * @param current the policy that is changed, or null for a new one
 * @returns the rows that the yes was used up in, for the record of the grant; nothing for people
 * @throws {NeedsPerson}
 */
export async function consumeGrantApproval(
  approvals: Pick<ActApprovals, 'consumeWithin'>,
  tx: Tx,
  caller: Caller,
  vault: VaultRow,
  wanted: AccessPolicy,
  current: AccessPolicy | null,
  at: EpochMs,
): Promise<readonly RowRevision[]> {
  if (caller.principal.kind !== 'registered-agent') return []
  const request = requestFor(vault, wanted, current)
  const { consumption, rows } = await approvals.consumeWithin(tx, caller, request, at)
  if (consumption.outcome !== 'granted') throw new NeedsPerson(request)
  return rows
}

function requestFor(
  vault: VaultRow,
  wanted: AccessPolicy,
  current: AccessPolicy | null,
): ApprovalRequest {
  const { pattern, principalType, principalId, permissions, effect, conditions } = wanted
  const { priority, expiresAt, approval = null } = wanted
  const who = `${principalType} ${principalId}`
  const may = `${effect === 'allow' ? 'may' : 'may not'} ${permissions.join(', ')}`
  return {
    action: current === null ? 'access.grant' : 'access.change',
    target: { type: 'vault', id: vault.id },
    argumentsDigest: jsonDigest({
      policy: current?.id ?? null,
      pattern,
      principal: [principalType, principalId],
      permissions: permissions.toSorted(),
      effect,
      conditions: conditions as unknown,
      priority,
      expiresAt,
      ...(approval === null ? {} : { approval: approval as unknown }),
    }),
    policyRevision: 'grants-of-agents',
    preview: {
      title: `${who} ${may} at the named paths`,
      fields: [
        { label: 'Paths', value: pattern },
        { label: 'In the vault', value: vault.name },
        { label: 'Who', value: who },
        { label: 'May', value: may },
        ...(approval === null
          ? []
          : [{ label: 'Each time approved by', value: `${approval.needed}` }]),
        { label: 'Until', value: expiresAt === null ? 'it is taken back' : toIso(expiresAt) },
        ...(conditions === null
          ? []
          : [{ label: 'Only if', value: JSON.stringify(conditions).slice(0, 1000) }]),
      ],
    },
  }
}
