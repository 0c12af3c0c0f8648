import { changeLane, type Ledger, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import {
  BUILTIN_ENVIRONMENTS,
  type EnvironmentInfo,
  type EnvVarInfo,
  type EnvVarPort,
  type EnvVarRequest,
  envVarPath,
} from '../core/env-var-port.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, newId, type VaultId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import { type Request, refuse } from './access.ts'
import { softDelete } from './lifecycle.ts'
import type { LocalVault } from './local-vault.ts'
import { type PutParts, storeVersion } from './put-lane.ts'
import type { EnvironmentRow, EnvVarRow } from './sharing-rows.ts'
import { vaultFor } from './vaults.ts'

const KEY = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const SLUG = /^[a-z0-9][a-z0-9-]{0,63}$/
const BRANCH = /^[\w./-]{1,200}$/
const MAX_COMMENT = 500
const MAX_ENVIRONMENTS = 32
/** Where it is judged who may add and remove environments. */
const ENVIRONMENTS_PATH = 'env-vars/_environments'

export interface EnvVarParts extends PutParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly vault: LocalVault
  readonly clock: Clock
}

type Change = Partial<Omit<EnvVarRequest, 'key'>>

interface Edit extends Request {
  readonly id: string
  readonly change: Change
}

interface Creation extends Request {
  readonly row: Pick<
    EnvVarRow,
    'id' | 'key' | 'environments' | 'git_branch' | 'sensitive' | 'comment'
  >
  readonly value: EnvVarRequest['value']
}

interface Removal extends Request {
  readonly id: string
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
  const environment = changeLane(
    'environment.edit',
    (tx, member: Request & { slug: string; description: string | null }, at) =>
      editEnvironment(parts, tx, member, at),
  )

  async function requestAt(caller: Caller, vault: string, path: string, action: string) {
    const row = await db.read((reader) => vaultFor(tables, reader, caller, vault))
    const evidence = rights.evidenceFor(caller)
    return { caller, evidence, vaultId: row.id, path, action } satisfies Request
  }

  /** The row of a variable that the caller may list, as of one snapshot. @throws {Fault} `NOT_FOUND` */
  async function found(caller: Caller, vault: string, id: string): Promise<EnvVarRow> {
    const request = await requestAt(caller, vault, ENVIRONMENTS_PATH, 'env-var.find')
    return db.read(async (reader) => {
      const row = isUuid(id)
        ? await tables.envVars.get(reader, 'id = ? and vault_id = ?', [id, request.vaultId])
        : null
      const own = await (await rights.at(reader, clock())).of(request)
      if (own.ended !== undefined) throw own.ended
      if (row === null || !own.judge(envVarPath(row.key, row.id), 'list').allowed) throw unknown(id)
      return row
    })
  }

  async function infoOf(row: EnvVarRow): Promise<EnvVarInfo> {
    const versions = await db.read((reader) => versionsOf(parts, reader, row.vault_id))
    return envVarInfo(row, versions)
  }

  return {
    async list(caller, vault) {
      const { secrets: listed } = await secrets.list(caller, vault, 'env-vars/')
      const versions = new Map(listed.map(({ path, version }) => [path, version]))
      const { id } = await db.read((reader) => vaultFor(tables, reader, caller, vault))
      const rows = await db.read((reader) =>
        tables.envVars.select(reader, 'vault_id = ? order by key, created_at, id', [id]),
      )
      return rows
        .filter((row) => versions.has(envVarPath(row.key, row.id)))
        .map((row) => envVarInfo(row, versions))
    },
    async get(caller, vault, id) {
      const row = await found(caller, vault, id)
      if (row.sensitive === 1) return { info: await infoOf(row), value: null }
      const { value } = await secrets.get(caller, vault, envVarPath(row.key, row.id))
      return { info: await infoOf(row), value }
    },
    async create(caller, vault, wanted) {
      if (!KEY.test(wanted.key))
        throw bad('key', "must be letters, digits and '_', and not begin with a digit")
      const id = newId<string>()
      const path = envVarPath(wanted.key, id)
      const row = {
        id,
        key: wanted.key,
        environments: JSON.stringify(slugsOf(wanted.environments ?? BUILTIN_ENVIRONMENTS)),
        git_branch: branchOf(wanted.gitBranch ?? null),
        sensitive: wanted.isSensitive === true ? 1 : 0,
        comment: commentOf(wanted.comment ?? null),
      }
      const request = await requestAt(caller, vault, path, 'env-var.create')
      return infoOf((await ledger.commit(create, { ...request, row, value: wanted.value })).value)
    },
    async update(caller, vault, id, change) {
      const row = await found(caller, vault, id)
      const path = envVarPath(row.key, row.id)
      const request = await requestAt(caller, vault, path, 'env-var.update')
      return infoOf((await ledger.commit(update, { ...request, id, change })).value)
    },
    async remove(caller, vault, id) {
      const row = await found(caller, vault, id)
      const path = envVarPath(row.key, row.id)
      const request = await requestAt(caller, vault, path, 'env-var.remove')
      await ledger.commit(remove, { ...request, id })
    },
    async resolve(caller, vault, slug, gitBranch) {
      const [wanted = slug] = slugsOf([slug])
      const branch = branchOf(gitBranch)
      const { secrets: listed } = await secrets.list(caller, vault, 'env-vars/')
      const mayList = new Set(listed.map(({ path }) => path))
      const rows = await db.read(async (reader) => {
        const { id } = await vaultFor(tables, reader, caller, vault)
        await assertEnvironments(parts, reader, id, [wanted])
        return tables.envVars.select(reader, 'vault_id = ? order by key, id', [id])
      })
      const chosen = chosenOf(rows, wanted, branch).filter((row) =>
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
        sources: Object.fromEntries(
          chosen.map((row) => [row.key, row.git_branch === null ? 'vault' : 'branch_override']),
        ),
        environment: wanted,
        gitBranch: branch,
        resolvedAt: clock(),
      }
    },
    async environments(caller, vault) {
      const request = await requestAt(caller, vault, ENVIRONMENTS_PATH, 'environment.list')
      const rows = await db.read(async (reader) => {
        const own = await (await rights.at(reader, clock())).of(request)
        if (own.ended !== undefined) throw own.ended
        if (!own.judge(ENVIRONMENTS_PATH, 'list').allowed) return []
        return tables.environments.select(reader, 'vault_id = ? order by slug', [request.vaultId])
      })
      return [
        ...BUILTIN_ENVIRONMENTS.map((slug) => builtin(request.vaultId, slug)),
        ...rows.map(environmentInfo),
      ]
    },
    async createEnvironment(caller, vault, { slug, description }) {
      slugsOf([slug])
      const request = await requestAt(caller, vault, ENVIRONMENTS_PATH, 'environment.create')
      const member = { ...request, slug, description: commentOf(description ?? null) }
      return environmentInfo((await ledger.commit(environment, member)).value)
    },
    async removeEnvironment(caller, vault, slug) {
      const request = await requestAt(caller, vault, ENVIRONMENTS_PATH, 'environment.remove')
      await ledger.commit(environment, { ...request, slug, description: null })
    },
  }
}

/** Of each key the one of the branch, else the one without a branch. */
function chosenOf(
  rows: readonly EnvVarRow[],
  environment: string,
  branch: string | null,
): readonly EnvVarRow[] {
  const chosen = new Map<string, EnvVarRow>()
  for (const row of rows) {
    if (!environmentsOf(row).includes(environment)) continue
    if (row.git_branch !== null && row.git_branch !== branch) continue
    if (row.git_branch !== null || !chosen.has(row.key)) chosen.set(row.key, row)
  }
  return [...chosen.values()]
}

async function createVar(
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
    linked_vaults: null,
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
  { id, change, ...request }: Edit,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const row = await tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknown(id), record: null }
  const own = await (await parts.rights.at(tx, at)).of(request)
  if (!own.judge(request.path, 'write').allowed) return refuse(tx, tables, request, own, 'write')
  if (row.sensitive === 1 && change.isSensitive === false)
    throw bad('sensitive', 'stays as it is: what could not be shown must not become visible')
  const stored =
    change.value === undefined
      ? null
      : await storeVersion(
          parts,
          tx,
          { ...request, ...PLAIN, value: change.value, ifVersion: undefined },
          at,
        )
  if (stored !== null && 'fault' in stored) return stored
  const next: EnvVarRow = {
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
  return saved(
    parts,
    tx,
    next,
    stored?.record ?? {
      kind: 'change',
      action: request.action,
      caller: request.caller,
      vault: request.vaultId,
      path: request.path,
    },
  )
}

/** @throws {Fault} which undoes what was stored for it */
async function saved(
  parts: EnvVarParts,
  tx: Tx,
  row: EnvVarRow,
  record: Settled<never>['record'],
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const environments = environmentsOf(row)
  await assertEnvironments(parts, tx, row.vault_id, environments)
  const others = await tables.envVars.select(tx, 'vault_id = ? and key = ?', [
    row.vault_id,
    row.key,
  ])
  const taken = others.find(
    (other) =>
      other.id !== row.id &&
      other.git_branch === row.git_branch &&
      environmentsOf(other).some((slug) => environments.includes(slug)),
  )
  if (taken !== undefined)
    throw new Fault('CONFLICT', `${row.key} has a value in one of these environments already.`, {
      details: { field: 'environments' },
    })
  await tables.envVars.save(tx, [row])
  if (record === null) throw new Fault('INTERNAL', 'A variable was stored without a record.')
  const rows = [...(record.rows ?? []), ['env_vars', row.id, row.revision] as const]
  return { value: row, record: { ...record, rows } }
}

async function removeVar(
  parts: EnvVarParts,
  tx: Tx,
  { id, ...request }: Removal,
  at: EpochMs,
): Promise<Settled<null>> {
  const row = await parts.tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknown(id), record: null }
  const deleted = await softDelete(parts, tx, { ...request, ifVersion: undefined }, at)
  if ('fault' in deleted) return deleted
  await parts.tables.envVars.remove(tx, row)
  const { record } = deleted
  if (record === null) throw new Fault('INTERNAL', 'A variable was removed without a record.')
  const rows = [...(record.rows ?? []), ['env_vars', id, null] as const]
  return { value: null, record: { ...record, rows } }
}

async function editEnvironment(
  parts: EnvVarParts,
  tx: Tx,
  member: Request & { readonly slug: string; readonly description: string | null },
  at: EpochMs,
): Promise<Settled<EnvironmentRow>> {
  const { tables } = parts
  const { caller, vaultId, slug, action } = member
  const own = await (await parts.rights.at(tx, at)).of(member)
  if (!own.judge(member.path, 'write').allowed) return refuse(tx, tables, member, own, 'write')
  const current = await tables.environments.get(tx, 'vault_id = ? and slug = ?', [vaultId, slug])
  const isRemoval = action === 'environment.remove'
  if (isBuiltin(slug) || (!isRemoval && current !== null))
    throw new Fault('CONFLICT', `The environment '${slug}' is there already, and stays.`, {
      details: { field: 'slug' },
    })
  if (isRemoval && current === null)
    throw new Fault('NOT_FOUND', `There is no environment '${slug.slice(0, 64)}' in this vault.`)
  if (isRemoval) await assertUnused(parts, tx, vaultId, slug)
  const row: EnvironmentRow = current ?? {
    id: newId<string>(),
    vault_id: vaultId,
    slug,
    description: member.description,
    copied_from: null,
    created_at: at,
    created_by: principalName(caller.principal),
    revision: 1,
  }
  if (isRemoval) await tables.environments.remove(tx, row)
  else await tables.environments.save(tx, [row])
  const rows = [['environments', row.id, isRemoval ? null : row.revision]] as const
  const record = { kind: 'change', action, caller, vault: vaultId, rows, detail: { slug } } as const
  return { value: row, record }
}

async function assertUnused(
  { tables }: EnvVarParts,
  tx: Tx,
  vaultId: VaultId,
  slug: string,
): Promise<void> {
  const rows = await tables.envVars.select(tx, 'vault_id = ?', [vaultId])
  if (rows.some((row) => environmentsOf(row).includes(slug)))
    throw new Fault('CONFLICT', `Variables are in the environment '${slug}'.`)
}

/** @throws {Fault} `BAD_INPUT` naming the first that the vault does not have */
async function assertEnvironments(
  { tables }: EnvVarParts,
  reader: Reader,
  vaultId: VaultId,
  slugs: readonly string[],
): Promise<void> {
  const others = slugs.filter((slug) => !isBuiltin(slug))
  if (others.length === 0) return
  const rows = await tables.environments.select(reader, 'vault_id = ?', [vaultId])
  for (const slug of others)
    if (!rows.some((row) => row.slug === slug))
      throw bad('environment', `'${slug}' is none of this vault`)
}

async function versionsOf(
  { tables }: EnvVarParts,
  reader: Reader,
  vaultId: VaultId,
): Promise<ReadonlyMap<string, number>> {
  const rows = await tables.secrets.select(reader, `vault_id = ? and path like 'env-vars/%'`, [
    vaultId,
  ])
  return new Map(rows.map(({ path, version }) => [path, version]))
}

const PLAIN = {
  asked: false,
  mode: 'put',
  type: 'env',
  metadata: undefined,
  expiresAt: null,
  maxReads: null,
  rememberWeak: false,
} as const

function environmentsOf(row: EnvVarRow): readonly string[] {
  return JSON.parse(row.environments) as readonly string[]
}

function envVarInfo(row: EnvVarRow, versions: ReadonlyMap<string, number>): EnvVarInfo {
  return {
    id: row.id,
    vaultId: row.vault_id,
    key: row.key,
    environments: environmentsOf(row),
    gitBranch: row.git_branch,
    isSensitive: row.sensitive === 1,
    comment: row.comment,
    version: versions.get(envVarPath(row.key, row.id)) ?? 1,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
  }
}

function environmentInfo(row: EnvironmentRow): EnvironmentInfo {
  const { id, slug, description, created_at: createdAt } = row
  return { id, slug, description, isBuiltin: false, createdAt }
}

function builtin(vaultId: VaultId, slug: string): EnvironmentInfo {
  return { id: vaultId, slug, description: null, isBuiltin: true, createdAt: epochMs(0) }
}

function isBuiltin(slug: string): boolean {
  return (BUILTIN_ENVIRONMENTS as readonly string[]).includes(slug)
}

function slugsOf(slugs: readonly string[]): readonly string[] {
  const unique = [...new Set(slugs)]
  if (unique.length === 0 || unique.length > MAX_ENVIRONMENTS)
    throw bad('environments', `must name 1 to ${MAX_ENVIRONMENTS} environments`)
  for (const slug of unique)
    if (!SLUG.test(slug))
      throw bad('environments', 'must be lower-case letters, digits and dashes, at most 64')
  return unique
}

function branchOf(branch: string | null): string | null {
  if (branch === null || branch === '') return null
  if (!BRANCH.test(branch)) throw bad('git_branch', 'must be the name of a branch')
  return branch
}

function commentOf(comment: string | null): string | null {
  if (comment === null || comment.length <= MAX_COMMENT) return comment
  throw bad('comment', `may have at most ${MAX_COMMENT} characters`)
}

function bad(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}

function unknown(id: string): Fault {
  return new Fault('NOT_FOUND', `There is no variable '${id.slice(0, 64)}' in this vault.`)
}
