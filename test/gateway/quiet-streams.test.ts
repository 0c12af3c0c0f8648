// Streams on which nothing is said for long.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const KEPT_ALIVE_MS = 15_000
const { vault, door, servers, policies } = await openDoor()
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
await servers.add(PERSON, 'lines', nodeServer(LINE_SERVER, join(vault.home, 'lines.log')))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })
const grant = { label: 'laptop', server: 'lines', policies: ['open'] }
const { bearer } = await vault.identity.grants.create(PERSON, agent.id, grant)

test('a stream on which nothing is said is kept alive by comments', async () => {
  const path = '/s/lines/mcp'
  const bearing = { Authorization: `Bearer ${bearer.reveal()}` }
  // What is done every fifteen seconds is done here, too, and earlier: other tests share the clock.
  const done: (() => void)[] = []
  const { setInterval } = globalThis
  const intervals = mock.method(globalThis, 'setInterval', (work: () => void, ms: number) => {
    if (ms === KEPT_ALIVE_MS) done.push(work)
    return setInterval(work, ms)
  })
  const params = { ...HELLO.params, protocolVersion: '2025-03-26' }
  const hello = await door.post({ ...HELLO, params }, bearing, path)
  await hello.text()
  intervals.mock.restore()
  const headers = { ...bearing, 'Mcp-Session-Id': hello.headers.get('mcp-session-id') ?? '' }
  const call = (id: number) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'steps', arguments: {}, _meta: { progressToken: `p${id}` } },
  })
  const streams = [
    await fetch(door.baseUrl + path, { headers: { ...headers, Accept: 'text/event-stream' } }),
    await door.post(call(7), headers, path),
    await door.post([call(8)], headers, path),
  ]
  for (const stream of streams) {
    const reader = stream.body?.getReader()
    assert.ok(reader !== undefined)
    let said = ''
    const comments = (): number => said.split('\n').filter((line) => line.startsWith(':')).length
    const heard = async (): Promise<void> => {
      said += Buffer.from((await reader.read()).value ?? []).toString('utf8')
    }
    while (said === '' || (stream !== streams[0] && !said.includes('progress'))) await heard()
    const before = comments()
    for (const work of done) work()
    while (comments() === before) await heard()
    await reader.cancel()
  }
})
