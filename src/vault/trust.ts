import type { Ledger, Settled } from '../audit/index.ts'
import type { ProjectStanding, TrustPort } from '../core/admin-port.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import {
  type FoundProject,
  findProject,
  type ProjectList,
  parseProjectFile,
} from '../policy/index.ts'
import { changeLane } from './change-lane.ts'
import { projectDigest } from './project-evidence.ts'
import type { ApprovedLists } from './rights.ts'
import { type TrustedFileRow, type VaultTables } from './rows-repository.ts'

const NOWHERE: ProjectStanding = {
  project: null,
  file: null,
  ignoredFile: null,
  digest: null,
  state: 'none',
  problem: null,
  allow: [],
  run: [],
}

interface Approval {
  readonly caller: Caller
  readonly found: FoundProject
  readonly list: ProjectList
}

/** The person's approvals of project files. */
export function createTrust(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
}): TrustPort {
  const { db, ledger, tables } = parts
  const approve = changeLane('project.allow', (tx, approval: Approval, at) =>
    approveFile(tables, tx, approval, at),
  )
  const revoke = changeLane('project.revoke', (tx, request: { caller: Caller; project: string }) =>
    revokeFile(tables, tx, request),
  )
  return {
    async standing(directory) {
      let found: FoundProject | null
      try {
        found = findProject(directory)
      } catch (error) {
        if (!isFault(error, 'BAD_INPUT')) throw error
        return { ...NOWHERE, state: 'invalid', problem: error.message }
      }
      if (found === null) return NOWHERE
      const row = await db.read((reader) =>
        tables.trustedFiles.get(reader, 'project = ?', [found.project]),
      )
      return standingOf(found, row)
    },
    async allow(caller, standing) {
      const { found, list } = recheck(standing)
      await ledger.commit(approve, { caller, found, list })
      return { ...standing, state: 'approved' }
    },
    async revoke(caller, project) {
      await ledger.commit(revoke, { caller, project })
    },
  }
}

function standingOf(found: FoundProject, row: TrustedFileRow | null): ProjectStanding {
  const base = {
    project: found.project,
    file: found.file,
    ignoredFile: found.ignoredFile,
    digest: projectDigest(found).toString('hex'),
  }
  try {
    const list = parseProjectFile(found.name, found.bytes)
    return {
      ...base,
      state: stateOf(found, row),
      problem: list.warnings.length === 0 ? null : list.warnings.join(' '),
      allow: list.allow,
      run: list.run,
    }
  } catch (error) {
    if (!isFault(error, 'BAD_INPUT')) throw error
    return { ...base, state: 'invalid', problem: error.message, allow: [], run: [] }
  }
}

function stateOf(found: FoundProject, row: TrustedFileRow | null): ProjectStanding['state'] {
  if (row === null) return 'unapproved'
  const isSame = row.file === found.file && projectDigest(found).equals(row.digest)
  return row.state === 'approved' && isSame ? 'approved' : 'revoked'
}

/** What is approved is what was shown: the file is read again and must still say the same. */
function recheck(standing: ProjectStanding): { found: FoundProject; list: ProjectList } {
  const found = standing.project === null ? null : findProject(standing.project)
  if (found === null || found.project !== standing.project || found.file !== standing.file)
    throw changedMeanwhile()
  const list = parseProjectFile(found.name, found.bytes)
  if (projectDigest(found).toString('hex') !== standing.digest) throw changedMeanwhile()
  return { found, list }
}

function changedMeanwhile(): Fault {
  return new Fault(
    'CONFLICT',
    'The project file changed after it was shown; look at it again and repeat the command.',
  )
}

async function approveFile(
  tables: VaultTables,
  tx: Tx,
  { caller, found, list }: Approval,
  at: EpochMs,
): Promise<Settled<null>> {
  const row = await tables.trustedFiles.get(tx, 'project = ?', [found.project])
  const lists: ApprovedLists = { name: found.name, allow: list.allow, run: list.run }
  const next: TrustedFileRow = {
    id: row?.id ?? newId(),
    project: found.project,
    file: found.file,
    digest: projectDigest(found),
    lists: JSON.stringify(lists),
    state: 'approved',
    approved_at: at,
    approved_by: principalName(caller.principal),
    revision: (row?.revision ?? 0) + 1,
  }
  await tables.trustedFiles.save(tx, [next])
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'project.allow',
      caller,
      rows: [['trusted_files', next.id, next.revision]],
      detail: {
        project: found.project,
        file: found.file,
        digest: projectDigest(found).toString('hex'),
        allow: list.allow,
        run: list.run,
      },
    },
  }
}

async function revokeFile(
  tables: VaultTables,
  tx: Tx,
  { caller, project }: { readonly caller: Caller; readonly project: string },
): Promise<Settled<null>> {
  const row = await tables.trustedFiles.get(tx, 'project = ?', [project])
  if (row === null || row.state === 'revoked')
    return {
      fault: new Fault('NOT_FOUND', `No approved project file is known for '${project}'.`),
      record: null,
    }
  const next: TrustedFileRow = { ...row, state: 'revoked', revision: row.revision + 1 }
  await tables.trustedFiles.save(tx, [next])
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'project.revoke',
      caller,
      rows: [['trusted_files', next.id, next.revision]],
      detail: { project },
    },
  }
}
