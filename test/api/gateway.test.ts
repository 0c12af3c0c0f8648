import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { ApiBrowser } from '../support/api-browser.ts'
import { userWithKey } from '../support/identity.ts'
import { firstOwner } from '../support/people.ts'
import { PERSON } from '../support/vault.ts'
import { OpenVaults, SQLITE } from '../support/vault-stores.ts'

type Body = Readonly<Record<string, unknown>>

const open = new OpenVaults()
const serving: TestApi[] = []
afterEach(async () => {
  await Promise.all(serving.splice(0).map((api) => api.stop()))
  await open.close(true)
})

/** Calls are made in the browser of an owner who signed in just now, or with a bearer. */
async function fresh() {
  const vault = await open.fresh(SQLITE)
  const owner = await firstOwner(vault)
  const api = await serveTestApi(vault)
  serving.push(api)
  const browser = new ApiBrowser(api, owner)
  const call = async (method: string, target: string, body?: unknown, bearer?: string) => {
    const reply =
      bearer === undefined
        ? await browser.call(method, target, body)
        : await api.ask(target, { method, bearer, body })
    return { status: reply.status, body: reply.body as Body }
  }
  return { vault, call }
}

const FILES = { name: 'files', kind: 'stdio', command: ['server', '.'] }
const HUB = {
  name: 'hub',
  kind: 'http',
  url: 'https://mcp.example.org/mcp',
  headers: [{ name: 'Authorization', value: 'Bearer secret://hub/token' }],
}
const TEXT = '{"version":"1","default":"deny"}'

test('API: servers behind the gateway are added, shown, listed and removed', async () => {
  const { call } = await fresh()
  const made = await call('POST', '/v1/gateway/servers', FILES)
  assert.equal(made.status, 201)
  const { name, kind, command, env, policies, created_by_type: by } = made.body
  assert.deepEqual(
    [name, kind, command, env, policies, by],
    ['files', 'stdio', ['server', '.'], [], [], 'user'],
  )
  assert.equal((await call('POST', '/v1/gateway/servers', FILES)).status, 409)
  assert.equal((await call('POST', '/v1/gateway/servers', HUB)).status, 201)
  const listed = await call('GET', '/v1/gateway/servers')
  assert.deepEqual(
    (listed.body['servers'] as Body[]).map((one) => [one['name'], one['kind'], one['url']]),
    [
      ['files', 'stdio', undefined],
      ['hub', 'http', HUB.url],
    ],
  )
  assert.deepEqual((await call('GET', '/v1/gateway/servers/hub')).body['headers'], HUB.headers)
  assert.equal((await call('DELETE', '/v1/gateway/servers/hub')).status, 204)
  assert.equal((await call('GET', '/v1/gateway/servers/hub')).status, 404)
  for (const [wrong, field] of [
    [{ ...FILES, name: 'a/b' }, 'name'],
    [{ ...FILES, name: 'x', command: [] }, 'command'],
    [{ ...HUB, url: 'ftp://example.org' }, 'url'],
    [{ ...HUB, headers: [{ name: 'K', value: 'plain' }] }, 'header'],
  ] as const) {
    const reply = await call('POST', '/v1/gateway/servers', wrong)
    assert.deepEqual([reply.status, reply.body['field']], [400, field])
  }
  for (const wrong of [{}, { ...FILES, url: HUB.url }, { ...HUB, command: ['x'] }])
    assert.equal((await call('POST', '/v1/gateway/servers', wrong)).status, 400)
})

test('API: policies on tools are kept and attached to servers and grants', async () => {
  const { vault, call } = await fresh()
  await call('POST', '/v1/gateway/servers', FILES)
  const { agent } = await vault.identity.agents.create(PERSON, { name: 'deploy' })
  const asked = { label: 'laptop', server: 'files', policies: [] }
  const { grant } = await vault.identity.grants.create(PERSON, agent.id, asked)
  const at = '/v1/gateway/policies/strict'
  const onServer = '/v1/gateway/servers/files/policies/strict'
  const onGrant = `/v1/grants/${grant.id}/policies/strict`
  for (const place of [onServer, onGrant]) assert.equal((await call('PUT', place)).status, 404)
  const set = await call('PUT', at, { text: TEXT })
  assert.equal(set.status, 200)
  assert.match(String(set.body['revision']), /^[0-9a-f]{16}$/)
  assert.deepEqual(set.body['warnings'], [])
  const open = await call('PUT', '/v1/gateway/policies/open', { text: 'version: "1"\ntools: {}\n' })
  assert.deepEqual(open.body['warnings'], [
    {
      line: 1,
      column: 1,
      problem: "there is no 'default': every tool that is not named is allowed",
    },
  ])
  assert.equal((await call('DELETE', '/v1/gateway/policies/open')).status, 204)
  const wrong = await call('PUT', at, { text: '{"version":"1"}' })
  assert.deepEqual([wrong.status, wrong.body['code']], [400, 'BAD_INPUT'])
  assert.equal((await call('GET', at)).body['text'], TEXT)
  for (const place of [onServer, onGrant]) {
    const attached = await call('PUT', place)
    assert.deepEqual([attached.status, attached.body], [200, { policies: ['strict'] }])
    assert.equal((await call('PUT', place)).status, 409)
  }
  assert.equal((await call('DELETE', at)).status, 409)
  const [listed] = (await call('GET', '/v1/gateway/policies')).body['policies'] as Body[]
  assert.deepEqual(listed?.['servers'], ['files'])
  for (const place of [onServer, onGrant]) {
    assert.deepEqual((await call('DELETE', place)).body, { policies: [] })
    assert.equal((await call('DELETE', place)).status, 404)
  }
  assert.equal((await call('DELETE', at)).status, 204)
  assert.equal((await call('GET', at)).status, 404)
})

test('API: no key changes what is behind the gateway, and agents do not look', async () => {
  const { vault, call } = await fresh()
  await call('POST', '/v1/gateway/servers', FILES)
  await call('PUT', '/v1/gateway/policies/strict', { text: TEXT })
  const owner = (await userWithKey(vault, 'owner')).key
  const agent = (await registerAgent(vault, [])).key
  const changes: readonly [method: string, target: string, body?: unknown][] = [
    ['POST', '/v1/gateway/servers', HUB],
    ['DELETE', '/v1/gateway/servers/files'],
    ['PUT', '/v1/gateway/policies/strict', { text: TEXT }],
    ['DELETE', '/v1/gateway/policies/strict'],
    ['PUT', '/v1/gateway/servers/files/policies/strict'],
    ['DELETE', '/v1/gateway/servers/files/policies/strict'],
  ]
  for (const bearer of [owner, agent])
    for (const [method, target, body] of changes)
      assert.equal((await call(method, target, body, bearer)).status, 403, `${method} ${target}`)
  for (const target of [
    '/v1/gateway/servers',
    '/v1/gateway/servers/files',
    '/v1/gateway/policies',
    '/v1/gateway/policies/strict',
  ]) {
    assert.equal((await call('GET', target, undefined, owner)).status, 200)
    assert.equal((await call('GET', target, undefined, agent)).status, 403)
    assert.equal((await call('GET', target, undefined, '')).status, 401)
  }
})
