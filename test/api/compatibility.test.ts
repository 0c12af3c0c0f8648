// What clients of the older API call, in the order in which they do, and what each call is answered here.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>
/** `{v}` is the vault, `{a}` the agent, `{s}` a secret, `{p}` an approval. */
type Step = readonly [
  method: string,
  target: string,
  body: object | null,
  status: number,
  members: readonly string[],
]

const SECRET = ['id', 'path', 'type', 'version', 'metadata', 'created_at', 'expires_at'] as const
const UUID = '00000000-0000-4000-8000-000000000000'
const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString()
const NOT_OFFERED: readonly string[] = ['type', 'title', 'status', 'detail']

const STEPS: readonly Step[] = [
  // 2–4: admission, the agent itself, the vaults.
  ['GET', '/v1/vaults/{v}', null, 200, ['id', 'name', 'description', 'created_by', 'created_at']],
  ['GET', `/v1/vaults/${UUID}`, null, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}', null, 200, ['id', 'name', 'auth_method', 'scopes', 'is_active']],
  ['GET', '/v1/agents/me', null, 200, ['id', 'org_id']],
  ['GET', '/v1/agents/{a}/children', null, 404, NOT_OFFERED],
  ['GET', '/v1/vaults', null, 200, ['vaults']],
  ['POST', '/v1/vaults', { name: 'team', description: '' }, 201, ['id', 'name', 'created_by_type']],
  // 5: secrets, with slashes kept and each segment encoded.
  ['GET', '/v1/vaults/{v}/secrets', null, 200, ['secrets']],
  [
    'PUT',
    '/v1/vaults/{v}/secrets/api-keys/st%72ipe',
    { value: 'sk', type: 'api_key' },
    201,
    SECRET,
  ],
  ['PUT', '/v1/vaults/{v}/secrets/plain', { value: 'a generic value' }, 201, SECRET],
  ['PUT', '/v1/vaults/{v}/secrets/env', { value: 'A=1', type: 'env', metadata: null }, 201, SECRET],
  ['GET', '/v1/vaults/{v}/secrets/api-keys/stripe', null, 200, [...SECRET, 'value']],
  ['GET', '/v1/vaults/{v}/secrets/nothing', null, 404, NOT_OFFERED],
  // 6: versions and rotation.
  ['GET', '/v1/vaults/{v}/secret-versions/api-keys/stripe', null, 200, ['versions']],
  ['GET', '/v1/vaults/{v}/secret-version/api-keys/stripe/1', null, 200, [...SECRET, 'value']],
  [
    'POST',
    '/v1/vaults/{v}/secret-rotate/api-keys/stripe',
    { length: 64, charset: 'hex' },
    201,
    SECRET,
  ],
  ['POST', '/v1/vaults/{v}/secret-rotate/plain', { type: 'generic' }, 201, SECRET],
  ['POST', '/v1/vaults/{v}/secret-version-disable/api-keys/stripe/1', null, 204, []],
  ['GET', '/v1/vaults/{v}/secret-version/api-keys/stripe/1', null, 410, NOT_OFFERED],
  ['DELETE', '/v1/vaults/{v}/secrets/plain', null, 204, []],
  ['GET', '/v1/vaults/{v}/secrets/plain', null, 404, NOT_OFFERED],
  // 10: approvals.
  [
    'POST',
    '/v1/approvals/request',
    {
      action: 'deploy.production',
      target_type: 'service',
      target_id: 'shop',
      summary: { title: 'Deploy', body: 'now', fields: [] },
      declared_risk_tier: 2,
    },
    202,
    ['id', 'status', 'risk_tier', 'summary', 'created_at'],
  ],
  ['GET', '/v1/approvals?status=pending&limit=20', null, 200, ['approvals']],
  ['GET', '/v1/approvals/{p}', null, 200, ['id', 'status']],
  ['GET', '/v1/approvals/{p}/status', null, 200, ['status', 'expires_at']],
  ['POST', '/v1/approvals/{p}/decide', { decision: 'approved' }, 403, NOT_OFFERED],
  ['GET', '/v1/pending-approvals?status=pending', null, 200, ['pending_approvals']],
  ['POST', '/v1/approvals/{p}/cancel', { reason: 'done by hand' }, 200, ['status']],
  // What people alone may do, asked by an agent.
  ['GET', '/v1/agents', null, 403, NOT_OFFERED],
  ['GET', '/v1/audit/verify', null, 403, NOT_OFFERED],
  ['GET', '/v1/audit/events?limit=5&offset=0', null, 200, ['events', 'count']],
  // 11–13: what this server does not do.
  ['POST', '/v1/agents/{a}/execute', { binding: 'x' }, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}/bindings', null, 404, NOT_OFFERED],
  ['POST', '/v1/agents/{a}/bindings/{a}/test', { timeout_ms: 1 }, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}/executions?limit=1', null, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}/connectors', null, 404, NOT_OFFERED],
  ['GET', '/v1/connectors/presets', null, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}/event-subscriptions', null, 404, NOT_OFFERED],
  ['GET', '/v1/oauth/providers', null, 404, NOT_OFFERED],
  ['POST', '/v1/oauth/revoke', {}, 404, NOT_OFFERED],
  ['DELETE', '/v1/oauth/consents/x', null, 404, NOT_OFFERED],
  ['PUT', '/v1/agents/{a}/memory/n/k', { value: 'v' }, 404, NOT_OFFERED],
  ['POST', '/v1/agents/{a}/memory/search', { query: 'q' }, 404, NOT_OFFERED],
  ['GET', '/v1/agents/{a}/peer-context', null, 404, NOT_OFFERED],
  ['GET', '/v1/notification-targets', null, 404, NOT_OFFERED],
  ['POST', '/v1/agents/{a}/transactions', {}, 404, NOT_OFFERED],
  ['POST', '/v1/agents/{a}/transactions/sign', {}, 404, NOT_OFFERED],
  ['GET', '/v1/treasury', null, 404, NOT_OFFERED],
  ['GET', '/v1/health', null, 200, ['status', 'version']],
  ['DELETE', '/v1/auth/token', null, 204, []],
  ['GET', '/v1/vaults', null, 401, NOT_OFFERED],
]

for (const store of [SQLITE, POSTGRES])
  describe(`API: clients of the older one on ${store.name}`, { skip: store.skip }, () => {
    const open = new OpenVaults()
    const serving: TestApi[] = []
    afterEach(async () => {
      await Promise.all(serving.splice(0).map((api) => api.stop()))
      await open.close(true)
    })

    test('every call has the answer that its client can read', async () => {
      const vault = await open.fresh(store)
      const api = await serveTestApi(vault)
      serving.push(api)
      const all = ['list', 'read', 'write', 'delete', 'use', 'share'] as const
      const agent = await registerAgent(vault, [['**', all]])
      const [first] = await vault.vault.listVaults(PERSON)
      // 1: the key alone, for the agent is found by it.
      const token = await api.ask('/v1/auth/agent-token', {
        method: 'POST',
        body: { api_key: agent.key },
      })
      const {
        access_token: bearer,
        expires_in,
        agent_id,
        ...rest
      } = token.body as {
        readonly access_token: string
        readonly expires_in: number
        readonly agent_id: string
      }
      assert.ok(expires_in > 60)
      assert.equal(agent_id, agent.id)
      assert.deepEqual(Object.keys(rest).toSorted(), ['entitlements', 'token_type', 'vault_ids'])
      const [, payload = ''] = bearer.split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Body
      assert.equal(claims['sub'], `agent:${agent.id}`)

      let approval = ''
      for (const [method, target, body, status, members] of STEPS) {
        const path = target
          .replaceAll('{v}', first?.id ?? '')
          .replaceAll('{a}', agent.id)
          .replaceAll('{p}', approval)
        const reply = await api.ask(path, {
          method,
          bearer,
          headers: { 'content-type': 'application/json', 'x-1claw-runtime-id': 'r-1' },
          ...(body === null ? {} : { body }),
        })
        const where = `${method} ${target}`
        assert.equal(reply.status, status, `${where}: ${JSON.stringify(reply.body)}`)
        if (status === 204) assert.equal(reply.body, null, where)
        for (const member of members)
          assert.ok(member in (reply.body as object), `${where} lacks ${member}`)
        if (status === 404 && !/secrets|\/v1\/vaults\/0/.test(target))
          assert.equal((reply.body as Body)['detail'], 'Not offered by this server.', where)
        if (target === '/v1/approvals/request') approval = String((reply.body as Body)['id'])
      }
    })

    test('what an agent hands on waits for a person, and the answer says for which decision', async () => {
      const vault = await open.fresh(store)
      const api = await serveTestApi(vault)
      serving.push(api)
      const agent = await registerAgent(vault, [['**', ['list', 'read', 'write', 'share']]])
      const put = await api.ask('/v1/vaults/default/secrets/k', {
        method: 'PUT',
        bearer: agent.key,
        body: { value: 'the value' },
      })
      const id = String((put.body as Body)['id'])
      const share = await api.ask(`/v1/secrets/${id}/share`, {
        method: 'POST',
        bearer: agent.key,
        body: { recipient_type: 'anyone_with_link', expires_at: tomorrow(), max_access_count: 5 },
      })
      // From an agent, a person decides that first.
      assert.equal(share.status, 403, JSON.stringify(share.body))
      assert.equal((share.body as Body)['type'], 'approval_required')
      assert.match(String((share.body as Body)['approval_request_id']), /^[0-9a-f-]{36}$/)
      const granted = await api.ask('/v1/vaults/default/policies', {
        method: 'POST',
        bearer: agent.key,
        body: {
          secret_path_pattern: '**',
          principal_type: 'agent',
          principal_id: agent.id,
          permissions: ['read'],
          effect: 'allow',
        },
      })
      assert.equal(granted.status, 403)
    })
  })
