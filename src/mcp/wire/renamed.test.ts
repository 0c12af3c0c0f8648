import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMessage } from './envelope.ts'
import { renamed } from './renamed.ts'

const MESSAGES: readonly [text: string, idText: string, idKey: string, becomes: string][] = [
  [
    '{"jsonrpc":"2.0","id":1,"method":"a","params":{"id":1,"b":[1.0]}}',
    '"g12"',
    'sg12',
    '{"jsonrpc":"2.0","id":"g12","method":"a","params":{"id":1,"b":[1.0]}}',
  ],
  [
    ' { "params" : {"x":"id"} ,"id" : "long id", "method":"a","jsonrpc":"2.0" } ',
    '7',
    'n7',
    ' { "params" : {"x":"id"} ,"id" : 7, "method":"a","jsonrpc":"2.0" } ',
  ],
  [
    '{"jsonrpc":"2.0","id":"g1","method":"ping"}',
    '22',
    'n22',
    '{"jsonrpc":"2.0","id":22,"method":"ping"}',
  ],
  [
    '{"result":{"é":"\\u00e9"},"id":"g1","jsonrpc":"2.0"}',
    '22',
    'n22',
    '{"result":{"é":"\\u00e9"},"id":22,"jsonrpc":"2.0"}',
  ],
  [
    '{"jsonrpc":"2.0","i\\u0064":"g1","error":{"code":-1,"message":""}}',
    '"x"',
    'sx',
    '{"jsonrpc":"2.0","i\\u0064":"x","error":{"code":-1,"message":""}}',
  ],
]
for (const [text, idText, idKey, becomes] of MESSAGES)
  test(`renamed: ${text} is what reading it again would give`, () => {
    const message = readMessage(text)
    assert.ok(message.kind === 'request' || message.kind === 'response')
    const given = renamed(message, idText, idKey)
    assert.equal(given.text, becomes)
    assert.deepEqual(given, readMessage(becomes))
  })
