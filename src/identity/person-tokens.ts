import { changeLane, type Settled } from '../audit/index.ts'
import type { Tx } from '../core/db-port.ts'
import type { Fault } from '../core/faults.ts'
import { newId, type UserId } from '../core/ids.ts'
import type { Browser, PersonToken } from '../core/people-port.ts'
import type { Caller } from '../core/principals.ts'
import { SecretText } from '../core/secret-text.ts'
import { type EpochMs, epochMs } from '../core/time.ts'
import { unauthenticated } from '../core/unauthenticated.ts'
import { parseToken, sameTokenHash, tokenHash } from '../crypto/index.ts'
import { rightsRevision } from '../keys/index.ts'
import type { TokenClaims } from './agent-token.ts'
import { USER_KEY_PREFIX } from './authentication.ts'
import { listOf, type UserRow } from './identity-rows.ts'
import { personInfo } from './person-info.ts'
import type { SignIn, SignInParts } from './sign-in.ts'
import type { SigningKey, SigningKeys } from './signing-keys.ts'
import { earliest, hasEnded } from './standing.ts'

const LIFE_MS = 900_000
const MAX_KEY_CHARACTERS = 200

interface Exchange {
  readonly userId: UserId
  /** Of a personal key, or of the session of a password. */
  readonly heldId: string
  readonly browser: Browser
}

interface Exchanged {
  readonly user: UserRow
  readonly claims: TokenClaims
  readonly key: SigningKey
}

/** Personal keys and passwords, changed for short-lived tokens. */
export class PersonTokens {
  readonly #parts: SignInParts & { readonly entrance: SignIn; readonly signingKeys: SigningKeys }
  readonly #lane = changeLane('auth.exchange', (tx, member: Exchange, at) =>
    this.#exchanged(tx, member, at),
  )

  constructor(
    parts: SignInParts & { readonly entrance: SignIn; readonly signingKeys: SigningKeys },
  ) {
    this.#parts = parts
  }

  async ofKey(key: string, browser: Browser): Promise<PersonToken> {
    const { db, tables, entrance } = this.#parts
    const parsed = key.length > MAX_KEY_CHARACTERS ? null : parseToken(key)
    if (parsed === null || parsed.prefix !== USER_KEY_PREFIX)
      return entrance.refuse('unknown', browser, unauthenticated())
    const digest = tokenHash(await this.#parts.lookupKey(), parsed.token)
    parsed.token.wipe()
    const row = await db.read((reader) => tables.userKeys.get(reader, 'digest = ?', [digest]))
    if (row === null || !sameTokenHash(row.digest, digest))
      return entrance.refuse('unknown', browser, unauthenticated())
    return this.#exchange({ userId: row.user_id, heldId: row.id, browser })
  }

  async ofPassword(email: string, password: string, browser: Browser): Promise<PersonToken> {
    const how = { via: 'token', lifeMs: LIFE_MS } as const
    const opened = await this.#parts.entrance.byPassword(email, password, browser, how)
    return this.#exchange({ userId: opened.person.id, heldId: opened.session.id, browser })
  }

  async #exchange(member: Exchange): Promise<PersonToken> {
    const { value } = await this.#parts.ledger.commit(this.#lane, member)
    if ('refused' in value)
      return this.#parts.entrance.refuse('disabled', member.browser, value.refused)
    const { signToken } = await import('./agent-token.ts')
    const token = SecretText.fromText(await signToken(value.key, value.claims))
    const { issuedAt, expiresAt } = value.claims
    return {
      token,
      expiresInSeconds: Math.floor((expiresAt - issuedAt) / 1000),
      person: personInfo(value.user),
    }
  }

  async #exchanged(
    tx: Tx,
    { userId, heldId, browser }: Exchange,
    at: EpochMs,
  ): Promise<Settled<Exchanged | { readonly refused: Fault }>> {
    const { tables, standing, signingKeys } = this.#parts
    const user = await tables.users.get(tx, 'id = ?', [userId])
    const held = await tables.userKeys.get(tx, 'id = ?', [heldId])
    const tokenId = newId<string>()
    const principal = { kind: 'user', id: userId } as const
    // Judged as the token that it is to become.
    const caller: Caller = {
      principal,
      channel: 'http',
      access: {
        credential: { kind: 'token', id: tokenId, keyId: heldId },
        scopes: null,
        vaultIds: null,
        expiresAt: null,
        address: browser.address,
      },
    }
    const judged = await standing.atRevision(await rightsRevision(tx)).judge(tx, caller)
    if (user === null || 'by' in judged || hasEnded(judged.standing.endsAt, at))
      return { value: { refused: unauthenticated() }, record: null }
    const { key, rows } = await signingKeys.signing(tx, at)
    const own = epochMs(at + LIFE_MS)
    const claims: TokenClaims = {
      principal,
      orgId: judged.standing.orgId,
      scopes: listOf(held?.scopes ?? null),
      vaultIds: null,
      tokenId,
      keyId: heldId,
      boundTo: null,
      issuedAt: at,
      expiresAt: earliest(own, judged.standing.endsAt) ?? own,
    }
    return {
      value: { user, claims, key },
      record: {
        kind: 'event',
        action: 'auth.exchange',
        caller,
        ...(rows.length === 0 ? {} : { rows }),
        detail: { token: tokenId, key: heldId, address: browser.address },
      },
    }
  }
}
