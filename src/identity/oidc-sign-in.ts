import * as oidc from 'openid-client'
import { changeLane, type RowRevision, type Settled } from '../audit/index.ts'
import type { OidcSettings } from '../core/config.ts'
import type { Tx } from '../core/db-port.ts'
import { asFault, Fault } from '../core/faults.ts'
import type { Role } from '../core/identity-port.ts'
import { newId, type UserId } from '../core/ids.ts'
import type { Browser, OidcSignInPort, OpenedSession } from '../core/people-port.ts'
import { type EpochMs, epochMs, monotonicMs } from '../core/time.ts'
import { asFetch, type Outgoing } from '../net/index.ts'
import { Challenges } from './challenges.ts'
import type { UserRow } from './identity-rows.ts'
import { personInfo, plainEmail } from './person-info.ts'
import { callerOfSession, type NewCookie, sessionInfo } from './sessions.ts'
import type { Entered, SignIn, SignInParts } from './sign-in.ts'

const LIFE_MS = 600_000
const DEADLINE_MS = 10_000
const MAX_BYTES = 262_144
/** How long what the provider says of itself is used. */
const FRESH_MS = 3_600_000

export interface OidcParts extends SignInParts {
  readonly entrance: SignIn
  readonly settings: OidcSettings
  readonly net: () => Promise<Outgoing>
}

interface Begun {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly callback: string
  readonly returnTo: string
}

/** Who the provider says that it is. */
interface Claimed {
  readonly subject: string
  readonly email: string | null
  readonly name: string | null
  /** When the person was there, or null when the provider does not say. */
  readonly provedAt: EpochMs | null
}

type Arrival = {
  readonly claimed: Claimed
  readonly cookie: NewCookie
  readonly browser: Browser
}

/**
 * Signing in at an OpenID Connect provider: code flow with PKCE, state and nonce. An account is found by issuer and
 * subject; the first time by a verified address, for which there is an account, an invitation or a rule.
 */
export class OidcSignIn implements OidcSignInPort {
  readonly #parts: OidcParts
  readonly #challenges: Challenges
  readonly #arrive = changeLane('auth.sign-in', (tx, member: Arrival, at) =>
    this.#arrived(tx, member, at),
  )
  #known: { readonly config: oidc.Configuration; readonly at: number } | null = null

  constructor(parts: OidcParts) {
    this.#parts = parts
    this.#challenges = new Challenges(parts)
  }

  get label(): string {
    return this.#parts.settings.label
  }

  async begin(
    callback: string,
    returnTo: string,
  ): Promise<{ readonly url: string; readonly handle: string }> {
    const config = await this.#configuration()
    const verifier = oidc.randomPKCECodeVerifier()
    const begun: Begun = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier,
      callback,
      returnTo,
    }
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: callback,
      scope: 'openid email profile',
      state: begun.state,
      nonce: begun.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      // The person is to be there now: a session at the provider may be anybody's who has the browser.
      max_age: '0',
    })
    return { url: url.href, handle: await this.#challenges.ask('oidc', begun, LIFE_MS) }
  }

  async finish(
    handle: string,
    current: string,
    browser: Browser,
  ): Promise<OpenedSession & { readonly returnTo: string }> {
    // What `begin` wrote.
    const begun = (await this.#challenges.take('oidc', handle)) as unknown as Begun
    const claimed = await this.#claimed(begun, current, browser)
    const { ledger, sessions, changed } = this.#parts
    const cookie = await sessions.newCookie()
    try {
      const { user, row } = (await ledger.commit(this.#arrive, { claimed, cookie, browser })).value
      return {
        cookie: cookie.cookie,
        person: personInfo(user),
        session: sessionInfo(row),
        returnTo: begun.returnTo,
      }
    } finally {
      changed()
    }
  }

  async #claimed(begun: Begun, current: string, browser: Browser): Promise<Claimed> {
    const config = await this.#configuration()
    let claims: oidc.IDToken | undefined
    try {
      const url = new URL(begun.callback)
      url.search = new URL(current).search
      const tokens = await oidc.authorizationCodeGrant(config, url, {
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        pkceCodeVerifier: begun.verifier,
        idTokenExpected: true,
      })
      claims = tokens.claims()
    } catch (error) {
      const fault = asFault(error)
      if (fault.code !== 'INTERNAL') throw fault
    }
    if (claims === undefined)
      return this.#parts.entrance.refuse('bad-signature', browser, notSignedIn())
    const { sub, email, email_verified: isVerified, name, auth_time: authTime } = claims
    return {
      subject: sub,
      email: typeof email === 'string' && isVerified === true ? plainEmail(email) : null,
      name: typeof name === 'string' ? shownName(name) : null,
      provedAt: typeof authTime === 'number' ? epochMs(authTime * 1000) : null,
    }
  }

  async #configuration(): Promise<oidc.Configuration> {
    const { settings, net } = this.#parts
    if (this.#known !== null && monotonicMs() - this.#known.at < FRESH_MS) return this.#known.config
    const fetch = asFetch(await net(), {
      audience: 'configured',
      deadlineMs: DEADLINE_MS,
      maxResponseBytes: MAX_BYTES,
    })
    const { clientSecret } = settings
    try {
      const config = await oidc.discovery(
        new URL(settings.issuer),
        settings.clientId,
        undefined,
        clientSecret === null ? oidc.None() : oidc.ClientSecretPost(clientSecret),
        {
          [oidc.customFetch]: (url, options) => fetch(url, options as RequestInit),
          // Only a provider on this machine itself is named without TLS; the settings refuse any other.
          execute: settings.issuer.startsWith('http://') ? [oidc.allowInsecureRequests] : [],
        },
      )
      this.#known = { config, at: monotonicMs() }
      return config
    } catch (cause) {
      const fault = asFault(cause)
      if (fault.code !== 'INTERNAL') throw fault
      throw new Fault('NET_FAILED', `${settings.label} is not a provider that can be used.`, {
        cause,
      })
    }
  }

  async #arrived(
    tx: Tx,
    { claimed, cookie, browser }: Arrival,
    at: EpochMs,
  ): Promise<Settled<Entered>> {
    const { tables, sessions, standing, settings } = this.#parts
    const { issuer } = settings
    const rows: RowRevision[] = []
    const identity = await tables.userIdentities.get(tx, 'issuer = ? and subject = ?', [
      issuer,
      claimed.subject,
    ])
    const user =
      identity === null
        ? await this.#newcomer(tx, claimed, rows, at)
        : await tables.users.get(tx, 'id = ?', [identity.user_id])
    if (user === null) return refused(issuer, browser)
    if (identity === null) {
      const own = { id: newId<string>(), user_id: user.id, issuer, subject: claimed.subject }
      await tables.userIdentities.save(tx, [{ ...own, created_at: at, revision: 1 }])
      rows.push(['user_identities', own.id, 1])
    }
    const opened = await sessions.open(
      tx,
      {
        user,
        digest: cookie.digest,
        via: 'oidc',
        browser,
        provedAt: claimed.provedAt === null || claimed.provedAt > at ? null : claimed.provedAt,
      },
      at,
    )
    // Judged as everybody is, once what makes it count is there.
    const principal = { kind: 'user', id: user.id } as const
    if ((await standing.ofPrincipal(tx, principal, at)) === null)
      throw new Fault('UNAUTHENTICATED', notSignedIn().message)
    return {
      value: { user, row: opened.row },
      record: {
        kind: 'change',
        action: 'auth.sign-in',
        caller: callerOfSession(opened.row, browser.address),
        rows: [...rows, ...opened.rows],
        detail: { session: opened.row.id, via: 'oidc', issuer, address: browser.address },
      },
    }
  }

  /** The account of somebody who comes from there for the first time; null when nobody waits for him. */
  async #newcomer(
    tx: Tx,
    { email, name }: Claimed,
    rows: RowRevision[],
    at: EpochMs,
  ): Promise<UserRow | null> {
    if (email === null) return null
    const { tables, settings } = this.#parts
    const known = await tables.users.get(tx, 'email = ?', [email])
    if (known !== null) return known.state === 'active' ? known : null
    const [invitation] = await tables.userLinks.select(
      tx,
      'kind = ? and email = ? and used_at is null and expires_at > ?',
      ['invite', email, at],
    )
    let role: Role | undefined = settings.domains.get(email.slice(email.lastIndexOf('@') + 1))
    let createdBy = 'oidc'
    if (invitation !== undefined) {
      const used = { ...invitation, used_at: at, revision: invitation.revision + 1 }
      await tables.userLinks.save(tx, [used])
      rows.push(['user_links', used.id, used.revision])
      role = invitation.role
      createdBy = invitation.created_by
    }
    if (role === undefined) return null
    const user: UserRow = {
      id: newId<UserId>(),
      email,
      name,
      role,
      state: 'active',
      password: null,
      created_at: at,
      created_by: createdBy,
      revision: 1,
    }
    await tables.users.save(tx, [user])
    rows.push(['users', user.id, 1])
    return user
  }
}

function refused(issuer: string, browser: Browser): Settled<Entered> {
  return {
    fault: notSignedIn(),
    record: {
      kind: 'refusal',
      action: 'auth.refused',
      caller: null,
      by: 'unknown',
      detail: { channel: 'page', address: browser.address, issuer },
    },
  }
}

/** One text, whatever was wrong. */
function notSignedIn(): Fault {
  return new Fault(
    'UNAUTHENTICATED',
    'This sign-in is for nobody here. Ask an owner for an invitation to the address that your provider has verified.',
  )
}

function shownName(text: string): string | null {
  const name = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '').trim()
  return name === '' ? null : name.slice(0, 100)
}
