import { type ApiServer, createApi, RateLimits } from '../api/index.ts'
import type { RequestLimits } from '../core/config.ts'
import type { Log } from '../core/log.ts'
import type { RateLimit, RatePort } from '../core/rate-port.ts'
import { type Clock, systemClock } from '../core/time.ts'
import { rightsRevision } from '../keys/index.ts'
import { type CallInspection, createContentInspection } from '../secret-tools/index.ts'
import { withKnownValues } from './known-values.ts'
import { lazily } from './lazily.ts'
import type { Stack } from './open-stack.ts'

export interface OpenApiOptions {
  readonly log: Log
  readonly inspection: CallInspection
  /** Where browsers find this server, where that is known. */
  readonly site?: string
  /** Where the pages are on which people sign in; left out: on this machine alone. */
  readonly pagesAt?: () => string
  /** Requests a second; nothing is limited that is not in it. */
  readonly limits?: RequestLimits
  readonly clock?: Clock
}

/** The HTTP API over an open store. */
export function openApi(
  stack: Stack,
  { log, inspection, site, pagesAt, limits, clock }: OpenApiOptions,
): ApiServer {
  const { db, keys, identity } = stack
  return createApi({
    vault: stack.vault,
    audit: stack.audit,
    policies: stack.policies,
    authentication: identity.authentication,
    agents: identity.agents,
    enrolments: lazily(() =>
      identity.enrolments({ approvals: stack.approvals.approvals, rates: stack.rates }),
    ),
    freezes: identity.freezes,
    grants: stack.grants,
    gateway: stack.registry,
    replays: lazily(async () => (await import('./open-replay.ts')).openReplay(stack)),
    approvals: stack.approvals.approvals,
    approvalUrl: stack.approvals.urlOf,
    webhooks: stack.approvals.webhooks,
    callers: identity.callers,
    people: () => identity.people(),
    sharing: stack.sharing,
    site: site ?? null,
    pagesAt: pagesAt ?? (() => site ?? null),
    limits: limits === undefined ? null : requestLimits(limits, stack.rates),
    now: clock ?? systemClock,
    inspectContent: createContentInspection({
      log,
      inspection: withKnownValues(inspection, async () => stack.knownTo),
    }),
    db,
    isHealthy: () => storeAnswers(stack),
    cursorKey: async () => (await db.read((reader) => keys.active(reader, 'cursor'))).key,
    log,
  })
}

/** Twice as many at once as in a second. */
export function requestLimits(
  { token, agent, address }: RequestLimits,
  rates: RatePort,
): RateLimits {
  const limit = (perSecond: number | null): RateLimit | null =>
    perSecond === null ? null : { perSecond, burst: 2 * perSecond }
  return new RateLimits({
    token: limit(token),
    principal: limit(agent),
    address: limit(address),
    rates,
  })
}

/** Whether the store can be read now. */
export async function storeAnswers({ db }: Pick<Stack, 'db'>): Promise<boolean> {
  try {
    await db.read((reader) => rightsRevision(reader))
    return true
  } catch {
    return false
  }
}
