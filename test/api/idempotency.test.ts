import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { type Clock, epochMs, systemClock } from '../../src/core/time.ts'
import { type ApiReply, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { userWithKey } from '../support/identity.ts'
import { type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const member = (reply: ApiReply, name: string): unknown =>
  (reply.body as Readonly<Record<string, unknown>>)[name]

for (const store of [SQLITE, POSTGRES])
  describe(`API: requests that come twice on ${store.name}`, { skip: store.skip }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    async function serve(vault: TestVault, rest: { clock?: Clock } = {}): Promise<TestApi> {
      const api = await serveTestApi(vault, rest)
      serving.push(api)
      return api
    }

    async function fresh(vault: TestVault, rest: { clock?: Clock } = {}) {
      await vault.identity.authentication.org()
      const bearer = (await userWithKey(vault, 'owner')).key
      return { api: await serve(vault, rest), bearer }
    }

    const creation = (bearer: string, key: string, name: string) => ({
      method: 'POST',
      bearer,
      headers: { 'idempotency-key': key },
      body: { name },
    })

    test('the second one has the first answer without the key, in any process, and says so', async () => {
      const vault = await open.fresh(store)
      const { api, bearer } = await fresh(vault)
      const first = await api.ask('/v1/agents', creation(bearer, 'k-1', 'ci'))
      assert.equal(first.status, 201)
      assert.match(String(member(first, 'api_key')), /^ocv_/)
      const other = await serve(await open.twin(vault))
      for (const door of [api, other]) {
        const again = await door.ask('/v1/agents', creation(bearer, 'k-1', 'ci'))
        assert.equal(again.status, 201)
        assert.equal(again.headers.get('idempotent-replayed'), 'true')
        assert.deepEqual(member(again, 'agent'), member(first, 'agent'))
        assert.deepEqual(member(again, 'replayed_without'), ['api_key'])
        assert.equal('api_key' in (again.body as object), false)
      }
      const agents = await api.ask('/v1/agents', { bearer })
      assert.equal((member(agents, 'agents') as unknown[]).length, 1)
      const key = String(member(first, 'api_key'))
      const rows = await vault.db.read((reader) => reader.all('select * from idempotent_requests'))
      assert.equal(JSON.stringify(rows).includes(key), false)
    })

    test('what is no secret is in both answers, whatever it is called', async () => {
      const vault = await open.fresh(store)
      const { api } = await fresh(vault)
      const agent = await registerAgent(vault, [])
      const fields = [{ label: 'branch', value: 'main' }]
      const asked = {
        method: 'POST',
        bearer: agent.key,
        headers: { 'idempotency-key': 'k-2' },
        body: {
          action: 'deploy',
          target_type: 'service',
          target_id: 'web',
          summary: { title: 'Deploy', fields },
        },
      }
      const first = await api.ask('/v1/approvals/request', asked)
      const again = await api.ask('/v1/approvals/request', asked)
      assert.equal(again.headers.get('idempotent-replayed'), 'true')
      assert.deepEqual(again.body, first.body)
      assert.deepEqual((member(again, 'summary') as { fields: unknown }).fields, fields)
    })

    test('a key that comes with another request is refused, and so is one in use', async () => {
      const vault = await open.fresh(store)
      const { api, bearer } = await fresh(vault)
      await api.ask('/v1/agents', creation(bearer, 'k-1', 'ci'))
      const other = await api.ask('/v1/agents', creation(bearer, 'k-1', 'cd'))
      assert.deepEqual([other.status, member(other, 'code')], [422, 'IDEMPOTENCY_MISMATCH'])
      const elsewhere = await api.ask('/v1/vaults', creation(bearer, 'k-1', 'ci'))
      assert.equal(elsewhere.status, 422)
      const bad = await api.ask('/v1/agents', creation(bearer, 'a b', 'ci'))
      assert.deepEqual([bad.status, member(bad, 'field')], [400, 'Idempotency-Key'])
      // Somebody else's key is another one.
      const second = (await userWithKey(vault, 'owner')).key
      const theirs = await api.ask('/v1/agents', creation(second, 'k-1', 'cd'))
      assert.equal(theirs.status, 201)
    })

    test('of many at once one is done', async () => {
      const vault = await open.fresh(store)
      const { api, bearer } = await fresh(vault)
      const other = await serve(await open.twin(vault))
      const replies = await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          (n % 2 === 0 ? api : other).ask('/v1/agents', creation(bearer, 'k-1', 'ci')),
        ),
      )
      const firsts = replies.filter(
        (one) => one.status === 201 && 'api_key' in (one.body as object),
      )
      assert.equal(firsts.length, 1)
      assert.ok(replies.every((one) => one.status === 201 || one.status === 409))
      const agents = await api.ask('/v1/agents', { bearer })
      assert.equal((member(agents, 'agents') as unknown[]).length, 1)
    })

    test('what was refused may come again, and after a day so may everything', async () => {
      let now = systemClock()
      const clock = () => now
      const vault = await open.fresh(store, clock)
      const { api, bearer } = await fresh(vault, { clock })
      const refused = await api.ask('/v1/vaults', creation(bearer, 'k-1', ''))
      assert.equal(refused.status, 400)
      const made = await api.ask('/v1/vaults', creation(bearer, 'k-1', 'team'))
      assert.equal(made.status, 201)
      const at = `/v1/vaults/${String(member(made, 'id'))}/secrets/a`
      const put = {
        method: 'PUT',
        bearer,
        headers: { 'idempotency-key': 'k-2' },
        body: { value: 'the value of the secret' },
      }
      assert.equal(member(await api.ask(at, put), 'version'), 1)
      assert.equal(member(await api.ask(at, put), 'version'), 1)
      const guess = { ...put, body: { value: 'another value' } }
      assert.equal((await api.ask(at, guess)).status, 422)
      const gone = { method: 'DELETE', bearer, headers: { 'idempotency-key': 'k-3' } }
      assert.equal((await api.ask(at, gone)).status, 204)
      assert.equal((await api.ask(at, gone)).status, 204)
      now = epochMs(now + 86_400_001)
      assert.equal((await api.ask(at, gone)).status, 404)
    })

    test('a stored answer that was changed is noticed', async () => {
      const vault = await open.fresh(store)
      const { api, bearer } = await fresh(vault)
      await api.ask('/v1/vaults', creation(bearer, 'k-1', 'team'))
      await vault.db.write((tx) => tx.run("update idempotent_requests set answer = '{}'"))
      const again = await api.ask('/v1/vaults', creation(bearer, 'k-1', 'team'))
      assert.equal(member(again, 'code'), 'STORE_TAMPERED')
    })
  })
