import { changeLane, type Lane, type RowRevision, type Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import { newId, type UserId } from '../core/ids.ts'
import type { PasskeyInfo, PeoplePort, PersonalKeyInfo } from '../core/people-port.ts'
import { type Caller, STEP_UP_MS } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { newToken, tokenHash, tokenStart } from '../crypto/index.ts'
import { bumpRights } from '../keys/index.ts'
import { compileGlob } from '../policy/index.ts'
import { type Asked, refusedRecord } from './administration.ts'
import { USER_KEY_PREFIX } from './authentication.ts'
import { listOf, type UserKeyRow, type UserRow } from './identity-rows.ts'
import { isPassword, newPasswordRecord } from './passwords.ts'
import { absence, type PeopleAdministrationParts } from './people-administration.ts'
import { type PasskeyRow, sessionEnd } from './people-rows.ts'
import { personInfo } from './person-info.ts'
import { sessionInfo } from './sessions.ts'
import { wrongPassword } from './sign-in.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'
import { hasEnded } from './standing.ts'

const MAX_KEYS = 50
const MAX_LABEL = 100
const MAX_SCOPES = 64
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

export interface OwnAccountParts extends PeopleAdministrationParts {
  readonly throttle: SignInThrottle
}

export type OwnAccount = Omit<
  PeoplePort,
  'setupLink' | 'invite' | 'resetLink' | 'list' | 'update' | 'remove'
>

type NewKey = Asked & {
  readonly row: Pick<UserKeyRow, 'id' | 'label' | 'prefix' | 'digest' | 'scopes' | 'expires_at'>
}
type One = Asked & { readonly id: string }
type NewPassword = Asked & { readonly was: string | null; readonly record: string }

/** What everybody does with his own account. */
export function createOwnAccount(parts: OwnAccountParts): OwnAccount {
  const { db, ledger, tables, standing, sessions, clock } = parts

  /** A lane of people on their own accounts. @param gate why not, or null */
  function ownLane<M extends Asked, R>(
    action: string,
    gate: (tx: Tx, caller: Caller, at: EpochMs) => Promise<Fault | null>,
    work: (tx: Tx, member: M, user: UserRow, at: EpochMs) => Promise<Settled<R>>,
  ): Lane<M, R> {
    return changeLane(action, async (tx, member: M, at) => {
      const { caller } = member
      await standing.standingOf(tx, caller, at)
      const user = await ownerOf(tx, caller)
      const problem = await gate(tx, caller, at)
      if (problem === null) return work(tx, member, user, at)
      return { fault: problem, record: refusedRecord(action, caller, problem) }
    })
  }

  async function ownerOf(reader: Reader, { principal }: Caller): Promise<UserRow> {
    const user =
      principal.kind === 'user' ? await tables.users.get(reader, 'id = ?', [principal.id]) : null
    if (user === null) throw noAccount()
    return user
  }

  async function own<R>(
    caller: Caller,
    read: (reader: Reader, userId: UserId, at: EpochMs) => Promise<R>,
  ): Promise<R> {
    if (caller.principal.kind !== 'user') throw noAccount()
    const { id } = caller.principal
    return db.read(async (reader) => {
      const at = clock()
      await standing.standingOf(reader, caller, at)
      return read(reader, id, at)
    })
  }

  /** A session that was stepped up, or the token of a password that was typed just now. */
  async function justProved(tx: Tx, caller: Caller, at: EpochMs): Promise<Fault | null> {
    const { access } = caller
    if (access?.credential.kind !== 'token') return absence(caller, at)
    const session = await tables.userSessions.get(tx, 'id = ?', [access.credential.keyId ?? ''])
    const provedAt = session?.stepped_up_at ?? null
    return provedAt !== null && at - provedAt <= STEP_UP_MS ? null : absence(caller, at)
  }

  const anybody = async (): Promise<Fault | null> => null
  const inPerson = async (_tx: Tx, caller: Caller, at: EpochMs): Promise<Fault | null> =>
    absence(caller, at)

  const addKey = ownLane('user-key.create', justProved, async (tx, member: NewKey, user, at) => {
    const all = await tables.userKeys.select(tx, 'user_id = ?', [user.id])
    if (all.filter((key) => key.revoked_at === null).length >= MAX_KEYS)
      return { fault: new Fault('CONFLICT', 'Revoke a key first: there are 50.'), record: null }
    const row: UserKeyRow = {
      ...member.row,
      user_id: user.id,
      created_at: at,
      revoked_at: null,
      revision: 1,
    }
    await tables.userKeys.save(tx, [row])
    await bumpRights(tx)
    return changed('user-key.create', member.caller, row, [['user_keys', row.id, 1]], {
      key: row.id,
      keyPrefix: row.prefix,
      name: row.label,
    })
  })

  const dropKey = ownLane('user-key.revoke', anybody, async (tx, { caller, id }: One, user, at) => {
    const row = await tables.userKeys.get(tx, 'id = ?', [id.slice(0, 64)])
    if (row === null || row.user_id !== user.id || row.revoked_at !== null) throw notYours('key')
    const next = { ...row, revoked_at: at, revision: row.revision + 1 }
    await tables.userKeys.save(tx, [next])
    await bumpRights(tx)
    const rows: readonly RowRevision[] = [['user_keys', row.id, next.revision]]
    return changed('user-key.revoke', caller, null, rows, { key: row.id, keyPrefix: row.prefix })
  })

  const dropSession = ownLane('session.end', anybody, async (tx, { caller, id }: One, user) => {
    const row = await tables.userSessions.get(tx, 'id = ?', [id.slice(0, 64)])
    if (row === null || row.user_id !== user.id) throw notYours('session')
    await tables.userSessions.remove(tx, row)
    await bumpRights(tx)
    const rows: readonly RowRevision[] = [['user_sessions', row.id, null]]
    return changed('session.end', caller, null, rows, { session: row.id })
  })

  const dropPasskey = ownLane('passkey.remove', inPerson, async (tx, { caller, id }: One, user) => {
    const row = await tables.passkeys.get(tx, 'id = ?', [id.slice(0, 64)])
    if (row === null || row.user_id !== user.id) throw notYours('passkey')
    const others = await tables.passkeys.select(tx, 'user_id = ? and id <> ?', [user.id, row.id])
    if (others.length === 0 && user.password === null)
      return {
        fault: new Fault('CONFLICT', 'This is the only way to sign in: set a password first.'),
        record: null,
      }
    await tables.passkeys.remove(tx, row)
    await bumpRights(tx)
    const rows: readonly RowRevision[] = [['passkeys', row.id, null]]
    return changed('passkey.remove', caller, null, rows, { passkey: row.id, name: row.label })
  })

  const setPassword = ownLane(
    'user.password',
    inPerson,
    async (tx, { caller, was, record }: NewPassword, user) => {
      if (user.password !== was) return { fault: wrongPassword(), record: null }
      const next: UserRow = { ...user, password: record, revision: user.revision + 1 }
      await tables.users.save(tx, [next])
      const current = caller.access?.credential.id ?? null
      const ended = await sessions.endAll(tx, user.id, current)
      await bumpRights(tx)
      const rows: readonly RowRevision[] = [['users', user.id, next.revision], ...ended]
      return changed('user.password', caller, null, rows, { user: user.id })
    },
  )

  async function done<R>(work: Promise<{ readonly value: R }>): Promise<R> {
    try {
      return (await work).value
    } finally {
      parts.changed()
    }
  }

  return {
    me: (caller) => own(caller, async (reader) => personInfo(await ownerOf(reader, caller))),
    async changePassword(caller, current, password) {
      const user = await own(caller, (reader) => ownerOf(reader, caller))
      if (user.password !== null) {
        const address = caller.access?.address ?? null
        await parts.throttle.count(user.email, address)
        if (!(await isPassword(current ?? '', user.password))) throw wrongPassword()
        await parts.throttle.forgive(user.email, address)
      }
      const record = await newPasswordRecord(password, user.email)
      await done(ledger.commit(setPassword, { caller, was: user.password, record }))
    },
    sessions: (caller) =>
      own(caller, async (reader, userId, at) => {
        const rows = await tables.userSessions.select(
          reader,
          'user_id = ? order by seen_at desc, id',
          [userId],
        )
        return rows.filter((row) => !hasEnded(sessionEnd(row), at)).map(sessionInfo)
      }),
    async endSession(caller, id) {
      await done(ledger.commit(dropSession, { caller, id }))
    },
    passkeys: (caller) =>
      own(caller, async (reader, userId) => {
        const rows = await tables.passkeys.select(reader, 'user_id = ? order by created_at, id', [
          userId,
        ])
        return rows.map(passkeyInfo)
      }),
    async removePasskey(caller, id) {
      await done(ledger.commit(dropPasskey, { caller, id }))
    },
    keys: (caller) =>
      own(caller, async (reader, userId) => {
        const rows = await tables.userKeys.select(reader, 'user_id = ? order by created_at, id', [
          userId,
        ])
        return rows.filter((row) => row.revoked_at === null).map(keyInfo)
      }),
    async createKey(caller, { name, scopes = null, expiresAt = null }) {
      const key = newToken(USER_KEY_PREFIX)
      const row = {
        id: newId<string>(),
        label: checkedLabel(name),
        prefix: tokenStart(key),
        digest: tokenHash(await parts.lookupKey(), key),
        scopes: checkedScopes(scopes),
        expires_at: checkedEnd(expiresAt, clock()),
      }
      const made = await done(ledger.commit(addKey, { caller, row }))
      return { info: keyInfo(made), key }
    },
    async revokeKey(caller, id) {
      await done(ledger.commit(dropKey, { caller, id }))
    },
  }
}

function changed<R>(
  action: string,
  caller: Caller,
  value: R,
  rows: readonly RowRevision[],
  detail: Readonly<Record<string, string>>,
): Settled<R> {
  return { value, record: { kind: 'change', action, caller, rows, detail } }
}

function keyInfo(row: UserKeyRow): PersonalKeyInfo {
  return {
    id: row.id,
    name: row.label,
    prefix: row.prefix,
    scopes: listOf(row.scopes),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

export function passkeyInfo(row: PasskeyRow): PasskeyInfo {
  return { id: row.id, label: row.label, createdAt: row.created_at, usedAt: row.used_at }
}

function noAccount(): Fault {
  return new Fault('ACCESS_DENIED', 'Only people with an account have this.')
}

function notYours(what: string): Fault {
  return new Fault('NOT_FOUND', `You have no such ${what}.`)
}

/** @throws {Fault} `BAD_INPUT` */
export function checkedLabel(name: string): string {
  const label = name.trim()
  if (label === '' || label.length > MAX_LABEL || UNPRINTABLE.test(label))
    throw bad('name', `must have 1 to ${MAX_LABEL} printable characters.`)
  return label
}

function checkedScopes(scopes: readonly string[] | null): string | null {
  if (scopes === null || scopes.length === 0) return null
  if (scopes.length > MAX_SCOPES) throw bad('scopes', `must list at most ${MAX_SCOPES} patterns.`)
  for (const scope of scopes) compileGlob(scope)
  return JSON.stringify([...new Set(scopes)])
}

function checkedEnd(end: EpochMs | null, at: EpochMs): EpochMs | null {
  if (end === null) return null
  if (!Number.isSafeInteger(end) || end <= at) throw bad('expires_at', 'must be in the future.')
  return end
}

function bad(field: string, rest: string): Fault {
  return new Fault('BAD_INPUT', `${field} ${rest}`, { details: { field } })
}
