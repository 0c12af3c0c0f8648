// Batches of 2025-03-26 over HTTP, at the address of a server and at that of all.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { readEvents } from '../support/event-reader.ts'
import { events, json, scripted, withSession } from '../support/http-upstream.ts'
import { openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
const log = join(vault.home, 'lines.log')
const readLog = (): string => readFileSync(log, 'utf8')
const command = [process.execPath, LINE_SERVER, log]
await servers.add(PERSON, 'lines', { kind: 'stdio', command, variables: [] })
const two = { version: '1', default: 'deny', tools: { echo: {}, silent: {}, batch: {} } }
await policies.set(PERSON, 'two', Buffer.from(JSON.stringify(two)))

let names = 0
async function granted(policy: string) {
  names += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${names}` })
  const asked = { label: 'laptop', server: 'lines', policies: [policy] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  return { key: key.reveal(), bearer: bearer.reveal() }
}

const bearing = (bearer: string) => ({ Authorization: `Bearer ${bearer}` })
const HELLO = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-03-26',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}

test('legacy: a session of the revision with batches may post one, and each element is judged', async () => {
  const { bearer } = await granted('two')
  const other = await granted('two')
  const hello = await door.post(HELLO, bearing(bearer), '/s/lines/mcp')
  await hello.text()
  const mine = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? assert.fail() }
  const post = (body: unknown, headers: Record<string, string> = bearing(bearer)) =>
    door.post(body, { ...mine, ...headers }, '/s/lines/mcp')
  const call = (id: unknown, name: string, word = ''): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: { text: word } },
  })
  const ready = { jsonrpc: '2.0', method: 'notifications/initialized' }
  const told = await post([ready])
  assert.deepEqual([told.status, await told.text()], [202, ''])
  const batch = [
    call('a', 'echo', 'one'),
    ready,
    { jsonrpc: '2.0', id: 'x' },
    call('b', 'delete_all'),
    call('c', 'echo', 'two'),
    call('a', 'echo', 'again'),
    { jsonrpc: '2.0', id: 5, method: 'ping' },
  ]
  const answer = await post(batch)
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/json'])
  const answers = (await answer.json()) as {
    id: unknown
    result?: { content?: { text: string }[]; isError?: boolean }
    error?: { code: number }
  }[]
  assert.deepEqual(
    answers
      .map(({ id, result, error }) =>
        [
          id,
          error?.code ?? (result?.isError === true ? 'denied' : result?.content?.[0]?.text),
        ].join(' '),
      )
      .toSorted(),
    ['5 ', 'a -32600', 'a one', 'b denied', 'c two', 'x -32600'],
  )
  for (const [body, status] of [
    [[], 400],
    [[call(1, 'echo'), HELLO], 400],
  ] as const) {
    const refused = await post(body)
    assert.equal(refused.status, status)
    const { id, error } = (await refused.json()) as { id: null; error: { code: number } }
    assert.deepEqual([id, error.code], [null, -32600])
  }
  assert.equal((await post([call(1, 'echo')], bearing(other.bearer))).status, 404)
  assert.doesNotMatch(readLog(), /delete_all|again/)
  // What the client takes back has no answer.
  const silent = post([call('s', 'silent'), call('t', 'echo', 'three')])
  for (let tries = 0; tries < 200 && !readLog().includes('three'); tries += 1) await sleep(10)
  const cancel = { method: 'notifications/cancelled', params: { requestId: 's' } }
  assert.equal((await post({ jsonrpc: '2.0', ...cancel })).status, 202)
  const left = (await (await silent).json()) as { id: string }[]
  assert.deepEqual(
    left.map(({ id }) => id),
    ['t'],
  )
})

for (const [version, wanted] of [
  ['2025-03-26', '"text":"of a batch"'],
  ['2025-11-25', "The server's answer is not valid. Batches are not served"],
] as const)
  test(`legacy: a server of ${version} that sends a batch answers what it is asked, or that ends`, async () => {
    const { bearer } = await granted('two')
    const { params } = HELLO
    const begin = { ...HELLO, params: { ...params, protocolVersion: version } }
    const hello = await door.post(begin, bearing(bearer), '/s/lines/mcp')
    await hello.text()
    const mine = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? assert.fail() }
    const call = { method: 'tools/call', params: { name: 'batch' } }
    const asked = { jsonrpc: '2.0', id: 'asked', ...call }
    const answer = await door.post(asked, { ...mine, ...bearing(bearer) }, '/s/lines/mcp')
    const said = await answer.text()
    assert.ok(said.includes(wanted), said)
  })

type Answered = { readonly id: string; readonly result: { readonly content: { text: string }[] } }
const byId = (answers: unknown): string[] =>
  (answers as Answered[]).map(({ id, result }) => `${id} ${result.content[0]?.text}`).toSorted()

const far = await scripted(
  withSession(({ rpc }, response) => {
    const { name } = rpc.params ?? {}
    const progress = {
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: 1 },
    }
    const said = {
      jsonrpc: '2.0',
      id: rpc.id,
      result: { content: [{ type: 'text', text: 'of a batch' }] },
    }
    const batch = JSON.stringify(name === 'alone' ? [said] : [progress, said])
    if (name === 'streamed') events(response, `data: ${batch}\n\n`).end()
    else if (name === 'crooked') json(response, '[{"id":1}]')
    else json(response, batch)
  }),
)
await servers.add(PERSON, 'far', { kind: 'http', url: far.url, headers: [] })
await policies.set(PERSON, 'any', Buffer.from(JSON.stringify({ version: '1', default: 'allow' })))

for (const version of ['2025-03-26', '2025-11-25'])
  test(`legacy: a server of ${version} over HTTP that sends a batch answers what it is asked, or that ends`, async () => {
    const { agent, key } = await agents.create(PERSON, { name: `far ${version}` })
    const asked = { label: 'laptop', server: 'far', policies: ['any'] }
    await grants.create(PERSON, agent.id, asked)
    const bearer = bearing(key.reveal())
    const { params } = HELLO
    const begin = { ...HELLO, params: { ...params, protocolVersion: version } }
    const hello = await door.post(begin, bearer, '/s/far/mcp')
    await hello.text()
    const mine = { ...bearer, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
    for (const name of ['alone', 'whole', 'streamed', 'crooked']) {
      const call = { name, _meta: { progressToken: 'p' } }
      const one = { jsonrpc: '2.0', id: name, method: 'tools/call', params: call }
      const said = await (await door.post(one, mine, '/s/far/mcp')).text()
      const isTaken = version === '2025-03-26' && name !== 'crooked'
      assert.equal(said.includes('"text":"of a batch"'), isTaken, said)
      assert.equal(said.includes('"code":-32603'), !isTaken, said)
      assert.equal(said.includes('"progress":1'), isTaken && name !== 'alone', said)
    }
    if (version !== '2025-03-26') return
    const call = (id: string, name: string): object => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name, _meta: { progressToken: 'p' } },
    })
    const both = [call('a', 'streamed'), call('b', 'alone')]
    const events = readEvents(await door.post(both, mine, '/s/far/mcp'))
    assert.deepEqual((await events.next()).params, { progressToken: 'p', progress: 1 })
    assert.deepEqual(byId(await events.next()), ['a of a batch', 'b of a batch'])
    await events.ended
  })

test('legacy: who shows no later revision may post a batch, and each element is judged', async () => {
  const { key } = await granted('two')
  const all = (body: unknown, headers: Record<string, string> = {}) =>
    door.post(body, { Authorization: `Bearer ${key}`, ...headers }, '/mcp/all')
  const call = (id: string, name: string): object => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: { text: id } },
  })
  const ready = { jsonrpc: '2.0', method: 'notifications/initialized' }
  assert.equal((await all([ready])).status, 202)
  const batch = [call('a', 'lines.echo'), ready, call('b', 'lines.echo'), call('c', 'lines.die')]
  const answer = await all(batch, { 'MCP-Protocol-Version': '2025-03-26' })
  assert.equal(answer.status, 200)
  const answers = (await answer.json()) as { id: string; result: { content: { text: string }[] } }[]
  assert.deepEqual(
    answers.map(({ id, result }) => `${id} ${result.content[0]?.text.slice(0, 9)}`).toSorted(),
    ['a a', 'b b', 'c [POLICY D'],
  )
  // What the client takes back has no answer.
  const hello = await door.post(HELLO, { Authorization: `Bearer ${key}` }, '/mcp/all')
  await hello.text()
  const mine = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? assert.fail() }
  const silent = all([call('gone', 'lines.silent'), call('left', 'lines.echo')], mine)
  for (let tries = 0; tries < 200 && !readLog().includes('"text":"gone"'); tries += 1)
    await sleep(10)
  const cancel = { method: 'notifications/cancelled', params: { requestId: 'gone' } }
  assert.equal((await all({ jsonrpc: '2.0', ...cancel }, mine)).status, 202)
  const rest = (await (await silent).json()) as { id: string }[]
  assert.deepEqual(
    rest.map(({ id }) => id),
    ['left'],
  )
  for (const [body, headers] of [
    [[call('a', 'lines.echo'), HELLO], {}],
    [[], {}],
    [batch, { 'MCP-Protocol-Version': '2025-06-18' }],
    [batch, { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call' }],
  ] as const) {
    const refused = await all(body, headers)
    assert.equal(refused.status, 400)
    const { id, error } = (await refused.json()) as { id: null; error: { code: number } }
    assert.deepEqual([id, error.code], [null, -32600])
  }
})

/** A session at an address that can be asked, and what it posts there. */
async function begun(path: string) {
  const { bearer, key } = await granted('any')
  const isAll = path === '/mcp/all'
  const owner = bearing(isAll ? key : bearer)
  const params = { ...HELLO.params, capabilities: { elicitation: {} } }
  const hello = await door.post({ ...HELLO, params }, owner, path)
  await hello.text()
  const mine = { ...owner, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  return {
    mine,
    post: (body: unknown, headers: Record<string, string> = {}) =>
      door.post(body, { ...mine, ...headers }, path),
    call: (id: string, name: string, more: object = {}): object => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: isAll ? `lines.${name}` : name, arguments: {}, ...more },
    }),
  }
}

for (const path of ['/s/lines/mcp', '/mcp/all']) {
  for (const isListening of [false, true])
    test(`legacy: a batch at ${path} is answered as a stream once something is said before${isListening ? ', also where one is kept open' : ''}`, async () => {
      const { mine, post, call } = await begun(path)
      const listening = { headers: { ...mine, Accept: 'text/event-stream' } }
      const own = isListening ? readEvents(await fetch(`${door.baseUrl}${path}`, listening)) : null
      const steps = call('steps', 'steps', { _meta: { progressToken: 'mine' } })
      const answer = await post([steps, call('echo', 'echo')])
      assert.equal(answer.headers.get('content-type'), 'text/event-stream')
      const events = readEvents(answer)
      const told = { jsonrpc: '2.0', method: 'notifications/progress' }
      const params = { progressToken: 'mine', progress: 1 }
      assert.deepEqual(await events.next(), { ...told, params })
      // Until all are answered, so is none.
      const again = await (await post(call('echo', 'echo'))).text()
      assert.equal(
        again.includes('A request with this id is not answered yet.'),
        path !== '/mcp/all',
      )
      await (await post(call('on', 'go_on'))).text()
      assert.deepEqual(await events.next(), { ...told, params: { ...params, progress: 2 } })
      assert.deepEqual(byId(await events.next()), ['echo undefined', 'steps done'])
      await events.ended
      await own?.close()
    })

  test(`legacy: what a server asks in the middle of a batch at ${path} is answered`, async () => {
    const { post, call } = await begun(path)
    const events = readEvents(await post([call('a', 'ask_and_wait'), call('b', 'echo')]))
    const { id, method } = await events.next()
    assert.equal(method, 'elicitation/create')
    const said = { jsonrpc: '2.0', id, result: { action: 'decline' } }
    assert.equal((await post([said])).status, 202)
    assert.deepEqual(byId(await events.next()), ['a {"action":"decline"}', 'b undefined'])
    await events.ended
  })

  test(`legacy: a batch at ${path} has the form that Accept asks for`, async () => {
    const { post, call } = await begun(path)
    const batch = [call('steps', 'echo', { _meta: { progressToken: 'mine' } }), call('e', 'echo')]
    const streamed = await post(batch, { Accept: 'text/event-stream' })
    assert.deepEqual(byId(await readEvents(streamed).next()), ['e undefined', 'steps undefined'])
    const word = `plain at ${path}`
    const slow = call('steps', 'steps', { arguments: { text: word }, _meta: { progressToken: 1 } })
    const plain = post([slow], { Accept: 'application/json' })
    for (let tries = 0; tries < 200 && !readLog().includes(word); tries += 1) await sleep(10)
    await (await post(call('on', 'go_on'))).text()
    assert.deepEqual(byId(await (await plain).json()), ['steps done'])
    assert.equal((await post(batch, { Accept: 'text/html' })).status, 406)
  })
}
