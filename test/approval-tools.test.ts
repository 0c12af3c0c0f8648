import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { systemClock } from '../src/core/time.ts'
import { outgoing } from '../src/net/index.ts'
import { Connection, RemotePeople } from '../src/remote/index.ts'
import { registerAgent, serveTestApi } from './support/api.ts'
import { request } from './support/approvals.ts'
import { ERAS, serveMcpDoor } from './support/mcp-door.ts'
import { AGENT, openTestVault, PERSON, type TestVault } from './support/vault.ts'
import { fault, OpenVaults, SQLITE } from './support/vault-stores.ts'

const WANTED = {
  action: 'deploy.production',
  target_type: 'service',
  target_id: 'shop',
  summary: { title: 'Deploy the shop', fields: [{ label: 'service', value: 'shop' }] },
  payload: { version: 7, nested: { list: [1, null] } },
  reason: 'the fix is ready',
  declared_risk_tier: 1,
}

interface Structured {
  readonly approval_id: string
  readonly status: string
  readonly expires_at: string
  readonly decision_reason: string | null
}

describe('request_approval and get_approval_status', () => {
  const open = new OpenVaults()
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop()
    await open.close(true)
  })

  const desk = (vault: TestVault) => vault.approvals.approvals

  for (const era of ERAS)
    test(`an agent asks and hears what a person decided, ${era}`, async () => {
      const vault = await open.fresh(SQLITE)
      const { id, key } = await registerAgent(vault, [['**', ['list', 'read']]])
      const door = await serveMcpDoor(vault, { openPeople: async () => vault.approvals.people })
      stops.push(() => door.stop())
      const client = await door.connect(era, key, 'default')
      stops.push(() => client.close())
      const call = async (name: string, args: Record<string, unknown>) => {
        const answer = await client.callTool({ name, arguments: args })
        const [content] = answer.content as { text: string }[]
        return {
          isError: answer.isError === true,
          text: content?.text ?? '',
          structured: answer.structuredContent as Structured,
        }
      }
      const asked = await call('request_approval', WANTED)
      assert.equal(asked.isError, false, asked.text)
      const { approval_id, status } = asked.structured
      assert.equal(status, 'pending')
      assert.match(asked.text, new RegExp(`^Approval ${approval_id} is pending: `))
      const filed = await desk(vault).status(PERSON, approval_id)
      assert.deepEqual(
        [filed.kind, filed.requester, filed.reason, filed.preview],
        ['own', `agent:${id}`, 'the fix is ready', WANTED.summary],
      )
      assert.equal((await call('request_approval', WANTED)).structured.approval_id, approval_id)
      await desk(vault).decide(PERSON, approval_id, 'approve', { reason: 'go' })
      const told = await call('get_approval_status', { approval_id })
      assert.deepEqual(
        [told.structured.status, told.structured.decision_reason, told.text],
        ['approved', 'go', `Approval ${approval_id} is approved. The person said: go`],
      )
      const [foreign] = [
        await desk(vault).ask(PERSON, {
          action: 'a.b',
          target: { type: 't', id: 'i' },
          preview: { title: 'other' },
        }),
      ]
      const refused = await call('get_approval_status', { approval_id: foreign.id })
      assert.ok(refused.isError)
      assert.match(refused.text, /^There is no approval/)
      const bad = await call('request_approval', { ...WANTED, summary: { title: 'a\u202eb' } })
      assert.ok(bad.isError)
    })

  test('where a server has a public address, the page of the approval is named', async () => {
    const vault = await openTestVault({
      env: { SALLYPORT_PUBLIC_URL: 'https://vault.example.org' },
    })
    stops.push(() => vault.dispose())
    const asked = await vault.approvals.people.ask(AGENT, {
      action: 'a.b',
      target: { type: 't', id: 'i' },
      preview: { title: 'Something' },
    })
    assert.equal(asked.url, `https://vault.example.org/approvals/${asked.id}`)
    await assert.rejects(
      desk(vault).pass(AGENT, request()),
      fault('APPROVAL_REQUIRED', /: https:\/\/vault\.example\.org\/approvals\/[0-9a-f-]{36}\. /),
    )
  })

  test('without people to ask the tools are not listed', async () => {
    const vault = await open.fresh(SQLITE)
    const { key } = await registerAgent(vault, [['**', ['list']]])
    const listed: string[][] = []
    for (const tools of [{}, { openPeople: async () => vault.approvals.people }]) {
      const door = await serveMcpDoor(vault, tools)
      stops.push(() => door.stop())
      const client = await door.connect('modern', key, 'default')
      stops.push(() => client.close())
      listed.push((await client.listTools()).tools.map(({ name }) => name))
    }
    const [without, withPeople] = listed
    assert.deepEqual(
      withPeople?.filter((name) => !without?.includes(name)),
      ['request_approval', 'get_approval_status'],
    )
  })

  test('through a server in remote mode', async () => {
    const vault = await open.fresh(SQLITE)
    const api = await serveTestApi(vault)
    stops.push(() => api.stop())
    const { id, key } = await registerAgent(vault, [])
    const way = outgoing({ allow: [] })
    stops.push(() => way.close())
    const people = new RemotePeople(
      new Connection({
        baseUrl: api.baseUrl,
        credential: { kind: 'key', key, agentId: id },
        outgoing: way,
        clock: systemClock,
      }),
    )
    const asked = await people.ask(PERSON, {
      action: 'deploy.production',
      target: { type: 'service', id: 'shop' },
      preview: { title: 'Deploy' },
      payload: { n: 1 },
      reason: 'why not',
      expiresInSeconds: 60,
    })
    assert.deepEqual([asked.status, asked.decisionReason], ['pending', null])
    const filed = await desk(vault).status(PERSON, asked.id)
    assert.deepEqual(
      [filed.requester, filed.kind, filed.expiresAt - filed.createdAt, filed.reason],
      [`agent:${id}`, 'own', 60_000, 'why not'],
    )
    assert.equal(asked.expiresAt, filed.expiresAt)
    await desk(vault).decide(PERSON, asked.id, 'deny', { reason: 'no' })
    const told = await people.state(PERSON, asked.id)
    assert.deepEqual([told.status, told.decisionReason], ['denied', 'no'])
    await assert.rejects(people.state(PERSON, '../agents/me'), fault('NOT_FOUND'))
    const unknown = '00000000-0000-4000-8000-000000000000'
    await assert.rejects(people.state(PERSON, unknown), fault('NOT_FOUND'))
  })
})
