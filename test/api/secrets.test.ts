import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import {
  type ApiReply,
  exchangedToken,
  registerAgent,
  serveTestApi,
  type TestApi,
} from '../support/api.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const ALL = ['list', 'read', 'write', 'delete', 'use', 'share'] as const
const member = (reply: ApiReply, name: string): unknown =>
  (reply.body as Readonly<Record<string, unknown>>)[name]

for (const store of [SQLITE, POSTGRES])
  describe(`API: secrets on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    async function fresh(): Promise<{ vault: TestVault; api: TestApi; at: string }> {
      const vault = await open.fresh(store)
      const api = await serveTestApi(vault)
      serving.push(api)
      const [first] = await vault.vault.listVaults(PERSON)
      return { vault, api, at: `/v1/vaults/${first?.id ?? ''}` }
    }

    test('a key is exchanged, the token reads what policy allows, and the audit says who', async () => {
      const { vault, api, at } = await fresh()
      await vault.vault.put(PERSON, 'default', {
        path: 'config/db',
        value: secret('the value'),
        type: 'password',
        metadata: { owner: 'ops' },
      })
      const agent = await registerAgent(vault, [['config/*', ['list', 'read']]])
      const bearer = await exchangedToken(api, agent.key)
      assert.equal(bearer.split('.').length, 3)
      const claims = JSON.parse(
        Buffer.from(bearer.split('.')[1] ?? '', 'base64url').toString('utf8'),
      ) as Record<string, unknown>
      assert.equal(claims['sub'], `agent:${agent.id}`)

      const read = await api.ask(`${at}/secrets/config/db`, { bearer })
      assert.equal(read.status, 200)
      assert.equal(read.headers.get('cache-control'), 'no-store')
      assert.equal(member(read, 'value'), 'the value')
      assert.equal(member(read, 'type'), 'password')
      assert.deepEqual(member(read, 'metadata'), { owner: 'ops' })
      assert.equal(member(read, 'version'), 1)

      const [last] = await vault.audit.query({ actor: `agent:${agent.id}`, path: 'config/db' })
      assert.equal(last?.action, 'secret.read')
      assert.equal(last?.channel, 'http')
    })

    test('an agent key is a bearer as well as the token it is exchanged for', async () => {
      const { vault, api, at } = await fresh()
      await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('v') })
      const agent = await registerAgent(vault, [['**', ['read']]])
      const read = await api.ask(`${at}/secrets/a`, { bearer: agent.key })
      assert.equal(member(read, 'value'), 'v')
    })

    test('what is refused is a problem with the words of the seeds', async () => {
      const { vault, api, at } = await fresh()
      await vault.vault.put(PERSON, 'default', {
        path: 'once',
        value: secret('v'),
        maxAccessCount: 1,
      })
      const agent = await registerAgent(vault, [
        ['once', ['read']],
        ['gone', ['read']],
      ])
      const bearer = await exchangedToken(api, agent.key)
      await api.ask(`${at}/secrets/once`, { bearer })
      const rows: readonly [target: string, status: number, detail: string, code: string][] = [
        [
          `${at}/secrets/other`,
          403,
          "Access denied (agent doesn't have a policy for this path)",
          'ACCESS_DENIED',
        ],
        [`${at}/secrets/gone`, 404, "No secret found at path 'gone'.", 'SECRET_NOT_FOUND'],
        [
          `${at}/secrets/once`,
          410,
          "Secret at path 'once' is expired or has exceeded its maximum access count.",
          'SECRET_SPENT',
        ],
        ['/v1/agents/x/execute', 404, 'Not offered by this server.', 'NOT_OFFERED'],
      ]
      for (const [target, status, detail, code] of rows) {
        const reply = await api.ask(target, { bearer })
        assert.equal(reply.status, status, target)
        assert.equal(reply.headers.get('content-type'), 'application/problem+json')
        assert.equal(member(reply, 'detail'), detail)
        assert.equal(member(reply, 'code'), code)
        assert.equal(member(reply, 'status'), status)
        assert.equal(member(reply, 'request_id'), reply.headers.get('x-request-id'))
      }
    })

    test('every way of not being anybody is one 401 with one text', async () => {
      const { vault, api, at } = await fresh()
      const agent = await registerAgent(vault, [['**', ['read']]])
      const bearer = await exchangedToken(api, agent.key)
      const made = `${bearer.slice(0, -4)}AAAA`
      await vault.identity.agents.update(PERSON, agent.id, { isActive: false })
      const texts = new Set<unknown>()
      for (const one of [bearer, agent.key, made, 'x', 'ocv_nothing']) {
        const reply = await api.ask(`${at}/secrets/a`, { bearer: one })
        assert.equal(reply.status, 401)
        assert.match(reply.headers.get('www-authenticate') ?? '', /^Bearer/)
        texts.add(member(reply, 'detail'))
      }
      assert.equal(texts.size, 1)
      assert.equal((await api.ask(`${at}/secrets/a`)).status, 401)
    })

    test('a secret is stored, described, listed, rotated and deleted', async () => {
      const { vault, api, at } = await fresh()
      const agent = await registerAgent(vault, [['app/**', ALL]])
      const bearer = await exchangedToken(api, agent.key)
      const put = await api.ask(`${at}/secrets/app/key`, {
        method: 'PUT',
        bearer,
        body: { value: 'first', type: 'api_key', metadata: { a: 1 }, max_access_count: 3 },
      })
      assert.equal(put.status, 201)
      assert.equal(member(put, 'version'), 1)
      assert.deepEqual(member(put, 'metadata'), { a: 1 })
      assert.equal(put.headers.get('etag'), '"1"')

      const described = await api.ask(`${at}/secret-metadata/app/key`, { bearer })
      assert.equal(member(described, 'access_count'), 0)
      assert.equal(member(described, 'max_access_count'), 3)
      assert.equal('value' in (described.body as object), false)

      const listed = await api.ask(`${at}/secrets?prefix=app/`, { bearer })
      assert.equal((member(listed, 'secrets') as unknown[]).length, 1)

      const stale = await api.ask(`${at}/secrets/app/key`, {
        method: 'PUT',
        bearer,
        headers: { 'if-match': '"7"' },
        body: { value: 'second' },
      })
      assert.equal(stale.status, 412)
      const taken = await api.ask(`${at}/secrets/app/key`, {
        method: 'PUT',
        bearer,
        headers: { 'if-none-match': '*' },
        body: { value: 'second' },
      })
      assert.equal(taken.status, 412)
      // A condition that cannot be kept is refused, not passed over.
      for (const [name, value] of [
        ['if-match', '*'],
        ['if-match', 'W/"1"'],
        ['if-match', '"0"'],
        ['if-match', '"1", "2"'],
        ['if-match', ''],
        ['if-none-match', '"7"'],
        ['if-none-match', ''],
      ] as const) {
        const refused = await api.ask(`${at}/secrets/app/key`, {
          method: 'PUT',
          bearer,
          headers: { [name]: value },
          body: { value: 'second' },
        })
        const field = name === 'if-match' ? 'If-Match' : 'If-None-Match'
        assert.deepEqual([refused.status, member(refused, 'field')], [400, field], value)
      }

      const rotated = await api.ask(`${at}/secret-rotate/app/key`, {
        method: 'POST',
        bearer,
        headers: { 'if-match': '"1"' },
        body: { length: 40, charset: 'hex' },
      })
      assert.equal(rotated.status, 201)
      assert.equal(member(rotated, 'version'), 2)
      assert.equal('value' in (rotated.body as object), false)
      const read = await api.ask(`${at}/secrets/app/key`, { bearer })
      assert.match(String(member(read, 'value')), /^[0-9a-f]{40}$/)
      assert.equal(read.headers.get('etag'), '"2"')
      const old = await api.ask(`${at}/secret-version/app/key/1`, { bearer })
      assert.equal(member(old, 'value'), 'first')

      const versions = await api.ask(`${at}/secret-versions/app/key`, { bearer })
      assert.equal((member(versions, 'versions') as unknown[]).length, 2)
      const disabled = await api.ask(`${at}/secret-version-disable/app/key/1`, {
        method: 'POST',
        bearer,
      })
      assert.equal(disabled.status, 204)
      assert.equal((await api.ask(`${at}/secret-version/app/key/1`, { bearer })).status, 410)

      const late = await api.ask(`${at}/secrets/app/key`, {
        method: 'DELETE',
        bearer,
        headers: { 'if-match': '"1"' },
      })
      assert.equal(late.status, 412)
      const deleted = await api.ask(`${at}/secrets/app/key`, {
        method: 'DELETE',
        bearer,
        headers: { 'if-match': '"2"' },
      })
      assert.equal(deleted.status, 204)
      assert.equal(deleted.body, null)
      assert.equal((await api.ask(`${at}/secrets/app/key`, { bearer })).status, 404)
    })

    test('paths are read as they were sent: encoded or not, never across a boundary', async () => {
      const { vault, api, at } = await fresh()
      await vault.vault.put(PERSON, 'default', { path: 'a/b.c', value: secret('v') })
      const agent = await registerAgent(vault, [['**', ['read']]])
      const bearer = await exchangedToken(api, agent.key)
      for (const good of ['a/b.c', 'a/b%2Ec', '%61/b.c'])
        assert.equal((await api.ask(`${at}/secrets/${good}`, { bearer })).status, 200, good)
      for (const bad of [
        'a%2Fb.c',
        'a//b.c',
        'a/b.c/',
        'a/%2e%2e/b.c',
        'a/b%',
        'a/b%252Ec',
        'a\\b',
      ])
        assert.equal((await api.ask(`${at}/secrets/${bad}`, { bearer })).status, 400, bad)
    })

    test('a list comes page by page, in the order of its paths', async () => {
      const { vault, api, at } = await fresh()
      const paths = ['a/1', 'a/10', 'a/2', 'a_1', 'b']
      for (const path of paths)
        await vault.vault.put(PERSON, 'default', { path, value: secret('v') })
      const { key: bearer } = await registerAgent(vault, [['**', ['list']]])
      const whole = await api.ask(`${at}/secrets`, { bearer })
      const order = (member(whole, 'secrets') as { path: string }[]).map(({ path }) => path)
      assert.equal(member(whole, 'next_cursor'), null)
      const seen: string[] = []
      let cursor = ''
      for (let page = 0; page < 3; page += 1) {
        const reply = await api.ask(`${at}/secrets?limit=2${cursor}`, { bearer })
        seen.push(...(member(reply, 'secrets') as { path: string }[]).map(({ path }) => path))
        cursor = `&cursor=${String(member(reply, 'next_cursor'))}`
      }
      assert.equal(cursor, '&cursor=null')
      assert.deepEqual(seen, order)
      assert.deepEqual(seen.toSorted(), paths.toSorted())
      const wrong = await api.ask(`${at}/secrets?limit=2&prefix=a&cursor=AAAA`, { bearer })
      assert.deepEqual([wrong.status, member(wrong, 'field')], [400, 'cursor'])
    })

    test('bytes that are no text travel as base64', async () => {
      const { vault, api, at } = await fresh()
      const agent = await registerAgent(vault, [['**', ALL]])
      const bearer = await exchangedToken(api, agent.key)
      const value = Buffer.from([0xff, 0, 0xfe, 1]).toString('base64')
      const put = await api.ask(`${at}/secrets/bin`, {
        method: 'PUT',
        bearer,
        body: { value, encoding: 'base64', type: 'file' },
      })
      assert.equal(put.status, 201)
      const read = await api.ask(`${at}/secrets/bin`, { bearer })
      assert.equal(member(read, 'value'), value)
      assert.equal(member(read, 'encoding'), 'base64')
    })

    test('what does not fit is refused with the name of the field', async () => {
      const { vault, api, at } = await fresh()
      const agent = await registerAgent(vault, [['**', ALL]])
      const bearer = await exchangedToken(api, agent.key)
      const rows: readonly [body: unknown, field: string][] = [
        [{}, 'value'],
        [{ value: 1 }, 'value'],
        [{ value: 'v', type: 'odd' }, 'type'],
        [{ value: 'v', expires_at: 'tomorrow' }, 'expires_at'],
        [{ value: 'v', max_access_count: 1.5 }, 'max_access_count'],
        [{ value: '###', encoding: 'base64' }, 'value'],
      ]
      for (const [body, field] of rows) {
        const reply = await api.ask(`${at}/secrets/x`, { method: 'PUT', bearer, body })
        assert.equal(reply.status, 400, JSON.stringify(body))
        assert.equal(member(reply, 'field'), field)
      }
      const method = await api.ask(`${at}/secrets/x`, { method: 'PATCH', bearer })
      assert.equal(method.status, 405)
      assert.equal(method.headers.get('allow'), 'GET, PUT, DELETE')
      const media = await api.ask(`${at}/secrets/x`, {
        method: 'PUT',
        bearer,
        body: { value: 'v' },
        headers: { 'content-type': 'text/plain' },
      })
      assert.equal(media.status, 415)
    })
  })
