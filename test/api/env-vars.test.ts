import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { type ApiReply, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

const ALL = ['list', 'read', 'write', 'delete'] as const
const member = (reply: ApiReply, name: string): unknown =>
  (reply.body as Readonly<Record<string, unknown>>)[name]

for (const store of [SQLITE, POSTGRES])
  describe(`API: env vars on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    async function fresh() {
      const vault: TestVault = await open.fresh(store)
      const api = await serveTestApi(vault)
      serving.push(api)
      const [first] = await vault.vault.listVaults(PERSON)
      const at = `/v1/vaults/${first?.id ?? ''}`
      const { key: bearer } = await registerAgent(vault, [['env-vars/**', ALL]])
      const create = (body: unknown) => api.ask(`${at}/env-vars`, { method: 'POST', bearer, body })
      const resolve = (query: string, by = bearer) =>
        api.ask(`${at}/env-vars/resolve?${query}`, { bearer: by })
      return { vault, api, at, bearer, create, resolve }
    }

    test('a branch stands before the vault, an environment apart from others', async () => {
      const { create, resolve } = await fresh()
      for (const body of [
        { key: 'URL', value: 'live', environments: ['production'] },
        { key: 'URL', value: 'try', environments: ['preview', 'development'] },
        { key: 'URL', value: 'mine', environments: ['preview'], git_branch: 'feature/x' },
        { key: 'MODE', value: 'all' },
      ])
        assert.equal((await create(body)).status, 201)
      const live = await resolve('environment=production')
      assert.deepEqual(member(live, 'vars'), { URL: 'live', MODE: 'all' })
      assert.deepEqual(member(live, 'sources'), { URL: 'vault', MODE: 'vault' })
      const mine = await resolve('environment=preview&git_branch=feature%2Fx')
      assert.deepEqual(member(mine, 'vars'), { URL: 'mine', MODE: 'all' })
      assert.deepEqual(member(mine, 'sources'), { URL: 'branch_override', MODE: 'vault' })
      assert.equal(member(mine, 'git_branch'), 'feature/x')
      const other = await resolve('environment=preview&git_branch=other')
      assert.deepEqual(member(other, 'vars'), { URL: 'try', MODE: 'all' })
      const twice = await create({ key: 'URL', value: 'x', environments: ['production'] })
      assert.equal(twice.status, 409)
      assert.equal((await resolve('environment=staging')).status, 400)
    })

    test('what was refused left nothing behind', async () => {
      const { vault, create } = await fresh()
      assert.equal((await create({ key: 'A', value: 'one' })).status, 201)
      assert.equal((await create({ key: 'A', value: 'two' })).status, 409)
      assert.equal((await vault.vault.list(PERSON, 'default', 'env-vars/')).secrets.length, 1)
    })

    test('what is sensitive is resolved and never shown', async () => {
      const { api, at, bearer, create, resolve } = await fresh()
      const made = await create({ key: 'TOKEN', value: 'hidden', sensitive: true })
      const plain = await create({ key: 'PORT', value: '8080' })
      const get = (reply: ApiReply) =>
        api.ask(`${at}/env-vars/${String(member(reply, 'id'))}`, { bearer })
      assert.equal('value' in ((await get(made)).body as object), false)
      assert.equal(member(await get(plain), 'value'), '8080')
      const list = await api.ask(`${at}/env-vars`, { bearer })
      assert.ok(!JSON.stringify(list.body).includes('hidden'))
      const path = `${at}/env-vars/${String(member(made, 'id'))}`
      const shown = await api.ask(path, { method: 'PATCH', bearer, body: { sensitive: false } })
      assert.equal(shown.status, 400)
      const changed = await api.ask(path, { method: 'PATCH', bearer, body: { value: 'newer' } })
      assert.equal(changed.status, 200)
      assert.equal(member(changed, 'version'), 2)
      assert.deepEqual(member(await resolve(''), 'vars'), { TOKEN: 'newer', PORT: '8080' })
      assert.equal((await api.ask(path, { method: 'DELETE', bearer })).status, 204)
      assert.equal((await get(made)).status, 404)
      assert.deepEqual(member(await resolve(''), 'vars'), { PORT: '8080' })
    })

    test('policies at env-vars/KEY decide, and every value is counted', async () => {
      const { vault, create, resolve } = await fresh()
      const made = await create({ key: 'A', value: 'a' })
      await create({ key: 'B', value: 'b' })
      const some = await registerAgent(vault, [['env-vars/A/*', ['list', 'read']]])
      assert.deepEqual(member(await resolve('', some.key), 'vars'), { A: 'a' })
      const names = await registerAgent(vault, [['env-vars/**', ['list']]])
      assert.equal((await resolve('', names.key)).status, 403)
      const nobody = await registerAgent(vault, [])
      assert.deepEqual(member(await resolve('', nobody.key), 'vars'), {})
      const path = `env-vars/A/${String(member(made, 'id'))}`
      assert.equal((await vault.vault.describe(PERSON, 'default', path)).accessCount, 1)
      await vault.sharing.quotas.set(PERSON, `agent:${some.id}`, { reads: 1, writes: null })
      assert.equal((await resolve('', some.key)).status, 200)
      assert.equal((await resolve('', some.key)).status, 402)
    })

    test('environments are added where they may be, and removed when nothing is in them', async () => {
      const { vault, api, at, bearer, create, resolve } = await fresh()
      const path = `${at}/environments`
      const post = (body: unknown, by = bearer) =>
        api.ask(path, { method: 'POST', bearer: by, body })
      assert.equal((await post({ slug: 'staging', description: 'before live' })).status, 201)
      assert.equal((await post({ slug: 'staging' })).status, 409)
      assert.equal((await post({ slug: 'production' })).status, 409)
      assert.equal((await post({ slug: 'No' })).status, 400)
      const other = await registerAgent(vault, [['config/**', ALL]])
      assert.equal((await post({ slug: 'mine' }, other.key)).status, 403)
      const list = await api.ask(path, { bearer })
      assert.deepEqual(
        (member(list, 'environments') as { slug: string; is_builtin: boolean }[]).map(
          ({ slug, is_builtin }) => [slug, is_builtin],
        ),
        [
          ['production', true],
          ['preview', true],
          ['development', true],
          ['staging', false],
        ],
      )
      const made = await create({ key: 'A', value: 'a', environments: ['staging'] })
      assert.deepEqual(member(await resolve('environment=staging'), 'vars'), { A: 'a' })
      const remove = () => api.ask(`${path}/staging`, { method: 'DELETE', bearer })
      assert.equal((await remove()).status, 409)
      await api.ask(`${at}/env-vars/${String(member(made, 'id'))}`, { method: 'DELETE', bearer })
      assert.equal((await remove()).status, 204)
      assert.equal((await remove()).status, 404)
    })
  })
