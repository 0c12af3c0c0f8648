import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { systemClock } from '../src/core/time.ts'
import { outgoing } from '../src/net/index.ts'
import { Connection, RemotePolicies, RemoteVault } from '../src/remote/index.ts'
import { registerAgent, serveTestApi } from './support/api.ts'
import { ERAS, serveMcpDoor } from './support/mcp-door.ts'
import { AGENT, PERSON, type TestVault } from './support/vault.ts'
import { fault, OpenVaults, SQLITE, secret } from './support/vault-stores.ts'

describe('grant_access', () => {
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

  /** Says yes to the one thing that waits. */
  async function approveWhatWaits(vault: TestVault): Promise<string> {
    const { approvals } = vault.approvals
    const pending = await approvals.list(PERSON, { status: 'pending' })
    assert.equal(pending.length, 1)
    const [{ id } = { id: '' }] = pending
    await approvals.decide(PERSON, id, 'approve')
    return id
  }

  for (const era of ERAS)
    test(`an agent hands on what it holds, once a person has said yes, ${era}`, async () => {
      const vault = await fresh()
      const giver = await registerAgent(vault, [['config/**', ['list', 'read', 'share']]])
      const taker = await registerAgent(vault, [])
      const door = await serveMcpDoor(vault, { openPolicies: async () => vault.policies })
      stops.push(() => door.stop())
      const client = await door.connect(era, giver.key, 'default')
      const call = async (args: Record<string, unknown>) => {
        const answer = await client.callTool({ name: 'grant_access', arguments: args })
        const [content] = answer.content as { text: string }[]
        return {
          isError: answer.isError === true,
          text: content?.text ?? '',
          structured: answer.structuredContent as Record<string, unknown>,
        }
      }
      const wanted = {
        principal_type: 'agent',
        principal_id: taker.id,
        secret_path_pattern: 'config/*',
      }
      const asked = await call(wanted)
      assert.equal(asked.isError, true)
      const error = asked.structured['error'] as { code: string; details: { approval: string } }
      assert.equal(error.code, 'APPROVAL_REQUIRED')
      assert.equal(error.details.approval, await approveWhatWaits(vault))
      // Another act is not the one that was approved.
      const other = await call({ ...wanted, secret_path_pattern: 'config/**' })
      assert.equal(other.isError, true)
      const given = await call(wanted)
      assert.equal(given.isError, false, given.text)
      assert.deepEqual(given.structured['permissions'], ['read', 'list'])
      assert.match(
        given.text,
        /^Access granted: agent [0-9a-f-]{36} may read, list at 'config\/\*'/,
      )
      assert.equal((await call(wanted)).isError, true)

      const reading = await door.connect(era, taker.key, 'default')
      const read = await reading.callTool({
        name: 'get_secret',
        arguments: { path: 'config/db' },
      })
      assert.equal((read.structuredContent as { value?: string }).value, 'the value')
      await client.close()
      await reading.close()
    })

  test('nobody is asked for what may not be granted anyway', async () => {
    const vault = await fresh()
    const giver = await registerAgent(vault, [['config/**', ['list', 'read']]])
    const taker = await registerAgent(vault, [])
    const door = await serveMcpDoor(vault, { openPolicies: async () => vault.policies })
    stops.push(() => door.stop())
    const client = await door.connect('modern', giver.key, 'default')
    for (const args of [
      { principal_type: 'agent', principal_id: taker.id },
      { principal_type: 'agent', principal_id: taker.id, permissions: ['write'] },
      { principal_type: 'agent', principal_id: 'nobody' },
    ]) {
      const answer = await client.callTool({ name: 'grant_access', arguments: args })
      assert.equal(answer.isError, true)
    }
    assert.deepEqual(await vault.approvals.approvals.list(PERSON, { status: 'pending' }), [])
    await client.close()
    // Whoever is at this machine without having proved it hands on nothing.
    await assert.rejects(
      vault.policies.create(AGENT, 'default', {
        pattern: '**',
        principalType: 'agent',
        principalId: taker.id,
        permissions: ['read'],
      }),
      fault('ACCESS_DENIED'),
    )
  })

  test('through a server in remote mode', async () => {
    const vault = await fresh()
    const api = await serveTestApi(vault)
    stops.push(() => api.stop())
    const giver = await registerAgent(vault, [['**', ['list', 'read', 'use', 'share']]])
    const taker = await registerAgent(vault, [])
    const way = outgoing({ allow: ['127.0.0.1', api.baseUrl] })
    stops.push(() => way.close())
    const connection = new Connection({
      baseUrl: api.baseUrl,
      credential: { kind: 'key', key: giver.key, agentId: null },
      outgoing: way,
      clock: systemClock,
    })
    const remote = new RemoteVault(connection, () => false)
    const policies = new RemotePolicies(connection, (name) => remote.idOf(name))
    for (const [permissions, expected] of [
      [
        ['read', 'list'],
        ['read', 'list'],
      ],
      [['use'], ['use']],
    ] as const) {
      const request = {
        pattern: 'config/**',
        principalType: 'agent',
        principalId: taker.id,
        permissions,
      } as const
      await assert.rejects(
        policies.create(AGENT, 'default', request),
        fault('APPROVAL_REQUIRED', /sallyport approvals approve/),
      )
      await approveWhatWaits(vault)
      const made = await policies.create(AGENT, 'default', request)
      assert.deepEqual(made.permissions, expected)
      const [known] = (await vault.policies.list(PERSON, 'default')).filter(
        ({ id }) => id === made.id,
      )
      assert.deepEqual(known?.permissions, expected)
      assert.equal(known?.createdBy, `agent:${giver.id}`)
    }
  })
})
