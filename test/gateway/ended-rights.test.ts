// Rights that end by themselves, with nothing changed in the store: what was opened with them ends within a second.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Fault } from '../../src/core/faults.ts'
import { type EpochMs, epochMs, sleep, systemClock } from '../../src/core/time.ts'
import { type EventReader, readEvents } from '../support/event-reader.ts'
import { ORIGIN } from '../support/identity.ts'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

/** How far the clock of the vault is behind, so that what it makes ends sooner. */
let behindMs = 0
const clock = (): EpochMs => epochMs(systemClock() - behindMs)
const { vault, door, servers, policies } = await openDoor(await openTestVault({ clock }))
const { agents, authentication, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const SERVERS = [
  'grant',
  'agent',
  'key',
  'token',
  'reached',
  'shared',
  'moved',
  'away',
  'renewed',
  'held',
] as const
type Name = (typeof SERVERS)[number]
const logOf = (server: Name): string => join(vault.home, `${server}.log`)
for (const name of SERVERS) await servers.add(PERSON, name, nodeServer(LINE_SERVER, logOf(name)))

interface Ends {
  readonly grant?: EpochMs
  readonly agent?: EpochMs
  readonly key?: EpochMs
}

async function granted(server: Name, ends: Ends = {}) {
  const { agent, key } = await agents.create(PERSON, {
    name: `of-${server}-${Math.random()}`,
    tokenTtlSeconds: 60,
    expiresAt: ends.agent ?? null,
    keyExpiresAt: ends.key ?? null,
  })
  const { grant, bearer } = await grants.create(PERSON, agent.id, {
    label: 'laptop',
    server,
    policies: ['open'],
    expiresAt: ends.grant ?? null,
  })
  const token = async (end: EpochMs): Promise<string> => {
    behindMs = systemClock() + 60_000 - end
    const { token: made } = await authentication.exchange(key.reveal(), null, ORIGIN)
    behindMs = 0
    return made.reveal()
  }
  return { agent, grant, key: key.reveal(), bearer: bearer.reveal(), token }
}

const bearing = (bearer: string) => ({ Authorization: `Bearer ${bearer}` })

/** The stream of a session, whose server was started. */
async function session(path: string, bearer: string): Promise<EventReader> {
  const hello = await door.post(HELLO, bearing(bearer), path)
  await hello.text()
  const id = hello.headers.get('mcp-session-id') ?? assert.fail()
  const headers = { ...bearing(bearer), 'Mcp-Session-Id': id }
  await (await door.post({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, headers, path)).text()
  const stream = { headers: { ...headers, Accept: 'text/event-stream' } }
  return readEvents(await fetch(door.baseUrl + path, stream))
}

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** The stream of a request that is told of changes. */
async function listener(path: string, bearer: string): Promise<EventReader> {
  const params = { notifications: { toolsListChanged: true }, _meta: MODERN_META }
  const method = 'subscriptions/listen'
  const headers = {
    ...bearing(bearer),
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': method,
  }
  const events = readEvents(
    await door.post({ jsonrpc: '2.0', id: 1, method, params }, headers, path),
  )
  await events.next()
  return events
}

/** A token ends with a whole second. */
const soon = (): EpochMs => epochMs(Math.ceil(systemClock() / 1_000) * 1_000 + 2_000)

/** When a stream ended, in milliseconds after this. */
const endOf = ({ ended }: EventReader, after: EpochMs): Promise<number> =>
  ended.then(() => systemClock() - after)

const LATE = 'it goes on'
const late = (after: EpochMs, ms: number): Promise<string> =>
  sleep(after + ms - systemClock()).then(() => LATE)

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

const startsOf = (server: Name): number =>
  readFileSync(logOf(server), 'utf8').split('started ').length
const firstOf = (server: Name): number =>
  Number(/started (\d+)/.exec(readFileSync(logOf(server), 'utf8'))?.[1])

const ROWS: readonly [
  what: Name,
  ends: (at: EpochMs) => Ends,
  shown: (of: Awaited<ReturnType<typeof granted>>, end: EpochMs) => string | Promise<string>,
][] = [
  ['grant', (grant) => ({ grant }), ({ bearer }) => bearer],
  ['agent', (agent) => ({ agent }), ({ bearer }) => bearer],
  ['key', (key) => ({ key }), ({ key }) => key],
  ['token', () => ({}), ({ token }, end) => token(end)],
]

for (const [what, ends, shown] of ROWS)
  test(`streams and the session of who came with a ${what} end when it does`, async () => {
    const end = soon()
    const bearer = await shown(await granted(what, ends(end)), end)
    const streams = [
      await session(`/s/${what}/mcp`, bearer),
      await listener(`/s/${what}/mcp`, bearer),
      await session('/mcp/all', bearer),
      await listener('/mcp/all', bearer),
    ]
    assert.ok(systemClock() < end, 'they were opened before')
    for (const stream of streams) {
      const ended = await Promise.race([endOf(stream, end), late(end, 1_000)])
      assert.ok(ended !== LATE && Number(ended) >= 0, `it ended after ${ended}`)
    }
    // Whose token ended may come back with another.
    if (what !== 'token') await gone(firstOf(what))
  })

for (const path of ['/s/renewed/mcp', '/mcp/all'])
  test(`a session goes on with the next token of its agent, and with no other: ${path}`, async () => {
    const end = soon()
    const { key, token } = await granted('renewed')
    const stranger = await granted('renewed')
    const first = await token(end)
    const hello = await door.post(HELLO, bearing(first), path)
    await hello.text()
    const id = { 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? assert.fail() }
    const name = path === '/mcp/all' ? 'renewed.echo' : 'echo'
    const call = async (bearer: string): Promise<Response> =>
      door.post(
        { jsonrpc: '2.0', id: 3, method: 'tools/call', params: { name, arguments: { text: 'a' } } },
        { ...bearing(bearer), ...id },
        path,
      )
    assert.equal((await call(first)).status, 200)
    const started = startsOf('renewed')
    const stream = readEvents(
      await fetch(door.baseUrl + path, {
        headers: { ...bearing(first), ...id, Accept: 'text/event-stream' },
      }),
    )
    assert.notEqual(await Promise.race([endOf(stream, end), late(end, 1_000)]), LATE)
    assert.equal((await call(first)).status, 401)
    // What a change of the store has looked at anew is the same.
    await policies.set(
      PERSON,
      'open',
      Buffer.from('{"version":"1","default":"allow","hide":["x"]}'),
    )
    await sleep(700)
    const next = await (await call(await token(epochMs(systemClock() + 60_000)))).text()
    assert.match(next, /"text":"a"/)
    assert.match(await (await call(key)).text(), /"text":"a"/)
    assert.equal(startsOf('renewed'), started)
    const others = await call(stranger.key)
    if (path !== '/mcp/all') assert.equal(others.status, 404)
  })

test('at the endpoint of all servers a grant that ends takes its server away, and nothing else', async () => {
  const end = epochMs(systemClock() + 1_500)
  const { key } = await granted('reached', { grant: end })
  const streams = [await session('/mcp/all', key), await listener('/mcp/all', key)]
  for (const stream of streams)
    assert.equal((await stream.next()).method, 'notifications/tools/list_changed')
  assert.ok(systemClock() >= end && systemClock() < end + 1_000)
  await gone(firstOf('reached'))
  for (const stream of streams) await stream.close()
})

test('what was opened with a bearer that ends does so though its owner shows another one since', async () => {
  const end = soon()
  const { key, token } = await granted('shared')
  const ending = await token(end)
  const paths = ['/s/shared/mcp', '/mcp/all']
  const before = await Promise.all(paths.map((path) => listener(path, ending)))
  const since = await Promise.all(paths.map((path) => listener(path, key)))
  const last = await listener('/mcp/all', ending)
  for (const stream of [...before, last])
    assert.notEqual(await Promise.race([endOf(stream, end), late(end, 1_000)]), LATE)
  for (const stream of since) {
    assert.equal(await Promise.race([endOf(stream, end), late(end, 1_500)]), LATE)
    await stream.close()
  }
})

test('an end that is moved counts as it is now', async () => {
  const end = epochMs(systemClock() + 1_500)
  const { agent, key } = await granted('moved', { agent: end })
  const streams = [await session('/s/moved/mcp', key), await listener('/mcp/all', key)]
  await agents.update(PERSON, agent.id, { expiresAt: epochMs(end + 1_500) })
  for (const stream of streams)
    assert.equal(await Promise.race([endOf(stream, end), late(end, 1_000)]), LATE)
  for (const stream of streams) {
    const ended = await Promise.race([endOf(stream, end), late(end, 2_500)])
    assert.ok(ended !== LATE && Number(ended) >= 1_500, `it ended after ${ended}`)
  }
})

test('while the store is away nobody counts longer than was known', async (t) => {
  const end = soon()
  const { bearer } = await granted('away', { grant: end })
  const streams = [
    await session('/s/away/mcp', bearer),
    await listener('/s/away/mcp', bearer),
    await session('/mcp/all', bearer),
    await listener('/mcp/all', bearer),
  ]
  t.mock.method(vault.db, 'read', async () => {
    throw new Fault('STORE_UNAVAILABLE', 'It is away.')
  })
  for (const stream of streams)
    assert.notEqual(await Promise.race([endOf(stream, end), late(end, 1_000)]), LATE)
})

test('a server that clients without sessions share ends with the grant, and that of another grant does not', async () => {
  const end = epochMs(soon() + 2_000)
  const [revoked, expiring, left] = [
    await granted('held'),
    await granted('held', { grant: end }),
    await granted('held'),
  ]
  const ask = async ({ bearer }: typeof left, method: string, params = {}): Promise<void> => {
    const headers = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': method }
    const named = 'name' in params ? { 'Mcp-Name': String(params.name) } : {}
    const answer = await door.post(
      { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: MODERN_META } },
      { ...bearing(bearer), ...headers, ...named },
      '/s/held/mcp',
    )
    const text = await answer.text()
    assert.equal(answer.status, 200, text)
  }
  for (const one of [revoked, expiring, left]) await ask(one, 'tools/list')
  // What is still written down of a call that is under way keeps it for a moment, and no longer.
  const silent = ask(revoked, 'tools/call', { name: 'silent', arguments: {} })
  for (let waited = 0; !readFileSync(logOf('held'), 'utf8').includes('silent'); waited += 20) {
    assert.ok(waited < 10_000, 'the server was not called')
    await sleep(20)
  }
  const pids = [...readFileSync(logOf('held'), 'utf8').matchAll(/started (\d+)/g)].map(([, pid]) =>
    Number(pid),
  )
  const [first, second, third] = pids.slice(-3) as [number, number, number]
  await grants.revoke(PERSON, revoked.grant.id)
  await silent
  await gone(first)
  await gone(second)
  assert.ok(systemClock() >= end)
  process.kill(third, 0)
})
