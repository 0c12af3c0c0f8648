import { randomBytes } from 'node:crypto'
import { changeLane, type Ledger, type RowRevision, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { newId, type UserId } from '../core/ids.ts'
import type { Browser, SessionInfo, SessionVia, SignedIn } from '../core/people-port.ts'
import { type Caller, isPersonPresent } from '../core/principals.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import { sameTokenHash } from '../crypto/index.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import type { IdentityTables, UserRow } from './identity-rows.ts'
import { keyedHash, keyedName } from './keyed-name.ts'
import { sessionEnd, type UserSessionRow } from './people-rows.ts'
import { personInfo } from './person-info.ts'
import { hasEnded, type Standing } from './standing.ts'

const ABSOLUTE_MS = 7 * 86_400_000
/** How often it is written down that a session is used. */
const SEEN_MS = 600_000
const MAX_PER_PERSON = 20
const MAX_AGENT_CHARACTERS = 200
const COOKIE = /^[A-Za-z0-9_-]{43}$/

/** A cookie that was drawn, and what is kept of it. */
export interface NewCookie {
  readonly cookie: string
  readonly digest: Uint8Array
}

export interface SessionParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: Standing
  readonly lookupKey: () => Promise<Uint8Array>
}

/** Browsers in which people signed in: rows that every node reads with the rights. */
export class Sessions {
  readonly #parts: SessionParts
  readonly #seen = changeLane('session.seen', (tx, { caller, id }: Seen, at) =>
    this.#noteSeen(tx, caller, id, at),
  )

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  async newCookie(): Promise<NewCookie> {
    const cookie = randomBytes(32).toString('base64url')
    return { cookie, digest: keyedHash(await this.#parts.lookupKey(), 'session', cookie) }
  }

  /** Opens one for somebody who was just recognised, and drops those of his that have ended. */
  async open(
    tx: Tx,
    { user, digest, via, browser, lifeMs = ABSOLUTE_MS, provedAt }: Opening,
    at: EpochMs,
  ): Promise<{ readonly row: UserSessionRow; readonly rows: readonly RowRevision[] }> {
    const { userSessions } = this.#parts.tables
    const rows: RowRevision[] = []
    const own = await userSessions.select(tx, 'user_id = ? order by created_at desc, id', [user.id])
    for (const [index, old] of own.entries()) {
      if (!hasEnded(sessionEnd(old), at) && index < MAX_PER_PERSON - 1) continue
      await userSessions.remove(tx, old)
      rows.push(['user_sessions', old.id, null])
    }
    const row: UserSessionRow = {
      id: newId(),
      user_id: user.id,
      digest,
      via,
      address: browser.address,
      agent: shownAgent(browser.agent),
      created_at: at,
      seen_at: at,
      stepped_up_at: provedAt === undefined ? at : provedAt,
      ends_at: epochMs(at + lifeMs),
      revision: 1,
    }
    await userSessions.save(tx, [row])
    await bumpRights(tx)
    return { row, rows: [...rows, ['user_sessions', row.id, 1]] }
  }

  /** Somebody proved again to be there: the session goes on under a new cookie. */
  async renew(
    tx: Tx,
    id: string,
    digest: Uint8Array,
    at: EpochMs,
  ): Promise<{ readonly row: UserSessionRow; readonly rows: readonly RowRevision[] } | null> {
    const { userSessions } = this.#parts.tables
    const row = await userSessions.get(tx, 'id = ?', [id])
    if (row === null || hasEnded(sessionEnd(row), at)) return null
    const next = {
      ...row,
      digest,
      seen_at: at,
      stepped_up_at: at,
      revision: row.revision + 1,
    }
    await userSessions.save(tx, [next])
    await bumpRights(tx)
    return { row: next, rows: [['user_sessions', id, next.revision]] }
  }

  /** Ends sessions of an account. @param except one that goes on */
  async endAll(tx: Tx, userId: UserId, except: string | null): Promise<readonly RowRevision[]> {
    const { userSessions } = this.#parts.tables
    const rows: RowRevision[] = []
    for (const row of await userSessions.select(tx, 'user_id = ?', [userId])) {
      if (row.id === except) continue
      await userSessions.remove(tx, row)
      rows.push(['user_sessions', row.id, null])
    }
    return rows
  }

  /** Whose cookie it is, as of now; null when it is nobody's any more. */
  async signedIn(cookie: string, browser: Browser): Promise<SignedIn | null> {
    if (!COOKIE.test(cookie)) return null
    const { db, clock, ledger } = this.#parts
    const key = await this.#parts.lookupKey()
    const digest = keyedHash(key, 'session', cookie)
    const at = clock()
    const found = await db.read((reader) => this.#find(reader, digest, browser, at))
    if (found === null) return null
    const { row, user, caller } = found
    if (at - row.seen_at > SEEN_MS) await ledger.commit(this.#seen, { caller, id: row.id })
    return {
      caller,
      person: personInfo(user),
      session: sessionInfo(row),
      formToken: keyedName(key, 'form', cookie),
      isSteppedUp: isPersonPresent(caller, at),
    }
  }

  async #find(
    reader: Reader,
    digest: Uint8Array,
    browser: Browser,
    at: EpochMs,
  ): Promise<{
    readonly row: UserSessionRow
    readonly user: UserRow
    readonly caller: Caller
  } | null> {
    const { tables, standing } = this.#parts
    const row = await tables.userSessions.get(reader, 'digest = ?', [digest])
    if (row === null || row.via === 'token' || !sameTokenHash(row.digest, digest)) return null
    const user = await tables.users.get(reader, 'id = ?', [row.user_id])
    if (user === null) return null
    const caller = callerOfSession(row, browser.address)
    const judged = await standing.atRevision(await rightsRevision(reader)).judge(reader, caller)
    return 'by' in judged || hasEnded(judged.standing.endsAt, at) ? null : { row, user, caller }
  }

  async #noteSeen(tx: Tx, caller: Caller, id: string, at: EpochMs): Promise<Settled<null>> {
    const { userSessions } = this.#parts.tables
    const row = await userSessions.get(tx, 'id = ?', [id])
    // It was ended, or another request of it came first.
    if (row === null || hasEnded(sessionEnd(row), at) || at - row.seen_at <= SEEN_MS)
      return { value: null, record: null }
    const next = { ...row, seen_at: at, revision: row.revision + 1 }
    await userSessions.save(tx, [next])
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'event',
        action: 'session.seen',
        caller,
        rows: [['user_sessions', id, next.revision]],
      },
    }
  }
}

interface Opening {
  readonly user: UserRow
  readonly digest: Uint8Array
  readonly via: SessionVia
  readonly browser: Browser
  readonly lifeMs?: number
  /** When the person was last there, where that is not now; null: nobody knows. */
  readonly provedAt?: EpochMs | null
}

interface Seen {
  readonly caller: Caller
  readonly id: string
}

export function callerOfSession(row: UserSessionRow, address: string | null): Caller {
  return {
    principal: { kind: 'user', id: row.user_id },
    channel: 'page',
    access: {
      credential: { kind: 'session', id: row.id },
      scopes: null,
      vaultIds: null,
      expiresAt: row.ends_at,
      address,
      steppedUpAt: row.stepped_up_at,
    },
  }
}

export function sessionInfo(row: UserSessionRow): SessionInfo {
  return {
    id: row.id,
    via: row.via,
    address: row.address,
    agent: row.agent,
    createdAt: row.created_at,
    seenAt: row.seen_at,
    endsAt: sessionEnd(row),
  }
}

function shownAgent(agent: string | null): string | null {
  if (agent === null) return null
  return agent.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').slice(0, MAX_AGENT_CHARACTERS)
}
