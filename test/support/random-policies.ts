// Policies and calls over few names and values, so that rules meet calls.
import fc from 'fast-check'
import { epochMs } from '../../src/core/time.ts'
import type { CallSubject } from '../../src/policy/tool-policy/model.ts'

const TOOLS = ['a', 'b', 'c', 'A', 'toString']
const NAMES = ['x', 'y', 'X', 'z']
const VALUES = [0, 1, -1, 2.5, 'p', 'q', '1', true, null] as const

const scalar = fc.constantFrom(...VALUES)
const path = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...NAMES.map((name) => `args.${name}`)) },
  fc.constantFrom('args.x.y', '/z/0', 'args#/x/y', 'principal', 'principal.kind', 'class', 'tool'),
  fc.constantFrom('client', 'annotations.readOnlyHint'),
)
const listPath = fc.oneof({ weight: 8, arbitrary: path }, fc.constant('labels'))
const condition = fc.oneof(
  fc.record({ path, op: fc.constantFrom('eq', 'neq'), value: scalar }),
  fc.record({
    path,
    op: fc.constantFrom('lt', 'lte', 'gt', 'gte'),
    value: fc.constantFrom(0, 1, 2, 0.5),
  }),
  fc.record({
    path,
    op: fc.constantFrom('in', 'not_in'),
    value: fc.array(scalar, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ path: listPath, op: fc.constant('exists'), value: fc.boolean() }),
  fc.record({ path, op: fc.constant('regex'), value: fc.constantFrom('p', '^q', '1|x') }),
  fc.record({ path: listPath, op: fc.constant('contains'), value: scalar }),
  fc.constantFrom<{ readonly time: object }>(
    { time: { from: '09:00', to: '17:00' } },
    { time: { from: '22:00', to: '06:00', days: ['fri'], zone: 'Europe/Berlin' } },
  ),
)

const { test: oneTest } = fc.letrec<{ test: object; group: object }>((tie) => ({
  test: fc.oneof({ maxDepth: 3, depthSize: 'small' }, condition, tie('group')),
  group: fc.oneof(
    fc.record({ any: fc.array(tie('test'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ all: fc.array(tie('test'), { minLength: 1, maxLength: 2 }) }),
    fc.record({ not: tie('test') }),
  ),
}))

const someConditions = fc.array(oneTest, { minLength: 1, maxLength: 2 })
const clause = fc.record(
  { conditions: someConditions, on_deny: fc.constantFrom('No.', 'yes: "#1"') },
  { requiredKeys: ['conditions'] },
)
/** What may stand in `deny_if`. */
export const denyClause = fc.oneof(
  { weight: 5, arbitrary: clause },
  fc.constant({ conditions: [] as object[] }),
)
const limit = fc.record(
  {
    counter: fc.constantFrom('k', 'l'),
    window: fc.constantFrom('minute', 'day', 'month', 90),
    max: fc.nat(5),
    scope: fc.constantFrom('grant', 'session', 'server', 'agent', 'org'),
    cost: fc.constantFrom(1, 'args.x', { path: 'args.y', scale: 2 }),
  },
  { requiredKeys: ['counter', 'window', 'max'] },
)

const body = {
  deny_if: fc.array(denyClause, { minLength: 1, maxLength: 2 }),
  require: fc.array(clause, { maxLength: 2 }),
  limits: fc.array(limit, { maxLength: 2 }),
}
const rule = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        ...body,
        action: fc.constantFrom('allow', 'shadow', 'require_approval'),
        record: fc.constantFrom('1d', 'none'),
      },
      { requiredKeys: [] },
    ),
  },
  fc.record({ action: fc.constantFrom('deny', 'hide') }),
)

function named(names: readonly string[]) {
  return fc.dictionary(fc.constantFrom(...names), rule, { maxKeys: 3, noNullPrototype: true })
}

export interface PolicyDocument {
  readonly version: string
  readonly default: 'allow' | 'deny'
  readonly tools?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly [key: string]: unknown
}

/** Documents that are valid. */
export const policyDocument: fc.Arbitrary<PolicyDocument> = fc.record(
  {
    version: fc.constant('1'),
    default: fc.constantFrom('allow', 'deny'),
    record: fc.constantFrom('7d', '12h'),
    hide: fc.uniqueArray(fc.constantFrom('b', 'c', 'd'), { maxLength: 2 }),
    list_denied: fc.boolean(),
    all_tools: fc.record(body, { requiredKeys: [] }),
    tools: named(TOOLS),
    classes: fc.constantFrom({}, { read: ['a', 'd'] }, { read: ['d'], write: ['c'] }),
    class: named(['read', 'write']),
  },
  { requiredKeys: ['version', 'default'] },
)

const args = fc.dictionary(
  fc.constantFrom(...NAMES),
  fc.oneof(scalar, fc.constantFrom([0, 1], ['p'], { y: 1 }, { y: 'q', Y: 2 }, {})),
  { maxKeys: 3, noNullPrototype: true },
)

export const call: fc.Arbitrary<CallSubject> = fc.record({
  tool: fc.constantFrom(...TOOLS, 'd', 'e', 'B'),
  args,
  principal: fc.constantFrom('agent:local', 'user:7', 'agent:7'),
  labels: fc.constantFrom([], ['p'], null),
  client: fc.constantFrom('p', null),
  at: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }).map((at) => epochMs(at)),
  annotations: fc.constantFrom({}, { readOnlyHint: true }, null),
  toolClass: fc.constantFrom('read', 'write', null),
})
