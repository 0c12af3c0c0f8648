import { createHash } from 'node:crypto'
import type { Ledger, Settled } from '../audit/index.ts'
import type { ApprovedFile, ApprovedFilesPort } from '../core/admin-port.ts'
import type { Db, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { changeLane } from './change-lane.ts'
import type { TrustedFileRow, VaultTables } from './rows-repository.ts'

/** Beside the folders of projects, which are absolute paths: no folder can be called so. */
const PREFIX = 'inspection:'

interface Approval {
  readonly caller: Caller
  readonly file: string
  readonly text: string
}

/** Files of settings and what the person approved of them. The text is kept: it counts when the file says less. */
export function createApprovedFiles(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly tables: VaultTables
}): ApprovedFilesPort {
  const { db, ledger, tables } = parts
  const approve = changeLane('inspection.approve', (tx, approval: Approval, at) =>
    approveText(tables, tx, approval, at),
  )
  const revoke = changeLane('inspection.revoke', (tx, request: Omit<Approval, 'text'>) =>
    revokeFile(tables, tx, request),
  )
  /** Asked for with every call of a tool. */
  const known = new Map<
    string,
    { readonly mark: unknown; readonly approved: ApprovedFile | null }
  >()
  async function readNow(file: string, mark: unknown): Promise<ApprovedFile | null> {
    const row = await db.read((reader) =>
      tables.trustedFiles.get(reader, 'project = ?', [`${PREFIX}${file}`]),
    )
    const approved = row === null || row.state !== 'approved' ? null : approvedFile(row)
    known.set(file, { mark, approved })
    return approved
  }
  return {
    approved(file) {
      const mark = db.changeMark()
      const last = known.get(file)
      return last !== undefined && last.mark === mark ? last.approved : readNow(file, mark)
    },
    async approve(caller, file, text) {
      await ledger.commit(approve, { caller, file, text })
    },
    async revoke(caller, file) {
      await ledger.commit(revoke, { caller, file })
    },
  }
}

function approvedFile({ lists, approved_at: at, approved_by: by }: TrustedFileRow): ApprovedFile {
  return { text: JSON.parse(lists) as string, at, by }
}

async function approveText(
  tables: VaultTables,
  tx: Tx,
  { caller, file, text }: Approval,
  at: EpochMs,
): Promise<Settled<null>> {
  const project = `${PREFIX}${file}`
  const digest = createHash('sha256').update(text).digest()
  const row = await tables.trustedFiles.get(tx, 'project = ?', [project])
  const next: TrustedFileRow = {
    id: row?.id ?? newId(),
    project,
    file,
    digest,
    lists: JSON.stringify(text),
    state: 'approved',
    approved_at: at,
    approved_by: principalName(caller.principal),
    revision: (row?.revision ?? 0) + 1,
  }
  await tables.trustedFiles.save(tx, [next])
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'inspection.approve',
      caller,
      rows: [['trusted_files', next.id, next.revision]],
      detail: { file, digest: digest.toString('hex') },
    },
  }
}

async function revokeFile(
  tables: VaultTables,
  tx: Tx,
  { caller, file }: Omit<Approval, 'text'>,
): Promise<Settled<null>> {
  const row = await tables.trustedFiles.get(tx, 'project = ?', [`${PREFIX}${file}`])
  if (row === null || row.state === 'revoked')
    return {
      fault: new Fault('NOT_FOUND', `Nothing of '${file}' is approved.`),
      record: null,
    }
  const next: TrustedFileRow = { ...row, state: 'revoked', revision: row.revision + 1 }
  await tables.trustedFiles.save(tx, [next])
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'inspection.revoke',
      caller,
      rows: [['trusted_files', next.id, next.revision]],
      detail: { file },
    },
  }
}
