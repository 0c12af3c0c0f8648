import { changeLane, type Ledger, type RowRevision, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { type Expectation, stateTag, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { isUuid } from '../core/ids.ts'
import { type Caller, isRegistered, type Principal, principalName } from '../core/principals.ts'
import type { QuotaInfo, QuotaKind, QuotaPort, QuotaSeen } from '../core/quota-port.ts'
import { type Clock, type EpochMs, toIso } from '../core/time.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import { administrationProblem } from './administration.ts'
import type { VaultTables } from './rows-repository.ts'
import type { QuotaRow, QuotaUseRow } from './sharing-rows.ts'

const ORG = 'org'
const MAX_LIMIT = 1_000_000_000
const MAX_SEEN = 10_000
const SUBJECT = /^(?:agent|user):(.+)$/

/** Whose quotas a request of this principal spends. The person at the machine has none. */
export function payersOf(principal: Principal | null): readonly string[] {
  if (principal === null || principal.kind === 'person') return []
  return principal.kind === 'guest' ? [ORG] : [ORG, principalName(principal)]
}

/** The limits that are set, and what each transaction spends of them. */
export class Quotas {
  readonly #tables: VaultTables
  readonly #billingUrl: string | null
  #limits: ReadonlyMap<string, QuotaRow> = new Map()
  #revision = -1
  readonly #seen = new Map<string, QuotaSeen>()

  /** @param billingUrl what the refusal names */
  constructor(tables: VaultTables, billingUrl: string | null) {
    this.#tables = tables
    this.#billingUrl = billingUrl
  }

  /**
   * What the payers may still spend, as of `tx`.
   *
   * @param revision of the rights, as of the same transaction
   * @returns null when nothing is limited for any of them
   */
  async open(
    tx: Tx,
    revision: number,
    payers: () => Iterable<string>,
    at: EpochMs,
  ): Promise<QuotaBook | null> {
    if (revision !== this.#revision) {
      const rows = await this.#tables.quotas.select(tx, '1 = 1', [])
      const set = rows.filter((row) => row.reads !== null || row.writes !== null)
      this.#limits = new Map(set.map((row) => [row.id, row]))
      this.#revision = revision
    }
    const limits = this.#limits
    if (limits.size === 0) return null
    const limited = [...new Set(payers())].filter((one) => limits.has(one))
    if (limited.length === 0) return null
    const used = await this.#tables.quotaUse.select(
      tx,
      `id in (${limited.map(() => '?').join(', ')})`,
      limited,
    )
    return new QuotaBook(this.#tables, limits, used, monthOf(at), this)
  }

  exhausted(): Fault {
    const place = this.#billingUrl ?? 'the address that your administrator names'
    return new Fault(
      'QUOTA_EXHAUSTED',
      `Free tier quota exhausted. Upgrade your plan or add payment at ${place}`,
    )
  }

  saw(payer: string, seen: QuotaSeen): void {
    if (this.#seen.size >= MAX_SEEN) this.#seen.clear()
    this.#seen.set(payer, seen)
  }

  /** Of those of the payers' quotas of which anything is known, the one nearest to its end. */
  seen(payers: readonly string[]): QuotaSeen | null {
    let nearest: QuotaSeen | null = null
    for (const payer of payers) {
      const seen = this.#seen.get(payer)
      if (seen !== undefined && (nearest === null || share(seen) > share(nearest))) nearest = seen
    }
    return nearest
  }

  forget(payer: string): void {
    this.#seen.delete(payer)
  }
}

function share({ used, limit }: QuotaSeen): number {
  return limit === 0 ? 1 : used / limit
}

export function monthOf(at: EpochMs): string {
  return toIso(at).slice(0, 7)
}

interface Spent {
  row: QuotaUseRow
  isChanged: boolean
}

/** What one batch spends: looked up once, written once, however many of its members spend from it. */
export class QuotaBook {
  readonly #tables: VaultTables
  readonly #limits: ReadonlyMap<string, QuotaRow>
  readonly #used = new Map<string, Spent>()
  readonly #month: string
  readonly #quotas: Quotas

  constructor(
    tables: VaultTables,
    limits: ReadonlyMap<string, QuotaRow>,
    used: readonly QuotaUseRow[],
    month: string,
    quotas: Quotas,
  ) {
    this.#tables = tables
    this.#limits = limits
    this.#month = month
    this.#quotas = quotas
    for (const row of used)
      this.#used.set(row.id, {
        // A new month begins at nothing; a clock that was stepped back does not give an old one again.
        row: row.month < month ? { ...row, month, reads: 0, writes: 0 } : row,
        isChanged: false,
      })
  }

  /** Why nothing more may be spent, or null. */
  refusal(payers: readonly string[], kind: QuotaKind): Fault | null {
    for (const payer of payers) {
      const limit = this.#limits.get(payer)?.[kind] ?? null
      if (limit === null) continue
      const used = this.#used.get(payer)?.row[kind] ?? 0
      if (used < limit) continue
      this.#quotas.saw(payer, { used, limit })
      return this.#quotas.exhausted()
    }
    return null
  }

  /** @returns the rows that the record of what was spent must name */
  spend(payers: readonly string[], kind: QuotaKind): readonly RowRevision[] {
    const rows: RowRevision[] = []
    for (const payer of payers) {
      const limits = this.#limits.get(payer)
      if (limits === undefined) continue
      const spent = this.#of(payer)
      spent.row = {
        ...spent.row,
        [kind]: spent.row[kind] + 1,
        // One write for the batch, so one step of the revision.
        revision: spent.row.revision + (spent.isChanged ? 0 : 1),
      }
      spent.isChanged = true
      const limit = limits[kind]
      if (limit !== null) this.#quotas.saw(payer, { used: spent.row[kind], limit })
      rows.push(['quota_use', payer, spent.row.revision])
    }
    return rows
  }

  async save(tx: Tx): Promise<void> {
    const changed = [...this.#used.values()].filter((spent) => spent.isChanged)
    if (changed.length > 0)
      await this.#tables.quotaUse.save(
        tx,
        changed.map((spent) => spent.row),
      )
  }

  #of(payer: string): Spent {
    let spent = this.#used.get(payer)
    if (spent === undefined) {
      const row = { id: payer, month: this.#month, reads: 0, writes: 0, revision: 0 }
      spent = { row, isChanged: false }
      this.#used.set(payer, spent)
    }
    return spent
  }
}

interface Setting {
  readonly caller: Caller
  readonly subject: string
  readonly reads: number | null
  readonly writes: number | null
  readonly expected: Expectation | undefined
}

export interface QuotaParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
  readonly standing: StandingPort
  readonly quotas: Quotas
  readonly clock: Clock
}

/** Sets and shows quotas. */
export function createQuotas(parts: QuotaParts): QuotaPort {
  const { db, ledger, tables, standing, quotas, clock } = parts
  const set = changeLane('quota.set', async (tx, setting: Setting, at) => {
    const problem = await administrationProblem(standing, tx, setting.caller, null, at)
    if (problem === null) return setOne(tables, tx, setting, at)
    const { caller } = setting
    return {
      fault: problem,
      record: { kind: 'refusal' as const, action: 'quota.set', caller, by: problem.code },
    }
  })
  return {
    async list(caller) {
      return db.read(async (reader) => {
        const seesAll = await seesAllQuotas(standing, reader, caller, clock())
        const own = payersOf(caller.principal)
        const rows = await tables.quotas.select(reader, '1 = 1 order by id', [])
        const used = await tables.quotaUse.select(reader, '1 = 1', [])
        return rows
          .filter((row) => seesAll || own.includes(row.id))
          .map((row) =>
            quotaInfo(
              row,
              used.find((one) => one.id === row.id),
              clock(),
            ),
          )
      })
    },
    async set(caller, subject, { reads, writes }, expected) {
      checkLimit('reads', reads)
      checkLimit('writes', writes)
      checkSubject(subject)
      const { value } = await ledger.commit(set, { caller, subject, reads, writes, expected })
      quotas.forget(subject)
      const used = await db.read((reader) => tables.quotaUse.get(reader, 'id = ?', [subject]))
      return quotaInfo(value, used ?? undefined, clock())
    },
    seen: (caller) => quotas.seen(payersOf(caller.principal)),
  }
}

async function setOne(
  tables: VaultTables,
  tx: Tx,
  { caller, subject, reads, writes, expected }: Setting,
  at: EpochMs,
): Promise<Settled<QuotaRow>> {
  const before = await tables.quotas.get(tx, 'id = ?', [subject])
  const conflict = unmet(expected, before && quotaTag(before))
  if (conflict !== null) return { fault: conflict, record: null }
  const row: QuotaRow = {
    id: subject,
    reads,
    writes,
    set_at: at,
    set_by: principalName(caller.principal),
    revision: (before?.revision ?? 0) + 1,
  }
  await tables.quotas.save(tx, [row])
  await bumpRights(tx)
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'quota.set',
      caller,
      rows: [['quotas', subject, row.revision]],
      detail: { subject, reads, writes },
    },
  }
}

function quotaInfo(row: QuotaRow, used: QuotaUseRow | undefined, at: EpochMs): QuotaInfo {
  const month = monthOf(at)
  const isNow = used !== undefined && used.month >= month
  return {
    subject: row.id,
    reads: row.reads,
    writes: row.writes,
    used: isNow ? { reads: used.reads, writes: used.writes } : { reads: 0, writes: 0 },
    month,
    tag: quotaTag(row),
  }
}

function quotaTag(row: QuotaRow): string {
  return stateTag(row.revision)
}

async function seesAllQuotas(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<boolean> {
  if (!isRegistered(caller.principal)) return caller.principal.kind !== 'guest'
  const standings = standing.atRevision(await rightsRevision(reader))
  const { role } = await standings.standingOf(reader, caller, at)
  return role === 'owner' || role === 'admin' || role === 'auditor'
}

function checkLimit(field: QuotaKind, limit: number | null): void {
  if (limit === null) return
  if (Number.isInteger(limit) && limit >= 0 && limit <= MAX_LIMIT) return
  throw new Fault('BAD_INPUT', `${field} must be a whole number from 0 to ${MAX_LIMIT}.`, {
    details: { field },
  })
}

function checkSubject(subject: string): void {
  const id = SUBJECT.exec(subject)?.[1]
  if (subject === ORG || subject === 'agent:local' || (id !== undefined && isUuid(id))) return
  throw new Fault('BAD_INPUT', 'subject must be org, agent:<id> or user:<id>.', {
    details: { field: 'subject' },
  })
}
