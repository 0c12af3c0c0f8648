import { createHash } from 'node:crypto'
import type { Ledger, RecordDraft } from '../audit/index.ts'
import type { Db, Reader } from '../core/db-port.ts'
import type { VaultId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import type { PathStanding, SecretList, VaultInfo } from '../core/vault-port.ts'
import { rightsRevision } from '../keys/index.ts'
import type { Permission } from '../policy/index.ts'
import { accessDenied, type Request, revokeSeen, secretNotFound } from './access.ts'
import { type Canaries, placeOf } from './canaries.ts'
import { changeLane } from './change-lane.ts'
import { type ActApprovals, askedFor, isOpen } from './needs-person.ts'
import { countersOfCurrent, whyUnreadable } from './read-lane.ts'
import {
  type Asking,
  type CallerRights,
  refusalRecord,
  remedyFor,
  type VaultRights,
} from './rights.ts'
import {
  countSecrets,
  listingStamp,
  prefixPattern,
  type SecretRow,
  type VaultTables,
} from './rows-repository.ts'
import { listedSecret, vaultInfo } from './views.ts'

export interface LookParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
  readonly rights: VaultRights
  readonly canaries: Canaries
  readonly actApprovals: ActApprovals
  readonly clock: Clock
}

const MAX_GLIMPSED = 4_096

/** Records that change nothing, only say what was asked. */
const NOTES = changeLane<RecordDraft, null>('note', async (_tx, record) => ({
  value: null,
  record,
}))

/** Everything that is answered without touching a value: judged on one snapshot, recorded, then answered. */
export class Looks {
  readonly #parts: LookParts
  readonly #endChangedLane
  /** By principal and vault: what it was shown last, and when that was computed. */
  readonly #glimpsed = new Map<string, { readonly stamp: string; readonly digest: string }>()
  readonly #canaryLane

  constructor(parts: LookParts) {
    this.#parts = parts
    const { tables } = parts
    this.#canaryLane = changeLane('canary', async (tx, request: Request, at) => ({
      value: null,
      record: await parts.canaries.trip(tx, request, false, at),
    }))
    this.#endChangedLane = changeLane('project.revoke', async (tx, asking: Asking) => {
      const { caller, evidence } = asking
      const rows = await revokeSeen(tx, tables, { evidence }, { standing: 'changed' })
      const record: RecordDraft = { kind: 'change', action: 'project.revoke', caller, rows }
      return { value: null, record: rows.length === 0 ? null : record }
    })
  }

  async vaults(caller: Caller): Promise<readonly VaultInfo[]> {
    const { db, tables, rights, clock } = this.#parts
    const rows = await db.read(async (reader) =>
      (await rights.at(reader, clock())).visible(
        caller,
        await tables.vaults.select(reader, '1 = 1 order by name', []),
      ),
    )
    await this.note({ kind: 'event', action: 'vault.list', caller })
    return rows.map(vaultInfo)
  }

  /** Those of a vault's secrets that the caller may list. */
  async visible(
    caller: Caller,
    vaultId: VaultId,
    action: string,
    prefix: string,
    keep: (row: SecretRow) => boolean,
  ): Promise<SecretList> {
    const { db, tables, rights } = this.#parts
    const asking = { caller, evidence: rights.evidenceFor(caller), vaultId }
    const found = await db.read(async (reader) => {
      const own = await this.#rightsOf(reader, asking)
      if (own.ended !== undefined) throw own.ended
      const rows = await tables.secrets.select(
        reader,
        `vault_id = ? and deleted_at is null and path like ? escape '\\' order by path`,
        [vaultId, prefixPattern(prefix)],
      )
      // `like` folds case on SQLite; paths are case-sensitive.
      const seen = rows.filter(
        (row) => row.path.startsWith(prefix) && own.judge(row.path, 'list').allowed && keep(row),
      )
      // How much a vault holds is nobody's business who sees only some of its paths.
      const total =
        own.standing === 'registered' ? seen.length : await countSecrets(reader, vaultId)
      return { own, total, secrets: seen.map((row) => listedSecret(row, own)) }
    })
    await this.#endChanged(asking, found.own)
    await this.note({ kind: 'event', action, caller, vault: vaultId })
    return { total: found.total, secrets: found.secrets }
  }

  /** A digest of what `visible` would answer for the whole vault. Nobody is shown anything, so nothing is recorded. */
  async glimpse(caller: Caller, vaultId: VaultId): Promise<string> {
    const { db, tables, rights } = this.#parts
    const evidence = rights.evidenceFor(caller)
    const who = `${principalName(caller.principal)} ${vaultId}`
    return db.read(async (reader) => {
      const own = await this.#rightsOf(reader, { caller, evidence, vaultId })
      if (own.ended !== undefined) throw own.ended
      // It is asked after every change of the store, and most of them are reads.
      const stamp = `${await rightsRevision(reader)} ${await listingStamp(reader, vaultId)}`
      const known = this.#glimpsed.get(who)
      if (evidence === null && known?.stamp === stamp) return known.digest
      const rows = await tables.secrets.select(
        reader,
        'vault_id = ? and deleted_at is null order by path',
        [vaultId],
      )
      const hash = createHash('sha256')
      for (const row of rows) {
        if (!own.judge(row.path, 'list').allowed) continue
        const { path, id, type, version, expiresAt, readable } = listedSecret(row, own)
        const parts = [path, id, type, version, row.state, expiresAt, readable, row.metadata]
        hash.update(`${JSON.stringify(parts)}\n`)
      }
      const digest = hash.digest('base64url')
      if (this.#glimpsed.size >= MAX_GLIMPSED) this.#glimpsed.clear()
      this.#glimpsed.set(who, { stamp, digest })
      return digest
    })
  }

  /** A secret's row for whoever may list its path. */
  async look(request: Request): Promise<{ row: SecretRow; rights: CallerRights }> {
    const { db, tables } = this.#parts
    const { caller, vaultId, path, action } = request
    const found = await db.read(async (reader) => {
      const rightsAt = await this.#parts.rights.at(reader, this.#parts.clock())
      const canaries = await this.#parts.canaries.load(reader, rightsAt.revision)
      const isCanary = canaries?.has(placeOf(request)) === true
      const rights = await rightsAt.of(request)
      const judgement = rights.judge(path, 'list')
      if (!judgement.allowed) return { rights, judgement, row: null, isCanary }
      const row = await tables.secrets.get(reader, 'vault_id = ? and path = ?', [vaultId, path])
      return { rights, judgement, row, isCanary }
    })
    await this.#endChanged(request, found.rights)
    if (found.isCanary) await this.#tripped(request)
    if (!found.judgement.allowed) {
      await this.note(refusalRecord(caller, action, vaultId, path, found.judgement))
      throw found.rights.ended ?? accessDenied(path, remedyFor(found.rights.standing, 'read'))
    }
    await this.note({ kind: 'event', action, caller, vault: vaultId, path })
    if (found.row === null || found.row.deleted_at !== null) throw secretNotFound(path)
    return { row: found.row, rights: found.rights }
  }

  async standing(request: Request): Promise<PathStanding> {
    const { db, tables } = this.#parts
    const { vaultId, path } = request
    const { rights, row } = await db.read(async (reader) => {
      const rights = await this.#rightsOf(reader, request)
      if (rights.ended !== undefined) throw rights.ended
      const row = await tables.secrets.get(reader, 'vault_id = ? and path = ?', [vaultId, path])
      return { rights, row }
    })
    await this.#endChanged(request, rights)
    const isLive = row !== null && row.deleted_at === null
    // A value that a person types is not typed again for the same call, so it cannot wait for another person.
    const may = (permission: Permission): boolean => rights.judge(path, permission).allowed
    const mayRead = isOpen(rights.judge(path, 'read'))
    return {
      path,
      mayRead,
      mayWrite: may('write') || (row === null && may('create')),
      currentVersion: isLive ? row.version : null,
      remedy: mayRead ? null : remedyFor(rights.standing, 'read'),
    }
  }

  /** Those of the requests that would be refused now, looked at without spending anything. */
  async unusable(requests: readonly Request[]): Promise<readonly Request[]> {
    const { db, tables, clock } = this.#parts
    return db.read(async (reader) => {
      const unusable: Request[] = []
      for (const request of requests) {
        const rights = await this.#rightsOf(reader, request)
        const row = await tables.secrets.get(reader, 'vault_id = ? and path = ?', [
          request.vaultId,
          request.path,
        ])
        const isUsable =
          isOpen(rights.judge(request.path, 'use')) &&
          row !== null &&
          row.deleted_at === null &&
          whyUnreadable(countersOfCurrent(row), clock()) === null
        if (!isUsable) unusable.push(request)
      }
      return unusable
    })
  }

  /** Those of the requests that wait for an approval which nobody has given. Uses nothing up. */
  async waiting(requests: readonly Request[]): Promise<readonly Request[]> {
    const { db, tables, actApprovals: approvals, clock } = this.#parts
    return db.read(async (reader) => {
      const waiting: Request[] = []
      for (const request of requests) {
        const asked = askedFor((await this.#rightsOf(reader, request)).judge(request.path, 'use'))
        if (asked === null) continue
        const { isApproved, readingOf } = await import('./path-approval.ts')
        const act = readingOf({ ...request, permission: 'use', version: null })
        if (!(await isApproved({ tables, approvals }, reader, act, asked, clock())))
          waiting.push(request)
      }
      return waiting
    })
  }

  /** For requests that were asked for and are not carried out, because others beside them can't be. */
  async ring(requests: readonly Request[]): Promise<void> {
    const { db, canaries } = this.#parts
    const places = await db.read(async (reader) =>
      canaries.load(reader, await rightsRevision(reader)),
    )
    if (places === null) return
    for (const request of requests) if (places.has(placeOf(request))) await this.#tripped(request)
  }

  async note(record: RecordDraft): Promise<void> {
    await this.#parts.ledger.commit(NOTES, record)
  }

  async #tripped(request: Request): Promise<void> {
    try {
      await this.#parts.ledger.commit(this.#canaryLane, request)
    } finally {
      this.#parts.canaries.tell(request)
    }
  }

  async #rightsOf(reader: Reader, asking: Asking): Promise<CallerRights> {
    return (await this.#parts.rights.at(reader, this.#parts.clock())).of(asking)
  }

  /** Looks change nothing, but one that sees another project file than the approved one ends the approval. */
  async #endChanged(asking: Asking, rights: CallerRights): Promise<void> {
    if (rights.standing !== 'changed') return
    await this.#parts.ledger.commit(this.#endChangedLane, asking)
  }
}
