// The schemas for editors and the reader speak of one format, in each of its forms.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { readToolPolicy } from '../../src/policy/tool-policy/index.ts'
import { policyDocument } from '../support/random-policies.ts'

const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true })
const schemaOf = async (name: string) =>
  ajv.compile(
    JSON.parse(await readFile(new URL(`../../schemas/${name}`, import.meta.url), 'utf8')) as object,
  )
const isPolicy = await schemaOf('tool-policy.json')
const isYamlPolicy = await schemaOf('tool-policy-yaml.json')
const isRead = async (document: unknown): Promise<boolean> =>
  'policy' in (await readToolPolicy(Buffer.from(JSON.stringify(document))))
/** Every text in JSON is one in YAML. */
const isReadAsYaml = async (document: unknown): Promise<boolean> =>
  'policy' in (await readToolPolicy(Buffer.from(JSON.stringify(document)), 'yaml'))

test('what the reader takes, the schema takes', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, async (document) => {
      assert.equal(await isRead(document), true)
      assert.ok(isPolicy(document), JSON.stringify(isPolicy.errors))
      const { default: _, ...open } = document
      for (const written of [document, open]) {
        assert.equal(await isReadAsYaml(written), true)
        assert.ok(isYamlPolicy(written), JSON.stringify(isYamlPolicy.errors))
      }
    }),
    { numRuns: 200 },
  )
})

const condition = (one: object) => rule({ require: [{ conditions: [one] }] })
const cap = { path: 'state.t.c', op: 'lte', value: 1 }
const met = { path: 'args.a', op: 'eq', value: 1 }
const state = { counter: 'c', window: 'day' }
/** Rules that are right, and what may stand beside or in place of their words. */
const RIGHT: readonly object[] = [
  { action: 'deny' },
  { action: 'require_approval', conditions: [met] },
  { conditions: [{ any: [met] }] },
  { conditions: [met, cap], state },
  { rate_limit: '5/hour' },
]
const OTHERS: readonly object[] = [
  {},
  { action: 'evaluate' },
  { action: 'deny' },
  { action: 'require_approval' },
  { conditions: [] },
  { conditions: [met] },
  { conditions: [met, cap] },
  { on_deny: 'No.' },
  { rate_limit: '1/day' },
  { rate_limit: '5/week' },
  { state },
  { state: { ...state, increment: 2 } },
  { state: { ...state, increment_from: 'args.n' } },
  { state: { ...state, increment: 2, increment_from: 'args.n' } },
  { approval_timeout: '30m' },
  { approval_timeout: '30' },
]
const interceptRule = fc
  .tuple(fc.constantFrom(...RIGHT), fc.constantFrom(...OTHERS), fc.constantFrom(...OTHERS))
  .map((some) => Object.assign({ name: 'r' }, ...some) as object)

test('of rules of Intercept the schema for YAML takes what the reader takes, and no more', async () => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(interceptRule, fc.constantFrom('t', '*'), async (one, tool) => {
      const text = JSON.stringify({ version: '1', tools: { [tool]: { rules: [one] } } })
      const document: unknown = JSON.parse(
        text.replaceAll('state.t.', `state.${tool === '*' ? '_global' : tool}.`),
      )
      const isValid = await isReadAsYaml(document)
      taken += Number(isValid)
      assert.equal(isYamlPolicy(document), isValid, JSON.stringify(isYamlPolicy.errors))
      assert.deepEqual([await isRead(document), isPolicy(document)], [false, false])
    }),
    { numRuns: 400 },
  )
  assert.ok(taken > 10, `${taken}`)
})

const base = { version: '1', default: 'deny' }
const rule = (one: object) => ({ ...base, tools: { t: one } })
const limit = (one: object) => rule({ limits: [{ counter: 'c', window: 'day', max: 1, ...one }] })
const cost = { path: 'result.n', estimate: 1 }

const both: readonly [document: object, isValid: boolean][] = [
  [base, true],
  [{ ...base, $schema: './tool-policy.json', description: 'x' }, true],
  [{ version: '1' }, false],
  [{ ...base, version: 1 }, false],
  [{ ...base, default: 'block' }, false],
  [{ ...base, hidden: [] }, false],
  [{ ...base, hide: ['a', 'a'] }, false],
  [{ ...base, hide: [''] }, false],
  [{ ...base, list_denied: 'yes' }, false],
  [{ ...base, tools: { '*': {} } }, false],
  [{ ...base, all_tools: { action: 'deny' } }, false],
  [{ ...base, all_tools: { audit: 'durable', approve_if: [{ conditions: [] }] } }, true],
  [{ ...base, classes: { read: ['a'] }, class: { read: {} } }, true],
  [{ ...base, classes: { Read: ['a'] } }, false],
  [{ ...base, classes: { read: 'a' } }, false],
  [{ ...base, class: { 'a b': {} } }, false],
  [{ ...base, methods: { 'resources/*': { on_result: { deny_if: [] } } } }, false],
  [{ ...base, methods: { 'resources/*': { on_result: { require: [] } } } }, true],
  [rule({ deny_if: [] }), true],
  [rule({ approve_if: [] }), false],
  [rule({ require: [], limits: [] }), true],
  [{ ...base, methods: { 'tools/call': {} } }, false],
  [{ ...base, methods: { '*': {} } }, false],
  [{ ...base, methods: { 'tools/*': {} } }, false],
  [{ ...base, methods: { 'tools/list': {}, 'notifications/*': {}, ping: {} } }, true],
  [{ ...base, methods: { 'resources/raed': {} } }, false],
  [{ ...base, methods: { 'sampling/createmessage': {} } }, false],
  [{ ...base, methods: { 'notifications/mesage': {} } }, false],
  [{ ...base, methods: { resources: {} } }, false],
  [{ ...base, methods: { 'vendor/run': {}, 'vendor/*': {}, 'notifications/vendor/x': {} } }, true],
  [rule({ action: 'require_approval', approval_timeout: 30 }), true],
  [rule({ action: 'require_approval', approval_timeout: 29 }), false],
  [rule({ action: 'require_approval', approval_timeout: 604_800 }), true],
  [rule({ action: 'require_approval', approval_timeout: 604_801 }), false],
  [{ ...base, record: '7d' }, true],
  [{ ...base, record: 'none' }, false],
  [{ ...base, record: 7 }, false],
  [{ ...base, record: '7 days' }, false],
  [{ ...base, record: '0d' }, false],
  [{ ...base, all_tools: { record: '7d' } }, false],
  [rule({ record: '12h' }), true],
  [rule({ action: 'deny', record: 'none' }), true],
  [rule({ record: '1m' }), false],
  [rule({ action: 'ask' }), false],
  [rule({ audit: 'fast' }), false],
  [rule({ rules: [] }), false],
  [rule({ on_result: {} }), false],
  [rule({ require: [{ conditions: [] }] }), false],
  [rule({ deny_if: [{ conditions: [] }] }), true],
  [rule({ deny_if: [{}] }), false],
  [rule({ rate_limit: { max: 1, window: 60 } }), true],
  [rule({ rate_limit: '10/minute' }), false],
  [rule({ rate_limit: { max: 1 } }), false],
  [condition({ path: 'args.a', op: 'eq', value: null }), true],
  [condition({ path: 'args.a', op: 'eq', value: [1] }), false],
  [condition({ path: 'args.a', op: 'eq' }), false],
  [condition({ path: 'args.a', op: 'lt', value: '5' }), false],
  [condition({ path: 'args.a', op: 'in', value: 5 }), false],
  [condition({ path: 'args.a', op: 'in', value: [] }), false],
  [condition({ path: 'args.a', op: 'exists', value: 1 }), false],
  [condition({ path: 'args.a', op: 'regex', value: 5 }), false],
  [condition({ path: 'args.a', op: 'like', value: 5 }), false],
  [condition({ any: [] }), false],
  [condition({ not: [] }), false],
  [condition({ any: [{ not: { all: [{ time: { days: ['mon'] } }] } }] }), true],
  [condition({ time: { from: '9:00' } }), false],
  [condition({ time: { zone: 'Europe/Berlin' } }), false],
  [condition({ time: { to: '24:00' } }), true],
  [limit({}), true],
  [limit({ window: 0 }), false],
  [limit({ window: 'fortnight' }), false],
  [limit({ max: -1 }), false],
  [limit({ scope: 'team' }), false],
  [limit({ counter: 'a b' }), false],
  [limit({ cost: 2.5, max: 10.5 }), true],
  [limit({ cost: 'args.amount' }), true],
  [limit({ cost }), true],
  [limit({ cost: { ...cost, scale: 10 } }), false],
  [limit({ cost: { estimate: 1 } }), false],
]
for (const [document, isValid] of both)
  test(`reader and schema alike: ${JSON.stringify(document)} is ${isValid ? 'a' : 'no'} policy`, async () => {
    assert.deepEqual([await isRead(document), isPolicy(document)], [isValid, isValid])
  })

const rules = (...some: readonly object[]) => ({ rules: some })
const deny = { name: 'r', action: 'deny' }
const inYaml: readonly [document: object, isValid: boolean][] = [
  // What is wrong in JSON only: no default, and rules of Intercept.
  ...both.map(([one, isValid]): [object, boolean] => [
    one,
    isValid || !('default' in one) || JSON.stringify(one).includes('"rules"'),
  ]),
  [{ default: 'deny' }, false],
  [{ version: '1', tools: { t: rules() } }, true],
  [{ version: '1', tools: { '*': rules(deny), t: rules(deny), u: { action: 'deny' } } }, true],
  [{ version: '1', tools: { '*': {} } }, false],
  [{ version: '1', tools: { '*': { action: 'deny' } } }, false],
  [{ version: '1', all_tools: {}, tools: { '*': rules(deny) } }, false],
  [{ version: '1', all_tools: {}, tools: { t: rules(deny) } }, true],
  [{ version: '1', tools: { t: { ...rules(deny), action: 'deny' } } }, false],
  [rule(rules({ action: 'deny' })), false],
  [rule(rules({ ...deny, action: 'shadow' })), false],
  [rule(rules({ ...deny, reason: 'x' })), false],
  [rule(rules({ name: 'r', conditions: [{ ...cap, op: 'eq' }], state })), false],
  [rule(rules({ name: 'r', conditions: [cap], state: { ...state, window: 'week' } })), false],
  [rule(rules({ name: 'r', conditions: [cap], state: { ...state, counter: 'a b' } })), false],
  [rule(rules({ name: 'r', conditions: [cap], state: { window: 'day' } })), false],
]
for (const [document, isValid] of inYaml)
  test(`reader and schema alike of YAML: ${JSON.stringify(document)} is ${isValid ? 'a' : 'no'} policy`, async () => {
    assert.deepEqual([await isReadAsYaml(document), isYamlPolicy(document)], [isValid, isValid])
  })
