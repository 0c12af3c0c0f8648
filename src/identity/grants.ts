import type { Committed, Lane, Ledger, Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { type Expectation, unmet } from '../core/expectation.ts'
import { Fault } from '../core/faults.ts'
import type { GrantInfo, GrantPort, GrantRequest, GrantWithBearer } from '../core/grant-port.ts'
import type { StandingPort } from '../core/identity-port.ts'
import { newId } from '../core/ids.ts'
import { type Caller, principalName } from '../core/principals.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { unauthenticated } from '../core/unauthenticated.ts'
import { newToken, tokenHash, tokenStart } from '../crypto/index.ts'
import { bumpRights } from '../keys/index.ts'
import {
  type Asked,
  administeredLane,
  attendedLane,
  lookProblem,
  refusedRecord,
} from './administration.ts'
import { type GrantRow, grantInfo } from './grant-rows.ts'
import type { IdentityTables } from './identity-rows.ts'
import type { RefusalLane } from './refusals.ts'

export const GRANT_PREFIX = 'spt_grant_'

const MAX_LABEL = 100
const MAX_POLICIES = 32
/** Of one agent, that count. */
const MAX_GRANTS = 100
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/

export interface GrantParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: StandingPort
  /** The key under which bearers are looked up. */
  readonly lookupKey: () => Promise<Uint8Array>
  readonly refusal: RefusalLane
  /** Told after each change, so that what this process remembers of bearers is asked for anew. */
  readonly changed: () => void
}

/**
 * Why what a grant names is not to be had, or null. It is asked within the transaction that writes the grant, so what
 * is removed at the same moment is gone by then, or its removal finds the grant.
 */
export type NamesCheck = (tx: Tx) => Promise<Fault | null>

/** As `GrantPort`, for whoever keeps what grants name. */
export interface Grants extends GrantPort {
  create(
    caller: Caller,
    agentId: string,
    request: GrantRequest,
    check?: NamesCheck,
  ): Promise<GrantWithBearer>
  attach(caller: Caller, id: string, policy: string, check?: NamesCheck): Promise<GrantInfo>
}

type BearerColumns = Pick<GrantRow, 'key_id' | 'prefix' | 'digest'>
type ChosenColumns = Pick<GrantRow, 'label' | 'server' | 'policies' | 'expires_at'>

interface Checked extends Asked {
  readonly check?: NamesCheck | undefined
}
interface Creation extends Checked {
  readonly agentId: string
  readonly chosen: ChosenColumns
  readonly columns: BearerColumns
}
interface Revocation extends Asked {
  readonly id: string
  readonly expected: Expectation | undefined
}
type Rotation = Revocation & { readonly columns: BearerColumns }
type Naming = Checked & { readonly id: string; readonly policy: string }

export function createGrants(parts: GrantParts): Grants {
  const { db, ledger, tables, standing, clock } = parts
  const create = checkedLane(standing, 'grant.create', (tx, member: Creation, at) =>
    createGrant(tables, tx, member, at),
  )
  const rotate = attendedLane(standing, 'grant.rotate', (tx, member: Rotation, at) =>
    rotateGrant(tables, tx, member, at),
  )
  const revoke = administeredLane(standing, 'grant.revoke', (tx, member: Revocation, at) =>
    revokeGrant(tables, tx, member, at),
  )
  const attach = checkedLane(standing, 'policy.attach', (tx, member: Naming) =>
    renamed(tables, tx, member, 'policy.attach', (policies) =>
      policies.includes(member.policy)
        ? new Fault('CONFLICT', `The grant is judged by the policy '${member.policy}' already.`)
        : [...policies, member.policy],
    ),
  )
  const detach = attendedLane(standing, 'policy.detach', (tx, member: Naming) =>
    renamed(tables, tx, member, 'policy.detach', (policies) =>
      policies.includes(member.policy)
        ? policies.filter((one) => one !== member.policy)
        : new Fault('NOT_FOUND', `The grant is not judged by a policy '${member.policy}'.`),
    ),
  )

  async function withBearer(
    change: (columns: BearerColumns) => Promise<Committed<GrantRow>>,
  ): Promise<GrantWithBearer> {
    const bearer = newToken(GRANT_PREFIX)
    const digest = tokenHash(await parts.lookupKey(), bearer)
    const columns = { key_id: newId<string>(), prefix: tokenStart(bearer), digest }
    try {
      return { grant: grantInfo((await change(columns)).value), bearer }
    } catch (error) {
      bearer.wipe()
      throw error
    } finally {
      parts.changed()
    }
  }

  async function named(lane: Lane<Naming, GrantRow>, member: Naming): Promise<GrantInfo> {
    if (!NAME.test(member.policy))
      throw bad('policy', 'must have 1 to 64 letters, digits, dots, dashes or underscores.')
    return grantInfo((await ledger.commit(lane, member)).value)
  }

  return {
    async list(caller, agentId) {
      const found = await db.read(async (reader) => {
        const problem = await lookProblem(parts, reader, caller, agentId)
        if (problem !== null) return problem
        return agentId === null
          ? tables.grants.select(reader, '1 = 1 order by created_at, id', [])
          : tables.grants.select(reader, 'agent_id = ? order by created_at, id', [agentId])
      })
      if (!(found instanceof Fault)) return found.map(grantInfo)
      return parts.refusal(found, refusedRecord('grant.list', caller, found))
    },
    async create(caller, agentId, request, check) {
      const chosen = checkedRequest(request, clock())
      return withBearer((columns) =>
        ledger.commit(create, { caller, agentId, chosen, columns, check }),
      )
    },
    rotate: (caller, id, expected) =>
      withBearer((columns) => ledger.commit(rotate, { caller, id, columns, expected })),
    async revoke(caller, id, expected) {
      try {
        return grantInfo((await ledger.commit(revoke, { caller, id, expected })).value)
      } finally {
        parts.changed()
      }
    },
    attach: (caller, id, policy, check) => named(attach, { caller, id, policy, check }),
    detach: (caller, id, policy) => named(detach, { caller, id, policy }),
    async held(caller) {
      const row = await db.read(async (reader) => {
        await standing.standingOf(reader, caller, clock())
        const { credential } = caller.access ?? {}
        if (credential?.kind !== 'grant') throw unauthenticated()
        return tables.grants.get(reader, 'id = ?', [credential.id])
      })
      if (row === null) throw unauthenticated()
      return grantInfo(row)
    },
  }
}

/** As `attendedLane`, once what the member names was found. */
function checkedLane<M extends Checked>(
  standing: StandingPort,
  action: string,
  change: (tx: Tx, member: M, at: EpochMs) => Promise<Settled<GrantRow>>,
): Lane<M, GrantRow> {
  return attendedLane(standing, action, async (tx, member: M, at) => {
    const fault = (await member.check?.(tx)) ?? null
    return fault === null ? change(tx, member, at) : { fault, record: null }
  })
}

function bad(field: string, message: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${message}`, { details: { field } })
}

/** @throws {Fault} `BAD_INPUT` naming the field */
function checkedRequest(request: GrantRequest, at: EpochMs): ChosenColumns {
  const { label, server, policies, expiresAt = null } = request
  if (label.trim() === '' || label.length > MAX_LABEL || UNPRINTABLE.test(label))
    throw bad('label', `must have 1 to ${MAX_LABEL} printable characters.`)
  if (!NAME.test(server))
    throw bad('server', 'must have 1 to 64 letters, digits, dots, dashes or underscores.')
  if (policies.length > MAX_POLICIES)
    throw bad('policies', `must name at most ${MAX_POLICIES} policies.`)
  if (!policies.every((name) => NAME.test(name)))
    throw bad('policies', 'must be names of 1 to 64 letters, digits, dots, dashes or underscores.')
  if (expiresAt !== null && (!Number.isSafeInteger(expiresAt) || expiresAt <= at))
    throw bad('expires_at', 'must be in the future.')
  return {
    label,
    server,
    policies: JSON.stringify([...new Set(policies)]),
    expires_at: expiresAt,
  }
}

async function createGrant(
  tables: IdentityTables,
  tx: Tx,
  { caller, agentId, chosen, columns }: Creation,
  at: EpochMs,
): Promise<Settled<GrantRow>> {
  const agent = await tables.agents.get(tx, 'id = ?', [agentId.slice(0, 64)])
  if (agent === null)
    return {
      fault: new Fault('NOT_FOUND', `There is no agent '${agentId.slice(0, 64)}'.`),
      record: null,
    }
  const own = await tables.grants.select(tx, 'agent_id = ? and revoked_at is null', [agent.id])
  if (own.some(({ label }) => label === chosen.label))
    return {
      fault: new Fault('CONFLICT', `The agent has a grant '${chosen.label}' already.`, {
        details: { field: 'label' },
      }),
      record: null,
    }
  if (own.length >= MAX_GRANTS)
    return {
      fault: new Fault('CONFLICT', `An agent has at most ${MAX_GRANTS} grants; revoke one first.`),
      record: null,
    }
  return saved(tables, tx, 'grant.create', caller, {
    id: newId<string>(),
    agent_id: agent.id,
    ...chosen,
    ...columns,
    created_at: at,
    created_by: principalName(caller.principal),
    rotated_at: null,
    revoked_at: null,
    revision: 1,
  })
}

async function rotateGrant(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, columns, expected }: Rotation,
  at: EpochMs,
): Promise<Settled<GrantRow>> {
  const row = await counting(tables, tx, id)
  if (row === null) return { fault: unknownGrant(id), record: null }
  const conflict = unmet(expected, grantInfo(row).tag)
  if (conflict !== null) return { fault: conflict, record: null }
  const next = { ...row, ...columns, rotated_at: at, revision: row.revision + 1 }
  return saved(tables, tx, 'grant.rotate', caller, next)
}

async function revokeGrant(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, expected }: Revocation,
  at: EpochMs,
): Promise<Settled<GrantRow>> {
  const row = await counting(tables, tx, id)
  if (row === null) return { fault: unknownGrant(id), record: null }
  const conflict = unmet(expected, grantInfo(row).tag)
  if (conflict !== null) return { fault: conflict, record: null }
  const next = { ...row, revoked_at: at, revision: row.revision + 1 }
  return saved(tables, tx, 'grant.revoke', caller, next)
}

/**
 * Ends the grants of a server that is taken away: one that is added later under its name is another one.
 *
 * @returns the rows that changed, for the record of whoever takes it away
 */
export async function revokeGrantsOf(
  tables: Pick<IdentityTables, 'grants'>,
  tx: Tx,
  server: string,
  at: EpochMs,
): Promise<readonly GrantRow[]> {
  const own = await tables.grants.select(
    tx,
    'server = ? and revoked_at is null order by created_at, id',
    [server],
  )
  const next = own.map((row) => ({ ...row, revoked_at: at, revision: row.revision + 1 }))
  await tables.grants.save(tx, next)
  return next
}

/** @returns those that count, the oldest first */
export async function grantsNaming(
  tables: Pick<IdentityTables, 'grants'>,
  reader: Reader,
  policy: string,
): Promise<readonly GrantInfo[]> {
  const counting = 'revoked_at is null order by created_at, id'
  const rows = await tables.grants.select(reader, counting, [])
  return rows.map(grantInfo).filter(({ policies }) => policies.includes(policy))
}

async function renamed(
  tables: IdentityTables,
  tx: Tx,
  { caller, id }: Naming,
  action: string,
  next: (policies: readonly string[]) => readonly string[] | Fault,
): Promise<Settled<GrantRow>> {
  const row = await counting(tables, tx, id)
  if (row === null) return { fault: unknownGrant(id), record: null }
  const policies = next(grantInfo(row).policies)
  if (policies instanceof Fault) return { fault: policies, record: null }
  if (policies.length > MAX_POLICIES)
    return {
      fault: new Fault('CONFLICT', `A grant is judged by at most ${MAX_POLICIES} policies.`),
      record: null,
    }
  const revision = row.revision + 1
  return saved(tables, tx, action, caller, { ...row, policies: JSON.stringify(policies), revision })
}

async function counting(tables: IdentityTables, tx: Tx, id: string): Promise<GrantRow | null> {
  const row = await tables.grants.get(tx, 'id = ?', [id.slice(0, 64)])
  return row === null || row.revoked_at !== null ? null : row
}

function unknownGrant(id: string): Fault {
  return new Fault('NOT_FOUND', `There is no grant '${id.slice(0, 64)}' that counts.`)
}

async function saved(
  tables: IdentityTables,
  tx: Tx,
  action: string,
  caller: Caller,
  row: GrantRow,
): Promise<Settled<GrantRow>> {
  await tables.grants.save(tx, [row])
  await bumpRights(tx)
  const { id, agentId, label, server, policies, prefix } = grantInfo(row)
  return {
    value: row,
    record: {
      kind: 'change',
      action,
      caller,
      rows: [['grants', id, row.revision]],
      detail: { grant: id, agent: agentId, label, server, policies, prefix },
    },
  }
}
