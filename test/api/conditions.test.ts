import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiReply, TestApi } from '../support/api.ts'
import { registerAgent } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { userWithKey } from '../support/identity.ts'
import { firstOwner } from '../support/people.ts'
import { servedStores } from '../support/served-stores.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { POSTGRES, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

/** What a kind of thing is made, looked at, changed and taken away with. `{id}` is what the maker's answer names. */
interface Kind {
  readonly what: string
  /** Ids of the calls of the document that take conditions. */
  readonly ids: readonly string[]
  readonly make: readonly [method: 'POST' | 'PUT', target: string, body: Body]
  /** Where in the answer its name stands; null: `one` needs none. */
  readonly named: readonly string[] | null
  readonly one: string
  readonly changes: readonly (readonly [method: string, suffix: string, body?: Body])[]
  /** Null: it is never taken away. */
  readonly removal: 'DELETE' | null
}

const POLICY_TEXT = { text: '{"version":"1","default":"deny"}' }

const kinds = (agent: string): readonly Kind[] => [
  {
    what: 'agents',
    ids: ['updateAgent', 'rotateAgentKey', 'deleteAgent'],
    make: ['POST', '/v1/agents', { name: 'conditional' }],
    named: ['agent', 'id'],
    one: '/v1/agents/{id}',
    changes: [
      ['PATCH', '', { description: 'changed' }],
      ['POST', '/rotate-key'],
    ],
    removal: 'DELETE',
  },
  {
    what: 'path policies',
    ids: ['updatePolicy', 'deletePolicy'],
    make: [
      'POST',
      '/v1/vaults/default/policies',
      {
        secret_path_pattern: 'ci/**',
        principal_type: 'agent',
        principal_id: agent,
        permissions: ['read'],
      },
    ],
    named: ['id'],
    one: '/v1/vaults/default/policies/{id}',
    changes: [['PUT', '', { priority: 7 }]],
    removal: 'DELETE',
  },
  {
    what: 'webhooks',
    ids: ['updateWebhook', 'deleteWebhook'],
    make: ['POST', '/v1/webhooks', { url: 'https://hooks.example.org/x', events: ['*'] }],
    named: ['id'],
    one: '/v1/webhooks/{id}',
    changes: [['PATCH', '', { is_active: false }]],
    removal: 'DELETE',
  },
  {
    what: 'quotas',
    ids: ['setQuota'],
    make: ['PUT', `/v1/quotas/agent:${agent}`, { reads: 5, writes: null }],
    named: null,
    one: `/v1/quotas/agent:${agent}`,
    changes: [['PUT', '', { reads: 6, writes: 1 }]],
    removal: null,
  },
  {
    what: 'variables',
    ids: ['updateEnvVar', 'replaceEnvVar', 'deleteEnvVar'],
    make: ['POST', '/v1/vaults/default/env-vars', { key: 'COLOUR', value: 'red' }],
    named: ['id'],
    one: '/v1/vaults/default/env-vars/{id}',
    changes: [
      ['PATCH', '', { comment: 'changed' }],
      ['PUT', '', { value: 'blue' }],
    ],
    removal: 'DELETE',
  },
  {
    what: 'shared variables',
    ids: ['updateOrgEnvVar', 'deleteOrgEnvVar'],
    make: ['POST', '/v1/org/env-vars', { key: 'SHAPE', value: 'round' }],
    named: ['id'],
    one: '/v1/org/env-vars/{id}',
    changes: [
      ['PATCH', '', { comment: 'changed' }],
      ['PATCH', '', { value: 'square' }],
    ],
    removal: 'DELETE',
  },
  {
    what: 'servers of the gateway',
    ids: ['removeGatewayServer'],
    make: ['POST', '/v1/gateway/servers', { name: 'hub', kind: 'stdio', command: ['server'] }],
    named: null,
    one: '/v1/gateway/servers/hub',
    changes: [],
    removal: 'DELETE',
  },
  {
    what: 'policies on tools',
    ids: ['setToolPolicy', 'removeToolPolicy'],
    make: ['PUT', '/v1/gateway/policies/strict', POLICY_TEXT],
    named: null,
    one: '/v1/gateway/policies/strict',
    changes: [['PUT', '', { text: '{"version":"1","default":"allow"}' }]],
    removal: 'DELETE',
  },
  {
    what: 'grants',
    ids: ['rotateGrant', 'revokeGrant'],
    make: [
      'POST',
      `/v1/agents/${agent}/grants`,
      { label: 'laptop', server: 'github', policies: [] },
    ],
    named: ['grant', 'id'],
    one: '/v1/grants/{id}',
    changes: [['POST', '/rotate']],
    removal: 'DELETE',
  },
]

/** Tested with the versions that are their states, in secrets.test.ts. */
const OF_SECRETS = ['putSecret', 'rotateSecret', 'deleteSecret']

/** Why a change takes no condition. */
const MAKES = 'makes something under an id that nobody has yet'
const ONCE = 'happens once: the second time it is refused, whatever was seen'
const ONE_WAY = 'goes one way: nothing that was seen before makes it wrong'
const SEVERAL = 'names several at once: the call for one takes its ETag'
const READS = 'spends a read, as reading a secret does'
const STEADY = 'what it takes away never changes while it is there'
const OWN = 'about the credential or session that it comes with'
const LOOKS = 'changes nothing that was there'
const IS_OR_NOT = 'what it names is there or not, and the wrong one of both is refused'
const UNCONDITIONAL: Readonly<Record<string, string>> = {
  acceptShare: ONCE,
  addGatewayServer: MAKES,
  approveApproval: ONCE,
  askStepUpPasskey: OWN,
  attachPolicyToGrant: IS_OR_NOT,
  attachPolicyToServer: IS_OR_NOT,
  beginGatewayLogin: MAKES,
  cancelApproval: ONCE,
  cancelPendingApproval: ONCE,
  createAgent: MAKES,
  createEnvVar: MAKES,
  createEnvironment: MAKES,
  createGrant: MAKES,
  createHoneytoken: MAKES,
  createOrgEnvVar: MAKES,
  createPolicy: MAKES,
  createUserKey: MAKES,
  createVault: MAKES,
  createWebhook: MAKES,
  decideApproval: ONCE,
  decidePendingApproval: ONCE,
  declineShare: ONCE,
  deleteAgents: SEVERAL,
  deleteEnvironment: STEADY,
  deleteHoneytoken: STEADY,
  deleteVault: STEADY,
  denyApproval: ONCE,
  detachPolicyFromGrant: IS_OR_NOT,
  detachPolicyFromServer: IS_OR_NOT,
  disableSecretVersion: ONE_WAY,
  endGatewayLogin: ONE_WAY,
  endSession: OWN,
  enrollAgent: MAKES,
  exchangeAgentKey: OWN,
  exchangePassword: OWN,
  exchangeUserKey: OWN,
  exchangeWorkloadToken: OWN,
  executePendingApproval: ONCE,
  freeze: MAKES,
  inspect: LOOKS,
  inspectContent: LOOKS,
  liftFreeze: STEADY,
  linkOrgEnvVar: IS_OR_NOT,
  openShare: READS,
  replayToolPolicies: LOOKS,
  requestApproval: MAKES,
  revokeShare: ONE_WAY,
  revokeToken: OWN,
  revokeUserKey: STEADY,
  shareSecret: MAKES,
  shareSecretByPath: MAKES,
  stepUp: OWN,
  stepUpWithPasskey: OWN,
  submitPendingApproval: MAKES,
  unlinkOrgEnvVar: IS_OR_NOT,
}

function operationsOf(api: TestApi) {
  return Object.values(api.document.paths).flatMap((methods) =>
    Object.entries(methods).map(([method, { operationId, parameters = [], responses }]) => ({
      id: operationId,
      isChange: method !== 'get',
      conditions: parameters
        .filter(({ in: place, name }) => place === 'header' && name.startsWith('If-'))
        .map(({ name }) => name),
      responses,
    })),
  )
}

const tagOf = (reply: ApiReply): string => {
  const tag = reply.headers.get('etag') ?? ''
  assert.match(tag, /^"[0-9a-z-]+"$/)
  return tag
}

for (const store of [SQLITE, POSTGRES])
  describe(`API: changes that are made only in the state that was seen, on ${store.name}`, {
    skip: store.skip,
  }, () => {
    const served = servedStores(store)

    async function fresh() {
      const { vault, api } = await served.fresh()
      const browser = new ApiBrowser(api, await firstOwner(vault))
      const agent = await registerAgent(vault, [])
      const { servers } = await vault.registry()
      await servers.add(PERSON, 'github', { kind: 'stdio', command: ['server'], variables: [] })
      return { vault, api, browser, agent: agent.id }
    }

    test('every change takes conditions, or it is said here why not', async () => {
      const { api } = await served.fresh()
      const changes = operationsOf(api).filter(({ isChange }) => isChange)
      const taking = changes.filter(({ conditions }) => conditions.length > 0).map(({ id }) => id)
      const tested = [...OF_SECRETS, ...kinds('x').flatMap(({ ids }) => ids)]
      assert.deepEqual(taking.toSorted(), tested.toSorted())
      const others = changes.filter(({ conditions }) => conditions.length === 0).map(({ id }) => id)
      assert.deepEqual(others.toSorted(), Object.keys(UNCONDITIONAL).toSorted())
      for (const { id, conditions, responses } of changes)
        assert.equal('412' in responses, conditions.length > 0, id)
    })

    for (const [at, { what }] of kinds('x').entries())
      test(`${what}: the state that was seen, any, none, one that has gone`, async () => {
        const { browser, agent } = await fresh()
        const kind = kinds(agent)[at]
        assert.ok(kind !== undefined)
        const [method, target, body] = kind.make
        const isPut = method === 'PUT'
        if (isPut) {
          const none = await browser.call(method, target, body, { 'if-match': '*' })
          assert.equal(none.status, 412)
        }
        const first = isPut ? { 'if-none-match': '*' } : {}
        const made = await browser.call(method, target, body, first)
        assert.equal(made.status, isPut ? 200 : 201, JSON.stringify(made.body))
        let seen = tagOf(made)
        const name = (kind.named ?? []).reduce<unknown>((at, key) => (at as Body)[key], made.body)
        const one = kind.one.replace('{id}', String(name))
        const shown = async () => tagOf(await browser.call('GET', one))
        assert.equal(await shown(), seen)
        assert.equal(await shown(), seen)
        if (isPut) assert.equal((await browser.call(method, target, body, first)).status, 412)

        for (const [change, suffix, wanted] of kind.changes) {
          const ask = (match: string) =>
            browser.call(change, `${one}${suffix}`, wanted, { 'if-match': match })
          for (const stale of ['"0"', '"0", "zz-9"']) {
            const refused = await ask(stale)
            assert.equal(refused.status, 412, `${change} ${suffix}`)
            const problem = refused.body as Body
            assert.equal(problem['code'], 'VERSION_CONFLICT')
            assert.match(String(problem['help']), /read it again, and send the ETag/)
          }
          for (const wrong of ['0', `W/${seen}`, `${seen}, *`, '""', '']) {
            const refused = await ask(wrong)
            assert.equal(refused.status, 400, wrong)
            assert.equal((refused.body as Body)['field'], 'If-Match')
          }
          assert.equal(await shown(), seen)
          const changed = await ask(`"0", ${seen}`)
          assert.equal(changed.status, 200, JSON.stringify(changed.body))
          const now = tagOf(changed)
          assert.notEqual(now, seen)
          assert.equal(await shown(), now)
          assert.equal((await ask(seen)).status, 412)
          const any = await ask('*')
          assert.equal(any.status, 200)
          seen = tagOf(any)
        }

        if (kind.removal === null) return
        const removed = (match: string) =>
          browser.call('DELETE', one, undefined, { 'if-match': match })
        assert.equal((await removed('"0"')).status, 412)
        assert.equal(await shown(), seen)
        assert.equal((await removed(seen)).status, 204)
        assert.equal((await removed('*')).status, 404)
      })

    test('a name that comes back is not what had it before', async () => {
      const { browser } = await fresh()
      const hub = { name: 'hub', kind: 'stdio', command: ['server'] }
      for (const [method, target, body, one] of [
        ['POST', '/v1/gateway/servers', hub, '/v1/gateway/servers/hub'],
        ['PUT', '/v1/gateway/policies/strict', POLICY_TEXT, '/v1/gateway/policies/strict'],
      ] as const) {
        const before = tagOf(await browser.call(method, target, body))
        assert.equal((await browser.call('DELETE', one)).status, 204)
        assert.notEqual(tagOf(await browser.call(method, target, body)), before)
        const stale = await browser.call('DELETE', one, undefined, { 'if-match': before })
        assert.equal(stale.status, 412)
      }
    })

    test('a variable whose value was stored as a secret is not as it was', async () => {
      const { browser } = await fresh()
      const all = '/v1/vaults/default/env-vars'
      const made = await browser.call('POST', all, { key: 'COLOUR', value: 'red' })
      const id = String((made.body as Body)['id'])
      const at = `/v1/vaults/default/secrets/env-vars/COLOUR/${id}`
      assert.equal((await browser.call('PUT', at, { value: 'blue', type: 'env' })).status, 201)
      const change = (match: string) =>
        browser.call('PATCH', `${all}/${id}`, { value: 'green' }, { 'if-match': match })
      assert.equal((await change(tagOf(made))).status, 412)
      const read = await browser.call('GET', `${all}/${id}`)
      assert.equal((read.body as Body)['value'], 'blue')
      assert.equal((await change(tagOf(read))).status, 200)
    })

    test('whoever may not change something learns nothing by a condition', async () => {
      const { vault, api, browser, agent } = await fresh()
      const other = await registerAgent(vault, [])
      const made = await browser.call('PUT', '/v1/gateway/policies/strict', POLICY_TEXT)
      const tags = [tagOf(made), '"0"', '*']
      for (const [method, target, body] of [
        ['PATCH', `/v1/agents/${agent}`, { description: 'x' }],
        ['PUT', '/v1/gateway/policies/strict', POLICY_TEXT],
        ['PUT', `/v1/quotas/agent:${agent}`, { reads: 1, writes: 1 }],
      ] as const)
        for (const tag of tags) {
          const headers = { 'if-match': tag }
          const reply = await api.ask(target, { method, bearer: other.key, body, headers })
          assert.equal(reply.status, 403, `${method} ${target} ${tag}`)
        }
    })

    test('a replay carries the tag that the first answer had', async () => {
      const { vault, api } = await served.fresh()
      const bearer = await ownerKey(vault)
      const agents = (key: string, body: Body) =>
        api.ask('/v1/agents', {
          method: 'POST',
          bearer,
          headers: { 'idempotency-key': key },
          body,
        })
      const first = await agents('k-1', { name: 'ci' })
      const { agent } = first.body as { agent: Body }
      const one = `/v1/agents/${String(agent['id'])}`
      const patch = (key: string, match: string, description: string) =>
        api.ask(one, {
          method: 'PATCH',
          bearer,
          headers: { 'idempotency-key': key, 'if-match': match },
          body: { description },
        })
      const changed = await patch('k-2', tagOf(first), 'changed')
      const again = await agents('k-1', { name: 'ci' })
      assert.equal(again.headers.get('idempotent-replayed'), 'true')
      assert.equal(tagOf(again), tagOf(first))
      // Its state has gone since; what is answered is what was done then.
      const replayed = await patch('k-2', tagOf(first), 'changed')
      assert.equal(replayed.status, 200)
      assert.equal(replayed.headers.get('idempotent-replayed'), 'true')
      assert.equal(tagOf(replayed), tagOf(changed))
      assert.equal((await patch('k-3', tagOf(first), 'changed')).status, 412)
      assert.equal((await patch('k-2', tagOf(changed), 'changed')).status, 422)
    })

    test('of 16 callers who saw one state of a policy, on two processes, one changes it', async () => {
      const { vault, api } = await served.fresh()
      const bearer = await ownerKey(vault)
      const other = await served.serve(await served.open.twin(vault))
      const { id: agent } = await registerAgent(vault, [])
      const all = '/v1/vaults/default/policies'
      const body = {
        secret_path_pattern: 'ci/**',
        principal_type: 'agent',
        principal_id: agent,
        permissions: ['read'],
      }
      const made = await api.ask(all, { method: 'POST', bearer, body })
      const one = `${all}/${String((made.body as Body)['id'])}`
      const headers = { 'if-match': tagOf(made) }
      const replies = await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          (n % 2 === 0 ? api : other).ask(one, {
            method: n % 4 === 3 ? 'DELETE' : 'PUT',
            bearer,
            headers,
            ...(n % 4 === 3 ? {} : { body: { priority: n + 1 } }),
          }),
        ),
      )
      const won = replies.filter(({ status }) => status === 200 || status === 204)
      assert.equal(won.length, 1, JSON.stringify(replies.map(({ status }) => status)))
      const lost = replies.filter((reply) => reply !== won[0])
      // Where the one was a removal, there is none for the others.
      const expected = won[0]?.status === 204 ? 404 : 412
      assert.deepEqual([...new Set(lost.map(({ status }) => status))], [expected])
      const now = await api.ask(one, { bearer })
      if (won[0]?.status === 204) assert.equal(now.status, 404)
      else assert.deepEqual(now.body, won[0]?.body)
    })
  })

async function ownerKey(vault: TestVault): Promise<string> {
  await vault.identity.authentication.org()
  return (await userWithKey(vault, 'owner')).key
}
