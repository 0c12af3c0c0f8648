// Who may do what over HTTP, held against a model that is written from the rules alone and shares no code with them.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { VaultId } from '../../src/core/ids.ts'
import type { AccessPermission, PathPolicyRequest } from '../../src/core/policy-port.ts'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { exchangedToken, serveTestApi, type TestApi } from '../support/api.ts'
import { userWithKey } from '../support/identity.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { OpenVaults, SQLITE, secret } from '../support/vault-stores.ts'

const STORED = ['app/db/main', 'app/key', 'other'] as const
const ABSENT = ['app/db/x/y', 'app/none', 'nothing', 'other/deep'] as const
const PATHS = [...STORED, ...ABSENT]
const PATTERNS = [
  '**',
  '*',
  '*/*',
  'app/*',
  'app/**',
  'app/db/**',
  '**/key',
  '*/db/*',
  'other',
  'o*',
]
const PERMISSIONS = ['list', 'read', 'write', 'delete', 'use', 'share'] as const
const ADDRESSES = ['198.51.100.7', '203.0.113.9', '2001:db8::5'] as const
const RANGES = [
  ['198.51.100.0/24'],
  ['203.0.113.9'],
  ['2001:db8::/32', '198.51.100.7'],
  ['10.0.0.0/8'],
]
const HOUR = 3_600_000

interface Policy {
  readonly vault: number
  readonly pattern: string
  readonly effect: 'allow' | 'deny'
  readonly permissions: readonly AccessPermission[]
  readonly priority: number
  readonly addresses: readonly string[] | null
  readonly environments: readonly string[] | null
  readonly hours: readonly [start: number, end: number] | null
  /** Ends between the two rounds of questions. */
  readonly ends: boolean
}

interface Case {
  readonly who: 'agent' | 'user'
  /** This and what narrows it are of agents alone. */
  readonly environment: string | null
  readonly scopes: readonly string[]
  readonly vaults: readonly number[] | null
  readonly policies: readonly Policy[]
  readonly makesVault: boolean
  /** Before it begins. */
  readonly hoursLater: number
  readonly order: number
  readonly questions: readonly Question[]
}

interface Question {
  readonly vault: number
  readonly path: string
  readonly permission: AccessPermission
  readonly address: string
}

/** Vault 2 is the one that the caller made, if anybody did but another. */
const vaultArb = fc.integer({ min: 0, max: 2 })
const optional = <T>(arb: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: arb })
const policyArb: fc.Arbitrary<Policy> = fc.record({
  vault: vaultArb,
  pattern: fc.constantFrom('**', 'app/**', ...PATTERNS),
  effect: fc.constantFrom('allow', 'allow', 'allow', 'deny'),
  permissions: fc.subarray([...PERMISSIONS], { minLength: 2 }),
  priority: fc.integer({ min: -3, max: 3 }),
  addresses: optional(fc.constantFrom(...RANGES)),
  environments: optional(fc.subarray(['production', 'staging'], { minLength: 1 })),
  hours: optional(fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 24 }))),
  ends: fc.boolean(),
})
const narrowingArb = fc.oneof(
  fc.record({
    who: fc.constant('agent' as const),
    environment: optional(fc.constantFrom('production', 'staging')),
    scopes: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.subarray(PATTERNS, { minLength: 1, maxLength: 3 }) },
    ),
    vaults: optional(fc.subarray([0, 1, 2], { minLength: 1 })),
  }),
  fc.record({
    who: fc.constant('user' as const),
    environment: fc.constant(null),
    scopes: fc.constant([]),
    vaults: fc.constant(null),
  }),
)
const restArb = fc.record({
  policies: fc.uniqueArray(policyArb, {
    minLength: 1,
    maxLength: 7,
    size: 'max',
    selector: ({ priority }) => priority,
  }),
  makesVault: fc.boolean(),
  hoursLater: fc.integer({ min: 0, max: 25 }),
  order: fc.nat(),
  questions: fc.array(
    fc.record({
      vault: vaultArb,
      path: fc.constantFrom(...PATHS),
      permission: fc.constantFrom(...PERMISSIONS),
      address: fc.constantFrom(...ADDRESSES),
    }),
    { minLength: 4, maxLength: 8 },
  ),
})
const caseArb: fc.Arbitrary<Case> = fc
  .tuple(narrowingArb, restArb)
  .map(([narrowing, rest]) => ({ ...narrowing, ...rest }))

/** `*` is one segment, or a part of one; `**` any number of them. */
function covers(pattern: readonly string[], path: readonly string[]): boolean {
  const [head, ...rest] = pattern
  if (head === undefined) return path.length === 0
  if (head === '**')
    return rest.length === 0
      ? path.length > 0
      : path.some((_, skipped) => covers(rest, path.slice(skipped)))
  const [segment, ...further] = path
  if (segment === undefined) return false
  const [before = '', behind] = head.split('*')
  const fits =
    behind === undefined
      ? segment === head
      : segment.length >= before.length + behind.length &&
        segment.startsWith(before) &&
        segment.endsWith(behind)
  return fits && covers(rest, further)
}

const isCovered = (pattern: string, path: string): boolean =>
  covers(pattern.split('/'), path.split('/'))

const IN_RANGE: Readonly<Record<string, readonly string[]>> = {
  '198.51.100.0/24': ['198.51.100.7'],
  '203.0.113.9': ['203.0.113.9'],
  '2001:db8::/32': ['2001:db8::5'],
  '198.51.100.7': ['198.51.100.7'],
  '10.0.0.0/8': [],
}

/** Whether a policy counts: whatever cannot be known counts where it denies. */
function counts(policy: Policy, now: number, address: string | null, environment: string | null) {
  const hour = Math.floor(now / HOUR) % 24
  const parts: (boolean | null)[] = []
  if (policy.addresses !== null)
    parts.push(
      address === null
        ? null
        : policy.addresses.some((range) => (IN_RANGE[range] ?? []).includes(address)),
    )
  if (policy.environments !== null)
    parts.push(environment === null ? null : policy.environments.includes(environment))
  if (policy.hours !== null) {
    const [start, end] = policy.hours
    parts.push(start < end ? hour >= start && hour < end : hour >= start || hour < end)
  }
  if (parts.includes(false)) return false
  return parts.includes(null) ? policy.effect === 'deny' : true
}

function decided(
  { who, scopes, vaults, policies, environment, makesVault }: Case,
  { vault, path, permission, address }: Omit<Question, 'address'> & { address: string | null },
  now: number,
  isOver: boolean,
): { readonly allowed: boolean; readonly by: number | null } {
  if (vaults !== null && !vaults.includes(vault)) return { allowed: false, by: null }
  if (scopes.length > 0 && !scopes.some((scope) => isCovered(scope, path)))
    return { allowed: false, by: null }
  const on = policies
    .filter((one) => one.vault === vault && one.permissions.includes(permission))
    .filter((one) => isCovered(one.pattern, path) && !(isOver && one.ends))
    .filter((one) => counts(one, now, address, environment))
    .toSorted((a, b) => b.priority - a.priority)
  const decider = on.find(({ effect }) => effect === 'deny') ?? on[0]
  if (decider !== undefined)
    return { allowed: decider.effect === 'allow', by: policies.indexOf(decider) }
  // What an agent makes is not its own.
  return { allowed: vault === 2 && makesVault && who === 'user', by: null }
}

describe('API: who may do what, against a model', () => {
  const open = new OpenVaults()
  let now = Date.parse('2026-11-02T00:00:00Z')
  let vault: TestVault
  let api: TestApi
  let auditor: string
  const vaultIds: VaultId[] = []
  let cases = 0

  before(async () => {
    vault = await open.fresh(SQLITE, () => epochMs(now))
    api = await serveTestApi(vault, {}, ['127.0.0.1'])
    await vault.identity.authentication.org()
    auditor = (await userWithKey(vault, 'auditor')).key
    for (const name of ['default', 'second']) {
      if (name !== 'default') await vault.vault.createVault(PERSON, { name })
      for (const path of STORED) await vault.vault.put(PERSON, name, { path, value: secret('v') })
      const listed = await vault.vault.listVaults(PERSON)
      vaultIds.push(listed.find((one) => one.name === name)?.id ?? assert.fail(name))
    }
  })
  after(async () => {
    await api.stop()
    await open.close(true)
  })

  const from = (address: string) => ({
    headers: { 'x-forwarded-for': address, 'x-forwarded-proto': 'https' },
  })

  /** Whether it came to something, or would have if something were there: nothing of it changes anything. */
  async function isAllowed(
    { path, permission, address }: Question,
    vaultId: string,
    bearer: string,
  ): Promise<boolean> {
    const at = `/v1/vaults/${vaultId}/secrets/${path}`
    const { headers } = from(address)
    const asked = {
      list: () =>
        api.ask(`/v1/vaults/${vaultId}/secret-metadata/${path}`, { bearer, ...from(address) }),
      read: () => api.ask(at, { bearer, ...from(address) }),
      use: () => api.ask(`${at}?purpose=use`, { bearer, ...from(address) }),
      write: () =>
        api.ask(at, {
          method: 'PUT',
          bearer,
          body: { value: 'another' },
          headers: { ...headers, 'if-match': '"999"' },
        }),
      delete: () =>
        api.ask(at, { method: 'DELETE', bearer, headers: { ...headers, 'if-match': '"999"' } }),
      share: () =>
        api.ask(`/v1/vaults/${vaultId}/secret-share/${path}`, {
          method: 'POST',
          bearer,
          body: {
            recipient_type: 'agent',
            recipient_id: '00000000-0000-4000-8000-000000000000',
            expires_at: new Date(now + HOUR).toISOString(),
          },
          ...from(address),
        }),
    }
    const { status, body } = await asked[permission]()
    if (status === 200) return true
    const { code, field } = body as { readonly code?: string; readonly field?: string }
    if (code === 'SECRET_NOT_FOUND' || code === 'VERSION_CONFLICT') return true
    if (code === 'NOT_FOUND' && field === 'recipient_id') return true
    assert.ok(status === 403 || status === 404, `${permission} ${path}: ${status}`)
    return false
  }

  async function newAgent(environment: string | null) {
    const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'a', environment })
    const text = key.reveal()
    return { id: agent.id as string, key: text, bearer: await exchangedToken(api, text) }
  }

  async function newUser() {
    const { id, key } = await userWithKey(vault, 'member')
    return { id: id as string, key, bearer: key }
  }

  async function arranged(one: Case) {
    cases += 1
    now += one.hoursLater * HOUR
    const { id, key, bearer } =
      one.who === 'agent' ? await newAgent(one.environment) : await newUser()
    const made = await api.ask('/v1/vaults', {
      method: 'POST',
      bearer: one.makesVault ? bearer : (await otherAgent()).bearer,
      body: { name: `of-${id}` },
      ...from('198.51.100.7'),
    })
    assert.equal(made.status, 201)
    const ids = [...vaultIds, (made.body as { id: VaultId }).id]
    const at = (index: number): VaultId => ids[index] ?? assert.fail()
    // Who is bound to vaults makes none, so that comes afterwards.
    if (one.who === 'agent')
      await vault.identity.agents.update(PERSON, id, {
        scopes: one.scopes.length === 0 ? null : one.scopes,
        vaultIds: one.vaults === null ? null : one.vaults.map(at),
      })
    const policyIds: string[] = []
    const turned = one.policies.map((_, index) => (index + one.order) % one.policies.length)
    await Promise.all(
      turned.map(async (index) => {
        const policy = one.policies[index] ?? assert.fail()
        const request: PathPolicyRequest = {
          principalType: one.who,
          principalId: id,
          pattern: policy.pattern,
          effect: policy.effect,
          permissions: policy.permissions,
          priority: policy.priority,
          expiresAt: policy.ends ? epochMs(now + 30_000) : null,
          conditions: conditionsOf(policy),
        }
        policyIds[index] = (await vault.policies.create(PERSON, at(policy.vault), request)).id
      }),
    )
    return { id, key, at, policyIds }
  }

  let spare: { readonly bearer: string; readonly until: EpochMs } | null = null
  async function otherAgent(): Promise<{ readonly bearer: string }> {
    if (spare !== null && spare.until > now) return spare
    const { key } = await vault.identity.agents.create(PERSON, { name: 'other' })
    spare = { bearer: await exchangedToken(api, key.reveal()), until: epochMs(now + HOUR / 2) }
    return spare
  }

  test('every call of every agent is decided as the model says', async () => {
    let yes = 0
    let no = 0
    await fc.assert(
      fc.asyncProperty(caseArb, async (one) => {
        const { id, key, at, policyIds } = await arranged(one)
        for (const isOver of [false, true]) {
          if (isOver) now += 31_000
          // What narrows the agent narrows tokens from then on.
          const bearer = one.who === 'agent' ? await exchangedToken(api, key) : key
          await Promise.all(
            one.questions.map(async (question, asked) => {
              const { vault: index, permission } = question
              const expected = decided(one, question, now, isOver)
              const mayRead = decided(one, { ...question, permission: 'read' }, now, isOver)
              const isYes = expected.allowed && (permission !== 'share' || mayRead.allowed)
              if (isYes) yes += 1
              else no += 1
              const said = await isAllowed(question, at(index), bearer)
              assert.equal(said, isYes, JSON.stringify({ question, isOver }))
              if (asked > 2) return
              const { path } = question
              const explained = await api.ask(
                `/v1/policies/explain?vault=${at(index)}&path=${encodeURIComponent(path)}&permission=${permission}&principal_type=${one.who}&principal_id=${id}`,
                { bearer: auditor },
              )
              const { allowed, by } = decided(one, { ...question, address: null }, now, isOver)
              const { body } = explained
              const reasons = body as {
                readonly allowed: boolean
                readonly policy_id: string | null
              }
              assert.deepEqual(
                [reasons.allowed, reasons.policy_id],
                [allowed, by === null ? null : policyIds[by]],
                `explain ${JSON.stringify(question)}`,
              )
            }),
          )
          const address = one.questions[0]?.address ?? ADDRESSES[0]
          for (const index of [0, 1]) {
            const list = await api.ask(`/v1/vaults/${at(index)}/secrets`, {
              bearer,
              ...from(address),
            })
            const seen =
              list.status === 200
                ? (list.body as { secrets: { path: string }[] }).secrets.map(({ path }) => path)
                : []
            const visible = STORED.filter(
              (path) =>
                decided(one, { vault: index, path, permission: 'list', address }, now, isOver)
                  .allowed,
            )
            assert.deepEqual(seen.toSorted(), visible)
          }
        }
      }),
      { numRuns: 200 },
    )
    // A model that never says yes is easily agreed with.
    assert.ok(yes > 100 && no > 100, `${yes} allowed, ${no} refused in ${cases} cases`)
  })
})

function conditionsOf({ addresses, environments, hours }: Policy) {
  if (addresses === null && environments === null && hours === null) return null
  return {
    ...(addresses === null ? {} : { ipAllowlist: addresses }),
    ...(environments === null ? {} : { environmentIn: environments }),
    ...(hours === null ? {} : { timeWindow: { startHour: hours[0], endHour: hours[1] } }),
  }
}
