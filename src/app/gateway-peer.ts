import { isDeepStrictEqual } from 'node:util'
import type { LocalToken, TokenPort } from '../core/admin-port.ts'
import { Fault } from '../core/faults.ts'
import type { ServerInfo } from '../core/gateway-port.ts'
import type { GrantInfo } from '../core/grant-port.ts'
import { type CallerStanding, EVERY_SERVER, type Origin } from '../core/identity-port.ts'
import { type Caller, localAgent, principalName } from '../core/principals.ts'
import { type EpochMs, monotonicMs, systemClock } from '../core/time.ts'
import type { Admitted, AdmittedToAll, MayComeBack, Reach } from '../gateway/index.ts'
import { earliest } from '../identity/index.ts'
import type { ShownBearer } from '../mcp/index.ts'
import { isLoopback } from './arrival.ts'
import { proofOf } from './mcp-peer.ts'
import type { Stack } from './open-stack.ts'

export interface GatewayPeerParts {
  readonly stack: Pick<Stack, 'db' | 'identity'>
  readonly tokens: Pick<TokenPort, 'verify' | 'list'>
}

/** Who came, as if his token had no end. */
function holderOf(caller: Caller): { readonly holder: Caller; readonly isOut: boolean } {
  const { access } = caller
  const isOut =
    access?.credential.kind === 'token' &&
    access.expiresAt !== null &&
    access.expiresAt <= systemClock()
  return isOut
    ? { holder: { ...caller, access: { ...access, expiresAt: null } }, isOut }
    : { holder: caller, isOut }
}

/** Who came, as rules on tools know him. */
interface Labelled {
  readonly caller: Caller
  /** When he counts no longer, even if nothing changes. */
  readonly endsAt: EpochMs | null
}

type Shown = Omit<ShownBearer, 'vault'>

/** So long a grant that was read counts for the next request; bearers are confirmed as often. */
const KEPT_MS = 250

/** Who came over a connection last. */
interface Came {
  readonly bearer: string
  readonly server: string
  readonly address: string | null
  readonly admitted: Admitted
  readonly at: number
  readonly changes: number
}

/** @param now changes made in this process */
function counts({ at, changes, admitted }: Came, now: number): boolean {
  const { until } = admitted
  return (
    changes === now && monotonicMs() - at < KEPT_MS && (until === null || until > systemClock())
  )
}

/** Who may call the servers of the gateway, and under which grant. */
export class GatewayPeers {
  readonly #parts: GatewayPeerParts
  readonly #grants = new WeakMap<
    Caller,
    { readonly server: string; readonly at: number; readonly grant: Promise<GrantInfo> }
  >()

  readonly #came = new WeakMap<object, Came>()

  readonly #labels = new WeakMap<Caller, Labelled & { readonly at: number }>()

  constructor(parts: GatewayPeerParts) {
    this.#parts = parts
  }

  /**
   * Whoever comes again over a connection, with the same bearer, is known for a moment.
   *
   * @throws {Fault} `UNAUTHENTICATED`; `ACCESS_DENIED` for somebody without a grant for the server
   */
  admit(shown: Shown, server: string, connection: object): Admitted | Promise<Admitted> {
    const { bearer, scheme, proof, address } = shown
    // A proof counts once, and a bearer of this machine is asked for each time.
    const changes = this.#parts.stack.identity.authentication.changes()
    if (scheme !== 'Bearer' || proof !== null || changes === null) return this.#admit(shown, server)
    const came = this.#came.get(connection)
    if (
      came !== undefined &&
      came.bearer === bearer &&
      came.server === server &&
      came.address === address &&
      counts(came, changes)
    )
      return came.admitted
    const known = { bearer, server, address, at: monotonicMs(), changes }
    return this.#admit(shown, server).then((admitted) => {
      if (admitted.grant !== null) this.#came.set(connection, { ...known, admitted })
      return admitted
    })
  }

  async #admit(shown: Shown, server: string): Promise<Admitted> {
    const token = await this.#localToken(shown)
    if (token !== null)
      return {
        caller: { principal: localAgent(token.project), channel: 'mcp-http' },
        owner: `token:${token.id}`,
        grant: null,
        policies: [],
        until: null,
      }
    const { caller, endsAt } = await this.#labelled(await this.#registered(shown, { server }))
    const { id, policies, expiresAt } = await this.#grantOf(caller, server)
    const until = earliest(endsAt, expiresAt)
    return { caller, owner: `grant:${id}`, grant: id, policies, until }
  }

  /** A bearer of this machine counts on it alone. */
  async #localToken({ bearer, scheme, address }: Shown): Promise<LocalToken | null> {
    const isHere = address !== null && isLoopback(address)
    return isHere && scheme === 'Bearer' ? this.#parts.tokens.verify(bearer) : null
  }

  #registered(shown: Shown, at: Pick<Origin, 'server'>): Promise<Caller> {
    const { bearer, address } = shown
    const proof = proofOf(shown)
    return this.#parts.stack.identity.authentication.authenticate(bearer, {
      address,
      channel: 'mcp-http',
      ...at,
      ...(proof !== null && { proof }),
    })
  }

  /** The same object while nothing of it changed: what is remembered of a caller is remembered by it. */
  async #labelled(caller: Caller): Promise<Labelled> {
    const known = this.#labels.get(caller)
    const now = monotonicMs()
    if (known !== undefined && now - known.at < KEPT_MS) return known
    const { labels = [], endsAt } = await this.#standing(caller)
    const isSame = known !== undefined && isDeepStrictEqual(known.caller.labels, labels)
    const labelled = { at: now, caller: isSame ? known.caller : { ...caller, labels }, endsAt }
    this.#labels.set(caller, labelled)
    return labelled
  }

  /** @throws {Fault} `UNAUTHENTICATED` */
  #standing(caller: Caller): Promise<CallerStanding> {
    const { db, identity } = this.#parts.stack
    return db.read(async (reader) => identity.standing.standingOf(reader, caller, systemClock()))
  }

  /** What the calls of somebody who was admitted are judged by now; null when he would not be any more. */
  async policiesOf(
    { caller, owner, grant }: Admitted,
    server: string,
  ): Promise<(Pick<Admitted, 'policies' | 'until'> & MayComeBack) | null> {
    if (grant === null) {
      const tokens = await this.#parts.tokens.list()
      return tokens.some(({ id }) => `token:${id}` === owner)
        ? { policies: [], until: null, isOut: false }
        : null
    }
    const { holder, isOut } = holderOf(caller)
    try {
      const { id, policies, expiresAt } = await this.#read(holder, server)
      if (id !== grant) return null
      const until = earliest((await this.#standing(holder)).endsAt, expiresAt)
      return { policies, until, isOut }
    } catch (error) {
      if (error instanceof Fault && LOST.has(error.code)) return null
      throw error
    }
  }

  /**
   * Who asks for every server at once. Whoever shows a grant reaches the one server of it.
   *
   * @throws {Fault} `UNAUTHENTICATED`; `ACCESS_DENIED` for people
   */
  async admitToAll(shown: Shown, servers: readonly ServerInfo[]): Promise<AdmittedToAll> {
    const token = await this.#localToken(shown)
    if (token !== null)
      return {
        caller: { principal: localAgent(token.project), channel: 'mcp-http' },
        owner: `token:${token.id}`,
        reaches: judgedServers(servers),
        passedOver: [],
        until: null,
      }
    const { caller, endsAt } = await this.#labelled(
      await this.#registered(shown, { server: EVERY_SERVER }),
    )
    const { credential } = caller.access ?? {}
    return {
      caller,
      owner:
        credential?.kind === 'grant' ? `grant:${credential.id}` : principalName(caller.principal),
      ...(await this.#reaches(caller, servers, endsAt)),
    }
  }

  /** Who was admitted to all by another process, with what he may reach now. @throws {Fault} `UNAUTHENTICATED` */
  async sentOnToAll(
    admitted: AdmittedToAll,
    servers: readonly ServerInfo[],
  ): Promise<AdmittedToAll> {
    const now = await this.reachesOf(admitted, servers)
    if (now === null || now.isOut)
      throw new Fault('UNAUTHENTICATED', 'This caller no longer counts.')
    return { ...admitted, ...now }
  }

  /** What somebody who was admitted may reach now; null when he would not be any more. */
  async reachesOf(
    { caller, owner }: AdmittedToAll,
    servers: readonly ServerInfo[],
  ): Promise<(Pick<AdmittedToAll, 'reaches' | 'passedOver' | 'until'> & MayComeBack) | null> {
    if (owner.startsWith('token:')) {
      const tokens = await this.#parts.tokens.list()
      return tokens.some(({ id }) => `token:${id}` === owner)
        ? { reaches: judgedServers(servers), passedOver: [], until: null, isOut: false }
        : null
    }
    const { holder, isOut } = holderOf(caller)
    try {
      const { endsAt } = await this.#standing(holder)
      return { ...(await this.#reaches(holder, servers, endsAt)), isOut }
    } catch (error) {
      if (error instanceof Fault && LOST.has(error.code)) return null
      throw error
    }
  }

  async #reaches(
    caller: Caller,
    servers: readonly ServerInfo[],
    endsAt: EpochMs | null,
  ): Promise<Pick<AdmittedToAll, 'reaches' | 'passedOver' | 'until'>> {
    const isOne = caller.access?.credential.kind === 'grant'
    const grants = isOne
      ? [await this.#parts.stack.identity.grants.held(caller)]
      : await this.#ownGrants(caller)
    const own = Map.groupBy(grants, ({ server }) => server)
    const reaches: Reach[] = []
    const passedOver: { server: string; reason: string }[] = []
    for (const server of servers) {
      const [grant, ...others] = own.get(server.name) ?? []
      if (grant === undefined) continue
      if (others.length > 0)
        passedOver.push({
          server: server.name,
          reason: `the agent has ${others.length + 1} grants for it: connect to it with the bearer of one`,
        })
      else reaches.push({ server, grant: grant.id, policies: grant.policies })
    }
    const until = earliest(endsAt, ...grants.map(({ expiresAt }) => expiresAt))
    return { reaches, passedOver, until }
  }

  #grantOf(caller: Caller, server: string): Promise<GrantInfo> {
    const known = this.#grants.get(caller)
    if (known?.server === server && monotonicMs() - known.at < KEPT_MS) return known.grant
    const grant = this.#read(caller, server)
    this.#grants.set(caller, { server, at: monotonicMs(), grant })
    grant.catch(() => this.#grants.delete(caller))
    return grant
  }

  async #read(caller: Caller, server: string): Promise<GrantInfo> {
    const { grants } = this.#parts.stack.identity
    if (caller.access?.credential.kind === 'grant') return grants.held(caller)
    const own = (await this.#ownGrants(caller)).filter(({ server: at }) => at === server)
    const [first, ...others] = own
    if (first === undefined) throw denied(`This agent has no grant for the server '${server}'.`)
    // Which of them it is decides what is allowed: nobody but its holder says that.
    if (others.length > 0)
      throw denied(
        `This agent has ${own.length} grants for the server '${server}': show the bearer of one.`,
      )
    return first
  }

  /** Those that count. @throws {Fault} `ACCESS_DENIED` for people, `UNAUTHENTICATED` */
  async #ownGrants(caller: Caller): Promise<readonly GrantInfo[]> {
    const { principal } = caller
    if (principal.kind !== 'registered-agent')
      throw denied('People call no servers here: have an agent do it, or use its grant.')
    const now = systemClock()
    const frozen = await this.#frozen()
    const list = await this.#parts.stack.identity.grants.list(caller, principal.id)
    return list.filter(
      ({ id, revokedAt, expiresAt }) =>
        revokedAt === null && (expiresAt === null || expiresAt > now) && !frozen.has(`grant:${id}`),
    )
  }

  async #frozen(): Promise<ReadonlySet<string>> {
    const { db, identity } = this.#parts.stack
    return db.read(async (reader) => identity.standing.frozen(reader))
  }
}

const LOST: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'ACCESS_DENIED', 'NOT_FOUND'])

/** For the local agent: without a policy every call of a server is denied, so that nothing of it is shown. */
function judgedServers(servers: readonly ServerInfo[]): readonly Reach[] {
  return servers
    .filter(({ policies }) => policies.length > 0)
    .map((server) => ({ server, grant: null, policies: [] }))
}

function denied(message: string): Fault {
  return new Fault('ACCESS_DENIED', message, {
    details: { remedy: 'have a person run sallyport grant create AGENT --server NAME' },
  })
}
