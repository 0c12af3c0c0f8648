import { changeLane, type Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import {
  BUILTIN_ENVIRONMENTS,
  type EnvironmentInfo,
  type EnvVarPort,
} from '../core/env-var-port.ts'
import { Fault } from '../core/faults.ts'
import { newId, type VaultId } from '../core/ids.ts'
import { principalName } from '../core/principals.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { type Request, refuse } from './access.ts'
import {
  assertEnvironments,
  commentOf,
  type EnvVarParts,
  environmentsOf,
  isBuiltin,
  requestAt,
  slugsOf,
} from './env-var-rows.ts'
import type { EnvironmentRow } from './sharing-rows.ts'

/** Where it is judged who may add and remove environments. */
const ENVIRONMENTS_PATH = 'env-vars/_environments'

type Edit = Request & {
  readonly slug: string
  readonly description: string | null
  readonly copiedFrom: string | null
}

/** The environments of vaults. One that was copied from another has all variables that are in that one. */
export function createEnvironments(
  parts: EnvVarParts,
): Pick<EnvVarPort, 'environments' | 'createEnvironment' | 'removeEnvironment'> {
  const { db, ledger, tables, rights, clock } = parts
  const edit = changeLane('environment.edit', (tx, member: Edit, at) =>
    editEnvironment(parts, tx, member, at),
  )
  return {
    async environments(caller, vault) {
      const request = await requestAt(parts, caller, vault, ENVIRONMENTS_PATH, 'environment.list')
      const rows = await db.read(async (reader) => {
        const own = await (await rights.at(reader, clock())).of(request)
        if (own.ended !== undefined) throw own.ended
        if (!own.judge(ENVIRONMENTS_PATH, 'list').allowed) return []
        return tables.environments.select(reader, 'vault_id = ? order by slug', [request.vaultId])
      })
      return [...BUILTIN_ENVIRONMENTS.map(builtin), ...rows.map(environmentInfo)]
    },
    async createEnvironment(caller, vault, { slug, description = null, copiedFrom = null }) {
      slugsOf([slug])
      const request = await requestAt(parts, caller, vault, ENVIRONMENTS_PATH, 'environment.create')
      const member = { ...request, slug, description: commentOf(description), copiedFrom }
      return environmentInfo((await ledger.commit(edit, member)).value)
    },
    async removeEnvironment(caller, vault, slug) {
      const request = await requestAt(parts, caller, vault, ENVIRONMENTS_PATH, 'environment.remove')
      await ledger.commit(edit, { ...request, slug, description: null, copiedFrom: null })
    },
  }
}

/** An environment, then what it was copied from, then what that was copied from. */
export async function lineOf(
  { tables }: Pick<EnvVarParts, 'tables'>,
  reader: Reader,
  vaultId: VaultId,
  slug: string,
): Promise<readonly string[]> {
  const rows = await tables.environments.select(reader, 'vault_id = ?', [vaultId])
  const sources = new Map(rows.map((row) => [row.slug, row.copied_from]))
  const line = [slug]
  for (let at = sources.get(slug) ?? null; at !== null; at = sources.get(at) ?? null) line.push(at)
  return line
}

async function editEnvironment(
  parts: EnvVarParts,
  tx: Tx,
  member: Edit,
  at: EpochMs,
): Promise<Settled<EnvironmentRow>> {
  const { tables } = parts
  const { caller, vaultId, slug, action, copiedFrom } = member
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
  if (copiedFrom !== null) await assertEnvironments(parts, tx, vaultId, [copiedFrom])
  const row: EnvironmentRow = current ?? {
    id: newId<string>(),
    vault_id: vaultId,
    slug,
    description: member.description,
    copied_from: copiedFrom,
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
  const copies = await tables.environments.select(tx, 'vault_id = ? and copied_from = ?', [
    vaultId,
    slug,
  ])
  if (copies.length > 0)
    throw new Fault('CONFLICT', `The environment '${slug}' is what others were copied from.`)
}

function environmentInfo(row: EnvironmentRow): EnvironmentInfo {
  const { id, slug, description, copied_from: copiedFrom, created_at: createdAt } = row
  return { id, slug, description, copiedFrom, isBuiltin: false, createdAt }
}

/** The same of every vault: also those are told of it who may not know which vaults there are. */
function builtin(slug: string): EnvironmentInfo {
  const createdAt = epochMs(0)
  return { id: slug, slug, description: null, copiedFrom: null, isBuiltin: true, createdAt }
}
