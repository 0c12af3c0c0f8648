// `server add --idle-stop`: what nobody uses any more is ended, at each of its addresses.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { HELLO, nodeServer, serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const vault = await openTestVault()
const door = await serveMcpDoor(vault)
const { servers, policies } = await vault.registry()
const { agents, grants } = vault.identity
after(async () => {
  await door.stop()
  await vault.dispose()
})
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))
const { agent, key } = await agents.create(PERSON, { name: 'laptop' })

const IDLE_MS = 1_000
/** Everything that may stand between its time and its end. */
const SOON_MS = 4_000

/** @returns whether the process runs that was started last */
async function serverNamed(name: string): Promise<() => boolean> {
  const log = join(vault.home, `${name}.log`)
  const target = nodeServer(LINE_SERVER, log)
  await servers.add(PERSON, name, { ...target, limits: { idleMs: IDLE_MS } })
  return () => {
    const pid = Number([...readFileSync(log, 'utf8').matchAll(/started (\d+)/g)].at(-1)?.[1])
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
}

const PLACES = [
  ['its address, with a session', 'own', '2025-11-25'],
  ['its address, without sessions', 'bare', '2026-07-28'],
  ['the address of all, with a session', 'all', '2025-11-25'],
  ['the address of all, without sessions', 'alone', '2026-07-28'],
] as const

for (const [what, server, era] of PLACES)
  test(`a server that nobody uses ends after its own time, and not before its calls: ${what}`, async () => {
    const isRunning = await serverNamed(server)
    const asked = { label: server, server, policies: ['open'] }
    const { bearer } = await grants.create(PERSON, agent.id, asked)
    const isAll = what.includes('of all')
    const path = isAll ? '/mcp/all' : `/s/${server}/mcp`
    const bearing = { Authorization: `Bearer ${isAll ? key.reveal() : bearer.reveal()}` }
    const isModern = era === '2026-07-28'
    const session = isModern ? null : await begun(path, bearing)
    const call = (id: number, tool: string, signal?: AbortSignal): Promise<Response> => {
      const name = isAll ? `${server}.${tool}` : tool
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': era,
        'io.modelcontextprotocol/clientCapabilities': {},
      }
      return door.post(
        {
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: { name, arguments: { text: 'there' }, ...(isModern && { _meta }) },
        },
        {
          ...bearing,
          'MCP-Protocol-Version': era,
          ...(isModern && { 'Mcp-Method': 'tools/call', 'Mcp-Name': name }),
          ...(session !== null && { 'Mcp-Session-Id': session }),
        },
        path,
        signal,
      )
    }
    assert.match(await (await call(1, 'echo')).text(), /there/)
    const stop = new AbortController()
    const silent = call(2, 'silent', stop.signal).then((response) => response.text())
    await sleep(2.5 * IDLE_MS)
    assert.ok(isRunning(), 'a call waits for it')
    stop.abort()
    await assert.rejects(silent)
    // A session does not end with its connections: the call is taken back by a message.
    if (session !== null)
      await door.post(
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } },
        { ...bearing, 'Mcp-Session-Id': session },
        path,
      )
    for (let waited = 0; isRunning(); waited += 50) {
      assert.ok(waited < IDLE_MS + SOON_MS, 'it has not ended')
      await sleep(50)
    }
  })

async function begun(path: string, bearing: Record<string, string>): Promise<string> {
  const hello = await door.post(HELLO, bearing, path)
  await hello.text()
  return hello.headers.get('mcp-session-id') ?? ''
}
