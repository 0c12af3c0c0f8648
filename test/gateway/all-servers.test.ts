// `/mcp/all`: every server of a caller behind one address.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sleep } from '../../src/core/time.ts'
import { createTokens } from '../../src/vault/index.ts'
import { readEvents } from '../support/event-reader.ts'
import { json, scripted } from '../support/http-upstream.ts'
import { ERAS, type Era, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await servers.add(PERSON, 'echo', nodeServer(ECHO))
const log = join(vault.home, 'lines.log')
await servers.add(PERSON, 'lines', nodeServer(LINE_SERVER, log))
await servers.add(PERSON, 'broken', { kind: 'stdio', command: ['/no/program'], variables: [] })
const text = (policy: object): Buffer =>
  Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy }))
await policies.set(PERSON, 'open', text({ default: 'allow' }))
await policies.set(PERSON, 'few', text({ tools: { echo: {}, steps: {}, fail: {} } }))

let count = 0
async function agentAt(...at: readonly (readonly [server: string, policy: string])[]) {
  count += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${count}` })
  const made = []
  for (const [server, policy] of at)
    made.push(
      await grants.create(PERSON, agent.id, {
        label: `${server} ${made.length}`,
        server,
        policies: [policy],
      }),
    )
  return { key: key.reveal(), made }
}

const connect = (era: Era, bearer: string) =>
  door.connect(era, bearer, undefined, undefined, '/mcp/all')
const said = (answer: { readonly content?: unknown }): string =>
  (answer.content as { text: string }[])[0]?.text ?? ''
const listed = (answer: { readonly tools: readonly { readonly name: string }[] }) =>
  answer.tools.map(({ name }) => name)
const post = (bearer: string, message: object, headers: Record<string, string> = {}) =>
  door.post(
    { jsonrpc: '2.0', id: 'mine', ...message },
    { Authorization: `Bearer ${bearer}`, ...headers },
    '/mcp/all',
  )

const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const MODERN_HEADERS = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call' }

for (const era of ERAS) {
  test(`${era}: tools of all granted servers, under their servers' names and policies`, async () => {
    const { key } = await agentAt(['echo', 'open'], ['lines', 'few'])
    const client = await connect(era, key)
    assert.deepEqual(listed(await client.listTools()), ['echo.echo', 'lines.echo', 'lines.fail'])
    const call = (name: string, word = 'x') => client.callTool({ name, arguments: { text: word } })
    assert.equal(said(await call('echo.echo', 'a')), 'a')
    assert.equal(said(await call('lines.echo', 'b')), 'b')
    assert.match(said(await call('lines.delete_all')), /^\[POLICY DENIED\] /)
    assert.equal((await call('lines.fail')).isError, true)
    for (const unknown of ['nowhere.echo', 'echo', 'broken.echo'])
      await assert.rejects(call(unknown), /Unknown tool/)
    await client.close()
  })

  test(`${era}: a server that cannot be started is passed over and named, the others answer`, async () => {
    const { key } = await agentAt(['echo', 'open'], ['broken', 'open'])
    const client = await connect(era, key)
    const list = await client.listTools()
    assert.deepEqual(listed(list), ['echo.echo'])
    const [passed] = (list['_meta']?.['sallyport/passed-over'] ?? []) as {
      server: string
      reason: string
    }[]
    assert.equal(passed?.server, 'broken')
    assert.match(passed?.reason ?? '', /cannot be started/)
    assert.equal(said(await client.callTool({ name: 'echo.echo', arguments: { text: 'c' } })), 'c')
    await client.close()
  })
}

test('many calls at once are answered each with its own, whatever ids their clients chose', async () => {
  const { key } = await agentAt(['echo', 'open'], ['lines', 'open'])
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const name = index % 2 === 0 ? 'echo.echo' : 'lines.echo'
      const params = { name, arguments: { text: `t${index}` } }
      const answer = await post(key, { method: 'tools/call', params })
      return (await answer.json()) as { id: string; result: { content: { text: string }[] } }
    }),
  )
  assert.deepEqual(
    answers.map(({ id, result }) => [id, result.content[0]?.text]),
    Array.from({ length: 20 }, (_, index) => ['mine', `t${index}`]),
  )
})

test('limits are those of the grant, at whichever address it is used', async () => {
  await policies.set(
    PERSON,
    'thrice',
    text({ tools: { echo: { limits: [{ counter: 'c', window: 'month', max: 3 }] } } }),
  )
  const { key, made } = await agentAt(['echo', 'thrice'])
  const all = await connect('legacy', key)
  const own = await door.connect(
    'legacy',
    made[0]?.bearer.reveal() ?? '',
    undefined,
    undefined,
    '/s/echo/mcp',
  )
  const texts = [
    await all.callTool({ name: 'echo.echo', arguments: { text: 'x' } }),
    await own.callTool({ name: 'echo', arguments: { text: 'x' } }),
    await all.callTool({ name: 'echo.echo', arguments: { text: 'x' } }),
    await all.callTool({ name: 'echo.echo', arguments: { text: 'x' } }),
    await own.callTool({ name: 'echo', arguments: { text: 'x' } }),
  ].map(said)
  assert.deepEqual(texts.slice(0, 3), ['x', 'x', 'x'])
  for (const denied of texts.slice(3)) assert.match(denied, /limit 'c' of 3/)
  await all.close()
  await own.close()
})

test('progress comes under the token of the client, and its going away is told', async () => {
  const { key } = await agentAt(['lines', 'open'])
  const steps = { name: 'lines.steps', arguments: {}, _meta: { progressToken: 'mine' } }
  const events = readEvents(await post(key, { method: 'tools/call', params: steps }))
  assert.deepEqual((await events.next()).params, { progressToken: 'mine', progress: 1 })
  await (await post(key, { method: 'tools/call', params: { name: 'lines.go_on' } })).text()
  assert.deepEqual((await events.next()).params, { progressToken: 'mine', progress: 2 })
  assert.equal((await events.next()).id, 'mine')
})

for (const era of ERAS)
  test(`${era}: no state and no answer of a client reaches a server, be it the server's own or ours`, async () => {
    // Where servers may ask what they like, answers that they did not ask for go on.
    const { key } = await agentAt(['lines', 'few'])
    const inputResponses = { a: { action: 'accept' } }
    for (const given of [{ requestState: 'of-a-server' }, { inputResponses }]) {
      const params = { name: 'lines.echo', arguments: { text: 'x' }, ...given }
      const answer = await post(
        key,
        { method: 'tools/call', params: era === 'modern' ? { ...params, _meta: MODERN } : params },
        era === 'modern' ? { ...MODERN_HEADERS, 'Mcp-Name': 'lines.echo' } : {},
      )
      const { error } = (await answer.json()) as { error?: { code: number; message: string } }
      assert.equal(error?.code, -32602)
      assert.match(error.message, /^(?:requestState|inputResponses) .* here\.$/)
    }
    assert.doesNotMatch(readFileSync(log, 'utf8'), /of-a-server|inputResponses/)
  })

test('modern: what a tool asks for in headers is what the body says, once a list named it', async () => {
  const inputSchema = {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
  }
  const results: Readonly<Record<string, object>> = {
    'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
    'tools/list': { tools: [{ name: 'look', inputSchema }] },
    'tools/call': { content: [] },
  }
  const far = await scripted(({ rpc }, response) =>
    json(response, {
      id: rpc.id,
      result: { resultType: 'complete', ...results[rpc.method ?? ''] },
    }),
  )
  await servers.add(PERSON, 'far', { kind: 'http', url: far.url, headers: [] })
  const { key } = await agentAt(['far', 'open'])
  const list = { method: 'tools/list', params: { _meta: MODERN } }
  await (await post(key, list, { ...MODERN_HEADERS, 'Mcp-Method': 'tools/list' })).text()
  const params = { name: 'far.look', arguments: { region: 'eu' }, _meta: MODERN }
  for (const [shown, status, code] of [
    [{ 'Mcp-Param-Region': 'eu' }, 200, undefined],
    // Mirrors no argument, so that no policy saw it.
    [{ 'Mcp-Param-Region': 'eu', 'Mcp-Param-Tenant': 'a' }, 200, undefined],
    [{ 'Mcp-Param-Region': 'us' }, 400, -32020],
    [{}, 400, -32020],
  ] as const) {
    const headers = { ...MODERN_HEADERS, 'Mcp-Name': 'far.look', ...shown }
    const answer = await post(key, { method: 'tools/call', params }, headers)
    const { error } = (await answer.json()) as { error?: { code: number } }
    assert.deepEqual([answer.status, error?.code], [status, code], JSON.stringify(shown))
  }
  const called = far.got.filter(({ rpc }) => rpc.method === 'tools/call')
  assert.deepEqual(
    called.map(({ headers }) =>
      Object.keys(headers).filter((name) => name.startsWith('mcp-param-')),
    ),
    [['mcp-param-region'], ['mcp-param-region']],
  )
})

test('modern: a server that makes tasks answers here at once, for nobody could ask for its task', async () => {
  const far = await scripted(({ rpc }, response) => {
    const { _meta } = rpc.params ?? {}
    const isTask = JSON.stringify(_meta).includes('modelcontextprotocol/tasks')
    const made = isTask ? { resultType: 'task', taskId: 't' } : { resultType: 'complete' }
    const known = { supportedVersions: ['2026-07-28'], capabilities: {} }
    const result = rpc.method === 'server/discover' ? known : { ...made, content: [] }
    json(response, { id: rpc.id, result })
  })
  await servers.add(PERSON, 'tasks', { kind: 'http', url: far.url, headers: [] })
  const { key } = await agentAt(['tasks', 'open'])
  const extensions = { 'io.modelcontextprotocol/tasks': {}, 'x.example/y': { n: 1 } }
  const _meta = { ...MODERN, 'io.modelcontextprotocol/clientCapabilities': { extensions } }
  const params = { name: 'tasks.make', arguments: {}, _meta }
  const headers = { ...MODERN_HEADERS, 'Mcp-Name': 'tasks.make' }
  const answer = await post(key, { method: 'tools/call', params }, headers)
  const { result } = (await answer.json()) as { result?: object }
  assert.deepEqual(result, { resultType: 'complete', content: [] })
  const call = far.got.find(({ rpc }) => rpc.method === 'tools/call')
  assert.match(call?.body ?? '', /"extensions":\{"x\.example\/y":\{"n":1\}\}/)
})

test('modern: methods of the revisions with sessions are none', async () => {
  const { key } = await agentAt(['lines', 'open'])
  for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe']) {
    const headers = { ...MODERN_HEADERS, 'Mcp-Method': method }
    const answer = await post(key, { method, params: { _meta: MODERN } }, headers)
    const { error } = (await answer.json()) as { error?: { code: number } }
    assert.deepEqual([answer.status, error?.code], [404, -32601], method)
  }
})

test('legacy: a cancelled request is cancelled at its server, and no request of another client', async () => {
  const { key } = await agentAt(['lines', 'open'])
  const hello = async (): Promise<Record<string, string>> => {
    const answer = await post(key, { method: 'initialize', params: { capabilities: {} } })
    await answer.text()
    return { 'Mcp-Session-Id': answer.headers.get('mcp-session-id') ?? assert.fail('no id') }
  }
  const [mine, other] = [await hello(), await hello()]
  const silent = (of: Record<string, string>, text: string): Promise<Response> =>
    post(key, { method: 'tools/call', params: { name: 'lines.silent', arguments: { text } } }, of)
  const cancel = async (of: Record<string, string>): Promise<void> => {
    const params = { requestId: 'mine', reason: 'enough' }
    const told = { id: undefined, method: 'notifications/cancelled', params }
    assert.equal((await post(key, told, of)).status, 202)
  }
  const atServer = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (let tries = 0; tries < 200; tries += 1) {
      const found = pattern.exec(readFileSync(log, 'utf8'))
      if (found !== null) return found
      await sleep(10)
    }
    return assert.fail(`the server did not get ${pattern.source}`)
  }
  const idOf = async (text: string): Promise<string> => {
    const [line] = await atServer(new RegExp(`^.*"text":"${text}".*$`, 'm'))
    return (JSON.parse(line) as { id: string }).id
  }
  const cancelled = /"method":"notifications\/cancelled".*/g
  const [first, second] = [silent(mine, 'first of two'), silent(other, 'second of two')]
  const [firstId, secondId] = [await idOf('first of two'), await idOf('second of two')]
  await cancel(mine)
  await atServer(new RegExp(`notifications/cancelled.*"${firstId}"`))
  assert.deepEqual([(await first).status, await (await first).text()], [202, ''])
  await cancel(mine)
  await cancel({})
  // Two clients that cannot be told apart have a request of this id each.
  const blind = [silent({}, 'third'), silent({}, 'fourth')]
  await Promise.all([idOf('third'), idOf('fourth')])
  await cancel({})
  await (await post(key, { method: 'tools/call', params: { name: 'lines.echo' } })).text()
  assert.equal(readFileSync(log, 'utf8').match(cancelled)?.length, 1)
  await cancel(other)
  await atServer(new RegExp(`notifications/cancelled.*"${secondId}"`))
  await second
  void blind
})

test('legacy: of a cancel nothing but the id is changed for its server', async () => {
  const { key } = await agentAt(['lines', 'open'])
  const hello = await post(key, { method: 'initialize', params: { capabilities: {} } })
  await hello.text()
  const of = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? assert.fail('no id') }
  const lineWith = async (part: string, after = ''): Promise<string> => {
    for (let tries = 0; tries < 200; tries += 1) {
      const lines = readFileSync(log, 'utf8').slice(after.length).split('\n')
      const found = lines.findLast((line) => line.includes(part))
      if (found !== undefined) return found
      await sleep(10)
    }
    return assert.fail(`the server did not get ${part}`)
  }
  for (const [said, told] of [
    [
      '{"requestId":60,"reason":"why","_meta":{"a":1.0}}',
      '{"requestId":ID,"reason":"why","_meta":{"a":1.0}}',
    ],
    ['{"_meta":{},"requestId":60}', '{"_meta":{},"requestId":ID}'],
    // Another request could be meant by a second id.
    ['{"requestId":"m1","reason":"why","requestId":60}', '{"requestId":ID}'],
  ] as const) {
    const text = `to be cancelled by ${said.length}`
    const asked = post(
      key,
      { id: 60, method: 'tools/call', params: { name: 'lines.silent', arguments: { text } } },
      of,
    )
    const { id } = JSON.parse(await lineWith(text)) as { id: string }
    const cancel = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${said}}`
    // The server of another test had requests with the same ids.
    const before = readFileSync(log, 'utf8')
    const posted = await fetch(`${door.baseUrl}/mcp/all`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        Authorization: `Bearer ${key}`,
        ...of,
      },
      body: cancel,
    })
    assert.equal(posted.status, 202)
    await (await asked).text()
    const params = told.replace('ID', JSON.stringify(id))
    const line = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`
    assert.equal(await lineWith(`"requestId":"${id}"`, before), line)
  }
})

test('a name that is too long for the list is not there', async () => {
  const fits = `t${'x'.repeat(127 - 'long.'.length)}`
  await servers.add(
    PERSON,
    'long',
    nodeServer(LINE_SERVER, join(vault.home, 'long.log'), 'plain', `${fits}y`),
  )
  const { key } = await agentAt(['long', 'open'])
  const call = async (name: string): Promise<string> =>
    (await post(key, { method: 'tools/call', params: { name, arguments: {} } })).text()
  assert.match(await call(`long.${fits}`), /"text":"done"/)
  assert.match(await call(`long.${fits}y`), /-32602,"message":"Unknown tool: long\.tx+y"/)
})

test('two tools of one name are an error; a server between is told from its longer name', async () => {
  await servers.add(PERSON, 'lines.echo', nodeServer(ECHO))
  const { key } = await agentAt(['lines', 'open'], ['lines.echo', 'open'])
  const list = async () =>
    (await (await post(key, { method: 'tools/list' })).json()) as {
      result?: { tools: { name: string }[] }
      error?: { message: string }
    }
  let { result } = await list()
  const isThere = (): boolean =>
    result?.tools.some(({ name }) => name === 'lines.echo.echo') === true
  // A server that was added is there within a second.
  for (let tries = 0; !isThere() && tries < 40; tries += 1) {
    await sleep(25)
    result = (await list()).result
  }
  assert.ok(isThere())
  assert.ok(result?.tools.some(({ name }) => name === 'lines.echo'))
  const call = async (name: string) => {
    const params = { name, arguments: { text: 'd' } }
    return JSON.stringify(await (await post(key, { method: 'tools/call', params })).json())
  }
  assert.match(await call('lines.echo'), /"text":"d"/)
  assert.match(await call('lines.echo.echo'), /"text":"d"/)
  await servers.add(
    PERSON,
    'lines.ec',
    nodeServer(LINE_SERVER, join(vault.home, 'odd.log'), 'plain', 'ho.echo'),
  )
  await servers.add(PERSON, 'lines.ec.ho', nodeServer(ECHO))
  const odd = await agentAt(['lines.ec', 'open'], ['lines.ec.ho', 'open'])
  const both = (await (await post(odd.key, { method: 'tools/list' })).json()) as {
    error?: { message: string }
  }
  assert.match(
    both.error?.message ?? '',
    /'lines\.ec' and 'lines\.ec\.ho' both have a tool 'lines\.ec\.ho\.echo'/,
  )
  const ambiguous = await post(odd.key, {
    method: 'tools/call',
    params: { name: 'lines.ec.ho.echo' },
  })
  assert.match(await ambiguous.text(), /Several servers have a tool/)
})

test('a changed policy is told on both kinds of streams', async () => {
  const { key, made } = await agentAt(['echo', 'open'])
  const legacy = readEvents(
    await fetch(`${door.baseUrl}/mcp/all`, {
      headers: { Authorization: `Bearer ${key}`, Accept: 'text/event-stream' },
    }),
  )
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const modern = readEvents(
    await post(
      key,
      {
        method: 'subscriptions/listen',
        params: { notifications: { toolsListChanged: true }, _meta: meta },
      },
      { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'subscriptions/listen' },
    ),
  )
  const subscription = { 'io.modelcontextprotocol/subscriptionId': 'mine' }
  assert.deepEqual((await modern.next()).params, {
    notifications: { toolsListChanged: true },
    _meta: subscription,
  })
  await policies.set(PERSON, 'told', text({}))
  await policies.attach(PERSON, 'told', { kind: 'grant', id: made[0]?.grant.id ?? '' })
  assert.equal((await legacy.next()).method, 'notifications/tools/list_changed')
  assert.deepEqual(await modern.next(), {
    jsonrpc: '2.0',
    method: 'notifications/tools/list_changed',
    params: { _meta: subscription },
  })
  await grants.revoke(PERSON, made[0]?.grant.id ?? '')
  assert.deepEqual(
    listed(
      (
        (await (await post(key, { method: 'tools/list' })).json()) as {
          result: { tools: { name: string }[] }
        }
      ).result,
    ),
    [],
  )
  await legacy.close()
  await modern.close()
})

test('a grant reaches its one server, who has several shows one of them; the local agent sees what is judged', async () => {
  const { made, key } = await agentAt(['echo', 'open'], ['echo', 'few'])
  const hello = { method: 'tools/list' }
  const byGrant = await post(made[0]?.bearer.reveal() ?? '', hello)
  const own = (await byGrant.json()) as { result: { tools: { name: string }[] } }
  assert.deepEqual(listed(own.result), ['echo.echo'])
  const nobody = await door.post({ jsonrpc: '2.0', id: 1, ...hello }, {}, '/mcp/all')
  assert.match(nobody.headers.get('www-authenticate') ?? '', /oauth-protected-resource\/mcp\/all"$/)
  const two = (await (await post(key, hello)).json()) as {
    result: { tools: unknown[]; _meta: object }
  }
  assert.deepEqual(two.result.tools, [])
  assert.match(JSON.stringify(two.result['_meta']), /2 grants/)
  const tokens = await createTokens(vault)
  const { token } = await tokens.create('local', null)
  const local = token.reveal()
  assert.deepEqual(
    ((await (await post(local, hello)).json()) as { result: { tools: unknown[] } }).result.tools,
    [],
  )
  await policies.attach(PERSON, 'open', { kind: 'server', name: 'echo' })
  for (let waited = 0; waited < 1_000; waited += 50) {
    const { result } = (await (await post(local, hello)).json()) as {
      result: { tools: { name: string }[] }
    }
    if (result.tools.length > 0) {
      assert.deepEqual(listed(result), ['echo.echo'])
      return
    }
    await sleep(50)
  }
  assert.fail('the server never came')
})

test('the limits of a server hold here too, and one that rests, rests at each of its addresses', async () => {
  await servers.add(PERSON, 'slow', {
    ...nodeServer(LINE_SERVER, join(vault.home, 'slow.log')),
    limits: { callMs: 1_000, lateInARow: 1 },
  })
  const { key, made } = await agentAt(['slow', 'open'])
  const call = (id: number, name: string): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: {
      name,
      arguments: { text: 'a' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const modern = (name: string): Record<string, string> => ({
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': name,
  })
  const late = await post(key, call(1, 'slow.silent'), modern('slow.silent'))
  assert.match(await late.text(), /did not answer in time/)
  const [{ bearer }] = made as [(typeof made)[0]]
  const there = await door.post(
    call(2, 'echo'),
    { Authorization: `Bearer ${bearer.reveal()}`, ...modern('echo') },
    '/s/slow/mcp',
  )
  assert.match(await there.text(), /did not answer 1 calls in time/)
})
