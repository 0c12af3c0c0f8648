import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readToolPolicy } from './read-tool-policy.ts'

async function warningsOf(policy: object): Promise<readonly string[]> {
  const text = JSON.stringify({ version: '1', default: 'deny', ...policy })
  const read = await readToolPolicy(Buffer.from(text))
  assert.ok('policy' in read, JSON.stringify(read))
  return read.warnings.map(({ problem }) => problem)
}
const is = (path: string, op: string, value: unknown) => ({ path, op, value })
const NEVER = 'its conditions are never met together'
const SESSION = "a client can begin a new session and with it a new count; the scope 'grant' holds"
const limit = (more: object) => ({ counter: 'c', window: 'day', max: 1, ...more })

const policies: readonly [what: string, policy: object, warnings: readonly string[]][] = [
  ['nothing to say', { tools: { t: { limits: [limit({})] } } }, []],
  ['a count by session', { tools: { t: { limits: [limit({ scope: 'session' })] } } }, [SESSION]],
  ['the short form', { all_tools: { rate_limit: { max: 1, window: 60 } } }, [SESSION]],
  [
    'none where nothing is recorded',
    { tools: { t: { record: 'none' } } },
    ["'record' is 'none' and the policy records no calls: it counts beside others only"],
  ],
  ['none where something is', { record: '7d', tools: { t: { record: 'none' } } }, []],
  [
    'what looks like a way into lists',
    {
      tools: {
        t: {
          deny_if: [
            { conditions: [is('args.to.0.id', 'eq', 1)] },
            { conditions: [{ any: [is('/to/*/id', 'eq', 1)] }] },
            { conditions: [is('/to/0/id', 'eq', 1)] },
          ],
          limits: [limit({ cost: 'args.to.0' })],
        },
      },
    },
    [
      "names joined by dots do not lead into lists: write 'args#/to/0/id' for an element",
      "'*' in a path is a name: no path leads to all elements of a list",
      "names joined by dots do not lead into lists: write 'args#/to/0' for an element",
    ],
  ],
  [
    'a limit of nothing',
    { tools: { t: { limits: [limit({ max: 0 })] } } },
    ["lets no call pass; the action 'deny' says so"],
  ],
  [
    'one counter with two caps',
    { tools: { a: { limits: [limit({})] }, b: { limits: [limit({ max: 2 })] } } },
    ["the counter 'c' has another 'max' at /tools/a/limits/0; they count together"],
  ],
  [
    'one counter by two scopes',
    { tools: { a: { limits: [limit({})] }, b: { limits: [limit({ max: 2, scope: 'org' })] } } },
    [],
  ],
  [
    'what stands behind a denial of everything',
    {
      tools: {
        t: {
          deny_if: [{ conditions: [] }, { conditions: [is('args.a', 'eq', 1)] }],
          limits: [limit({})],
        },
      },
    },
    [
      'never counts: a clause without conditions denies every call',
      'never counts: a clause without conditions denies every call',
    ],
  ],
  [
    'a rule of a hidden tool',
    { hide: ['t'], tools: { t: {} } },
    ["the tool is hidden by 'hide': its rule never counts"],
  ],
  [
    'a rule where all are hidden',
    { hide: ['*'], tools: { t: {} } },
    ["the tool is hidden by 'hide': its rule never counts"],
  ],
  ['a class nobody is in', { class: { odd: {} } }, ["'classes' has no tool of the class 'odd'"]],
  [
    'a class others know, and nobody is in',
    { class: { destructive: { action: 'deny' } } },
    ["'classes' has no tool of the class 'destructive'"],
  ],
  ['a class somebody is in', { classes: { read: ['t'] }, class: { read: {} } }, []],
  [
    'classes that conditions name and nobody is in',
    {
      classes: { read: ['t'] },
      all_tools: {
        deny_if: [
          { conditions: [is('class', 'eq', 'Destructve')] },
          { conditions: [{ any: [{ not: is('class', 'in', ['read', 'odd', 'odd']) }] }] },
        ],
        require: [{ conditions: [is('class', 'neq', 'write')] }],
        approve_if: [{ conditions: [is('class', 'eq', 'read'), is('tool', 'eq', 'odd')] }],
      },
    },
    [
      "'classes' has no tool of the class 'Destructve'",
      "'classes' has no tool of the class 'odd'",
      "'classes' has no tool of the class 'write'",
    ],
  ],
  [
    'a shadow of nothing',
    { tools: { t: { action: 'shadow' } } },
    ["'shadow' has nothing to let pass: the rule never denies"],
  ],
  [
    'a client that names itself',
    { tools: { t: { require: [{ conditions: [{ not: is('client', 'eq', 'x') }] }] } } },
    ["clients name themselves: whoever wants to has another 'client'"],
  ],
  [
    'what a server says of itself',
    { all_tools: { require: [{ conditions: [is('annotations.readOnlyHint', 'eq', true)] }] } },
    ["servers say 'annotations' of themselves: trust them as you trust the server"],
  ],
]
for (const [what, policy, warnings] of policies)
  test(`warnings of ${what}`, async () => {
    assert.deepEqual(await warningsOf(policy), warnings)
  })

const together: readonly [conditions: readonly object[], isNever: boolean][] = [
  [[is('args.a', 'eq', 1), is('args.a', 'eq', 2)], true],
  [[is('args.a', 'eq', 1), is('args.a', 'eq', 1.0)], false],
  [[is('args.a', 'eq', 1), is('args.b', 'eq', 2)], false],
  [[is('args.a', 'in', [1, 2]), is('args.a', 'gt', 2)], true],
  [[is('args.a', 'in', [1, 3]), is('args.a', 'gt', 2)], false],
  [[is('args.a', 'gt', 5), is('args.a', 'lt', 5)], true],
  [[is('args.a', 'gt', 5), is('args.a', 'lte', 5)], true],
  [[is('args.a', 'gte', 5), is('args.a', 'lte', 5)], false],
  [[is('args.a', 'lt', 6), is('args.a', 'gt', 5)], false],
  [[is('args.a', 'exists', false), is('args.a', 'eq', 1)], true],
  [[is('args.a', 'eq', 'x'), is('args.a', 'regex', '^y')], true],
  [[is('args.a', 'eq', 'x'), is('args.a', 'neq', 'x')], true],
]
for (const [conditions, isNever] of together)
  test(`${JSON.stringify(conditions)} ${isNever ? 'never hold' : 'may hold'} together`, async () => {
    const warnings = await warningsOf({ tools: { t: { require: [{ conditions }] } } })
    assert.deepEqual(warnings, isNever ? [NEVER] : [])
  })

test('long lists on one place are held against each other in no time', async () => {
  const numbers = (from: number): readonly number[] =>
    Array.from({ length: 12_000 }, (_, index) => from + index)
  const from = performance.now()
  for (const op of ['in', 'not_in']) {
    const conditions = [is('args.a', 'in', numbers(0)), is('args.a', op, numbers(12_000))]
    const warnings = await warningsOf({ tools: { t: { require: [{ conditions }] } } })
    assert.deepEqual(warnings, op === 'in' ? [NEVER] : [])
  }
  assert.ok(performance.now() - from < 5000)
})

test('a warning says where', async () => {
  const text =
    '{"version":"1","default":"deny","tools":{\n"t":{"rate_limit":\n {"max":1,"window":60}}}}'
  const read = await readToolPolicy(Buffer.from(text))
  assert.ok('policy' in read)
  assert.deepEqual(read.warnings, [{ line: 3, column: 2, problem: SESSION }])
})
