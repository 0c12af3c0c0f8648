// What stands between one client and one server: real policy, detectors, vault and audit, no processes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  between,
  last,
  policiesOf,
  probedBy,
  recorded,
  type Told,
  textOf,
  until,
} from '../support/between.ts'

test('a hidden tool is answered byte for byte as the server answers one that it does not have', async () => {
  const one = await between({ default: 'allow', hide: ['x"é', 'y'] })
  const call = (id: number, name: string): object => ({
    id,
    method: 'tools/call',
    params: { name, arguments: { a: 1 } },
  })
  const { id, name } = await probedBy(one, call(7, 'x"é'))
  assert.match(name, /^tool_[0-9a-f]{18}"é$/)
  const shown = JSON.stringify(name).slice(1, -1)
  await one.server(
    ` {"error": {"message":"MCP error -32602: Tool ${shown} not found","code":-32602} ,"id":${String(id)},"jsonrpc":"2.0"}`,
  )
  assert.deepEqual(one.toClient, [
    ' {"error": {"message":"MCP error -32602: Tool x\\"é not found","code":-32602} ,"id":7,"jsonrpc":"2.0"}',
  ])
  assert.equal((await recorded('tool.call', 'refusal')).by, '(hidden)')
})

test('what its server says of a call of a hidden tool before the answer names the tool as the client does', async () => {
  const one = await between({ default: 'allow', hide: ['x'] })
  const { id, name } = await probedBy(one, { id: 1, method: 'tools/call', params: { name: 'x' } })
  const params = { level: 'error', data: `No tool ${name}.` }
  await one.server({ method: 'notifications/message', params })
  assert.match(one.toClient[0] ?? '', /"data":"No tool x\."/)
  await one.server({ id, error: { code: -32602, message: name, data: { asked: name } } })
  assert.deepEqual(last(one).error, { code: -32602, message: 'x', data: { asked: 'x' } })
})

const WRITTEN: readonly [how: string, write: (name: string) => string][] = [
  ['as it is', (text) => text],
  [
    'with escapes of ASCII',
    (text) =>
      text.replace(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  ],
  [
    'with escapes of HTML',
    (text) => text.replace(/[<>&'/]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`),
  ],
]

for (const [how, write] of WRITTEN)
  test(`a name is written in the answer for a hidden tool as its server writes names: ${how}`, async () => {
    const pairs = [
      ['sécret', 'nopé'],
      ["a'b/c", "d'e/f"],
      ['日本', '中国'],
      ['x', 'y'],
    ] as const
    const one = await between({ default: 'allow', hide: pairs.map(([hidden]) => hidden) })
    const said = async (name: string): Promise<string> => {
      const asked = await probedBy(one, { id: 1, method: 'tools/call', params: { name } })
      const shown = write(JSON.stringify(asked.name))
      await one.server(`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":${shown}}}`)
      return (one.toClient.at(-1) ?? '').replace(write(JSON.stringify(name)), 'NAME')
    }
    for (const [hidden, absent] of pairs) assert.equal(await said(hidden), await said(absent))
    assert.ok(
      one.toServer.every((text) => pairs.every(([hidden]) => !text.includes(`"${hidden}"`))),
    )
  })

test('of each era, and with what its calls carry', async () => {
  const one = await between({ default: 'allow', hide: ['*'] })
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
  const { id, name } = await probedBy(one, {
    id: 'm',
    method: 'tools/call',
    params: { _meta, name: 'x' },
  })
  assert.equal(id, 'm')
  assert.ok(one.toServer[0]?.includes(JSON.stringify(_meta)))
  await one.server({ id, result: { resultType: 'complete', content: [name], isError: true } })
  assert.equal(
    one.toClient[0],
    '{"jsonrpc":"2.0","id":"m","result":{"resultType":"complete","content":["x"],"isError":true}}',
  )
  // As of any call that the server does not answer any more.
  await probedBy(one, { id: 1, method: 'tools/call', params: { name: 'x' } })
  await one.relay.serverEnded('gone')
  assert.deepEqual(last(one), {
    jsonrpc: '2.0',
    id: 1,
    error: { code: -32603, message: 'The server ended before it answered (gone).' },
  })
  assert.equal(one.toClient.length, 2)
})

test('where no answer comes, a call of a hidden tool is told what any other is', async () => {
  const one = await between({ default: 'allow', hide: ['x'] })
  const told = async (name: string): Promise<Told['error']> => {
    await probedBy(one, { id: 1, method: 'tools/call', params: { name } })
    one.relay.serverFailed('n1', 'lost', 'The server could not be reached.')
    await one.relay.idle()
    return last(one).error
  }
  const absent = await told('y')
  assert.deepEqual(absent, { code: -32603, message: 'The server could not be reached.' })
  // Also where it answered before.
  const { id, name } = await probedBy(one, { id: 2, method: 'tools/call', params: { name: 'x' } })
  await one.server({ id, error: { code: -32602, message: name } })
  assert.deepEqual(await told('x'), absent)
})

test('where one policy hides a tool, no other says that there is one, and no other spelling of it does', async () => {
  const hiding = {
    default: 'allow',
    hide: ['x'],
    tools: { y: { action: 'hide' } },
    classes: { risky: ['z'] },
    class: { risky: { action: 'hide' } },
  }
  const naming = { default: 'allow', tools: { x: { action: 'deny', reason: 'Not this one.' } } }
  for (const [documents, names] of [
    [
      [naming, hiding],
      ['x', 'Y', 'z'],
    ],
    [
      [hiding, naming],
      ['x', 'y', 'Z'],
    ],
    [[hiding], ['X', 'Y', 'Z']],
  ] as const)
    for (const name of names) {
      const one = await between(null)
      one.policies = await policiesOf(...documents)
      const { id, name: asked } = await probedBy(one, {
        id: 1,
        method: 'tools/call',
        params: { name },
      })
      await one.server({ id, error: { code: -32602, message: `Unknown tool: ${asked}` } })
      assert.deepEqual(last(one), {
        jsonrpc: '2.0',
        id: 1,
        error: { code: -32602, message: `Unknown tool: ${name}` },
      })
      assert.equal((await recorded('tool.call', 'refusal', name)).by?.endsWith('(hidden)'), true)
    }
  // What is denied and not hidden is denied as ever.
  const one = await between(null)
  one.policies = await policiesOf(naming, { default: 'deny', methods: {} })
  await one.call(1, 'x')
  assert.equal(textOf(one), '[POLICY DENIED] Not this one.\nRule: p1#/tools/x/action')
})

test('an id is spelled in the answer for a hidden tool as the server spells it', async () => {
  const one = await between({ default: 'allow', hide: ['x'] })
  const said = async (idText: string, name: string): Promise<string> => {
    const { length } = one.toServer
    const call = `{"jsonrpc":"2.0","id":${idText},"method":"tools/call","params":{"name":"${name}"}}`
    one.relay.fromClient(Buffer.from(call))
    await until(() => one.toServer.length > length)
    // As servers do that read JSON and write it anew.
    const asked = JSON.parse(one.toServer.at(-1) ?? '') as { id: unknown; params: { name: string } }
    assert.match(asked.params.name, name === 'x' ? /^tool_[0-9a-f]{18}$/ : /^y$/)
    await one.server({
      id: asked.id,
      error: { code: -32602, message: `Unknown tool: ${asked.params.name}` },
    })
    return one.toClient.at(-1) ?? ''
  }
  for (const [idText, spelled] of [
    ['1e2', '100'],
    ['1.50', '1.5'],
    ['-0', '0'],
    ['1.0', '1'],
    ['"\\u0061"', '"a"'],
    ['"\\/"', '"/"'],
    ['"é"', '"é"'],
    ['"\\u00e9"', '"é"'],
  ] as const)
    assert.deepEqual(
      [await said(idText, 'x'), await said(idText, 'y')],
      ['x', 'y'].map(
        (name) =>
          `{"jsonrpc":"2.0","id":${spelled},"error":{"code":-32602,"message":"Unknown tool: ${name}"}}`,
      ),
      idText,
    )
})

test('a call of a hidden tool is open until it is answered, as that of any other', async () => {
  const one = await between({ default: 'allow', hide: ['x'] })
  const { id } = await probedBy(one, { id: 7, method: 'tools/call', params: { name: 'x' } })
  one.relay.fromClient(Buffer.from('{"jsonrpc":"2.0","id":7,"method":"ping"}'))
  assert.match(last(one).error?.message ?? '', /is not answered yet/)
  assert.equal(one.relay.isOpen('n7'), true)
  one.relay.fromClient(
    Buffer.from('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}'),
  )
  await one.server({ id, error: { code: -32602, message: 'no' } })
  assert.deepEqual(
    [one.relay.isOpen('n7'), one.toClient.length, one.toServer.length],
    [false, 1, 2],
  )
  assert.match(one.toServer[1] ?? '', /"notifications\/cancelled","params":\{"requestId":7\}/)
})

test('of a revision with batches each element is judged, and one list is the answer', async () => {
  const one = await between({ default: 'deny', tools: { a: {} } })
  const batch = (...elements: readonly (object | string)[]): string =>
    `[${elements.map((each) => (typeof each === 'string' ? each : JSON.stringify({ jsonrpc: '2.0', ...each }))).join(' , ')}]`
  const call = (id: number, name: string): object => ({
    id,
    method: 'tools/call',
    params: { name },
  })
  await one.client(batch(call(1, 'a')))
  assert.deepEqual(JSON.parse(one.toClient.pop() ?? ''), {
    jsonrpc: '2.0',
    id: null,
    error: { code: -32600, message: 'Batches are not served here: send one message at a time.' },
  })
  await one.client({ id: 0, method: 'initialize', params: { protocolVersion: '2025-03-26' } })
  await one.server({ id: 0, result: { protocolVersion: '2025-03-26', capabilities: {} } })
  for (const refused of [batch(), batch(call(1, 'a'), { id: 2, method: 'initialize' })]) {
    await one.client(refused)
    assert.deepEqual([last(one).id, last(one).error?.code], [null, -32600])
  }
  one.toServer.length = 0
  one.toClient.length = 0
  await one.client(
    batch(
      call(1, 'a'),
      { method: 'notifications/initialized' },
      '{"jsonrpc":"2.0","id":9,"method":"tools/call","Method":"ping"}',
      call(2, 'b'),
      call(3, 'a'),
      call(1, 'a'),
      { id: 4, method: 'ping' },
    ),
  )
  assert.deepEqual(
    one.toServer.map((text) => String((JSON.parse(text) as { id?: number }).id)).toSorted(),
    ['1', '3', '4', 'undefined'],
  )
  await one.server({ id: 4, result: {} })
  await one.client({ method: 'notifications/cancelled', params: { requestId: 3 } })
  assert.deepEqual(one.toClient, [])
  await one.server({ id: 1, result: { content: [] } })
  assert.equal(one.toClient.length, 1)
  const answers = JSON.parse(one.toClient[0] ?? '') as Told[]
  assert.deepEqual(
    answers
      .map(
        ({ id, error, result }) =>
          `${String(id)} ${error?.code ?? (result?.isError === true ? 'denied' : 'done')}`,
      )
      .toSorted(),
    ['1 -32600', '1 done', '2 denied', '4 done', 'null -32600'],
  )
})

test('what a notification means is the same for every reader, or it does not go on', async () => {
  const one = await between({ default: 'allow' })
  one.relay.fromClient(
    Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}'),
  )
  await until(() => one.toServer.length === 1)
  const say = (text: string): void => one.relay.fromClient(Buffer.from(text))
  const cancel = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":'
  say(`${cancel}{"requestId":1,"requestId":2}}`)
  say(`${cancel}{"requestId":2,"_meta":{"a":1,"a":2}}}`)
  say('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progress":2}}')
  await one.relay.idle()
  assert.equal(one.toServer.length, 1)
  say(`${cancel}{"requestId":1.0,"reason":"odd  spaces" }}`)
  await until(() => one.toServer.length === 2)
  assert.equal(one.toServer[1], `${cancel}{"requestId":1.0,"reason":"odd  spaces" }}`)
})
