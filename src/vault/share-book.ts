import type { RowRevision } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { isRegistered, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { sameTokenHash } from '../crypto/index.ts'
import { addressIn } from '../policy/index.ts'
import type { Refused } from './access.ts'
import type { ReadRequest } from './read-lane.ts'
import type { RightsAt } from './rights.ts'
import type { SecretRow, VaultTables } from './rows-repository.ts'
import type { ShareRow } from './sharing-rows.ts'

/** Wrong passphrases in a row after which a share is locked. */
export const MAX_WRONG_PASSPHRASES = 10

/** By which share somebody reads, and what he showed for it. */
export interface ShareClaim {
  readonly id: string
  /** Keyed hash of the secret part of the link; null where the recipient shows his own credential. */
  readonly digest: Uint8Array | null
  /** The passphrase was verified, as of this record of it. */
  readonly passphrase: string | null
  readonly address: string | null
}

interface Held {
  readonly stored: ShareRow
  row: ShareRow
}

/** The shares that a batch reads by: looked up once, written once, first come first served. */
export class ShareBook {
  readonly #tables: VaultTables
  readonly #rights: RightsAt
  readonly #held: ReadonlyMap<string, Held>
  readonly #at: EpochMs

  private constructor(
    tables: VaultTables,
    rights: RightsAt,
    held: ReadonlyMap<string, Held>,
    at: EpochMs,
  ) {
    this.#at = at
    this.#tables = tables
    this.#rights = rights
    this.#held = held
  }

  static async open(
    tables: VaultTables,
    tx: Tx,
    rights: RightsAt,
    members: readonly ReadRequest[],
    at: EpochMs,
  ): Promise<ShareBook> {
    const ids = [...new Set(members.flatMap((member) => member.share?.id ?? []))]
    const rows = await tables.shares.select(tx, `id in (${ids.map(() => '?').join(', ')})`, ids)
    return new ShareBook(
      tables,
      rights,
      new Map(rows.map((row) => [row.id, { stored: row, row }] as const)),
      at,
    )
  }

  sharerOf(member: ReadRequest): string | null {
    return this.#of(member)?.row.created_by ?? null
  }

  async admit(member: ReadRequest): Promise<Refused | null> {
    const { share, caller } = member
    if (share === undefined) return null
    const row = this.#of(member)?.row ?? null
    const problem = standingProblem(row, principalName(caller.principal), share, this.#at)
    if (row === null || problem !== null)
      return refusedShare(member, problem ?? shareNotFound(), 'share')
    if (row.passphrase !== share.passphrase) return refusedShare(member, shareNotFound(), 'changed')
    if (isRegistered(caller.principal)) {
      const own = await this.#rights.of(member)
      if (own.ended !== undefined) return refusedShare(member, own.ended, 'ended')
    }
    const sharer = await this.#rights.ofAbsent(row.created_by, row.vault_id, row.created_from)
    const holds = sharer.judge(row.path, 'read').allowed && sharer.judge(row.path, 'share').allowed
    // Nobody hands on what he no longer holds.
    return holds ? null : refusedShare(member, shareNotFound(), 'sharer')
  }

  /** Asked when everything else allows the read: others of the batch may have spent what was left. */
  refusal(member: ReadRequest, secret: SecretRow): Refused | null {
    if (member.share === undefined) return null
    const row = this.#of(member)?.row
    if (row === undefined || row.secret_id !== secret.id)
      return refusedShare(member, shareNotFound(), 'replaced')
    if (row.max_reads !== null && row.reads >= row.max_reads)
      return refusedShare(member, shareSpent(), 'max-access-count')
    return null
  }

  spend(member: ReadRequest): readonly RowRevision[] {
    const held = this.#of(member)
    if (held === null) return []
    const { stored, row } = held
    held.row = {
      ...row,
      reads: row.reads + 1,
      failures: 0,
      accepted_at: row.accepted_at ?? this.#at,
      revision: stored.revision + 1,
    }
    return [['shares', row.id, held.row.revision]]
  }

  async save(tx: Tx): Promise<void> {
    const changed = [...this.#held.values()].filter(({ row, stored }) => row !== stored)
    if (changed.length > 0)
      await this.#tables.shares.save(
        tx,
        changed.map(({ row }) => row),
      )
  }

  #of(member: ReadRequest): Held | null {
    return (member.share === undefined ? undefined : this.#held.get(member.share.id)) ?? null
  }
}

/**
 * Why a share does not stand for whoever shows this, without its passphrase. What is not his to know is all one
 * answer: there is no such share.
 */
export function standingProblem(
  row: ShareRow | null,
  reader: string,
  { digest, address }: Pick<ShareClaim, 'digest' | 'address'>,
  at: EpochMs,
): Fault | null {
  if (row === null) return shareNotFound()
  const isHis =
    row.recipient === null
      ? row.digest !== null && digest !== null && sameTokenHash(row.digest, digest)
      : row.recipient === reader
  if (!isHis || row.state === 'revoked' || row.state === 'declined') return shareNotFound()
  if (row.ip_allowlist !== null && !isListed(row.ip_allowlist, address))
    return new Fault('ACCESS_DENIED', 'This share cannot be opened from this address.')
  if (row.expires_at <= at || (row.max_reads !== null && row.reads >= row.max_reads))
    return shareSpent()
  return row.state === 'locked' ? shareLocked() : null
}

function isListed(list: string, address: string | null): boolean {
  if (address === null) return false
  const ranges = JSON.parse(list) as readonly string[]
  return ranges.some((range) => addressIn(range, address))
}

function refusedShare(member: ReadRequest, fault: Fault, by: string): Refused {
  return {
    fault,
    record: {
      kind: 'refusal',
      action: member.action,
      caller: member.caller,
      vault: member.vaultId,
      path: member.path,
      by,
      detail: { share: member.share?.id ?? '', severity: 'medium' },
    },
  }
}

export function shareNotFound(): Fault {
  return new Fault('NOT_FOUND', 'There is no such share.')
}

export function shareSpent(): Fault {
  return new Fault('SECRET_SPENT', 'The share is expired or was opened as often as it may be.', {
    details: { remedy: 'ask whoever shared it for a new one' },
  })
}

export function shareLocked(): Fault {
  return new Fault(
    'ACCESS_DENIED',
    `The share is locked: its passphrase was wrong ${MAX_WRONG_PASSPHRASES} times.`,
    { details: { remedy: 'ask whoever shared it for a new one' } },
  )
}
