// Whoever may not see something learns nothing of it: every operation of the API that names something, asked for what is
// there and for what is not.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newId } from '../../src/core/ids.ts'
import { epochMs, monotonicMs } from '../../src/core/time.ts'
import { exchangedToken, registerAgent, serveTestApi, type TestApi } from '../support/api.ts'
import { act, request } from '../support/approvals.ts'
import { userWithKey } from '../support/identity.ts'
import { AGENT, openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { secret } from '../support/vault-stores.ts'

type Method = 'get' | 'put' | 'post' | 'patch' | 'delete'

let vault: TestVault & { dispose(): Promise<void> }
let api: TestApi
/** Who asks: an agent without any policy, one with policies elsewhere in the same vault, and a member without any. */
const askers = new Map<string, string>()
/** What is there of each name, to be told from what is not. */
const there = new Map<string, string>()
let vaultId: string

/** Where in its life a secret may be; a stranger is told the same of each, and of a path that never was. */
const PATHS = ['app/none', 'app/present', 'app/deleted', 'app/expired', 'app/spent', 'app/bundle']

before(async () => {
  vault = await openTestVault()
  api = await serveTestApi(vault)
  await vault.identity.authentication.org()
  const value = () => secret('the value')
  const put = (path: string, rest: object = {}) =>
    vault.vault.put(PERSON, 'default', { path, value: value(), ...rest })
  await put('app/present')
  await put('app/present')
  await put('app/deleted')
  await vault.vault.delete(PERSON, 'default', 'app/deleted')
  await put('app/expired', { expiresAt: epochMs(Date.now() + 1_000) })
  await put('app/spent', { maxAccessCount: 1 })
  ;(await vault.vault.get(PERSON, 'default', 'app/spent')).value.wipe()
  await vault.vault.put(PERSON, 'default', {
    path: 'app/bundle',
    value: secret('A=1\nB=2'),
    type: 'env_bundle',
  })
  await put('mine/one')

  const stranger = await registerAgent(vault, [])
  const narrow = await registerAgent(vault, [
    ['mine/**', ['list', 'read', 'write', 'delete', 'use', 'share']],
  ])
  askers.set('an agent without policies', await exchangedToken(api, stranger.key))
  askers.set('an agent with policies elsewhere', await exchangedToken(api, narrow.key))
  askers.set('a member', (await userWithKey(vault, 'member')).key)

  const [{ id } = assert.fail()] = await vault.vault.listVaults(PERSON)
  vaultId = id
  there.set('vault', id)
  const other = await registerAgent(vault, [['app/**', ['read']]])
  there.set('agent', other.id)
  const [policy = assert.fail()] = (await vault.policies.list(PERSON, 'default')).filter(
    ({ principalId }) => principalId === other.id,
  )
  there.set('policy', policy.id)
  there.set('key', (await userWithKey(vault, 'admin')).keyId)
  const { grant } = await vault.identity.grants.create(PERSON, other.id, {
    label: 'laptop',
    server: 'files',
    policies: [],
  })
  there.set('grant', grant.id)
  there.set('approval', (await vault.approvals.approvals.request(AGENT, request())).id)
  const { webhook } = await vault.approvals.webhooks.create(PERSON, {
    url: 'https://hooks.example.org/x',
    events: ['approval.*'],
  })
  there.set('webhook', webhook.id)
  there.set('secret', (await vault.vault.describe(PERSON, 'default', 'app/present')).id)
  const { share } = await vault.sharing.shares.create(
    PERSON,
    { vault: 'default', path: 'app/present' },
    { recipientType: 'anyone_with_link', expiresAt: epochMs(Date.now() + 3_600_000) },
  )
  there.set('id', share.id)
})
after(async () => {
  await api?.stop()
  await vault?.dispose()
})

const inAnHour = new Date(Date.now() + 3_600_000).toISOString()
const SHARE = { recipient_type: 'anyone_with_link', expires_at: inAnHour }
/** What the operations want to be sent before they look at anything. */
const BODIES: Readonly<Record<string, object>> = {
  putSecret: { value: 'mine now' },
  rotateSecret: { value: 'mine now' },
  shareSecret: SHARE,
  shareSecretByPath: SHARE,
  createPolicy: {
    secret_path_pattern: 'app/**',
    principal_type: 'agent',
    principal_id: newId(),
    permissions: ['read'],
  },
  updatePolicy: { permissions: ['read'] },
  decideApproval: { decision: 'approve' },
  decidePendingApproval: { decision: 'approve', payload_hash: act().argumentsDigest },
  createGrant: { label: 'x', server: 'files', policies: [] },
  openShare: { secret: `spt_share_${'A'.repeat(43)}` },
  createEnvVar: { key: 'A', value: 'b' },
  updateEnvVar: { value: 'b' },
  replaceEnvVar: { value: 'b' },
  createEnvironment: { slug: 'x', name: 'x' },
  setToolPolicy: { text: '{"version": "1", "default": "deny"}' },
}

interface Named {
  readonly operation: string
  readonly method: Method
  readonly template: string
  readonly names: readonly string[]
}

function operations(): readonly Named[] {
  return Object.entries(api.document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId: operation }]): Named => ({
        operation,
        method: method as Method,
        template,
        names: [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name),
      }),
    ),
  )
}

/** The answer without what may differ: ids of requests, what was asked for, and when it may be asked again. */
async function answerTo(
  { operation, method, template }: Named,
  names: Readonly<Record<string, string>>,
  bearer: string,
): Promise<string> {
  let target = template
  for (const [name, value] of Object.entries(names)) target = target.replace(`{${name}}`, value)
  target = target.replace('{version}', '1').replace(/\{\w+\}/, 'x')
  const { status, headers, body } = await api.ask(target, {
    method: method.toUpperCase(),
    bearer,
    ...(method === 'get' || method === 'delete' ? {} : { body: BODIES[operation] ?? {} }),
  })
  let text = JSON.stringify([status, headers.get('etag'), headers.get('retry-after'), body])
  for (const value of Object.values(names)) text = text.replaceAll(value, '…')
  // Nobody is told which vault has a name.
  assert.ok(Object.values(names).includes(vaultId) || !text.includes(vaultId), text)
  return text.replaceAll(/"(?:request_id|resolved_at)":"[^"]*"/g, '')
}

test('a path says nothing of what is or was there to who may not see it, at any call', async () => {
  const told: string[] = []
  let asked = 0
  for (const operation of operations().filter(({ names }) => names.includes('path')))
    for (const [who, bearer] of askers) {
      const answers = new Map<string, string[]>()
      for (const path of PATHS) {
        const answer = await answerTo(operation, { vault: vaultId, path }, bearer)
        answers.set(answer, [...(answers.get(answer) ?? []), path])
        asked += 1
      }
      const [[answer = ''] = []] = answers
      if (answers.size > 1 || !answer.startsWith('[403'))
        told.push(`${operation.operation} by ${who}: ${JSON.stringify([...answers])}`)
    }
  assert.ok(asked > 100)
  assert.deepEqual(told, [])
})

test('a name or id says nothing of what is there to who may not see it, at any call', async () => {
  const told: string[] = []
  const unasked: string[] = []
  const wanted = operations().filter(
    ({ names }) => names.length > 0 && names.every((name) => there.has(name) || name === 'path'),
  )
  for (const operation of wanted)
    for (const [who, bearer] of askers) {
      const absent = (name: string): string => (name === 'path' ? 'app/present' : newId())
      const present = (name: string): string => there.get(name) ?? 'app/present'
      const of = (value: (name: string) => string) =>
        Object.fromEntries(operation.names.map((name) => [name, value(name)]))
      const first = await answerTo(operation, of(present), bearer)
      // For who is asked about his own vault it is no secret that there is one.
      const isOwnVault = operation.names[0] === 'vault' && who.includes('elsewhere')
      if (isOwnVault) continue
      const second = await answerTo(operation, of(absent), bearer)
      if (operation.names[0] === 'vault') {
        const named = (vaultName: string) =>
          answerTo(operation, { ...of(absent), vault: vaultName }, bearer)
        const third = await named('default')
        const fourth = await named('no-such-vault')
        if (third !== fourth) told.push(`${operation.operation} by name: ${third} | ${fourth}`)
      }
      if (first !== second) told.push(`${operation.operation} by ${who}: ${first} | ${second}`)
      if (first.startsWith('[400')) unasked.push(`${operation.operation} by ${who}: ${first}`)
    }
  assert.deepEqual(told, [])
  // Every operation was asked in a way that it looks at.
  assert.deepEqual(unasked, [])
})

test('a path takes the same time to be refused whether something is there or not', async () => {
  const bearer = askers.get('an agent without policies') ?? ''
  const read = operations().find(({ operation }) => operation === 'readSecret') ?? assert.fail()
  const times = new Map(PATHS.map((path) => [path, [] as number[]]))
  for (let round = 0; round < 30; round += 1)
    for (const path of PATHS) {
      const began = monotonicMs()
      await answerTo(read, { vault: vaultId, path }, bearer)
      times.get(path)?.push(monotonicMs() - began)
    }
  const medians = [...times.values()].map((all) => all.toSorted((a, b) => a - b)[15] ?? 0)
  assert.ok(Math.max(...medians) - Math.min(...medians) < 5, medians.join(' '))
})
