import type { RecordDraft, RowRevision, Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { type Principal, principalNamed } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { type Refused, refused } from './access.ts'
import { type Canaries, placeOf } from './canaries.ts'
import { payersOf, type QuotaBook, type Quotas } from './quotas.ts'
import type { ReadRequest, SpentRead } from './read-lane.ts'
import type { RightsAt } from './rights.ts'
import { existingPaths, type SecretRow, type VaultTables } from './rows-repository.ts'
import { ShareBook } from './share-book.ts'

/** What reading takes part in besides the secret itself. */
export interface ReadWatch {
  readonly tables: VaultTables
  readonly quotas: Quotas
  readonly canaries: Canaries
}

/** Quotas, shares and canaries as one batch of reads spends from them. */
export class ReadBooks {
  readonly #watch: ReadWatch
  readonly #quota: QuotaBook | null
  readonly #shares: ShareBook | null
  readonly #canaries: ReadonlySet<string> | null

  private constructor(
    watch: ReadWatch,
    quota: QuotaBook | null,
    shares: ShareBook | null,
    canaries: ReadonlySet<string> | null,
  ) {
    this.#watch = watch
    this.#quota = quota
    this.#shares = shares
    this.#canaries = canaries
  }

  static async open(
    watch: ReadWatch,
    tx: Tx,
    rights: RightsAt,
    members: readonly ReadRequest[],
    at: EpochMs,
  ): Promise<ReadBooks> {
    const canaries = await watch.canaries.load(tx, rights.revision)
    const isSharing = members.some((member) => member.share !== undefined)
    const shares = isSharing ? await ShareBook.open(watch.tables, tx, rights, members, at) : null
    const payers = () => members.flatMap((member) => payersFor(member, shares))
    const quota = await watch.quotas.open(tx, rights.revision, payers, at)
    return new ReadBooks(watch, quota, shares, canaries)
  }

  /** Of members that read by a share: why they may not, or null. Their own rights are not asked. */
  admit(member: ReadRequest): Promise<Refused | null> {
    return this.#shares?.admit(member) ?? Promise.resolve(null)
  }

  /** Why a read that everything else allows may not be spent, or null. */
  refusal(member: ReadRequest, row: SecretRow): Refused | null {
    const unshared = this.#shares?.refusal(member, row) ?? null
    if (unshared !== null || this.#quota === null) return unshared
    const fault = this.#quota.refusal(payersFor(member, this.#shares), 'reads')
    if (fault === null) return null
    const refusal = refused(member, fault)
    return { fault, record: { ...refusal.record, detail: { severity: 'medium' } } }
  }

  /** @returns the rows that the member's record names besides the secret's */
  spend(member: ReadRequest): readonly RowRevision[] {
    if (this.#quota === null && this.#shares === null) return NOTHING
    const rows = [...(this.#shares?.spend(member) ?? NOTHING)]
    if (this.#quota !== null)
      rows.push(...this.#quota.spend(payersFor(member, this.#shares), 'reads'))
    return rows
  }

  /** Writes what was spent, and says of those that were refused how much that matters. */
  async close(
    tx: Tx,
    members: readonly ReadRequest[],
    outcomes: Settled<SpentRead>[],
    at: EpochMs,
  ): Promise<void> {
    await this.#shares?.save(tx)
    await this.#quota?.save(tx)
    await this.#markNearMisses(tx, members, outcomes)
    if (this.#canaries === null) return
    for (const [index, member] of members.entries()) {
      const outcome = outcomes[index]
      if (outcome === undefined || !this.#canaries.has(placeOf(member))) continue
      const alarm = await this.#watch.canaries.trip(tx, member, 'value' in outcome, at)
      if (alarm !== null) outcomes[index] = { ...outcome, also: [alarm] }
    }
  }

  /**
   * A refusal at a path that holds something is a near miss. Both kinds are looked up alike, after all was judged, so
   * that the time of an answer does not tell which it was.
   */
  async #markNearMisses(
    tx: Tx,
    members: readonly ReadRequest[],
    outcomes: Settled<SpentRead>[],
  ): Promise<void> {
    const denied = outcomes.flatMap((outcome, index) =>
      'fault' in outcome && outcome.fault.code === 'ACCESS_DENIED' ? [index] : [],
    )
    if (denied.length === 0) return
    const vaults = new Set(denied.flatMap((index) => members[index]?.vaultId ?? []))
    for (const vaultId of vaults) {
      const here = denied.filter((index) => members[index]?.vaultId === vaultId)
      const paths = [...new Set(here.flatMap((index) => members[index]?.path ?? []))]
      const existing = await existingPaths(tx, vaultId, paths)
      for (const index of here) {
        const outcome = outcomes[index]
        if (!existing.has(members[index]?.path ?? '') || !outcome?.record) continue
        outcomes[index] = { ...outcome, record: withSeverity(outcome.record, 'medium') }
      }
    }
  }
}

const NOTHING: readonly RowRevision[] = []

function payersFor(member: ReadRequest, shares: ShareBook | null): readonly string[] {
  const { principal } = member.caller
  // What a stranger reads by a link is the sharer's, or a quota would end where sharing begins.
  const payer: Principal | null =
    principal.kind === 'guest' ? principalNamed(shares?.sharerOf(member) ?? '') : principal
  return payersOf(payer)
}

export function withSeverity(
  record: RecordDraft,
  severity: 'low' | 'medium' | 'high' | 'critical',
): RecordDraft {
  return { ...record, detail: { ...record.detail, severity } }
}
