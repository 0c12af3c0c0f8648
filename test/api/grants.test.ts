import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { registerAgent } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { userWithKey } from '../support/identity.ts'
import { firstOwner } from '../support/people.ts'
import { servedStores } from '../support/served-stores.ts'
import { PERSON } from '../support/vault.ts'
import { POSTGRES, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

for (const store of [SQLITE, POSTGRES])
  describe(`API: grants on ${store.name}`, { skip: store.skip }, () => {
    const served = servedStores(store)

    async function fresh() {
      const { vault, api } = await served.fresh()
      await vault.identity.authentication.org()
      const { servers, policies } = await vault.registry()
      await servers.add(PERSON, 'github', { kind: 'stdio', command: ['server'], variables: [] })
      await policies.set(PERSON, 'read-only', Buffer.from('{"version":"1","default":"deny"}'))
      const present = new ApiBrowser(api, await firstOwner(vault))
      const admin = (await userWithKey(vault, 'admin')).key
      const call = async (bearer: string, method: string, target: string, body?: unknown) => {
        const reply = await api.ask(target, { method, bearer, body })
        return { status: reply.status, body: reply.body as Body }
      }
      const inPerson = async (method: string, target: string, body?: unknown) => {
        const reply = await present.call(method, target, body)
        return { status: reply.status, body: reply.body as Body }
      }
      return { vault, call, inPerson, admin, agent: await registerAgent(vault, []) }
    }

    test('a grant is made, listed without its bearer, rotated and revoked', async () => {
      const { call, inPerson, admin, agent } = await fresh()
      const at = `/v1/agents/${agent.id}/grants`
      const asked = { label: 'laptop', server: 'github', policies: ['read-only'] }
      // A bearer is handed out by somebody who is there, not by a key.
      const byKey = await call(admin, 'POST', at, asked)
      assert.deepEqual([byKey.status, byKey.body['code']], [403, 'ACCESS_DENIED'])
      const made = await inPerson('POST', at, asked)
      assert.equal(made.status, 201)
      const { grant, token } = made.body as unknown as { grant: Body; token: string }
      assert.match(token, /^spt_grant_/)
      assert.deepEqual(
        [grant['agent_id'], grant['label'], grant['server'], grant['policies'], grant['prefix']],
        [agent.id, 'laptop', 'github', ['read-only'], token.slice(0, 18)],
      )
      assert.equal((await inPerson('POST', at, asked)).status, 409)
      for (const [bearer, target] of [
        [admin, '/v1/grants'],
        [admin, at],
        [agent.key, at],
      ] as const) {
        const listed = await call(bearer, 'GET', target)
        assert.equal(listed.status, 200)
        assert.deepEqual(listed.body['grants'], [grant])
      }
      const one = `/v1/grants/${String(grant['id'])}`
      assert.equal((await call(admin, 'POST', `${one}/rotate`)).status, 403)
      const rotated = await inPerson('POST', `${one}/rotate`)
      assert.equal(rotated.status, 200)
      assert.notEqual(rotated.body['token'], token)
      assert.equal((await call(admin, 'DELETE', one)).status, 204)
      assert.equal((await call(admin, 'DELETE', one)).status, 404)
      assert.equal((await inPerson('POST', `${one}/rotate`)).status, 404)
    })

    test('a grant is nobody at the API, and an agent makes none', async () => {
      const { call, inPerson, agent } = await fresh()
      const at = `/v1/agents/${agent.id}/grants`
      const asked = { label: 'laptop', server: 'github', policies: ['read-only'] }
      const { token } = (await inPerson('POST', at, asked)).body as { token?: string }
      for (const target of ['/v1/agents/me', '/v1/vaults', at])
        assert.equal((await call(token ?? '', 'GET', target)).status, 401)
      assert.equal((await call(agent.key, 'POST', at, asked)).status, 403)
      assert.equal((await call(agent.key, 'GET', '/v1/grants')).status, 403)
      for (const wrong of [{}, { ...asked, server: 'a/b' }, { ...asked, scope: 'x' }])
        assert.equal((await inPerson('POST', at, wrong)).status, 400)
    })

    test('a grant for what is not there is refused, with the nearest name for whoever may look', async () => {
      const { call, inPerson, agent } = await fresh()
      const at = `/v1/agents/${agent.id}/grants`
      const asked = { label: 'laptop', server: 'github', policies: ['read-only'] }
      for (const [change, field, message] of [
        [{ server: 'gihub' }, 'server', /'gihub', which is not there; did you mean 'github'\?$/],
        [{ server: 'elsewhere' }, 'server', /'elsewhere', which is not there\.$/],
        [{ policies: ['read-only', 'readonly'] }, 'policies', /'readonly'.* mean 'read-only'\?$/],
      ] as const) {
        const { status, body } = await inPerson('POST', at, { ...asked, ...change })
        assert.deepEqual([status, body['code'], body['field']], [400, 'BAD_INPUT', field])
        assert.match(String(body['detail']), message)
        const stranger = await call(agent.key, 'POST', at, { ...asked, ...change })
        assert.equal(stranger.status, 403)
        assert.doesNotMatch(JSON.stringify(stranger.body), /github|read-only/)
      }
      assert.deepEqual((await inPerson('GET', at)).body['grants'], [])
    })
  })
