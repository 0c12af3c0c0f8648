// Where Intercept as a proxy over HTTP let things through, lost them or left its client without an answer.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { SecretText } from '../../src/core/secret-text.ts'
import { readEvents } from '../support/event-reader.ts'
import {
  events,
  eventually,
  type Got,
  INITIALIZED,
  json,
  scripted,
  upstreamAt,
  withSession,
} from '../support/http-upstream.ts'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { vault, door, servers, policies } = await openDoor()
let names = 0

type Target = Parameters<typeof servers.add>[2]
type Answer = (got: Got, response: ServerResponse) => unknown

/** A server of its own and a grant for it. The policy is there first: what is named and not there yet denies. */
async function granted(target: Target, policy: object) {
  names += 1
  const name = `own-${names}`
  await policies.set(PERSON, name, Buffer.from(JSON.stringify({ version: '1', ...policy })))
  await servers.add(PERSON, name, target)
  const { agent } = await vault.identity.agents.create(PERSON, { name })
  const grant = { label: 'laptop', server: name, policies: [name] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, grant)
  return { path: `/s/${name}/mcp`, bearing: { Authorization: `Bearer ${bearer.reveal()}` } }
}

/** A session at a server under a policy, opened by hand. */
async function session(
  target: Target,
  policy: object,
  more: Record<string, string> = {},
  protocolVersion = '2025-11-25',
) {
  const { path, bearing } = await granted(target, policy)
  const begin = { ...HELLO, params: { ...HELLO.params, protocolVersion } }
  const hello = await door.post(begin, { ...bearing, ...more }, path)
  await hello.text()
  const id = hello.headers.get('mcp-session-id') ?? ''
  const headers = { ...bearing, ...more, 'Mcp-Session-Id': id }
  const post = (message: object): Promise<Response> =>
    door.post({ jsonrpc: '2.0', ...message }, headers, path)
  return {
    id,
    headers,
    path,
    post,
    call: (id: unknown, name: string) =>
      post({ id, method: 'tools/call', params: { name, arguments: {} } }),
    listen: (last: Record<string, string> = {}) =>
      fetch(door.baseUrl + path, { headers: { ...headers, Accept: 'text/event-stream', ...last } }),
  }
}

/** The same at a server over HTTP that the test writes. */
async function far(
  answer: Answer,
  policy: object,
  more: Record<string, string> = {},
  version?: string,
) {
  const { url, got } = await scripted(answer)
  return { got, ...(await session({ kind: 'http', url, headers: [] }, policy, more, version)) }
}

const lines = (log: string): Target => nodeServer(LINE_SERVER, join(vault.home, log))

const listFor = (id: unknown): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'shown' }, { name: 'drop' }] } })
const HIDING = { default: 'allow', hide: ['drop'] }

function packed(encoding: string, pack: (text: string) => Buffer) {
  return ({ rpc }: Got, response: ServerResponse): void => {
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
      .end(pack(listFor(rpc.id)))
  }
}

let asked: unknown
const WAYS: readonly [what: string, answer: Answer][] = [
  ['plain', ({ rpc }, response) => json(response, listFor(rpc.id))],
  ['in gzip', packed('gzip', gzipSync)],
  ['in brotli', packed('br', brotliCompressSync)],
  ['in deflate', packed('deflate', deflateSync)],
  ['on a stream', ({ rpc }, response) => events(response, `data: ${listFor(rpc.id)}\n\n`).end()],
  [
    'on a stream that is resumed',
    (got, response) => {
      if (got.method === 'POST') {
        asked = got.rpc.id
        events(response, 'id: 1\nretry: 1\ndata:\n\n').end()
      } else events(response, `id: 2\ndata: ${listFor(asked)}\n\n`).end()
    },
  ],
]
for (const [what, answer] of WAYS)
  test(`a hidden tool is in no list, whichever way it comes: ${what}`, async () => {
    const more = { 'Accept-Encoding': 'gzip, zstd, x-odd' }
    const { post, got } = await far(withSession(answer), HIDING, more)
    const said = await (await post({ id: 7, method: 'tools/list' })).text()
    assert.match(said, /"shown"/)
    assert.doesNotMatch(said, /drop/)
    // What the client can unpack is nothing to the server.
    assert.ok(got.every(({ headers }) => !/odd|zstd/.test(headers['accept-encoding'] ?? '')))
  })

test('a hidden tool is in no list of a server of 2024-11-05, and a denied call is answered where it was asked', async () => {
  let say: (text: string) => void = () => {}
  const answer: Answer = (one, response) => {
    if (one.method === 'POST' && one.url === '/mcp') response.writeHead(405).end()
    else if (one.method === 'GET') {
      const stream = events(response, 'event: endpoint\ndata: /message?session=1\n\n')
      say = (text) => void stream.write(`event: message\ndata: ${text}\n\n`)
    } else {
      response.writeHead(202).end()
      const { id, method } = one.rpc
      const result = { ...INITIALIZED, protocolVersion: '2024-11-05' }
      if (method === 'initialize') say(JSON.stringify({ jsonrpc: '2.0', id, result }))
      else if (method === 'tools/list') say(listFor(id))
    }
  }
  const policy = { ...HIDING, tools: { rm: { action: 'deny' } } }
  const { post, call, got } = await far(answer, policy)
  const said = await (await post({ id: 7, method: 'tools/list' })).text()
  assert.match(said, /"shown"/)
  assert.doesNotMatch(said, /drop/)
  const denied = (await (await call(8, 'rm')).json()) as { id: number; result: object }
  assert.equal(denied.id, 8)
  assert.match(JSON.stringify(denied.result), /\[POLICY DENIED\]/)
  assert.ok(!got.some(({ body }) => body.includes('"rm"')))
})

test('a hidden tool is in nothing that a client hears again when it resumes, nor on the stream of its own', async () => {
  let tell = (): void => {}
  const listing = withSession(({ rpc }, response) => {
    const params = '{"progressToken":"p","progress":1}'
    const progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":${params}}`
    events(response, `data: ${progress}\n\n`).end(`data: ${listFor(rpc.id)}\n\n`)
  })
  const changed = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
  const answer: Answer = (one, response) => {
    if (one.method !== 'GET') return listing(one, response)
    const stream = events(response)
    tell = () => void stream.write(`data: ${listFor(9)}\n\ndata: ${changed}\n\n`)
    return undefined
  }
  const { post, listen } = await far(answer, HIDING)
  await post({ method: 'notifications/initialized' })
  const params = { _meta: { progressToken: 'p' } }
  const first = await (await post({ id: 7, method: 'tools/list', params })).text()
  const [, place] = /^id: (\S+)/m.exec(first) ?? assert.fail(first)
  const again = await (await listen({ 'Last-Event-ID': place ?? '' })).text()
  for (const said of [first, again]) {
    assert.match(said, /"shown"/)
    assert.doesNotMatch(said, /drop/)
  }
  const own = readEvents(await listen())
  tell()
  assert.equal((await own.next()).method, 'notifications/tools/list_changed')
  await own.close()
})

test('nothing of a request but its message reaches the server, and nothing of an answer but what it says the client', async () => {
  const answer = withSession(({ rpc }, response) => {
    response.setHeader('Set-Cookie', 'a=b')
    response.setHeader('Connection', 'close, X-Hop')
    response.setHeader('X-Hop', 'over')
    response.setHeader('X-Powered-By', 'it')
    json(response, { id: rpc.id, result: { content: [] } })
  })
  const more = {
    Cookie: 'session=1',
    'Proxy-Authorization': 'Basic eDp5',
    'X-Client': 'mine',
    'X-Forwarded-For': '203.0.113.9',
  }
  const { headers, id, call, path, got } = await far(answer, { default: 'allow' }, more)
  const answered = await call(1, 't')
  assert.equal(answered.status, 200)
  await answered.text()
  for (const field of ['set-cookie', 'x-hop', 'x-powered-by'])
    assert.equal(answered.headers.get(field), null, field)
  for (const one of got) {
    for (const field of ['authorization', ...Object.keys(more).map((name) => name.toLowerCase())])
      assert.equal(one.headers[field], undefined, field)
    assert.match(one.headers.host ?? '', /^127\.0\.0\.1:\d+$/)
    assert.notEqual(`http://${one.headers.host}`, door.baseUrl)
  }
  // The session at the server is another one, and ends with that of the client.
  assert.notEqual(id, 'session-1')
  assert.equal(got.at(-1)?.headers['mcp-session-id'], 'session-1')
  await fetch(door.baseUrl + path, { method: 'DELETE', headers })
  await eventually(
    () => got.find(({ method }) => method === 'DELETE'),
    () => 'the end of the session',
  )
})

test('the header of a server is sent by the door as well, and its secret to nobody else', async () => {
  const value = `tk_${randomBytes(24).toString('base64url')}`
  const secret = { path: 'hub/key', value: SecretText.fromText(value) }
  await vault.vault.put(PERSON, 'default', secret)
  const { url, got } = await scripted(
    withSession(({ rpc, headers }, response) =>
      json(response, {
        id: rpc.id,
        result: { content: [{ type: 'text', text: String(headers['x-key']) }] },
      }),
    ),
  )
  const headers = [{ name: 'X-Key', value: 'Bearer secret://hub/key' }]
  const { call } = await session({ kind: 'http', url, headers }, { default: 'allow' })
  const said = await (await call(1, 't')).text()
  assert.ok(got.length > 1 && got.every((one) => one.headers['x-key'] === `Bearer ${value}`), said)
  assert.ok(!said.includes(value))
  const [read] = await vault.audit.query({ path: 'hub/key', action: 'secret.use' })
  assert.deepEqual([read?.actor, read?.channel], ['person:local', 'mcp-http'])
})

test('a batch is answered in one list, whether its server answers as JSON, on a stream or not at all', async () => {
  const answer = withSession(({ rpc }, response) => {
    const { name } = rpc.params ?? {}
    const said = { jsonrpc: '2.0', id: rpc.id, result: { content: [] } }
    if (name === 'streamed') events(response, `data: ${JSON.stringify(said)}\n\n`).end()
    else if (name === 'plain') json(response, said)
    else response.writeHead(202).end()
  })
  const { post, headers, path } = await far(answer, { default: 'allow' }, {}, '2025-03-26')
  await post({ method: 'notifications/initialized' })
  const call = (id: number, name: string): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name },
  })
  const batch = [call(1, 'plain'), call(2, 'streamed'), call(3, 'nothing')]
  const answered = await door.post(batch, headers, path)
  assert.equal(answered.headers.get('content-type'), 'application/json')
  const all = (await answered.json()) as readonly { id: number; error?: { code: number } }[]
  assert.deepEqual(all.map(({ id, error }) => `${id} ${error?.code ?? 'done'}`).toSorted(), [
    '1 done',
    '2 done',
    '3 -32603',
  ])
})

test('there is no second door for the transport of 2024-11-05', async () => {
  const { headers, path } = await session(lines('doors.log'), { default: 'deny' })
  const rm = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'delete_all' } }
  for (const place of ['/sse', '/message?session=1', `${path}/sse`, `${path}/message`])
    for (const body of [null, rm, [rm]]) {
      const response = await (body === null
        ? fetch(door.baseUrl + place, { headers })
        : door.post(body, headers, place))
      await response.body?.cancel()
      assert.ok([401, 404].includes(response.status), `${place} ${response.status}`)
    }
  assert.doesNotMatch(readFileSync(join(vault.home, 'doors.log'), 'utf8'), /delete_all/)
})

const ONE = (counter: string) => ({
  default: 'deny',
  tools: { t: { limits: [{ counter, window: 'month', max: 1 }] } },
})
const refusing = { code: -32000, message: 'no' }
const ENDS: readonly [what: string, isGivenBack: boolean, answer: Answer][] = [
  ['HTTP 401', true, (_got, response) => response.writeHead(401).end()],
  ['HTTP 403', true, (_got, response) => response.writeHead(403).end('no')],
  ['HTTP 429', true, (_got, response) => response.writeHead(429).end()],
  [
    'an error as JSON',
    true,
    ({ rpc }, response) => json(response, { id: rpc.id, error: refusing }),
  ],
  [
    'an error with HTTP 400',
    true,
    ({ rpc }, response) => json(response, { id: rpc.id, error: refusing }, 400),
  ],
  [
    'an error on a stream',
    true,
    ({ rpc }, response) =>
      events(
        response,
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: rpc.id, error: refusing })}\n\n`,
      ).end(),
  ],
  ['HTTP 500', false, (_got, response) => response.writeHead(500).end('a trace')],
  ['a page', false, (_got, response) => response.writeHead(200).end('<html>')],
  ['HTTP 202', false, (_got, response) => response.writeHead(202).end()],
  ['a stream that ends', false, (_got, response) => events(response).end()],
  ['a connection that breaks', false, (_got, response) => response.destroy()],
]
for (const [index, [what, isGivenBack, fail]] of ENDS.entries())
  test(`a call that ends in ${what} is answered, and what it took is ${isGivenBack ? 'given back' : 'kept: it may have run'}`, async () => {
    let times = 0
    const answer = withSession((one, response) => {
      times += 1
      if (times === 1) fail(one, response)
      else json(response, { id: one.rpc.id, result: { content: [] } })
    })
    const { call, got } = await far(answer, ONE(`ends-${index}`))
    const failed = (await (await call('first', 't')).json()) as { id: unknown; error?: object }
    assert.equal(failed.id, 'first')
    assert.ok(failed.error !== undefined, JSON.stringify(failed))
    const next = await (await call('next', 't')).text()
    assert.equal(/The limit 'ends-\d+' of 1/.test(next), !isGivenBack, next)
    const sent = got.filter(({ rpc }) => rpc.method === 'tools/call')
    assert.equal(sent.length, isGivenBack ? 2 : 1)
  })

test('a call in the middle of which its server loses the session is made again and counted once', async () => {
  let isLost = false
  const answer = withSession(({ rpc }, response) => {
    if (isLost) response.writeHead(404).end()
    else json(response, { id: rpc.id, result: { content: [] } })
    isLost = false
  })
  const limits = [{ counter: 'of-sessions', window: 'month', max: 2 }]
  const { call, got } = await far(answer, { default: 'deny', tools: { t: { limits } } })
  isLost = true
  for (const id of [1, 2]) assert.match(await (await call(id, 't')).text(), /"content":\[\]/)
  assert.match(await (await call(3, 't')).text(), /The limit 'of-sessions' of 2/)
  assert.equal(got.filter(({ rpc }) => rpc.method === 'initialize').length, 2)
  assert.equal(got.filter(({ rpc }) => rpc.method === 'tools/call').length, 3)
})

const UNREACHED: readonly [what: string, target: Target][] = [
  ['reached', { kind: 'http', url: 'http://127.0.0.1:9/mcp', headers: [] }],
  ['started', { kind: 'stdio', command: [join(vault.home, 'none')], variables: [] }],
]
for (const [what, target] of UNREACHED)
  test(`a server that cannot be ${what} is said to be away, and nothing is taken for it`, async () => {
    const { path, bearing } = await granted(target, ONE(`not-${what}`))
    const version = '2026-07-28'
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const headers = {
      ...bearing,
      'MCP-Protocol-Version': version,
      'Mcp-Method': 'tools/call',
      'Mcp-Name': 't',
    }
    for (const id of [1, 2, 3]) {
      const message = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 't', _meta } }
      const said = await (await door.post(message, headers, path)).text()
      assert.match(said, new RegExp(`"id":${id},"error":|"id":${id},"result":.*"isError":true`))
      assert.doesNotMatch(said, /The limit/)
    }
  })

test('a call of which the server dies is answered, and what it took is kept: it may have run', async () => {
  const limits = [{ counter: 'deaths', window: 'month', max: 1 }]
  const policy = { default: 'deny', tools: { die: { limits } } }
  const { call } = await session(lines('mortal.log'), policy)
  assert.match(await (await call(1, 'die')).text(), /ended before it answered \(exit code 7\)/)
  assert.match(await (await call(2, 'die')).text(), /The limit 'deaths' of 1/)
})

test('the stream of a server is opened also where it answers initialize on a stream', async () => {
  const server = await scripted(({ method, rpc }, response) => {
    if (method === 'GET')
      events(response, 'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n')
    else if (rpc.method === 'initialize') {
      response.setHeader('mcp-session-id', 'of-a-stream')
      const said = { jsonrpc: '2.0', id: rpc.id, result: INITIALIZED }
      events(response, `id: 1\ndata:\n\ndata: ${JSON.stringify(said)}\n\n`).end()
    } else response.writeHead(202).end()
  })
  const end = upstreamAt(server.url)
  assert.deepEqual((await end.begin()).result, INITIALIZED)
  await end.hears('list_changed')
  const { headers } = await server.reached(({ method }) => method === 'GET')
  assert.equal(headers['mcp-session-id'], 'of-a-stream')
})

test('a notice is answered with nothing, and so is what is none and was not allowed', async () => {
  const answer = withSession((_got, response) => response.writeHead(202).end())
  const { post, got } = await far(answer, { default: 'deny' })
  const noticed = await post({ method: 'notifications/roots/list_changed' })
  assert.deepEqual([noticed.status, await noticed.text()], [202, ''])
  const denied = await post({ method: 'tools/call', params: { name: 'drop' } })
  assert.doesNotMatch(await denied.text(), /"id"|POLICY/)
  assert.ok(!got.some(({ body }) => body.includes('drop')))
})
