import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { epochMs, systemClock } from '../src/core/time.ts'
import { outgoing } from '../src/net/index.ts'
import { Connection, RemoteHandOn, RemoteVault } from '../src/remote/index.ts'
import { createHandOn } from '../src/vault/index.ts'
import { registerAgent, serveTestApi } from './support/api.ts'
import { ERAS, serveMcpDoor } from './support/mcp-door.ts'
import { callerBy } from './support/registered.ts'
import { PERSON, type TestVault } from './support/vault.ts'
import { fault, OpenVaults, SQLITE, secret, textOf } from './support/vault-stores.ts'

interface Made {
  readonly id: string
  readonly share_url: string
  readonly max_access_count: number | null
}

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString()

describe('share_secret', () => {
  const open = new OpenVaults()
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop()
    await open.close(true)
  })

  async function fresh(): Promise<TestVault> {
    const vault = await open.fresh(SQLITE)
    await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
    return vault
  }

  for (const era of ERAS)
    test(`an agent shares by path and by id, and links once they are approved, ${era}`, async () => {
      const vault = await fresh()
      const { shares } = vault.sharing
      const sharer = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
      const reader = await registerAgent(vault, [])
      const door = await serveMcpDoor(vault, {
        openHandOn: async () => createHandOn(shares, 'https://vault.example.org'),
      })
      stops.push(() => door.stop())
      const client = await door.connect(era, sharer.key, 'default')
      stops.push(() => client.close())
      const call = async (args: Record<string, unknown>) => {
        const answer = await client.callTool({ name: 'share_secret', arguments: args })
        const [content] = answer.content as { text: string }[]
        return {
          isError: answer.isError === true,
          text: content?.text ?? '',
          made: answer.structuredContent as Made,
        }
      }
      const wanted = {
        recipient_type: 'agent',
        recipient_id: reader.id,
        expires_at: inAnHour(),
      }
      const { id: secret_id } = await vault.vault.describe(PERSON, 'default', 'config/db')
      for (const target of [{ path: 'config/db' }, { name: 'config/db' }, { secret_id }]) {
        const { isError, text, made } = await call({ ...target, ...wanted })
        assert.equal(isError, false, text)
        assert.equal(made.max_access_count, 5)
        assert.equal(made.share_url, `https://vault.example.org/v1/share/${made.id}`)
        assert.ok(!text.includes('the value'))
        const caller = await callerBy(vault, reader.key)
        assert.equal(textOf(await shares.read(caller, made.id)), 'the value')
      }
      const other = await call({ path: 'other', ...wanted })
      assert.equal(other.isError, true)
      assert.match(other.text, /Access denied/)
      const both = await call({ path: 'config/db', secret_id, ...wanted })
      assert.equal(both.isError, true)

      const link = {
        path: 'config/db',
        recipient_type: 'anyone_with_link',
        expires_at: wanted.expires_at,
      }
      const asked = await call(link)
      assert.equal(asked.isError, true)
      const { approvals } = vault.approvals
      const [pending] = await approvals.list(PERSON, { status: 'pending' })
      await approvals.decide(PERSON, pending?.id ?? '', 'approve')
      const granted = await call(link)
      assert.equal(granted.isError, false, granted.text)
      const { hash } = new URL(granted.made.share_url)
      const opener = { address: '203.0.113.1', channel: 'http' } as const
      const opened = await shares.open(granted.made.id, secret(hash.slice(1)), opener)
      assert.equal(textOf(opened), 'the value')
    })

  test('through a server in remote mode', async () => {
    const vault = await fresh()
    const api = await serveTestApi(vault, { site: 'https://vault.example.org' })
    stops.push(() => api.stop())
    const sharer = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
    const reader = await registerAgent(vault, [])
    const way = outgoing({ allow: ['127.0.0.1', api.baseUrl] })
    stops.push(() => way.close())
    const connection = new Connection({
      baseUrl: api.baseUrl,
      credential: { kind: 'key', key: sharer.key, agentId: null },
      outgoing: way,
      clock: systemClock,
    })
    const handOn = new RemoteHandOn(connection, new RemoteVault(connection, () => false))
    const request = {
      recipientType: 'agent',
      recipientId: reader.id,
      expiresAt: epochMs(Date.now() + 3_600_000),
      maxAccessCount: 1,
    } as const
    const made = await handOn.share(PERSON, { vault: 'default', path: 'config/db' }, request)
    assert.equal(made.url.reveal(), `https://vault.example.org/v1/share/${made.id}`)
    const caller = await callerBy(vault, reader.key)
    assert.equal(textOf(await vault.sharing.shares.read(caller, made.id)), 'the value')
    await assert.rejects(
      handOn.share(
        PERSON,
        { vault: 'default', path: 'config/db' },
        {
          recipientType: 'anyone_with_link',
          expiresAt: request.expiresAt,
        },
      ),
      fault('APPROVAL_REQUIRED'),
    )
  })
})
