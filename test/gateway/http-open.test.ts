// How many requests at `/s/NAME/mcp` and `/mcp/all` may be open at once.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { sleep } from '../../src/core/time.ts'
import { nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { LINE_SERVER } from '../support/wrapped.ts'

const { vault, door, servers, policies } = await openDoor()
const { agents, grants } = vault.identity
const log = join(vault.home, 'lines.log')
await servers.add(PERSON, 'lines', nodeServer(LINE_SERVER, log))
await policies.set(PERSON, 'open', Buffer.from('{"version":"1","default":"allow"}'))

let names = 0
async function granted(name: string): Promise<string> {
  names += 1
  const { agent } = await agents.create(PERSON, { name })
  const asked = { label: 'laptop', server: 'lines', policies: ['open'] }
  const { bearer } = await grants.create(PERSON, agent.id, asked)
  return bearer.reveal()
}

const OWN = '/s/lines/mcp'
const ALL = '/mcp/all'
for (const [path, elsewhere] of [
  [OWN, ALL],
  [ALL, OWN],
] as const)
  test(`modern: a grant with too many open requests at ${path} is told so, and others at its address are served`, () =>
    tooMany(path, elsewhere))

async function tooMany(path: string, elsewhere: string): Promise<void> {
  const [busy, other] = [await granted(`busy-${names}`), await granted(`other-${names}`)]
  const leaving = new AbortController()
  const agent = new Agent({ keepAlive: true })
  const { hostname, port } = new URL(door.baseUrl)
  const call = (
    bearer: string,
    tool: string,
    path: string,
  ): Promise<readonly [number | undefined, string | undefined]> =>
    new Promise((resolve, reject) => {
      const meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      }
      const name = path === ALL ? `lines.${tool}` : tool
      const params = { name, arguments: {}, _meta: meta }
      const headers = {
        'Content-Type': 'application/json',
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': 'tools/call',
        'Mcp-Name': name,
        Authorization: `Bearer ${bearer}`,
      }
      const { signal } = leaving
      const asked = { agent, hostname, port, path, method: 'POST', headers, signal }
      request(asked, (response) => {
        response.resume().on('end', () => {
          resolve([response.statusCode, response.headers['retry-after']])
        })
      })
        .on('error', reject)
        .end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }))
    })
  try {
    assert.deepEqual(await call(busy, 'pid', path), [200, undefined])
    const before = readFileSync(log, 'utf8').split('"silent"').length
    const open = Array.from({ length: 192 }, () => call(busy, 'silent', path))
    for (const one of open) one.catch(() => {})
    const reached = (): number => readFileSync(log, 'utf8').split('"silent"').length - before
    for (let waited = 0; waited < 10_000 && reached() < 192; waited += 20) await sleep(20)
    assert.equal(reached(), 192)
    const soon = sleep(3_000).then(() => 'no answer')
    for (const address of [path, elsewhere]) {
      assert.deepEqual(await Promise.race([call(busy, 'pid', address), soon]), [429, '1'])
      assert.deepEqual(await call(other, 'pid', address), [200, undefined])
    }
  } finally {
    leaving.abort()
    agent.destroy()
  }
}

/** Where it takes a while to be told who somebody is, as with a database elsewhere. */
const SLOWLY_MS = 60
for (const path of [OWN, ALL])
  test(`requests at ${path} whose client left before it was let in do not count, and are not made`, async ({
    mock,
  }) => {
    const { authentication } = vault.identity
    const authenticate = authentication.authenticate.bind(authentication)
    mock.method(
      authentication,
      'authenticate',
      async (...shown: Parameters<typeof authenticate>) => {
        await sleep(SLOWLY_MS)
        return authenticate(...shown)
      },
    )
    const bearer = await granted(`leaving-${names}`)
    const name = path === ALL ? 'lines.echo' : 'echo'
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const params = { name, arguments: { text: 'left' }, _meta }
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params }
    const headers = {
      Authorization: `Bearer ${bearer}`,
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
    }
    const status = async (): Promise<number> => (await door.post(call, headers, path)).status
    const made = (): number => readFileSync(log, 'utf8').split('"left"').length
    assert.equal(await status(), 200)
    const before = made()
    const { host, hostname, port } = new URL(door.baseUrl)
    const body = JSON.stringify(call)
    const more = Object.entries({
      Host: host,
      'Content-Type': 'application/json',
      'Content-Length': body.length,
      ...headers,
    }).map(([field, value]) => `${field}: ${value}`)
    const leaves = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(`POST ${path} HTTP/1.1\r\n${more.join('\r\n')}\r\n\r\n${body}`, () => {
            setTimeout(() => socket.resetAndDestroy(), SLOWLY_MS / 4)
          })
        })
        socket.on('error', () => {}).once('close', () => resolve())
      })
    for (let count = 0; count < 200; count += 50) {
      await Promise.all(Array.from({ length: 50 }, leaves))
      await sleep(SLOWLY_MS)
    }
    assert.equal(await status(), 200)
    assert.equal(made(), before + 1)
  })
