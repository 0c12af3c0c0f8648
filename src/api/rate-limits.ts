import { addressBlock } from '../core/address-block.ts'
import type { Caller } from '../core/principals.ts'
import { principalName } from '../core/principals.ts'
import type { RateLimit, RatePort, RateStanding } from '../core/rate-port.ts'

export interface RateLimitSettings {
  /** For each credential that is shown; null is without a limit. */
  readonly token: RateLimit | null
  /** For each agent or person, whatever it shows. */
  readonly principal: RateLimit | null
  /** For each address, before anybody knows who calls. */
  readonly address: RateLimit | null
  /** Where they are counted: together for every process of the store. */
  readonly rates: RatePort
}

/** How fast one credential, one principal and one address are answered, whichever process they ask. */
export class RateLimits {
  readonly #settings: RateLimitSettings

  constructor(settings: RateLimitSettings) {
    this.#settings = settings
  }

  /** Before a bearer is looked at, so that wrong ones cost no more than right ones. Null: nothing is limited. */
  async ofAddress(address: string | null): Promise<RateStanding | null> {
    const { rates, address: limit } = this.#settings
    return limit === null ? null : rates.take(`request address ${addressBlock(address)}`, limit)
  }

  /** Once it is known who calls. @returns the standing that is nearest to its end */
  async ofCaller({ principal, access }: Caller): Promise<RateStanding | null> {
    const { rates, principal: ofPrincipal, token: ofToken } = this.#settings
    const [own, token] = await Promise.all([
      ofPrincipal === null
        ? null
        : rates.take(`request principal ${principalName(principal)}`, ofPrincipal),
      ofToken === null || access === undefined
        ? null
        : rates.take(`request credential ${access.credential.id}`, ofToken),
    ])
    if (own === null || token === null) return own ?? token
    if (own.isAllowed !== token.isAllowed) return own.isAllowed ? token : own
    return own.remaining < token.remaining ? own : token
  }
}

/** RateLimit header fields, and Retry-After where the request was refused. */
export function rateHeaders(standing: RateStanding): Readonly<Record<string, string>> {
  return {
    'RateLimit-Limit': String(standing.limit),
    'RateLimit-Remaining': String(standing.remaining),
    'RateLimit-Reset': String(standing.resetSeconds),
    ...(standing.isAllowed ? {} : { 'Retry-After': String(standing.retryAfterSeconds) }),
  }
}
