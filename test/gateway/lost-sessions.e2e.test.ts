// Servers over HTTP that do not know a session any more: what is begun again, and what is told.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { restartable } from '../support/everything.ts'
import {
  events,
  eventually,
  INITIALIZED,
  json,
  scripted,
  upstreamAt,
  withSession,
} from '../support/http-upstream.ts'
import { ERAS, type Era, HELLO, openDoor } from '../support/mcp-door.ts'
import { temporaryHome } from '../support/serving.ts'
import { PERSON } from '../support/vault.ts'
import { saidBy, startWrapped } from '../support/wrapped.ts'

test('a session that the server lost is begun again, and what never ran is sent again', async () => {
  let session = 0
  const calls: string[] = []
  const server = await scripted(
    withSession(
      ({ rpc, headers }, response) => {
        if (headers['mcp-session-id'] !== `session-${session}`) {
          response.writeHead(404).end()
          return
        }
        calls.push(`${rpc.method} ${headers['mcp-session-id']}`)
        if (rpc.id === undefined) response.writeHead(202).end()
        else json(response, { id: rpc.id, result: {} })
      },
      () => {
        session += 1
        return `session-${session}`
      },
    ),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  await end.ask(1, 'logging/setLevel', { level: 'info' })
  await end.ask(2, 'resources/subscribe', { uri: 'a://1' })
  await end.ask(3, 'resources/subscribe', { uri: 'a://2' })
  await end.ask(4, 'resources/unsubscribe', { uri: 'a://1' })
  calls.length = 0
  session = 9
  const answers = await Promise.all(
    [11, 12, 13].map((id) => end.ask(id, 'tools/call', { name: 'a' })),
  )
  assert.deepEqual(
    answers.map(({ result }) => result),
    [{}, {}, {}],
  )
  assert.deepEqual(calls.toSorted(), [
    'logging/setLevel session-10',
    'resources/subscribe session-10',
    'tools/call session-10',
    'tools/call session-10',
    'tools/call session-10',
  ])
  assert.equal(server.got.filter(({ rpc }) => rpc.method === 'initialize').length, 2)
  assert.equal(end.heard.filter((one) => one.includes('serverInfo')).length, 1)
})

test('a new session that is not like the lost one is no session', async () => {
  let begun = 0
  const server = await scripted((got, response) => {
    if (got.rpc.method === 'initialize') {
      begun += 1
      response.setHeader('mcp-session-id', `s${begun}`)
      json(response, {
        id: got.rpc.id,
        result: begun === 1 ? INITIALIZED : { ...INITIALIZED, capabilities: {} },
      })
    } else if (got.rpc.id === undefined) response.writeHead(got.method === 'GET' ? 405 : 202).end()
    else response.writeHead(404).end()
  })
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
  assert.match(await end.fails('1 '), /^1 refused-by-server .*connect again/)
})

const error = (code: number, message: string, id?: null | string): string =>
  JSON.stringify({ jsonrpc: '2.0', ...(id !== undefined && { id }), error: { code, message } })
const NO_SESSION = 'Bad Request: No valid session ID provided'
const JSON_TYPE = { 'content-type': 'application/json' }

/** How servers say with HTTP 400 that they do not know a session. */
const GONE: readonly [what: string, headers: Record<string, string>, body: string][] = [
  ['no valid session', JSON_TYPE, error(-32_000, NO_SESSION, null)],
  ['not found', JSON_TYPE, error(-32_001, 'Session not found', null)],
  ['not initialized', JSON_TYPE, error(-32_000, 'Bad Request: Server not initialized', null)],
  ['without an id', JSON_TYPE, error(-32_000, NO_SESSION)],
  ['under an id of its own', JSON_TYPE, error(-32_600, 'Session not found', 'server-error')],
  ['in JSON of its own', JSON_TYPE, '{"detail":"Unknown session ID"}'],
  ['as text', { 'content-type': 'text/plain; charset=utf-8' }, NO_SESSION],
  ['as text without a type', {}, NO_SESSION],
  ['as a page', { 'content-type': 'text/html' }, `<pre>${NO_SESSION}</pre>${' '.repeat(9_000)}`],
]
for (const [what, headers, body] of GONE)
  test(`a server that forgot a session and says HTTP 400 is asked for another: ${what}`, async () => {
    let known = 'first'
    const server = await scripted(
      withSession(
        ({ rpc, headers: sent }, response) => {
          if (sent['mcp-session-id'] !== known) response.writeHead(400, headers).end(body)
          else if (rpc.id === undefined) response.writeHead(202).end()
          else json(response, { id: rpc.id, result: {} })
        },
        () => known,
      ),
    )
    const end = upstreamAt(server.url)
    await end.begin()
    known = 'second'
    assert.deepEqual((await end.ask(1, 'tools/call', { name: 'a' })).result, {})
    known = 'third'
    end.send({ method: 'notifications/roots/list_changed' })
    await server.reached(
      ({ rpc, headers: sent }) =>
        rpc.method === 'notifications/initialized' && sent['mcp-session-id'] === 'third',
    )
    const sent = server.got.filter(({ rpc }) => rpc.method === 'tools/call')
    assert.deepEqual(
      sent.map(({ headers: one }) => one['mcp-session-id']),
      ['first', 'second'],
    )
  })

/** Refusals with HTTP 400 that are about something else, or that a new session does not cure. */
const REFUSED: readonly [times: number, headers: Record<string, string>, body: string][] = [
  [1, JSON_TYPE, error(-32_602, 'The session argument is missing.', null)],
  [1, JSON_TYPE, error(-32_602, 'Unknown session.', null)],
  [1, JSON_TYPE, error(-32_000, 'Too much.', null)],
  [1, JSON_TYPE, error(-32_600, 'One session is enough.', null)],
  [1, { 'content-type': 'text/plain' }, 'The session argument is missing.'],
  [1, {}, `${' '.repeat(9_000)}${NO_SESSION}`],
  // Of other sessions, and of other things that are not there yet.
  [1, { 'content-type': 'application/json; x=1' }, '{"error":"Database not initialized"}'],
  [1, JSON_TYPE, error(-32_600, 'git repository not initialized', null)],
  [1, { 'content-type': 'text/html' }, '<p>Your login session has expired</p>'],
  [1, {}, '{"detail":"Browser session abc is closed: call browser_open first"}'],
  [1, {}, "Invalid session parameter 'recording'"],
  // Of every session, also of one that was just begun.
  [2, JSON_TYPE, error(-32_000, NO_SESSION, null)],
  [2, { 'content-type': 'text/plain' }, NO_SESSION],
]
for (const [times, headers, body] of REFUSED)
  test(`a server that refuses calls with HTTP 400 is asked ${times === 1 ? 'once' : 'twice'}: ${body.trim()}, ${JSON.stringify(headers)}`, async () => {
    const server = await scripted(
      withSession((_got, response) => response.writeHead(400, headers).end(body)),
    )
    const end = upstreamAt(server.url)
    await end.begin()
    if (headers === JSON_TYPE)
      assert.deepEqual(
        (await end.ask(1, 'tools/call', { name: 'a' })).error,
        (JSON.parse(body) as { error: unknown }).error,
      )
    else {
      end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
      assert.equal(await end.fails('1 '), '1 lost The server answered with HTTP 400.')
    }
    assert.equal(server.got.filter(({ rpc }) => rpc.method === 'tools/call').length, times)
  })

test('a refusal that does not end is one all the same', async () => {
  const server = await scripted(
    withSession((_got, response) => {
      response.writeHead(400, { 'content-type': 'text/html' }).write('<p>No')
    }),
  )
  const end = upstreamAt(server.url)
  await end.begin()
  end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
  const from = monotonicMs()
  assert.equal(await end.fails('1 '), '1 lost The server answered with HTTP 400.')
  assert.ok(monotonicMs() - from < 3_500)
})

/** A server that lost its sessions, and begins new ones as slowly as it is told. */
async function slowToBegin(ms: { readonly hello: number; readonly ready: number }) {
  let session = 1
  let isReady = true
  const calls: string[] = []
  const server = await scripted(async ({ method, rpc, headers }, response) => {
    const own = `session-${session}`
    if (method !== 'POST') response.writeHead(method === 'GET' ? 405 : 200).end()
    else if (rpc.method === 'initialize') {
      if (session > 1) await sleep(ms.hello)
      response.setHeader('mcp-session-id', own)
      json(response, { id: rpc.id, result: INITIALIZED })
    } else if (headers['mcp-session-id'] !== own) response.writeHead(404).end()
    else if (rpc.method === 'notifications/initialized') {
      await sleep(session > 1 ? ms.ready : 0)
      isReady = true
      response.writeHead(202).end()
    } else if (!isReady)
      json(response, { id: rpc.id, error: { code: -32_602, message: 'Too soon.' } })
    else if (rpc.id === undefined) response.writeHead(202).end()
    else {
      calls.push(String(rpc.id))
      json(response, { id: rpc.id, result: {} })
    }
  })
  const end = upstreamAt(server.url)
  await end.begin()
  await end.ask('first', 'tools/call', { name: 'a' })
  calls.length = 0
  session = 2
  isReady = false
  return { end, calls, ...server }
}

test('nothing overtakes the notice that the client is ready in a session that is begun again', async () => {
  const { end } = await slowToBegin({ hello: 0, ready: 80 })
  const ask = (id: number) => end.ask(id, 'tools/call', { name: 'a' })
  const asked = [ask(1), ask(2)]
  for (let id = 3; id < 8; id += 1) {
    await sleep(20)
    asked.push(ask(id))
  }
  for (const { result } of await Promise.all(asked)) assert.deepEqual(result, {})
})

test('a call that is cancelled while its session is begun again is not made', async () => {
  const { end, calls, reached } = await slowToBegin({ hello: 120, ready: 0 })
  end.send({ id: 1, method: 'tools/call', params: { name: 'a' } })
  await reached(
    ({ rpc, headers }) => rpc.method === 'initialize' && headers['mcp-session-id'] === undefined,
  )
  await sleep(30)
  end.send({ method: 'notifications/cancelled', params: { requestId: 1 } })
  await end.fails('1 never-sent')
  await end.ask(2, 'tools/call', { name: 'a' })
  assert.deepEqual(calls, ['2'])
})

/** A server that can be made to forget its sessions, and to promise something else from then on. */
async function forgetful() {
  let session = 1
  let capabilities: object = { tools: {}, resources: { subscribe: true } }
  const server = await scripted(({ method, rpc, headers }, response) => {
    const own = `session-${session}`
    if (method !== 'POST') response.writeHead(method === 'GET' ? 405 : 200).end()
    else if (rpc.method === 'initialize') {
      response.setHeader('mcp-session-id', own)
      json(response, { id: rpc.id, result: { ...INITIALIZED, capabilities } })
    } else if (rpc.method === 'server/discover') {
      json(response, { id: rpc.id, error: { code: -32_601, message: 'Unknown.' } }, 400)
    } else if (headers['mcp-session-id'] !== own) response.writeHead(404).end()
    else if (rpc.id === undefined) response.writeHead(202).end()
    else if (rpc.method === 'tools/list')
      json(response, {
        id: rpc.id,
        result: { tools: [{ name: 'a', inputSchema: { type: 'object' } }] },
      })
    else if (rpc.params?.['name'] === 'ask') {
      const question = { id: 'mine', method: 'elicitation/create', params: { message: own } }
      const answer = { id: rpc.id, result: { content: [] } }
      const lines = [question, answer].map((one) => JSON.stringify({ jsonrpc: '2.0', ...one }))
      events(response, lines.map((line) => `data: ${line}\n\n`).join('')).end()
    } else json(response, { id: rpc.id, result: { content: [{ type: 'text', text: own }] } })
  })
  return {
    ...server,
    becomes(promised: object) {
      session += 1
      capabilities = promised
    },
  }
}

const { vault, door, servers, policies } = await openDoor()
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))

async function grantFor(server: string): Promise<string> {
  const { agents, grants } = vault.identity
  const { agent } = await agents.create(PERSON, { name: `agent-${Math.random()}` })
  const asked = { label: 'laptop', server, policies: ['open'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  return bearer.reveal()
}

async function reaching(server: string, era: Era, path: string) {
  const bearer = await grantFor(server)
  return () => door.connect(era, bearer, undefined, undefined, path)
}

for (const era of ERAS)
  test(`${era}: a server that comes back with more is the same, and one that keeps less is begun anew`, async () => {
    const far = await forgetful()
    const name = `far-${era}`
    await servers.add(PERSON, name, { kind: 'http', url: far.url, headers: [] })
    const connect = await reaching(name, era, `/s/${name}/mcp`)
    let client = await connect()
    const call = async (): Promise<string> => {
      const { content } = await client.callTool({ name: 'a', arguments: {} })
      return (content as { text: string }[])[0]?.text ?? ''
    }
    assert.equal(await call(), 'session-1')
    far.becomes({ tools: {}, resources: { subscribe: true, listChanged: true }, prompts: {} })
    assert.equal(await call(), 'session-2')
    far.becomes({ tools: {}, resources: { subscribe: true } })
    assert.equal(await call(), 'session-3')
    far.becomes({ tools: {} })
    await assert.rejects(call(), /a new one is not like it: connect again/)
    if (era === 'legacy') {
      await assert.rejects(call(), /a new one is not like it/)
      await assert.rejects(call(), /no such session/)
      client = await connect()
    }
    assert.equal(await call(), 'session-4')
    await client.close()
  })

for (const era of ERAS)
  test(`${era}: at /mcp/all, a server that keeps less is begun anew`, async () => {
    const far = await forgetful()
    const name = `all-${era}`
    await servers.add(PERSON, name, { kind: 'http', url: far.url, headers: [] })
    const client = await (await reaching(name, era, '/mcp/all'))()
    const call = async (): Promise<string> => {
      const { content } = await client.callTool({ name: `${name}.a`, arguments: {} })
      return (content as { text: string }[])[0]?.text ?? ''
    }
    await client.listTools()
    assert.equal(await call(), 'session-1')
    far.becomes({ tools: {} })
    await assert.rejects(call(), /a new one is not like it/)
    assert.equal(await call(), 'session-2')
    await client.close()
  })

for (const era of ERAS)
  test(`${era}: server-everything that was killed and started anew answers again`, async () => {
    const far = await restartable('streamableHttp')
    const name = `everything-${era}`
    await servers.add(PERSON, name, { kind: 'http', url: far.url.href, headers: [] })
    const client = await (await reaching(name, era, `/s/${name}/mcp`))()
    const echo = async (message: string): Promise<void> => {
      const { content } = await client.callTool({ name: 'echo', arguments: { message } })
      assert.deepEqual(content, [{ type: 'text', text: `Echo: ${message}` }])
    }
    await echo('a')
    for (const message of ['b', 'c']) {
      await far.restart()
      await echo(message)
    }
    await client.close()
  })

test('wrap --url ends when only its client can begin again', async () => {
  const far = await forgetful()
  const { home, remove } = await temporaryHome()
  const wrapped = startWrapped(home, { url: far.url })
  await wrapped.ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  assert.equal(saidBy(await wrapped.call(1, 'a')), 'session-1')
  far.becomes({ tools: {} })
  assert.match((await wrapped.call(2, 'a')).error?.message ?? '', /connect again/)
  assert.equal(await wrapped.end(), 7)
  assert.match(wrapped.stderr(), /a new one is not like it/)
  await remove()
})

const ASK = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'ask', arguments: {} } }
const ANSWER = { jsonrpc: '2.0', id: 'mine', result: { action: 'decline' } }

test('what a server asked in a session that it lost is taken back, and it may ask anew under the same id', async () => {
  const far = await forgetful()
  await servers.add(PERSON, 'asking', { kind: 'http', url: far.url, headers: [] })
  const bearing = { Authorization: `Bearer ${await grantFor('asking')}` }
  const path = '/s/asking/mcp'
  const hello = await door.post(HELLO, bearing, path)
  const headers = { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  const asked = async (id: number): Promise<string> =>
    (await door.post({ ...ASK, id }, headers, path)).text()
  assert.match(await asked(2), /"id":"mine".*session-1/)
  far.becomes({ tools: {}, resources: { subscribe: true } })
  assert.match(await asked(3), /"id":"mine".*session-2/)
  await door.post(ANSWER, headers, path)
  await answeredBy(far)
})

test('wrap --url: what a server asked in a session that it lost is taken back', async () => {
  const far = await forgetful()
  const { home, remove } = await temporaryHome()
  const wrapped = startWrapped(home, { url: far.url })
  await wrapped.ask(0, 'initialize', HELLO.params)
  wrapped.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
  await wrapped.call(1, 'ask')
  far.becomes({ tools: {}, resources: { subscribe: true } })
  await wrapped.call(2, 'ask')
  const said = wrapped.lines.filter((line) => !line.includes('"result"'))
  assert.equal(said.length, 3)
  assert.match(said[1] ?? '', /notifications\/cancelled.*"mine"/)
  assert.match(said[2] ?? '', /"id":"mine".*session-2/)
  wrapped.send(JSON.stringify(ANSWER))
  await answeredBy(far)
  await wrapped.end()
  await remove()
})

/** Resolves when the question of the second session is answered in it. */
async function answeredBy({ got }: Awaited<ReturnType<typeof forgetful>>): Promise<void> {
  const one = await eventually(
    () => got.find(({ rpc }) => rpc.id === 'mine'),
    () => JSON.stringify(got.map(({ rpc }) => rpc)),
  )
  assert.equal(one.headers['mcp-session-id'], 'session-2')
  assert.deepEqual(one.rpc.result, ANSWER.result)
}
