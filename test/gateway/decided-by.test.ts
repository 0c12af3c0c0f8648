// What the audit says of each call: which rule let it pass, or which did not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallRecord } from '../../src/gateway/index.ts'
import { between, last, policiesOf, type Recorded, vault } from '../support/between.ts'
import { openTestVault } from '../support/vault.ts'

const NAMED = {
  default: 'deny',
  all_tools: { limits: [{ counter: 'all', window: 'month', max: 1_000 }] },
  tools: {
    echo: {},
    'a/b': { audit: 'durable' },
    asking: {
      approve_if: [
        { conditions: [{ path: 'args.n', op: 'eq', value: 1 }] },
        { name: 'always', conditions: [] },
      ],
    },
    watched: { action: 'shadow', deny_if: [{ conditions: [] }] },
    limited: { limits: [{ counter: 'none', window: 'month', max: 0 }] },
  },
  classes: { reading: ['look'] },
  class: { reading: {} },
  methods: { 'prompts/*': {}, 'resources/read': { require: [] }, ping: { action: 'deny' } },
}

type Row = readonly [what: string, policies: readonly object[], message: object, by: string]

const call = (name: string): object => ({ method: 'tools/call', params: { name } })
const rows: readonly Row[] = [
  ['a tool of its own rule', [NAMED], call('echo'), 'intent /tools/echo'],
  ['a tool with a slash, for good', [NAMED], call('a/b'), 'intent /tools/a~1b'],
  ['a rule in shadow', [NAMED], call('watched'), 'intent /tools/watched'],
  ['a rule that asks a person', [NAMED], call('asking'), 'refusal /tools/asking/approve_if/1'],
  [
    'a rule that asks a person, of several policies',
    [{ default: 'allow' }, NAMED],
    call('asking'),
    'refusal p2#/tools/asking/approve_if/1',
  ],
  ['a tool of a class', [NAMED], call('look'), 'intent /class/reading'],
  ['a tool that is not named', [NAMED], call('other'), 'refusal /default'],
  ['a limit', [NAMED], call('limited'), 'refusal /tools/limited/limits/0'],
  ['a method of a family', [NAMED], { method: 'prompts/get' }, 'intent /methods/prompts~1*'],
  ['a method', [NAMED], { method: 'resources/read' }, 'intent /methods/resources~1read'],
  ['a method that a rule denies', [NAMED], { method: 'ping' }, 'refusal /methods/ping/action'],
  ['a method that is not named', [NAMED], { method: 'made/up' }, 'refusal /default'],
  ['what the protocol lives on', [NAMED], { method: 'tools/list' }, 'intent (protocol)'],
  ['default: allow', [{ default: 'allow' }], call('other'), 'intent /default'],
  ['default: allow of methods', [{ default: 'allow' }], { method: 'made/up' }, 'intent /default'],
  [
    'several policies',
    [NAMED, { default: 'allow' }],
    call('echo'),
    'intent p1#/tools/echo p2#/default',
  ],
  ['one of several', [{ default: 'allow' }, NAMED], call('other'), 'refusal p2#/default'],
  ['no policy', [], call('other'), 'intent (no policy)'],
]

/** The newest record of a call, and how it reads in lists. */
async function newest(of = vault): Promise<readonly [Recorded & { kind: string }, string | null]> {
  const [entry = assert.fail('no record')] = (await of.audit.query({ limit: 20 })).filter(
    ({ action }) => action === 'tool.call' || action === 'method.call',
  )
  return [JSON.parse(entry.body) as Recorded, entry.decision]
}

for (const [what, policies, message, by] of rows)
  test(`the record of a call names the rule that decided: ${what}`, async () => {
    const one = await between(null)
    one.policies = await policiesOf(...policies)
    await one.client({ id: 1, ...message })
    const [record, decision] = await newest()
    assert.equal(`${record.kind} ${record.by}`, by)
    const [, rule = ''] = /^\w+ (.*)$/.exec(by) ?? []
    assert.equal(decision, `${record.kind === 'intent' ? 'allowed' : 'refused'}: ${rule}`)
  })

test('it does so where calls are recorded in transactions, and of tasks by the call that made them', async () => {
  const apart = await openTestVault()
  try {
    const { db, ledger, identity } = apart
    const opened = new CallRecord({ db, ledger, standing: identity.standing })
    const one = await between(NAMED, { record: async () => opened })
    await one.client({ id: 1, ...call('echo') })
    await one.server({ id: 1, result: { task: { taskId: 't1', status: 'working' } } })
    assert.equal((await newest(apart))[0].by, '/tools/echo')
    await one.client({ id: 2, method: 'tasks/get', params: { taskId: 't1' } })
    assert.equal(one.toServer.length, 2, JSON.stringify(last(one)))
    assert.equal((await newest(apart))[0].by, '/tools/echo')
  } finally {
    await apart.dispose()
  }
})

for (const how of ['written down', 'in transactions'])
  test(`an answer that is kept back is of the method that was asked, and of the tool that was called, ${how}`, async () => {
    const of = how === 'in transactions' ? await openTestVault() : vault
    try {
      const { db, ledger, identity } = of
      const opened = new CallRecord({ db, ledger, standing: identity.standing })
      const answers = { deny_if: [{ conditions: [] }] }
      const policy = { default: 'deny', tools: { echo: { on_result: answers } } }
      const one = await between(policy, of === vault ? {} : { record: async () => opened })
      const result = { content: [{ type: 'text', text: 'done' }] }
      const told = async (): Promise<unknown> => {
        const [{ kind, action, by, detail }] = await newest(of)
        return [kind, action, by, detail?.['method'], detail?.['tool']]
      }
      const rule = '/tools/echo/on_result/deny_if/0'
      await one.client({ id: 1, ...call('echo') })
      await one.server({ id: 1, result })
      assert.deepEqual(await told(), ['refusal', 'tool.call', rule, undefined, 'echo'])
      await one.client({ id: 2, ...call('echo') })
      await one.server({ id: 2, result: { task: { taskId: 't2', status: 'working' } } })
      await one.client({ id: 3, method: 'tasks/result', params: { taskId: 't2' } })
      await one.server({ id: 3, result })
      assert.deepEqual(await told(), ['refusal', 'method.call', rule, 'tasks/result', 'echo'])
    } finally {
      if (of !== vault) await of.dispose()
    }
  })
