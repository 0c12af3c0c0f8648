import { changeLane, type RowRevision, type Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import {
  BUILTIN_ENVIRONMENTS,
  type EnvVarRequest,
  envVarPath,
  type SharedEnvVarInfo,
  type SharedEnvVarPort,
  sharedEnvVarPath,
} from '../core/env-var-port.ts'
import type { Expectation } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, newId, type VaultId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { SecretText } from '../core/secret-text.ts'
import type { EpochMs } from '../core/time.ts'
import { type Refused, type Request, refuse } from './access.ts'
import {
  bad,
  checkKey,
  commentOf,
  conflictOf,
  type EnvVarLink,
  type EnvVarParts,
  envVarInfo,
  isBuiltin,
  linksOf,
  PLAIN,
  requestAt,
  saved,
  slugsOf,
  versionsOf,
} from './env-var-rows.ts'
import { type Creation, changedVar, createVar } from './env-vars.ts'
import { softDelete } from './lifecycle.ts'
import { storeVersion } from './put-lane.ts'
import type { EnvVarRow } from './sharing-rows.ts'
import { DEFAULT_VAULT } from './vaults.ts'

type Change = Partial<Omit<EnvVarRequest, 'key' | 'gitBranch'>>
type Permission = 'write' | 'delete'

interface Edit extends Request {
  readonly id: string
  /** Null takes the variable away. */
  readonly change: Change | null
  readonly expected: Expectation | undefined
}

interface Linking extends Request {
  /** The vault that the variable is to stand in, and the id that it gets there. */
  readonly target: Request & { readonly variable: string }
  readonly id: string
  readonly value: SecretText
  /** Version of `value`. */
  readonly version: number
}

interface Unlinking extends Request {
  readonly id: string
  readonly vault: VaultId
}

/**
 * Variables of the organisation. Each is a secret at `sharedEnvVarPath` of the vault that every store begins with, and
 * a secret of its own, sealed under that vault's key, in every vault that it is linked to: whoever reads it there needs
 * nothing elsewhere. What changes it changes all of them at once, and needs the right to in each.
 */
export function createSharedEnvVars(parts: EnvVarParts): SharedEnvVarPort {
  const { db, ledger, tables, rights, clock, vault: secrets } = parts
  const create = changeLane('org-env-var.create', (tx, member: Creation, at) =>
    createVar(parts, tx, member, at),
  )
  const edit = changeLane('org-env-var.edit', (tx, member: Edit, at) =>
    editShared(parts, tx, member, at),
  )
  const link = changeLane('org-env-var.link', (tx, member: Linking, at) =>
    linkShared(parts, tx, member, at),
  )
  const unlink = changeLane('org-env-var.unlink', (tx, member: Unlinking, at) =>
    unlinkShared(parts, tx, member, at),
  )
  const request = (caller: Caller, path: string, action: string): Promise<Request> =>
    requestAt(parts, caller, DEFAULT_VAULT, path, action)
  const pathOf = ({ key, id }: Pick<EnvVarRow, 'key' | 'id'>): string => sharedEnvVarPath(key, id)

  /** Those that the caller may list, by key. */
  async function listed(caller: Caller): Promise<readonly EnvVarRow[]> {
    const asked = await request(caller, 'org-env-vars/_any', 'org-env-var.list')
    return db.read(async (reader) => {
      const own = await (await rights.at(reader, clock())).of(asked)
      if (own.ended !== undefined) throw own.ended
      const rows = await tables.envVars.select(
        reader,
        'linked_vaults is not null order by key, created_at, id',
        [],
      )
      return rows.filter((row) => own.judge(pathOf(row), 'list').allowed)
    })
  }

  /** @param name id or key. @throws {Fault} `NOT_FOUND`, `CONFLICT` when several have the key */
  async function found(caller: Caller, name: string): Promise<EnvVarRow> {
    const rows = (await listed(caller)).filter((row) =>
      isUuid(name) ? row.id === name : row.key === name,
    )
    const [row, ...others] = rows
    if (row === undefined) throw unknownShared(name)
    if (others.length === 0) return row
    throw new Fault('CONFLICT', `There are several variables '${name.slice(0, 64)}'.`, {
      details: { field: 'key', remedy: 'name it by its id' },
    })
  }

  async function infosOf(rows: readonly EnvVarRow[]): Promise<readonly SharedEnvVarInfo[]> {
    const [first] = rows
    if (first === undefined) return []
    const versions = await db.read((reader) =>
      versionsOf(parts, reader, first.vault_id, 'org-env-vars/'),
    )
    return rows.map((row) => sharedInfo(row, versions))
  }

  async function infoOf(row: EnvVarRow): Promise<SharedEnvVarInfo> {
    const [info] = await infosOf([row])
    if (info === undefined) throw unknownShared(row.id)
    return info
  }

  return {
    list: async (caller) => infosOf(await listed(caller)),
    async get(caller, name) {
      const row = await found(caller, name)
      if (row.sensitive === 1) return { info: await infoOf(row), value: null }
      const { info, value } = await secrets.get(caller, DEFAULT_VAULT, pathOf(row))
      // Of the value that is answered, whatever was stored since.
      return { info: sharedInfo(row, new Map([[pathOf(row), info.version]])), value }
    },
    async create(caller, wanted) {
      checkKey(wanted.key)
      const row = {
        id: newId<string>(),
        key: wanted.key,
        environments: JSON.stringify(builtinsOf(wanted.environments ?? BUILTIN_ENVIRONMENTS)),
        sensitive: wanted.isSensitive === true ? 1 : 0,
        comment: commentOf(wanted.comment ?? null),
        git_branch: null,
        linked_vaults: '[]',
      }
      const asked = await request(caller, pathOf(row), 'org-env-var.create')
      return infoOf((await ledger.commit(create, { ...asked, row, value: wanted.value })).value)
    },
    async update(caller, name, change, expected) {
      const row = await found(caller, name)
      if (change.environments !== undefined) builtinsOf(change.environments)
      const asked = await request(caller, pathOf(row), 'org-env-var.update')
      return infoOf((await ledger.commit(edit, { ...asked, id: row.id, change, expected })).value)
    },
    async remove(caller, name, expected) {
      const row = await found(caller, name)
      const asked = await request(caller, pathOf(row), 'org-env-var.remove')
      await ledger.commit(edit, { ...asked, id: row.id, change: null, expected })
    },
    async link(caller, name, vault) {
      const row = await found(caller, name)
      const variable = newId<string>()
      const path = envVarPath(row.key, variable)
      const target = {
        ...(await requestAt(parts, caller, vault, path, 'org-env-var.link')),
        variable,
      }
      const asked = await request(caller, pathOf(row), 'org-env-var.link')
      const { info, value } = await secrets.get(caller, DEFAULT_VAULT, pathOf(row))
      try {
        const member = { ...asked, target, id: row.id, value, version: info.version }
        return await infoOf((await ledger.commit(link, member)).value)
      } finally {
        value.wipe()
      }
    },
    async unlink(caller, name, vault) {
      const row = await found(caller, name)
      const { vaultId } = await requestAt(parts, caller, vault, pathOf(row), 'org-env-var.unlink')
      const at = linksOf(row).find((one) => one.vault === vaultId)
      if (at === undefined) throw notLinked(row)
      const path = envVarPath(row.key, at.variable)
      const asked = await requestAt(parts, caller, vault, path, 'org-env-var.unlink')
      await ledger.commit(unlink, { ...asked, id: row.id, vault: vaultId })
    },
  }
}

function sharedInfo(row: EnvVarRow, versions: ReadonlyMap<string, number>): SharedEnvVarInfo {
  return { ...envVarInfo(row, versions), linkedVaults: linksOf(row).map(({ vault }) => vault) }
}

async function editShared(
  parts: EnvVarParts,
  tx: Tx,
  { id, change, expected, ...request }: Edit,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const row = await parts.tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknownShared(id), record: null }
  const copies = await copiesOf(parts, tx, request, row)
  const permission = change === null ? 'delete' : 'write'
  const refusal = await refusalOf(
    parts,
    tx,
    [request, ...copies.map((one) => one.at)],
    permission,
    at,
  )
  if (refusal !== null) return refusal
  const conflict = await conflictOf(parts, tx, row, expected)
  if (conflict !== null) return { fault: conflict, record: null }
  return change === null
    ? removeShared(parts, tx, request, row, copies, at)
    : updateShared(parts, tx, request, row, copies, change, at)
}

/** A variable as it stands in one vault. */
interface Copy {
  readonly row: EnvVarRow
  readonly at: Request
}

/** Where a shared variable stands; vaults that were deleted since have none of it. */
async function copiesOf(
  { tables }: EnvVarParts,
  tx: Tx,
  request: Request,
  row: EnvVarRow,
): Promise<readonly Copy[]> {
  const copies: Copy[] = []
  for (const { vault, variable } of linksOf(row)) {
    const copy = await tables.envVars.get(tx, 'id = ? and vault_id = ?', [variable, vault])
    if (copy === null) continue
    const path = envVarPath(copy.key, copy.id)
    copies.push({ row: copy, at: { ...request, vaultId: vault, path } })
  }
  return copies
}

/** Before anything is written: the refusal at the first place where the caller may not. */
async function refusalOf(
  parts: EnvVarParts,
  tx: Tx,
  places: readonly Request[],
  permission: Permission,
  at: EpochMs,
): Promise<Refused | null> {
  const rightsAt = await parts.rights.at(tx, at)
  for (const place of places) {
    const own = await rightsAt.of(place)
    if (!own.judge(place.path, permission).allowed)
      return refuse(tx, parts.tables, place, own, permission)
  }
  return null
}

async function updateShared(
  parts: EnvVarParts,
  tx: Tx,
  request: Request,
  row: EnvVarRow,
  copies: readonly Copy[],
  change: Change,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const rows: RowRevision[] = []
  for (const { row: copy, at: place } of [{ row, at: request }, ...copies].toReversed()) {
    if (change.value !== undefined)
      rows.push(...(await stored(parts, tx, place, change.value, undefined, at)))
    const isCopy = copy.id !== row.id
    const next = await saved(
      parts,
      tx,
      changedVar(copy, change, at),
      recordOf(request, rows),
      isCopy,
    )
    if ('fault' in next) throw next.fault
    rows.splice(0, rows.length, ...(next.record?.rows ?? []))
    if (!isCopy) return next
  }
  throw unknownShared(row.id)
}

async function removeShared(
  parts: EnvVarParts,
  tx: Tx,
  request: Request,
  row: EnvVarRow,
  copies: readonly Copy[],
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const rows: RowRevision[] = []
  for (const { row: copy, at: place } of [...copies, { row, at: request }])
    rows.push(...(await removed(parts, tx, copy, place, at)))
  return { value: row, record: recordOf(request, rows) }
}

async function linkShared(
  parts: EnvVarParts,
  tx: Tx,
  { id, target, value, version, ...request }: Linking,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const row = await tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknownShared(id), record: null }
  const { variable, ...place } = target
  const refusal = await refusalOf(parts, tx, [request, place], 'write', at)
  if (refusal !== null) return refusal
  const links = linksOf(row)
  if (links.some(({ vault }) => vault === place.vaultId))
    return { fault: new Fault('CONFLICT', `${row.key} is linked to this vault.`), record: null }
  const versions = await versionsOf(parts, tx, row.vault_id, 'org-env-vars/')
  if (versions.get(sharedEnvVarPath(row.key, row.id)) !== version)
    throw new Fault('VERSION_CONFLICT', `${row.key} was changed meanwhile; try again.`)
  const rows = [...(await stored(parts, tx, place, value, 0, at))]
  const copy: EnvVarRow = {
    ...row,
    id: variable,
    vault_id: place.vaultId,
    linked_vaults: null,
    created_at: at,
    created_by: principalName(request.caller.principal),
    updated_at: at,
    revision: 1,
  }
  const put = await saved(parts, tx, copy, recordOf(request, rows), true)
  if ('fault' in put) throw put.fault
  const linked = [...links, { vault: place.vaultId, variable }]
  return relinked(parts, tx, request, row, linked, put.record?.rows ?? [])
}

async function unlinkShared(
  parts: EnvVarParts,
  tx: Tx,
  { id, vault, ...request }: Unlinking,
  at: EpochMs,
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const row = await tables.envVars.get(tx, 'id = ?', [id])
  if (row === null) return { fault: unknownShared(id), record: null }
  const link = linksOf(row).find((one) => one.vault === vault)
  if (link === undefined) return { fault: notLinked(row), record: null }
  // Whoever may take away what stands in the vault may take this away.
  const refusal = await refusalOf(parts, tx, [request], 'delete', at)
  if (refusal !== null) return refusal
  const copy = await tables.envVars.get(tx, 'id = ?', [link.variable])
  const rows = copy === null ? [] : await removed(parts, tx, copy, request, at)
  const left = linksOf(row).filter((one) => one.vault !== vault)
  return relinked(parts, tx, request, row, left, rows)
}

async function relinked(
  { tables }: EnvVarParts,
  tx: Tx,
  request: Request,
  row: EnvVarRow,
  links: readonly EnvVarLink[],
  rows: readonly RowRevision[],
): Promise<Settled<EnvVarRow>> {
  const next = { ...row, linked_vaults: JSON.stringify(links), revision: row.revision + 1 }
  await tables.envVars.save(tx, [next])
  return {
    value: next,
    record: recordOf(request, [...rows, ['env_vars', next.id, next.revision]]),
  }
}

/** @throws {Fault} which undoes what was stored before it */
async function stored(
  parts: EnvVarParts,
  tx: Tx,
  place: Request,
  value: SecretText,
  ifVersion: number | undefined,
  at: EpochMs,
): Promise<readonly RowRevision[]> {
  const result = await storeVersion(parts, tx, { ...place, ...PLAIN, value, ifVersion }, at)
  if ('fault' in result) throw result.fault
  return result.record?.rows ?? []
}

/** @throws {Fault} which undoes what was removed before it */
async function removed(
  parts: EnvVarParts,
  tx: Tx,
  row: EnvVarRow,
  place: Request,
  at: EpochMs,
): Promise<readonly RowRevision[]> {
  const result = await softDelete(parts, tx, { ...place, ifVersion: undefined }, at)
  if ('fault' in result && result.fault.code !== 'SECRET_NOT_FOUND') throw result.fault
  await parts.tables.envVars.remove(tx, row)
  const rows = 'fault' in result ? [] : (result.record?.rows ?? [])
  return [...rows, ['env_vars', row.id, null]]
}

function recordOf({ action, caller, vaultId: vault, path }: Request, rows: readonly RowRevision[]) {
  return { kind: 'change', action, caller, vault, path, rows } as const
}

/** What every vault has: a shared one must mean the same wherever it stands. */
function builtinsOf(slugs: readonly string[]): readonly string[] {
  const chosen = slugsOf(slugs)
  if (!chosen.every(isBuiltin))
    throw bad('environments', `of a shared variable must be ${BUILTIN_ENVIRONMENTS.join(', ')}`)
  return chosen
}

function notLinked({ key }: EnvVarRow): Fault {
  return new Fault('NOT_FOUND', `${key} is not linked to this vault.`)
}

function unknownShared(name: string): Fault {
  return new Fault('NOT_FOUND', `There is no shared variable '${name.slice(0, 64)}'.`)
}
