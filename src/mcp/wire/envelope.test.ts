import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { disagreement } from '../../../test/support/disagreements.ts'
import { mutatedFrame, randomFrom } from '../../../test/support/mutated-frames.ts'
import { ExactNumber } from '../../core/decimal.ts'
import { judgedParams, judgedPart, readFrame, readMessage } from './envelope.ts'

const frame = (text: string) => readFrame(Buffer.from(text))
const head = '"jsonrpc":"2.0","id":1'

test('a request, a notification and both kinds of answers are read, ids as they were written', () => {
  const request = frame('{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"x"}}')
  assert.equal(request.kind, 'request')
  assert.ok(request.kind === 'request')
  assert.equal(request.idText, '1.0')
  assert.equal(request.idKey, 'n1')
  assert.deepEqual(request.params?.value, { name: 'x' })
  assert.equal(frame('{"jsonrpc":"2.0","method":"a/b"}').kind, 'notification')
  const result = frame('{"result":{"a":[1]},"id":"x","jsonrpc":"2.0"}')
  assert.ok(result.kind === 'response')
  assert.deepEqual([result.outcome, result.idKey, result.body.value], ['result', 'sx', { a: [1] }])
  for (const [id, at] of [
    ['"id":null,', 22],
    ['', -1],
  ] as const) {
    const error = frame(`{"jsonrpc":"2.0",${id}"error":{"code":-1,"message":"m"}}`)
    assert.ok(error.kind === 'response')
    assert.deepEqual([error.outcome, error.idKey, error.idText], ['error', null, 'null'])
    assert.equal(error.idAt, at)
  }
})

const refused: readonly [what: string, text: string, code: number, id?: string][] = [
  ['no JSON', '{"jsonrpc"', -32700],
  ['a byte order mark', `\ufeff{${head},"method":"ping"}`, -32700],
  ['a comment', `{${head},"method":"ping"/**/}`, -32700],
  ['a batch', `[{${head},"method":"ping"}]`, -32600],
  ['an empty batch', '[]', -32600],
  ['a text', '"x"', -32600],
  ['null', 'null', -32600],
  ['another version', '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, '1'],
  ['a version that is a number', '{"jsonrpc":2.0,"id":1,"method":"ping"}', -32600, '1'],
  ['no version', '{"id":1,"method":"ping"}', -32600, '1'],
  ['two methods', `{${head},"method":"ping","method":"tools/call"}`, -32600],
  ['two methods, one escaped', `{${head},"method":"ping","\\u006dethod":"tools/call"}`, -32600],
  ['Method beside method', `{${head},"method":"tools/call","Method":"ping"}`, -32600],
  ['only Method', `{${head},"Method":"tools/call"}`, -32600],
  ['paramſ', `{${head},"method":"tools/call","paramſ":{"name":"x"}}`, -32600],
  ['full-width ｉd', '{"jsonrpc":"2.0","ｉd":1,"method":"tools/call"}', -32600],
  ['a soft hyphen in it', `{${head},"meth\u00adod":"tools/call"}`, -32600],
  ['a NUL behind it', `{${head},"method":"ping","method\\u0000":"tools/call"}`, -32600],
  ['another name twice', `{${head},"method":"ping","x":1,"x":2}`, -32600],
  ['another name twice but for case', `{${head},"method":"ping","\u212a":1,"k":2}`, -32600],
  ['half a character', `{${head},"method":"ping","\\ud800":1}`, -32600],
  ['no method', `{${head}}`, -32600, '1'],
  ['a method that is none', `{${head},"method":1}`, -32600, '1'],
  ['params that are none', `{${head},"method":"a","params":"b"}`, -32600, '1'],
  ['params of nothing', `{${head},"params":{}}`, -32600, '1'],
  ['a request with a result', `{${head},"method":"ping","result":{}}`, -32600, '1'],
  ['result and error', `{${head},"result":{},"error":{"code":1,"message":"m"}}`, -32600, '1'],
  ['an error that is none', `{${head},"error":"x"}`, -32600, '1'],
  ['a request with id null', '{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
  ['an id that is a list', '{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600],
  ['an id no double keeps', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', -32600],
  ['an id too long', `{"jsonrpc":"2.0","id":"${'i'.repeat(1001)}","method":"ping"}`, -32600],
  ['a number too long', `{"jsonrpc":"2.0","id":1.${'0'.repeat(999)},"method":"ping"}`, -32600],
  ['an answer to it', `{"jsonrpc":"2.0","id":"${'i'.repeat(1001)}","result":{}}`, -32600],
  ['an infinite id', '{"jsonrpc":"2.0","id":1e400,"method":"ping"}', -32600],
  ['a result for id null', '{"jsonrpc":"2.0","id":null,"result":{}}', -32600],
  ['a result without an id', '{"jsonrpc":"2.0","result":{}}', -32600],
  ['an error that is none, without an id', '{"jsonrpc":"2.0","error":{"code":"1"}}', -32600],
  [
    'an error without an id, and a result',
    '{"jsonrpc":"2.0","result":{},"error":{"code":1,"message":"m"}}',
    -32600,
  ],
  [
    'an error without an id, and a method',
    '{"jsonrpc":"2.0","method":"a","error":{"code":1,"message":"m"}}',
    -32600,
  ],
  [
    'an error without an id, and params',
    '{"jsonrpc":"2.0","params":{},"error":{"code":1,"message":"m"}}',
    -32600,
  ],
  [
    'an error for an id that is none',
    '{"jsonrpc":"2.0","id":[],"error":{"code":1,"message":"m"}}',
    -32600,
  ],
  [
    'an error without an id, and Id',
    '{"jsonrpc":"2.0","Id":1,"error":{"code":1,"message":"m"}}',
    -32600,
  ],
  ['a carriage return inside', `{"a":\r{${head},"method":"tools/call"}\r}`, -32600],
]
for (const [what, text, code, id = 'null'] of refused)
  test(`refused: ${what}`, () => {
    const read = frame(text)
    assert.ok(read.kind === 'refused', 'it was read')
    assert.deepEqual([read.code, read.idText], [code, id])
  })

test('ids of 1000 characters pass, however they are escaped', () => {
  for (const id of [
    `"${'\u00e9'.repeat(1000)}"`,
    `"${'\\u00e9'.repeat(1000)}"`,
    `1.${'0'.repeat(998)}`,
  ])
    assert.equal(frame(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`).kind, 'request')
})

test('bytes that are not UTF-8 are refused', () => {
  const read = readFrame(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))
  assert.ok(read.kind === 'refused')
  assert.equal(read.code, -32700)
})

const keptWhole = [
  '{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"n":12345678901234567890,"m":1.0,"e":1e3}}',
  '  {"params" : {"10":1,"2":"\\u00e9\\/"}, "method":"x","jsonrpc":"2.0" }  ',
  '{"jsonrpc":"2.0","method":"x","params":[1,{"a":1,"a":2}],"extra":null}\r',
]
for (const text of keptWhole)
  test(`the bytes stay: ${text}`, () => {
    const read = frame(text)
    assert.ok(read.kind !== 'refused')
    assert.equal(read.text, text)
  })

const call = (params: string) => {
  const read = readMessage(`{${head},"method":"tools/call","params":${params}}`)
  assert.ok(read.kind === 'request')
  return judgedParams(read)
}

const badParams: readonly [what: string, params: string][] = [
  ['a list', '["a"]'],
  ['a name twice', '{"name":"a","name":"b"}'],
  ['a name twice in arguments', '{"name":"a","arguments":{"x":1,"x":2}}'],
  ['a name twice deep in a list', '{"name":"a","arguments":[{"b":[[{"x":1,"y":2,"x":1}]]}]}'],
  ['__proto__ twice', '{"name":"a","arguments":{"__proto__":1,"__proto__":2}}'],
  ['Name beside name', '{"name":"a","Name":"b"}'],
  ['only Arguments', '{"name":"a","Arguments":{}}'],
  ['inputresponses', '{"name":"a","inputresponses":{}}'],
  ['argumentſ', '{"name":"a","argumentſ":{}}'],
  ['an infinite number', '{"name":"a","arguments":{"x":1e400}}'],
  ['a number without end', `{"name":"a","arguments":{"x":${'1'.repeat(1001)}}}`],
  ['257 levels', `{"name":"a","arguments":${'['.repeat(256)}${']'.repeat(256)}}`],
]
for (const [what, params] of badParams)
  test(`params of an inspected message: ${what} is −32602`, () => {
    const judged = call(params)
    assert.ok('refused' in judged)
    assert.equal(judged.refused.code, -32602)
    assert.equal(judged.refused.idText, '1')
  })

test('params say what they say, whatever their names are', () => {
  assert.deepEqual(call('{"kind":"refused","refused":1}'), {
    params: { kind: 'refused', refused: 1 },
  })
})

test('numbers that a double changes are judged as they were written', () => {
  const judged = call('{"a":12345678901234567890,"b":0.1000000000000000000001,"c":0.1,"d":1e3}')
  assert.deepEqual(judged, {
    params: {
      a: 12345678901234567890n,
      b: new ExactNumber('0.1000000000000000000001'),
      c: 0.1,
      d: 1000,
    },
  })
})

test('a result in which a name stands twice is marked', () => {
  const read = readMessage('{"jsonrpc":"2.0","id":1,"result":{"a":{"b":1,"c":":","b":2}}}')
  assert.ok(read.kind === 'response')
  assert.deepEqual(judgedPart(read, read.body), {
    value: { a: { b: 2, c: ':' } },
    hasTwins: true,
    problem: null,
  })
})

test('whatever JSON.stringify writes as params is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (params, isSpaced) => {
      const text = JSON.stringify(
        { jsonrpc: '2.0', id: 7, method: 'x/y', params },
        null,
        isSpaced ? 2 : 0,
      )
      const read = readMessage(text)
      assert.ok(read.kind === 'request')
      const judged = judgedPart(read, read.params ?? assert.fail())
      assert.deepEqual(judged, {
        value: (JSON.parse(text) as { params: unknown }).params,
        hasTwins: false,
        problem: null,
      })
    }),
    { numRuns: 500 },
  )
})

test('no reader makes something else of a bent frame that passes', () => {
  const random = randomFrom(20261121)
  for (let made = 0; made < 30_000; made += 1) {
    const bent = mutatedFrame(random)
    assert.equal(disagreement(bent), null, bent)
  }
})
