// `/s/NAME/mcp` on a real listener: real clients of both eras, real servers as children, two processes' worth of vaults.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { ORIGIN, userWithKey } from '../support/identity.ts'
import { ERAS, type Era, HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { AGENT, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, authentication, freezes, grants } = vault.identity
const log = join(vault.home, 'lines.log')
await servers.add(PERSON, 'echo', nodeServer(ECHO))
await servers.add(PERSON, 'lines', nodeServer(LINE_SERVER, log))
await servers.add(PERSON, 'broken', {
  kind: 'stdio',
  command: [join(vault.home, 'no-program')],
  variables: [],
})
const text = (policy: object): Buffer =>
  Buffer.from(JSON.stringify({ version: '1', default: 'deny', ...policy }))
await policies.set(PERSON, 'open', text({ default: 'allow' }))
await policies.set(PERSON, 'echo-only', text({ tools: { echo: {} } }))

let names = 0
async function granted(server: string, named: readonly string[] = ['open']) {
  names += 1
  const { agent, key } = await agents.create(PERSON, { name: `agent-${names}` })
  const asked = { label: 'laptop', server, policies: named }
  const { grant, bearer } = await grants.create(PERSON, agent.id, asked)
  return { agent, key: key.reveal(), grant, bearer: bearer.reveal() }
}

const at = (server: string): string => `/s/${server}/mcp`
const connect = (era: Era, bearer: string, server: string) =>
  door.connect(era, bearer, undefined, undefined, at(server))
const said = (answer: { readonly content?: unknown }): string =>
  (answer.content as { text: string }[])[0]?.text ?? ''
const echo = async (client: Awaited<ReturnType<typeof connect>>, word: string): Promise<string> =>
  said(await client.callTool({ name: 'echo', arguments: { text: word } }))
const bearing = (bearer: string) => ({ Authorization: `Bearer ${bearer}` })

async function refusedWithinASecond(post: () => Promise<Response>): Promise<void> {
  const from = monotonicMs()
  for (;;) {
    const { status } = await post()
    if (status === 401 || status === 404) return
    assert.ok(monotonicMs() - from < 1_000, 'it still counts after a second')
    await sleep(20)
  }
}

for (const era of ERAS) {
  test(`${era}: a client with a grant reaches its server, and a denied call does not`, async () => {
    const { bearer } = await granted('echo', ['echo-only'])
    const client = await connect(era, bearer, 'echo')
    assert.deepEqual(
      (await client.listTools()).tools.map(({ name }) => name),
      ['echo'],
    )
    assert.equal(await echo(client, 'hello'), 'hello')
    const denied = await client.callTool({ name: 'other', arguments: {} })
    assert.equal(denied.isError, true)
    assert.match(said(denied), /^\[POLICY DENIED\] /)
    await client.close()
  })

  test(`${era}: a grant without a policy denies every call, and all that are attached count`, async () => {
    const { grant, bearer } = await granted('echo', [])
    const client = await connect(era, bearer, 'echo')
    assert.match(await echo(client, 'a'), /There is no policy for this server/)
    const toGrant = { kind: 'grant', id: grant.id } as const
    const until = async (wanted: RegExp): Promise<void> => {
      const from = monotonicMs()
      while (!wanted.test(await echo(client, 'a'))) {
        assert.ok(monotonicMs() - from < 1_000, `it does not say ${wanted.source} after a second`)
        await sleep(20)
      }
    }
    await policies.attach(PERSON, 'open', toGrant)
    await until(/^a$/)
    await policies.set(PERSON, `never-${era}`, text({ tools: { echo: { action: 'deny' } } }))
    await policies.attach(PERSON, `never-${era}`, toGrant)
    await until(new RegExp(`Rule: never-${era}#/tools/echo`))
    await policies.detach(PERSON, `never-${era}`, toGrant)
    await policies.set(
      PERSON,
      `twice-${era}`,
      text({ tools: { echo: { limits: [{ counter: 'c', window: 'month', max: 2 }] } } }),
    )
    await until(/^a$/)
    await policies.attach(PERSON, `twice-${era}`, toGrant)
    await until(/limit 'c' of 2/)
    await client.close()
  })

  test(`${era}: a server that cannot be started answers its callers and harms no other`, async () => {
    const broken = await granted('broken')
    const good = await granted('echo')
    const [failed, client] = await Promise.allSettled([
      connect(era, broken.bearer, 'broken'),
      connect(era, good.bearer, 'echo'),
    ])
    assert.equal(failed.status, 'rejected')
    assert.match(
      String((failed as { reason: unknown }).reason),
      era === 'legacy' ? /cannot be started/ : /did not offer/,
    )
    assert.ok(client.status === 'fulfilled')
    assert.equal(await echo(client.value, 'b'), 'b')
    await client.value.close()
  })
}

test('legacy: two clients have a server each, and what one declares the other does not', async () => {
  const { bearer } = await granted('lines')
  const before = readStarts().length
  const both = await Promise.all([0, 1].map(() => connect('legacy', bearer, 'lines')))
  assert.notEqual(both[0]?.sessionId, both[1]?.sessionId)
  assert.equal(readStarts().length - before, 2)
  await Promise.all(both.map((client) => client.close()))
})

test('legacy: whose first request is refused has no session, and nothing that was started for it runs on', async () => {
  const file = join(vault.home, 'refusing.mjs')
  const pids = join(vault.home, 'refusing.log')
  writeFileSync(
    file,
    `import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
appendFileSync(${JSON.stringify(pids)}, process.pid + '\\n')
for await (const line of createInterface(process.stdin)) {
  const { id } = JSON.parse(line)
  const error = { code: -32602, message: 'Not with you.' }
  if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, error }) + '\\n')
}`,
  )
  await servers.add(PERSON, 'refusing', nodeServer(file))
  const { bearer } = await granted('refusing')
  for (let turn = 0; turn < 3; turn += 1) {
    const refused = await door.post(HELLO, bearing(bearer), at('refusing'))
    assert.match(await refused.text(), /Not with you/)
    const session = { 'Mcp-Session-Id': refused.headers.get('mcp-session-id') ?? '' }
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' }
    const next = await door.post(list, { ...bearing(bearer), ...session }, at('refusing'))
    assert.equal(next.status, 404)
  }
  const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number)
  assert.equal(started.length, 3)
  const from = monotonicMs()
  while (started.some(isRunning) && monotonicMs() - from < 5_000) await sleep(20)
  assert.deepEqual(started.filter(isRunning), [])
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('modern: clients of one grant share a server, and each hears its own answers', async () => {
  const { bearer } = await granted('echo')
  const clients = await Promise.all([0, 1, 2].map(() => connect('modern', bearer, 'echo')))
  const words = Array.from({ length: 30 }, (_, index) => `w${index}`)
  const heard = await Promise.all(
    words.map((word, index) => echo(clients[index % 3] ?? assert.fail(), word)),
  )
  assert.deepEqual(heard, words)
  await Promise.all(clients.map((client) => client.close()))
})

test('an old bearer is dead within a second, with the sessions and streams it opened', async () => {
  const { grant, bearer, key } = await granted('lines')
  const client = await connect('legacy', bearer, 'lines')
  const pid = readStarts().at(-1) ?? assert.fail()
  const post = () => door.post(HELLO, bearing(bearer), at('lines'))
  const { bearer: rotated } = await grants.rotate(PERSON, grant.id)
  await refusedWithinASecond(post)
  await assert.rejects(client.listTools())
  const next = await connect('legacy', rotated.reveal(), 'lines')
  assert.equal(await echo(next, 'c'), 'c')
  // The grant of an agent is its own, whatever it shows.
  const token = (await authentication.exchange(key, null, ORIGIN)).token.reveal()
  const byToken = await connect('legacy', token, 'lines')
  assert.equal(await echo(byToken, 'd'), 'd')
  await grants.revoke(PERSON, grant.id)
  await assert.rejects(async () => {
    for (const from = monotonicMs(); monotonicMs() - from < 1_000; await sleep(20))
      await next.listTools()
  })
  await gone(pid)
})

test('legacy: a session goes on with a token that was exchanged anew, and outlives the old one', async () => {
  const { agent, key } = await granted('lines')
  const { authentication: doors } = vault.identity
  const exchanged = async () => (await doors.exchange(key, null, ORIGIN)).token.reveal()
  const first = await exchanged()
  const client = await connect('legacy', first, 'lines')
  const headers = { 'Mcp-Session-Id': client.sessionId ?? assert.fail() }
  const list = { jsonrpc: '2.0', id: 9, method: 'tools/list' }
  const next = await exchanged()
  const listed = (token: string) => door.post(list, { ...bearing(token), ...headers }, at('lines'))
  assert.equal((await listed(next)).status, 200)
  await doors.revoke(first, ORIGIN)
  await refusedWithinASecond(() => listed(first))
  // What was changed is looked at anew, and the session is still somebody's.
  await agents.update(PERSON, agent.id, { description: 'another' })
  await sleep(400)
  assert.equal((await listed(next)).status, 200)
  await doors.revoke(next, ORIGIN)
  await refusedWithinASecond(() => listed(next))
})

test('a frozen grant stops at once, its agent elsewhere does not', async () => {
  const here = await granted('echo')
  const there = await grants.create(PERSON, here.agent.id, {
    label: 'x',
    server: 'lines',
    policies: ['open'],
  })
  await freezes.freeze(AGENT, { kind: 'grant', id: here.grant.id }, null)
  const hello = (bearer: string, server: string) => () =>
    door.post(HELLO, bearing(bearer), at(server))
  await refusedWithinASecond(hello(here.bearer, 'echo'))
  assert.equal((await hello(here.key, 'echo')()).status, 403)
  assert.equal((await hello(there.bearer.reveal(), 'lines')()).status, 200)
})

test('over one connection everybody is who he shows to be, and who was let in a moment ago is not for ever', async () => {
  const [one, two] = [await granted('echo'), await granted('echo', ['echo-only'])]
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<unknown>()
  const { hostname, port } = new URL(door.baseUrl)
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/list',
    params: {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const status = (bearer: string | null, server = 'echo'): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': 'tools/list',
        ...(bearer !== null && bearing(bearer)),
      }
      request({ agent, hostname, port, path: at(server), method: 'POST', headers }, (response) => {
        sockets.add(response.socket)
        response.resume().on('end', () => resolve(response.statusCode))
      })
        .on('error', reject)
        .end(body)
    })
  try {
    assert.equal(await status(one.bearer), 200)
    assert.equal(await status(one.bearer), 200)
    assert.equal(await status(null), 401)
    assert.equal(await status(`${one.bearer.slice(0, -1)}!`), 401)
    assert.equal(await status(one.bearer, 'lines'), 401)
    assert.equal(await status(two.bearer), 200)
    assert.equal(await status(one.bearer), 200)
    await grants.revoke(PERSON, one.grant.id)
    // Here it was revoked: nothing of a moment ago counts.
    assert.equal(await status(one.bearer), 401)
    assert.equal(await status(two.bearer), 200)
    assert.equal(sockets.size, 1)
  } finally {
    agent.destroy()
  }
})

test('who may not come is told by the transport, with where tokens are explained', async () => {
  const { bearer, key } = await granted('echo')
  const user = await userWithKey(vault, 'owner')
  const nobody = await agents.create(PERSON, { name: 'nobody' })
  const two = await granted('echo')
  await grants.create(PERSON, two.agent.id, { label: 'second', server: 'echo', policies: [] })
  const cases: readonly [
    what: string,
    headers: Record<string, string>,
    server: string,
    status: number,
  ][] = [
    ['nothing', {}, 'echo', 401],
    ['a wrong one', bearing('spt_grant_wrong'), 'echo', 401],
    ['a grant of another server', bearing(bearer), 'lines', 401],
    ['a grant at a server that is not there', bearing(bearer), 'nowhere', 401],
    ['an agent with a grant', bearing(key), 'echo', 200],
    ['an agent without one', bearing(nobody.key.reveal()), 'echo', 403],
    ['an agent with two', bearing(two.key), 'echo', 403],
    ['a person', bearing(user.key), 'echo', 403],
  ]
  for (const [what, headers, server, status] of cases) {
    const response = await door.post(HELLO, headers, at(server))
    assert.equal(response.status, status, what)
    const challenge = response.headers.get('www-authenticate') ?? ''
    if (status === 401)
      assert.ok(
        challenge.endsWith(
          `resource_metadata="${door.baseUrl}/.well-known/oauth-protected-resource/s/${server}/mcp"`,
        ),
        what,
      )
    await response.body?.cancel()
  }
  const inQuery = await door.post(HELLO, {}, `${at('echo')}?access_token=${bearer}`)
  assert.equal(inQuery.status, 400)
  const metadata = await fetch(`${door.baseUrl}/.well-known/oauth-protected-resource/s/echo/mcp`)
  assert.equal(
    ((await metadata.json()) as { resource: string }).resource,
    `${door.baseUrl}/s/echo/mcp`,
  )
})

test('legacy: a session is its grant’s alone, and a message that is none is refused', async () => {
  const one = await granted('lines')
  const other = await granted('lines')
  const client = await connect('legacy', one.bearer, 'lines')
  const id = { 'Mcp-Session-Id': client.sessionId ?? assert.fail() }
  const list = { jsonrpc: '2.0', id: 9, method: 'tools/list' }
  const post = async (body: unknown, headers: Record<string, string>) => {
    const response = await door.post(body, headers, at('lines'))
    return [response.status, await response.text()] as const
  }
  assert.equal((await post(list, { ...bearing(one.bearer), ...id }))[0], 200)
  assert.equal((await post(list, { ...bearing(other.bearer), ...id }))[0], 404)
  assert.equal((await post(list, bearing(one.bearer)))[0], 400)
  assert.equal((await post(HELLO, { ...bearing(one.bearer), ...id }))[0], 400)
  const odd = { ...bearing(one.bearer), ...id, 'MCP-Protocol-Version': '2025-01-01' }
  assert.equal((await post(list, odd))[0], 400)
  for (const headers of [{ ...bearing(one.bearer), ...id }, bearing(one.bearer)]) {
    const [status, batch] = await post([list], headers)
    assert.equal(status, 400)
    assert.deepEqual(JSON.parse(batch), {
      jsonrpc: '2.0',
      id: null,
      error: { code: -32600, message: 'Batches are not served here: send one message at a time.' },
    })
  }
  const removed = await fetch(door.baseUrl + at('lines'), {
    method: 'DELETE',
    headers: { ...bearing(one.bearer), ...id },
  })
  assert.equal(removed.status, 204)
  assert.equal((await post(list, { ...bearing(one.bearer), ...id }))[0], 404)
})

test('legacy: what the server asks of its own accord reaches the client, and its answer the server', async () => {
  const { bearer } = await granted('lines')
  const client = await door.connect('legacy', bearer, undefined, undefined, at('lines'))
  assert.equal(said(await client.callTool({ name: 'ask', arguments: {} })), 'asked')
  // It cannot sample, and says so.
  const answered = /^.*"from-server".*$/m
  for (let waited = 0; waited < 3_000 && !answered.test(readLog()); waited += 20) await sleep(20)
  assert.match(answered.exec(readLog())?.[0] ?? '', /"code":-32601/)
  await client.close()
})

test('a server that dies answers who waits, and a new one goes on in its place until it dies too often', async () => {
  const { bearer } = await granted('lines')
  const client = await connect('legacy', bearer, 'lines')
  let changes = 0
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    changes += 1
  })
  const pidOf = async () => said(await client.callTool({ name: 'pid', arguments: {} }))
  const first = await pidOf()
  const [silent, died] = await Promise.allSettled([
    client.callTool({ name: 'silent', arguments: {} }),
    client.callTool({ name: 'die', arguments: {} }),
  ])
  for (const one of [silent, died])
    assert.match(
      String((one as { reason: unknown }).reason),
      /ended before it answered \(exit code 7\)/,
    )
  const second = await pidOf()
  assert.notEqual(second, first)
  assert.equal(await pidOf(), second)
  // It was told again who it speaks to, once, and the calls that were lost were not made again.
  const told = readLog()
    .slice(readLog().indexOf(`started ${second}`))
    .split('\n')
  assert.equal(told.filter((line) => line.includes('"initialize"')).length, 1)
  assert.match(told[1] ?? '', /"clientInfo":\{"name":"legacy-test"/)
  assert.equal(told.filter((line) => /"silent"|"die"/.test(line)).length, 0)
  for (let turn = 0; changes === 0 && turn < 400; turn += 1) await sleep(5)
  assert.ok(changes > 0, 'the client was not told that lists may have changed')
  for (let death = 0; death < 2; death += 1)
    await assert.rejects(client.callTool({ name: 'die', arguments: {} }))
  await assert.rejects(client.listTools(), /404|session/i)
})

test('modern: after a server died, the next request has a new one', async () => {
  const { bearer } = await granted('lines')
  const client = await connect('modern', bearer, 'lines')
  const pidOf = async () => said(await client.callTool({ name: 'pid', arguments: {} }))
  const first = await pidOf()
  await assert.rejects(client.callTool({ name: 'die', arguments: {} }), /ended before it answered/)
  assert.notEqual(await pidOf(), first)
})

for (const era of ERAS)
  test(`${era}: a server that closes its output and lives on is ended, and the next request has a new one`, async () => {
    const { bearer } = await granted('lines')
    const client = await connect(era, bearer, 'lines')
    const pidOf = async () => said(await client.callTool({ name: 'pid', arguments: {} }))
    const first = await pidOf()
    const open = ['silent', 'mute'].map((name) => client.callTool({ name, arguments: {} }))
    for (const call of open)
      await assert.rejects(call, /ended before it answered \(it closed its output\)/)
    assert.notEqual(await pidOf(), first)
    assert.throws(() => process.kill(Number(first), 0))
    await client.close()
  })

for (const era of ERAS)
  test(`${era}: so is one that closes its input`, async () => {
    const { bearer } = await granted('lines')
    const client = await connect(era, bearer, 'lines')
    const first = said(await client.callTool({ name: 'pid', arguments: {} }))
    await client.callTool({ name: 'deaf', arguments: {} })
    await assert.rejects(echo(client, 'a'), /ended before it answered \(it closed its input\)/)
    assert.equal(await echo(client, 'b'), 'b')
    assert.throws(() => process.kill(Number(first), 0))
    await client.close()
  })

test('modern: headers have to say what the body says, and other methods of HTTP are refused', async () => {
  const { bearer } = await granted('echo')
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const call = {
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: { name: 'echo', arguments: { text: 'x' }, _meta: meta },
  }
  const right = {
    ...bearing(bearer),
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': 'echo',
  }
  const post = async (body: object, headers: Record<string, string>) => {
    const response = await door.post(body, headers, at('echo'))
    const { error, result } = (await response.json()) as {
      error?: { code: number; data?: object }
      result?: { content: { text: string }[] }
    }
    return [response.status, error?.code ?? result?.content[0]?.text]
  }
  assert.deepEqual(await post(call, right), [200, 'x'])
  assert.deepEqual(await post(call, { ...right, 'Mcp-Name': 'other' }), [400, -32020])
  assert.deepEqual(await post(call, { ...right, 'Mcp-Method': 'tools/list' }), [400, -32020])
  assert.deepEqual(
    await post(
      {
        ...call,
        params: {
          ...call.params,
          _meta: { ...meta, 'io.modelcontextprotocol/protocolVersion': '2027-01-01' },
        },
      },
      { ...right, 'MCP-Protocol-Version': '2027-01-01' },
    ),
    [400, -32022],
  )
  assert.deepEqual(await post({ ...call, params: { name: 'echo' } }, right), [400, -32602])
  assert.deepEqual(
    await post(
      { jsonrpc: '2.0', id: 8, method: 'no/such', params: { _meta: meta } },
      { ...bearing(bearer), 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'no/such' },
    ),
    [404, -32601],
  )
  for (const method of ['GET', 'DELETE']) {
    const response = await fetch(door.baseUrl + at('echo'), { method, headers: right })
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST'])
  }
})

test('rules see the labels of the agent behind a grant, and hear of others within a second', async () => {
  const conditions = [{ path: 'labels', op: 'contains', value: 'team:ops' }]
  const tools = { echo: { require: [{ conditions, on_deny: 'Of ops alone.' }] } }
  await policies.set(PERSON, 'ops', text({ tools }))
  const { agent, bearer, key } = await granted('echo', ['ops'])
  const one = await connect('legacy', bearer, 'echo')
  const all = await door.connect('modern', key, undefined, undefined, '/mcp/all')
  const says = async (): Promise<readonly string[]> => [
    await echo(one, 'x'),
    said(await all.callTool({ name: 'echo.echo', arguments: { text: 'x' } })),
  ]
  for (const denied of await says()) assert.match(denied, /^\[POLICY DENIED\] Of ops alone\./)
  const becomes = async (labels: readonly string[], wanted: RegExp): Promise<void> => {
    await agents.update(PERSON, agent.id, { labels })
    const from = monotonicMs()
    while (!(await says()).every((answer) => wanted.test(answer)))
      assert.ok(monotonicMs() - from < 2_000, wanted.source)
  }
  await becomes(['team:ops', 'night'], /^x$/)
  assert.deepEqual((await agents.get(PERSON, agent.id)).labels, ['night', 'team:ops'])
  await becomes([], /^\[POLICY DENIED\]/)
  await assert.rejects(agents.update(PERSON, agent.id, { labels: ['no good'] }), /labels must each/)
})

test('a removed server takes its sessions along', async () => {
  await servers.add(PERSON, 'short', nodeServer(LINE_SERVER, join(vault.home, 'short.log')))
  const { bearer } = await granted('short')
  const client = await connect('legacy', bearer, 'short')
  await client.listTools()
  const pid = Number(/started (\d+)/.exec(readFileSync(join(vault.home, 'short.log'), 'utf8'))?.[1])
  await servers.remove(PERSON, 'short')
  await gone(pid)
  await refusedWithinASecond(() => door.post(HELLO, bearing(bearer), at('short')))
})

function readLog(): string {
  try {
    return readFileSync(log, 'utf8')
  } catch {
    return ''
  }
}

function readStarts(): readonly number[] {
  return [...readLog().matchAll(/started (\d+)/g)].map(([, pid]) => Number(pid))
}

async function gone(pid: number): Promise<void> {
  for (let waited = 0; waited < 8_000; waited += 25) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(25)
  }
  assert.fail('the server still runs')
}

test('modern: a server is asked each time how it answers a tool that it does not have', async () => {
  await policies.set(PERSON, 'nothing-of-echo', text({ default: 'allow', hide: ['echo'] }))
  const { bearer } = await granted('lines', ['nothing-of-echo'])
  const client = await connect('modern', bearer, 'lines')
  const before = readFileSync(log, 'utf8').length
  const answers: string[] = []
  // The policy is there within a second; until then every call is denied.
  for (let tries = 0; answers.length < 3 && tries < 80; tries += 1) {
    const answer = await echo(client, 'x').catch(String)
    if (answer === 'done') answers.push(answer)
    else await sleep(25)
  }
  await client.close()
  const probes = readFileSync(log, 'utf8')
    .slice(before)
    .match(/"name":"tool_[0-9a-f]{18}"/g)
  assert.equal(new Set(probes).size, 3)
  // This server does whatever it is asked, and is told apart by nothing.
  assert.deepEqual(answers, ['done', 'done', 'done'])
})
