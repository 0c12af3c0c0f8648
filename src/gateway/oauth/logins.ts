import { randomBytes } from 'node:crypto'
import { changeLane, type Settled } from '../../audit/index.ts'
import type { Tx } from '../../core/db-port.ts'
import { Fault } from '../../core/faults.ts'
import type { ServerInfo, ServerTarget } from '../../core/gateway-port.ts'
import type { StandingPort } from '../../core/identity-port.ts'
import { type Caller, type Channel, principalName } from '../../core/principals.ts'
import { type EpochMs, epochMs } from '../../core/time.ts'
import type { LoginBegun, LoginInfo, LoginPort, LoginWish } from '../../core/upstream-login-port.ts'
import { sha256 } from '../../crypto/index.ts'
import {
  administrationProblem,
  attendedLane,
  lookProblem,
  refusedRecord,
} from '../../identity/index.ts'
import { noServer } from '../registry-lookup.ts'
import { type RegistryTables, serverInfo } from '../registry-rows.ts'
import { scopesIn } from './challenge.ts'
import { type Identified, identified } from './client.ts'
import { authorizationServer, protectedResource, webAddress } from './discovery.ts'
import { LoginKeeper, type LoginKeeperParts, loginRecord } from './login-keeper.ts'
import { LoginNet } from './login-net.ts'
import { deleteEndedAttempts, insertAttempt, takeAttempt } from './login-repository.ts'
import { type LoginRow, loginInfo, scopesOf } from './login-rows.ts'
import {
  LOGIN_KEY,
  type LoginSecrets,
  openJson,
  openLogin,
  resealed,
  sealJson,
  sealLogin,
  withUnfitClient,
} from './sealed-login.ts'
import type { Tokens } from './token-endpoint.ts'
import { tokenParts } from './token-parts.ts'

export interface LoginsParts extends Omit<LoginKeeperParts, 'table'> {
  readonly tables: Pick<RegistryTables, 'servers' | 'logins'>
  readonly standing: StandingPort
  /** https address of the document that says who this program is, or null. */
  readonly document: string | null
  /** What a server is shown beside a token, names in lower case. */
  readonly headersOf: (
    server: ServerInfo,
    channel: Channel,
  ) => Promise<Readonly<Record<string, string>>>
}

/** So long a person has in the browser. */
const LIFE_MS = 600_000
const STATE = /^[A-Za-z0-9_-]{43}$/
const REFERENCE = /^secret:\/\/[A-Za-z0-9_][A-Za-z0-9_.\-/]*$/
const CLIENT_ID = /^[\x20-\x7e]{1,2048}$/
const MAX_ANSWER = 16_384

/** What is remembered of a login while the person is in the browser. */
interface Attempt {
  readonly server: string
  readonly url: string
  readonly by: string
  readonly redirect: string
  readonly state: string
  readonly verifier: string
  readonly scopes: readonly string[]
  readonly who: Identified
  readonly secrets: Pick<LoginSecrets, 'server' | 'resource'>
}

interface Asked {
  readonly caller: Caller
  readonly server: string
}

interface Beginning {
  readonly caller: Caller
  readonly attempt: Attempt
  readonly endsAt: EpochMs
}

interface Arrival {
  readonly caller: Caller
  readonly attempt: Attempt
  readonly tokens: Tokens
}

interface Found {
  readonly row: LoginRow
  readonly secrets: LoginSecrets
}

/** The gateway's logins at the servers behind it. */
export class Logins implements LoginPort {
  readonly keeper: LoginKeeper
  readonly #parts: LoginsParts
  readonly #ask
  readonly #drop
  readonly #remember = changeLane('server.login-begin', (tx, member: Beginning, at) =>
    this.#remembered(tx, member, at),
  )
  readonly #keep = changeLane('server.login', (tx, member: Arrival, at) =>
    this.#arrived(tx, member, at),
  )

  constructor(parts: LoginsParts) {
    this.#parts = parts
    this.keeper = new LoginKeeper({ ...parts, table: parts.tables.logins })
    this.#ask = attendedLane(parts.standing, 'server.login', (tx, member: Asked) =>
      this.#asked(tx, member),
    )
    this.#drop = attendedLane(parts.standing, 'server.logout', (tx, member: Asked) =>
      this.#dropped(tx, member),
    )
  }

  async begin(
    caller: Caller,
    name: string,
    redirect: string,
    wish: LoginWish,
  ): Promise<LoginBegun> {
    const given = checkedClient(wish)
    if (webAddress(redirect) === null)
      throw new Fault('BAD_INPUT', 'redirect must be an https address, or one of this machine.', {
        details: { field: 'redirect' },
      })
    const { ledger, document, clock } = this.#parts
    const { server, before } = (await ledger.commit(this.#ask, { caller, server: name })).value
    const url = loginUrl(server)
    const net = await this.#netTo(url)
    const found = await protectedResource(net, await this.#parts.headersOf(server, caller.channel))
    const authorizer = await authorizationServer(net, found.issuer)
    const isKnown = before?.row.issuer === found.issuer && before.row.url === url
    const known = isKnown ? before : null
    const scopes = scopesFor(found, authorizer.scopes, known?.row ?? null, wish.scopes)
    const who = await identified(net, authorizer, {
      given,
      document,
      before: known === null ? null : { kind: known.row.client, client: known.secrets.client },
      redirect,
      scopes,
      now: clock(),
    })
    const { authorizationUrl, newVerifier } = await import('./token-endpoint.ts')
    const attempt: Attempt = {
      server: server.name,
      url,
      by: principalName(caller.principal),
      redirect,
      state: randomBytes(32).toString('base64url'),
      verifier: newVerifier(),
      scopes,
      who,
      secrets: { server: authorizer, resource: found.resource },
    }
    const endsAt = epochMs(clock() + LIFE_MS)
    const parts = { net, server: authorizer, client: who.client, secret: null }
    const opened = await authorizationUrl(parts, { ...attempt, resource: found.resource })
    await ledger.commit(this.#remember, { caller, attempt, endsAt })
    return { url: opened, issuer: found.issuer, client: who.kind, scopes, endsAt }
  }

  async finish(caller: Caller, answer: string): Promise<LoginInfo> {
    const url = answer.length <= MAX_ANSWER ? URL.parse(answer) : null
    const states = url?.searchParams.getAll('state') ?? []
    const [state = ''] = states
    const attempt = states.length === 1 && STATE.test(state) ? await this.#recalled(state) : null
    if (url === null || attempt === null || attempt.by !== principalName(caller.principal))
      throw new Fault(
        'UNAUTHENTICATED',
        'This login was not begun here, took too long or was answered already.',
        { details: { remedy: 'log in anew: sallyport server login NAME' } },
      )
    const back = new URL(attempt.redirect)
    back.search = url.search
    const { clock, ledger, valueOf } = this.#parts
    const { tokensForCode, revoked } = await import('./token-endpoint.ts')
    const parts = await tokenParts(
      await this.#netTo(attempt.url),
      { server: attempt.secrets.server, client: attempt.who.client },
      (reference) => valueOf({ server: attempt.server, channel: caller.channel }, reference),
    )
    const wanted = { ...attempt, resource: attempt.secrets.resource }
    const tokens = await tokensForCode(parts, back, wanted, clock())
    let before: Found | null
    let row: LoginRow
    try {
      ;({ before, row } = (await ledger.commit(this.#keep, { caller, attempt, tokens })).value)
    } catch (error) {
      // Nobody keeps them, so nobody is to have them.
      await revoked(parts, tokens)
      throw error
    }
    // Tokens of the same client may hang together: taking back the old ones could take the new ones along.
    if (before !== null && before.row.client_id !== row.client_id)
      await this.revoke(before.row, caller)
    return loginInfo(row)
  }

  async get(caller: Caller, name: string): Promise<LoginInfo | null> {
    const { db, tables } = this.#parts
    const found = await db.read(async (reader) => {
      const problem = await lookProblem(this.#parts, reader, caller, null)
      if (problem !== null) return problem
      const server = await tables.servers.get(reader, 'name = ?', [name.slice(0, 64)])
      if (server === null) return noServer(name)
      const row = await tables.logins.get(reader, 'server = ?', [server.name])
      return row === null || row.url !== urlOf(serverInfo(server).target) ? null : loginInfo(row)
    })
    if (found instanceof Fault) throw found
    return found
  }

  async end(
    caller: Caller,
    name: string,
  ): Promise<{ readonly issuer: string; readonly isRevoked: boolean }> {
    const { value: row } = await this.#parts.ledger.commit(this.#drop, { caller, server: name })
    return { issuer: row.issuer, isRevoked: await this.revoke(row, caller) }
  }

  /** Takes the tokens of a login back that is in the store no more. @returns whether that was offered and worked */
  async revoke(row: LoginRow, { channel }: Caller): Promise<boolean> {
    const { db, keys, valueOf, log } = this.#parts
    try {
      const secrets = await db.read((reader) => openLogin(keys, reader, row))
      if (secrets.server.revocationEndpoint === null) return false
      const { revoked } = await import('./token-endpoint.ts')
      const net = await this.#netTo(row.url)
      const parts = await tokenParts(net, secrets, (reference) =>
        valueOf({ server: row.server, channel }, reference),
      )
      return await revoked(parts, secrets)
    } catch {
      log.warn('the tokens of a login could not be taken back', { server: row.server })
      return false
    }
  }

  async #netTo(url: string): Promise<LoginNet> {
    return new LoginNet(await this.#parts.net(), new URL(url))
  }

  async #asked(
    tx: Tx,
    { server: name }: Asked,
  ): Promise<Settled<{ readonly server: ServerInfo; readonly before: Found | null }>> {
    const { tables } = this.#parts
    const server = await tables.servers.get(tx, 'name = ?', [name.slice(0, 64)])
    if (server === null) return { fault: noServer(name), record: null }
    const before = await this.#found(tx, server.name)
    return { value: { server: serverInfo(server), before }, record: null }
  }

  async #found(tx: Tx, server: string): Promise<Found | null> {
    const { tables, keys } = this.#parts
    const row = await tables.logins.get(tx, 'server = ? /*lock*/', [server])
    return row === null ? null : { row, secrets: await openLogin(keys, tx, row) }
  }

  async #remembered(
    tx: Tx,
    { caller, attempt, endsAt }: Beginning,
    at: EpochMs,
  ): Promise<Settled<null>> {
    const { keys, clock } = this.#parts
    const { changed, ...key } = await keys.activeOrNew(tx, LOGIN_KEY)
    await deleteEndedAttempts(tx, clock())
    const id = attemptId(attempt.state)
    const sealed = sealJson(keys, key, attemptSubject(id), attempt)
    await insertAttempt(tx, { id, key_id: key.id, sealed, ends_at: endsAt })
    const { server, secrets, who } = attempt
    return {
      value: null,
      record: {
        kind: 'change',
        action: 'server.login-begin',
        caller,
        rows: [...(await this.#doubted(tx, attempt, at)), ...(changed === null ? [] : [changed])],
        detail: { server, issuer: secrets.server.issuer, client: who.kind },
      },
    }
  }

  /**
   * Where an authorization server does not know a client any more, it says so to the person in the browser and to
   * nobody else: until the login comes back, the client of the one before is one that the next does not take.
   */
  async #doubted(tx: Tx, { server, who }: Attempt, at: EpochMs) {
    const { tables, keys } = this.#parts
    const before = who.kind === 'registered' ? await this.#found(tx, server) : null
    if (before === null || before.row.client_id !== who.client.id) return []
    const { row } = await resealed(keys, tx, before.row, withUnfitClient(before.secrets, at))
    await tables.logins.save(tx, [row])
    return [['gateway_logins', row.server, row.revision] as const]
  }

  async #recalled(state: string): Promise<Attempt | null> {
    const { db, keys, clock } = this.#parts
    const id = attemptId(state)
    const row = await db.write((tx) => takeAttempt(tx, id))
    if (row === null || row.ends_at <= clock()) return null
    return db.read((reader) => openJson<Attempt>(keys, reader, attemptSubject(id), row))
  }

  /**
   * Whoever began it proved then to be there, and has ten minutes: that the proof is older by now is no matter, that
   * its person administers no more is.
   */
  async #arrived(
    tx: Tx,
    { caller, attempt, tokens }: Arrival,
    at: EpochMs,
  ): Promise<Settled<{ readonly row: LoginRow; readonly before: Found | null }>> {
    const { standing, tables, keys } = this.#parts
    const problem = await administrationProblem(standing, tx, caller, at)
    if (problem !== null)
      return { fault: problem, record: refusedRecord('server.login', caller, problem) }
    const server = await tables.servers.get(tx, 'name = ? /*lock*/', [attempt.server])
    if (server === null || urlOf(serverInfo(server).target) !== attempt.url)
      return { fault: noServer(attempt.server), record: null }
    const before = await this.#found(tx, server.name)
    const { changed, ...key } = await keys.activeOrNew(tx, LOGIN_KEY)
    const { who, secrets } = attempt
    const place = { server: server.name, url: attempt.url, issuer: secrets.server.issuer }
    const row: LoginRow = {
      ...place,
      client: who.kind,
      client_id: who.client.id,
      scopes: JSON.stringify(tokens.scopes ?? attempt.scopes),
      missing: '[]',
      state: 'active',
      key_id: key.id,
      sealed: sealLogin(keys, key, place, {
        ...secrets,
        client: who.client,
        access: tokens.access,
        refresh: tokens.refresh,
      }),
      expires_at: tokens.expiresAt,
      created_at: at,
      created_by: principalName(caller.principal),
      renewed_at: at,
      revision: (before?.row.revision ?? 0) + 1,
    }
    await tables.logins.save(tx, [row])
    const detail = { client: who.kind, scopes: scopesOf(row.scopes) }
    return {
      value: { row, before },
      record: { ...loginRecord('server.login', row, detail, changed), caller },
    }
  }

  async #dropped(tx: Tx, { caller, server: name }: Asked): Promise<Settled<LoginRow>> {
    const { tables } = this.#parts
    const row = await tables.logins.get(tx, 'server = ? /*lock*/', [name.slice(0, 64)])
    if (row === null)
      return {
        fault: new Fault('NOT_FOUND', `The gateway is not logged in at '${name.slice(0, 64)}'.`, {
          details: { remedy: 'sallyport server show NAME says where it is' },
        }),
        record: null,
      }
    await tables.logins.remove(tx, row)
    const detail = { server: row.server, issuer: row.issuer }
    const rows = [['gateway_logins', row.server, null]] as const
    return { value: row, record: { kind: 'change', action: 'server.logout', caller, rows, detail } }
  }
}

function attemptId(state: string): string {
  return sha256(Buffer.from(`login:${state}`)).toString('base64url')
}

function attemptSubject(id: string): string {
  return JSON.stringify(['attempt', id])
}

function urlOf(target: ServerTarget): string | null {
  return target.kind === 'http' ? target.url : null
}

/** @throws {Fault} `UNSUPPORTED` for a server at which nobody logs in */
function loginUrl({ name, target }: ServerInfo): string {
  if (target.kind === 'stdio')
    throw new Fault('UNSUPPORTED', `The server '${name}' is a program; nobody logs in there.`, {
      details: { remedy: 'hand it its keys with --env' },
    })
  if (target.headers.some((header) => header.name.toLowerCase() === 'authorization'))
    throw new Fault(
      'CONFLICT',
      `The server '${name}' is shown a header Authorization of its own.`,
      {
        details: { field: 'header', remedy: 'add the server without that header, and log in' },
      },
    )
  return target.url
}

/** @throws {Fault} `BAD_INPUT` naming the field */
function checkedClient({ clientId, clientSecret, scopes }: LoginWish) {
  const bad = (field: string, problem: string): Fault =>
    new Fault('BAD_INPUT', `${field} ${problem}.`, { details: { field } })
  if (clientSecret !== undefined && clientId === undefined)
    throw bad('client_secret', 'goes with a client id')
  if (clientSecret !== undefined && !REFERENCE.test(clientSecret))
    throw bad('client_secret', 'must be secret://PATH: its value stands in the vault')
  if (clientId !== undefined && !CLIENT_ID.test(clientId))
    throw bad('client_id', 'must be 1 to 2048 characters of ASCII')
  if (scopes !== undefined && scopesIn(scopes.join(' ')).length !== new Set(scopes).size)
    throw bad('scope', 'must be a scope: no spaces, quotes or backslashes')
  return clientId === undefined ? null : { id: clientId, reference: clientSecret ?? null }
}

/**
 * What is asked for: what a person says, else what the server wants beside what it was given and has wanted since. A
 * token that outlives the session is asked for where there is one.
 */
function scopesFor(
  found: {
    readonly challengeScopes: readonly string[] | null
    readonly supportedScopes: readonly string[]
  },
  offered: readonly string[],
  before: LoginRow | null,
  wanted: readonly string[] | undefined,
): readonly string[] {
  const known = before === null ? [] : [...scopesOf(before.scopes), ...scopesOf(before.missing)]
  const asked = wanted ?? [...(found.challengeScopes ?? found.supportedScopes), ...known]
  const all = new Set(asked)
  if (all.size > 0 && offered.includes(OFFLINE)) all.add(OFFLINE)
  return [...all]
}

/** OpenID Connect Core section 11. */
const OFFLINE = 'offline_access'
