// A policy on calls of which not everything was kept: what it may have decided, and nothing else.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type CallSubject,
  decideResult,
  decideTool,
  type ToolDecision,
  type ToolPolicy,
  toolPolicyOf,
} from '../../src/policy/tool-policy/index.ts'
import {
  everyWay,
  type RecordedSubject,
  replayedPolicy,
  UNRECORDED,
  UNRECORDED_TEXT,
  unknownCostOf,
} from '../../src/policy/tool-policy/texts.ts'
import { call, policyDocument } from '../support/random-policies.ts'
import { toolCall } from '../support/tool-calls.ts'

const MOST = 20_000
const read = (document: object): Promise<ToolPolicy> =>
  toolPolicyOf(
    'p.json',
    Buffer.from(JSON.stringify({ version: '1', default: 'allow', ...document })),
  )

function waysOf(
  policy: ToolPolicy,
  recorded: Partial<RecordedSubject> & Pick<RecordedSubject, 'subject'>,
) {
  const whole = { hasAnnotations: true, parts: null, ...recorded }
  const { subject } = whole
  assert.ok(!('method' in subject))
  return (
    everyWay((choose) => decideTool(replayedPolicy(policy, whole, choose), subject), MOST) ?? []
  )
}

/** What can be told apart of a decision whose amounts may not be known. */
function essence(decision: ToolDecision): string {
  if (!decision.allowed) return `denied by ${decision.rule}, ${decision.isHidden}`
  const { charges, needsApproval, shadow, isDurable, judgesResult } = decision
  return JSON.stringify([
    charges.map(({ limit, amount, isShadow }) => [
      limit.counter,
      limit.pointer,
      unknownCostOf(limit) === null ? amount : '?',
      isShadow,
    ]),
    needsApproval?.rule,
    shadow?.rule,
    isDurable,
    judgesResult,
  ])
}

/** The value with some of what is in it not kept, as a recording has it. */
function holed(value: unknown, holes: readonly boolean[], at = { n: 0 }): unknown {
  const isHole = holes[at.n % holes.length] ?? false
  at.n += 1
  if (typeof value === 'string') return isHole ? UNRECORDED_TEXT : value
  if (isHole) return UNRECORDED
  if (Array.isArray(value)) return value.map((one) => holed(one, holes, at))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, holed(one, holes, at)]))
}

test('of a call that was kept whole it decides as the policy does', async () => {
  await fc.assert(
    fc.asyncProperty(
      policyDocument,
      fc.array(call, { minLength: 1, maxLength: 10 }),
      async (document, calls) => {
        const policy = await read(document)
        for (const subject of calls)
          assert.deepEqual(waysOf(policy, { subject }).map(essence), [
            essence(decideTool(policy, subject)),
          ])
      },
    ),
    { numRuns: 250 },
  )
})

test('what it decides of the whole call is among the ways, whatever was not kept', async () => {
  let open = 0
  await fc.assert(
    fc.asyncProperty(
      policyDocument,
      fc.array(call, { minLength: 1, maxLength: 10 }),
      fc.array(fc.boolean(), { minLength: 3, maxLength: 9 }),
      fc.boolean(),
      async (document, calls, holes, hasAnnotations) => {
        const policy = await read(document)
        for (const subject of calls) {
          // Costs are compared by name, so what is counted of them is not.
          const args = Object.fromEntries(
            Object.entries(subject.args).map(([key, one], at) => [
              key,
              holed(one, holes.slice(at % holes.length)),
            ]),
          )
          const kept: CallSubject = {
            ...subject,
            args,
            ...(!hasAnnotations && { annotations: {} }),
          }
          const ways = waysOf(policy, { subject: kept, hasAnnotations })
          if (ways.length > 1) open += 1
          const truth = decideTool(policy, subject)
          const found = new Set(ways.map(essence))
          assert.ok(
            found.has(essence(truth)) || ways.some((way) => isSame(way, truth)),
            `${essence(truth)} is not among ${[...found].join(' | ')}`,
          )
        }
      },
    ),
    { numRuns: 250 },
  )
  assert.ok(open > 100, 'much was open')
})

/** Amounts that are not known are any. */
function isSame(way: ToolDecision, truth: ToolDecision): boolean {
  if (!way.allowed || !truth.allowed) return essence(way) === essence(truth)
  const amounts = way.charges.map(({ limit, amount }, at) =>
    unknownCostOf(limit) === null ? amount : (truth.charges[at]?.amount ?? -1),
  )
  const charges = (one: typeof way, of: readonly number[]) =>
    one.charges.map(({ limit, isShadow }, at) => [limit.pointer, of[at], isShadow])
  if (way.charges.length !== truth.charges.length) return false
  return (
    JSON.stringify([charges(way, amounts), way.needsApproval?.rule, way.shadow?.rule]) ===
    JSON.stringify([
      charges(
        truth,
        truth.charges.map(({ amount }) => amount),
      ),
      truth.needsApproval?.rule,
      truth.shadow?.rule,
    ])
  )
}

const is = (path: string, op: string, value: unknown) => ({ path, op, value })
const kept = {
  a: UNRECORDED_TEXT,
  b: UNRECORDED,
  n: 5,
  list: ['x', UNRECORDED_TEXT],
  in: { c: UNRECORDED },
}

/** What a condition on such a call may have come out as, as one that allows. */
const tests: readonly [what: string, condition: object, ways: readonly boolean[]][] = [
  ['a text that was not kept is there', is('args.a', 'exists', true), [true]],
  ['and it is not missing', is('args.a', 'exists', false), [false]],
  ['it is no number', is('args.a', 'eq', 5), [false]],
  ['nor another one', is('args.a', 'neq', 5), [true]],
  ['it may be some text', is('args.a', 'eq', 'x'), [true, false]],
  ['or not', is('args.a', 'neq', 'x'), [true, false]],
  ['among numbers it is not', is('args.a', 'in', [1, null]), [false]],
  ['among texts it may be', is('args.a', 'in', [1, 'x']), [true, false]],
  ['or not be', is('args.a', 'not_in', ['x']), [true, false]],
  ['it is not compared as a number', is('args.a', 'lt', 5), [false]],
  ['nor from the other side', { not: is('args.a', 'gte', 5) }, [false]],
  ['it may hold a text', is('args.a', 'contains', 'x'), [true, false]],
  ['it holds no number', is('args.a', 'contains', 5), [false]],
  ['a pattern may be found', is('args.a', 'regex', 'x'), [true, false]],
  ['there is nothing within a text', is('args.a.b', 'exists', false), [true]],
  ['what was not kept may be missing', is('args.b', 'exists', false), [true, false]],
  ['or equal', is('args.b', 'eq', null), [true, false]],
  ['or less', is('args.b', 'lte', 1), [true, false]],
  ['or hold something', is('args.b.c.d', 'eq', 1), [true, false]],
  ['what is missing is missing', is('args.z', 'exists', false), [true]],
  ['and nothing else', is('args.z', 'eq', 'x'), [false]],
  ['what was kept is judged', is('args.n', 'gt', 4), [true]],
  ['what stands in a list is found', is('args.list', 'contains', 'x'), [true]],
  ['what may stand there may', is('args.list', 'contains', 'y'), [true, false]],
  ['by its place too', is('args#/list/1', 'eq', 'y'), [true, false]],
  ['beside it', is('args#/list/0', 'eq', 'x'), [true]],
  ['behind the end there is nothing', is('args#/list/2', 'exists', false), [true]],
  [
    'one of two that is met is enough',
    { any: [is('args.b', 'eq', 1), is('args.n', 'eq', 5)] },
    [true],
  ],
  ['both are not', { all: [is('args.b', 'eq', 1), is('args.n', 'eq', 6)] }, [false]],
  ['turned round it stays open', { not: is('args.b', 'eq', 1) }, [true, false]],
  [
    'the same question has one answer',
    { any: [is('args.b', 'eq', 1), { not: is('args.b', 'eq', 1) }] },
    [true],
  ],
  ['deep down', is('args.in.c', 'in', ['x']), [true, false]],
  ['beside what was not kept', is('args.in.d', 'exists', false), [true]],
]
for (const [what, condition, expected] of tests)
  test(`not kept: ${what}`, async () => {
    const policy = await read({ tools: { t: { require: [{ conditions: [condition] }] } } })
    const ways = waysOf(policy, { subject: toolCall('t', kept) })
    assert.deepEqual(
      [...new Set(ways.map(({ allowed }) => allowed))].toSorted((a, b) => Number(b) - Number(a)),
      expected,
    )
  })

test('a cost that was not kept may be none, or an amount that is not known', async () => {
  const policy = await read({
    tools: {
      t: {
        limits: [
          { counter: 'a', window: 'day', max: 5, cost: 'args.n' },
          { counter: 'b', window: 'day', max: 5, cost: 'args.b' },
        ],
      },
      u: { limits: [{ counter: 'a', window: 'day', max: 5, cost: 'args.a' }] },
    },
  })
  assert.deepEqual(waysOf(policy, { subject: toolCall('t', kept) }).map(essence), [
    '[[["a","/tools/t/limits/0",5,false],["b","/tools/t/limits/1","?",false]],null,null,false,false]',
    'denied by /tools/t/limits/1/cost, false',
  ])
  assert.deepEqual(waysOf(policy, { subject: toolCall('u', kept) }).map(essence), [
    'denied by /tools/u/limits/0/cost, false',
  ])
})

test('of an answer, what was read is known, what stands in it too, and nothing else', async () => {
  const subject = toolCall('t')
  const parts = [
    { path: { root: 'result', steps: ['rows'], isPointer: false }, found: { value: { n: 3 } } },
    { path: { root: 'result', steps: ['gone'], isPointer: false }, found: 'missing' },
    { path: { root: 'result', steps: ['big'], isPointer: false }, found: 'unrecorded' },
  ] as const
  const answers: readonly [condition: object, ways: readonly boolean[]][] = [
    [is('result.rows.n', 'eq', 3), [true]],
    [is('result.rows.m', 'exists', true), [false]],
    [is('result.rows', 'exists', true), [true]],
    [is('result.gone.n', 'exists', false), [true]],
    [is('result.other', 'exists', false), [true, false]],
    [is('result.big', 'eq', 1), [true, false]],
    [is('text', 'contains', 'x'), [true, false]],
    [is('text', 'exists', true), [true]],
  ]
  for (const [condition, expected] of answers) {
    const policy = await read({
      tools: { t: { on_result: { require: [{ conditions: [condition] }] } } },
    })
    const ways = everyWay(
      (choose) =>
        decideResult(
          replayedPolicy(policy, { subject, hasAnnotations: true, parts }, choose),
          subject,
          {},
        ),
      MOST,
    )
    assert.deepEqual(
      [...new Set(ways?.map(({ allowed }) => allowed))].toSorted((a, b) => Number(b) - Number(a)),
      expected,
      JSON.stringify(condition),
    )
  }
})

test('too many ways are none', () => {
  const ask = (n: number) => (choose: Parameters<Parameters<typeof everyWay>[0]>[0]) =>
    Array.from({ length: n }, (_, at) =>
      choose({ key: `${at}`, path: { root: 'args', steps: [], isPointer: false } }, [true, false]),
    )
  assert.equal(everyWay(ask(3), 8)?.length, 8)
  assert.equal(everyWay(ask(3), 7), null)
  assert.equal(new Set(everyWay(ask(5), 32)?.map(String)).size, 32)
})
