import type { QuotaSeen } from '../core/quota-port.ts'

const WARNING_PERCENT = 80

/** What the older API says of a quota with every answer; nothing where there is none. */
export function quotaHeaders(seen: QuotaSeen | null): Readonly<Record<string, string>> {
  if (seen === null) return NOTHING
  const { used, limit } = seen
  const percent = limit === 0 ? 100 : Math.floor((used * 100) / limit)
  return {
    'X-RateLimit-Requests-Used': String(used),
    'X-RateLimit-Requests-Limit': String(limit),
    'X-RateLimit-Requests-Percent': String(percent),
    ...(percent > WARNING_PERCENT
      ? { 'X-Quota-Warning': `${percent}% of the monthly quota is used` }
      : {}),
  }
}

const NOTHING: Readonly<Record<string, string>> = {}
