// Servers at the doors that never answer, or stop to: nobody waits for them longer than they may take.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { events, scripted, withSession } from '../support/http-upstream.ts'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))

const limits = { startMs: 1_000, callMs: 60_000 }
const pids = join(vault.home, 'silent.log')
const silent = `require('node:fs').appendFileSync(${JSON.stringify(pids)}, process.pid + '\\n'); process.stdin.resume()`
const word =
  '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"up"}}'
const web = createServer((request) => void request.resume())
await new Promise<void>((resolve) => {
  web.listen(0, '127.0.0.1', resolve)
})
after(() => {
  web.closeAllConnections()
  web.close()
})
const { port } = web.address() as AddressInfo
await servers.add(PERSON, 'mute', { ...nodeServer('-e', silent), limits })
await servers.add(PERSON, 'talks', {
  ...nodeServer('-e', `console.log(${JSON.stringify(word)}); process.stdin.resume()`),
  limits,
})
await servers.add(PERSON, 'web', {
  kind: 'http',
  url: `http://127.0.0.1:${port}/mcp`,
  headers: [],
  limits,
})

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
type Asked = readonly [method: string, params: { readonly name?: string }]
const LIST: Asked = ['tools/list', {}]
const CALL: Asked = ['tools/call', { name: 'echo' }]

async function granted(server: string): Promise<string> {
  const { agent } = await agents.create(PERSON, { name: `of-${server}` })
  const asked = { label: 'laptop', server, policies: ['open'] }
  return (await grants.create(PERSON, agent.id, asked)).bearer.reveal()
}

test('modern: a server that answers nothing has its time to start, whatever it is asked first', async () => {
  await Promise.all(['mute', 'talks', 'web'].map(allLate))
})

async function allLate(server: string): Promise<void> {
  const bearer = await granted(server)
  const ask = async ([method, params]: Asked, id: number): Promise<string> => {
    const body = { jsonrpc: '2.0', id, method, params: { ...params, _meta } }
    const headers = {
      Authorization: `Bearer ${bearer}`,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': method,
      ...(params.name !== undefined && { 'Mcp-Name': params.name }),
    }
    return (await door.post(body, headers, `/s/${server}/mcp`)).text()
  }
  const first: readonly Asked[] = [['server/discover', {}], LIST, CALL]
  for (const one of first) {
    const from = monotonicMs()
    const behindIt = sleep(200).then(() => Promise.all([LIST, CALL].map(ask)))
    for (const answer of [await ask(one, 9), ...(await behindIt)])
      assert.match(
        answer,
        /"error":\{"code":-32603,"message":"The server did not answer in time/,
        server,
      )
    assert.ok(monotonicMs() - from < 10_000, server)
  }
}

test('modern: one that did not answer in its time to start is ended', async () => {
  const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number)
  assert.equal(started.length, 3)
  const from = monotonicMs()
  while (started.some(isRunning) && monotonicMs() - from < 8_000) await sleep(20)
  assert.deepEqual(started.filter(isRunning), [])
})

test('legacy: a call that its server wants asked after again and again has its time, and is then left', async () => {
  let polls = 0
  const polled = await scripted(
    withSession(({ rpc, method }, response) => {
      if (method === 'GET') polls += 1
      if (method === 'GET' || rpc.method === 'tools/call')
        events(response, 'id: e1\nretry: 60\ndata:\n\n').end()
      else response.writeHead(202).end()
    }),
  )
  await servers.add(PERSON, 'polled', {
    kind: 'http',
    url: polled.url,
    headers: [],
    limits: { callMs: 1_500 },
  })
  const bearing = { Authorization: `Bearer ${await granted('polled')}` }
  const hello = await door.post(HELLO, bearing, '/s/polled/mcp')
  await hello.text()
  const session = { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  await door.post({ jsonrpc: '2.0', method: 'notifications/initialized' }, session, '/s/polled/mcp')
  const call = { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'echo' } }
  const from = monotonicMs()
  const answer = await (await door.post(call, session, '/s/polled/mcp')).text()
  assert.match(answer, /The server did not answer in time/)
  assert.ok(monotonicMs() - from > 1_400)
  await polled.reached(({ rpc }) => rpc.method === 'notifications/cancelled')
  const until = polls
  assert.ok(until > 5, String(until))
  await sleep(300)
  assert.equal(polls, until)
})

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
