import {
  changeLane,
  type Ledger,
  type RecordDraft,
  type RowRevision,
  type Settled,
} from '../audit/index.ts'
import type { CanaryAlarm, CanaryInfo, CanaryPort } from '../core/canary-port.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { FAULTS, Fault, isFault } from '../core/faults.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { newId, type VaultId } from '../core/ids.ts'
import type { Log } from '../core/log.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import { parsePath } from '../policy/index.ts'
import { administrationProblem } from './administration.ts'
import type { VaultTables } from './rows-repository.ts'
import type { CanaryRow } from './sharing-rows.ts'
import { isNowhere, unknownVault, vaultFor } from './vaults.ts'

const MAX_NOTES = 500

/** What happens with an alarm, in the transaction that records it. */
export interface CanaryHooks {
  /** Freezes whoever asked. @returns the rows that it changed */
  freeze(tx: Tx, caller: Caller, reason: string, at: EpochMs): Promise<readonly RowRevision[]>
  /** Makes sure that those who want to know of alarms are told. */
  announce(tx: Tx, alarm: CanaryAlarm, at: EpochMs): Promise<void>
}

/** What was asked for at a path. */
export interface Asked {
  readonly caller: Caller
  readonly vaultId: VaultId
  readonly path: string
  readonly action: string
}

/** The canaries as of the last transaction, and what happens when somebody asks for one. */
export class Canaries {
  readonly #tables: VaultTables
  readonly #log: Log
  readonly #hooks: CanaryHooks
  readonly #listeners = new Set<(alarm: CanaryAlarm) => void>()
  /** Alarms of requests that are not yet committed. */
  readonly #pending = new WeakMap<Asked, CanaryAlarm>()
  #set: ReadonlySet<string> | null = null
  #revision = -1

  constructor(tables: VaultTables, log: Log, hooks: CanaryHooks) {
    this.#tables = tables
    this.#log = log
    this.#hooks = hooks
  }

  /**
   * Where canaries are, by `placeOf`.
   *
   * @param revision of the rights, as of the same snapshot
   * @returns null when there is none, so that nobody else pays for looking
   */
  async load(reader: Reader, revision: number): Promise<ReadonlySet<string> | null> {
    if (revision === this.#revision) return this.#set
    const rows = await this.#tables.canaries.select(reader, '1 = 1', [])
    const places = new Set(rows.map((row) => placeOf({ vaultId: row.vault_id, path: row.path })))
    const set = places.size === 0 ? null : places
    this.#set = set
    this.#revision = revision
    return set
  }

  /** Records that a canary was asked for; its count and a freeze are written with it. */
  async trip(tx: Tx, asked: Asked, released: boolean, at: EpochMs): Promise<RecordDraft | null> {
    const row = await this.#tables.canaries.get(tx, 'vault_id = ? and path = ?', [
      asked.vaultId,
      asked.path,
    ])
    if (row === null) return null
    const next: CanaryRow = {
      ...row,
      triggered: row.triggered + 1,
      last_at: at,
      revision: row.revision + 1,
    }
    await this.#tables.canaries.save(tx, [next])
    const frozen =
      row.freezes === 1 && isFreezable(asked.caller)
        ? await this.#hooks.freeze(tx, asked.caller, `canary ${asked.path}`, at)
        : []
    const address = asked.caller.access?.address ?? null
    const alarm: CanaryAlarm = {
      vaultId: asked.vaultId,
      path: asked.path,
      action: asked.action,
      actor: principalName(asked.caller.principal),
      channel: asked.caller.channel,
      address,
      released,
      frozen: frozen.length > 0,
      at,
    }
    await this.#hooks.announce(tx, alarm, at)
    this.#pending.set(asked, alarm)
    return {
      kind: 'event',
      action: 'canary.triggered',
      caller: asked.caller,
      vault: asked.vaultId,
      path: asked.path,
      rows: [['canaries', row.id, next.revision], ...frozen],
      detail: {
        severity: 'critical',
        asked: asked.action,
        released,
        frozen: frozen.length > 0,
        address,
      },
    }
  }

  /** Tells of the alarm that a request raised, once it is settled either way. */
  tell(asked: Asked): void {
    const alarm = this.#pending.get(asked)
    if (alarm === undefined) return
    this.#pending.delete(asked)
    this.#log.error('a canary was asked for', {
      vault: alarm.vaultId,
      path: alarm.path,
      asked: alarm.action,
      actor: alarm.actor,
      channel: alarm.channel,
      frozen: alarm.frozen,
    })
    for (const listener of this.#listeners) listener(alarm)
  }

  onAlarm(listener: (alarm: CanaryAlarm) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

/**
 * A change at a path that rings when a canary stands there, whether it is made, refused or fails: nobody but whoever
 * tries doors has anything to do with one.
 */
export function ringing<M extends Asked, R>(
  canaries: Canaries,
  change: (tx: Tx, asked: M, at: EpochMs) => Promise<Settled<R>>,
): (tx: Tx, asked: M, at: EpochMs) => Promise<Settled<R>> {
  return async (tx, asked, at) => {
    const places = await canaries.load(tx, await rightsRevision(tx))
    if (places?.has(placeOf(asked)) !== true) return change(tx, asked, at)
    const settled = await unlessRefused(tx, () => change(tx, asked, at))
    const alarm = await canaries.trip(tx, asked, false, at)
    return alarm === null ? settled : { ...settled, also: [...(settled.also ?? []), alarm] }
  }
}

/** What the caller himself got wrong is undone, and no reason to undo the alarm too. */
async function unlessRefused<R>(tx: Tx, change: () => Promise<Settled<R>>): Promise<Settled<R>> {
  try {
    return await tx.savepoint(change)
  } catch (error) {
    if (isFault(error) && FAULTS[error.code].http < 500) return { fault: error, record: null }
    throw error
  }
}

export function placeOf({ vaultId, path }: Pick<Asked, 'vaultId' | 'path'>): string {
  return `${vaultId}/${path}`
}

function isFreezable({ principal }: Caller): boolean {
  return principal.kind !== 'person' && principal.kind !== 'guest'
}

interface Setting {
  readonly caller: Caller
  readonly vault: string
  readonly path: string
  /** Null takes the canary away. */
  readonly set: { readonly freezes: boolean; readonly notes: string | null } | null
}

export interface CanaryParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
  readonly standing: StandingPort
  readonly canaries: Canaries
  readonly clock: Clock
}

/** Sets, lists and takes away canaries: who administers the vault or the organisation, and the person here. */
export function createCanaries(parts: CanaryParts): CanaryPort {
  const { db, ledger, tables, standing, canaries, clock } = parts
  const edit = changeLane('canary.set', async (tx, setting: Setting, at) => {
    const { caller, path } = setting
    const vault = await vaultFor(tables, tx, caller, setting.vault)
    const action = setting.set === null ? 'canary.remove' : 'canary.set'
    const problem = await administrationProblem(standing, tx, caller, vault.created_by, at)
    if (problem !== null)
      return {
        fault: problem,
        record: { kind: 'refusal' as const, action, caller, vault: vault.id, by: problem.code },
      }
    if (isNowhere(vault)) throw unknownVault(setting.vault)
    const before = await tables.canaries.get(tx, 'vault_id = ? and path = ?', [vault.id, path])
    if (setting.set === null && before === null) return { fault: unknown(path), record: null }
    const row: CanaryRow = {
      id: before?.id ?? newId<string>(),
      vault_id: vault.id,
      path,
      freezes: setting.set?.freezes === true ? 1 : 0,
      notes: setting.set?.notes ?? null,
      created_at: before?.created_at ?? at,
      created_by: before?.created_by ?? principalName(caller.principal),
      triggered: before?.triggered ?? 0,
      last_at: before?.last_at ?? null,
      revision: (before?.revision ?? 0) + 1,
    }
    if (setting.set === null) await tables.canaries.remove(tx, row)
    else await tables.canaries.save(tx, [row])
    await bumpRights(tx)
    const revision = setting.set === null ? null : row.revision
    return {
      value: row,
      record: {
        kind: 'change' as const,
        action,
        caller,
        vault: vault.id,
        path,
        rows: [['canaries', row.id, revision]] as const,
        detail: { freezes: row.freezes === 1 },
      },
    }
  })
  const seeing = async (caller: Caller, vault: string | undefined): Promise<readonly CanaryRow[]> =>
    db.read(async (reader) => {
      const of = vault === undefined ? null : await vaultFor(tables, reader, caller, vault)
      // Where the canaries are is not for those whom they are to find out about.
      const maker = of?.created_by ?? null
      const problem = await administrationProblem(standing, reader, caller, maker, clock())
      if (problem !== null) throw problem
      if (of !== null && isNowhere(of)) throw unknownVault(vault ?? '')
      return of === null
        ? tables.canaries.select(reader, '1 = 1 order by path, id', [])
        : tables.canaries.select(reader, 'vault_id = ? order by path', [of.id])
    })
  return {
    async list(caller, vault) {
      return (await seeing(caller, vault)).map(canaryInfo)
    },
    async set(caller, vault, path, { freezes = false, notes = null } = {}) {
      parsePath(path)
      checkNotes(notes)
      const set = { freezes, notes }
      return canaryInfo((await ledger.commit(edit, { caller, vault, path, set })).value)
    },
    async remove(caller, vault, path) {
      parsePath(path)
      await ledger.commit(edit, { caller, vault, path, set: null })
    },
    async removeById(caller, id) {
      const row = await db.read((reader) => tables.canaries.get(reader, 'id = ?', [id]))
      if (row === null) throw unknown(id)
      await ledger.commit(edit, { caller, vault: row.vault_id, path: row.path, set: null })
    },
    onAlarm: (listener) => canaries.onAlarm(listener),
  }
}

function canaryInfo(row: CanaryRow): CanaryInfo {
  return {
    id: row.id,
    vaultId: row.vault_id,
    path: row.path,
    freezes: row.freezes === 1,
    notes: row.notes,
    createdAt: row.created_at,
    createdBy: row.created_by,
    triggered: row.triggered,
    lastAt: row.last_at,
  }
}

function checkNotes(notes: string | null): void {
  if (notes !== null && notes.length > MAX_NOTES)
    throw new Fault('BAD_INPUT', `notes may have at most ${MAX_NOTES} characters.`, {
      details: { field: 'notes' },
    })
}

function unknown(what: string): Fault {
  return new Fault('NOT_FOUND', `There is no canary '${what.slice(0, 100)}'.`)
}
