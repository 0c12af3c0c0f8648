// Streams of `/s/NAME/mcp`: what comes beside the answers, on connections that break and come back.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sleep } from '../../src/core/time.ts'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import { nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const log = join(vault.home, 'lines.log')
await servers.add(PERSON, 'lines', nodeServer(LINE_SERVER, log))
await servers.add(PERSON, 'echo', nodeServer(ECHO))
const text = (policy: object): Buffer =>
  Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy }))
await policies.set(PERSON, 'open', text({ default: 'allow' }))

async function grantFor(server: string) {
  const { agent } = await vault.identity.agents.create(PERSON, { name: `agent-${Math.random()}` })
  const asked = { label: 'laptop', server, policies: ['open'] }
  const { grant, bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  return { grant, headers: { Authorization: `Bearer ${bearer.reveal()}` } }
}

const HELLO = {
  jsonrpc: '2.0',
  id: 'hello',
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

/** A session, opened by hand. @param more what goes with all that follows */
async function session(more: Record<string, string> = {}) {
  const { grant, headers: bearing } = await grantFor('lines')
  const hello = await door.post(HELLO, bearing, '/s/lines/mcp')
  const id = hello.headers.get('mcp-session-id') ?? ''
  const headers = { ...bearing, 'Mcp-Session-Id': id, ...more }
  const { result } = (await hello.json()) as { result: { capabilities: unknown } }
  const post = (message: object) =>
    door.post({ jsonrpc: '2.0', ...message }, headers, '/s/lines/mcp')
  return {
    grant,
    capabilities: result.capabilities,
    post,
    call: (id: unknown, name: string, params: object = {}) =>
      post({ id, method: 'tools/call', params: { name, arguments: {}, ...params } }),
    listen: (last: Record<string, string> = {}) =>
      fetch(`${door.baseUrl}/s/lines/mcp`, {
        headers: { ...headers, Accept: 'text/event-stream', ...last },
      }),
  }
}

/** Passes over comments and whatever else until a message of this method comes. */
async function method(events: EventReader, name: string) {
  for (;;) {
    const message = await events.next()
    if (message.method === name) return message
  }
}

const steps = { _meta: { progressToken: 'mine' } }

test('legacy: a call with progress becomes a stream, and ends with its answer', async () => {
  const { call } = await session()
  const response = await call(7, 'steps', steps)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  assert.equal(response.headers.get('x-accel-buffering'), 'no')
  const events = readEvents(response)
  assert.deepEqual((await events.next()).params, { progressToken: 'mine', progress: 1 })
  const other = await call(8, 'go_on')
  assert.equal(other.headers.get('content-type'), 'application/json')
  assert.deepEqual((await events.next()).params, { progressToken: 'mine', progress: 2 })
  const answer = await events.next()
  assert.deepEqual([answer.id, answer.result], [7, { content: [{ type: 'text', text: 'done' }] }])
  await events.ended
})

const forms: readonly [accept: string, type: string | number][] = [
  ['application/json, text/event-stream', 'application/json'],
  ['*/*', 'application/json'],
  ['application/json', 'application/json'],
  ['text/event-stream', 'text/event-stream'],
  ['application/json;q=0.5, text/event-stream', 'text/event-stream'],
  ['text/*, application/json;q=0', 'text/event-stream'],
  ['text/event-stream;q=0, */*;q=0.1', 'application/json'],
  ['text/html', 406],
  ['application/json;q=0', 406],
]
for (const era of ['legacy', 'modern'] as const)
  test(`${era}: an answer before which nothing came has the form that Accept asks for`, async () => {
    const { headers: bearing } = await grantFor('lines')
    const opened = await door.post(HELLO, bearing, '/s/lines/mcp')
    const legacy = { ...bearing, 'Mcp-Session-Id': opened.headers.get('mcp-session-id') ?? '' }
    const version = '2026-07-28'
    const modern = {
      ...bearing,
      'MCP-Protocol-Version': version,
      'Mcp-Method': 'tools/call',
      'Mcp-Name': 'echo',
    }
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    for (const [accept, form] of forms) {
      const params = {
        name: 'echo',
        arguments: { text: accept },
        ...(era === 'modern' && { _meta }),
      }
      const response = await door.post(
        { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
        { ...(era === 'legacy' ? legacy : modern), Accept: accept },
        '/s/lines/mcp',
      )
      if (typeof form === 'number') {
        assert.equal(response.status, form, accept)
        continue
      }
      assert.equal(response.headers.get('content-type'), form, accept)
      const answer =
        form === 'text/event-stream' ? await readEvents(response).next() : await response.json()
      const content = [{ type: 'text', text: accept }]
      assert.deepEqual((answer as { result: { content: unknown } }).result.content, content)
    }
  })

test('legacy: a stream that broke off goes on behind the last event that came', async () => {
  const { call, listen } = await session()
  const broken = readEvents(await call(7, 'steps', steps))
  assert.deepEqual((await broken.next()).params, { progressToken: 'mine', progress: 1 })
  const { lastEventId } = broken
  assert.match(lastEventId ?? '', /^[0-9a-z]+-1$/)
  await broken.close()
  await sleep(50)
  await call(8, 'go_on')
  const resumed = readEvents(await listen({ 'Last-Event-ID': lastEventId ?? '' }))
  assert.deepEqual((await resumed.next()).params, { progressToken: 'mine', progress: 2 })
  assert.equal((await resumed.next()).id, 7)
  await resumed.ended
})

test('legacy: a stream goes on where its client comes back, also while its old connection seems to be there', async () => {
  const { call, listen } = await session()
  const old = readEvents(await call(7, 'steps', steps))
  assert.deepEqual((await old.next()).params, { progressToken: 'mine', progress: 1 })
  const place = { 'Last-Event-ID': old.lastEventId ?? '' }
  const first = readEvents(await listen(place))
  await old.ended
  await call(8, 'go_on')
  assert.deepEqual((await first.next()).params, { progressToken: 'mine', progress: 2 })
  assert.equal((await first.next()).id, 7)
  await first.ended
  // What was said may not have come to the other end.
  const again = readEvents(await listen(place))
  assert.deepEqual((await again.next()).params, { progressToken: 'mine', progress: 2 })
  assert.equal((await again.next()).id, 7)
  await again.ended
})

/** The first bytes of a stream, which is then broken off. */
async function beginningOf(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const { value } = (await reader?.read()) ?? {}
  await reader?.cancel()
  return Buffer.from(value ?? []).toString('utf8')
}

test('legacy: a stream that broke off before anything was heard has a place to go on from', async () => {
  const { call, listen } = await session({ 'MCP-Protocol-Version': '2025-11-25' })
  const [, place = ''] = /^id: ([0-9a-z]+-0)\ndata: \n\n/.exec(
    await beginningOf(await call(7, 'steps', steps)),
  ) ?? ['', '']
  assert.notEqual(place, '')
  await sleep(50)
  await call(8, 'go_on')
  const resumed = await listen({ 'Last-Event-ID': place })
  const all = (await resumed.text()).split('\n').filter((line) => line.startsWith('data: {'))
  assert.deepEqual(
    all.map((line) => (JSON.parse(line.slice(6)) as { id?: number; method?: string }).method),
    ['notifications/progress', 'notifications/progress', undefined],
  )
  const own = await beginningOf(await listen())
  assert.match(own, /^id: g-0\ndata: \n\n/)
})

test('legacy: the stream that is kept open goes on as itself, however many requests were made', async () => {
  const { call, listen } = await session()
  const own = readEvents(await listen())
  const streams = new Set<string | null>()
  // Numbers count up to here in one sign, letters included.
  for (let id = 0; id < 40; id += 1) {
    const asking = { arguments: { id: `from-server-${id}` } }
    const events = readEvents(await call(id, 'ask', asking))
    assert.equal((await events.next()).method, 'sampling/createMessage')
    assert.equal((await events.next()).id, id)
    streams.add(events.lastEventId?.split('-')[0] ?? null)
  }
  await call('changed', 'change')
  assert.equal((await own.next()).method, 'notifications/resources/list_changed')
  assert.equal(own.lastEventId, 'g-1')
  assert.deepEqual([streams.size, streams.has('g')], [40, false])
  await own.close()
  await sleep(50)
  const resumed = readEvents(await listen({ 'Last-Event-ID': 'g-1' }))
  await call('again', 'change')
  assert.equal((await resumed.next()).method, 'notifications/resources/list_changed')
  await resumed.close()
})

test('legacy: clients of revisions that know no event without data are sent none', async () => {
  for (const version of [{}, { 'MCP-Protocol-Version': '2025-06-18' }] as const) {
    const { call } = await session(version)
    const begins = await beginningOf(await call(7, 'steps', steps))
    assert.match(begins, /^: \n\n/)
    assert.doesNotMatch(begins, /^data: *$/m)
  }
})

test('legacy: what the server asks while one request is open comes on its stream', async () => {
  const { call } = await session()
  const events = readEvents(await call(1, 'ask'))
  const asked = await events.next()
  assert.deepEqual([asked.method, asked.id], ['sampling/createMessage', 'from-server'])
  assert.equal((await events.next()).id, 1)
  await events.ended
})

test('legacy: what a server asked that died is taken back, and the next one may ask under the same id', async () => {
  const { call, post, listen } = await session()
  const events = readEvents(await call(1, 'ask_and_die'))
  const first = await events.next()
  assert.deepEqual([first.method, first.id], ['elicitation/create', 'from-server'])
  const taken = await events.next()
  assert.equal(taken.method, 'notifications/cancelled')
  assert.equal(taken.params?.['requestId'], 'from-server')
  assert.match(JSON.stringify(await events.next()), /ended before it answered/)
  const own = readEvents(await listen())
  // What comes too late is nobody's answer.
  await post({ id: 'from-server', result: { action: 'accept', content: { name: 'late' } } })
  const asked = readEvents(await call(2, 'ask_and_wait'))
  assert.equal((await method(asked, 'elicitation/create')).id, 'from-server')
  await post({ id: 'from-server', result: { action: 'accept', content: { name: 'new' } } })
  assert.match(JSON.stringify(await asked.next()), /"id":2,"result".*new/)
  await own.close()
})

test('legacy: what the server says of its own accord goes to the stream that is kept open, once', async () => {
  const { call, listen } = await session()
  const CHANGED = 'notifications/resources/list_changed'
  // Nobody listens yet: it is kept until somebody does.
  assert.equal((await call(1, 'change')).headers.get('content-type'), 'application/json')
  const first = readEvents(await listen())
  assert.equal((await first.next()).method, CHANGED)
  assert.equal((await listen()).status, 409)
  await call(2, 'change')
  assert.equal((await first.next()).method, CHANGED)
  await first.close()
  await sleep(50)
  const again = readEvents(await listen())
  await call(3, 'change')
  assert.equal((await again.next()).method, CHANGED)
  const next = await Promise.race([again.next(), sleep(300).then(() => null)])
  assert.equal(next, null)
  await again.close()
})

test('legacy: what the server asks while nobody listens is kept for a while, and then answered', async () => {
  const { call, listen, post } = await session()
  const ids = Array.from({ length: 260 }, (_, index) => `q${index + 1}`)
  const answered = (): readonly string[] =>
    [...readFileSync(log, 'utf8').matchAll(/"id":"(q\d+)","error".*not there any more/g)].map(
      ([, id = '']) => id,
    )
  await call(1, 'ask_later', { arguments: { ids } })
  for (let waited = 0; waited < 5_000 && answered().length < 4; waited += 20) await sleep(20)
  assert.deepEqual(answered(), ['q1', 'q2', 'q3', 'q4'])
  const events = readEvents(await listen())
  assert.equal((await events.next()).id, 'q5')
  // What was heard once stays open, also when it is not kept any more.
  for (let n = 0; n < 255; n += 1) await events.next()
  await call(2, 'ask_later', { arguments: { ids: ids.map((id) => `later-${id}`) } })
  for (let n = 0; n < 260; n += 1) await events.next()
  await post({ id: 'q5', result: { roots: [] } })
  await call(3, 'echo')
  assert.match(readFileSync(log, 'utf8'), /"id":"q5","result"/)
  assert.equal(answered().length, 4)
  await events.close()
})

test('legacy: what a server asks in a call whose client reads no streams is answered at once', async () => {
  const { call } = await session({ Accept: 'application/json' })
  const answer = await call(1, 'ask_and_wait')
  assert.match(await answer.text(), /The client is not there any more/)
})

test('legacy: a changed policy is told, and the server need not tell of changes itself', async () => {
  const { capabilities, listen, grant } = await session()
  assert.deepEqual(capabilities, { tools: { listChanged: true } })
  const events = readEvents(await listen())
  await policies.set(PERSON, 'mine', text({ tools: { echo: {} } }))
  await policies.attach(PERSON, 'mine', { kind: 'grant', id: grant.id })
  await method(events, 'notifications/tools/list_changed')
  await policies.set(PERSON, 'mine', text({ tools: { odd: {} } }))
  await method(events, 'notifications/tools/list_changed')
  // A policy of others is no news here.
  await policies.set(PERSON, 'others', text({}))
  await sleep(500)
  await policies.detach(PERSON, 'mine', { kind: 'grant', id: grant.id })
  await method(events, 'notifications/tools/list_changed')
  await events.close()
})

test('legacy: a stream ends when the grant does', async () => {
  const { listen, grant } = await session()
  const events = readEvents(await listen())
  await vault.identity.grants.revoke(PERSON, grant.id)
  await Promise.race([events.ended, sleep(1_500).then(() => assert.fail('it goes on'))])
})

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'

async function modern(server: string) {
  const { grant, headers } = await grantFor(server)
  const abort = new AbortController()
  const post = (id: unknown, name: string, params: object, more: Record<string, string> = {}) =>
    fetch(`${door.baseUrl}/s/${server}/mcp`, {
      method: 'POST',
      signal: abort.signal,
      headers: {
        ...headers,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': name,
        ...more,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id,
        method: name,
        params: { ...params, _meta: { ...META, ...(params as { _meta?: object })._meta } },
      }),
    })
  return { grant, post, abort }
}

for (const server of ['echo', 'lines'])
  test(`modern: a listener at ${server} hears of a changed policy under the id it asked with`, async () => {
    const { grant, post, abort } = await modern(server)
    const id = 'my listen'
    const response = await post(id, 'subscriptions/listen', {
      notifications: { toolsListChanged: true },
    })
    assert.equal(response.status, 200)
    const events = readEvents(response)
    const acknowledged = await events.next()
    assert.equal(acknowledged.method, 'notifications/subscriptions/acknowledged')
    assert.deepEqual(acknowledged.params, {
      notifications: { toolsListChanged: true },
      _meta: { [SUBSCRIPTION]: id },
    })
    const name = `listened-${server}`
    await policies.set(PERSON, name, text({}))
    await policies.attach(PERSON, name, { kind: 'grant', id: grant.id })
    const changed = await method(events, 'notifications/tools/list_changed')
    assert.deepEqual(changed.params, { _meta: { [SUBSCRIPTION]: id } })
    abort.abort()
    await events.ended
  })

test('modern: whoever closes the connection has cancelled, and the server is told under the id it knows', async () => {
  const { post, abort } = await modern('lines')
  const call = { name: 'steps', arguments: {}, _meta: { progressToken: 'mine' } }
  const events = readEvents(await post('mine', 'tools/call', call, { 'Mcp-Name': 'steps' }))
  assert.deepEqual((await events.next()).params, { progressToken: 'mine', progress: 1 })
  abort.abort()
  const cancelled = /"method":"notifications\/cancelled","params":\{"requestId":("?\w+"?)/
  for (let waited = 0; waited < 3_000 && !cancelled.test(received()); waited += 20) await sleep(20)
  const id = cancelled.exec(received())?.[1]
  assert.match(received(), new RegExp(`"id":${id},"method":"tools/call".*"progressToken":"g\\d+"`))
})

test('legacy: the connection of a request that is cancelled ends without an answer', async () => {
  const { call, post } = await session()
  const waiting = call('silent', 'silent')
  await (await call('first', 'echo')).text()
  const events = readEvents(await call('mine', 'steps', steps))
  await events.next()
  const cancel = (requestId: string) =>
    post({ method: 'notifications/cancelled', params: { requestId } })
  assert.equal((await cancel('mine')).status, 202)
  await events.ended
  assert.equal((await cancel('silent')).status, 202)
  const ended = await waiting
  assert.deepEqual([ended.status, await ended.text()], [202, ''])
  // Its answer may still come, and would be taken for that to another call.
  assert.match(await (await call('silent', 'echo')).text(), /is not answered yet/)
  assert.match(await (await call('another', 'echo')).text(), /"result"/)
})

function received(): string {
  return readFileSync(log, 'utf8')
}
