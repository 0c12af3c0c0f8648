import {
  MAX_COUNT,
  RATE,
  RULE_ACTIONS,
  RULE_KEYS,
  RULE_WINDOWS,
  STATE_KEYS,
  TIMEOUT,
} from './intercept-keys.ts'
import { listOf, object, oneOf, ref, type Schema, said, text, whole } from './schema-parts.ts'

const none = (names: readonly string[]): Schema => ({
  not: { anyOf: names.map((name) => ({ required: [name] })) },
})
const actionIs = (action: (typeof RULE_ACTIONS)[number]): Schema => ({
  properties: { action: { const: action } },
  required: ['action'],
})
const ofCounter = {
  type: 'object',
  properties: { path: { type: 'string', pattern: '^state\\.' } },
  required: ['path'],
}

const WITHOUT_CAPS: Schema = {
  properties: { conditions: { type: 'array', not: { contains: ofCounter } } },
}

/** What a rule has to have where it neither denies nor asks: how often, what has to be met, or how much. */
const EVALUATED: Schema = {
  ...none(['approval_timeout']),
  if: { required: ['rate_limit'] },
  // oxlint-disable-next-line no-thenable -- the word of JSON Schema
  then: none(['conditions', 'state']),
  else: {
    required: ['conditions'],
    properties: { conditions: { type: 'array', minItems: 1 } },
    if: { required: ['state'] },
    // oxlint-disable-next-line no-thenable -- the word of JSON Schema
    then: { properties: { conditions: { type: 'array', contains: ofCounter } } },
    else: WITHOUT_CAPS,
  },
}

/** Definitions of the rules of Intercept, beside those of a policy. */
export const INTERCEPT_DEFINITIONS: Readonly<Record<string, Schema>> = {
  intercept_tool: object(['rules'], { rules: listOf(ref('intercept_rule')) }, ['rules']),
  intercept_rule: {
    ...object(
      RULE_KEYS,
      {
        name: text,
        action: said(oneOf(RULE_ACTIONS), 'evaluate if it is left out.'),
        conditions: listOf({
          if: ofCounter,
          // oxlint-disable-next-line no-thenable -- the word of JSON Schema
          then: ref('intercept_cap'),
          else: ref('test'),
        }),
        on_deny: text,
        rate_limit: said(
          { type: 'string', pattern: RATE.source },
          'As 5/hour, with minute, hour or day.',
        ),
        state: {
          ...object(
            STATE_KEYS,
            {
              counter: { type: 'string', pattern: '^\\S+$' },
              window: oneOf(RULE_WINDOWS),
              increment: whole(1, MAX_COUNT),
              increment_from: said({ type: 'string', pattern: '^args\\.' }, 'As args.amount.'),
            },
            ['counter', 'window'],
          ),
          not: { required: ['increment', 'increment_from'] },
        },
        approval_timeout: said({ type: 'string', pattern: TIMEOUT.source }, 'As 30m.'),
      },
      ['name'],
    ),
    if: actionIs('deny'),
    // oxlint-disable-next-line no-thenable -- the word of JSON Schema
    then: none(['conditions', 'rate_limit', 'state', 'approval_timeout']),
    else: {
      if: actionIs('require_approval'),
      // oxlint-disable-next-line no-thenable -- the word of JSON Schema
      then: { ...none(['rate_limit', 'state']), ...WITHOUT_CAPS },
      else: EVALUATED,
    },
  },
  intercept_cap: object(
    ['path', 'op', 'value'],
    {
      path: said(text, 'state.TOOL.COUNTER, of this rule; state._global.COUNTER for all tools.'),
      op: oneOf(['lt', 'lte']),
      value: { type: 'number', minimum: 0 },
    },
    ['path', 'op', 'value'],
  ),
}
