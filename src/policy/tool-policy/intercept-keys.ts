// The words that rules of Intercept are written in.

export const RULE_KEYS = [
  'name',
  'action',
  'conditions',
  'on_deny',
  'rate_limit',
  'state',
  'approval_timeout',
] as const
export const RULE_ACTIONS = ['evaluate', 'deny', 'require_approval'] as const
export const STATE_KEYS = ['counter', 'window', 'increment', 'increment_from'] as const
export const RULE_WINDOWS = ['minute', 'hour', 'day'] as const
export const RATE = /^([1-9]\d{0,14})\/(minute|hour|day)$/
export const TIMEOUT = /^([1-9]\d{0,5})(s|m|h)$/
export const MAX_COUNT = 1_000_000_000
