import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorAnswer, resultAnswer, withPart } from './answers.ts'
import { judgedPart, readMessage } from './envelope.ts'

test('answers carry the id as it was written', () => {
  assert.equal(
    errorAnswer('1.0', -32600, 'a "b"'),
    '{"jsonrpc":"2.0","id":1.0,"error":{"code":-32600,"message":"a \\"b\\""}}',
  )
  assert.equal(
    resultAnswer('"\\u0061"', { a: 1 }),
    '{"jsonrpc":"2.0","id":"\\u0061","result":{"a":1}}',
  )
})

test('a changed part leaves all else byte for byte, and its own numbers as they were written', () => {
  const text =
    '{"method":"\\u0078" ,"id":1.0,"params": {"a":12345678901234567890,"b":1.10000000000000000001}, "jsonrpc":"2.0"}'
  const read = readMessage(text)
  assert.ok(read.kind === 'request')
  const part = read.params ?? assert.fail()
  const { value } = judgedPart(read, part)
  assert.equal(
    withPart(read, part, { ...(value as object), c: 'x' }),
    '{"method":"\\u0078" ,"id":1.0,"params": {"a":12345678901234567890,"b":1.10000000000000000001,"c":"x"}, "jsonrpc":"2.0"}',
  )
})
