import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceFrom, traceIdIn, withTrace } from './trace.ts'

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = `00-${ID}-00f067aa0ba902b7-01`

const parents: readonly [what: string, parent: unknown, isOne: boolean][] = [
  ['of the specification', PARENT, true],
  ['of a later version, with more', `01-${ID}-00f067aa0ba902b7-01-what.comes`, true],
  ['capitals', PARENT.toUpperCase(), false],
  ['version ff', PARENT.replace('00-', 'ff-'), false],
  ['no trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, false],
  ['no parent', `00-${ID}-${'0'.repeat(16)}-01`, false],
  ['a line break behind it', `${PARENT}\n`, false],
  ['nothing', '', false],
  ['a number', 7, false],
]
for (const [what, parent, isOne] of parents)
  test(`traceparent: ${what}`, () => {
    assert.equal(traceFrom(parent, undefined) !== null, isOne)
    assert.equal(traceIdIn({ _meta: { traceparent: parent } }), isOne ? ID : undefined)
  })

test('a state that is no header is left out', () => {
  assert.deepEqual(traceFrom(PARENT, 'a=1'), { traceparent: PARENT, tracestate: 'a=1' })
  assert.equal(traceFrom(PARENT, 'a\nb')?.tracestate, null)
})

const trace = { traceparent: PARENT, tracestate: 'a=1' }
const put = `"traceparent":"${PARENT}","tracestate":"a=1"`
const texts: readonly [before: string, after: string][] = [
  ['{"id":1,"method":"ping"}', `{"id":1,"method":"ping","params":{"_meta":{${put}}}}`],
  ['{"params":{"a":1.0},"id":1}', `{"params":{"a":1.0,"_meta":{${put}}},"id":1}`],
  ['{"params":{"_meta":{"b":2}}}', `{"params":{"_meta":{"b":2,${put}}}}`],
  ['{"params":{"_meta":{"traceparent":"x"}}}', '{"params":{"_meta":{"traceparent":"x"}}}'],
  ['{"params":[1]}', '{"params":[1]}'],
  ['{"params":{"_meta":5}}', '{"params":{"_meta":5}}'],
]
for (const [before, after] of texts)
  test(`a trace in ${before}`, () => assert.equal(withTrace(before, trace), after))
