// A freeze in one process, and what was open at the doors of another when it came.
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { afterEach, describe, test } from 'node:test'
import type { AgentId } from '../../src/core/ids.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { createHandOn } from '../../src/vault/index.ts'
import { exchangedToken, registerAgent, serveTestApi } from '../support/api.ts'
import { ERAS, type McpClient, serveMcpDoor } from '../support/mcp-door.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

for (const store of [SQLITE, POSTGRES])
  describe(`freeze at the doors, ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const stops: (() => Promise<void>)[] = []
    afterEach(async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
      await open.close(true)
    })

    async function fresh() {
      const vault = await open.fresh(store)
      await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
      const agent = await registerAgent(vault, [['**', ['list', 'read', 'share']]])
      const elsewhere = await open.twin(vault)
      const door = await serveMcpDoor(elsewhere, {
        openPeople: async () => elsewhere.approvals.people,
        openHandOn: async () => createHandOn(elsewhere.sharing.shares, 'https://vault.example.org'),
      })
      stops.push(() => door.stop())
      return { vault, agent, elsewhere, door }
    }

    const freeze = (vault: TestVault, id: string) =>
      vault.identity.freezes.freeze(AGENT, { kind: 'agent', id: id as AgentId }, 'lost laptop')
    const read = { name: 'get_secret', arguments: { path: 'config/db' } }

    async function isAnswered(client: McpClient): Promise<boolean> {
      try {
        return (await client.callTool(read)).isError !== true
      } catch {
        return false
      }
    }

    /** Tries on and on until it is refused; how long after the freeze the last try that was not began. */
    async function lastAllowed(isAllowed: () => Promise<boolean>, from: number): Promise<number> {
      for (;;) {
        const began = monotonicMs()
        if (!(await isAllowed())) return began - from
        assert.ok(began - from < 5_000, 'it goes on')
      }
    }

    test('sessions, tokens and connections that are open end within a second', async () => {
      const { vault, agent, door, elsewhere } = await fresh()
      const api = await serveTestApi(elsewhere)
      stops.push(() => api.stop())
      const token = await exchangedToken(api, agent.key)
      const clients = await Promise.all(ERAS.map((era) => door.connect(era, token, 'default')))
      for (const client of clients) assert.equal(await isAnswered(client), true)
      const kept = new Agent({ keepAlive: true, maxSockets: 1 })
      stops.push(async () => kept.destroy())
      const onKept = (): Promise<boolean> =>
        new Promise((resolve, reject) => {
          const asked = request(
            `${api.baseUrl}/v1/vaults/default/secrets/config/db`,
            { agent: kept, headers: { authorization: `Bearer ${token}` } },
            (response) => {
              response.resume()
              response.on('end', () => resolve(response.statusCode === 200))
            },
          )
          asked.on('error', reject)
          asked.end()
        })
      assert.equal(await onKept(), true)
      await freeze(vault, agent.id)
      const frozenAt = monotonicMs()
      const late = await Promise.all([
        ...clients.map((client) => lastAllowed(() => isAnswered(client), frozenAt)),
        lastAllowed(onKept, frozenAt),
        lastAllowed(async () => {
          const reply = await api.ask('/v1/auth/agent-token', {
            method: 'POST',
            body: { api_key: agent.key },
          })
          return reply.status === 200
        }, frozenAt),
      ])
      for (const ms of late) assert.ok(ms < 1_000, late.join(' '))
      // Not one that was recorded after the freeze: rights are judged where the read is.
      const [frozen] = await vault.audit.query({ action: 'freeze' })
      assert.ok(frozen !== undefined)
      const released = await vault.audit.query({ action: 'secret.read', limit: 1000 })
      const after = released.filter(({ kind, seq }) => kind === 'intent' && seq > frozen.seq)
      assert.deepEqual(after, [])
    })

    for (const era of ERAS)
      test(`${era}: a call that waits for a person gets nothing any more, whatever is approved`, async () => {
        const { vault, agent, door } = await fresh()
        const { approvals } = vault.approvals
        const client = await door.connect(era, agent.key, 'default')
        const args = {
          path: 'config/db',
          recipient_type: 'anyone_with_link',
          expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        }
        const asked = client.callTool(
          { name: 'share_secret', arguments: args },
          { onprogress: () => {} },
        )
        const pending = () => approvals.list(PERSON, { status: 'pending' })
        while ((await pending()).length === 0) await sleep(20)
        const [{ id } = { id: '' }] = await pending()
        await freeze(vault, agent.id)
        await approvals.decide(PERSON, id, 'approve').catch(() => {})
        const answer = await asked
        assert.equal(answer.isError, true)
        assert.deepEqual(await vault.sharing.shares.outbound(PERSON), [])
        const rows = await vault.db.read((reader) =>
          vault.tables.shares.select(reader, '1 = 1', []),
        )
        assert.deepEqual(rows, [])
      })
  })
