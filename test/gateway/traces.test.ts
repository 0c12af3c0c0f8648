// A trace is passed on, whatever carries it here and there, and stands in the audit.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { json, scripted, withSession } from '../support/http-upstream.ts'
import { openDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const vault = await openTestVault({ env: { SALLYPORT_NET_ALLOW: '127.0.0.1' } })
const { door, servers, policies } = await openDoor(vault)
const log = join(vault.home, 'lines.log')
const command = [process.execPath, LINE_SERVER, log]
await servers.add(PERSON, 'lines', { kind: 'stdio', command, variables: [] })
const upstream = await scripted(
  withSession(({ rpc }, response) =>
    json(response, { id: rpc.id, result: { content: [{ type: 'text', text: 'x' }] } }),
  ),
)
await servers.add(PERSON, 'http', { kind: 'http', url: upstream.url, headers: [] })
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent } = await vault.identity.agents.create(PERSON, { name: 'agent' })

let ids = 0
const traceId = (): string => {
  ids += 1
  return ids.toString(16).padStart(32, '4')
}
const parentOf = (id: string): string => `00-${id}-00f067aa0ba902b7-01`

async function session(server: string) {
  const asked = { label: traceId(), server, policies: ['open'] }
  const { bearer } = await vault.identity.grants.create(PERSON, agent.id, asked)
  const bearing = { Authorization: `Bearer ${bearer.reveal()}` }
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  }
  const opened = await door.post(
    { jsonrpc: '2.0', id: 0, method: 'initialize', params: hello },
    bearing,
    `/s/${server}/mcp`,
  )
  const headers = { ...bearing, 'Mcp-Session-Id': opened.headers.get('mcp-session-id') ?? '' }
  return async (trace: Record<string, string>, meta: object | null = null): Promise<void> => {
    ids += 1
    const params = { name: 'echo', arguments: { text: 'x' }, ...(meta !== null && { _meta: meta }) }
    const answer = await door.post(
      { jsonrpc: '2.0', id: ids, method: 'tools/call', params },
      { ...headers, ...trace },
      `/s/${server}/mcp`,
    )
    const { result } = (await answer.json()) as { result: { content: readonly object[] } }
    assert.deepEqual(result.content, [{ type: 'text', text: 'x' }])
  }
}

/** Servers of the calls that the audit knows of a trace. */
async function recordedOf(trace: string): Promise<readonly unknown[]> {
  await vault.ledger.flush()
  const entries = await vault.audit.query({ limit: 200, action: 'tool.call' })
  return entries
    .map(({ body }) => (JSON.parse(body) as { detail: { trace?: string; server: string } }).detail)
    .filter((detail) => detail.trace === trace)
    .map(({ server }) => server)
}

test('a child finds the trace of the header in _meta, and the audit has its id', async () => {
  const call = await session('lines')
  const id = traceId()
  await call({ traceparent: parentOf(id), tracestate: 'a=1' }, { progressToken: 7 })
  const got = readFileSync(log, 'utf8')
    .split('\n')
    .find((line) => line.includes(id))
  assert.deepEqual((JSON.parse(got ?? '{}') as { params: { _meta: object } }).params._meta, {
    progressToken: 7,
    traceparent: parentOf(id),
    tracestate: 'a=1',
  })
  assert.deepEqual(await recordedOf(id), ['lines'])
})

test('a server over HTTP is told in headers, too, of what stood in a header or in _meta', async () => {
  const call = await session('http')
  for (const isHeader of [true, false]) {
    const id = traceId()
    const trace = { traceparent: parentOf(id), tracestate: 'a=1,b=2' }
    await call(isHeader ? trace : {}, isHeader ? null : trace)
    const got = await upstream.reached(({ body }) => body.includes(id))
    assert.equal(got.headers['traceparent'], trace.traceparent)
    assert.equal(got.headers['tracestate'], trace.tracestate)
    assert.deepEqual(got.rpc.params?.['_meta'], trace)
    assert.deepEqual(await recordedOf(id), ['http'])
  }
})

test('what a message says of itself goes before its header, and what is no trace is not taken up', async () => {
  const call = await session('http')
  const [own, other] = [traceId(), traceId()]
  await call({ traceparent: parentOf(other) }, { traceparent: parentOf(own) })
  const got = await upstream.reached(({ body }) => body.includes(own))
  assert.equal(got.headers['traceparent'], parentOf(own))
  assert.deepEqual(await recordedOf(other), [])
  const crooked = `00-${traceId()}-no-01`
  await call({ traceparent: crooked })
  assert.ok(!upstream.got.some(({ headers }) => headers['traceparent'] === crooked))
})
