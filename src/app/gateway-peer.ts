import type { TokenPort } from '../core/admin-port.ts'
import { Fault } from '../core/faults.ts'
import type { GrantInfo } from '../core/grant-port.ts'
import { type Caller, localAgent } from '../core/principals.ts'
import { monotonicMs, systemClock } from '../core/time.ts'
import type { Admitted } from '../gateway/index.ts'
import type { ShownBearer } from '../mcp/index.ts'
import { isLoopback } from './arrival.ts'
import { proofOf } from './mcp-peer.ts'
import type { Stack } from './open-stack.ts'

export interface GatewayPeerParts {
  readonly stack: Pick<Stack, 'db' | 'identity'>
  readonly tokens: Pick<TokenPort, 'verify' | 'list'>
}

/** So long a grant that was read counts for the next request; bearers are confirmed as often. */
const KEPT_MS = 250

/** Who may call the servers of the gateway, and under which grant. */
export class GatewayPeers {
  readonly #parts: GatewayPeerParts
  readonly #grants = new WeakMap<
    Caller,
    { readonly server: string; readonly at: number; readonly grant: Promise<GrantInfo> }
  >()

  constructor(parts: GatewayPeerParts) {
    this.#parts = parts
  }

  /** @throws {Fault} `UNAUTHENTICATED`; `ACCESS_DENIED` for somebody without a grant for the server */
  async admit(shown: Omit<ShownBearer, 'vault'>, server: string): Promise<Admitted> {
    const { bearer, scheme, address } = shown
    const isHere = address !== null && isLoopback(address)
    const token = isHere && scheme === 'Bearer' ? await this.#parts.tokens.verify(bearer) : null
    if (token !== null)
      return {
        caller: { principal: localAgent(token.project), channel: 'mcp-http' },
        owner: `token:${token.id}`,
        grant: null,
        policies: [],
      }
    const proof = proofOf(shown)
    const caller = await this.#parts.stack.identity.authentication.authenticate(bearer, {
      address,
      channel: 'mcp-http',
      server,
      ...(proof !== null && { proof }),
    })
    const { id, policies } = await this.#grantOf(caller, server)
    return { caller, owner: `grant:${id}`, grant: id, policies }
  }

  /** What the calls of somebody who was admitted are judged by now; null when he would not be any more. */
  async policiesOf(
    { caller, owner, grant }: Admitted,
    server: string,
  ): Promise<readonly string[] | null> {
    if (grant === null) {
      const tokens = await this.#parts.tokens.list()
      return tokens.some(({ id }) => `token:${id}` === owner) ? [] : null
    }
    try {
      const now = await this.#read(caller, server)
      return now.id === grant ? now.policies : null
    } catch (error) {
      if (error instanceof Fault && LOST.has(error.code)) return null
      throw error
    }
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
    const { principal } = caller
    if (principal.kind !== 'registered-agent')
      throw denied('People call no servers here: have an agent do it, or use its grant.')
    const now = systemClock()
    const own = (await grants.list(caller, principal.id)).filter(
      ({ server: at, revokedAt, expiresAt }) =>
        at === server && revokedAt === null && (expiresAt === null || expiresAt > now),
    )
    const frozen = await this.#frozen()
    const [first, ...others] = own.filter(({ id }) => !frozen.has(`grant:${id}`))
    if (first === undefined) throw denied(`This agent has no grant for the server '${server}'.`)
    // Which of them it is decides what is allowed: nobody but its holder says that.
    if (others.length > 0)
      throw denied(
        `This agent has ${own.length} grants for the server '${server}': show the bearer of one.`,
      )
    return first
  }

  async #frozen(): Promise<ReadonlySet<string>> {
    const { db, identity } = this.#parts.stack
    return db.read(async (reader) => identity.standing.frozen(reader))
  }
}

const LOST: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'ACCESS_DENIED', 'NOT_FOUND'])

function denied(message: string): Fault {
  return new Fault('ACCESS_DENIED', message, {
    details: { remedy: 'have a person run sallyport grant create AGENT --server NAME' },
  })
}
