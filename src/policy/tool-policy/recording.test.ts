import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toolCall } from '../../../test/support/tool-calls.ts'
import { readToolPolicy, toolPolicyOf } from './read-tool-policy.ts'
import { recordSecondsOf, resultPathsOf } from './recording.ts'

const policyOf = (more: object) =>
  toolPolicyOf('p.json', Buffer.from(JSON.stringify({ version: '1', default: 'allow', ...more })))
const HOUR = 3_600
const DAY = 86_400

const spans: readonly [what: string, policy: object, tool: string, seconds: number | null][] = [
  ['nothing', {}, 't', null],
  ['the whole policy', { record: '7d' }, 't', 7 * DAY],
  ['hours', { record: '12h' }, 't', 12 * HOUR],
  ['weeks', { record: '4w' }, 't', 28 * DAY],
  ['a year at most', { record: '365d' }, 't', 365 * DAY],
  ['a tool of its own', { tools: { t: { record: '1d' } } }, 't', DAY],
  ['the others then', { tools: { t: { record: '1d' } } }, 'u', null],
  ['all but one', { record: '7d', tools: { t: { record: 'none' } } }, 't', 0],
  ['a rule that says nothing of it', { record: '7d', tools: { t: {} } }, 't', 7 * DAY],
  ['what is denied', { record: '7d', tools: { t: { action: 'deny' } } }, 't', 7 * DAY],
  ['a class', { classes: { read: ['t'] }, class: { read: { record: '2d' } } }, 't', 2 * DAY],
]
for (const [what, more, tool, seconds] of spans)
  test(`record: ${what}`, async () => {
    const policy = await policyOf(more)
    assert.equal(recordSecondsOf(policy, toolCall(tool)), seconds)
    assert.equal(policy.records, JSON.stringify(more).match(/"record":"\d/) !== null)
  })

for (const record of ['366d', '0h', '7', '7m', '-1d', '7D', ' 7d', 'forever', 'none', '', 7, null])
  test(`record: ${JSON.stringify(record)} is no span for a policy`, async () => {
    const text = JSON.stringify({ version: '1', default: 'allow', record })
    assert.ok('problems' in (await readToolPolicy(Buffer.from(text))))
  })

test('record: it is told where it is wrong, in JSON and YAML', async () => {
  const read = await readToolPolicy(
    Buffer.from('default: deny\nversion: "1"\nrecord: 7m\n'),
    'yaml',
  )
  assert.deepEqual('problems' in read && read.problems, [
    {
      line: 3,
      column: 9,
      problem: "'record' says for how long: hours, days or weeks such as '7d', at most a year",
    },
  ])
})

test('what is read of an answer: conditions in groups, costs, each once', async () => {
  const policy = await policyOf({
    all_tools: {
      on_result: { require: [{ conditions: [{ path: 'text', op: 'regex', value: 'a' }] }] },
    },
    tools: {
      t: {
        require: [{ conditions: [{ path: 'args.a', op: 'eq', value: 1 }] }],
        on_result: {
          deny_if: [
            {
              conditions: [
                {
                  any: [
                    { not: { path: 'result.rows', op: 'gt', value: 5 } },
                    { path: 'args.b', op: 'eq', value: 1 },
                  ],
                },
              ],
            },
          ],
        },
        limits: [
          { counter: 'rows', window: 'day', max: 9, cost: { path: 'result.rows', estimate: 1 } },
          {
            counter: 'size',
            window: 'day',
            max: 9,
            cost: { path: 'result#/size/0', estimate: 'args.a' },
          },
        ],
      },
    },
  })
  assert.deepEqual(resultPathsOf(policy, toolCall('t')), [
    { root: 'result', steps: ['rows'], isPointer: false },
    { root: 'result', steps: ['size', '0'], isPointer: true },
    { root: 'text', steps: [], isPointer: false },
  ])
  assert.deepEqual(resultPathsOf(policy, toolCall('u')), [
    { root: 'text', steps: [], isPointer: false },
  ])
})
