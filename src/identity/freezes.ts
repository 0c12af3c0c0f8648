import { changeLane, type Ledger, type RowRevision, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { Freeze, FreezePort, FreezeTarget, StandingPort } from '../core/identity-port.ts'
import type { AgentId, UserId } from '../core/ids.ts'
import { type Caller, isPersonPresent, principalName } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import { type Asked, administrationProblem, refusedRecord } from './administration.ts'
import type { FreezeRow, IdentityTables } from './identity-rows.ts'
import type { RefusalLane } from './refusals.ts'

const MAX_REASON = 500
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

type Freezing = Asked & { readonly id: string; readonly reason: string | null }

/** What is frozen, as rows that every node reads with the rights. */
export function createFreezes(parts: {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: StandingPort
  readonly refusal: RefusalLane
  readonly changed: () => void
}): FreezePort {
  const { db, ledger, tables, standing } = parts
  const freeze = changeLane('freeze', async (tx, member: Freezing, at) => {
    const problem = await freezeProblem(standing, tx, member.caller, at)
    return problem === null
      ? freezeOne(tables, tx, member, at)
      : { fault: problem, record: refusedRecord('freeze', member.caller, problem) }
  })
  const lift = changeLane('unfreeze', async (tx, member: Freezing, at) => {
    const problem = await liftProblem(standing, tx, member.caller, at)
    return problem === null
      ? liftOne(tables, tx, member, at)
      : { fault: problem, record: refusedRecord('unfreeze', member.caller, problem) }
  })
  return {
    async freeze(caller, target, reason) {
      try {
        const member = { caller, id: freezeId(target), reason: checkedReason(reason) }
        return infoOf((await ledger.commit(freeze, member)).value)
      } finally {
        parts.changed()
      }
    },
    async lift(caller, target) {
      try {
        await ledger.commit(lift, { caller, id: freezeId(target), reason: null })
      } finally {
        parts.changed()
      }
    },
    async list(caller) {
      const found = await db.read(async (reader) => {
        const problem = await freezeProblem(standing, reader, caller, parts.clock())
        return problem ?? freezesOf(tables, reader)
      })
      if (!(found instanceof Fault)) return found.map(infoOf)
      return parts.refusal(found, refusedRecord('freeze.list', caller, found))
    },
  }
}

/** What is frozen, the oldest first. All rows are read, so that one that was switched off from outside is seen. */
export async function freezesOf(
  tables: IdentityTables,
  reader: Reader,
): Promise<readonly FreezeRow[]> {
  const rows = await tables.freezes.select(reader, '1 = 1 order by at, id', [])
  return rows.filter((row) => row.state === 'on')
}

/** Stopping is also for whoever is at this machine, through whatever door: it takes away and gives nothing. */
async function freezeProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  return caller.principal.kind === 'agent'
    ? null
    : administrationProblem(standing, reader, caller, at)
}

/** No key lifts a freeze: what froze may be about that very key. */
async function liftProblem(
  standing: StandingPort,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  const problem = await administrationProblem(standing, reader, caller, at)
  if (problem !== null || caller.principal.kind === 'person') return problem
  if (isPersonPresent(caller, at)) return null
  return new Fault(
    'STEP_UP_REQUIRED',
    'A freeze is lifted by a person who signed in and just proved to be there, not by a key.',
  )
}

export function freezeId(target: FreezeTarget): string {
  return target.kind === 'all' ? 'all' : `${target.kind}:${target.id.slice(0, 128)}`
}

function targetOf(id: string): FreezeTarget {
  const [kind, ...rest] = id.split(':')
  const name = rest.join(':')
  switch (kind) {
    case 'agent':
      return { kind, id: name as AgentId }
    case 'user':
      return { kind, id: name as UserId }
    case 'grant':
      return { kind, id: name }
    default:
      return { kind: 'all' }
  }
}

function infoOf(row: FreezeRow): Freeze {
  return { target: targetOf(row.id), at: row.at, by: row.set_by, reason: row.reason }
}

function checkedReason(reason: string | null): string | null {
  if (reason === null || reason === '') return null
  if (reason.length > MAX_REASON || UNPRINTABLE.test(reason))
    throw new Fault('BAD_INPUT', `reason must have at most ${MAX_REASON} printable characters.`, {
      details: { field: 'reason' },
    })
  return reason
}

async function freezeOne(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, reason }: Freezing,
  at: EpochMs,
): Promise<Settled<FreezeRow>> {
  const row = await tables.freezes.get(tx, 'id = ?', [id])
  const isOn = row?.state === 'on'
  const next: FreezeRow = {
    id,
    state: 'on',
    at: isOn ? row.at : at,
    set_by: isOn ? row.set_by : principalName(caller.principal),
    reason: reason ?? (isOn ? row.reason : null),
    revision: (row?.revision ?? 0) + 1,
  }
  await save(tables, tx, next)
  return {
    value: next,
    record: {
      kind: 'change',
      action: 'freeze',
      caller,
      rows: [['freezes', id, next.revision]],
      detail: { target: id, reason },
    },
  }
}

/**
 * Freezes whoever did what the caller of this watches for, in the transaction that records it.
 *
 * @returns the rows that its record must name
 */
export async function freezeWithin(
  tables: IdentityTables,
  tx: Tx,
  caller: Caller,
  reason: string,
  at: EpochMs,
): Promise<readonly RowRevision[]> {
  const id = principalName(caller.principal)
  const frozen = await freezeOne(
    tables,
    tx,
    { caller, id, reason: reason.slice(0, MAX_REASON) },
    at,
  )
  return frozen.record?.rows ?? []
}

async function liftOne(
  tables: IdentityTables,
  tx: Tx,
  { caller, id }: Freezing,
  at: EpochMs,
): Promise<Settled<null>> {
  const row = await tables.freezes.get(tx, 'id = ?', [id])
  if (row === null || row.state !== 'on')
    return { fault: new Fault('NOT_FOUND', `Nothing is frozen as '${id}'.`), record: null }
  const next: FreezeRow = {
    ...row,
    state: 'off',
    at,
    set_by: principalName(caller.principal),
    reason: null,
    revision: row.revision + 1,
  }
  await save(tables, tx, next)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'unfreeze',
      caller,
      rows: [['freezes', id, next.revision]],
      detail: { target: id },
    },
  }
}

async function save(tables: IdentityTables, tx: Tx, row: FreezeRow): Promise<void> {
  await tables.freezes.save(tx, [row])
  await bumpRights(tx)
}
