// A value that the agent knows, anywhere in a message: not in what is judged of it, but beside that.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { SecretText } from '../../src/core/secret-text.ts'
import { between, last, recorded, vault } from '../support/between.ts'
import { AGENT, PERSON } from '../support/vault.ts'

const value = `tk_${randomBytes(24).toString('base64url')}`
await vault.vault.put(PERSON, 'default', { path: 'whole/key', value: SecretText.fromText(value) })
await vault.vault.put(AGENT, 'default', { path: 'whole/own', value: SecretText.fromText(value) })
const [front, back] = [value.slice(0, 15), value.slice(15)]
const filler = 'some words'
const many = (name: string, count: number): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${name}${at}`, `words ${at}`]))

const call = (params: object, more: object = {}): object => ({
  id: 'r',
  method: 'tools/call',
  params: { name: 'echo', arguments: {}, ...params },
  ...more,
})
const MODERN = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
const told = (method: string, params: object): object => ({ method, params })

const FROM_CLIENT: readonly [what: string, message: object | string][] = [
  ['arguments', call({ arguments: { a: value } })],
  ['the name of a tool', call({ name: value })],
  ['_meta', call({ _meta: { traceparent: value } })],
  ['a token of progress', call({ _meta: { progressToken: value } })],
  ['another parameter', call({ other: [value] })],
  ['the name of another parameter', call({ [value]: 1 })],
  ['two other parameters', call({ one: front, two: back })],
  ['an argument and another parameter', call({ arguments: { one: front }, other: back })],
  ['another parameter and an argument', call({ other: front, arguments: { one: back } })],
  ['_meta and an argument', call({ _meta: { a: 1, b: front }, arguments: { one: back, n: 1 } })],
  ['an argument and a member', call({ arguments: { one: front }, _meta: { a: 'b' } }, { x: back })],
  ['a member and an argument', call({ arguments: { one: back } }, { x: front })],
  ['the id and an argument', call({ arguments: { one: back } }, { id: front })],
  ['an argument and the id', call({ arguments: { one: front } }, { id: back })],
  ['the name of a tool and an argument', call({ name: front, arguments: { one: back } })],
  [
    'what was answered and an argument',
    call({ arguments: { one: back }, inputResponses: { a: { text: front } }, _meta: MODERN }),
  ],
  [
    'what was answered and _meta',
    call({ inputResponses: { a: { b: back } }, _meta: { ...MODERN, c: front } }),
  ],
  [
    '_meta before others and an argument',
    call({ _meta: { a: front, b: 'words' }, arguments: { one: back } }),
  ],
  [
    '_meta and an argument of its name',
    call({ _meta: { a: front }, arguments: { f: filler, a: back } }),
  ],
  ['two other parameters, the second part first', call({ two: back, words: filler, one: front })],
  [
    'an argument and what was answered',
    call({
      arguments: { one: front },
      inputResponses: { a: { action: 'accept', b: back } },
      _meta: MODERN,
    }),
  ],
  [
    'a member and a parameter of its name',
    { id: 'r', method: 'vendor/x', params: { f: filler, a: back }, a: front },
  ],
  [
    'a member and a parameter behind others',
    { id: 'r', method: 'vendor/x', params: { f: filler, a: back }, x: front },
  ],
  [
    'a member and one of many arguments, of its name',
    call({ arguments: { ...many('k', 300), a: back, z: filler } }, { a: front }),
  ],
  [
    'one of many parameters and the first argument',
    call({ ...many('m', 300), arguments: { one: back }, last: front }),
  ],
  ['the id and a parameter', { id: front, method: 'resources/read', params: { uri: back } }],
  ['the id and a parameter of a ping', { id: front, method: 'ping', params: { x: back } }],
  ['a parameter in base64', call({ other: btoa(`user:${value}`) })],
  ['a member that nobody knows', call({}, { more: { a: value } })],
  ['its name', call({}, { [value]: 1 })],
  [
    'a twin in it',
    `{"jsonrpc":"2.0","id":"r","method":"tools/call","params":{"name":"a"},"x":{"a":"${value}","a":1}}`,
  ],
  [
    'far down in it',
    `{"jsonrpc":"2.0","id":"r","method":"tools/call","params":{"name":"a"},"x":${'['.repeat(5_000)}"${value}"${']'.repeat(5_000)}}`,
  ],
  ['the id', call({}, { id: value })],
  ['the id of a prompt', { id: value, method: 'prompts/get', params: { name: 'p' } }],
  ['the name of a method', { id: 'r', method: `vendor/${value}` }],
  ['a cursor', { id: 'r', method: 'tools/list', params: { cursor: value } }],
  [
    '_meta of a list',
    { id: 'r', method: 'resources/templates/list', params: { _meta: { value } } },
  ],
  ['a ping', { id: 'r', method: 'ping', params: { x: value } }],
  [
    'a twin in a ping',
    `{"jsonrpc":"2.0","id":"r","method":"ping","params":{"x":"\\u${value.charCodeAt(0).toString(16).padStart(4, '0')}${value.slice(1)}","x":1}}`,
  ],
  [
    'far down in a ping',
    `{"jsonrpc":"2.0","id":"r","method":"ping","params":${'['.repeat(50_000)}"${value}"${']'.repeat(50_000)}}`,
  ],
  ['the id of a ping', { id: value, method: 'ping' }],
  ['a level', { id: 'r', method: 'logging/setLevel', params: { level: value } }],
  [
    'an introduction',
    { id: 'r', method: 'initialize', params: { clientInfo: { name: value, version: '1' } } },
  ],
  ['a discovery', { id: 'r', method: 'server/discover', params: { _meta: { x: value } } }],
  ['why something is cancelled', told('notifications/cancelled', { requestId: 9, reason: value })],
  ['progress', told('notifications/progress', { progressToken: 1, message: value })],
  ['a client that is ready', told('notifications/initialized', { x: value })],
  ['roots that changed', told('notifications/roots/list_changed', { x: value })],
  ['beside a notification', { ...told('notifications/initialized', {}), [value]: 1 }],
  ['beside a notification of others', { ...told('vendor/said', {}), x: value }],
]

for (const [what, message] of FROM_CLIENT) {
  test(`where known values are kept back, none reaches the server: ${what}`, async () => {
    const one = await between(null, { exfiltration: 'block' })
    await one.client(message)
    assert.deepEqual(one.toServer, [])
    const isRequest = typeof message === 'string' || 'id' in message
    assert.equal(one.toClient.length, isRequest ? 1 : 0)
    if (isRequest)
      assert.match(one.toClient[0] ?? '', /Inspection refused this call; nothing was done\./)
    const { detail } = await recorded('inspection.refused')
    assert.equal(detail?.['direction'], 'input')
    assert.match(String(detail?.['findings']), /^known-value critical/)
    await one.client({ id: 'next', method: 'ping' })
    assert.equal(one.toServer.length, 1)
  })
  test(`where known values are told of, they are, and all goes on: ${what}`, async () => {
    const one = await between(null, { exfiltration: 'warn' })
    const before = (await vault.audit.query({ limit: 200, action: 'inspection.passed' })).length
    await one.client(message)
    assert.equal(one.toServer.length, 1)
    const after = await vault.audit.query({ limit: 200, action: 'inspection.passed' })
    assert.equal(after.length, before + 1)
    for (const { body } of after) assert.ok(!body.includes(value), 'a value is in the audit')
  })
}

test('messages without known values go on byte for byte, in their order', async () => {
  const one = await between(null, { exfiltration: 'block' })
  const lines = [
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{},"more":{"a":1,"a":2}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    ' {"id":2.0,"jsonrpc":"2.0","method":"tools/list","params":{"cursor":"\\u0061"}}',
    '{"jsonrpc":"2.0","id":3,"method":"ping"}',
  ]
  for (const line of lines) one.relay.fromClient(Buffer.from(line))
  await one.relay.idle()
  assert.deepEqual(one.toServer, lines)
})

test('of calls that come together each is judged by what is known now', async () => {
  const one = await between(null, { exfiltration: 'block' })
  await one.call(1, 'x')
  const fresh = `tk_${randomBytes(24).toString('base64url')}`
  await vault.vault.put(AGENT, 'default', { path: 'whole/new', value: SecretText.fromText(fresh) })
  const line = (id: number, text: string): Buffer =>
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...call({ arguments: { text } }, { id }) }))
  one.relay.fromClient(line(2, 'nothing'))
  one.relay.fromClient(line(3, fresh))
  await one.relay.idle()
  assert.equal(one.toServer.length, 2)
  assert.equal(last(one).id, 3)
})

test('a call whose cancellation may not go on is cancelled all the same', async () => {
  const one = await between(null, { exfiltration: 'block' })
  await one.call(1, 'slow')
  await one.client(told('notifications/cancelled', { requestId: 1, reason: value }))
  assert.deepEqual(
    one.toServer.slice(1).map((line) => JSON.parse(line) as unknown),
    [
      {
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: 1, reason: 'The client gave it up.' },
      },
    ],
  )
  await one.server({ id: 1, result: {} })
  assert.deepEqual(one.toClient, [])
})

test('what the client answers is searched beside its answer, too', async () => {
  const one = await between(null, { exfiltration: 'block' })
  await one.server({ id: 's', method: 'roots/list' })
  await one.client({ id: 's', result: { roots: [] }, more: value })
  assert.equal(one.toServer.length, 1)
  assert.match(one.toServer[0] ?? '', /"id":"s","error":.*The answer was refused/)
})

const FROM_SERVER: readonly [what: string, said: object, shown: object][] = [
  ['a member of an answer', { id: 1, result: {}, x: { a: value } }, { id: 1, result: {} }],
  ['its name', { id: 1, [value]: 1, result: {}, y: 1 }, { id: 1, result: {}, y: 1 }],
  [
    'a member of an error',
    { id: 1, error: { code: 1, message: 'm' }, x: [value] },
    { id: 1, error: { code: 1, message: 'm' } },
  ],
  ['two members', { id: 1, result: {}, x: front, y: back }, { id: 1, result: {} }],
  [
    'a member and a result',
    { id: 1, x: front, result: { a: back } },
    { id: 1, result: { a: back } },
  ],
  [
    'a result and a member',
    { id: 1, result: { a: front }, x: back },
    { id: 1, result: { a: front } },
  ],
  [
    'a member and parameters',
    { method: 'notifications/message', params: { data: back }, x: front },
    { method: 'notifications/message', params: { data: back } },
  ],
  [
    'a member and a result of its name',
    { id: 1, a: front, result: { structuredContent: { f: filler, a: back } } },
    { id: 1, result: { structuredContent: { f: filler, a: back } } },
  ],
  [
    'a member and a result behind others',
    {
      id: 1,
      x: front,
      result: {
        content: [
          { type: 'text', text: filler },
          { type: 'text', text: back },
        ],
      },
    },
    {
      id: 1,
      result: {
        content: [
          { type: 'text', text: filler },
          { type: 'text', text: back },
        ],
      },
    },
  ],
  [
    'two members, the second part first',
    { id: 1, result: {}, x: back, y: front },
    { id: 1, result: {} },
  ],
  [
    'a member of a notification',
    { method: 'notifications/message', params: { data: 1 }, x: value },
    { method: 'notifications/message', params: { data: 1 } },
  ],
  [
    'a member of a question',
    { id: 's', method: 'roots/list', x: btoa(value) },
    { id: 's', method: 'roots/list' },
  ],
]
for (const [what, said, shown] of FROM_SERVER)
  test(`no known value reaches the client: ${what}`, async () => {
    const one = await between(null)
    await one.call(1, 'x')
    await one.server(said)
    assert.deepEqual(
      one.toClient.map((line) => JSON.parse(line) as unknown),
      [{ jsonrpc: '2.0', ...shown }],
    )
    const { detail } = await recorded('inspection.changed')
    assert.deepEqual([detail?.['direction'], detail?.['verdict']], ['output', 'malicious'])
  })

for (const [what, said] of [
  ['id', { id: value, method: 'ping' }],
  ['method', { id: 's', method: `vendor/${value}` }],
  ['id and parameters', { id: front, method: 'roots/list', params: { x: back } }],
  ['parameters and id', { id: back, method: 'roots/list', params: { x: front } }],
  [
    'id and parameters behind others',
    { id: front, method: 'elicitation/create', params: { mode: 'form', message: back } },
  ],
] as const)
  test(`a question of the server with a known value as its ${what} is refused`, async () => {
    const one = await between(null)
    await one.call(1, 'x')
    await one.server(said)
    assert.deepEqual(one.toClient, [])
    assert.match(one.toServer[1] ?? '', /"error":\{"code":-32603,"message":"The message was not/)
    await one.server({ method: `notifications/${value}` })
    assert.deepEqual(one.toClient, [])
    await one.server({ id: 1, result: {} })
    assert.deepEqual(last(one).result, {})
  })

test('a value that is whole in what is judged is taken out there, and nothing else', async () => {
  const one = await between(null)
  await one.call(1, 'x')
  await one.server({ method: 'notifications/message', params: { data: value }, x: 'y' })
  await one.server({ id: 1, result: { a: front, b: back }, x: 'y' })
  const data = '[REDACTED:whole/own]'
  assert.deepEqual(
    one.toClient.map((line) => JSON.parse(line) as unknown),
    [
      { jsonrpc: '2.0', method: 'notifications/message', params: { data }, x: 'y' },
      { jsonrpc: '2.0', id: 1, result: { a: data, b: data }, x: 'y' },
    ],
  )
})

test('an answer with members that nobody knows goes on byte for byte', async () => {
  const one = await between(null)
  await one.call(1, 'x')
  const line = '{"more" : 1.0,"id":1,"result":{"a":"\\u0061"},"jsonrpc":"2.0"}'
  await one.server(line)
  assert.deepEqual(one.toClient, [line])
})
