import {
  ALL_TOOLS_KEYS,
  APPROVE_KEYS,
  AUDITS,
  CLASS_NAME,
  CLAUSE_KEYS,
  CONDITION_KEYS,
  COST_KEYS,
  COUNTER,
  DAYS,
  LIMIT_KEYS,
  MAX_APPROVAL,
  MAX_SCALE,
  MAX_WINDOW,
  MIN_APPROVAL,
  NO_RECORD,
  ON_RESULT_KEYS,
  POLICY_KEYS,
  RATE_LIMIT_KEYS,
  RECORD_FOR,
  RULE_KEYS,
  TIME_KEYS,
} from './document-keys.ts'
import { INTERCEPT_DEFINITIONS } from './intercept-schema.ts'
import { FAMILIES, METHODS, SUBJECTS } from './method-names.ts'
import { ACTIONS, ALGORITHMS, OPERATORS, type Operator, SCOPES, WINDOWS } from './model.ts'
import type { PolicyFormat } from './read-tool-policy.ts'
import {
  listOf,
  type Members,
  object,
  oneOf,
  ref,
  type Schema,
  said,
  scalar,
  text,
  whole,
} from './schema-parts.ts'

const namedRules = (names: Schema): Schema => ({
  type: 'object',
  propertyNames: names,
  additionalProperties: ref('rule'),
})

/** Of the protocol, or of none of its families. */
const methodName: Schema = {
  anyOf: [
    { enum: [...METHODS, ...FAMILIES.map((one) => `${one}/*`)].filter((one) => one !== 'tools/*') },
    { pattern: `^(?!(?:${FAMILIES.join('|')})(?:/|$))(?:[^*]+|[^*/]+/\\*)$` },
    { pattern: `^notifications/(?!(?:${SUBJECTS.join('|')})/)[^*/]+/[^*]+$` },
  ],
}

const VALUE_OF: Readonly<Record<Operator, Schema>> = {
  eq: scalar,
  neq: scalar,
  lt: { type: 'number' },
  lte: { type: 'number' },
  gt: { type: 'number' },
  gte: { type: 'number' },
  in: listOf(scalar, { minItems: 1 }),
  not_in: listOf(scalar, { minItems: 1 }),
  exists: { type: 'boolean' },
  regex: text,
  contains: scalar,
}

const RULE_BODY: Members<(typeof ALL_TOOLS_KEYS)[number]> = {
  deny_if: said(
    listOf(ref('clause')),
    'A call that meets one of these is denied; one without conditions, or none at all, denies always.',
  ),
  require: said(listOf(ref('needed_clause')), 'A call has to meet all of these.'),
  approve_if: said(
    listOf(
      object(APPROVE_KEYS, { name: text, conditions: ref('conditions'), reason: text }, [
        'conditions',
      ]),
      { minItems: 1 },
    ),
    'A call that meets one of these waits for a person.',
  ),
  on_result: said(
    {
      ...object(ON_RESULT_KEYS, {
        deny_if: listOf(ref('clause'), { minItems: 1 }),
        require: listOf(ref('needed_clause')),
      }),
      minProperties: 1,
    },
    'Judges the answer before anybody sees it.',
  ),
  limits: said(listOf(ref('limit')), 'How often, and how much.'),
  rate_limit: said(
    object(RATE_LIMIT_KEYS, { max: whole(0), window: whole(1, MAX_WINDOW) }, ['max', 'window']),
    'Short for a limit of calls by session; the window is in seconds.',
  ),
  audit: said(oneOf(AUDITS), 'The call is in the audit for good before it is sent.'),
  approval_timeout: said(
    whole(MIN_APPROVAL, MAX_APPROVAL),
    'How long a person is waited for, in seconds.',
  ),
}

const TOOLS = 'Rules by name of the tool.'

/** What stands in YAML beside what stands in JSON: the rules of Intercept, those for all tools among them. */
const YAML_TOOLS: Schema = {
  type: 'object',
  propertyNames: { minLength: 1 },
  properties: { '*': ref('intercept_tool') },
  additionalProperties: {
    if: { type: 'object', required: ['rules'] },
    // oxlint-disable-next-line no-thenable -- the word of JSON Schema
    then: ref('intercept_tool'),
    else: ref('rule'),
  },
}

/** The JSON Schema (draft 7) of policies in one form, for editors. What only a reader can tell is not in it. */
export function toolPolicySchema(format: PolicyFormat): Schema {
  const isYaml = format === 'yaml'
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: `Sallyport policy on the tools of an MCP server${isYaml ? ', in YAML' : ''}`,
    ...object(
      POLICY_KEYS,
      {
        $schema: text,
        version: { const: '1' },
        description: text,
        default: said(
          oneOf(['allow', 'deny']),
          `For tools and methods that are not named${isYaml ? '; allow if it is left out' : ''}.`,
        ),
        hide: said(
          listOf(text, { uniqueItems: true }),
          'Tools that are answered as if they were not there; "*" is all.',
        ),
        record: said(
          { type: 'string', pattern: RECORD_FOR.source },
          'Calls are recorded for so long, redacted and sealed, for `sallyport policy replay`: 12h, 7d, 4w.',
        ),
        list_denied: said({ type: 'boolean' }, 'Tools that are named and denied stay in the list.'),
        all_tools: said(object(ALL_TOOLS_KEYS, RULE_BODY), 'Holds for every call of a tool.'),
        tools: isYaml
          ? said(
              YAML_TOOLS,
              `${TOOLS} Those of Intercept are in 'rules', and "*" is for all tools.`,
            )
          : said(namedRules({ minLength: 1, not: { const: '*' } }), TOOLS),
        classes: said(
          {
            type: 'object',
            propertyNames: { pattern: CLASS_NAME.source },
            additionalProperties: listOf(text),
          },
          'Which tools are of which class; each is of one.',
        ),
        class: said(
          namedRules({ pattern: CLASS_NAME.source }),
          'Rules for the tools of a class that have none of their own.',
        ),
        methods: said(
          namedRules(methodName),
          'Rules for resources/read, prompts/get, sampling/createMessage and other methods.',
        ),
      },
      isYaml ? ['version'] : ['version', 'default'],
    ),
    // Both would be for all tools.
    ...(isYaml && {
      not: {
        required: ['all_tools', 'tools'],
        properties: { tools: { type: 'object', required: ['*'] } },
      },
    }),
    definitions: {
      ...(isYaml && INTERCEPT_DEFINITIONS),
      rule: object(RULE_KEYS, {
        action: said(
          oneOf(ACTIONS),
          'allow if it is left out; shadow lets pass what it would deny, and says so.',
        ),
        reason: said(text, 'Said where a clause or a limit has no text of its own.'),
        record: said(
          { type: 'string', pattern: `${RECORD_FOR.source}|^${NO_RECORD}$` },
          'As above, for these calls; none where they are not recorded.',
        ),
        ...RULE_BODY,
      }),
      clause: object(CLAUSE_KEYS, { name: text, conditions: ref('conditions'), on_deny: text }, [
        'conditions',
      ]),
      needed_clause: object(
        CLAUSE_KEYS,
        { name: text, conditions: listOf(ref('test'), { minItems: 1 }), on_deny: text },
        ['conditions'],
      ),
      conditions: said(listOf(ref('test')), 'All of them together.'),
      test: {
        anyOf: [
          ref('condition'),
          object(['all'], { all: listOf(ref('test'), { minItems: 1 }) }, ['all']),
          object(['any'], { any: listOf(ref('test'), { minItems: 1 }) }, ['any']),
          object(['not'], { not: ref('test') }, ['not']),
          object(['time'], { time: ref('time') }, ['time']),
        ],
      },
      condition: {
        ...object(
          CONDITION_KEYS,
          {
            path: said(
              text,
              'args.to.kind, or a JSON Pointer: /to/0 or args#/to/0; also principal, labels, client, class, tool, ' +
                'annotations.readOnlyHint, and in on_result: text, result.isError.',
            ),
            op: oneOf(OPERATORS),
            value: said({}, 'What it is held against; which kinds depends on op.'),
          },
          ['path', 'op', 'value'],
        ),
        allOf: OPERATORS.map((op) => ({
          if: { properties: { op: { const: op } }, required: ['op'] },
          // oxlint-disable-next-line no-thenable -- the word of JSON Schema
          then: { properties: { value: VALUE_OF[op] } },
        })),
      },
      time: {
        ...object(TIME_KEYS, {
          from: said({ type: 'string', pattern: '^(?:[01]\\d|2[0-3]):[0-5]\\d$' }, 'As "09:30".'),
          to: said(
            { type: 'string', pattern: '^(?:(?:[01]\\d|2[0-3]):[0-5]\\d|24:00)$' },
            'Not included; before "from" it is on the next day.',
          ),
          days: listOf(oneOf(DAYS), { minItems: 1 }),
          zone: said(text, 'As Europe/Berlin; else UTC.'),
        }),
        anyOf: [{ required: ['from'] }, { required: ['to'] }, { required: ['days'] }],
      },
      limit: object(
        LIMIT_KEYS,
        {
          name: text,
          counter: said(
            { type: 'string', pattern: COUNTER.source },
            'Limits with the same counter, window, scope and algorithm count together.',
          ),
          window: { anyOf: [oneOf(WINDOWS), said(whole(1, MAX_WINDOW), 'Seconds.')] },
          max: { type: 'number', minimum: 0 },
          scope: said(oneOf(SCOPES), 'Whose calls count together; grant if it is left out.'),
          algorithm: said(
            oneOf(ALGORITHMS),
            'sliding up to an hour and calendar beyond, if it is left out.',
          ),
          cost: {
            anyOf: [
              said({ type: 'number', minimum: 0 }, 'The same for every call.'),
              said(text, 'A path to a number: args.amount.'),
              object(
                COST_KEYS,
                {
                  path: text,
                  estimate: said(
                    { anyOf: [{ type: 'number', minimum: 0 }, text] },
                    'For a path into the result: taken until the answer is there.',
                  ),
                  scale: said(whole(0, MAX_SCALE), 'Digits behind the point that are counted.'),
                },
                ['path'],
              ),
            ],
          },
          on_deny: text,
        },
        ['counter', 'window', 'max'],
      ),
    },
  }
}
