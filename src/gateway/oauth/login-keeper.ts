import { randomInt, randomUUID } from 'node:crypto'
import { changeLane, type Ledger, type Settled } from '../../audit/index.ts'
import type { Db, Tx } from '../../core/db-port.ts'
import { asFault, type Fault, isFault } from '../../core/faults.ts'
import type { Log } from '../../core/log.ts'
import type { Channel } from '../../core/principals.ts'
import { SecretText } from '../../core/secret-text.ts'
import { type Clock, type EpochMs, epochMs, monotonicMs, sleep } from '../../core/time.ts'
import { sha256 } from '../../crypto/index.ts'
import type { MacTable, StoreKeys } from '../../keys/index.ts'
import type { Outgoing } from '../../net/index.ts'
import { LoginNet } from './login-net.ts'
import { giveLeaseBack, takeLease } from './login-repository.ts'
import { type LoginRow, scopesOf } from './login-rows.ts'
import { type LoginSecrets, openLogin, resealed, withUnfitClient } from './sealed-login.ts'
import type { Tokens } from './token-endpoint.ts'
import { tokenParts } from './token-parts.ts'

export interface LoginKeeperParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly keys: StoreKeys
  readonly log: Log
  readonly table: MacTable<LoginRow>
  readonly net: () => Promise<Outgoing>
  /** The value of a `secret://` reference, for a server. @throws {Fault} `MISSING_SECRETS` */
  readonly valueOf: (
    use: Pick<LoginUse, 'server' | 'channel'>,
    reference: string,
  ) => Promise<SecretText>
}

/** A login as requests to its server are made with it. */
export interface HeldLogin {
  readonly state: LoginRow['state']
  readonly access: SecretText
  /** Tells one token from another. */
  readonly mark: string
  /** When the next token is asked for; null: never before the server wants one. */
  readonly renewAt: EpochMs | null
  readonly endsAt: EpochMs | null
  readonly revision: number
}

/** Which server, and at which address: at another one the login is none. */
export interface LoginPlace {
  readonly server: string
  readonly url: string
}

export interface LoginUse extends LoginPlace {
  /** Of whoever uses it: what a renewal reads of the vault is recorded with it. */
  readonly channel: Channel
}

/** So long it is not looked whether another process changed something. */
const LOOK_MS = 500
/** So long one process has for the renewal; a request of it ends long before. */
const LEASE_MS = 30_000
/** After a renewal that failed, the next is not tried before. */
const PAUSE_MS = 5_000
/** A token that the server refuses so soon after it was given is one that it never took. */
const NEW_MS = 30_000
/** The longest time without another token after one that was never taken. */
const MAX_REST_MS = 300_000
const MAX_AHEAD_MS = 60_000
const SAVES = 3
/** Refusals of who asks, and not of the token (RFC 6749 section 5.2). */
const CLIENT_REFUSED: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client'])

interface Cached {
  login: HeldLogin | null
  lookedAt: number
}

/**
 * The logins of this process's servers, renewed ahead of their end and when a server wants it: by one process of all
 * that share the store, while the others wait for what it gets.
 */
export class LoginKeeper {
  readonly #parts: LoginKeeperParts
  readonly #cached = new Map<string, Cached>()
  readonly #renewing = new Map<string, Promise<HeldLogin | null>>()
  readonly #failed = new Map<string, { readonly fault: Fault; readonly at: number }>()
  readonly #noted = new Map<string, string>()
  readonly #renew = changeLane('server.login-renew', (tx, member: Renewal, at) =>
    this.#renewed(tx, member, at),
  )
  readonly #lose = changeLane('server.login-lost', (tx, member: Loss, at) =>
    this.#lost(tx, member, at),
  )
  readonly #refuse = changeLane('server.login-refused', (tx, member: Refused, at) =>
    this.#refused(tx, member, at),
  )
  readonly #lack = changeLane('server.login-lacks', (tx, member: Lack) => this.#lacks(tx, member))

  constructor(parts: LoginKeeperParts) {
    this.#parts = parts
  }

  /** The login to use where that is known without looking; undefined where it is not. Requests come by the thousand. */
  now(place: LoginPlace): HeldLogin | null | undefined {
    const cached = this.#cached.get(placeKey(place))
    if (cached === undefined || monotonicMs() - cached.lookedAt >= LOOK_MS) return undefined
    const { login } = cached
    const isDue =
      login !== null &&
      login.state !== 'needed' &&
      login.renewAt !== null &&
      this.#parts.clock() >= login.renewAt
    return isDue ? undefined : login
  }

  /**
   * The login to use now; null when there is none.
   *
   * @throws {Fault} `NET_…` when its token has ended and no other is to be had at the moment
   */
  async current(place: LoginUse): Promise<HeldLogin | null> {
    const login = await this.#look(place)
    if (login === null || login.state === 'needed' || login.renewAt === null) return login
    const now = this.#parts.clock()
    if (now < login.renewAt) return login
    const hasEnded = login.endsAt !== null && now >= login.endsAt
    const renewal = this.renewed(place, login, hasEnded)
    if (hasEnded) return renewal
    // There is time: calls go on with the token that there is.
    renewal.catch(() => {})
    return login
  }

  /**
   * A login in place of one that is not taken any more or soon is not: what somebody got meanwhile, or a new one.
   *
   * @param mustWait whether there is nothing to go on with while another process renews it
   */
  renewed(place: LoginUse, stale: HeldLogin, mustWait = true): Promise<HeldLogin | null> {
    // Whoever has to wait does not join somebody who comes back without a new token.
    const turn = `${placeKey(place)} ${mustWait}`
    const known = this.#renewing.get(turn)
    if (known !== undefined) return known
    const failure = this.#failed.get(place.server)
    if (failure !== undefined && monotonicMs() - failure.at < PAUSE_MS)
      return Promise.reject(failure.fault)
    const renewing = this.#renewOnce(place, stale, mustWait)
      .then(
        (login) => {
          this.#failed.delete(place.server)
          return login
        },
        (error: unknown) => {
          const fault = asFault(error)
          this.#failed.set(place.server, { fault, at: monotonicMs() })
          const { code, message: reason } = fault
          this.#parts.log.warn('a login could not be renewed', {
            server: place.server,
            code,
            reason,
          })
          throw fault
        },
      )
      .finally(() => {
        this.#renewing.delete(turn)
      })
    this.#renewing.set(turn, renewing)
    return renewing
  }

  /**
   * Keeps in mind that the server does not take a token that was given just now, so that others are asked for less and
   * less often.
   */
  async refused(place: LoginPlace, { state, mark }: HeldLogin): Promise<void> {
    if (state !== 'active') return
    await this.#parts.ledger.commit(this.#refuse, { ...place, mark })
    await this.#lookAnew(place)
  }

  /** Keeps in mind that the server wants scopes which the login lacks, for the next time that a person logs in. */
  async lacks(place: LoginPlace, scopes: readonly string[]): Promise<void> {
    const said = scopes.join(' ')
    if (scopes.length === 0 || this.#noted.get(place.server) === said) return
    this.#noted.set(place.server, said)
    await this.#parts.ledger.commit(this.#lack, { ...place, scopes })
  }

  async #look(place: LoginPlace): Promise<HeldLogin | null> {
    const cached = this.#cached.get(placeKey(place))
    if (cached !== undefined && monotonicMs() - cached.lookedAt < LOOK_MS) return cached.login
    return this.#lookAnew(place)
  }

  async #lookAnew(place: LoginPlace): Promise<HeldLogin | null> {
    const { db, keys } = this.#parts
    const lookedAt = monotonicMs()
    const before = this.#cached.get(placeKey(place))
    // Those who come meanwhile go on with what there was.
    if (before !== undefined) before.lookedAt = lookedAt
    const login = await db.read(async (reader) => {
      const row = await this.#rowOf(reader, place)
      if (row === null) return null
      if (before?.login?.revision === row.revision) return before.login
      return heldLogin(row, await openLogin(keys, reader, row))
    })
    this.#cached.set(placeKey(place), { login, lookedAt })
    return login
  }

  async #rowOf(reader: Parameters<MacTable<LoginRow>['get']>[0], { server, url }: LoginPlace) {
    return this.#parts.table.get(reader, 'server = ? and url = ?', [server, url])
  }

  async #renewOnce(
    place: LoginUse,
    stale: HeldLogin,
    mustWait: boolean,
  ): Promise<HeldLogin | null> {
    const { db, clock } = this.#parts
    const lease = { server: place.server, holder: randomUUID() }
    const from = monotonicMs()
    for (;;) {
      const login = await this.#lookAnew(place)
      if (login === null || !this.#isRenewable(login, stale)) return login
      if (await db.write((tx) => takeLease(tx, lease, clock(), LEASE_MS))) break
      if (!mustWait) return login
      if (monotonicMs() - from > 2 * LEASE_MS) return login
      await sleep(randomInt(40, 120))
    }
    try {
      return await this.#renewLeased(place, stale)
    } finally {
      await db.write((tx) => giveLeaseBack(tx, lease.server, lease.holder)).catch(() => {})
    }
  }

  #isRenewable(login: HeldLogin, stale: HeldLogin): boolean {
    return (
      login.state !== 'needed' && isSame(login, stale) && !isResting(login, this.#parts.clock())
    )
  }

  async #renewLeased(place: LoginUse, stale: HeldLogin): Promise<HeldLogin | null> {
    const { db, keys, clock, net, valueOf } = this.#parts
    const found = await db.read(async (reader) => {
      const row = await this.#rowOf(reader, place)
      return row === null ? null : { row, secrets: await openLogin(keys, reader, row) }
    })
    if (found === null) return this.#lookAnew(place)
    const { row, secrets } = found
    // Whoever had the lease before may have got one.
    if (!this.#isRenewable(heldLogin(row, secrets), stale)) return this.#lookAnew(place)
    if (secrets.refresh === null) {
      await this.#parts.ledger.commit(this.#lose, { ...place, secrets, reason: 'no refresh token' })
      return this.#lookAnew(place)
    }
    const { renewedTokens, revoked } = await import('./token-endpoint.ts')
    const parts = await tokenParts(
      new LoginNet(await net(), new URL(place.url)),
      secrets,
      (reference) => valueOf(place, reference),
    )
    try {
      const tokens = await renewedTokens(parts, secrets.refresh, secrets.resource, clock())
      const isKept = await this.#saved({ ...place, secrets, tokens })
      // Somebody logged out meanwhile: nobody is to have what was just given.
      if (!isKept) await revoked(parts, tokens)
    } catch (error) {
      if (!isFault(error, 'ACCESS_DENIED')) throw error
      const reason = String(error.details['reason'] ?? 'refused')
      await this.#parts.ledger.commit(this.#lose, { ...place, secrets, reason })
    }
    return this.#lookAnew(place)
  }

  /** The refresh token of before may be dead already, so a store that is busy is asked more than once. */
  async #saved(renewal: Renewal): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await this.#parts.ledger.commit(this.#renew, renewal)).value
      } catch (error) {
        if (tries === SAVES) throw error
        await sleep(500 * tries)
      }
    }
  }

  async #renewed(
    tx: Tx,
    { server, url, secrets, tokens }: Renewal,
    at: EpochMs,
  ): Promise<Settled<boolean>> {
    const { keys, table } = this.#parts
    const found = await this.#unchanged(tx, { server, url }, secrets)
    if (found === null) return { value: false, record: null }
    const { refusals, ...others } = found.secrets
    const { state, renewed_at: before } = found.row
    // A token that was taken for a while was good: what is refused after it is refused for the first time.
    const goesOn = refusals !== undefined && (state === 'refused' || at - before < NEW_MS)
    const { row, changed } = await resealed(keys, tx, found.row, {
      ...others,
      ...(goesOn && { refusals }),
      access: tokens.access,
      refresh: tokens.refresh ?? secrets.refresh,
    })
    const next: LoginRow = {
      ...row,
      state: 'active',
      scopes: tokens.scopes === null ? row.scopes : JSON.stringify(tokens.scopes),
      expires_at: tokens.expiresAt,
      renewed_at: at,
    }
    await table.save(tx, [next])
    return { value: true, record: loginRecord('server.login-renew', next, {}, changed) }
  }

  async #lost(tx: Tx, { server, url, secrets, reason }: Loss, at: EpochMs): Promise<Settled<null>> {
    const { keys, table } = this.#parts
    const found = await this.#unchanged(tx, { server, url }, secrets)
    if (found === null || found.row.state === 'needed') return { value: null, record: null }
    const isKnown = found.row.client !== 'registered' || !CLIENT_REFUSED.has(reason)
    const left = isKnown ? found.secrets : withUnfitClient(found.secrets, at)
    const { row, changed } = await resealed(keys, tx, found.row, left)
    const next: LoginRow = { ...row, state: 'needed' }
    await table.save(tx, [next])
    return { value: null, record: loginRecord('server.login-lost', next, { reason }, changed) }
  }

  async #refused(tx: Tx, { server, url, mark }: Refused, at: EpochMs): Promise<Settled<null>> {
    const { keys, table } = this.#parts
    const row = await this.#locked(tx, { server, url })
    const secrets = row === null ? null : await openLogin(keys, tx, row)
    if (row?.state !== 'active' || secrets === null || secrets.refresh === null)
      return { value: null, record: null }
    if (at - row.renewed_at >= NEW_MS || heldLogin(row, secrets).mark !== mark)
      return { value: null, record: null }
    const refusals = { times: (secrets.refusals?.times ?? 0) + 1, lastAt: at }
    const { row: sealed, changed } = await resealed(keys, tx, row, { ...secrets, refusals })
    const next: LoginRow = { ...sealed, state: 'refused' }
    await table.save(tx, [next])
    return { value: null, record: loginRecord('server.login-refused', next, {}, changed) }
  }

  async #lacks(tx: Tx, { server, url, scopes }: Lack): Promise<Settled<null>> {
    const row = await this.#locked(tx, { server, url })
    const missing = row === null ? [] : scopesOf(row.missing)
    if (row === null || scopes.every((one) => missing.includes(one)))
      return { value: null, record: null }
    const all = [...new Set([...missing, ...scopes])]
    const next: LoginRow = { ...row, missing: JSON.stringify(all), revision: row.revision + 1 }
    await this.#parts.table.save(tx, [next])
    return { value: null, record: loginRecord('server.login-lacks', next, { scopes: all }) }
  }

  /** The login as it is, while it holds the tokens that were read of it. */
  async #unchanged(tx: Tx, place: LoginPlace, { access, refresh }: LoginSecrets) {
    const row = await this.#locked(tx, place)
    if (row === null) return null
    const secrets = await openLogin(this.#parts.keys, tx, row)
    return secrets.access === access && secrets.refresh === refresh ? { row, secrets } : null
  }

  #locked(tx: Tx, { server, url }: LoginPlace): Promise<LoginRow | null> {
    return this.#parts.table.get(tx, 'server = ? and url = ? /*lock*/', [server, url])
  }
}

interface Renewal extends LoginPlace {
  /** What was renewed. */
  readonly secrets: LoginSecrets
  readonly tokens: Tokens
}

interface Loss extends LoginPlace {
  readonly secrets: LoginSecrets
  readonly reason: string
}

interface Refused extends LoginPlace {
  readonly mark: string
}

interface Lack extends LoginPlace {
  readonly scopes: readonly string[]
}

function placeKey({ server, url }: LoginPlace): string {
  return `${server} ${url}`
}

function heldLogin(row: LoginRow, secrets: LoginSecrets): HeldLogin {
  const { expires_at: endsAt, renewed_at: renewedAt, state, revision } = row
  // A token that lives for a minute is not renewed all the time.
  const ahead = endsAt === null ? 0 : Math.min(MAX_AHEAD_MS, (endsAt - renewedAt) / 10)
  const dueAt = endsAt === null ? null : epochMs(endsAt - ahead)
  const { refusals } = secrets
  // What has ended is not worth a rest.
  const nextAt =
    state === 'refused' && refusals !== undefined
      ? epochMs(Math.min(refusals.lastAt + restMs(refusals), dueAt ?? Number.POSITIVE_INFINITY))
      : dueAt
  return {
    state,
    access: SecretText.fromText(secrets.access),
    mark: sha256(Buffer.from(secrets.access)).toString('base64url'),
    renewAt: secrets.refresh === null ? null : nextAt,
    endsAt,
    revision,
  }
}

/** The first rest is as long as the pause after a renewal that failed, each later one twice as long. */
function restMs({ times }: NonNullable<LoginSecrets['refusals']>): number {
  return Math.min(PAUSE_MS * 2 ** (times - 1), MAX_REST_MS)
}

/** A rest that would be longer than any is one of a clock that was put back since. */
function isResting({ state, renewAt }: HeldLogin, now: EpochMs): boolean {
  return state === 'refused' && renewAt !== null && now < renewAt && renewAt - now <= MAX_REST_MS
}

function isSame({ mark }: HeldLogin, other: HeldLogin): boolean {
  return mark === other.mark
}

/** What is recorded of a login: that it happened, where, and never a token. */
export function loginRecord(
  action: string,
  row: LoginRow,
  detail: Readonly<Record<string, string | readonly string[]>>,
  key: readonly [table: string, id: string, revision: number] | null = null,
): NonNullable<Settled<never>['record']> {
  return {
    kind: 'change',
    action,
    caller: null,
    rows: [['gateway_logins', row.server, row.revision], ...(key === null ? [] : [key])],
    detail: { server: row.server, issuer: row.issuer, ...detail },
  }
}
