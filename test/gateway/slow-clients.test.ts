// Clients that do not read what servers say: nothing of it is kept without bound, and nobody else waits for them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sleep } from '../../src/core/time.ts'
import { openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const FLOOD_SERVER = fileURLToPath(new URL('../support/flood-server.mjs', import.meta.url))
const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))

/** Messages of about 1 MB: far more than connections hold. */
const COUNT = 60
const MOST_TAKEN = 30
let count = 0

/** A server of its own, and an agent that may use it. */
async function flooded() {
  count += 1
  const server = `flood-${count}`
  const log = join(vault.home, `${server}.log`)
  await servers.add(PERSON, server, {
    kind: 'stdio',
    command: [process.execPath, FLOOD_SERVER, log],
    variables: [],
  })
  const { agent, key } = await agents.create(PERSON, { name: `agent-${count}` })
  const asked = { label: 'laptop', server, policies: ['open'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  const lines = (word: string): number =>
    existsSync(log)
      ? readFileSync(log, 'utf8')
          .split('\n')
          .filter((line) => line === word).length
      : 0
  return { server, lines, key: key.reveal(), bearer: bearer.reveal() }
}

interface Called {
  readonly path: string
  readonly bearer: string
  readonly tool: string
  readonly args: object
  /** Id of the session, '' for none; null: in a revision without sessions. */
  readonly session: string | null
}

function messageOf({ tool, args, session }: Called) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    // What a server logs is told to nobody while several wait: it is not said whose it is.
    progressToken: 1,
  }
  const params = {
    name: tool,
    arguments: args,
    ...(session === null && { _meta }),
    ...(session === '' && { _meta: { progressToken: 1 } }),
  }
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
}

function headersOf({ bearer, tool, session }: Called): Record<string, string> {
  return {
    Authorization: `Bearer ${bearer}`,
    ...(session === null
      ? {
          'MCP-Protocol-Version': '2026-07-28',
          'Mcp-Method': 'tools/call',
          'Mcp-Name': tool,
        }
      : {
          'MCP-Protocol-Version': '2025-11-25',
          ...(session !== '' && { ...(session !== '' && { 'Mcp-Session-Id': session }) }),
        }),
  }
}

/** Asks and reads nothing. */
function unread(called: Called): Socket {
  return unreadAt('POST', called.path, headersOf(called), JSON.stringify(messageOf(called)))
}

function unreadAt(
  method: string,
  path: string,
  more: Readonly<Record<string, string>>,
  body: string,
): Socket {
  const { hostname, port, host } = new URL(door.baseUrl)
  const socket = connect(Number(port), hostname)
  socket.pause()
  socket.on('error', () => {})
  const headers = {
    Host: host,
    'Content-Type': 'application/json',
    Accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    'Content-Length': String(Buffer.byteLength(body)),
    ...more,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
  return socket
}

async function sessionAt(path: string, bearer: string): Promise<string> {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  }
  const hello = { jsonrpc: '2.0', id: 0, method: 'initialize', params }
  const answer = await door.post(hello, { Authorization: `Bearer ${bearer}` }, path)
  await answer.text()
  return answer.headers.get('mcp-session-id') ?? ''
}

/** How much it is, once it is no longer more. */
async function settled(amount: () => number): Promise<number> {
  for (let before = -1; ; ) {
    await sleep(700)
    const now = amount()
    if (now === before && now > 0) return now
    before = now
  }
}

for (const era of ['session', 'modern'] as const)
  test(`/mcp/all, ${era}: a server is held back by the client that does not read what it says`, async () => {
    const { server, lines, key } = await flooded()
    const session = era === 'session' ? await sessionAt('/mcp/all', key) : null
    const called = { path: '/mcp/all', bearer: key, tool: `${server}.flood`, session }
    const socket = unread({ ...called, args: { count: COUNT } })
    const taken = await settled(() => lines('said'))
    assert.ok(taken < MOST_TAKEN, `${taken} MB were taken`)
    // It goes on with who reads, and the flood comes whole.
    let heard = 0
    socket.on('data', (piece: Buffer) => (heard += piece.length))
    socket.resume()
    for (let i = 0; i < 100 && heard <= COUNT * 1_048_576; i += 1) await sleep(100)
    assert.ok(heard > COUNT * 1_048_576, `${heard} bytes came`)
    assert.equal(lines('said'), COUNT)
    socket.destroy()
  })

for (const era of ['session', 'modern'] as const)
  test(`/mcp/all, ${era}: who does not read hears once of each thing that changed meanwhile`, async () => {
    const { server, key } = await flooded()
    const session = era === 'session' ? await sessionAt('/mcp/all', key) : null
    const uris = ['a', 'b'].map((name) => `x://${name.repeat(100_000)}`)
    const subscribed = uris.map((uri) => `mcp://${server}/${uri}`)
    const base = { path: '/mcp/all', bearer: key, session }
    const call = { ...base, tool: `${server}.changes`, args: { count: 400, uris } }
    const headers = headersOf(call)
    for (const uri of era === 'session' ? subscribed : []) {
      const asked = { jsonrpc: '2.0', id: 2, method: 'resources/subscribe', params: { uri } }
      assert.match(await (await door.post(asked, headers, base.path)).text(), /"result":\{\}/)
    }
    const { _meta } = messageOf(call).params
    const listen = {
      jsonrpc: '2.0',
      id: 3,
      method: 'subscriptions/listen',
      params: { _meta, notifications: { resourceSubscriptions: subscribed } },
    }
    const { 'Mcp-Name': _, ...others } = headers
    const socket =
      era === 'session'
        ? unreadAt('GET', base.path, headers, '')
        : unreadAt(
            'POST',
            base.path,
            { ...others, 'Mcp-Method': listen.method },
            JSON.stringify(listen),
          )
    // Its answer has begun: from here on it is told.
    await once(socket, 'readable')
    const answer = await door.post(messageOf(call), headers, base.path)
    assert.match(await answer.text(), /"text":"changed"/)
    let heard = ''
    socket.setEncoding('latin1').on('data', (piece: string) => {
      heard += piece
    })
    socket.resume()
    await settled(() => heard.length)
    const last = uris.map((uri) => heard.lastIndexOf(uri))
    assert.ok(last.every((at) => at > 0) && heard.length < 200 * 100_000, `${heard.length} came`)
    // All the same it is told of what comes next.
    const again = { ...call, args: { count: 2, uris } }
    await (await door.post(messageOf(again), headers, base.path)).text()
    for (let i = 0; i < 50 && uris.some((uri, at) => heard.lastIndexOf(uri) === last[at]); i += 1)
      await sleep(100)
    assert.ok(uris.every((uri, at) => heard.lastIndexOf(uri) > (last[at] ?? 0)))
    socket.destroy()
  })

const SHARED = [
  ['/s/NAME/mcp, modern', false, null],
  ['/mcp/all, modern', true, null],
  ['/mcp/all, without a session', true, ''],
] as const
for (const [what, isAll, session] of SHARED)
  test(`${what}: a client that does not read holds up nobody who shares its server, and is cut off when it is too far behind`, async () => {
    const { server, lines, key, bearer } = await flooded()
    const call = (tool: string, args: object): Called => ({
      path: isAll ? '/mcp/all' : `/s/${server}/mcp`,
      bearer: isAll ? key : bearer,
      tool: isAll ? `${server}.${tool}` : tool,
      args,
      session,
    })
    const ask = (one: Called, signal: AbortSignal) =>
      fetch(door.baseUrl + one.path, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          ...headersOf(one),
        },
        body: JSON.stringify(messageOf(one)),
        signal,
      })
    const socket = unread(call('flood', { count: 1_000 }))
    const closed = once(socket, 'close')
    assert.ok((await settled(() => lines('said'))) < MOST_TAKEN, 'alone it holds its server back')
    const answer = await ask(call('echo', { text: 'other' }), AbortSignal.timeout(6_000))
    assert.match(await answer.text(), /"text":"other"/)
    const leave = new AbortController()
    const silent = ask(call('silent', {}), leave.signal).catch(() => {})
    for (let i = 0; i < 60 && lines('cancelled') === 0; i += 1) await sleep(100)
    assert.equal(lines('cancelled'), 1)
    assert.ok(lines('said') < MOST_TAKEN + 10, `${lines('said')} MB were taken`)
    socket.resume()
    await closed
    leave.abort()
    await silent
  })
