import type { RecordDraft, RowRevision } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { stepUpRequired } from '../core/step-up-required.ts'
import type { Permission } from '../policy/index.ts'
import { askedFor } from './needs-person.ts'
import type { ProjectEvidence } from './project-evidence.ts'
import { STEP_UP } from './registered-rights.ts'
import { type CallerRights, refusalRecord, remedyFor, revokeChanged } from './rights.ts'
import type { VaultTables } from './rows-repository.ts'

/** One request at one path, with what was read of the caller's project before the batch. */
export interface Request {
  readonly caller: Caller
  readonly evidence: ProjectEvidence | null
  readonly vaultId: VaultId
  readonly path: string
  /** What audit records call it: `secret.read`. */
  readonly action: string
}

export function versionConflict(path: string, version: number, expected: number): Fault {
  return new Fault(
    'VERSION_CONFLICT',
    `The current version of '${path}' is ${version}, not ${expected}.`,
    { details: { path, version } },
  )
}

export interface Refused {
  readonly fault: Fault
  readonly record: RecordDraft
}

/** Word for word what the seeds say, so that clients that match on it go on working. */
export function accessDenied(path: string | null, remedy: string | null): Fault {
  return new Fault('ACCESS_DENIED', "Access denied (agent doesn't have a policy for this path)", {
    details: {
      ...(path === null ? {} : { path }),
      ...(remedy === null ? {} : { remedy }),
    },
  })
}

export function secretNotFound(path: string): Fault {
  return new Fault('SECRET_NOT_FOUND', `No secret found at path '${path}'.`, { details: { path } })
}

export function secretSpent(path: string): Fault {
  return new Fault(
    'SECRET_SPENT',
    `Secret at path '${path}' is expired or has exceeded its maximum access count.`,
    { details: { path } },
  )
}

/** An approval ends with the first sight of another file, whatever was asked and answered. */
export async function revokeSeen(
  tx: Tx,
  tables: VaultTables,
  { evidence }: Pick<Request, 'evidence'>,
  rights: Pick<CallerRights, 'standing'>,
): Promise<readonly RowRevision[]> {
  if (rights.standing !== 'changed' || evidence === null) return []
  const revoked = await revokeChanged(tx, tables, evidence)
  return revoked === null ? [] : [revoked]
}

/** What has no exact act that a person could say yes to, or none that the same call would be again. */
const CANNOT_WAIT =
  'a policy asks for the approval of a person here, and this act cannot wait for one: have a policy on its path that does not ask'

/** The refusal of a permission, with the approval revoked when it was refused because the file changed. */
export async function refuse(
  tx: Tx,
  tables: VaultTables,
  request: Request,
  rights: CallerRights,
  permission: Permission,
): Promise<Refused> {
  const judgement = rights.judge(request.path, permission)
  const rows = await revokeSeen(tx, tables, request, rights)
  return {
    fault:
      rights.ended ??
      (judgement.by === STEP_UP
        ? stepUpRequired()
        : accessDenied(
            request.path,
            askedFor(judgement) === null ? remedyFor(rights.standing, permission) : CANNOT_WAIT,
          )),
    record: refusalRecord(
      request.caller,
      request.action,
      request.vaultId,
      request.path,
      judgement,
      rows,
    ),
  }
}

/** A refusal for another reason than policy: absent, spent, tampered, conflict. */
export function refused(request: Request, fault: Fault, by: string = fault.code): Refused {
  return {
    fault,
    record: {
      kind: 'refusal',
      action: request.action,
      caller: request.caller,
      vault: request.vaultId,
      path: request.path,
      by,
    },
  }
}
