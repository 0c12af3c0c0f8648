import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import type { Db } from '../core/db-port.ts'
import { Fault } from '../core/faults.ts'
import type { Clock } from '../core/time.ts'
import type { Outgoing } from '../net/index.ts'
import type { IdentityTables, WorkloadRuleRow } from './identity-rows.ts'
import type { RefusedBy } from './refused.ts'
import { isSubject } from './subject-pattern.ts'
import { WorkloadIssuers } from './workload-issuers.ts'

/** Signatures of other issuers; all of them asymmetric. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA']
const LEEWAY_SECONDS = 5

/** The rule that lets a workload in, and what it was let in as. */
export interface FoundRule {
  readonly ruleId: string
  readonly issuer: string
  readonly subject: string
}

type Refused = { readonly by: RefusedBy }

export interface WorkloadParts {
  readonly db: Db
  readonly tables: IdentityTables
  readonly clock: Clock
  readonly net: () => Promise<Outgoing>
}

/** What other issuers say of workloads, held against the rules. */
export class Workloads {
  readonly #parts: WorkloadParts
  readonly #issuers: WorkloadIssuers

  constructor(parts: WorkloadParts) {
    this.#parts = parts
    this.#issuers = new WorkloadIssuers(parts.net)
  }

  /**
   * Nobody is asked about an issuer that no rule names.
   *
   * @throws {Fault} `BAD_INPUT` when the workload is several agents and it was not said which; those of `net/`
   */
  async ruleFor(token: string, agentId: string | null): Promise<FoundRule | Refused> {
    const claimed = claimedBy(token)
    if (claimed === null) return { by: 'malformed' }
    const { db, tables } = this.#parts
    const rules = await db.read((reader) =>
      tables.workloadRules.select(reader, 'issuer = ? order by created_at, id', [claimed.issuer]),
    )
    if (rules.length === 0) return { by: 'unknown' }
    const verified = await this.#verified(token, claimed, rules)
    if (verified.payload === null) return { by: verified.by }
    const { payload } = verified
    const { sub: subject = '' } = payload
    const matching = rules.filter(
      (rule) => isFor(payload, rule.audience) && isSubject(rule.subject, subject),
    )
    if (matching.length === 0) return { by: 'other-subject' }
    const chosen = matching.filter((rule) => agentId === null || rule.agent_id === agentId)
    const [first, ...others] = chosen
    if (first === undefined) return { by: 'other-agent' }
    if (others.some((rule) => rule.agent_id !== first.agent_id))
      throw new Fault('BAD_INPUT', 'This workload is several agents; name one with agent_id.', {
        details: { field: 'agent_id' },
      })
    return { ruleId: first.id, issuer: first.issuer, subject }
  }

  async #verified(
    token: string,
    { issuer, kid }: Claimed,
    rules: readonly WorkloadRuleRow[],
  ): Promise<
    { readonly payload: JWTPayload } | { readonly payload: null; readonly by: RefusedBy }
  > {
    const keys = await this.#issuers.keysOf(issuer, kid)
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        issuer,
        audience: [...new Set(rules.map((rule) => rule.audience))],
        clockTolerance: LEEWAY_SECONDS,
        currentDate: new Date(this.#parts.clock()),
        requiredClaims: ['sub', 'exp', 'iat'],
      })
      return { payload }
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { payload: null, by: 'expired' }
      if (error instanceof errors.JWTClaimValidationFailed)
        return { payload: null, by: 'malformed' }
      if (error instanceof errors.JOSEError) return { payload: null, by: 'bad-signature' }
      throw error
    }
  }
}

interface Claimed {
  readonly issuer: string
  readonly kid: string | undefined
}

/** Who a token says that signed it, before anything of it is believed. */
function claimedBy(token: string): Claimed | null {
  try {
    const { iss } = decodeJwt(token)
    const { kid } = decodeProtectedHeader(token)
    return typeof iss === 'string' ? { issuer: iss, kid } : null
  } catch {
    return null
  }
}

function isFor({ aud }: JWTPayload, audience: string): boolean {
  return Array.isArray(aud) ? aud.includes(audience) : aud === audience
}
