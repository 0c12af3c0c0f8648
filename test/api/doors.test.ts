// The whole listener of `sallyport up`, as a proxy in front of it and its clients see it.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { registerAgent } from '../support/api.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, SQLITE, secret } from '../support/vault-stores.ts'

describe('the listener behind a proxy', () => {
  const open = new OpenVaults()
  const serving: { stop(): Promise<void> }[] = []
  afterEach(async () => {
    await Promise.all(serving.splice(0).map((door) => door.stop()))
    await open.close(true)
  })

  async function fresh() {
    const vault = await open.fresh(SQLITE)
    const door = await serveMcpDoor(vault, {}, { behindProxy: ['127.0.0.1'] })
    serving.push(door)
    await vault.vault.put(PERSON, 'default', { path: 'k', value: secret('v') })
    const agent = await registerAgent(vault, [['**', ['read']]], {
      policy: { conditions: { ipAllowlist: ['198.51.100.0/24'] } },
    })
    const ask = async (target: string, headers: Readonly<Record<string, string>> = {}) => {
      const reply = await fetch(`${door.baseUrl}${target}`, {
        headers: { authorization: `Bearer ${agent.key}`, ...headers },
      })
      return {
        status: reply.status,
        body: (await reply.json()) as Readonly<Record<string, unknown>>,
      }
    }
    return { ask, vault, agent }
  }

  const target = '/v1/vaults/default/secrets/k'
  const https = { 'x-forwarded-proto': 'https' }

  test('nothing secret is taken from a client that came over plain HTTP', async () => {
    const { ask, vault, agent } = await fresh()
    const plain = { 'x-forwarded-for': '198.51.100.7' }
    for (const path of [target, '/mcp', '/v1/auth/me', '/sign-in']) {
      const reply = await ask(path, plain)
      assert.equal(reply.status, 403, path)
      assert.equal(reply.body['detail'], 'This server is not spoken to over plain HTTP.')
    }
    for (const path of [
      '/health',
      '/ready',
      '/v1/health',
      '/openapi.json',
      '/.well-known/jwks.json',
    ])
      assert.equal((await ask(path, plain)).status, 200, path)
    assert.deepEqual(await vault.audit.query({ actor: `agent:${agent.id}` }), [])
  })

  test('conditions on addresses see the client that the proxy names, and no other', async () => {
    const { ask } = await fresh()
    const rows: readonly [headers: Readonly<Record<string, string>>, status: number][] = [
      [{ ...https, 'x-forwarded-for': '198.51.100.7' }, 200],
      [{ ...https, 'x-forwarded-for': '203.0.113.7' }, 403],
      [{ ...https, 'x-forwarded-for': '198.51.100.7, 203.0.113.7' }, 403],
      [{ ...https, 'x-forwarded-for': '203.0.113.7, 198.51.100.7' }, 200],
      [{ forwarded: 'for=198.51.100.7;proto=https' }, 200],
      [{ ...https, 'x-forwarded-for': '203.0.113.7', forwarded: 'for=198.51.100.7' }, 400],
      [{ ...https, 'x-forwarded-for': 'unknown' }, 403],
      // Straight from this machine.
      [{}, 403],
    ]
    for (const [headers, status] of rows)
      assert.equal((await ask(target, headers)).status, status, JSON.stringify(headers))
  })
})
