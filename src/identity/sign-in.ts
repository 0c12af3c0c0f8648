import { changeLane, type RowRevision, type Settled } from '../audit/index.ts'
import type { Reader, Tx } from '../core/db-port.ts'
import { Fault, isFault } from '../core/faults.ts'
import type { Origin } from '../core/identity-port.ts'
import { newId, type UserId } from '../core/ids.ts'
import type {
  AccountChoice,
  Browser,
  LinkInfo,
  OpenedSession,
  SessionVia,
  SignedIn,
} from '../core/people-port.ts'
import type { Caller } from '../core/principals.ts'
import type { EpochMs } from '../core/time.ts'
import { bumpRights } from '../keys/index.ts'
import type { UserRow } from './identity-rows.ts'
import { linkInfo, noLink, openLink } from './one-time-links.ts'
import { ensureOrganisation } from './organisation.ts'
import { isPassword, newPasswordRecord } from './passwords.ts'
import type { PasskeyRow, UserLinkRow, UserSessionRow } from './people-rows.ts'
import { checkedEmail, checkedPersonName, personInfo, plainEmail } from './person-info.ts'
import type { Refusals } from './refusals.ts'
import {
  callerOfSession,
  type NewCookie,
  type SessionParts,
  type Sessions,
  sessionInfo,
} from './sessions.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'

const MAX_PASSWORD_CHARACTERS = 1024

export interface SignInParts extends SessionParts {
  readonly sessions: Sessions
  readonly throttle: SignInThrottle
  readonly refusals: Refusals
  /** Told after each change of rights. */
  readonly changed: () => void
}

/** How somebody is let in once he was recognised. */
export interface Entry {
  readonly userId: UserId
  readonly via: SessionVia
  readonly cookie: NewCookie
  readonly browser: Browser
  /** What was recognised, still there in the transaction: the password's record, or a passkey that is used up to a count. */
  readonly grounds: { readonly password: string } | { readonly passkey: PasskeyUse } | null
  /** A session that goes on, instead of a new one. */
  readonly renews: string | null
  readonly lifeMs?: number
}

export interface PasskeyUse {
  readonly id: string
  readonly counter: number
}

export interface Entered {
  readonly user: UserRow
  readonly row: UserSessionRow
}

/** A passkey that was verified and belongs to nobody yet. */
export type NewPasskey = Pick<
  PasskeyRow,
  'credential_id' | 'public_key' | 'counter' | 'transports' | 'label'
>

interface Acceptance {
  readonly token: string
  readonly key: Uint8Array
  readonly email: string | null
  readonly name: string | null
  readonly password: string | null
  readonly passkey: NewPasskey | null
  /** The account's id where a passkey was made for it. */
  readonly userId: UserId
  readonly cookie: NewCookie
  readonly browser: Browser
}

/** Signing in with a password or a link, and what every way in shares. */
export class SignIn {
  readonly #parts: SignInParts
  readonly #enter = changeLane('auth.sign-in', (tx, entry: Entry, at) =>
    this.#entered(tx, entry, at),
  )
  readonly #accept = changeLane('user.accept-link', (tx, member: Acceptance, at) =>
    this.#accepted(tx, member, at),
  )
  readonly #end = changeLane('auth.sign-out', (tx, member: { caller: Caller; id: string }) =>
    this.#ended(tx, member),
  )

  constructor(parts: SignInParts) {
    this.#parts = parts
  }

  hasPeople(): Promise<boolean> {
    return this.#parts.db.read((reader) => this.#hasPeople(reader))
  }

  async link(token: string): Promise<LinkInfo> {
    return linkInfo(await this.openedLink(token))
  }

  async openedLink(token: string): Promise<UserLinkRow> {
    const key = await this.#parts.lookupKey()
    const { db, tables, clock } = this.#parts
    return db.read((reader) => openLink(tables, reader, key, token, clock()))
  }

  async acceptLink(token: string, choice: AccountChoice, browser: Browser): Promise<OpenedSession> {
    const link = await this.openedLink(token)
    const email = await this.emailOf(link, choice.email)
    const password = await newPasswordRecord(choice.password, email)
    return this.accept(token, { ...choice, email, password, passkey: null }, browser)
  }

  /** @throws {Fault} `BAD_INPUT` */
  async emailOf(link: UserLinkRow, chosen: string | undefined): Promise<string> {
    const { db, tables } = this.#parts
    if (link.user_id !== null) {
      const user = await db.read((reader) => tables.users.get(reader, 'id = ?', [link.user_id]))
      if (user === null) throw noLink()
      return user.email
    }
    return checkedEmail(link.email ?? chosen ?? '')
  }

  async accept(
    token: string,
    choice: {
      readonly email: string
      readonly name?: string | null
      readonly password: string | null
      readonly passkey: NewPasskey | null
      readonly userId?: UserId
    },
    browser: Browser,
  ): Promise<OpenedSession> {
    const cookie = await this.#parts.sessions.newCookie()
    return this.#opened(
      this.#parts.ledger.commit(this.#accept, {
        token,
        key: await this.#parts.lookupKey(),
        email: choice.email,
        name: checkedPersonName(choice.name),
        password: choice.password,
        passkey: choice.passkey,
        userId: choice.userId ?? newId<UserId>(),
        cookie,
        browser,
      }),
      cookie,
    )
  }

  async withPassword(email: string, password: string, browser: Browser): Promise<OpenedSession> {
    return this.byPassword(email, password, browser, { via: 'password' })
  }

  /**
   * Counted before it is checked, and checked in the same time whether there is such an account, whether it has a
   * password, and whether it is disabled.
   */
  async byPassword(
    email: string,
    password: string,
    browser: Browser,
    how: { readonly via: 'password' | 'token'; readonly lifeMs?: number },
  ): Promise<OpenedSession> {
    const { db, tables, throttle } = this.#parts
    const account = plainEmail(email)
    await throttle.count(account, browser.address)
    const user = await db.read((reader) => tables.users.get(reader, 'email = ?', [account]))
    const record = user?.state === 'active' ? user.password : null
    const isRight = await isPassword(password.slice(0, MAX_PASSWORD_CHARACTERS + 1), record)
    if (!isRight || user === null || record === null)
      return this.refuse('wrong-password', browser, wrongPassword())
    const opened = await this.enter(
      { userId: user.id, grounds: { password: record }, renews: null, browser, ...how },
      wrongPassword(),
    )
    await throttle.forgive(account, browser.address)
    return opened
  }

  async stepUp(cookie: string, password: string, browser: Browser): Promise<OpenedSession> {
    const { db, tables, throttle } = this.#parts
    const { person, session } = await this.demandSession(cookie, browser)
    await throttle.count(person.email, browser.address)
    const user = await db.read((reader) => tables.users.get(reader, 'id = ?', [person.id]))
    const record = user?.password ?? null
    if (!(await isPassword(password.slice(0, MAX_PASSWORD_CHARACTERS + 1), record)))
      return this.refuse('wrong-password', browser, wrongPassword())
    const opened = await this.enter(
      {
        userId: person.id,
        via: 'password',
        grounds: { password: record ?? '' },
        renews: session.id,
        browser,
      },
      wrongPassword(),
    )
    await throttle.forgive(person.email, browser.address)
    return opened
  }

  signedIn(cookie: string, browser: Browser): Promise<SignedIn | null> {
    return this.#parts.sessions.signedIn(cookie, browser)
  }

  /** @throws {Fault} `UNAUTHENTICATED`, recorded */
  async authenticate(cookie: string, browser: Browser): Promise<SignedIn> {
    const signedIn = await this.signedIn(cookie, browser)
    if (signedIn !== null) return signedIn
    const fault = new Fault('UNAUTHENTICATED', 'The session has ended or never was one.', {
      details: { remedy: 'sign in at /sign-in in this browser, then make the same call again' },
    })
    const origin: Origin = { address: browser.address, channel: 'http' }
    return this.#parts.refusals.refuse(fault, 'unknown', null, origin, false)
  }

  /** @throws {Fault} `UNAUTHENTICATED` */
  async demandSession(cookie: string, browser: Browser): Promise<SignedIn> {
    const signedIn = await this.signedIn(cookie, browser)
    if (signedIn === null) throw new Fault('UNAUTHENTICATED', 'Sign in first.')
    return signedIn
  }

  async signOut(cookie: string): Promise<void> {
    const signedIn = await this.signedIn(cookie, { address: null, agent: null })
    if (signedIn === null) return
    const { caller, session } = signedIn
    await this.#parts.ledger.commit(this.#end, { caller, id: session.id })
    this.#parts.changed()
  }

  /** Lets in whom a way to sign in has recognised. @param refused told when he no longer counts */
  async enter(entry: Omit<Entry, 'cookie'>, refused: Fault): Promise<OpenedSession> {
    const cookie = await this.#parts.sessions.newCookie()
    try {
      const entering = this.#parts.ledger.commit(this.#enter, { ...entry, cookie })
      return await this.#opened(entering, cookie)
    } catch (error) {
      if (!isFault(error, 'UNAUTHENTICATED')) throw error
      return this.refuse('disabled', entry.browser, refused)
    }
  }

  async refuse(
    by: 'wrong-password' | 'bad-signature' | 'disabled' | 'unknown',
    browser: Browser,
    fault: Fault,
  ): Promise<never> {
    const origin: Origin = { address: browser.address, channel: 'page' }
    return this.#parts.refusals.refuse(fault, by, null, origin, false)
  }

  async #opened(
    committed: Promise<{ readonly value: Entered }>,
    { cookie }: NewCookie,
  ): Promise<OpenedSession> {
    try {
      const { user, row } = (await committed).value
      return { cookie, person: personInfo(user), session: sessionInfo(row) }
    } finally {
      this.#parts.changed()
    }
  }

  async #entered(tx: Tx, entry: Entry, at: EpochMs): Promise<Settled<Entered>> {
    const { tables, sessions, standing } = this.#parts
    const gone: Settled<Entered> = {
      fault: new Fault('UNAUTHENTICATED', 'It no longer counts.'),
      record: null,
    }
    const user = await tables.users.get(tx, 'id = ?', [entry.userId])
    const principal = { kind: 'user', id: entry.userId } as const
    if (user === null || (await standing.ofPrincipal(tx, principal, at)) === null) return gone
    const rows: RowRevision[] = []
    const { grounds } = entry
    if (grounds !== null && 'password' in grounds && user.password !== grounds.password) return gone
    if (grounds !== null && 'passkey' in grounds) {
      const used = await this.#usePasskey(tx, user.id, grounds.passkey, at)
      if (used === null) return gone
      rows.push(...used)
    }
    const { digest } = entry.cookie
    const opened =
      entry.renews === null
        ? await sessions.open(tx, { ...entry, user, digest }, at)
        : await sessions.renew(tx, entry.renews, digest, at)
    if (opened === null || opened.row.user_id !== user.id) return gone
    return {
      value: { user, row: opened.row },
      record: {
        kind: 'event',
        action: entry.renews === null ? 'auth.sign-in' : 'auth.step-up',
        caller: callerOfSession(opened.row, entry.browser.address),
        rows: [...rows, ...opened.rows],
        detail: { session: opened.row.id, via: entry.via, address: entry.browser.address },
      },
    }
  }

  /** A counter that does not grow is that of a copy; authenticators that have none always say 0. */
  async #usePasskey(
    tx: Tx,
    userId: UserId,
    { id, counter }: PasskeyUse,
    at: EpochMs,
  ): Promise<readonly RowRevision[] | null> {
    const { passkeys } = this.#parts.tables
    const row = await passkeys.get(tx, 'id = ?', [id])
    if (row === null || row.user_id !== userId) return null
    if ((counter > 0 || row.counter > 0) && counter <= row.counter) return null
    const next = { ...row, counter, used_at: at, revision: row.revision + 1 }
    await passkeys.save(tx, [next])
    return [['passkeys', id, next.revision]]
  }

  async #accepted(tx: Tx, member: Acceptance, at: EpochMs): Promise<Settled<Entered>> {
    const { tables, sessions } = this.#parts
    let link: UserLinkRow
    try {
      link = await openLink(tables, tx, member.key, member.token, at)
    } catch (error) {
      if (isFault(error, 'NOT_FOUND')) return { fault: error, record: null }
      throw error
    }
    if (link.kind === 'setup' && (await this.#hasPeople(tx)))
      return { fault: noLink(), record: null }
    const { rows: orgRows } = await ensureOrganisation(tables, tx, at)
    const user = await this.#accountOf(tx, link, member, at)
    if (user instanceof Fault) return { fault: user, record: null }
    const used = { ...link, used_at: at, revision: link.revision + 1 }
    await tables.userLinks.save(tx, [used])
    await tables.users.save(tx, [user])
    const rows: RowRevision[] = [
      ...orgRows,
      ['user_links', used.id, used.revision],
      ['users', user.id, user.revision],
      // Who chooses anew is rid of whoever was in.
      ...(await sessions.endAll(tx, user.id, null)),
    ]
    if (member.passkey !== null) {
      const passkey = newPasskeyRow(member.passkey, user.id, at)
      await tables.passkeys.save(tx, [passkey])
      rows.push(['passkeys', passkey.id, 1])
    }
    const { digest } = member.cookie
    const opened = await sessions.open(
      tx,
      { user, digest, via: 'link', browser: member.browser },
      at,
    )
    return {
      value: { user, row: opened.row },
      record: {
        kind: 'change',
        action: link.kind === 'reset' ? 'user.reset' : 'user.create',
        caller: callerOfSession(opened.row, member.browser.address),
        rows: [...rows, ...opened.rows],
        detail: { user: user.id, email: user.email, role: user.role, link: link.kind },
      },
    }
  }

  async #accountOf(
    tx: Tx,
    link: UserLinkRow,
    member: Acceptance,
    at: EpochMs,
  ): Promise<UserRow | Fault> {
    const { users } = this.#parts.tables
    if (link.user_id !== null) {
      const user = await users.get(tx, 'id = ?', [link.user_id])
      if (user === null || user.state !== 'active') return noLink()
      const password = member.password ?? user.password
      return { ...user, password, revision: user.revision + 1 }
    }
    const email = link.email ?? member.email ?? ''
    if ((await users.get(tx, 'email = ?', [email])) !== null)
      return new Fault('CONFLICT', 'There is an account with this address already.')
    return {
      id: member.userId,
      email,
      name: member.name,
      role: link.role,
      state: 'active',
      password: member.password,
      created_at: at,
      created_by: link.created_by,
      revision: 1,
    }
  }

  async #ended(
    tx: Tx,
    { caller, id }: { readonly caller: Caller; readonly id: string },
  ): Promise<Settled<null>> {
    const { userSessions } = this.#parts.tables
    const row = await userSessions.get(tx, 'id = ?', [id])
    if (row === null) return { value: null, record: null }
    await userSessions.remove(tx, row)
    await bumpRights(tx)
    return {
      value: null,
      record: {
        kind: 'event',
        action: 'auth.sign-out',
        caller,
        rows: [['user_sessions', id, null]],
      },
    }
  }

  async #hasPeople(reader: Reader): Promise<boolean> {
    return (await this.#parts.tables.users.get(reader, '1 = 1 limit 1', [])) !== null
  }
}

export function newPasskeyRow(passkey: NewPasskey, userId: UserId, at: EpochMs): PasskeyRow {
  return { ...passkey, id: newId(), user_id: userId, created_at: at, used_at: null, revision: 1 }
}

/** One text, whatever was wrong. */
export function wrongPassword(): Fault {
  return new Fault('UNAUTHENTICATED', 'The e-mail or the password is wrong.', {
    details: {
      remedy:
        'type both again; whoever runs the server makes a link for a new password with sallyport people reset',
    },
  })
}
