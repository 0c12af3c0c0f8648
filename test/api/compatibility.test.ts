import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { SecretText } from '../../src/core/secret-text.ts'
import { epochMs, systemClock, toIso } from '../../src/core/time.ts'
import { exchangedToken, registerAgent, serveTestApi } from '../support/api.ts'
import { openTestVault, PERSON } from '../support/vault.ts'

// What a client of the 1claw API calls, in the order of its MCP server, and what it is answered here. Such a client
// sends Content-Type: application/json with everything, encodes each segment of a path, and reads `detail` of refusals.

const BILLING = 'https://1claw.xyz/settings/billing'
const vault = await openTestVault({ env: { SALLYPORT_BILLING_URL: BILLING } })
const api = await serveTestApi(vault)
after(async () => {
  await api.stop()
  await vault.dispose()
})
const ALL = ['list', 'read', 'write', 'delete', 'use', 'share'] as const
const agent = await registerAgent(vault, [['**', ALL]])
const other = await registerAgent(vault, [])
const bearer = await exchangedToken(api, agent.key)
const [first] = await vault.vault.listVaults(PERSON)
const at = `/v1/vaults/${first?.id ?? ''}`
const me = `/v1/agents/${agent.id}`

type Fields = Readonly<Record<string, unknown>>

/** Filled from answers as the list goes on. */
const known = { secret: '', approval: '', hash: '' }

interface Row {
  readonly item: string
  readonly method?: string
  readonly target: () => string
  readonly body?: unknown
  readonly status: number
  /** What the client reads of the answer. */
  readonly reads?: (body: Fields) => void
}

const has =
  (...names: readonly string[]) =>
  (body: Fields): void => {
    for (const name of names) assert.ok(name in body, name)
  }
const notOffered = (body: Fields): void =>
  assert.equal(body['detail'], 'Not offered by this server.')

const noKeyDecides = (body: Fields): void =>
  assert.match(String(body['detail']), /no key or token decides/)

const SECRET = ['id', 'path', 'type', 'version', 'metadata', 'created_at', 'expires_at']

const ROWS: readonly Row[] = [
  {
    item: '1 token exchange',
    method: 'POST',
    target: () => '/v1/auth/agent-token',
    body: { api_key: agent.key, agent_id: agent.id },
    status: 200,
    reads(body) {
      has('access_token', 'expires_in', 'agent_id', 'vault_ids', 'entitlements')(body)
      assert.ok(Number(body['expires_in']) > 60)
      const [, payload = ''] = String(body['access_token']).split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Fields
      assert.equal(claims['sub'], `agent:${agent.id}`)
    },
  },
  { item: '2 the vault', target: () => at, status: 200, reads: has('id', 'name', 'created_at') },
  {
    item: '2 a vault that is not there',
    target: () => '/v1/vaults/00000000-0000-4000-8000-000000000000',
    status: 404,
    reads: has('detail'),
  },
  { item: '3 the agent', target: () => me, status: 200, reads: has('id', 'name', 'is_active') },
  { item: '3 its children', target: () => `${me}/children`, status: 404, reads: notOffered },
  { item: '4 vaults', target: () => '/v1/vaults', status: 200, reads: has('vaults') },
  {
    item: '4 a new vault',
    method: 'POST',
    target: () => '/v1/vaults',
    body: { name: 'made', description: '' },
    status: 201,
    reads: has('id', 'name', 'description', 'created_by', 'created_by_type', 'created_at'),
  },
  {
    item: '5 storing',
    method: 'PUT',
    target: () => `${at}/secrets/app/key%2D1`,
    body: { value: 'v1', type: 'api_key', metadata: { team: 'a' } },
    status: 201,
    reads(body) {
      has(...SECRET)(body)
      known.secret = String(body['id'])
    },
  },
  {
    item: '5 listing',
    target: () => `${at}/secrets`,
    status: 200,
    reads: (body) => has(...SECRET)((body['secrets'] as Fields[])[0] ?? {}),
  },
  {
    item: '5 reading, not encoded',
    target: () => `${at}/secrets/app/key-1`,
    status: 200,
    reads(body) {
      has(...SECRET)(body)
      assert.equal(body['value'], 'v1')
    },
  },
  {
    item: '6 versions',
    target: () => `${at}/secret-versions/app/key-1`,
    status: 200,
    reads: has('versions'),
  },
  {
    item: '6 rotating',
    method: 'POST',
    target: () => `${at}/secret-rotate/app/key-1`,
    body: { length: 24, charset: 'alphanumeric' },
    status: 201,
    reads(body) {
      assert.equal(body['version'], 2)
      assert.equal('value' in body, false)
    },
  },
  {
    item: '7 variables',
    target: () => `${at}/env-vars/resolve?environment=production`,
    status: 200,
    reads: has('vars', 'sources', 'environment', 'resolved_at'),
  },
  {
    item: '8 a policy, from an agent: a person is asked first',
    method: 'POST',
    target: () => `${at}/policies`,
    body: {
      secret_path_pattern: 'app/*',
      principal_type: 'agent',
      principal_id: other.id,
      permissions: ['read'],
    },
    status: 403,
    reads: (body) => assert.equal(body['type'], 'approval_required'),
  },
  {
    item: '9 a share with another agent',
    method: 'POST',
    target: () => `/v1/secrets/${known.secret}/share`,
    body: {
      recipient_type: 'agent',
      recipient_id: other.id,
      expires_at: toIso(epochMs(systemClock() + 86_400_000)),
      max_access_count: 1,
    },
    status: 201,
    reads: has('id', 'share_url', 'recipient_type', 'expires_at'),
  },
  {
    item: '10 asking for approval',
    method: 'POST',
    target: () => '/v1/approvals/request',
    body: {
      action: 'deploy',
      target_type: 'service',
      target_id: 'web',
      summary: { title: 'Deploy', body: 'to production', fields: [] },
    },
    status: 202,
    reads(body) {
      has('id', 'status', 'action', 'expires_at', 'created_at')(body)
      known.approval = String(body['id'])
      known.hash = String(body['payload_hash'])
    },
  },
  {
    item: '10 approvals',
    target: () => '/v1/approvals?status=pending&limit=10',
    status: 200,
    reads: has('approvals'),
  },
  {
    item: '10 one approval',
    target: () => `/v1/approvals/${known.approval}`,
    status: 200,
    reads: (body) => assert.equal(body['status'], 'pending'),
  },
  {
    item: '10 its status',
    target: () => `/v1/approvals/${known.approval}/status`,
    status: 200,
    reads: has('status', 'expires_at'),
  },
  {
    item: '10 deciding it in no known word',
    method: 'POST',
    target: () => `/v1/approvals/${known.approval}/decide`,
    body: { decision: 'perhaps' },
    status: 400,
    reads: (body) => assert.equal(body['field'], 'decision'),
  },
  ...['approve', 'approved', 'reject', 'rejected', 'deny', 'denied'].map(
    (decision): Row => ({
      item: `10 deciding it as the agent that asked: ${decision}`,
      method: 'POST',
      target: () => `/v1/approvals/${known.approval}/decide`,
      body: { decision },
      status: 403,
      reads: noKeyDecides,
    }),
  ),
  ...['approve', 'deny'].map(
    (verb): Row => ({
      item: `10 deciding it by its own call: ${verb}`,
      method: 'POST',
      target: () => `/v1/approvals/${known.approval}/${verb}`,
      body: {},
      status: 403,
      reads: noKeyDecides,
    }),
  ),
  {
    item: '10 deciding it as a pending approval',
    method: 'POST',
    target: () => `/v1/pending-approvals/${known.approval}/approve`,
    body: { decision: 'approve', payload_hash: known.hash, credential_type: 'passkey' },
    status: 403,
    reads: noKeyDecides,
  },
  {
    item: '10 doing what nobody has approved yet',
    method: 'POST',
    target: () => `/v1/pending-approvals/${known.approval}/execute`,
    body: {},
    status: 409,
  },
  {
    item: '10 taking it back',
    method: 'POST',
    target: () => `/v1/approvals/${known.approval}/cancel`,
    body: { reason: 'not needed' },
    status: 200,
  },
  {
    item: '10 pending approvals',
    target: () => `/v1/pending-approvals?status=pending&agent_id=${agent.id}`,
    status: 200,
    reads: has('pending_approvals'),
  },
  ...[
    ['11 execute', 'POST', `${me}/execute`],
    ['11 bindings', 'GET', `${me}/bindings`],
    ['11 a binding', 'POST', `${me}/bindings`],
    ['11 a binding tried', 'POST', `${me}/bindings/b/test`],
    ['11 executions', 'GET', `${me}/executions?limit=5&offset=5`],
    ['11 connectors', 'GET', `${me}/connectors`],
    ['11 presets', 'GET', '/v1/connectors/presets'],
    ['11 subscriptions', 'GET', `${me}/event-subscriptions`],
    ['11 providers', 'GET', '/v1/oauth/providers'],
    ['11 connections', 'GET', `${me}/oauth/connections`],
    ['11 a token of a provider ended', 'POST', '/v1/oauth/revoke'],
    ['11 a consent taken back', 'DELETE', '/v1/oauth/consents/app'],
    ['12 memory put', 'PUT', `${me}/memory/a/b`],
    ['12 memory got', 'GET', `${me}/memory/a/b`],
    ['12 memory deleted', 'DELETE', `${me}/memory/a/b`],
    ['12 memory listed', 'GET', `${me}/memory`],
    ['12 memory of a namespace', 'GET', `${me}/memory/a`],
    ['12 memory searched', 'POST', `${me}/memory/search`],
    ['12 peers', 'GET', `${me}/peer-context`],
    ['12 notification targets', 'GET', '/v1/notification-targets'],
    ['13 transactions', 'POST', `${me}/transactions`],
    ['13 simulated', 'POST', `${me}/transactions/simulate`],
    ['13 simulated together', 'POST', `${me}/transactions/simulate-bundle`],
    ['13 signed', 'POST', `${me}/transactions/sign`],
  ].map(
    ([item = '', method = '', target = '']): Row => ({
      item,
      method,
      target: () => target,
      status: 404,
      reads: notOffered,
      ...(method === 'GET' ? {} : { body: {} }),
    }),
  ),
  {
    item: '5 deleting',
    method: 'DELETE',
    target: () => `${at}/secrets/app/key-1`,
    status: 204,
  },
]

test('a client of the 1claw API is answered, call by call', async (context) => {
  for (const { item, method = 'GET', target, body, status, reads } of ROWS)
    await context.test(item, async () => {
      const reply = await api.ask(target(), {
        method,
        bearer,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      })
      assert.equal(reply.status, status, JSON.stringify(reply.body))
      if (status === 204) assert.equal(reply.body, null)
      reads?.((reply.body ?? {}) as Fields)
    })
})

test('what a client does next stands in status and detail, word for word', async (context) => {
  const say = async (target: string, by = bearer, method = 'GET', body?: unknown) => {
    const reply = await api.ask(target, {
      method,
      bearer: by,
      ...(body === undefined ? {} : { body }),
    })
    const { type, detail } = (reply.body ?? {}) as Fields
    return [reply.status, type, detail]
  }
  const reader = await registerAgent(vault, [['read/**', ['list', 'read']]])
  await vault.vault.put(PERSON, 'default', {
    path: 'read/once',
    value: SecretText.fromText('v'),
    maxAccessCount: 1,
  })
  const by = await exchangedToken(api, reader.key)

  await context.test('404: nothing is at the path', async () =>
    assert.deepEqual(await say(`${at}/secrets/read/none`, by), [
      404,
      'about:blank',
      "No secret found at path 'read/none'.",
    ]),
  )
  await context.test('403: no policy', async () => {
    const denied = [403, 'about:blank', "Access denied (agent doesn't have a policy for this path)"]
    assert.deepEqual(await say(`${at}/secrets/other/none`, by), denied)
    assert.deepEqual(await say(`${at}/secrets/read/once`, by, 'PUT', { value: 'w' }), denied)
  })
  await context.test('410: read as often as it may be', async () => {
    assert.equal((await say(`${at}/secrets/read/once`, by))[0], 200)
    assert.deepEqual(await say(`${at}/secrets/read/once`, by), [
      410,
      'about:blank',
      "Secret at path 'read/once' is expired or has exceeded its maximum access count.",
    ])
  })
  await context.test('402: the quota is spent', async () => {
    const value = SecretText.fromText('v')
    await vault.vault.put(PERSON, 'default', { path: 'read/more', value })
    await vault.sharing.quotas.set(PERSON, `agent:${reader.id}`, { reads: 0, writes: null })
    assert.deepEqual(await say(`${at}/secrets/read/more`, by), [
      402,
      'resource_limit_exceeded',
      `Free tier quota exhausted. Upgrade your plan or add payment at ${BILLING}`,
    ])
  })
  await context.test('401: exchange the key anew, once', async () => {
    const again = await exchangedToken(api, reader.key)
    assert.equal((await say('/v1/vaults', again))[0], 200)
    await api.ask('/v1/auth/token', { method: 'DELETE', bearer: again })
    const [status, , text] = await say('/v1/vaults', again)
    assert.equal(status, 401)
    // Whatever is wrong with it, the text is one.
    assert.deepEqual(await say('/v1/vaults', `${again}x`), [401, 'about:blank', text])
    assert.equal((await say('/v1/vaults', await exchangedToken(api, reader.key)))[0], 200)
  })
})

test('a path is what it says, encoded or not, and nothing else is taken for one', async () => {
  const ask = (target: string, method = 'GET', body?: unknown) =>
    api.ask(target, { method, bearer, ...(body === undefined ? {} : { body }) })
  const same = ['a-b/c_d', 'a%2Db/c%5Fd', '%61-b/c_d', 'a-b/%63_%64']
  assert.equal((await ask(`${at}/secrets/a-b/c_d`, 'PUT', { value: 'one' })).status, 201)
  for (const path of same) {
    const { status, body } = await ask(`${at}/secrets/${path}`)
    assert.deepEqual([status, (body as Fields)['path']], [200, 'a-b/c_d'], path)
  }
  const refused = [
    '..',
    '.',
    'a/../b',
    'a/./b',
    '%2e%2e',
    'a/%2e%2e/b',
    'a//b',
    '/a',
    'a/',
    'a%2Fb',
    'a%2fb',
    'a%5Cb',
    'a\\b',
    'a%00',
    'a%0Ab',
    'a%',
    'a%2',
    'a%zz',
    'a%C3',
    'a%252e',
    'a%252Fb',
    'a%20',
    '%20a',
    '%EF%BC%8E%EF%BC%8E',
    'a%E2%80%AEb',
    'a'.repeat(600),
    Array.from({ length: 64 }, () => 'a').join('/'),
  ]
  for (const path of refused)
    for (const [method, noun, body] of [
      ['GET', 'secrets'],
      ['PUT', 'secrets', { value: 'v' }],
      ['DELETE', 'secrets'],
      ['GET', 'secret-versions'],
      ['POST', 'secret-rotate', {}],
    ] as const) {
      const { status, body: said } = await ask(`${at}/${noun}/${path}`, method, body)
      const { code, field } = said as Fields
      assert.deepEqual(
        [status, code, field],
        [400, 'BAD_INPUT', 'path'],
        `${method} ${noun} ${path}`,
      )
    }
  assert.equal((await vault.vault.list(PERSON, 'default', 'a')).secrets.length, 1)
})
