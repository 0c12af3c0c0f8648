import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { exchangedToken, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { userWithKey } from '../support/identity.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const WANTED = {
  action: 'deploy.production',
  target_type: 'service',
  target_id: 'shop',
  summary: {
    title: 'Deploy the shop',
    body: 'Version 7',
    fields: [{ label: 'service', value: 'shop' }],
  },
  payload: { version: 7 },
  reason: 'the fix is ready',
} as const

for (const store of [SQLITE, POSTGRES])
  describe(`API: approvals on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    async function fresh() {
      const vault = await open.fresh(store)
      const api = await serveTestApi(vault)
      serving.push(api)
      const agent = await registerAgent(vault, [])
      const bearer = await exchangedToken(api, agent.key)
      const send = async (method: string, target: string, body?: unknown, as = bearer) => {
        const reply = await api.ask(target, {
          method,
          bearer: as,
          ...(body === undefined ? {} : { body }),
        })
        return { ...reply, body: reply.body as Body }
      }
      const post = (target: string, body: unknown = {}, as = bearer) =>
        send('POST', target, body, as)
      return {
        vault,
        api,
        agent,
        bearer,
        send,
        post,
        get: (target: string, as = bearer) => send('GET', target, undefined, as),
      }
    }

    const desk = (vault: TestVault) => vault.approvals.approvals

    test('an agent asks, polls, and hears what a person decided', async () => {
      const { vault, agent, post, get } = await fresh()
      const asked = await post('/v1/approvals/request', WANTED)
      assert.equal(asked.status, 202)
      const id = String(asked.body['id'])
      assert.equal(asked.headers.get('location'), `/v1/approvals/${id}`)
      const { action, status, state, agent_id, user_id, summary, reason, risk_tier } = asked.body
      assert.deepEqual(
        { action, status, state, agent_id, user_id, summary, reason, risk_tier },
        {
          action: 'deploy.production',
          status: 'pending',
          state: 'pending',
          agent_id: agent.id,
          user_id: null,
          summary: WANTED.summary,
          reason: 'the fix is ready',
          risk_tier: 2,
        },
      )
      assert.equal(
        asked.body['human_summary'],
        `agent:${agent.id} asks, in its own words: Deploy the shop`,
      )
      assert.equal((await post('/v1/approvals/request', WANTED)).body['id'], id)
      assert.deepEqual((await get(`/v1/approvals/${id}/status`)).body['status'], 'pending')
      await desk(vault).decide(PERSON, id, 'deny', { reason: 'not on a Saturday' })
      const told = await get(`/v1/approvals/${id}/status`)
      assert.deepEqual(
        [told.body['status'], told.body['state'], told.body['decision_reason']],
        ['rejected', 'denied', 'not on a Saturday'],
      )
      const listed = await get('/v1/approvals?status=rejected')
      assert.deepEqual(
        (listed.body['approvals'] as Body[]).map((one) => one['id']),
        [id],
      )
      assert.equal(listed.body['next_cursor'], null)
    })

    test('no bearer decides, in whatever spelling, and nothing changes', async () => {
      const { vault, post } = await fresh()
      const owner = await userWithKey(vault, 'owner')
      const { body } = await post('/v1/approvals/request', WANTED)
      const at = `/v1/approvals/${String(body['id'])}`
      for (const decision of ['approve', 'approved', 'reject', 'rejected', 'deny', 'denied'])
        for (const bearer of [undefined, owner.key]) {
          const refused = await post(`${at}/decide`, { decision }, bearer)
          assert.deepEqual([refused.status, refused.body['code']], [403, 'ACCESS_DENIED'])
        }
      for (const verb of ['approve', 'deny'])
        assert.equal((await post(`${at}/${verb}`, {}, owner.key)).status, 403)
      const pending = `/v1/pending-approvals/${String(body['id'])}`
      const { payload_hash } = body
      for (const credential_type of ['passkey', 'totp', 'api_key'])
        assert.equal(
          (
            await post(
              `${pending}/approve`,
              { decision: 'approve', payload_hash, credential_type },
              owner.key,
            )
          ).status,
          403,
        )
      assert.equal((await post(`${at}/decide`, { decision: 'maybe' }, owner.key)).status, 400)
      assert.equal((await desk(vault).status(PERSON, String(body['id']))).status, 'pending')
    })

    test('what is none of the business of a caller is not there', async () => {
      const { vault, api, post, get } = await fresh()
      const { body } = await post('/v1/approvals/request', WANTED)
      const other = await exchangedToken(api, (await registerAgent(vault, [])).key)
      const at = `/v1/approvals/${String(body['id'])}`
      for (const target of [at, `${at}/status`, '/v1/approvals/nonsense'])
        assert.equal((await get(target, other)).status, 404)
      assert.equal((await post(`${at}/cancel`, {}, other)).status, 404)
      assert.deepEqual((await get('/v1/approvals', other)).body['approvals'], [])
      const auditor = await userWithKey(vault, 'auditor')
      assert.equal(
        ((await get('/v1/approvals', auditor.key)).body['approvals'] as Body[]).length,
        1,
      )
      const cancelled = await post(`${at}/cancel`, { reason: 'changed my mind' })
      assert.deepEqual([cancelled.status, cancelled.body['status']], [200, 'cancelled'])
      assert.equal((await post(`${at}/cancel`)).status, 409)
    })

    test('lists are paged with signed cursors', async () => {
      const { post, get } = await fresh()
      const ids: string[] = []
      for (let n = 0; n < 5; n += 1)
        ids.push(
          String((await post('/v1/approvals/request', { ...WANTED, payload: n })).body['id']),
        )
      const seen: string[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const suffix = cursor === '' ? '' : `&cursor=${cursor}`
        const { body }: { body: Body } = await get(`/v1/approvals?limit=2${suffix}`)
        seen.push(...(body['approvals'] as Body[]).map((one) => String(one['id'])))
        cursor = body['next_cursor'] as string | null
        if (cursor !== null)
          assert.equal((await get(`/v1/pending-approvals?limit=2&cursor=${cursor}`)).status, 400)
      }
      assert.deepEqual(seen.toSorted(), ids.toSorted())
    })

    test('a payload that people approved is executed once, by who asked', async () => {
      const { vault, api, post, get } = await fresh()
      const submitted = await post('/v1/pending-approvals', {
        policy_id: '11111111-2222-4333-8444-555555555555',
        action: 'rotate.keys',
        action_payload: { path: 'api-keys/stripe', hard: true },
        required_approvals: 1,
      })
      assert.equal(submitted.status, 202)
      assert.equal(submitted.body['policy_id'], '11111111-2222-4333-8444-555555555555')
      assert.deepEqual(submitted.body['summary'], {
        title: 'rotate.keys',
        fields: [
          { label: 'path', value: '' },
          { label: 'hard', value: '' },
        ],
      })
      const { id, payload_hash } = submitted.body
      const at = `/v1/pending-approvals/${String(id)}`
      assert.equal((await post(`${at}/execute`)).status, 409)
      await desk(vault).decide(PERSON, String(id), 'approve', { expected: String(payload_hash) })
      const approved = (await get(at)).body
      assert.deepEqual([approved['status'], approved['current_approvals']], ['approved', 1])
      const other = await exchangedToken(api, (await registerAgent(vault, [])).key)
      assert.equal((await post(`${at}/execute`, {}, other)).status, 404)
      assert.equal((await post(`${at}/execute`, { payload_hash: 'x' })).status, 409)
      const outcomes = await Promise.all(
        Array.from({ length: 16 }, () => post(`${at}/execute`, { payload_hash })),
      )
      assert.deepEqual(
        outcomes.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, ...Array.from({ length: 15 }, () => 409)],
      )
      const listed = await get('/v1/pending-approvals?status=executed')
      assert.equal((listed.body['pending_approvals'] as Body[]).length, 1)
    })

    test('what cannot be shown to a person is refused by name', async () => {
      const { post } = await fresh()
      const bad: readonly [field: string, change: object][] = [
        ['action', { action: '' }],
        ['summary.title', { summary: { title: 'a\u202eb' } }],
        ['summary.title', { summary: {} }],
        ['expires_in_seconds', { expires_in_seconds: 1 }],
        ['required_approvals', { required_approvals: 11 }],
      ]
      for (const [field, change] of bad) {
        const { status, body } = await post('/v1/approvals/request', { ...WANTED, ...change })
        assert.deepEqual([status, body['field']], [400, field])
      }
    })

    test('webhooks are seen by owners and changed by no key', async () => {
      const { vault, send, post, get } = await fresh()
      const { webhook } = await vault.approvals.webhooks.create(PERSON, {
        url: 'https://hooks.example.org/x',
        events: ['approval.*'],
      })
      const owner = await userWithKey(vault, 'owner')
      const listed = await get('/v1/webhooks', owner.key)
      assert.deepEqual(
        (listed.body['webhooks'] as Body[]).map(({ id, url, is_active }) => [id, url, is_active]),
        [[webhook.id, 'https://hooks.example.org/x', true]],
      )
      assert.ok(!JSON.stringify(listed.body).includes('whsec_'))
      assert.equal((await get('/v1/webhooks')).status, 403)
      const at = `/v1/webhooks/${webhook.id}`
      const wanted = { url: 'https://evil.example.org/', events: ['*'] }
      for (const bearer of [owner.key, undefined]) {
        assert.equal((await post('/v1/webhooks', wanted, bearer)).status, 403)
        assert.equal((await send('PATCH', at, { is_active: false }, bearer)).status, 403)
        assert.equal((await send('DELETE', at, undefined, bearer)).status, 403)
      }
    })
  })
