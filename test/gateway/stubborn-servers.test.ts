// Servers at the doors that end only when they are made to: nobody waits for that who has nothing to do with them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { readEvents } from '../support/event-reader.ts'
import { HELLO, nodeServer, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const vault = await openTestVault()
const door = await serveMcpDoor(vault)
const { servers, policies } = await vault.registry()
const { agents, grants } = vault.identity
after(() => vault.dispose())
const log = join(vault.home, 'stubborn.log')
for (const name of ['removed', 'revoked', 'changed'])
  await servers.add(PERSON, name, nodeServer(LINE_SERVER, log, 'stubborn'))
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
await policies.set(PERSON, 'shut', Buffer.from('{"version":"1","default":"deny"}'))

const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function granted(server: string) {
  const { agent } = await agents.create(PERSON, { name: `of-${server}-${Math.random()}` })
  const asked = { label: 'laptop', server, policies: ['open'] }
  const { grant, bearer } = await grants.create(PERSON, agent.id, asked)
  return { id: grant.id, bearing: { Authorization: `Bearer ${bearer.reveal()}` } }
}

async function sessionAt(path: string, bearing: Record<string, string>) {
  const hello = await door.post(HELLO, bearing, path)
  const headers = { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  await hello.text()
  return { path, headers }
}

interface Place {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** A call that the server does not answer. */
async function waiting({ path, headers }: Place, name: string, _meta?: object) {
  const before = calls()
  const params = { name, arguments: {}, ...(_meta !== undefined && { _meta }) }
  const asked = door.post({ jsonrpc: '2.0', id: 7, method: 'tools/call', params }, headers, path)
  /** When its client hears of it all the same, in monotonic milliseconds. */
  const said = asked.then((response) => response.text())
  const answered = said.then(monotonicMs, monotonicMs)
  for (let waited = 0; calls() === before; waited += 20) {
    assert.ok(waited < 10_000, 'the server was not called')
    await sleep(20)
  }
  return { answered, said }
}

const calls = (): number => readFileSync(log, 'utf8').split('"silent"').length

test('what a person takes back or changes holds at once, however long other servers take to end', async () => {
  const removed = await granted('removed')
  for (let count = 0; count < 3; count += 1) await sessionAt('/s/removed/mcp', removed.bearing)
  const revoked = await granted('revoked')
  const call = await waiting(await sessionAt('/s/revoked/mcp', revoked.bearing), 'silent')
  const changed = await granted('changed')
  const { path, headers } = await sessionAt('/s/changed/mcp', changed.bearing)
  await (await door.post({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, headers, path)).text()
  const stream = readEvents(
    await fetch(door.baseUrl + path, { headers: { ...headers, Accept: 'text/event-stream' } }),
  )
  await servers.remove(PERSON, 'removed')
  await grants.revoke(PERSON, revoked.id)
  await grants.attach(PERSON, changed.id, 'shut')
  const from = monotonicMs()
  assert.equal((await stream.next()).method, 'notifications/tools/list_changed')
  assert.ok(monotonicMs() - from < 1_000, 'told of its policies')
  assert.ok((await call.answered) - from < 1_000, 'answered')
  await stream.close()
  await grants.revoke(PERSON, changed.id)
})

test('who waits is answered once the grant is revoked, at either endpoint, with or without a session', async () => {
  const { id, bearing } = await granted('revoked')
  const [all, own] = ['/mcp/all', '/s/revoked/mcp']
  const headersOf = (name: string) => ({
    ...bearing,
    'MCP-Protocol-Version': '2026-07-28',
    'Mcp-Method': 'tools/call',
    'Mcp-Name': name,
  })
  const open = [
    await waiting({ path: all, headers: headersOf('revoked.silent') }, 'revoked.silent', MODERN),
    await waiting({ path: own, headers: headersOf('silent') }, 'silent', MODERN),
    await waiting(await sessionAt(all, bearing), 'revoked.silent'),
    await waiting(await sessionAt(own, bearing), 'silent'),
  ]
  await grants.revoke(PERSON, id)
  const from = monotonicMs()
  for (const { answered, said } of open) {
    assert.ok((await answered) - from < 1_000)
    const { error } = JSON.parse(await said) as { error: { code: number; message: string } }
    assert.equal(error.code, -32603)
    assert.match(error.message, /^The server ended before it answered \(/)
  }
})

test('when the door closes, it waits for all of them', async () => {
  const { id, bearing } = await granted('revoked')
  const call = await waiting(await sessionAt('/s/revoked/mcp', bearing), 'silent')
  await grants.revoke(PERSON, id)
  await call.answered
  const pid = Number([...readFileSync(log, 'utf8').matchAll(/started (\d+)/g)].at(-1)?.[1])
  assert.ok(isRunning(pid))
  await door.stop()
  assert.ok(!isRunning(pid))
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
