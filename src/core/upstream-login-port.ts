import type { Caller } from './principals.ts'
import type { EpochMs } from './time.ts'

/** How the authorization server knows us. */
export type LoginClientKind = 'given' | 'document' | 'registered'

/** That the gateway is logged in at a server. The tokens are in no view of it. */
export interface LoginInfo {
  readonly server: string
  /**
   * `refused`: the server did not take the token of `renewedAt` although it was new; after a pause the next is asked
   * for. `needed`: there is none to be had any more; a person logs in again.
   */
  readonly state: 'active' | 'refused' | 'needed'
  /** The authorization server. */
  readonly issuer: string
  readonly client: LoginClientKind
  readonly clientId: string
  readonly scopes: readonly string[]
  /** Scopes that the server has asked for since and the login lacks. */
  readonly missing: readonly string[]
  readonly loggedInAt: EpochMs
  readonly loggedInBy: string
  readonly renewedAt: EpochMs
  /** When the token of now ends; null when nobody said. */
  readonly expiresAt: EpochMs | null
}

/** What a person may say about the login to come. */
export interface LoginWish {
  /** Of a client that was registered by hand. */
  readonly clientId?: string | undefined
  /** `secret://PATH`: where the vault has the secret of that client. */
  readonly clientSecret?: string | undefined
  /** In place of those that the server asks for. */
  readonly scopes?: readonly string[] | undefined
}

/** A login that waits for the person in a browser. */
export interface LoginBegun {
  /** What the person opens. */
  readonly url: string
  readonly issuer: string
  readonly client: LoginClientKind
  readonly scopes: readonly string[]
  readonly endsAt: EpochMs
}

/**
 * The gateway as a client of OAuth 2.1 at the servers behind it. Logins are made and ended by the person at this
 * machine, or by owners and admins who signed in and proved just now that they are there; others may look.
 */
export interface LoginPort {
  /**
   * Finds out where the server has people log in, and begins.
   *
   * @param redirect where the browser comes back to: an address of loopback, or one of this server
   * @throws {Fault} `NOT_FOUND` for an unknown server, `UNSUPPORTED` and `NET_…` naming what the server or its
   *   authorization server lacks
   */
  begin(caller: Caller, server: string, redirect: string, wish: LoginWish): Promise<LoginBegun>
  /**
   * Ends what `begin` began.
   *
   * @param answer the address at which the browser came back
   * @throws {Fault} `UNAUTHENTICATED` when nobody began that, or somebody else, or too long ago; `ACCESS_DENIED` when
   *   the authorization server refused
   */
  finish(caller: Caller, answer: string): Promise<LoginInfo>
  /** @returns null when the gateway is not logged in there @throws {Fault} `NOT_FOUND` for an unknown server */
  get(caller: Caller, server: string): Promise<LoginInfo | null>
  /**
   * Forgets the login, and takes the tokens back where the authorization server offers that.
   *
   * @throws {Fault} `NOT_FOUND` when there is none
   */
  end(
    caller: Caller,
    server: string,
  ): Promise<{ readonly issuer: string; readonly isRevoked: boolean }>
}
