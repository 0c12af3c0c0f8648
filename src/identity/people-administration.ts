import {
  changeLane,
  type Lane,
  type Ledger,
  type RowRevision,
  type Settled,
} from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { Role } from '../core/identity-port.ts'
import type { NewLink, PeoplePort, PersonInfo } from '../core/people-port.ts'
import { type Caller, isPersonPresent, isSession, principalName } from '../core/principals.ts'
import { stepUpRequired } from '../core/step-up-required.ts'
import type { Clock, EpochMs } from '../core/time.ts'
import { bumpRights, type MacRow, type MacTable } from '../keys/index.ts'
import { type Asked, administrationProblem, refusedRecord } from './administration.ts'
import type { IdentityTables, UserRow } from './identity-rows.ts'
import { insertLink, type LinkChoice, linkInfo, newLinkToken } from './one-time-links.ts'
import { ensureOrganisation } from './organisation.ts'
import type { UserLinkRow } from './people-rows.ts'
import { checkedEmail, checkedPersonName, checkedRole, personInfo } from './person-info.ts'
import type { RefusalLane } from './refusals.ts'
import type { Sessions } from './sessions.ts'
import type { Standing } from './standing.ts'

export interface PeopleAdministrationParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: Standing
  readonly sessions: Sessions
  readonly lookupKey: () => Promise<Uint8Array>
  readonly refusal: RefusalLane
  readonly changed: () => void
}

export type PeopleAdministration = Pick<
  PeoplePort,
  'setupLink' | 'invite' | 'resetLink' | 'list' | 'update' | 'remove'
>

type Linking = Asked & {
  readonly make: (
    tx: Tx,
    own: Role,
  ) => Promise<Fault | Pick<LinkChoice, 'kind' | 'email' | 'role' | 'user_id'>>
  readonly digest: Uint8Array
}
type Change = Asked & {
  readonly id: string
  readonly change: Parameters<PeoplePort['update']>[2]
}
type Removal = Asked & { readonly id: string }

/** Accounts, for those who administer and are there in person: no key and no token makes or changes an account. */
export function createPeopleAdministration(parts: PeopleAdministrationParts): PeopleAdministration {
  const { ledger, tables } = parts
  const link = personsLane(parts, 'user.link', (tx, member: Linking, own, at) =>
    makeLink(tables, tx, member, own, at),
  )
  const update = personsLane(parts, 'user.update', (tx, member: Change, own) =>
    updateUser(parts, tx, member, own),
  )
  const remove = personsLane(parts, 'user.remove', (tx, member: Removal, own) =>
    removeUser(parts, tx, member, own),
  )

  async function changed<R>(work: Promise<{ readonly value: R }>): Promise<R> {
    try {
      return (await work).value
    } finally {
      parts.changed()
    }
  }

  async function linked(caller: Caller, make: Linking['make']): Promise<NewLink> {
    const { token, digest } = newLinkToken(await parts.lookupKey())
    const row = await changed(ledger.commit(link, { caller, make, digest }))
    return { ...linkInfo(row), token }
  }

  return {
    setupLink: (caller) =>
      linked(caller, async (tx) =>
        (await tables.users.get(tx, '1 = 1 limit 1', [])) === null
          ? { kind: 'setup', email: null, role: 'owner', user_id: null }
          : new Fault('CONFLICT', 'There is an account already; its owner invites the others.'),
      ),
    invite(caller, request) {
      const email = checkedEmail(request.email)
      const role = checkedRole(request.role)
      return linked(caller, async (tx, own) => {
        if (!mayGive(own, role)) return notAbove()
        if ((await tables.users.get(tx, 'email = ?', [email])) !== null)
          return new Fault('CONFLICT', `There is an account for '${email}' already.`)
        return { kind: 'invite', email, role, user_id: null }
      })
    },
    resetLink: (caller, id) =>
      linked(caller, async (tx, own) => {
        const user = await findUser(tables, tx, id)
        if (!mayGive(own, user.role)) return notAbove()
        return { kind: 'reset', email: user.email, role: user.role, user_id: user.id }
      }),
    async list(caller): Promise<readonly PersonInfo[]> {
      const { db, standing, clock } = parts
      const found = await db.read(async (reader) => {
        const problem = await lookProblem(standing, reader, caller, clock())
        return problem ?? tables.users.select(reader, '1 = 1 order by created_at, id', [])
      })
      if (!(found instanceof Fault)) return found.map(personInfo)
      return parts.refusal(found, refusedRecord('user.list', caller, found))
    },
    async update(caller, id, change) {
      return personInfo(await changed(ledger.commit(update, { caller, id, change })))
    },
    async remove(caller, id) {
      await changed(ledger.commit(remove, { caller, id }))
    },
  }
}

/** A lane of what owners and admins do in person; `own` is the caller's role, the machine's person counts as an owner. */
function personsLane<M extends Asked, R>(
  { standing }: PeopleAdministrationParts,
  action: string,
  work: (tx: Tx, member: M, own: Role, at: EpochMs) => Promise<Settled<R>>,
): Lane<M, R> {
  return changeLane(action, async (tx, member: M, at) => {
    const { caller } = member
    const problem = (await administrationProblem(standing, tx, caller, at)) ?? absence(caller, at)
    if (problem !== null) return { fault: problem, record: refusedRecord(action, caller, problem) }
    const role =
      caller.principal.kind === 'person'
        ? 'owner'
        : (await standing.standingOf(tx, caller, at)).role
    return work(tx, member, role ?? 'member', at)
  })
}

/** Why this is not a person who is there, or null. */
export function absence(caller: Caller, at: EpochMs): Fault | null {
  if (isPersonPresent(caller, at)) return null
  if (!isSession(caller))
    return new Fault('ACCESS_DENIED', 'Only a person who signed in may do this, not a key.')
  return stepUpRequired()
}

async function lookProblem(
  standing: Standing,
  reader: Reader,
  caller: Caller,
  at: EpochMs,
): Promise<Fault | null> {
  // Whoever is at this machine may look, as it may at agents.
  if (caller.principal.kind === 'agent') return null
  if (caller.principal.kind === 'user') {
    const { role, scopes } = await standing.standingOf(reader, caller, at)
    if (role === 'auditor' && scopes.length === 0) return null
  }
  return administrationProblem(standing, reader, caller, at)
}

/** Nobody gives a role that is above his own, or changes somebody who has one. */
function mayGive(own: Role, role: Role): boolean {
  return own === 'owner' || (own === 'admin' && role !== 'owner')
}

function notAbove(): Fault {
  return new Fault('ACCESS_DENIED', 'Only an owner makes or changes owners.')
}

async function findUser(tables: IdentityTables, tx: Reader, id: string): Promise<UserRow> {
  const user = await tables.users.get(tx, 'id = ?', [id.slice(0, 64)])
  if (user === null) throw new Fault('NOT_FOUND', `There is no account '${id.slice(0, 64)}'.`)
  return user
}

async function makeLink(
  tables: IdentityTables,
  tx: Tx,
  { caller, make, digest }: Linking,
  own: Role,
  at: EpochMs,
): Promise<Settled<UserLinkRow>> {
  const choice = await make(tx, own)
  if (choice instanceof Fault) return { fault: choice, record: null }
  const { rows: orgRows } = await ensureOrganisation(tables, tx, at)
  const created_by = principalName(caller.principal)
  const { row, rows } = await insertLink(tables, tx, { ...choice, digest, created_by }, at)
  return {
    value: row,
    record: {
      kind: 'change',
      action: 'user.link',
      caller,
      rows: [...orgRows, ...rows],
      detail: { link: row.id, purpose: row.kind, email: row.email, role: row.role },
    },
  }
}

async function updateUser(
  { tables, sessions }: PeopleAdministrationParts,
  tx: Tx,
  { caller, id, change }: Change,
  own: Role,
): Promise<Settled<UserRow>> {
  const user = await findUser(tables, tx, id)
  const role = change.role === undefined ? user.role : checkedRole(change.role)
  if (!mayGive(own, user.role) || !mayGive(own, role))
    return { fault: notAbove(), record: refusedRecord('user.update', caller, notAbove()) }
  const isActive = change.isActive ?? user.state === 'active'
  const next: UserRow = {
    ...user,
    role,
    name: change.name === undefined ? user.name : checkedPersonName(change.name),
    state: isActive ? 'active' : 'disabled',
    revision: user.revision + 1,
  }
  if ((role !== 'owner' || !isActive) && (await isLastOwner(tables, tx, user)))
    return { fault: lastOwner(), record: null }
  await tables.users.save(tx, [next])
  const ended = isActive ? [] : await sessions.endAll(tx, user.id, null)
  await bumpRights(tx)
  return {
    value: next,
    record: {
      kind: 'change',
      action: 'user.update',
      caller,
      rows: [['users', user.id, next.revision], ...ended],
      detail: { user: user.id, email: user.email, role, active: isActive },
    },
  }
}

async function removeUser(
  { tables, sessions }: PeopleAdministrationParts,
  tx: Tx,
  { caller, id }: Removal,
  own: Role,
): Promise<Settled<null>> {
  const user = await findUser(tables, tx, id)
  if (!mayGive(own, user.role))
    return { fault: notAbove(), record: refusedRecord('user.remove', caller, notAbove()) }
  if (await isLastOwner(tables, tx, user)) return { fault: lastOwner(), record: null }
  const rows: RowRevision[] = [['users', user.id, null]]
  rows.push(...(await sessions.endAll(tx, user.id, null)))
  rows.push(...(await removeOf(tables.userKeys, tx, user.id)))
  rows.push(...(await removeOf(tables.passkeys, tx, user.id)))
  rows.push(...(await removeOf(tables.userIdentities, tx, user.id)))
  await tables.users.remove(tx, user)
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'user.remove',
      caller,
      rows,
      detail: { user: user.id, email: user.email },
    },
  }
}

async function removeOf<R extends MacRow>(
  table: MacTable<R>,
  tx: Tx,
  userId: string,
): Promise<readonly RowRevision[]> {
  const rows: RowRevision[] = []
  for (const row of await table.select(tx, 'user_id = ?', [userId])) {
    await table.remove(tx, row)
    rows.push([table.name, table.idOf(row), null])
  }
  return rows
}

async function isLastOwner(tables: IdentityTables, tx: Tx, user: UserRow): Promise<boolean> {
  if (user.role !== 'owner' || user.state !== 'active') return false
  const owners = await tables.users.select(tx, 'role = ? and state = ?', ['owner', 'active'])
  return owners.length === 1
}

function lastOwner(): Fault {
  return new Fault('CONFLICT', 'The last active owner stays one; make another owner first.')
}
