import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, describe, test } from 'node:test'
import { registerAgent } from '../support/api.ts'
import { type Serving, startServing, temporaryHome } from '../support/serving.ts'
import { openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const READERS = 64
const LIMIT = 5
const VALUE = 'the value that five may have'

/** One POST or GET over a connection of its own. @returns the body, or null when the server went away */
function ask(
  server: Serving,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | null,
): Promise<string | null> {
  return new Promise((resolve) => {
    const outgoing = request(
      new URL(path, server.url.origin),
      { method: body === null ? 'GET' : 'POST', headers, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
        response.on('error', () => resolve(Buffer.concat(chunks).toString('utf8')))
      },
    )
    outgoing.on('error', () => resolve(null))
    outgoing.end(body ?? undefined)
  })
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'racer', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

function overMcp(server: Serving, vault: string, key: string, path: string, id: number) {
  return ask(
    server,
    '/mcp',
    {
      authorization: `Bearer ${key}`,
      'x-vault-id': vault,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'get_secret',
    },
    JSON.stringify({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'get_secret', arguments: { path }, _meta: META },
    }),
  )
}

function overHttp(server: Serving, vault: string, key: string, path: string) {
  const target = `/v1/vaults/${vault}/secrets/${path}`
  return ask(server, target, { authorization: `Bearer ${key}` }, null)
}

for (const store of [SQLITE, POSTGRES])
  describe(`the last reads on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const ends: (() => Promise<unknown>)[] = []
    after(async () => {
      for (const end of ends.toReversed()) await end()
    })

    async function race(isKilled: boolean): Promise<{ values: number; vault: TestVault }> {
      const { home, remove } = await temporaryHome()
      ends.push(remove)
      const env = (await store.fresh()) as Readonly<Record<string, string>>
      const vault = await openTestVault({ home, env })
      ends.push(() => vault.close())
      await vault.vault.put(PERSON, 'default', {
        path: 'scarce',
        value: secret(VALUE),
        maxAccessCount: LIMIT,
      })
      const { key } = await registerAgent(vault, [['scarce', ['list', 'read']]])
      const [first] = await vault.vault.listVaults(PERSON)
      const id = first?.id ?? ''
      const servers = await Promise.all([startServing(home, env), startServing(home, env)])
      for (const server of servers) ends.push(() => server.stop())
      const answers = Array.from({ length: READERS }, (_, reader) => {
        const server = servers[reader % 2]
        assert.ok(server)
        return reader % 4 < 2
          ? overHttp(server, id, key, 'scarce')
          : overMcp(server, id, key, 'scarce', reader)
      })
      // As soon as somebody was answered, the others are under way.
      if (isKilled) await Promise.race(answers).then(() => servers[1]?.kill())
      const texts = await Promise.all(answers)
      return { values: texts.filter((text) => text?.includes(VALUE) === true).length, vault }
    }

    async function recorded(vault: TestVault): Promise<number> {
      const entries = await vault.audit.query({ path: 'scarce', action: 'secret.read', limit: 500 })
      return entries.filter(({ kind }) => kind === 'intent').length
    }

    test(`${READERS} readers over HTTP and MCP on two servers: exactly ${LIMIT} values leave`, async () => {
      const { values, vault } = await race(false)
      assert.equal(values, LIMIT)
      assert.equal(await recorded(vault), LIMIT)
      assert.equal((await vault.audit.verify()).ok, true)
    })

    test('with one server killed midway no value leaves without its record', async () => {
      const { values, vault } = await race(true)
      const records = await recorded(vault)
      assert.ok(values <= records, `${values} values, ${records} records`)
      assert.ok(records <= LIMIT)
      const info = await vault.vault.describe(PERSON, 'default', 'scarce')
      assert.equal(info.accessCount, records)
      assert.equal((await vault.audit.verify()).ok, true)
    })
  })
