import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitedAuthentication } from '../../src/app/limited-authentication.ts'
import { requestLimits } from '../../src/app/open-api.ts'
import { systemClock } from '../../src/core/time.ts'
import { registerAgent, serveTestApi } from '../support/api.ts'
import { serveMcpDoor } from '../support/mcp-door.ts'
import { openTestVault } from '../support/vault.ts'

const CALL = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
}
const JSON_OR_STREAM = { Accept: 'application/json, text/event-stream' }

test('the API, /mcp and the addresses of the gateway share the limits of an agent', async () => {
  // The clock stands, so that nothing comes back meanwhile.
  const at = systemClock()
  const vault = await openTestVault({ clock: () => at })
  const limits = { address: null, token: null, agent: 5 }
  const identity = {
    ...vault.identity,
    authentication: limitedAuthentication(
      vault.identity.authentication,
      requestLimits(limits, vault.rates),
    ),
  }
  const api = await serveTestApi(vault, { limits, clock: () => at })
  const door = await serveMcpDoor({ ...vault, identity })
  try {
    const agent = await registerAgent(vault, [['**', ['list']]])
    const other = await registerAgent(vault, [['**', ['list']]])
    const post = (key: string, path: string) =>
      door.post(
        CALL,
        { ...JSON_OR_STREAM, Authorization: `Bearer ${key}`, 'X-Vault-ID': 'default' },
        path,
      )
    for (let n = 0; n < 4; n += 1)
      assert.equal((await api.ask('/v1/vaults', { bearer: agent.key })).status, 200)
    for (let n = 0; n < 3; n += 1) assert.equal((await post(agent.key, '/mcp')).status, 200)
    // Without a grant it is refused there, and counted.
    for (const path of ['/s/none/mcp', '/s/none/mcp', '/mcp/all'])
      assert.notEqual((await post(agent.key, path)).status, 429, path)
    for (const path of ['/mcp', '/s/none/mcp', '/mcp/all']) {
      const refused = await post(agent.key, path)
      assert.equal(refused.status, 429, path)
      assert.equal(refused.headers.get('retry-after'), '1', path)
    }
    assert.equal((await api.ask('/v1/vaults', { bearer: agent.key })).status, 429)
    assert.equal((await post(other.key, '/mcp')).status, 200)
  } finally {
    await door.stop()
    await api.stop()
    await vault.dispose()
  }
})
