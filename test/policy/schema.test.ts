// The schema for editors and the reader speak of one format.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { readToolPolicy } from '../../src/policy/tool-policy/index.ts'
import { policyDocument } from '../support/random-policies.ts'

const file = new URL('../../schemas/tool-policy.json', import.meta.url)
const isPolicy = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
  JSON.parse(await readFile(file, 'utf8')) as object,
)
const isRead = async (document: unknown): Promise<boolean> =>
  'policy' in (await readToolPolicy(Buffer.from(JSON.stringify(document))))

test('what the reader takes, the schema takes', async () => {
  await fc.assert(
    fc.asyncProperty(policyDocument, async (document) => {
      assert.equal(await isRead(document), true)
      assert.ok(isPolicy(document), JSON.stringify(isPolicy.errors))
    }),
    { numRuns: 200 },
  )
})

const base = { version: '1', default: 'deny' }
const rule = (one: object) => ({ ...base, tools: { t: one } })
const condition = (one: object) => rule({ require: [{ conditions: [one] }] })
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
