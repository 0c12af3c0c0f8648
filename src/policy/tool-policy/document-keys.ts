/** The names that a policy is written with: what is read, what the schema for editors offers. */
export const POLICY_KEYS = [
  '$schema',
  'version',
  'description',
  'default',
  'record',
  'list_denied',
  'hide',
  'classes',
  'all_tools',
  'class',
  'tools',
  'methods',
] as const

/** What may stand in a rule, beside what says who or what it is for. */
export const RULE_BODY_KEYS = [
  'deny_if',
  'require',
  'approve_if',
  'on_result',
  'limits',
  'rate_limit',
  'audit',
  'approval_timeout',
] as const
export const ALL_TOOLS_KEYS = RULE_BODY_KEYS
export const RULE_KEYS = ['action', 'reason', 'record', ...RULE_BODY_KEYS] as const
export const ON_RESULT_KEYS = ['deny_if', 'require'] as const
/** Kinds of durability that `audit` may ask for. */
export const AUDITS = ['durable'] as const
export const CLAUSE_KEYS = ['name', 'conditions', 'on_deny'] as const
export const APPROVE_KEYS = ['name', 'conditions', 'reason'] as const
export const CONDITION_KEYS = ['path', 'op', 'value'] as const
export const GROUPS = ['all', 'any', 'not'] as const
export const TIME_KEYS = ['from', 'to', 'days', 'zone'] as const
export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
export const LIMIT_KEYS = [
  'name',
  'counter',
  'window',
  'max',
  'scope',
  'algorithm',
  'cost',
  'on_deny',
] as const
export const COST_KEYS = ['path', 'estimate', 'scale'] as const
export const RATE_LIMIT_KEYS = ['max', 'window'] as const

export const COUNTER = /^[\w.:-]{1,100}$/
export const CLASS_NAME = /^[a-z][a-z0-9_-]{0,63}$/
/** Of a limit's window, in seconds: a year. */
export const MAX_WINDOW = 31_536_000
/** Digits behind the point of a cost. */
export { MAX_SCALE } from '../../core/counter-units.ts'
/** How long calls are recorded: `12h`, `7d`, `4w`. */
export const RECORD_FOR = /^([1-9]\d{0,3})([hdw])$/
/** What a rule says whose calls are not recorded. */
export const NO_RECORD = 'none'
/** Of what calls are recorded for, in seconds: a year. */
export const MAX_RECORD = 31_536_000
/** How long an approval may be waited for, in seconds: as long as approvals are, from half a minute to a week. */
export const MIN_APPROVAL = 30
export const MAX_APPROVAL = 604_800
