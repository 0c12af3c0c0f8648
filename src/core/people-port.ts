import type { Role } from './identity-port.ts'
import type { UserId } from './ids.ts'
import type { Caller } from './principals.ts'
import type { SecretText } from './secret-text.ts'
import type { EpochMs } from './time.ts'

/** How somebody proved who he is. `link`: a one-time link; `token`: a password that was changed for a token. */
export type SessionVia = 'password' | 'passkey' | 'oidc' | 'link' | 'token'

export interface PersonInfo {
  readonly id: UserId
  readonly email: string
  readonly name: string | null
  readonly role: Role
  readonly isActive: boolean
  readonly hasPassword: boolean
  readonly createdAt: EpochMs
  readonly createdBy: string
}

export interface SessionInfo {
  readonly id: string
  readonly via: SessionVia
  readonly address: string | null
  /** What the browser calls itself: data. */
  readonly agent: string | null
  readonly createdAt: EpochMs
  readonly seenAt: EpochMs
  readonly endsAt: EpochMs
}

export interface PersonalKeyInfo {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly scopes: readonly string[] | null
  readonly createdAt: EpochMs
  readonly expiresAt: EpochMs | null
}

export interface PasskeyInfo {
  readonly id: string
  readonly label: string
  readonly createdAt: EpochMs
  readonly usedAt: EpochMs | null
}

/** From where somebody signs in. */
export interface Browser {
  /** Address of the client after trusted proxies, or null. */
  readonly address: string | null
  /** `User-Agent`, or null. */
  readonly agent: string | null
}

/** A session that was just opened: `cookie` is shown to the browser once, and only its keyed hash is kept. */
export interface OpenedSession {
  readonly cookie: string
  readonly person: PersonInfo
  readonly session: SessionInfo
}

/** Who a browser's cookie belongs to, as of now. */
export interface SignedIn {
  readonly caller: Caller
  readonly person: PersonInfo
  readonly session: SessionInfo
  /** What forms of this session carry, so that no other page can send them. */
  readonly formToken: string
  /** Whether the person proved within five minutes to be there. */
  readonly isSteppedUp: boolean
}

export interface LinkInfo {
  readonly kind: 'setup' | 'invite' | 'reset'
  /** For whom it is; null: whoever opens it says so. */
  readonly email: string | null
  readonly role: Role
  readonly expiresAt: EpochMs
}

/** A link that was just made: `token` goes into its address, and only its keyed hash is kept. */
export interface NewLink extends LinkInfo {
  readonly token: string
}

/** What a new password or account is made with. */
export interface AccountChoice {
  /** Needed where the link names none. */
  readonly email?: string
  readonly name?: string | null
  /** At least 12 characters. */
  readonly password: string
}

/** JSON of a browser's `PublicKeyCredential`, as it came: nothing in it is trusted before it is verified. */
export type PasskeyResponse = Readonly<Record<string, unknown>>

/** A question for an authenticator: JSON for `navigator.credentials`, and the name to answer it under. */
export interface PasskeyQuestion {
  readonly handle: string
  readonly options: Readonly<Record<string, unknown>>
}

/** A token that programs of a person show; never an interactive session. */
export interface PersonToken {
  readonly token: SecretText
  readonly expiresInSeconds: number
  readonly person: PersonInfo
}

/** The site that a browser is on, for passkeys: `https://vault.example.org`. */
export interface Site {
  readonly origin: string
}

/**
 * Signing in. Whoever may not is told so in one text that does not say which accounts there are, and in the same time.
 *
 * @throws {Fault} `UNAUTHENTICATED`; `THROTTLED` with `details.retryAfterSeconds`; `BAD_INPUT`
 */
export interface SignInPort {
  /** Whether anybody has an account. */
  hasPeople(): Promise<boolean>
  /** @throws {Fault} `NOT_FOUND` when it was used, has ended or never was, in one text */
  link(token: string): Promise<LinkInfo>
  /** Makes the account that the link is for, or gives it a new password. The link is used up. */
  acceptLink(token: string, choice: AccountChoice, browser: Browser): Promise<OpenedSession>
  withPassword(email: string, password: string, browser: Browser): Promise<OpenedSession>
  /** Null when the cookie is nobody's any more. */
  signedIn(cookie: string, browser: Browser): Promise<SignedIn | null>
  /** As `signedIn`; a cookie that is nobody's is refused as a bearer is, in one text, and recorded. */
  authenticate(cookie: string, browser: Browser): Promise<SignedIn>
  /** Proves again that the person is there. The session goes on under a new cookie. */
  stepUp(cookie: string, password: string, browser: Browser): Promise<OpenedSession>
  signOut(cookie: string): Promise<void>
  /** Changes a personal key for a token of 15 minutes, which dies with the key. */
  exchangeKey(key: string, browser: Browser): Promise<PersonToken>
  /** Changes e-mail and password for a token of 15 minutes. Counted and refused as `withPassword`. */
  exchangePassword(email: string, password: string, browser: Browser): Promise<PersonToken>

  /** @param who what is asked for: a new passkey of an account or of a link, a sign-in, a step-up of a session */
  passkeyQuestion(
    who:
      | { readonly kind: 'register'; readonly cookie: string }
      | {
          readonly kind: 'accept'
          readonly token: string
          readonly email?: string
          readonly name?: string | null
        }
      | { readonly kind: 'sign-in' }
      | { readonly kind: 'step-up'; readonly cookie: string },
    site: Site,
    browser: Browser,
  ): Promise<PasskeyQuestion>
  /** Adds a passkey to the account of the session; needs a step-up. */
  addPasskey(
    cookie: string,
    handle: string,
    response: PasskeyResponse,
    label: string,
    browser: Browser,
  ): Promise<PasskeyInfo>
  acceptLinkWithPasskey(
    token: string,
    handle: string,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<OpenedSession>
  withPasskey(handle: string, response: PasskeyResponse, browser: Browser): Promise<OpenedSession>
  stepUpWithPasskey(
    cookie: string,
    handle: string,
    response: PasskeyResponse,
    browser: Browser,
  ): Promise<OpenedSession>
}

/** Sign-in at another issuer (OpenID Connect). */
export interface OidcSignInPort {
  /** How the button names it. */
  readonly label: string
  /**
   * @param returnTo path on this site to go on to
   * @returns where to send the browser, and what it must bring back as a cookie
   */
  begin(
    callback: string,
    returnTo: string,
  ): Promise<{ readonly url: string; readonly handle: string }>
  /** @param current the address that the browser came back to */
  finish(
    handle: string,
    current: string,
    browser: Browser,
  ): Promise<OpenedSession & { readonly returnTo: string }>
}

/** Accounts of people. Owners and admins, and the person at this machine; everybody his own. */
export interface PeoplePort {
  /** The link for the first account. @throws {Fault} `CONFLICT` when there is one */
  setupLink(caller: Caller): Promise<NewLink>
  /** A role above the own one cannot be given. */
  invite(caller: Caller, request: { readonly email: string; readonly role: Role }): Promise<NewLink>
  /** A link by which somebody chooses a new password. */
  resetLink(caller: Caller, id: string): Promise<NewLink>
  list(caller: Caller): Promise<readonly PersonInfo[]>
  /** The caller's own account. @throws {Fault} `ACCESS_DENIED` to everybody without one */
  me(caller: Caller): Promise<PersonInfo>
  /** Disabling ends every session and key at once. The last active owner stays one. */
  update(
    caller: Caller,
    id: string,
    change: { readonly name?: string | null; readonly role?: Role; readonly isActive?: boolean },
  ): Promise<PersonInfo>
  remove(caller: Caller, id: string): Promise<void>

  /** Of the caller's own, behind a step-up; ends every other session. */
  changePassword(caller: Caller, current: string | null, password: string): Promise<void>
  sessions(caller: Caller): Promise<readonly SessionInfo[]>
  endSession(caller: Caller, id: string): Promise<void>
  passkeys(caller: Caller): Promise<readonly PasskeyInfo[]>
  removePasskey(caller: Caller, id: string): Promise<void>
  keys(caller: Caller): Promise<readonly PersonalKeyInfo[]>
  /** Of a person who just proved to be there. @returns the key, shown once; only its keyed hash is kept */
  createKey(
    caller: Caller,
    request: {
      readonly name: string
      readonly scopes?: readonly string[] | null
      readonly expiresAt?: EpochMs | null
    },
  ): Promise<{ readonly info: PersonalKeyInfo; readonly key: SecretText }>
  revokeKey(caller: Caller, id: string): Promise<void>
}
