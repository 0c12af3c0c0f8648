import type { Ledger, Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import {
  BUILTIN_ENVIRONMENTS,
  type EnvVarInfo,
  type EnvVarRef,
  envVarPath,
  sharedEnvVarPath,
} from '../core/env-var-port.ts'
import { type Expectation, stateTag, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import { isUuid, type VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import type { Clock } from '../core/time.ts'
import type { Request } from './access.ts'
import type { LocalVault } from './local-vault.ts'
import type { PutParts } from './put-lane.ts'
import type { EnvVarRow } from './sharing-rows.ts'
import { vaultFor } from './vaults.ts'

const KEY = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const SLUG = /^[a-z0-9][a-z0-9-]{0,63}$/
const BRANCH = /^[\w./-]{1,200}$/
const MAX_COMMENT = 500
const MAX_ENVIRONMENTS = 32

export interface EnvVarParts extends PutParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly vault: LocalVault
  readonly clock: Clock
}

/** One vault in which a shared variable stands, and the variable that it is there. */
export interface EnvVarLink {
  readonly vault: VaultId
  readonly variable: string
}

/** Of a shared variable where it is; of every other one nothing. */
export function linksOf({ linked_vaults: links }: EnvVarRow): readonly EnvVarLink[] {
  return links === null ? [] : (JSON.parse(links) as readonly EnvVarLink[])
}

export function isShared({ linked_vaults: links }: EnvVarRow): boolean {
  return links !== null
}

/** The variables of a vault that shared ones put there, by their ids. */
export async function linkedIn(
  { tables }: Pick<EnvVarParts, 'tables'>,
  reader: Reader,
  vaultId: VaultId,
): Promise<ReadonlySet<string>> {
  const shared = await tables.envVars.select(reader, 'linked_vaults is not null', [])
  return new Set(
    shared.flatMap((row) =>
      linksOf(row).flatMap((link) => (link.vault === vaultId ? [link.variable] : [])),
    ),
  )
}

export async function requestAt(
  { db, tables, rights }: EnvVarParts,
  caller: Caller,
  vault: string,
  path: string,
  action: string,
): Promise<Request> {
  const row = await db.read((reader) => vaultFor(tables, reader, caller, vault))
  return { caller, evidence: rights.evidenceFor(caller), vaultId: row.id, path, action }
}

/**
 * The one of these rows that is meant: by id, or by key with what else is said of it. One without a branch is meant
 * where no branch is named.
 *
 * @throws {Fault} `CONFLICT` when several are
 */
export function meantOf(rows: readonly EnvVarRow[], ref: EnvVarRef): EnvVarRow | null {
  const { name, environment, gitBranch } = ref
  if (isUuid(name)) return rows.find((row) => row.id === name) ?? null
  const ofKey = rows.filter(
    (row) =>
      row.key === name && (environment === undefined || environmentsOf(row).includes(environment)),
  )
  const wanted = gitBranch ?? null
  const found = ofKey.filter((row) => row.git_branch === wanted)
  const meant = found.length === 0 && gitBranch === undefined ? ofKey : found
  if (meant.length > 1)
    throw new Fault('CONFLICT', `There are several variables '${name.slice(0, 64)}'.`, {
      details: { field: 'key', remedy: 'name the environment and git_branch, or the id' },
    })
  return meant[0] ?? null
}

export function checkKey(key: string): void {
  if (!KEY.test(key))
    throw bad('key', "must be letters, digits and '_', and not begin with a digit")
}

/**
 * Saves the row of a variable. Of the same kind no two may hold for one environment; a shared one stands behind one of the vault.
 *
 * @throws {Fault} which undoes what was stored for it
 */
export async function saved(
  parts: EnvVarParts,
  tx: Tx,
  row: EnvVarRow,
  record: Settled<never>['record'],
  isLink = false,
): Promise<Settled<EnvVarRow>> {
  const { tables } = parts
  const environments = environmentsOf(row)
  await assertEnvironments(parts, tx, row.vault_id, environments)
  const others = await tables.envVars.select(tx, 'vault_id = ? and key = ?', [
    row.vault_id,
    row.key,
  ])
  const linked = await linkedIn(parts, tx, row.vault_id)
  const isLinked = linked.has(row.id) || isLink
  const taken = others.find(
    (other) =>
      other.id !== row.id &&
      isShared(other) === isShared(row) &&
      linked.has(other.id) === isLinked &&
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

/** @throws {Fault} `BAD_INPUT` naming the first that the vault does not have */
export async function assertEnvironments(
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

export async function versionsOf(
  { tables }: EnvVarParts,
  reader: Reader,
  vaultId: VaultId,
  prefix: 'env-vars/' | 'org-env-vars/' = 'env-vars/',
): Promise<ReadonlyMap<string, number>> {
  const rows = await tables.secrets.select(reader, 'vault_id = ? and path like ?', [
    vaultId,
    `${prefix}%`,
  ])
  return new Map(rows.map(({ path, version }) => [path, version]))
}

/** How values of variables are stored. */
export const PLAIN = {
  asked: false,
  mode: 'put',
  type: 'env',
  metadata: undefined,
  expiresAt: null,
  maxReads: null,
  rememberWeak: false,
} as const

export function environmentsOf(row: EnvVarRow): readonly string[] {
  return JSON.parse(row.environments) as readonly string[]
}

/** Path of the secret that holds its value. */
export function valuePathOf(row: Pick<EnvVarRow, 'key' | 'id' | 'linked_vaults'>): string {
  return row.linked_vaults === null
    ? envVarPath(row.key, row.id)
    : sharedEnvVarPath(row.key, row.id)
}

/** Why a variable is not changed that is not as it is expected, or null. */
export async function conflictOf(
  parts: EnvVarParts,
  tx: Tx,
  row: EnvVarRow,
  expected: Expectation | undefined,
): Promise<Fault | null> {
  if (expected === undefined) return null
  const prefix = isShared(row) ? 'org-env-vars/' : 'env-vars/'
  const versions = await versionsOf(parts, tx, row.vault_id, prefix)
  return unmet(expected, envVarInfo(row, versions).tag)
}

/** @param versions of values, by `valuePathOf` */
export function envVarInfo(row: EnvVarRow, versions: ReadonlyMap<string, number>): EnvVarInfo {
  const version = versions.get(valuePathOf(row)) ?? 1
  return {
    id: row.id,
    // Whoever stores a value at its path changes the variable, and its row not.
    tag: stateTag(row.revision, version),
    vaultId: row.vault_id,
    key: row.key,
    environments: environmentsOf(row),
    gitBranch: row.git_branch,
    isSensitive: row.sensitive === 1,
    comment: row.comment,
    version,
    createdAt: row.created_at,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
  }
}

export function isBuiltin(slug: string): boolean {
  return (BUILTIN_ENVIRONMENTS as readonly string[]).includes(slug)
}

export function slugsOf(slugs: readonly string[]): readonly string[] {
  const unique = [...new Set(slugs)]
  if (unique.length === 0 || unique.length > MAX_ENVIRONMENTS)
    throw bad('environments', `must name 1 to ${MAX_ENVIRONMENTS} environments`)
  for (const slug of unique)
    if (!SLUG.test(slug))
      throw bad('environments', 'must be lower-case letters, digits and dashes, at most 64')
  return unique
}

export function branchOf(branch: string | null): string | null {
  if (branch === null || branch === '') return null
  if (!BRANCH.test(branch)) throw bad('git_branch', 'must be the name of a branch')
  return branch
}

export function commentOf(comment: string | null): string | null {
  if (comment === null || comment.length <= MAX_COMMENT) return comment
  throw bad('comment', `may have at most ${MAX_COMMENT} characters`)
}

export function bad(field: string, what: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${what}.`, { details: { field } })
}

export function unknown(id: string): Fault {
  return new Fault('NOT_FOUND', `There is no variable '${id.slice(0, 64)}' in this vault.`)
}
