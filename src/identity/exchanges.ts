import { changeLane, type Ledger, type Settled } from '../audit/index.ts'
import type { Db, Reader, Tx } from '../core/db-port.ts'
import type { Origin, TokenExchange } from '../core/identity-port.ts'
import { newId, type VaultId } from '../core/ids.ts'
import type { Caller } from '../core/principals.ts'
import { SecretText } from '../core/secret-text.ts'
import { type Clock, type EpochMs, epochMs } from '../core/time.ts'
import { parseToken, sameTokenHash, tokenHash } from '../crypto/index.ts'
import { rightsRevision } from '../keys/index.ts'
import type { TokenClaims } from './agent-token.ts'
import { AGENT_KEY_PREFIX } from './agents.ts'
import { type AgentRow, agentInfo, type IdentityTables, listOf } from './identity-rows.ts'
import type { RefusedBy } from './refused.ts'
import type { RequestProofs } from './request-proofs.ts'
import type { SigningKey, SigningKeys } from './signing-keys.ts'
import { earliest, hasEnded, type Standing } from './standing.ts'
import type { Workloads } from './workloads.ts'

/** No bearer of ours, and none that is changed for one, is longer. */
export const MAX_BEARER_CHARACTERS = 8192

/** Whoever has no tokens loads nothing that signs them. */
const agentToken = () => import('./agent-token.ts')

export type Refused = { readonly by: RefusedBy; readonly caller: Caller | null }

export interface ExchangeParts {
  readonly db: Db
  readonly ledger: Ledger
  readonly clock: Clock
  readonly tables: IdentityTables
  readonly standing: Standing
  readonly lookupKey: () => Promise<Uint8Array>
  readonly signingKeys: SigningKeys
  readonly proofs: RequestProofs
  readonly workloads: () => Promise<Workloads>
}

/** What somebody shows for a token: an agent's key, or what another issuer says of a workload. */
type Grounds =
  | { readonly digest: Uint8Array }
  | { readonly ruleId: string; readonly issuer: string; readonly subject: string }

interface Exchange {
  readonly grounds: Grounds
  readonly agentId: string | null
  readonly boundTo: string | null
  readonly origin: Origin
}

interface Exchanged {
  readonly row: AgentRow
  readonly claims: TokenClaims
  readonly key: SigningKey
}

/** Agents' keys and workloads' tokens, changed for tokens of ours. */
export class Exchanges {
  readonly #parts: ExchangeParts
  readonly #lane = changeLane('auth.exchange', (tx, member: Exchange, at) =>
    this.#exchanged(tx, member, at),
  )

  constructor(parts: ExchangeParts) {
    this.#parts = parts
  }

  async ofKey(
    key: string,
    agentId: string | null,
    origin: Origin,
    jwk: unknown,
  ): Promise<TokenExchange | Refused> {
    const { db, tables } = this.#parts
    const parsed = key.length > MAX_BEARER_CHARACTERS ? null : parseToken(key)
    if (parsed === null || parsed.prefix !== AGENT_KEY_PREFIX) return nobody('malformed')
    const digest = tokenHash(await this.#parts.lookupKey(), parsed.token)
    parsed.token.wipe()
    // A key that nobody has must not open a write transaction.
    const row = await db.read((reader) => agentByKey(tables, reader, digest))
    return row === null ? nobody('unknown') : this.#exchange({ digest }, agentId, origin, jwk)
  }

  async ofWorkload(
    subjectToken: string,
    agentId: string | null,
    origin: Origin,
    jwk: unknown,
  ): Promise<TokenExchange | Refused> {
    if (subjectToken.length > MAX_BEARER_CHARACTERS) return nobody('malformed')
    const found = await (await this.#parts.workloads()).ruleFor(subjectToken, agentId)
    return 'by' in found ? nobody(found.by) : this.#exchange(found, agentId, origin, jwk)
  }

  async #exchange(
    grounds: Grounds,
    agentId: string | null,
    origin: Origin,
    jwk: unknown,
  ): Promise<TokenExchange | Refused> {
    const proved = await this.#parts.proofs.ofExchange(origin, jwk)
    if ('by' in proved) return nobody(proved.by)
    const { boundTo } = proved
    const { ledger } = this.#parts
    const { value } = await ledger.commit(this.#lane, { grounds, agentId, boundTo, origin })
    if ('by' in value) return value
    const { signToken } = await agentToken()
    const token = SecretText.fromText(await signToken(value.key, value.claims))
    const { issuedAt, expiresAt } = value.claims
    const expiresInSeconds = Math.floor((expiresAt - issuedAt) / 1000)
    return { token, expiresInSeconds, agent: agentInfo(value.row), boundTo }
  }

  async #exchanged(
    tx: Tx,
    { grounds, agentId, boundTo, origin }: Exchange,
    at: EpochMs,
  ): Promise<Settled<Exchanged | Refused>> {
    const found = await this.#entitled(tx, grounds)
    if (found === null) return { value: nobody('unknown'), record: null }
    const { row, keyId } = found
    // Judged as the token that it is to become.
    const tokenId = newId<string>()
    const caller = callerOf(row, tokenId, keyId, origin)
    if (agentId !== null && agentId !== row.id)
      return { value: { by: 'other-agent', caller }, record: null }
    const standings = this.#parts.standing.atRevision(await rightsRevision(tx))
    const judged = await standings.judge(tx, caller)
    if ('by' in judged) return { value: { by: judged.by, caller }, record: null }
    if (hasEnded(judged.standing.endsAt, at))
      return { value: { by: 'expired', caller }, record: null }
    const { key, rows } = await this.#parts.signingKeys.signing(tx, at)
    const own = epochMs(at + row.token_ttl * 1000)
    const claims: TokenClaims = {
      principal: { kind: 'registered-agent', id: row.id },
      orgId: judged.standing.orgId,
      scopes: listOf(row.scopes),
      vaultIds: listOf<VaultId>(row.vault_ids),
      tokenId,
      keyId,
      boundTo,
      issuedAt: at,
      expiresAt: earliest(own, judged.standing.endsAt) ?? own,
    }
    return {
      value: { row, claims, key },
      record: {
        kind: 'event',
        action: 'auth.exchange',
        caller,
        ...(rows.length === 0 ? {} : { rows }),
        detail: {
          token: tokenId,
          key: keyId,
          address: origin.address,
          ...('digest' in grounds ? {} : { issuer: grounds.issuer, subject: grounds.subject }),
        },
      },
    }
  }

  /** The agent, and what its token dies with: its key, or the rule of the workload. */
  async #entitled(
    tx: Tx,
    grounds: Grounds,
  ): Promise<{ readonly row: AgentRow; readonly keyId: string } | null> {
    const { tables } = this.#parts
    if ('digest' in grounds) {
      const row = await agentByKey(tables, tx, grounds.digest)
      return row === null || row.key_id === null ? null : { row, keyId: row.key_id }
    }
    const rule = await tables.workloadRules.get(tx, 'id = ?', [grounds.ruleId])
    if (rule === null) return null
    const row = await tables.agents.get(tx, 'id = ?', [rule.agent_id])
    return row === null ? null : { row, keyId: rule.id }
  }
}

function nobody(by: RefusedBy): Refused {
  return { by, caller: null }
}

function callerOf(row: AgentRow, tokenId: string, keyId: string, origin: Origin): Caller {
  const { address, channel, client } = origin
  return {
    principal: { kind: 'registered-agent', id: row.id },
    channel,
    access: {
      credential: { kind: 'token', id: tokenId, keyId },
      scopes: null,
      vaultIds: null,
      expiresAt: null,
      address,
    },
    ...(client === undefined ? {} : { client }),
  }
}

export async function agentByKey(
  tables: IdentityTables,
  reader: Reader,
  digest: Uint8Array,
): Promise<AgentRow | null> {
  const row = await tables.agents.get(reader, 'key_digest = ?', [digest])
  return row?.key_digest != null && sameTokenHash(digest, row.key_digest) ? row : null
}
