import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Message, readMessage } from './envelope.ts'
import {
  headerMismatch,
  headerValue,
  META,
  mirroredHeaders,
  type ParamHeader,
  paramHeadersOf,
  ToolHeaders,
  textOfHeader,
} from './http-headers.ts'

function modern(method: string, params: object): Message {
  const _meta = { [META.version]: '2026-07-28' }
  const read = readMessage(
    JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  )
  assert.notEqual(read.kind, 'refused')
  return read as Message
}

const schema = (properties: object, more: object = {}): object => ({
  type: 'object',
  properties,
  ...more,
})
const region = { type: 'string', 'x-mcp-header': 'Region' }
const declarations: readonly [what: string, schema: unknown, headers: string | null][] = [
  ['none', schema({ a: { type: 'string' } }), ''],
  ['no schema', undefined, ''],
  ['one', schema({ region }), 'region:mcp-param-region'],
  ['further in', schema({ a: schema({ region }) }), 'a/region:mcp-param-region'],
  ['a whole number', schema({ n: { ...region, type: 'integer' } }), 'n:mcp-param-region'],
  ['a fraction', schema({ n: { ...region, type: 'number' } }), null],
  ['an object', schema({ n: { ...region, type: 'object' } }), null],
  ['no type', schema({ n: { 'x-mcp-header': 'A' } }), null],
  ['not a token', schema({ n: { type: 'string', 'x-mcp-header': 'a b' } }), null],
  ['a line break', schema({ n: { type: 'string', 'x-mcp-header': 'a\r\nb' } }), null],
  ['not a text', schema({ n: { type: 'string', 'x-mcp-header': 1 } }), null],
  ['twice', schema({ a: region, b: { type: 'string', 'x-mcp-header': 'REGION' } }), null],
  ['of the whole', { ...region }, null],
  ['of an item', schema({ a: { type: 'array', items: region } }), null],
  ['in one of several', schema({}, { oneOf: [schema({ region })] }), null],
  ['in a definition', schema({}, { $defs: { a: region } }), null],
  ['in a value', schema({ a: { type: 'object', default: region } }), ''],
  ['a property of that name', schema({ 'x-mcp-header': { type: 'string' } }), ''],
]
for (const [what, given, headers] of declarations)
  test(`headers that a schema asks for: ${what}`, () => {
    const found = paramHeadersOf(given)
    const text = found?.map(({ path, header }) => `${path.join('/')}:${header}`).join(' ') ?? null
    assert.equal(text, headers)
  })

const values: readonly [text: string, header: string][] = [
  ['echo', 'echo'],
  ['a b', 'a b'],
  ['a\tb', 'a\tb'],
  ['', '=?base64??='],
  [' a', '=?base64?IGE=?='],
  ['a ', '=?base64?YSA=?='],
  ['é', '=?base64?w6k=?='],
  ['a\r\nb', '=?base64?YQ0KYg==?='],
  ['=?base64?YQ==?=', '=?base64?PT9iYXNlNjQ/WVE9PT89?='],
  ['=?base64?!?=', '=?base64?PT9iYXNlNjQ/IT89?='],
  ['=?base64?YQ==', '=?base64?YQ=='],
  ['YQ==?=', 'YQ==?='],
]
for (const [text, header] of values)
  test(`a text as a header: ${JSON.stringify(text)}`, () => {
    assert.equal(headerValue(text), header)
    assert.equal(textOfHeader(header), text)
  })

test('a header in Base64 has one form', () => {
  for (const bad of [
    '=?base64?YQ?=',
    '=?base64?YR==?=',
    '=?base64?/w==?=',
    '=?base64?Y!Q==?=',
    '=?base64?é?=',
  ])
    assert.equal(textOfHeader(bad), null, bad)
})

test('every text comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const value = headerValue(text)
      assert.equal(textOfHeader(value), text)
      assert.doesNotThrow(() => new Headers({ a: value }))
    }),
  )
})

const params: readonly ParamHeader[] = [
  { path: ['region'], header: 'mcp-param-region' },
  { path: ['deep', 'n'], header: 'mcp-param-n' },
]

test('what a message says is told in headers', () => {
  const call = modern('tools/call', {
    name: 'größe',
    arguments: { region: 'eu', deep: { n: 3 }, other: 'not told' },
  })
  assert.deepEqual(mirroredHeaders(call, params), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': '=?base64?Z3LDtsOfZQ==?=',
    'mcp-param-region': 'eu',
    'mcp-param-n': '3',
  })
  assert.deepEqual(mirroredHeaders(modern('resources/read', { uri: 'a://b' }), params), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'resources/read',
    'mcp-name': 'a://b',
  })
  assert.deepEqual(mirroredHeaders(modern('tasks/get', { taskId: 't1' }), params), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tasks/get',
    'mcp-name': 't1',
  })
  const odd = { name: 'a', arguments: { region: null, deep: { n: 2 ** 53 } } }
  assert.deepEqual(mirroredHeaders(modern('tools/call', odd), params), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'a',
  })
})

test('a message of an older revision is told in no header', () => {
  const read = readMessage('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}')
  assert.deepEqual(mirroredHeaders(read as Message, params), {})
})

test('headers are held against the body', () => {
  const call = modern('tools/call', { name: 'a', arguments: { region: 'eu' } })
  const right = {
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': 'a',
    'Mcp-Param-Region': 'eu',
  }
  const said = (more: Record<string, string>, without = 'x-none'): string | null => {
    const headers = new Headers({ ...right, ...more })
    headers.delete(without)
    return headerMismatch(headers, call, params)
  }
  assert.equal(said({}), null)
  assert.equal(said({ 'Mcp-Param-Other': 'x' }), null)
  assert.equal(said({ 'Mcp-Name': '=?base64?YQ==?=' }), null)
  assert.match(said({}, 'Mcp-Method') ?? '', /mcp-method is missing/)
  assert.match(said({}, 'MCP-Protocol-Version') ?? '', /mcp-protocol-version is missing/)
  assert.match(said({}, 'Mcp-Param-Region') ?? '', /mcp-param-region is missing/)
  assert.match(said({ 'Mcp-Name': 'b' }) ?? '', /mcp-name does not say/)
  assert.match(said({ 'Mcp-Name': 'A' }) ?? '', /mcp-name does not say/)
  assert.match(said({ 'Mcp-Name': '=?base64?YR==?=' }) ?? '', /mcp-name does not say/)
  assert.match(said({ 'Mcp-Param-N': '3' }) ?? '', /mcp-param-n has nothing/)
  assert.equal(headerMismatch(new Headers({ ...right, 'Mcp-Param-N': '3' }), call, null), null)
})

test('what tools ask for is learned page by page', () => {
  const tools = new ToolHeaders()
  tools.learn({ tools: [{ name: 'a', inputSchema: schema({ region }) }, { name: 7 }, null] })
  tools.learn({ tools: [{ name: 'b', inputSchema: {} }] })
  tools.learn('nothing')
  assert.deepEqual(tools.of('a'), [{ path: ['region'], header: 'mcp-param-region' }])
  assert.deepEqual(tools.of('b'), [])
  assert.equal(tools.of('c'), null)
})
