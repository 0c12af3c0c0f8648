import type { RateLimits } from '../api/index.ts'
import type { AuthenticationPort } from '../core/identity-port.ts'
import { demandRate, type RateStanding } from '../core/rate-port.ts'

/**
 * The same, for doors that ask with every request who shows a bearer: as often as the API answers, and out of the same
 * buckets, so that no door is a way around the limits of another.
 */
export function limitedAuthentication(
  authentication: AuthenticationPort,
  limits: RateLimits | null,
): AuthenticationPort {
  if (limits === null) return authentication
  return {
    exchange: (...given) => authentication.exchange(...given),
    exchangeWorkload: (...given) => authentication.exchangeWorkload(...given),
    async authenticate(bearer, origin) {
      demand(await limits.ofAddress(origin.address))
      const caller = await authentication.authenticate(bearer, origin)
      demand(await limits.ofCaller(caller))
      return caller
    },
    revoke: (...given) => authentication.revoke(...given),
    keySet: () => authentication.keySet(),
    org: () => authentication.org(),
    // Each request counts.
    changes: () => null,
  }
}

function demand(standing: RateStanding | null): void {
  if (standing !== null) demandRate(standing, 'requests')
}
