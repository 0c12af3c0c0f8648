// `/mcp/all` beyond tools: prompts, resources, templates, completion and what is told of changes, by real servers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readEvents } from '../support/event-reader.ts'
import { EVERYTHING } from '../support/everything.ts'
import { events, json, scripted } from '../support/http-upstream.ts'
import { ERAS, type Era, HELLO, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const MODERN = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
const stdio = (...command: string[]) => ({ kind: 'stdio', command, variables: [] }) as const
await servers.add(PERSON, 'old', stdio(process.execPath, EVERYTHING))
await servers.add(PERSON, 'new', stdio(process.execPath, MODERN, 'stdio'))
await servers.add(PERSON, 'dead', stdio('/no/program'))
const text = (policy: object): Buffer => Buffer.from(JSON.stringify({ version: '1', ...policy }))
await policies.set(PERSON, 'open', text({ default: 'allow' }))
const methods = { 'prompts/get': {}, 'completion/complete': {}, 'resources/subscribe': {} }
await policies.set(PERSON, 'no-reading', text({ default: 'deny', methods }))
const { agent, key } = await agents.create(PERSON, { name: 'agent' })

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function grantAt(server: string, policy = 'open') {
  const asked = { label: `${server} ${policy}`, server, policies: [policy] }
  return grants.create(PERSON, agent.id, asked)
}
const atOld = await grantAt('old')
await grantAt('new')
await grantAt('dead')
const connect = (era: Era, bearer = key.reveal()) =>
  door.connect(era, bearer, undefined, undefined, '/mcp/all')
const FEATURES = 'mcp://old/demo://resource/static/document/features.md'

for (const era of ERAS) {
  test(`${era}: prompts of all servers, by the names of their servers`, async () => {
    const client = await connect(era)
    const { prompts, _meta } = await client.listPrompts()
    const names = prompts.map(({ name }) => name)
    assert.ok(names.includes('old.simple-prompt') && names.includes('new.hi'), names.join(' '))
    assert.match(JSON.stringify(_meta), /"sallyport\/passed-over":\[\{"server":"dead"/)
    const said = await client.getPrompt({ name: 'new.hi' })
    assert.deepEqual(said.messages[0]?.content, { type: 'text', text: 'hi' })
    const args = { resourceType: 'Text', resourceId: '1' }
    const { messages } = await client.getPrompt({ name: 'old.resource-prompt', arguments: args })
    assert.match(
      JSON.stringify(messages),
      /"uri":"mcp:\/\/old\/demo:\/\/resource\/dynamic\/text\/1"/,
    )
    for (const name of ['hi', 'nowhere.hi', 'dead.hi'])
      await assert.rejects(client.getPrompt({ name }), /Unknown prompt|not there|cannot be started/)
    await client.close()
  })

  test(`${era}: resources and templates of all servers, by addresses that lead back`, async () => {
    const client = await connect(era)
    const { resources } = await client.listResources()
    const uris = resources.map(({ uri }) => uri)
    assert.ok(uris.includes(FEATURES) && uris.includes('mcp://new/test://one'), uris.join(' '))
    const { contents } = await client.readResource({ uri: FEATURES })
    assert.equal(contents[0]?.uri, FEATURES)
    const [one] = (await client.readResource({ uri: 'mcp://NEW/test://one' })).contents
    assert.deepEqual(one, { uri: 'mcp://new/test://one', text: 'one' })
    const { resourceTemplates } = await client.listResourceTemplates()
    const template = 'mcp://old/demo://resource/dynamic/text/{resourceId}'
    assert.ok(resourceTemplates.some(({ uriTemplate }) => uriTemplate === template))
    const dynamic = template.replace('{resourceId}', '3')
    assert.equal((await client.readResource({ uri: dynamic })).contents[0]?.uri, dynamic)
    for (const uri of ['test://one', 'mcp://nowhere/test://one', 'mcp://new/test://none'])
      await assert.rejects(client.readResource({ uri }), /not found/i, uri)
    const linked = await client.callTool({
      name: 'old.get-resource-links',
      arguments: { count: 2 },
    })
    const links = (linked.content as { type: string; uri?: string }[]).filter(
      ({ type }) => type === 'resource_link',
    )
    assert.ok(links.length > 0)
    for (const { uri } of links)
      assert.equal((await client.readResource({ uri: uri ?? '' })).contents[0]?.uri, uri)
    await client.close()
  })

  test(`${era}: arguments of prompts and templates are completed by their server`, async () => {
    const client = await connect(era)
    const prompt = { type: 'ref/prompt', name: 'old.completable-prompt' } as const
    const argument = { name: 'department', value: 'Eng' }
    const { completion } = await client.complete({ ref: prompt, argument })
    assert.deepEqual(completion.values, ['Engineering'])
    const uri = 'mcp://old/demo://resource/dynamic/text/{resourceId}'
    const byTemplate = await client.complete({
      ref: { type: 'ref/resource', uri },
      argument: { name: 'resourceId', value: '7' },
    })
    assert.deepEqual(byTemplate.completion.values, ['7'])
    const nowhere = { type: 'ref/prompt', name: 'nowhere.x' } as const
    await assert.rejects(client.complete({ ref: nowhere, argument }), /No server has/)
    await client.close()
  })
}

test('what a policy denies of a server is denied here as it is there', async () => {
  const asked = { label: 'strict', server: 'old', policies: ['no-reading'] }
  const strict = await grants.create(PERSON, agent.id, asked)
  const client = await connect('legacy', strict.bearer.reveal())
  await client.getPrompt({ name: 'old.simple-prompt' })
  await assert.rejects(client.readResource({ uri: FEATURES }), /\(default deny\)/)
  await client.close()
  await grants.revoke(PERSON, strict.grant.id)
})

for (const era of ERAS)
  test(`${era}: one list of a server's tools is one of those that its policy limits`, async () => {
    const limits = [{ counter: 'lists', window: 'month', max: 1 }]
    const limited = { default: 'allow', methods: { 'tools/list': { limits } } }
    await policies.set(PERSON, `listed-once-${era}`, text(limited))
    const listing = await grantAt('old', `listed-once-${era}`)
    const client = await connect(era, listing.bearer.reveal())
    const { prompts } = await client.listPrompts()
    assert.ok(prompts.some(({ name }) => name === 'old.simple-prompt'))
    const { tools } = await client.listTools()
    assert.ok(tools.some(({ name }) => name === 'old.echo'))
    const passed = JSON.stringify((await client.listTools({}, { cacheMode: 'refresh' }))._meta)
    assert.match(passed, /"server":"old","reason":"[^"]*limit 'lists' of 1/)
    await client.close()
    await grants.revoke(PERSON, listing.grant.id)
  })

test('modern: of a server that cannot list its tools, all else is there', async () => {
  const results: Readonly<Record<string, object>> = {
    'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { prompts: {} } },
    'prompts/list': { prompts: [{ name: 'p' }] },
  }
  const failing = await scripted(({ rpc: { id, method = '' } }, response) => {
    const result = results[method]
    const error = { code: -32_603, message: 'no tools today' }
    json(response, { id, ...(result === undefined ? { error } : { result }) })
  })
  await servers.add(PERSON, 'failing', { kind: 'http', url: failing.url, headers: [] })
  const granted = await grantAt('failing')
  const client = await connect('modern', granted.bearer.reveal())
  const { prompts } = await client.listPrompts()
  assert.deepEqual(
    prompts.map(({ name }) => name),
    ['failing.p'],
  )
  assert.match(JSON.stringify((await client.listTools())._meta), /no tools today/)
  assert.equal(failing.got.filter(({ rpc }) => rpc.method === 'server/discover').length, 1)
  await client.close()
  await grants.revoke(PERSON, granted.grant.id)
})

/** As a server may write it: numbers beyond doubles, a fraction that is whole, an escape that need not be, its own order. */
const ODD = '"z": 18446744073709551615,"a":1.0,"\\u00e9":"\\u00e9\\/","10":-0'
/** By method: the member that holds what is listed, that of its name, and its name here. */
const ODDLY_LISTED: readonly [method: string, member: string, key: string, name: string][] = [
  ['tools/list', 'tools', 'name', 'odd.t'],
  ['prompts/list', 'prompts', 'name', 'odd.p'],
  ['resources/list', 'resources', 'uri', 'mcp://odd/a://r'],
  ['resources/templates/list', 'resourceTemplates', 'uriTemplate', 'mcp://odd/a://{x}'],
]
for (const era of ERAS)
  test(`${era}: what servers list stays as they wrote it, but for its name`, async () => {
    const capabilities = { tools: {}, prompts: {}, resources: {} }
    const serverInfo = { name: 'odd', version: '1' }
    const greetings: Readonly<Record<string, object>> = {
      initialize: { protocolVersion: '2025-11-25', capabilities, serverInfo },
      'server/discover': { supportedVersions: ['2026-07-28'], capabilities },
    }
    const listing = (key: string, name: string): string =>
      `{"inputSchema":{${ODD}},"${key}" : "${name}","size":1.0,"_meta":{${ODD}}}`
    const odd = await scripted(({ rpc: { id, method = '' } }, response) => {
      const [, member, key, name] = ODDLY_LISTED.find(([one]) => one === method) ?? []
      const own = name?.replace(/^odd\.|^mcp:\/\/odd\//, '') ?? ''
      const result =
        key === undefined
          ? JSON.stringify(greetings[method] ?? {})
          : `{"resultType":"complete","${member}":[${listing(key, own)}]}`
      if (id === undefined) response.writeHead(202).end()
      else json(response, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`)
    })
    await servers.add(PERSON, 'odd', { kind: 'http', url: odd.url, headers: [] })
    const granted = await grantAt('odd')
    const bearer = granted.bearer.reveal()
    const post = (message: object, headers: object): Promise<Response> =>
      door.post(
        { jsonrpc: '2.0', id: 'l', ...message },
        { Authorization: `Bearer ${bearer}`, ...headers },
        '/mcp/all',
      )
    const hello = era === 'legacy' ? await post(HELLO, {}) : null
    for (const [method, member, key, name] of ODDLY_LISTED) {
      const answer =
        hello === null
          ? post(
              { method, params: { _meta: META } },
              { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': method },
            )
          : post({ method }, { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' })
      const told = await (await answer).text()
      assert.ok(told.includes(`"${member}":[${listing(key, name)}]`), told)
    }
    await grants.revoke(PERSON, granted.grant.id)
    await servers.remove(PERSON, 'odd')
  })

test('the bearer of a grant reaches its one server, and is dead within a second', async () => {
  const client = await connect('modern', atOld.bearer.reveal())
  const { tools } = await client.listTools()
  assert.ok(tools.length > 5 && tools.every(({ name }) => name.startsWith('old.')))
  const echoed = await client.callTool({ name: 'old.echo', arguments: { message: 'x' } })
  assert.match(JSON.stringify(echoed.content), /Echo: x/)
  const { bearer } = await grants.rotate(PERSON, atOld.grant.id)
  const from = performance.now()
  const isRefused = () =>
    client.listTools().then(
      () => false,
      () => true,
    )
  // What was asked before may be answered later.
  for (let askedAt = from; !(await isRefused()); askedAt = performance.now())
    assert.ok(askedAt - from < 1_000, 'it still counts')
  await (await connect('legacy', bearer.reveal())).listPrompts()
})

test('modern: a listener is told of the resources and lists that it asked for, by their names here', async () => {
  const uri = 'mcp://new/test://one'
  const headers = {
    Authorization: `Bearer ${key.reveal()}`,
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'subscriptions/listen',
  }
  const notifications = {
    toolsListChanged: true,
    resourceSubscriptions: [uri, 'mcp://nowhere/a://b', FEATURES],
  }
  const params = { notifications, _meta: META }
  const response = await door.post(
    { jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params },
    headers,
    '/mcp/all',
  )
  const events = readEvents(response)
  const subscription = { 'io.modelcontextprotocol/subscriptionId': 'l' }
  assert.deepEqual((await events.next()).params, {
    notifications: { toolsListChanged: true, resourceSubscriptions: [uri, FEATURES] },
    _meta: subscription,
  })
  const client = await connect('modern')
  await client.callTool({ name: 'new.change', arguments: {} })
  assert.deepEqual(await events.next(), {
    jsonrpc: '2.0',
    method: 'notifications/tools/list_changed',
    params: { _meta: subscription },
  })
  await client.callTool({ name: 'old.toggle-subscriber-updates', arguments: {} })
  let updated = await events.next()
  // Some servers change their tools once they know their client.
  while (updated.method === 'notifications/tools/list_changed') updated = await events.next()
  assert.equal(updated.method, 'notifications/resources/updated')
  assert.deepEqual(updated.params, { uri: FEATURES, _meta: subscription })
  await client.callTool({ name: 'old.toggle-subscriber-updates', arguments: {} })
  await events.close()
  await client.close()
})

test('legacy: what is subscribed to is told on the stream that is kept open, and no longer once it is not', async () => {
  const heard: string[] = []
  const client = await connect('legacy')
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    heard.push(params.uri)
  })
  await client.subscribeResource({ uri: FEATURES })
  await assert.rejects(client.subscribeResource({ uri: 'mcp://nowhere/a://b' }), /not found/i)
  const toggle = () => client.callTool({ name: 'old.toggle-subscriber-updates', arguments: {} })
  await toggle()
  const from = performance.now()
  while (heard.length === 0) {
    assert.ok(performance.now() - from < 10_000, 'nothing was told')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.deepEqual([...new Set(heard)], [FEATURES])
  await client.unsubscribeResource({ uri: FEATURES })
  await toggle()
  await client.close()
})

/** A legacy server that says with each call that some resources changed, told as `arguments.uris`. */
async function changing(name: string): Promise<void> {
  const capabilities = { tools: {}, resources: { subscribe: true } }
  const serverInfo = { name, version: '1' }
  const results: Readonly<Record<string, object>> = {
    initialize: { protocolVersion: '2025-11-25', capabilities, serverInfo },
    'resources/subscribe': {},
    'resources/unsubscribe': {},
    'tools/list': { tools: [] },
  }
  const server = await scripted(({ rpc: { id, method = '', params } }, response) => {
    const { uris = [] } = (params?.['arguments'] ?? {}) as { uris?: readonly string[] }
    const result = results[method]
    const error = { code: -32_601, message: 'Method not found' }
    if (id === undefined) response.writeHead(202).end()
    else if (method !== 'tools/call')
      json(response, { id, ...(result === undefined ? { error } : { result }) })
    else
      events(
        response,
        [
          ...uris.map((uri) => ({ method: 'notifications/resources/updated', params: { uri } })),
          { id, result: { content: [] } },
        ]
          .map((one) => `data: ${JSON.stringify({ jsonrpc: '2.0', ...one })}\n\n`)
          .join(''),
      ).end()
  })
  await servers.add(PERSON, name, { kind: 'http', url: server.url, headers: [] })
}

for (const path of ['/mcp/all', '/s/deep/mcp'])
  test(`modern: who listens to a resource is told of its parts, and of nothing that is only another's: ${path}`, async () => {
    await changing('deep')
    const granted = await grantAt('deep')
    const isAll = path === '/mcp/all'
    const at = (uri: string): string => (isAll ? `mcp://deep/${uri}` : uri)
    let count = 0
    const post = (method: string, params: object, name?: string): Promise<Response> => {
      count += 1
      return door.post(
        { jsonrpc: '2.0', id: count, method, params: { ...params, _meta: META } },
        {
          Authorization: `Bearer ${granted.bearer.reveal()}`,
          'MCP-Protocol-Version': '2026-07-28',
          'Mcp-Method': method,
          ...(name !== undefined && { 'Mcp-Name': name }),
        },
        path,
      )
    }
    const listen = async (...uris: string[]) => {
      const notifications = { resourceSubscriptions: uris.map(at) }
      const stream = readEvents(await post('subscriptions/listen', { notifications }))
      const { notifications: honoured } = (await stream.next()).params ?? {}
      assert.deepEqual(honoured, notifications)
      return {
        ...stream,
        hears: async (uri: string) => assert.equal((await stream.next()).params?.['uri'], at(uri)),
      }
    }
    const change = async (...uris: string[]): Promise<void> => {
      const name = isAll ? 'deep.change' : 'change'
      await (await post('tools/call', { name, arguments: { uris } }, name)).text()
    }
    const first = await listen('file:///d/', 'a://1')
    await change('file:///d/e/a.txt', 'file:///data', 'a://1#part', 'file:///d/')
    // Where only one listens, it can mean nobody else.
    for (const uri of ['file:///d/e/a.txt', 'file:///data', 'a://1#part', 'file:///d/'])
      await first.hears(uri)
    const second = await listen('file:///d/e', 'b://1')
    await change('b://1/x', 'c://1', 'file:///d/e/b.txt', 'a://1')
    await second.hears('b://1/x')
    await second.hears('file:///d/e/b.txt')
    await first.hears('file:///d/e/b.txt')
    await first.hears('a://1')
    await first.close()
    await second.close()
    await grants.revoke(PERSON, granted.grant.id)
    await servers.remove(PERSON, 'deep')
  })

await policies.set(
  PERSON,
  'shy',
  Buffer.from(
    JSON.stringify({
      version: '1',
      default: 'allow',
      methods: {
        'resources/subscribe': {
          deny_if: [{ conditions: [{ path: 'params.uri', op: 'contains', value: 'secret' }] }],
        },
      },
    }),
  ),
)

test('modern: nobody is told of what he may not listen to, and what is refused ends nothing that was listened to', async () => {
  await changing('deep')
  const granted = await grantAt('deep', 'shy')
  let count = 0
  const post = (method: string, params: object, name?: string): Promise<Response> => {
    count += 1
    return door.post(
      { jsonrpc: '2.0', id: count, method, params: { ...params, _meta: META } },
      {
        Authorization: `Bearer ${granted.bearer.reveal()}`,
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': method,
        ...(name !== undefined && { 'Mcp-Name': name }),
      },
      '/mcp/all',
    )
  }
  const listen = async (uri: string) =>
    readEvents(
      await post('subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } }),
    )
  // However the name of the server is written.
  const stream = await listen('mcp://DEEP/file:///d/')
  assert.deepEqual((await stream.next()).params?.['notifications'], {
    resourceSubscriptions: ['mcp://DEEP/file:///d/'],
  })
  const refused = await listen('mcp://deep/file:///d/secret.txt')
  assert.deepEqual((await refused.next()).params?.['notifications'], {})
  const uris = ['file:///d/secret.txt', 'zz://other-secret', 'file:///d/a.txt']
  await (
    await post('tools/call', { name: 'deep.change', arguments: { uris } }, 'deep.change')
  ).text()
  assert.equal((await stream.next()).params?.['uri'], 'mcp://deep/file:///d/a.txt')
  await stream.close()
  await refused.close()
  await grants.revoke(PERSON, granted.grant.id)
  await servers.remove(PERSON, 'deep')
})

test('legacy: a session is told of the parts of a resource that it subscribed to', async () => {
  await changing('deep')
  const granted = await grantAt('deep')
  const heard: string[] = []
  const [client, other] = [
    await connect('legacy', granted.bearer.reveal()),
    await connect('legacy', granted.bearer.reveal()),
  ]
  for (const one of [client, other])
    one.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      heard.push(`${one === client ? 'one' : 'other'} ${params.uri}`)
    })
  await client.subscribeResource({ uri: 'mcp://deep/file:///d/' })
  const uris = ['file:///d/a.txt', 'z://1', 'file:///d/']
  for (const one of [client, other])
    await one.callTool({ name: 'deep.change', arguments: { uris } })
  const expected = uris.map((uri) => `one mcp://deep/${uri}`)
  const from = performance.now()
  while (heard.length < expected.length && performance.now() - from < 5_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(heard, expected)
  await client.close()
  await other.close()
  await grants.revoke(PERSON, granted.grant.id)
  await servers.remove(PERSON, 'deep')
})
