// What holds for every policy and every call.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placeIn } from '../../src/core/counter-port.ts'
import { epochMs, toIso } from '../../src/core/time.ts'
import { decideByAll } from '../../src/gateway/applied-policies.ts'
import {
  decideTool,
  isListed,
  type ToolLimit,
  type ToolPolicy,
  toolPolicyOf,
  windowOf,
} from '../../src/policy/tool-policy/index.ts'
import {
  call,
  denyClause,
  type PolicyDocument,
  policyDocument,
} from '../support/random-policies.ts'

const RUNS = { numRuns: 250 }
const calls = fc.array(call, { minLength: 1, maxLength: 20 })
const read = (document: object): Promise<ToolPolicy> =>
  toolPolicyOf('p.json', Buffer.from(JSON.stringify(document)))

/** Names of tools whose rule takes more clauses. */
function ruled({ tools = {} }: PolicyDocument): readonly string[] {
  return Object.keys(tools).filter((name) => {
    const action = tools[name]?.['action']
    return action !== 'deny' && action !== 'hide'
  })
}

function withClause(document: PolicyDocument, key: string, at: number, clause: object): object {
  const names = [...ruled(document), null]
  const name = names[at % names.length] ?? null
  const added = (rule: Readonly<Record<string, unknown>> = {}): object => ({
    ...rule,
    [key]: [...((rule[key] as object[] | undefined) ?? []), clause],
  })
  return name === null
    ? { ...document, all_tools: added(document['all_tools'] as Record<string, unknown>) }
    : { ...document, tools: { ...document.tools, [name]: added(document.tools?.[name]) } }
}

const stricter: readonly [
  what: string,
  change: (document: PolicyDocument, at: number, clause: { conditions: object[] }) => object,
][] = [
  ['one more deny_if', (document, at, clause) => withClause(document, 'deny_if', at, clause)],
  [
    'one more require',
    (document, at, clause) =>
      clause.conditions.length === 0 ? document : withClause(document, 'require', at, clause),
  ],
  [
    'one more limit',
    (document, at) =>
      withClause(document, 'limits', at, { counter: 'n', window: 'day', max: 1, cost: 'args.x' }),
  ],
  [
    'one more hidden tool',
    (document, at) => ({
      ...document,
      hide: [
        ...new Set([
          ...((document['hide'] as string[] | undefined) ?? []),
          'abcdeABd'.charAt(at % 8),
        ]),
      ],
    }),
  ],
  ['a default that denies', (document) => ({ ...document, default: 'deny' })],
]
for (const [what, change] of stricter)
  test(`with ${what} no call passes that did not pass before`, async () => {
    let passed = 0
    await fc.assert(
      fc.asyncProperty(
        policyDocument,
        fc.nat(50),
        denyClause,
        calls,
        async (document, at, clause, some) => {
          const [before, after] = await Promise.all([
            read(document),
            read(change(document, at, clause)),
          ])
          for (const one of some)
            if (decideTool(after, one).allowed) {
              passed += 1
              assert.equal(decideTool(before, one).allowed, true)
            }
        },
      ),
      RUNS,
    )
    assert.ok(passed > 10, 'calls that pass were among them')
  })

test('a clause that is met, or in doubt, denies whatever else is there', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, fc.nat(50), calls, async (document, at, some) => {
      const policy = await read(
        withClause({ ...document, tools: {} }, 'deny_if', at, { conditions: [] }),
      )
      for (const one of some) assert.equal(decideTool(policy, one).allowed, false)
    }),
    RUNS,
  )
})

test('several policies are their conjunction: a call passes all, and all of their limits count', async () => {
  const documents = fc.array(policyDocument, { minLength: 2, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(documents, calls, async (some, made) => {
      const policies = await Promise.all(some.map(read))
      const applied = policies.map((policy, at) => ({ name: `p${at}`, policy, revision: `${at}` }))
      for (const one of made) {
        const each = policies.map((policy) => decideTool(policy, one))
        const all = decideByAll(applied, one)
        assert.equal(
          all.allowed,
          each.every(({ allowed }) => allowed),
        )
        if (!all.allowed) continue
        assert.deepEqual(
          all.charges.map(({ amount, limit }) => [limit.counter, amount]),
          each.flatMap((decision) =>
            decision.allowed
              ? decision.charges.map(({ amount, limit }) => [limit.counter, amount])
              : [],
          ),
        )
        assert.equal(
          all.needsApproval !== null,
          each.some((decision) => decision.allowed && decision.needsApproval !== null),
        )
      }
    }),
    RUNS,
  )
})

test('what could be called is listed', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, calls, async (document, some) => {
      const policy = await read(document)
      for (const one of some)
        if (decideTool(policy, one).allowed)
          assert.equal(isListed(policy, one.tool, one.toolClass), true, one.tool)
    }),
    RUNS,
  )
})

const limitOf = (
  window: ToolLimit['window'],
  algorithm: ToolLimit['algorithm'],
  max: number,
): ToolLimit => ({
  counter: 'c',
  window,
  max,
  scale: 0,
  cost: { kind: 'fixed', units: 1 },
  scope: 'grant',
  algorithm,
  onDeny: null,
  name: null,
  pointer: '',
})
const instant = fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2035, 0, 1) })

/** What a calendar on the wall says. */
const PERIOD: readonly [window: ToolLimit['window'], period: (at: number) => string][] = [
  ['second', (at) => toIso(epochMs(at)).slice(0, 19)],
  ['minute', (at) => toIso(epochMs(at)).slice(0, 16)],
  ['hour', (at) => toIso(epochMs(at)).slice(0, 13)],
  ['day', (at) => toIso(epochMs(at)).slice(0, 10)],
  ['month', (at) => toIso(epochMs(at)).slice(0, 7)],
  [
    'week',
    (at) => {
      const day = new Date(at)
      day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))
      return day.toISOString().slice(0, 10)
    },
  ],
]
for (const [window, period] of PERIOD)
  test(`a calendar ${window} is that of the calendar, and ends when the next begins`, () => {
    fc.assert(
      fc.property(instant, fc.integer({ min: -100_000_000, max: 100_000_000 }), (at, apart) => {
        const limit = limitOf(window, 'calendar', 1)
        const [one, other] = [at, at + apart].map((now) => placeIn(windowOf(limit), epochMs(now)))
        assert.ok(one !== undefined && other !== undefined)
        assert.equal(one.bucket === other.bucket, period(at) === period(at + apart))
        assert.ok(one.bucket <= at && at < one.endsAt)
        assert.equal(period(one.endsAt - 1), period(at))
        assert.notEqual(period(one.endsAt), period(at))
      }),
    )
  })

test('a sliding window lets pass what a list of all calls would, but for one part of sixty', () => {
  const lengths = fc.constantFrom<readonly [ToolLimit['window'], number]>(
    ['second', 1_000],
    ['minute', 60_000],
    [7, 7_000],
    [90, 90_000],
  )
  fc.assert(
    fc.property(
      lengths,
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 50, maxLength: 200 }),
      instant,
      ([window, length], max, steps, start) => {
        const limit = limitOf(window, 'sliding', max)
        const part = Math.ceil(length / 60)
        const counted: number[] = []
        const passed: number[] = []
        let now = start
        for (const step of steps) {
          now += Math.round((step * length) / 60)
          const { bucket, from } = placeIn(windowOf(limit), epochMs(now))
          const isAllowed = counted.filter((one) => one >= from).length < max
          const within = passed.filter((one) => one > now - length).length
          const nearly = passed.filter((one) => one >= now - length - part).length
          if (isAllowed) assert.ok(within < max, 'never more than max in any interval')
          else assert.ok(nearly >= max, 'nothing is refused that a part less would let pass')
          if (!isAllowed) continue
          counted.push(bucket)
          passed.push(now)
        }
      },
    ),
  )
})
