import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { OpenApiOptions } from '../../src/app/open-api.ts'
import {
  type ApiReply,
  exchangedToken,
  registerAgent,
  serveTestApi,
  type TestApi,
} from '../support/api.ts'
import { userWith } from '../support/registered.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const member = (reply: ApiReply, name: string): unknown =>
  (reply.body as Readonly<Record<string, unknown>>)[name]
const SOON = new Date(Date.now() + 3_600_000).toISOString()

for (const store of [SQLITE, POSTGRES])
  describe(`API: shares, quotas, canaries on ${store.name}`, {
    skip: store.skip,
    concurrency: false,
  }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    async function fresh(rest: Partial<OpenApiOptions> = {}) {
      const vault: TestVault = await open.fresh(store)
      const api = await serveTestApi(vault, rest)
      serving.push(api)
      const [first] = await vault.vault.listVaults(PERSON)
      await vault.vault.put(PERSON, 'default', { path: 'config/db', value: secret('the value') })
      const { id } = await vault.vault.describe(PERSON, 'default', 'config/db')
      return { vault, api, vaultId: first?.id ?? '', secretId: id }
    }

    const bearerWith = async (vault: TestVault, api: TestApi) => {
      const agent = await registerAgent(vault, [['config/**', ['list', 'read', 'write', 'share']]])
      return { ...agent, bearer: await exchangedToken(api, agent.key) }
    }

    test('an agent shares with another, who reads, and the share is revoked', async () => {
      const { vault, api, secretId } = await fresh()
      const sharer = await bearerWith(vault, api)
      const reader = await bearerWith(vault, api)
      const made = await api.ask(`/v1/secrets/${secretId}/share`, {
        method: 'POST',
        bearer: sharer.bearer,
        body: {
          recipient_type: 'agent',
          recipient_id: reader.id,
          expires_at: SOON,
          max_access_count: 5,
        },
      })
      assert.equal(made.status, 201)
      const id = String(member(made, 'id'))
      assert.equal(member(made, 'share_url'), `${api.baseUrl}/v1/share/${id}`)
      const inbound = await api.ask('/v1/shares/inbound', { bearer: reader.bearer })
      const [item] = member(inbound, 'shares') as Record<string, unknown>[]
      assert.equal(item?.['secret_path'], 'config/db')
      assert.equal(item?.['is_accepted'], false)
      const accepted = await api.ask(`/v1/shares/${id}/accept`, {
        method: 'POST',
        bearer: reader.bearer,
      })
      assert.equal(member(accepted, 'is_accepted'), true)
      const read = await api.ask(`/v1/share/${id}`, { bearer: reader.bearer })
      assert.equal(read.status, 200)
      assert.equal(read.headers.get('cache-control'), 'no-store')
      assert.equal(member(read, 'value'), 'the value')
      assert.equal(member(read, 'access_count'), 1)
      assert.equal((await api.ask(`/v1/share/${id}`, { bearer: sharer.bearer })).status, 404)
      assert.equal((await api.ask(`/v1/share/${id}`)).status, 401)
      const revoked = await api.ask(`/v1/share/${id}`, { method: 'DELETE', bearer: sharer.bearer })
      assert.equal(revoked.status, 204)
      const gone = await api.ask(`/v1/share/${id}`, { bearer: reader.bearer })
      assert.equal(gone.status, 404)
      assert.equal(member(gone, 'detail'), 'There is no such share.')
      const outbound = await api.ask('/v1/shares/outbound', { bearer: sharer.bearer })
      assert.equal(
        (member(outbound, 'shares') as Record<string, unknown>[])[0]?.['state'],
        'revoked',
      )
    })

    test('a link is opened by a POST alone; its secret part is no part of any address', async () => {
      const { vault, api, vaultId } = await fresh()
      const user = await userWith(vault, 'member', [['config/**', ['read', 'share']]])
      const made = await api.ask(`/v1/vaults/${vaultId}/secret-share/config/db`, {
        method: 'POST',
        bearer: user.key,
        body: {
          recipient_type: 'anyone_with_link',
          expires_at: SOON,
          passphrase: 'correct horse battery',
        },
      })
      assert.equal(made.status, 201)
      const url = new URL(String(member(made, 'share_url')))
      const id = String(member(made, 'id'))
      assert.equal(url.pathname, `/share/${id}`)
      assert.match(url.hash, /^#spt_share_/)
      const link = url.hash.slice(1)
      assert.equal((await api.ask(`/v1/share/${id}`)).status, 401)
      assert.equal((await api.ask(`/v1/share/${id}/open`)).status, 405)
      const opened = (body: unknown) => api.ask(`/v1/share/${id}/open`, { method: 'POST', body })
      const asked = await opened({ secret: link })
      assert.equal(asked.status, 403)
      assert.equal(member(asked, 'field'), 'passphrase')
      assert.equal((await opened({ secret: link, passphrase: 'wrong horse' })).status, 403)
      assert.equal((await opened({ secret: 'x', passphrase: 'wrong horse' })).status, 404)
      const read = await opened({ secret: link, passphrase: 'correct horse battery' })
      assert.equal(member(read, 'value'), 'the value')
      const records = await vault.audit.query({ limit: 200 })
      assert.ok(records.every(({ body }) => !body.includes(link) && !body.includes('horse')))
    })

    test('from an agent a link waits for a person', async () => {
      const { vault, api, secretId } = await fresh()
      const sharer = await bearerWith(vault, api)
      const asked = await api.ask(`/v1/secrets/${secretId}/share`, {
        method: 'POST',
        bearer: sharer.bearer,
        body: { recipient_type: 'anyone_with_link', expires_at: SOON },
      })
      assert.equal(asked.status, 403)
      assert.equal(member(asked, 'type'), 'approval_required')
    })

    test('a quota shows in the headers and ends in 402 with the words of the seeds', async () => {
      const { vault, api, vaultId } = await fresh()
      const agent = await bearerWith(vault, api)
      const admin = await userWith(vault, 'admin')
      const at = `/v1/vaults/${vaultId}/secrets/config/db`
      const plain = await api.ask(at, { bearer: agent.bearer })
      assert.equal(plain.headers.get('x-ratelimit-requests-limit'), null)
      const set = await api.ask(`/v1/quotas/agent:${agent.id}`, {
        method: 'PUT',
        bearer: admin.key,
        body: { reads: 6, writes: null },
      })
      assert.equal(set.status, 200)
      const refused = await api.ask('/v1/quotas/org', {
        method: 'PUT',
        bearer: agent.bearer,
        body: { reads: null, writes: null },
      })
      assert.equal(refused.status, 403)
      const warnings: (string | null)[] = []
      for (let i = 1; i <= 6; i += 1) {
        const reply = await api.ask(at, { bearer: agent.bearer })
        assert.equal(reply.status, 200)
        assert.equal(reply.headers.get('x-ratelimit-requests-used'), String(i))
        assert.equal(reply.headers.get('x-ratelimit-requests-limit'), '6')
        warnings.push(reply.headers.get('x-quota-warning'))
      }
      assert.deepEqual(warnings, [
        null,
        null,
        null,
        null,
        '83% of the monthly quota is used',
        '100% of the monthly quota is used',
      ])
      const ended = await api.ask(at, { bearer: agent.bearer })
      assert.equal(ended.status, 402)
      assert.equal(member(ended, 'type'), 'resource_limit_exceeded')
      assert.match(
        String(member(ended, 'detail')),
        /^Free tier quota exhausted\. Upgrade your plan or add payment at /,
      )
      assert.equal(ended.headers.get('x-ratelimit-requests-percent'), '100')
      const list = await api.ask('/v1/quotas', { bearer: admin.key })
      assert.deepEqual((member(list, 'quotas') as Record<string, unknown>[])[0]?.['used'], {
        reads: 6,
        writes: 0,
      })
    })

    test('a honeytoken rings and freezes', async () => {
      const { vault, api, vaultId } = await fresh()
      const agent = await bearerWith(vault, api)
      const admin = await userWith(vault, 'admin')
      const made = await api.ask('/v1/risk/honeytokens', {
        method: 'POST',
        bearer: admin.key,
        body: { vault_id: vaultId, secret_path: 'config/db', notes: 'bait', freezes: true },
      })
      assert.equal(made.status, 201)
      assert.equal((await api.ask('/v1/risk/honeytokens', { bearer: agent.bearer })).status, 403)
      const at = `/v1/vaults/${vaultId}/secrets/config/db`
      assert.equal((await api.ask(at, { bearer: agent.bearer })).status, 200)
      assert.equal((await api.ask(at, { bearer: agent.bearer })).status, 401)
      const list = await api.ask('/v1/risk/honeytokens', { bearer: admin.key })
      const [token] = member(list, 'honeytokens') as Record<string, unknown>[]
      // Who is frozen is refused at the door, or in the transaction where the door has not heard of it yet.
      assert.ok([1, 2].includes(Number(token?.['triggered_count'])))
      const path = `/v1/risk/honeytokens/${String(token?.['id'])}`
      assert.equal((await api.ask(path, { method: 'DELETE', bearer: admin.key })).status, 204)
      assert.equal((await api.ask(path, { method: 'DELETE', bearer: admin.key })).status, 404)
    })

    test('whoever asks too fast is told when to come back', async () => {
      const { vault, api, vaultId } = await fresh({
        limits: { address: null, token: null, agent: 1 },
      })
      const agent = await bearerWith(vault, api)
      const at = `/v1/vaults/${vaultId}/secret-metadata/config/db`
      const replies: ApiReply[] = []
      for (let i = 0; i < 3; i += 1) replies.push(await api.ask(at, { bearer: agent.bearer }))
      assert.deepEqual(
        replies.map(({ status }) => status),
        [200, 200, 429],
      )
      assert.equal(replies[0]?.headers.get('ratelimit-limit'), '2')
      assert.equal(replies[0]?.headers.get('ratelimit-remaining'), '1')
      assert.match(replies[2]?.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      const [, , last] = replies
      assert.ok(last !== undefined)
      assert.equal(member(last, 'code'), 'THROTTLED')
    })
  })
