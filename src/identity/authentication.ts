import { changeLane, type Ledger, type RowRevision, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import {
  type AuthenticationPort,
  EVERY_SERVER,
  type OrgInfo,
  type Origin,
  type TokenExchange,
} from '../core/identity-port.ts'
import { isUuid } from '../core/ids.ts'
import type { Access, Caller, RegisteredPrincipal } from '../core/principals.ts'
import { type Clock, type EpochMs, monotonicMs } from '../core/time.ts'
import { unauthenticated } from '../core/unauthenticated.ts'
import { parseToken, sameTokenHash, tokenHash } from '../crypto/index.ts'
import { bumpRights, rightsRevision } from '../keys/index.ts'
import { AGENT_KEY_PREFIX } from './agents.ts'
import { VerifiedBearer, VerifiedBearers } from './bearers.ts'
import { agentByKey, type Exchanges, MAX_BEARER_CHARACTERS, type Refused } from './exchanges.ts'
import type { GrantRow } from './grant-rows.ts'
import { GRANT_PREFIX } from './grants.ts'
import { type IdentityTables, type OrganisationRow, orgInfo } from './identity-rows.ts'
import { ensureOrganisation, organisationOf } from './organisation.ts'
import type { Refusals } from './refusals.ts'
import type { RefusedBy } from './refused.ts'
import type { RequestProofs } from './request-proofs.ts'
import type { SigningKeys } from './signing-keys.ts'
import { hasEnded, type Judged, type Standing } from './standing.ts'

/** Whoever has no tokens loads nothing that signs them. */
const agentToken = () => import('./agent-token.ts')

export const USER_KEY_PREFIX = '1ck_'

/** How long a verified bearer is taken without asking the store, which every transaction does again anyway. */
const CONFIRM_MS = 250

export interface AuthenticationParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: Standing
  readonly lookupKey: () => Promise<Uint8Array>
  readonly signingKeys: SigningKeys
  readonly refusals: Refusals
  readonly proofs: RequestProofs
  readonly exchanges: Exchanges
}

/** Who shows a bearer. */
export class Authentication implements AuthenticationPort {
  readonly #parts: AuthenticationParts
  readonly #bearers = new VerifiedBearers()
  readonly #revoke = changeLane('auth.revoke', (tx, member: Ending, at) =>
    endToken(this.#parts.tables, tx, member, at),
  )
  readonly #makeOrg = changeLane('organisation.create', (tx, _member: null, at) =>
    this.#organisationMade(tx, at),
  )
  readonly #makeSigningKey = changeLane('auth.signing-key', (tx, _member: null, at) =>
    this.#signingKeyMade(tx, at),
  )
  #org: OrgInfo | null = null
  /** Changes made in this process. */
  #changes = 0

  constructor(parts: AuthenticationParts) {
    this.#parts = parts
  }

  /** Something changed here: what is remembered of bearers is asked for anew. */
  noteChange(): void {
    this.#changes += 1
  }

  changes(): number {
    return this.#changes
  }

  async exchange(
    key: string,
    agentId: string | null,
    origin: Origin,
    boundTo?: unknown,
  ): Promise<TokenExchange> {
    return this.#given(await this.#parts.exchanges.ofKey(key, agentId, origin, boundTo), origin)
  }

  async exchangeWorkload(
    subjectToken: string,
    agentId: string | null,
    origin: Origin,
    boundTo?: unknown,
  ): Promise<TokenExchange> {
    const { exchanges } = this.#parts
    const given = await exchanges.ofWorkload(subjectToken, agentId, origin, boundTo)
    return this.#given(given, origin)
  }

  async authenticate(bearer: string, origin: Origin): Promise<Caller> {
    if (bearer === '' || bearer.length > MAX_BEARER_CHARACTERS)
      return this.#refuse({ by: 'malformed', caller: null }, origin, false)
    const name = this.#bearers.nameOf(bearer)
    const known = this.#bearers.get(name)
    const verified = known ?? (await this.#verify(bearer))
    if ('by' in verified) return this.#refuse({ by: verified.by, caller: null }, origin, false)
    const caller = verified.callerFrom(origin)
    if (!countsAt(verified.server, origin.server))
      return this.#refuse({ by: 'other-server', caller }, origin, false)
    if (hasEnded(verified.access.expiresAt, this.#parts.clock())) {
      this.#bearers.drop(name)
      return this.#refuse({ by: 'expired', caller }, origin, false)
    }
    if (!this.#isConfirmed(verified)) {
      const by = await this.#confirm(verified, caller)
      if (by !== null) {
        this.#bearers.drop(name)
        return this.#refuse({ by, caller }, origin, false)
      }
      this.#bearers.keep(name, verified)
    }
    if (verified.boundTo !== null || origin.proof?.scheme === 'DPoP') {
      const by = await this.#parts.proofs.problemOf(origin, bearer, verified.boundTo)
      if (by !== null) return this.#refuse({ by, caller }, origin, false)
    }
    return caller
  }

  async revoke(bearer: string, origin: Origin): Promise<void> {
    const caller = await this.authenticate(bearer, origin)
    const { access } = caller
    if (access?.credential.kind !== 'token' || access.expiresAt === null)
      throw new Fault('BAD_INPUT', 'Only a token can be ended this way; a key is rotated.')
    const endsAt = access.expiresAt
    await this.#parts.ledger.commit(this.#revoke, { caller, id: access.credential.id, endsAt })
    this.noteChange()
  }

  async keySet(): ReturnType<AuthenticationPort['keySet']> {
    const keys = await this.#validKeys()
    if (keys.size > 0) return { keys: [...keys.values()].map(({ jwk }) => jwk) }
    await this.#parts.ledger.commit(this.#makeSigningKey, null)
    return { keys: [...(await this.#validKeys()).values()].map(({ jwk }) => jwk) }
  }

  async org(): Promise<OrgInfo> {
    if (this.#org === null) {
      const { db, ledger, tables } = this.#parts
      const row = await db.read((reader) => organisationOf(tables, reader))
      this.#org = orgInfo(row ?? (await ledger.commit(this.#makeOrg, null)).value)
    }
    return this.#org
  }

  #given(given: TokenExchange | Refused, origin: Origin): TokenExchange | Promise<never> {
    return 'by' in given ? this.#refuse(given, origin, true) : given
  }

  #validKeys() {
    const { db, signingKeys, clock } = this.#parts
    return db.read((reader) => signingKeys.valid(reader, clock()))
  }

  #isConfirmed(verified: VerifiedBearer): boolean {
    return (
      verified.confirmedChanges === this.#changes &&
      monotonicMs() - verified.confirmedAt < CONFIRM_MS
    )
  }

  #confirm(verified: VerifiedBearer, caller: Caller): Promise<RefusedBy | null> {
    const changes = this.#changes
    if (verified.confirming?.changes === changes) return verified.confirming.answer
    const confirming = {
      changes,
      answer: this.#askStore(verified, caller, changes).finally(() => {
        if (verified.confirming === confirming) verified.confirming = null
      }),
    }
    verified.confirming = confirming
    return confirming.answer
  }

  async #askStore(
    verified: VerifiedBearer,
    caller: Caller,
    changes: number,
  ): Promise<RefusedBy | null> {
    const askedAt = monotonicMs()
    const judged = await this.#parts.db.read((reader) => this.#judge(reader, caller))
    if ('by' in judged) return judged.by
    if (hasEnded(judged.standing.endsAt, this.#parts.clock())) return 'expired'
    verified.confirmedAt = askedAt
    verified.confirmedChanges = changes
    return null
  }

  async #judge(reader: Reader, caller: Caller): Promise<Judged> {
    return this.#parts.standing.atRevision(await rightsRevision(reader)).judge(reader, caller)
  }

  async #verify(bearer: string): Promise<VerifiedBearer | { readonly by: RefusedBy }> {
    if (bearer.split('.').length === 3) return this.#verifyToken(bearer)
    const parsed = parseToken(bearer)
    if (parsed === null) return { by: 'malformed' }
    const digest = tokenHash(await this.#parts.lookupKey(), parsed.token)
    parsed.token.wipe()
    const { db, tables } = this.#parts
    if (parsed.prefix === AGENT_KEY_PREFIX) {
      const row = await db.read((reader) => agentByKey(tables, reader, digest))
      if (row === null || row.key_id === null) return { by: 'unknown' }
      return bearerOf({ kind: 'registered-agent', id: row.id }, 'agent-key', row.key_id)
    }
    if (parsed.prefix === GRANT_PREFIX) {
      const row = await db.read((reader) => tables.grants.get(reader, 'digest = ?', [digest]))
      return row === null || !sameTokenHash(digest, row.digest)
        ? { by: 'unknown' }
        : bearerOfGrant(row)
    }
    if (parsed.prefix !== USER_KEY_PREFIX) return { by: 'unknown' }
    const row = await db.read((reader) => tables.userKeys.get(reader, 'digest = ?', [digest]))
    if (row === null || !sameTokenHash(digest, row.digest)) return { by: 'unknown' }
    return bearerOf({ kind: 'user', id: row.user_id }, 'user-key', row.id)
  }

  async #verifyToken(token: string): Promise<VerifiedBearer | { readonly by: RefusedBy }> {
    const { verifyToken } = await agentToken()
    const { id: orgId } = await this.org()
    const claims = await verifyToken(token, orgId, this.#parts.clock(), async (kid) =>
      isUuid(kid) ? ((await this.#validKeys()).get(kid)?.publicKey ?? null) : null,
    )
    if ('by' in claims) return claims
    return new VerifiedBearer(
      claims.principal,
      {
        credential: { kind: 'token', id: claims.tokenId, keyId: claims.keyId },
        scopes: claims.scopes,
        vaultIds: claims.vaultIds,
        expiresAt: claims.expiresAt,
      },
      claims.boundTo,
    )
  }

  #refuse({ by, caller }: Refused, origin: Origin, throttles: boolean): Promise<never> {
    return this.#parts.refusals.refuse(unauthenticated(), by, caller, origin, throttles)
  }

  async #organisationMade(tx: Tx, at: EpochMs): Promise<Settled<OrganisationRow>> {
    const { org, rows } = await ensureOrganisation(this.#parts.tables, tx, at)
    return {
      value: org,
      record:
        rows.length === 0
          ? null
          : { kind: 'change', action: 'organisation.create', caller: null, rows },
    }
  }

  async #signingKeyMade(tx: Tx, at: EpochMs): Promise<Settled<null>> {
    const { rows } = await this.#parts.signingKeys.signing(tx, at)
    return {
      value: null,
      record:
        rows.length === 0
          ? null
          : { kind: 'change', action: 'auth.signing-key', caller: null, rows },
    }
  }
}

function accessOf(kind: 'agent-key' | 'user-key', id: string): Omit<Access, 'address'> {
  return { credential: { kind, id }, scopes: null, vaultIds: null, expiresAt: null }
}

function bearerOf(
  principal: RegisteredPrincipal,
  kind: 'agent-key' | 'user-key',
  id: string,
): VerifiedBearer {
  return new VerifiedBearer(principal, accessOf(kind, id))
}

function bearerOfGrant(row: GrantRow): VerifiedBearer {
  const access = {
    credential: { kind: 'grant', id: row.id, keyId: row.key_id },
    scopes: null,
    vaultIds: null,
    expiresAt: row.expires_at,
  } as const
  const principal = { kind: 'registered-agent', id: row.agent_id } as const
  return new VerifiedBearer(principal, access, null, row.server)
}

interface Ending {
  readonly caller: Caller
  readonly id: string
  readonly endsAt: EpochMs
}

async function endToken(
  tables: IdentityTables,
  tx: Tx,
  { caller, id, endsAt }: Ending,
  at: EpochMs,
): Promise<Settled<null>> {
  const rows: RowRevision[] = []
  // Tokens that ended by themselves meanwhile need no row any more.
  for (const ended of await tables.endedTokens.select(tx, 'ends_at <= ?', [at])) {
    await tables.endedTokens.remove(tx, ended)
    rows.push(['ended_tokens', ended.id, null])
  }
  if (await tables.endedTokens.get(tx, 'id = ?', [id])) return { value: null, record: null }
  await tables.endedTokens.save(tx, [{ id, ends_at: endsAt, revision: 1 }])
  await bumpRights(tx)
  return {
    value: null,
    record: {
      kind: 'change',
      action: 'auth.revoke',
      caller,
      rows: [...rows, ['ended_tokens', id, 1]],
      detail: { token: id },
    },
  }
}

/** @param own server of a grant; null for what is none */
function countsAt(own: string | null, asked: string | undefined): boolean {
  return own === null || asked === EVERY_SERVER || own === asked
}
