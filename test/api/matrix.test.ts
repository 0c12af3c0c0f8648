// Who may do what, as the API answers it: agent × path × call × condition.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { AccessPermission, PathPolicyRequest } from '../../src/core/policy-port.ts'
import { exchangedToken, serveTestApi, type TestApi } from '../support/api.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

type Rule = readonly [
  pattern: string,
  permissions: readonly AccessPermission[],
  rest?: Partial<PathPolicyRequest>,
]
type Calls = 'list' | 'describe' | 'read' | 'use' | 'write' | 'delete'

const HERE = { ipAllowlist: ['127.0.0.0/8'] }
const ELSEWHERE = { ipAllowlist: ['203.0.113.0/24'] }
const AGENTS: Readonly<Record<string, readonly Rule[]>> = {
  nobody: [],
  reader: [['app/**', ['list', 'read']]],
  shallow: [['app/*', ['list', 'read']]],
  blind: [['app/**', ['read']]],
  user: [['app/**', ['list', 'use']]],
  writer: [['app/**', ['write']]],
  remover: [['**', ['list', 'delete']]],
  denied: [
    ['**', ['list', 'read', 'write']],
    ['app/db/**', ['list', 'read', 'write'], { effect: 'deny', priority: -5 }],
  ],
  here: [['app/**', ['list', 'read'], { conditions: HERE }]],
  elsewhere: [['app/**', ['list', 'read'], { conditions: ELSEWHERE }]],
  production: [['app/**', ['list', 'read'], { conditions: { environmentIn: ['production'] } }]],
}

/** The answers at `app/key`, at `app/db/password` and at `other`, in this order. */
const EXPECTED: Readonly<Record<string, Partial<Record<Calls, readonly number[]>>>> = {
  nobody: { read: [403, 403, 403], describe: [403, 403, 403], write: [403, 403, 403] },
  reader: {
    read: [200, 200, 403],
    describe: [200, 200, 403],
    use: [403, 403, 403],
    write: [403, 403, 403],
  },
  shallow: { read: [200, 403, 403], describe: [200, 403, 403] },
  blind: { read: [200, 200, 403], write: [403, 403, 403], delete: [403, 403, 403] },
  user: { read: [403, 403, 403], use: [200, 200, 403], describe: [200, 200, 403] },
  writer: { read: [403, 403, 403], write: [201, 201, 403], delete: [403, 403, 403] },
  denied: { read: [200, 403, 200], write: [201, 403, 201], describe: [200, 403, 200] },
  here: { read: [200, 200, 403] },
  elsewhere: { read: [403, 403, 403], describe: [403, 403, 403] },
  production: { read: [403, 403, 403] },
  // Last, because it leaves nothing.
  remover: { read: [403, 403, 403], describe: [200, 200, 200], delete: [204, 204, 204] },
}
const LISTED: Readonly<Record<string, readonly string[]>> = {
  nobody: [],
  reader: ['app/db/password', 'app/key'],
  shallow: ['app/key'],
  blind: [],
  user: ['app/db/password', 'app/key'],
  denied: ['app/key', 'other'],
  elsewhere: [],
}
const PATHS = ['app/key', 'app/db/password', 'other'] as const

for (const store of [SQLITE, POSTGRES])
  describe(`API: who may do what on ${store.name}`, {
    skip: store.skip,
    concurrency: false,
  }, () => {
    const open = new OpenVaults()
    const bearers = new Map<string, string>()
    let vault: TestVault
    let api: TestApi
    before(async () => {
      vault = await open.fresh(store)
      api = await serveTestApi(vault)
      for (const path of PATHS)
        await vault.vault.put(PERSON, 'default', { path, value: secret('v') })
      for (const [name, rules] of Object.entries(AGENTS)) {
        const { agent, key } = await vault.identity.agents.create(PERSON, { name })
        for (const [pattern, permissions, rest] of rules)
          await vault.policies.create(PERSON, 'default', {
            pattern,
            permissions,
            principalType: 'agent',
            principalId: agent.id,
            ...rest,
          })
        bearers.set(name, await exchangedToken(api, key.reveal()))
      }
    })
    after(async () => {
      await api.stop()
      await open.close(true)
    })

    const ask = async (call: Calls, path: string, bearer: string): Promise<number> => {
      const at = `/v1/vaults/default/secrets/${path}`
      const body = { value: 'another value' }
      const asked = {
        list: () => api.ask('/v1/vaults/default/secrets', { bearer }),
        describe: () => api.ask(`/v1/vaults/default/secret-metadata/${path}`, { bearer }),
        read: () => api.ask(at, { bearer }),
        use: () => api.ask(`${at}?purpose=use`, { bearer }),
        write: () => api.ask(at, { method: 'PUT', bearer, body }),
        delete: () => api.ask(at, { method: 'DELETE', bearer }),
      }
      return (await asked[call]()).status
    }

    test('lists show what may be listed', async () => {
      for (const [name, paths] of Object.entries(LISTED)) {
        const { body } = await api.ask('/v1/vaults/default/secrets', {
          bearer: bearers.get(name) ?? '',
        })
        const { secrets } = body as { readonly secrets: readonly { readonly path: string }[] }
        assert.deepEqual(secrets.map(({ path }) => path).toSorted(), paths, name)
      }
    })

    test('what is not allowed is refused alike, whether something is there or not', async () => {
      const texts = new Set<unknown>()
      for (const path of ['other', 'other/nothing', 'nothing']) {
        const bearer = bearers.get('reader') ?? ''
        const { status, body } = await api.ask(`/v1/vaults/default/secrets/${path}`, { bearer })
        assert.equal(status, 403)
        const { request_id: _id, ...rest } = body as Readonly<Record<string, unknown>>
        texts.add(JSON.stringify(rest))
      }
      assert.equal(texts.size, 1)
    })

    test('every call at every path', async () => {
      for (const [name, calls] of Object.entries(EXPECTED))
        for (const [call, statuses] of Object.entries(calls))
          for (const [index, path] of PATHS.entries())
            assert.equal(
              await ask(call as Calls, path, bearers.get(name) ?? ''),
              statuses[index],
              `${name} ${call} ${path}`,
            )
    })
  })

describe('API: tokens that nobody gave out', () => {
  const open = new OpenVaults()
  after(() => open.close(true))

  test('are one 401 with one text', async () => {
    const vault = await open.fresh(SQLITE)
    const api = await serveTestApi(vault)
    try {
      const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'a' })
      const good = await exchangedToken(api, key.reveal())
      const [head = '', body = '', signature = ''] = good.split('.')
      const read = (part: string) =>
        JSON.parse(Buffer.from(part, 'base64url').toString()) as Readonly<Record<string, unknown>>
      const write = (part: object): string =>
        Buffer.from(JSON.stringify(part)).toString('base64url')
      const { keys } = (await api.ask('/.well-known/jwks.json')).body as {
        readonly keys: readonly Readonly<Record<string, string>>[]
      }
      const publicKey = Buffer.from(keys[0]?.['x'] ?? '', 'base64url')
      const hs256 = `${write({ ...read(head), alg: 'HS256' })}.${body}`
      const mac = createHmac('sha256', publicKey).update(hs256).digest('base64url')
      const changed = (claims: object): string =>
        `${head}.${write({ ...read(body), ...claims })}.${signature}`
      const other = '00000000-0000-4000-8000-000000000000'
      const rows: readonly [what: string, bearer: string][] = [
        ['no algorithm', `${write({ ...read(head), alg: 'none' })}.${body}.`],
        ['the public key as a secret', `${hs256}.${mac}`],
        ['another key', `${write({ ...read(head), kid: other })}.${body}.${signature}`],
        ['another agent', changed({ sub: `agent:${other}` })],
        ['another organisation', changed({ org: other, iss: `urn:sallyport:org:${other}` })],
        ['another audience', changed({ aud: 'elsewhere' })],
        ['no end', changed({ exp: 9_999_999_999 })],
        ['more scopes', changed({ scopes: ['**'] })],
        ['no signature', `${head}.${body}.`],
        ['two parts', `${head}.${body}`],
        ['a key of the right form', `ocv_${'A'.repeat(43)}aaaaaa`],
        ['a personal key of the right form', `1ck_${'A'.repeat(43)}aaaaaa`],
      ]
      const texts = new Set<unknown>()
      for (const [what, bearer] of rows) {
        const reply = await api.ask('/v1/vaults', { bearer })
        assert.equal(reply.status, 401, what)
        texts.add((reply.body as Readonly<Record<string, unknown>>)['detail'])
      }
      assert.equal((await api.ask('/v1/vaults', { bearer: good })).status, 200)
      await vault.identity.agents.remove(PERSON, agent.id)
      const gone = await api.ask('/v1/vaults', { bearer: good })
      texts.add((gone.body as Readonly<Record<string, unknown>>)['detail'])
      assert.deepEqual([gone.status, texts.size], [401, 1])
    } finally {
      await api.stop()
    }
  })
})
