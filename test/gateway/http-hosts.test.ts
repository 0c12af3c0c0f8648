// Under which names `/s/NAME/mcp` is asked for, and by pages of whom.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const { vault, door, servers } = await openDoor()
await servers.add(PERSON, 'echo', nodeServer(ECHO))
const { agents, grants } = vault.identity
const { agent } = await agents.create(PERSON, { name: 'browsing' })
const { bearer } = await grants.create(PERSON, agent.id, {
  label: 'page',
  server: 'echo',
  policies: [],
})
const bearing = { Authorization: `Bearer ${bearer.reveal()}` }
const PATH = '/s/echo/mcp'

function answerToHost(host: string): Promise<{ status: number | undefined; text: string }> {
  const { hostname, port } = new URL(door.baseUrl)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: PATH, method: 'POST', headers: { host } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
      .on('error', reject)
      .end()
  })
}

test('a Host is one of this server’s names, as it is written, with any port', async () => {
  for (const host of ['127.0.0.1', '127.0.0.1:', 'LOCALHOST:1', '[::1]:1', '[0:0:0:0:0:0:0:1]'])
    assert.equal((await answerToHost(host)).status, 401, host)
  for (const host of [
    'evil.example',
    'user@127.0.0.1',
    'evil.example@localhost:1',
    ':@localhost',
    '2130706433',
    '0x7f.0.0.1',
    '127.1',
    '127.0.0.1/evil.example',
    '127.0.0.1#',
    '%6cocalhost',
    '[::1]evil.example',
    'localhost:99999',
    'localhost.evil.example',
  ]) {
    const { status, text } = await answerToHost(host)
    assert.equal(status, 403, host)
    assert.match(text, /The Host is not this server.*SALLYPORT_PUBLIC_URL/)
  }
})

const origins: readonly [origin: string, status: number][] = [
  ['http://localhost:5173', 200],
  ['https://127.0.0.1', 200],
  ['https://evil.example', 403],
  // A sandboxed page, or a file.
  ['null', 403],
  ['http://user@127.0.0.1', 403],
  ['http://2130706433', 403],
  ['http://0x7f.0.0.1:5173', 403],
]
for (const [origin, status] of origins)
  test(`a page of ${origin} is answered with ${status}, and reaches nothing without a bearer`, async () => {
    const answer = await door.post(HELLO, { ...bearing, Origin: origin }, PATH)
    assert.equal(answer.status, status)
    await answer.body?.cancel()
    const without = await door.post(HELLO, { Origin: origin }, PATH)
    assert.equal(without.status, status === 200 ? 401 : 403)
    await without.body?.cancel()
  })
