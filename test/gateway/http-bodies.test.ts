// Bodies at `/s/NAME/mcp` that are not what their headers say.
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HELLO, nodeServer, openDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'

const ECHO = fileURLToPath(new URL('../support/echo-server.mjs', import.meta.url))
const { vault, door, servers } = await openDoor()
await servers.add(PERSON, 'echo', nodeServer(ECHO))
const { agent: client } = await vault.identity.agents.create(PERSON, { name: 'agent' })
const { bearer } = await vault.identity.grants.create(PERSON, client.id, {
  label: 'laptop',
  server: 'echo',
  policies: [],
})

for (const encoding of ['gzip', 'br', 'deflate'])
  test(`a body that is no ${encoding} is refused, and the next request of its connection is answered`, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const sockets = new Set<unknown>()
    const { hostname, port } = new URL(door.baseUrl)
    const post = (body: string, more: object): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = {
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Authorization: `Bearer ${bearer.reveal()}`,
          ...more,
        }
        const signal = AbortSignal.timeout(5_000)
        const asked = {
          agent,
          hostname,
          port,
          path: '/s/echo/mcp',
          method: 'POST',
          headers,
          signal,
        }
        request(asked, (response) => {
          sockets.add(response.socket)
          response.resume().on('end', () => resolve(response.statusCode))
        })
          .on('error', reject)
          .end(body)
      })
    try {
      const padded = JSON.stringify({ ...HELLO, pad: 'z'.repeat(3_000_000) })
      assert.equal(await post(padded, { 'Content-Encoding': encoding }), 400)
      assert.equal(await post(JSON.stringify(HELLO), {}), 200)
      assert.equal(sockets.size, 1)
    } finally {
      agent.destroy()
    }
  })
