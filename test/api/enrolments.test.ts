import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { epochMs, systemClock } from '../../src/core/time.ts'
import type { ApiReply } from '../support/api.ts'
import { callerOf, invited } from '../support/people.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { servedStores } from '../support/served-stores.ts'
import { PERSON } from '../support/vault.ts'
import { fault, POSTGRES, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

for (const store of [SQLITE, POSTGRES])
  describe(`API: agents that enroll on ${store.name}`, {
    skip: store.skip,
    concurrency: false,
  }, () => {
    const served = servedStores(store)
    let now = systemClock()

    async function fresh() {
      now = systemClock()
      const clock = () => now
      const { vault, api } = await served.fresh({ clock })
      await vault.identity.authentication.org()
      const enroll = (body: unknown) => api.ask('/v1/agents/enroll', { method: 'POST', body })
      const asked = async (body: unknown): Promise<Body> => {
        const reply = await enroll(body)
        assert.equal(reply.status, 201, JSON.stringify(reply.body))
        return reply.body as Body
      }
      const status = (of: Body, how: 'bearer' | 'query' = 'bearer'): Promise<ApiReply> => {
        const at = `/v1/agents/enroll/${String(of['agent_id'])}/status`
        const poll = String(of['poll_token'])
        return how === 'bearer' ? api.ask(at, { bearer: poll }) : api.ask(`${at}?poll=${poll}`)
      }
      return { vault, api, enroll, asked, status, desk: vault.approvals.approvals }
    }

    test('a person says yes, the key is fetched once, and opens nothing by itself', async () => {
      const { vault, api, asked, status, desk } = await fresh()
      const wanted = { name: 'deploy bot', human_email: 'ops@example.org', description: 'ships' }
      const made = await asked(wanted)
      assert.match(String(made['code']), /^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/)
      assert.match(String(made['message']), new RegExp(String(made['code'])))
      assert.equal(made['approval_url'], `${api.baseUrl}/approvals/${String(made['approval_id'])}`)
      assert.equal('api_key' in made, false)
      const [waiting] = await desk.list(PERSON, { status: 'pending' })
      // Its own words are not among ours.
      assert.deepEqual(
        [waiting?.preview.title, waiting?.preview.body, waiting?.reason, waiting?.client],
        ['Let a new agent in', undefined, 'ships', null],
      )
      assert.deepEqual(waiting?.preview.fields, [
        { label: 'Calls itself', value: 'deploy bot' },
        { label: 'Code', value: made['code'] },
        { label: 'Asked from', value: '127.0.0.1' },
        { label: 'Names as its person', value: 'ops@example.org' },
      ])
      for (const how of ['bearer', 'query'] as const)
        assert.deepEqual((await status(made, how)).body, {
          status: 'pending',
          agent_id: made['agent_id'],
        })
      assert.deepEqual(await vault.identity.agents.list(PERSON), [], 'nobody is made before')

      const owner = await callerOf(vault, await invited(vault, 'owner'))
      await desk.decide(owner, String(made['approval_id']), 'approve')
      const granted = (await status(made)).body as Body
      assert.deepEqual([granted['status'], granted['vault_ids']], ['approved', []])
      const key = String(granted['api_key'])
      assert.match(key, /^ocv_/)
      assert.equal((await status(made)).status, 404, 'the key is given out once')

      const me = (await api.ask('/v1/agents/me', { bearer: key })).body as Body
      assert.deepEqual(
        [me['id'], me['name'], me['description'], `user:${String(me['created_by'])}`],
        [made['agent_id'], 'deploy bot', 'ships', `user:${owner.principal.id}`],
      )
      const none = await api.ask('/v1/vaults/default/secrets/a', { bearer: key })
      assert.equal(none.status, 403)
      const [record] = await vault.audit.query({ action: 'agent.create' })
      assert.equal(record?.actor, `guest:${String(made['agent_id'])}`)
    })

    test('no key decides, no is no, and what was not decided in time is over', async () => {
      const { vault, api, asked, status, desk } = await fresh()
      const made = await asked({ name: 'one' })
      const id = String(made['approval_id'])
      const agent = await agentWith(vault, [])
      const admin = await userWith(vault, 'admin')
      for (const { key } of [agent, admin]) {
        const target = `/v1/approvals/${id}/decide`
        const body = { decision: 'approve' }
        const reply = await api.ask(target, { method: 'POST', bearer: key, body })
        assert.ok([403, 404].includes(reply.status))
      }
      const member = await callerOf(vault, await invited(vault, 'member'))
      await assert.rejects(desk.decide(member, id, 'approve'), fault('NOT_FOUND'))
      await desk.decide(PERSON, id, 'deny')
      assert.equal(((await status(made)).body as Body)['status'], 'denied')

      const second = await asked({ name: 'two' })
      now = epochMs(now + 3_601_000)
      const late = await status(second)
      assert.deepEqual([late.status, (late.body as Body)['code']], [404, 'NOT_FOUND'])
    })

    test('only whoever asked collects, and what was shown is what is made', async () => {
      const { api, asked, status, desk } = await fresh()
      const made = await asked({ name: 'mine', description: 'reads' })
      const other = await asked({ name: 'other' })
      await desk.decide(PERSON, String(made['approval_id']), 'approve')
      const [token = '', question = ''] = String(made['poll_token']).split('.')
      const said = JSON.parse(Buffer.from(question, 'base64url').toString()) as Body
      const bent = (change: object) =>
        Buffer.from(JSON.stringify({ ...said, ...change })).toString('base64url')
      const at = made['agent_id']
      const attempts: readonly Body[] = [
        { agent_id: at, poll_token: other['poll_token'] },
        { agent_id: other['agent_id'], poll_token: made['poll_token'] },
        { agent_id: at, poll_token: `${token}.${bent({ name: 'admin' })}` },
        { agent_id: at, poll_token: `${token}.${bent({ description: null })}` },
        { agent_id: at, poll_token: `${token}.${bent({ humanEmail: 'x@y.zz' })}` },
        { agent_id: at, poll_token: `${token}.${bent({ name: { a: 1 } })}` },
        { agent_id: at, poll_token: `${String(other['poll_token']).split('.')[0]}.${question}` },
        { agent_id: at, poll_token: token },
        { agent_id: at, poll_token: `${token}.e30` },
        { agent_id: at, poll_token: '' },
      ]
      for (const attempt of attempts) {
        const { status: code } = await status(attempt)
        assert.equal(code, 404, JSON.stringify(attempt))
      }
      assert.equal((await api.ask(`/v1/agents/enroll/${String(at)}/status`)).status, 404)
      assert.equal(((await status(made)).body as Body)['status'], 'approved')
    })

    test('few may wait at once, from one address, for one e-mail', async () => {
      const { enroll } = await fresh()
      const bad = [{}, { name: '' }, { name: 'a', human_email: 'nobody' }, { name: 'a\u202e' }]
      for (const body of bad) assert.equal((await enroll(body)).status, 400, JSON.stringify(body))
      const statuses: number[] = []
      for (const human_email of ['a@example.org', 'A@example.org', 'b@example.org'])
        statuses.push((await enroll({ name: 'x', human_email })).status)
      assert.deepEqual(statuses, [201, 429, 201])
      const replies = await Promise.all([1, 2, 3].map(() => enroll({ name: 'y' })))
      assert.deepEqual(
        replies.map(({ status }) => status).toSorted((a, b) => a - b),
        [201, 201, 429],
      )
      const refused = replies.find(({ status }) => status === 429)
      assert.match(refused?.headers.get('retry-after') ?? '', /^\d+$/)
    })

    test('several agents are removed at once, and what is not there is said', async () => {
      const { vault, api } = await fresh()
      const owner = await userWith(vault, 'owner')
      const [one, two] = [await agentWith(vault, []), await agentWith(vault, [])]
      const gone = '00000000-0000-4000-8000-000000000000'
      const remove = (bearer: string, agent_ids: readonly string[]) =>
        api.ask('/v1/agents/batch-delete', { method: 'POST', bearer, body: { agent_ids } })
      assert.equal((await remove(two.key, [one.id])).status, 403)
      const { body } = await remove(owner.key, [one.id, gone, two.id, one.id])
      assert.deepEqual(body, {
        deleted: 2,
        failed: 1,
        errors: [{ id: gone, reason: `There is no agent '${gone}'.` }],
      })
      assert.equal((await api.ask('/v1/vaults', { bearer: one.key })).status, 401)
      assert.equal((await remove(owner.key, [])).status, 400)
    })
  })
