import type { Lane, RecordDraft, RowRevision, Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { KeyId } from '../core/ids.ts'
import type { EpochMs } from '../core/time.ts'
import type { StoreKeys } from '../keys/index.ts'
import type { Permission } from '../policy/index.ts'
import {
  type Refused,
  type Request,
  refuse,
  refused,
  secretNotFound,
  secretSpent,
} from './access.ts'
import type { Fingerprints } from './fingerprints.ts'
import { type ActApprovals, type AskedPolicy, askedFor } from './needs-person.ts'
import { ReadBooks, type ReadWatch, withSeverity } from './read-books.ts'
import type { CallerRights, RightsAt, VaultRights } from './rights.ts'
import {
  type SealedRow,
  type SecretRow,
  type SecretWithValue,
  sealedValue,
  secretsWithValues,
  type VaultTables,
  type VersionRow,
} from './rows-repository.ts'
import type { ValuePlace } from './sealing.ts'
import type { ShareClaim } from './share-book.ts'

/** One read of a value, counted. */
export interface ReadRequest extends Request {
  readonly permission: Extract<Permission, 'read' | 'use'>
  /** A version other than the current one, or null. */
  readonly version: number | null
  /** It is read by a share: whoever shared must be allowed to, not whoever reads. */
  readonly share?: ShareClaim
}

/** A read that was spent and recorded: the sealed value may now be opened and handed out once. */
export interface SpentRead {
  readonly row: SecretRow
  readonly place: ValuePlace
  readonly sealed: Pick<SealedRow, 'key_id' | 'wrapped_key' | 'sealed'>
  /** Of the version that was read. */
  readonly version: VersionCounters
  readonly vaultKey: Buffer
}

export interface VersionCounters {
  readonly version: number
  readonly state: SecretRow['state']
  readonly type: SecretRow['type']
  readonly reads: number
  readonly maxReads: number | null
  readonly expiresAt: EpochMs | null
  readonly byteLength: number
  readonly isBinary: boolean
}

type Outcome = Settled<SpentRead>

/**
 * Spends reads for all members of a batch: one verified look-up and one write per path, first come first served, in
 * the transaction that makes their intents durable. Two agents racing for the last allowed read cannot both get it.
 *
 * @see requirement OC-13
 */
export class ReadLane implements Lane<ReadRequest, SpentRead> {
  readonly name = 'read'
  readonly #tables: VaultTables
  readonly #rights: VaultRights
  readonly #keys: StoreKeys
  readonly #fingerprints: Fingerprints
  readonly #watch: ReadWatch
  readonly #approvals: ActApprovals

  constructor(
    tables: VaultTables,
    rights: VaultRights,
    keys: StoreKeys,
    fingerprints: Fingerprints,
    watch: ReadWatch,
    approvals: ActApprovals,
  ) {
    this.#tables = tables
    this.#rights = rights
    this.#keys = keys
    this.#fingerprints = fingerprints
    this.#watch = watch
    this.#approvals = approvals
  }

  async work(tx: Tx, members: readonly ReadRequest[], at: EpochMs): Promise<readonly Outcome[]> {
    const rights = await this.#rights.at(tx, at)
    const books = await ReadBooks.open(this.#watch, tx, rights, members, at)
    const outcomes = new Array<Outcome>(members.length)
    const byVault = new Map<string, number[]>()
    const asked = new Map<number, AskedPolicy>()
    for (const [index, member] of members.entries()) {
      const refusal =
        member.share === undefined ? this.#refusal(tx, rights, member) : books.admit(member)
      // Awaiting what is already there would cost every member of the batch a turn.
      const refused = refusal instanceof Promise ? await refusal : refusal
      if (refused !== null && 'fault' in refused) {
        outcomes[index] = refused
        continue
      }
      if (refused !== null) asked.set(index, refused)
      const group = byVault.get(member.vaultId)
      if (group === undefined) byVault.set(member.vaultId, [index])
      else group.push(index)
    }
    for (const indexes of byVault.values())
      await this.#readVault(tx, members, indexes, at, outcomes, books, asked)
    await books.close(tx, members, outcomes, at)
    await this.#fingerprints.released(tx, members, outcomes, at)
    return outcomes
  }

  #refusal(
    tx: Tx,
    rights: RightsAt,
    member: ReadRequest,
  ): Refused | AskedPolicy | null | Promise<Refused | AskedPolicy | null> {
    const judged = (own: CallerRights): AskedPolicy | Promise<Refused> | null => {
      const judgement = own.judge(member.path, member.permission)
      if (judgement.allowed) return null
      return askedFor(judgement) ?? refuse(tx, this.#tables, member, own, member.permission)
    }
    const found = rights.of(member)
    return found instanceof Promise
      ? found.then<Refused | AskedPolicy | null>(judged)
      : judged(found)
  }

  async #readVault(
    tx: Tx,
    members: readonly ReadRequest[],
    indexes: readonly number[],
    at: EpochMs,
    outcomes: Outcome[],
    side: ReadBooks,
    asked: ReadonlyMap<number, AskedPolicy>,
  ): Promise<void> {
    const vaultId = members[indexes[0] ?? 0]?.vaultId
    if (vaultId === undefined) return
    const paths = new Set<string>()
    for (const index of indexes) paths.add(members[index]?.path ?? '')
    const found = await secretsWithValues(tx, vaultId, [...paths])
    const books = new Map<string, Book>()
    for (const row of found) books.set(row.path, new Book(row))
    for (const index of indexes) {
      const member = members[index]
      if (member === undefined) continue
      const outcome = this.#readOne(
        tx,
        member,
        books.get(member.path),
        at,
        side,
        asked.get(index) ?? null,
      )
      outcomes[index] = outcome instanceof Promise ? await outcome : outcome
    }
    const spent: SecretRow[] = []
    for (const book of books.values()) if (book.isChanged) spent.push(book.row)
    await this.#tables.secrets.saveCounter(tx, spent, 'reads')
  }

  #readOne(
    tx: Tx,
    member: ReadRequest,
    book: Book | undefined,
    at: EpochMs,
    side: ReadBooks,
    asked: AskedPolicy | null,
  ): Outcome | Promise<Outcome> {
    if (book === undefined) return refused(member, secretNotFound(member.path))
    try {
      book.verify(this.#tables)
    } catch (error) {
      return refused(member, asFault(error))
    }
    if (book.row.deleted_at !== null) return refused(member, secretNotFound(member.path))
    return member.version === null || member.version === book.row.version
      ? this.#spendCurrent(tx, member, book, at, side, asked)
      : this.#spendOlder(tx, member, book.row, member.version, at, side, asked)
  }

  #spendCurrent(
    tx: Tx,
    member: ReadRequest,
    book: Book,
    at: EpochMs,
    side: ReadBooks,
    asked: AskedPolicy | null,
  ): Outcome | Promise<Outcome> {
    const { row, sealed } = book
    const counters = countersOfCurrent(row)
    const unreadable = refusedUnreadable(member, counters, at) ?? side.refusal(member, row)
    if (unreadable !== null) return unreadable
    if (sealed === null) return refused(member, valueGone(member.path))
    if (asked !== null)
      return this.#approved(tx, member, asked, at).then(async (used) =>
        'fault' in used
          ? used
          : spentCurrent(
              member,
              book,
              counters,
              sealed,
              await this.#keys.byId(tx, sealed.key_id),
              side,
              used,
            ),
      )
    const held = this.#keys.heldKey(sealed.key_id)
    if (held !== undefined) return spentCurrent(member, book, counters, sealed, held, side)
    return this.#keys
      .byId(tx, sealed.key_id)
      .then((vaultKey) => spentCurrent(member, book, counters, sealed, vaultKey, side))
  }

  async #spendOlder(
    tx: Tx,
    member: ReadRequest,
    secret: SecretRow,
    version: number,
    at: EpochMs,
    side: ReadBooks,
    asked: AskedPolicy | null,
  ): Promise<Outcome> {
    const row = await this.#tables.versions.get(tx, 'secret_id = ? and version = ?', [
      secret.id,
      version,
    ])
    if (row === null) return refused(member, secretNotFound(member.path))
    const unreadable =
      refusedUnreadable(member, countersOfVersion(row), at) ?? side.refusal(member, secret)
    if (unreadable !== null) return unreadable
    const sealed = await sealedValue(tx, secret.id, version)
    if (sealed === null) return refused(member, valueGone(member.path))
    const used = asked === null ? NOTHING : await this.#approved(tx, member, asked, at)
    if ('fault' in used) return used
    const next: VersionRow = { ...row, reads: row.reads + 1, revision: row.revision + 1 }
    await this.#tables.versions.save(tx, [next])
    return {
      value: {
        row: secret,
        place: { vaultId: secret.vault_id, secretId: secret.id, version },
        sealed,
        version: countersOfVersion(next),
        vaultKey: await this.#keys.byId(tx, sealed.key_id),
      },
      record: intent(
        member,
        version,
        ['versions', this.#tables.versions.idOf(next), next.revision],
        [...used, ...side.spend(member)],
      ),
    }
  }

  /** What people said to this read, used up; the last thing that is asked before it is spent. */
  async #approved(
    tx: Tx,
    member: ReadRequest,
    asked: AskedPolicy,
    at: EpochMs,
  ): Promise<readonly RowRevision[] | Refused> {
    const { approvedWithin, readingOf } = await import('./path-approval.ts')
    const parts = { tables: this.#tables, approvals: this.#approvals }
    return approvedWithin(parts, tx, readingOf(member), asked, at)
  }
}

const NOTHING: readonly RowRevision[] = []

function spentCurrent(
  member: ReadRequest,
  book: Book,
  before: VersionCounters,
  sealed: SpentRead['sealed'],
  vaultKey: Buffer,
  side: ReadBooks,
  used: readonly RowRevision[] = NOTHING,
): Outcome {
  const row = book.spend()
  const spent = side.spend(member)
  const also = used.length === 0 ? spent : [...used, ...spent]
  return {
    value: {
      row,
      place: { vaultId: row.vault_id, secretId: row.id, version: row.version },
      sealed,
      version: { ...before, reads: row.reads },
      vaultKey,
    },
    record: intent(member, row.version, ['secrets', row.id, row.revision], also),
  }
}

/** One path's row while a batch spends from it: verified once, written once. */
class Book {
  readonly #stored: SecretWithValue
  #row: SecretRow
  #isVerified = false

  constructor(stored: SecretWithValue) {
    this.#stored = stored
    this.#row = stored
  }

  get row(): SecretRow {
    return this.#row
  }

  get isChanged(): boolean {
    return this.#row !== this.#stored
  }

  get sealed(): SpentRead['sealed'] | null {
    const { key_id, wrapped_key, sealed } = this.#stored
    if (key_id === null || wrapped_key === null || sealed === null) return null
    return { key_id: key_id satisfies KeyId, wrapped_key, sealed }
  }

  verify(tables: VaultTables): void {
    if (this.#isVerified) return
    tables.secrets.verified(this.#stored)
    this.#isVerified = true
  }

  spend(): SecretRow {
    this.#row = {
      ...this.#row,
      reads: this.#row.reads + 1,
      // One write for the batch, so one step of the revision, however many members it serves.
      revision: this.#stored.revision + 1,
    }
    return this.#row
  }
}

export function countersOfCurrent(row: SecretRow): VersionCounters {
  return {
    version: row.version,
    state: row.state,
    type: row.type,
    reads: row.reads,
    maxReads: row.max_reads,
    expiresAt: row.expires_at,
    byteLength: row.byte_length,
    isBinary: row.is_binary === 1,
  }
}

export function countersOfVersion(row: VersionRow): VersionCounters {
  return {
    version: row.version,
    state: row.state,
    type: row.type,
    reads: row.reads,
    maxReads: row.max_reads,
    expiresAt: row.expires_at,
    byteLength: row.byte_length,
    isBinary: row.is_binary === 1,
  }
}

/** Why a version is gone for whoever may read the path: `destroyed` answers 404, the others 410; null when it is not. */
export function whyUnreadable(
  version: VersionCounters,
  at: EpochMs,
): 'destroyed' | 'disabled' | 'expired' | 'max-access-count' | null {
  if (version.state !== 'active') return version.state
  if (version.expiresAt !== null && at >= version.expiresAt) return 'expired'
  if (version.maxReads !== null && version.reads >= version.maxReads) return 'max-access-count'
  return null
}

function refusedUnreadable(
  member: ReadRequest,
  version: VersionCounters,
  at: EpochMs,
): Refused | null {
  const why = whyUnreadable(version, at)
  if (why === null) return null
  const fault = why === 'destroyed' ? secretNotFound(member.path) : secretSpent(member.path)
  const { record } = refused(member, fault, why)
  return { fault, record: why === 'destroyed' ? record : withSeverity(record, 'low') }
}

function valueGone(path: string): Fault {
  return new Fault('STORE_TAMPERED', `The sealed value of '${path}' is gone from the store.`, {
    details: { path },
  })
}

function intent(
  member: ReadRequest,
  version: number,
  changed: RowRevision,
  also: readonly RowRevision[],
): RecordDraft {
  return {
    kind: 'intent',
    action: member.action,
    caller: member.caller,
    vault: member.vaultId,
    path: member.path,
    version,
    rows: also.length === 0 ? [changed] : [changed, ...also],
    ...(member.share === undefined
      ? {}
      : { detail: { share: member.share.id, address: member.share.address } }),
  }
}
