import { changeLane, type Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import {
  BUILTIN_ENVIRONMENTS,
  type EnvVarInfo,
  type EnvVarPort,
  type EnvVarRef,
  type EnvVarRequest,
  envVarPath,
} from '../core/env-var-port.ts'
import type { Expectation } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { type Request, refuse } from './access.ts'
import {
  assertEnvironments,
  bad,
  branchOf,
  checkKey,
  commentOf,
  conflictOf,
  type EnvVarParts,
  environmentsOf,
  envVarInfo,
  isShared,
  linkedIn,
  meantOf,
  PLAIN,
  requestAt,
  saved,
  slugsOf,
  unknown,
  versionsOf,
} from './env-var-rows.ts'
import { createEnvironments, lineOf } from './environments.ts'
import { softDelete } from './lifecycle.ts'
import { storeVersion } from './put-lane.ts'
import type { EnvVarRow } from './sharing-rows.ts'
import { vaultFor } from './vaults.ts'

/** Where a variable that is not known yet is looked for. */
const ANY_PATH = 'env-vars/_any'

type Change = Partial<Omit<EnvVarRequest, 'key'>>

interface Edit extends Request {
  readonly id: string
  readonly change: Change
  readonly expected: Expectation | undefined
}

/** A variable to be made, of a vault or shared. */
export interface Creation extends Request {
  readonly row: Pick<
    EnvVarRow,
    'id' | 'key' | 'environments' | 'git_branch' | 'sensitive' | 'comment' | 'linked_vaults'
  >
  readonly value: EnvVarRequest['value']
}

interface Removal extends Request {
  readonly id: string
  /** Only out of this environment, where the variable is in others as well. */
  readonly environment: string | null
  readonly expected: Expectation | undefined
}

/** Variables by environment and branch, whose values are secrets of the vault. */
export function createEnvVars(parts: EnvVarParts): EnvVarPort {
  const { db, ledger, tables, rights, clock, vault: secrets } = parts
  const create = changeLane('env-var.create', (tx, member: Creation, at) =>
    createVar(parts, tx, member, at),
  )
  const update = changeLane('env-var.update', (tx, member: Edit, at) =>
    updateVar(parts, tx, member, at),
  )
  const remove = changeLane('env-var.remove', (tx, member: Removal, at) =>
    removeVar(parts, tx, member, at),
  )

  /** The row of a variable that the caller may list, as of one snapshot. @throws {Fault} `NOT_FOUND` */
  async function found(caller: Caller, vault: string, ref: EnvVarRef): Promise<EnvVarRow> {
    const request = await requestAt(parts, caller, vault, ANY_PATH, 'env-var.find')
    return db.read(async (reader) => {
      const own = await (await rights.at(reader, clock())).of(request)
      if (own.ended !== undefined) throw own.ended
      const rows = await tables.envVars.select(reader, 'vault_id = ? order by key, id', [
        request.vaultId,
      ])
      const linked = await linkedIn(parts, reader, request.vaultId)
      const listed = rows.filter(
        (row) =>
          !isShared(row) &&
          !linked.has(row.id) &&
          own.judge(envVarPath(row.key, row.id), 'list').allowed,
      )
      const row = meantOf(listed, ref)
      if (row === null) throw unknown(ref.name)
      return row
    })
  }

  async function infoOf(row: EnvVarRow): Promise<EnvVarInfo> {
    const versions = await db.read((reader) => versionsOf(parts, reader, row.vault_id))
    return envVarInfo(row, versions)
  }

  /** Where the caller's own environment is, if nothing else is said. */
  async function environmentOf(caller: Caller): Promise<string> {
    const own = await db.read(async (reader) =>
      (await rights.at(reader, clock())).environmentOf(caller),
    )
    return own ?? BUILTIN_ENVIRONMENTS[0]
  }

  return {
    ...createEnvironments(parts),
    async list(caller, vault, environment) {
      const { secrets: listed } = await secrets.list(caller, vault, 'env-vars/')
      const versions = new Map(listed.map(({ path, version }) => [path, version]))
      const { rows, linked } = await db.read(async (reader) => {
        const { id } = await vaultFor(tables, reader, caller, vault)
        return {
          rows: await tables.envVars.select(reader, 'vault_id = ? order by key, created_at, id', [
            id,
          ]),
          linked: await linkedIn(parts, reader, id),
        }
      })
      return rows
        .filter(
          (row) =>
            versions.has(envVarPath(row.key, row.id)) &&
            !linked.has(row.id) &&
            (environment === undefined || environmentsOf(row).includes(environment)),
        )
        .map((row) => envVarInfo(row, versions))
    },
    async get(caller, vault, ref) {
      const row = await found(caller, vault, ref)
      if (row.sensitive === 1) return { info: await infoOf(row), value: null }
      const path = envVarPath(row.key, row.id)
      const { info, value } = await secrets.get(caller, vault, path)
      // Of the value that is answered, whatever was stored since.
      return { info: envVarInfo(row, new Map([[path, info.version]])), value }
    },
    async create(caller, vault, wanted) {
      checkKey(wanted.key)
      const id = newId<string>()
      const row = {
        id,
        key: wanted.key,
        environments: JSON.stringify(slugsOf(wanted.environments ?? BUILTIN_ENVIRONMENTS)),
        git_branch: branchOf(wanted.gitBranch ?? null),
        sensitive: wanted.isSensitive === true ? 1 : 0,
        comment: commentOf(wanted.comment ?? null),
        linked_vaults: null,
      }
      const path = envVarPath(wanted.key, id)
      const request = await requestAt(parts, caller, vault, path, 'env-var.create')
      return infoOf((await ledger.commit(create, { ...request, row, value: wanted.value })).value)
    },
    async update(caller, vault, ref, change, expected) {
      const row = await found(caller, vault, ref)
      const path = envVarPath(row.key, row.id)
      const request = await requestAt(parts, caller, vault, path, 'env-var.update')
      return infoOf(
        (await ledger.commit(update, { ...request, id: row.id, change, expected })).value,
      )
    },
    async remove(caller, vault, ref, expected) {
      const row = await found(caller, vault, ref)
      const path = envVarPath(row.key, row.id)
      const request = await requestAt(parts, caller, vault, path, 'env-var.remove')
      const environment = ref.environment ?? null
      await ledger.commit(remove, { ...request, id: row.id, environment, expected })
    },
    async resolve(caller, vault, slug, gitBranch) {
      const [wanted = ''] = slugsOf([slug ?? (await environmentOf(caller))])
      const branch = branchOf(gitBranch)
      const { secrets: listed } = await secrets.list(caller, vault, 'env-vars/')
      const mayList = new Set(listed.map(({ path }) => path))
      const { rows, linked, line } = await db.read(async (reader) => {
        const { id } = await vaultFor(tables, reader, caller, vault)
        // Which environments there are is nobody's business who sees no variable.
        if (mayList.size > 0) await assertEnvironments(parts, reader, id, [wanted])
        return {
          rows: await tables.envVars.select(reader, 'vault_id = ? order by key, id', [id]),
          linked: await linkedIn(parts, reader, id),
          line: await lineOf(parts, reader, id, wanted),
        }
      })
      const own = rows.filter((row) => !isShared(row))
      const chosen = chosenOf(own, line, branch, linked).filter((row) =>
        mayList.has(envVarPath(row.key, row.id)),
      )
      const reads = await Promise.allSettled(
        chosen.map((row) => secrets.get(caller, vault, envVarPath(row.key, row.id))),
      )
      const failed = reads.find((one) => one.status === 'rejected')
      if (failed !== undefined) {
        for (const one of reads) if (one.status === 'fulfilled') one.value.value.wipe()
        throw failed.reason
      }
      const values = reads.flatMap((one) => (one.status === 'fulfilled' ? [one.value.value] : []))
      return {
        vars: chosen.flatMap((row, index) => {
          const value = values[index]
          return value === undefined ? [] : [[row.key, value] as const]
        }),
        sources: Object.fromEntries(chosen.map((row) => [row.key, sourceOf(row, linked)])),
        environment: wanted,
        gitBranch: branch,
        resolvedAt: clock(),
      }
    },
  }
}

function sourceOf(
  row: EnvVarRow,
  linked: ReadonlySet<string>,
): 'shared' | 'vault' | 'branch_override' {
  if (linked.has(row.id)) return 'shared'
  return row.git_branch === null ? 'vault' : 'branch_override'
}

const RANKS = { branch_override: 0, vault: 1, shared: 2 } as const

/**
 * Of each key one: of the environment before those that it was copied from, and there one of the branch, else one
 * without a branch, else a shared one.
 */
function chosenOf(
  rows: readonly EnvVarRow[],
  line: readonly string[],
  branch: string | null,
  linked: ReadonlySet<string>,
): readonly EnvVarRow[] {
  const chosen = new Map<string, { readonly row: EnvVarRow; readonly rank: number }>()
  for (const row of rows) {
    if (row.git_branch !== null && row.git_branch !== branch) continue
    const environments = environmentsOf(row)
    const depth = line.findIndex((slug) => environments.includes(slug))
    if (depth === -1) continue
    const rank = depth * 3 + RANKS[sourceOf(row, linked)]
    const other = chosen.get(row.key)
    if (other === undefined || rank < other.rank) chosen.set(row.key, { row, rank })
  }
  return [...chosen.values()].map(({ row }) => row)
}

export async function createVar(
  parts: EnvVarParts,
  tx: Tx,
  { row: wanted, value, ...request }: Creation,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const stored = await storeVersion(parts, tx, { ...request, ...PLAIN, value, ifVersion: 0 }, at)
  if ('fault' in stored) return stored
  const row: EnvVarRow = {
    ...wanted,
    vault_id: request.vaultId,
    created_at: at,
    created_by: principalName(request.caller.principal),
    updated_at: at,
    revision: 1,
  }
  return saved(parts, tx, row, stored.record)
}

async function updateVar(
  parts: EnvVarParts,
  tx: Tx,
  { id, change, expected, ...request }: Edit,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const row = await tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknown(id), record: null }
  const own = await (await parts.rights.at(tx, at)).of(request)
  if (!own.judge(request.path, 'write').allowed) return refuse(tx, tables, request, own, 'write')
  const conflict = await conflictOf(parts, tx, row, expected)
  if (conflict !== null) return { fault: conflict, record: null }
  const { value } = change
  const store = { ...request, ...PLAIN, ifVersion: undefined }
  const stored = value === undefined ? null : await storeVersion(parts, tx, { ...store, value }, at)
  if (stored !== null && 'fault' in stored) return stored
  return saved(parts, tx, changedVar(row, change, at), stored?.record ?? changeRecord(request))
}

/** @throws {Fault} `BAD_INPUT` naming the field */
export function changedVar(row: EnvVarRow, change: Change, at: EpochMs): EnvVarRow {
  if (row.sensitive === 1 && change.isSensitive === false)
    throw bad('sensitive', 'stays as it is: what could not be shown must not become visible')
  return {
    ...row,
    environments:
      change.environments === undefined
        ? row.environments
        : JSON.stringify(slugsOf(change.environments)),
    git_branch: change.gitBranch === undefined ? row.git_branch : branchOf(change.gitBranch),
    sensitive: change.isSensitive === true ? 1 : row.sensitive,
    comment: change.comment === undefined ? row.comment : commentOf(change.comment),
    updated_at: at,
    revision: row.revision + 1,
  }
}

function changeRecord({ action, caller, vaultId: vault, path }: Request) {
  return { kind: 'change', action, caller, vault, path } as const
}

async function removeVar(
  parts: EnvVarParts,
  tx: Tx,
  { id, environment, expected, ...request }: Removal,
  at: EpochMs,
): Promise<Settled<EnvVarRow | null>> {
  const { tables } = parts
  const row = await tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknown(id), record: null }
  const own = await (await parts.rights.at(tx, at)).of(request)
  if (!own.judge(request.path, 'delete').allowed) return refuse(tx, tables, request, own, 'delete')
  const conflict = await conflictOf(parts, tx, row, expected)
  if (conflict !== null) return { fault: conflict, record: null }
  const left = environmentsOf(row).filter((slug) => slug !== environment)
  if (environment !== null && left.length > 0)
    return saved(parts, tx, changedVar(row, { environments: left }, at), changeRecord(request))
  const deleted = await softDelete(parts, tx, { ...request, ifVersion: undefined }, at)
  if ('fault' in deleted) return deleted
  await tables.envVars.remove(tx, row)
  const { record } = deleted
  if (record === null) throw new Fault('INTERNAL', 'A variable was removed without a record.')
  const rows = [...(record.rows ?? []), ['env_vars', id, null] as const]
  return { value: null, record: { ...record, rows } }
}
