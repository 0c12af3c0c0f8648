// Whatever bytes come: a policy or a list of what is wrong, and the same policy as other readers would see.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { exactValue } from '../../src/policy/tool-policy/exact-value.ts'
import { decideTool, readToolPolicy } from '../../src/policy/tool-policy/index.ts'
import { JsonProblem } from '../../src/policy/tool-policy/json-tree.ts'
import { parseYamlTree } from '../../src/policy/tool-policy/yaml-tree.ts'
import { call, policyDocument } from '../support/random-policies.ts'

/** Some places of a text replaced by what matters to a reader. */
const BITS = [
  '',
  ' ',
  '0',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  "'",
  '- ',
  '\n',
  '\n  ',
  '&a ',
  '*a',
  '!!x ',
  '<<: ',
  '\u0000',
  '\ud800',
  '#',
  '|',
  '? ',
  '1e999',
  '.inf',
  'null',
]
const changes = fc.array(fc.tuple(fc.nat(2_000), fc.nat(4), fc.constantFrom(...BITS)), {
  minLength: 1,
  maxLength: 4,
})
function changed(text: string, some: readonly (readonly [number, number, string])[]): string {
  return some.reduce((all, [at, cut, bit]) => {
    const place = at % (all.length + 1)
    return `${all.slice(0, place)}${bit}${all.slice(place + cut)}`
  }, text)
}

for (const format of ['json', 'yaml'] as const)
  test(`bent ${format} is a policy or a list of what is wrong, and never anything else`, async () => {
    await fc.assert(
      fc.asyncProperty(policyDocument, changes, call, async (document, some, one) => {
        const text = format === 'json' ? JSON.stringify(document) : stringify(document)
        const read = await readToolPolicy(Buffer.from(changed(text, some)), format)
        if ('problems' in read) assert.ok(read.problems.length > 0)
        else assert.equal(typeof decideTool(read.policy, one).allowed, 'boolean')
      }),
      { numRuns: 150 },
    )
  })

const scalars = fc.constantFrom(
  'a',
  'yes',
  'No',
  'on',
  'y',
  'true',
  'True',
  '~',
  '',
  'null',
  '1',
  '-1',
  '01',
  '010',
  '0x1F',
  '0o17',
  '0b1',
  '1_000',
  '1.5',
  '.5',
  '1.',
  '1e3',
  '1E+3',
  '.inf',
  '-.INF',
  '.nan',
  '1:30',
  '12:30:45',
  '190:20:30',
  '2026-11-20',
  '2026-11-20T10:00:00Z',
  '=',
  '<<',
  "'yes'",
  '"01"',
  '"1:30"',
  "'~'",
  'a: b',
  '- a',
  '!!str 1',
  '&x a',
  '*x',
  '| a',
  '"\\u0041"',
  '@a',
  '`a',
  '%a',
  'a #b',
  '0.10',
  '+1',
  '1e',
  'Infinity',
  'NaN',
)
const lines = fc.array(
  fc.tuple(fc.constantFrom('a', 'b', 'c', '1', 'yes', '"yes"', '<<', '~'), scalars),
  {
    minLength: 1,
    maxLength: 4,
  },
)

test('what is read as YAML is the same to readers of 1.1 and of 1.2', () => {
  let readable = 0
  fc.assert(
    fc.property(lines, fc.boolean(), (some, isFlow) => {
      const pairs = some.map(([key, value]) => `${key}: ${value}`)
      const text = isFlow ? `{${pairs.join(', ')}}` : pairs.join('\n')
      let value: unknown
      try {
        value = exactValue(parseYamlTree(text))
      } catch (error) {
        assert.ok(error instanceof JsonProblem, text)
        return
      }
      if (new Set(some.map(([key]) => key.replaceAll('"', ''))).size < some.length) return
      readable += 1
      const plain = JSON.parse(JSON.stringify(value)) as unknown
      for (const version of ['1.1', '1.2'] as const)
        assert.deepEqual(
          JSON.parse(JSON.stringify(parse(text, { version, logLevel: 'silent' }))),
          plain,
          `${version}: ${text}`,
        )
    }),
    { numRuns: 3_000 },
  )
  assert.ok(readable > 100)
})
