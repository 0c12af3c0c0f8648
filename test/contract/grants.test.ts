import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { GrantRequest } from '../../src/core/grant-port.ts'
import type { Origin } from '../../src/core/identity-port.ts'
import { newId } from '../../src/core/ids.ts'
import { type Clock, epochMs, monotonicMs, sleep } from '../../src/core/time.ts'
import { ORIGIN, standingOf, userWithKey } from '../support/identity.ts'
import { callerOf, firstOwner } from '../support/people.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const MINUTE = 60_000
const GATEWAY: Origin = { address: '192.0.2.7', channel: 'mcp-http', server: 'github' }
const REQUEST: GrantRequest = { label: 'laptop', server: 'github', policies: ['read-only'] }
const REFUSED = fault('UNAUTHENTICATED', /^The token or key is missing, wrong or no longer valid/)

const open = new OpenVaults()
afterEach(() => open.close(true))

function steppedClock(): { clock: Clock; step: (ms: number) => void } {
  let now = T0
  return { clock: () => epochMs(now), step: (ms) => (now += ms) }
}

async function granted(vault: TestVault, request: Partial<GrantRequest> = {}) {
  const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'deploy' })
  const made = await vault.identity.grants.create(PERSON, agent.id, { ...REQUEST, ...request })
  return { agent, key: key.reveal(), grant: made.grant, bearer: made.bearer.reveal() }
}

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }

  test(
    `grants on ${store.name}: a bearer is shown once and counts at its server alone`,
    on,
    async () => {
      const { clock } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { grants, authentication } = vault.identity
      const { agent, grant, bearer } = await granted(vault, { policies: ['b', 'a', 'b'] })
      assert.match(bearer, /^spt_grant_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
      assert.deepEqual(grant, {
        id: grant.id,
        tag: '1',
        agentId: agent.id,
        label: 'laptop',
        server: 'github',
        policies: ['b', 'a'],
        prefix: bearer.slice(0, 18),
        createdAt: T0,
        createdBy: 'person:local',
        rotatedAt: null,
        expiresAt: null,
        revokedAt: null,
      })
      const caller = await authentication.authenticate(bearer, GATEWAY)
      assert.deepEqual(caller.principal, { kind: 'registered-agent', id: agent.id })
      assert.deepEqual(await grants.held(caller), grant)
      for (const origin of [
        ORIGIN,
        { ...ORIGIN, channel: 'mcp-http' },
        { ...GATEWAY, server: 'x' },
      ])
        await assert.rejects(authentication.authenticate(bearer, origin as Origin), REFUSED)
      await assert.rejects(authentication.exchange(bearer, null, ORIGIN), REFUSED)
      const stored = JSON.stringify(
        await vault.db.read((reader) => reader.all('select * from grants', [])),
      )
      assert.ok(!stored.includes(bearer.slice(10)))
    },
  )

  test(
    `grants on ${store.name}: each is rotated and revoked alone, in all processes at once`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const elsewhere = await open.twin(vault)
      const { agent, key, grant, bearer } = await granted(vault)
      const { grants } = vault.identity
      const other = await grants.create(PERSON, agent.id, { ...REQUEST, label: 'desktop' })
      const there = elsewhere.identity.authentication
      const before = await there.authenticate(bearer, GATEWAY)
      await there.authenticate(other.bearer.reveal(), GATEWAY)

      const rotated = await grants.rotate(PERSON, grant.id)
      assert.equal(rotated.grant.id, grant.id)
      assert.ok(rotated.grant.rotatedAt !== null)
      await refusedWithinASecond(elsewhere, bearer)
      // What was verified under the old bearer is dead inside transactions too.
      await assert.rejects(standingOf(elsewhere, before), REFUSED)
      const next = rotated.bearer.reveal()
      const after = await there.authenticate(next, GATEWAY)
      assert.equal((await standingOf(elsewhere, after)).type, 'agent')

      const revoked = await grants.revoke(PERSON, grant.id)
      assert.ok(revoked.revokedAt !== null)
      await refusedWithinASecond(elsewhere, next)
      await assert.rejects(elsewhere.identity.grants.held(after), REFUSED)
      await assert.rejects(grants.rotate(PERSON, grant.id), fault('NOT_FOUND'))
      await assert.rejects(grants.revoke(PERSON, grant.id), fault('NOT_FOUND'))

      await there.authenticate(other.bearer.reveal(), GATEWAY)
      await there.authenticate(key, ORIGIN)
      // The label of what was revoked is free again.
      await grants.create(PERSON, agent.id, REQUEST)
    },
  )

  test(
    `grants on ${store.name}: a frozen one is refused elsewhere, its agent and its other grants go on`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const elsewhere = await open.twin(vault)
      await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('value of a') })
      const { agent, key, grant, bearer } = await granted(vault)
      const { freezes, grants } = vault.identity
      await vault.policies.create(PERSON, 'default', {
        pattern: '**',
        permissions: ['read'],
        principalType: 'agent',
        principalId: agent.id,
      })
      const there = elsewhere.identity.authentication
      const caller = await there.authenticate(bearer, GATEWAY)
      assert.equal(textOf(await elsewhere.vault.get(caller, 'default', 'a')), 'value of a')
      const other = await grants.create(PERSON, agent.id, { ...REQUEST, label: 'desktop' })
      await freezes.freeze(AGENT, { kind: 'grant', id: grant.id }, null)
      await assert.rejects(elsewhere.vault.get(caller, 'default', 'a'), REFUSED)
      await refusedWithinASecond(elsewhere, bearer)
      await there.authenticate(other.bearer.reveal(), GATEWAY)
      await there.authenticate(key, ORIGIN)
      await freezes.lift(PERSON, { kind: 'grant', id: grant.id })
      await there.authenticate(bearer, GATEWAY)
      assert.equal(textOf(await elsewhere.vault.get(caller, 'default', 'a')), 'value of a')
    },
  )

  test(
    `grants on ${store.name}: a row that was changed from outside is refused and found`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const { grant, bearer } = await granted(vault)
      await vault.db.write((tx) =>
        tx.run(`update grants set server = 'other' where id = '${grant.id}'`, []),
      )
      const origin = { ...GATEWAY, server: 'other' }
      await assert.rejects(
        vault.identity.authentication.authenticate(bearer, origin),
        fault('STORE_TAMPERED'),
      )
      const { findings } = await vault.audit.verify()
      assert.ok(JSON.stringify(findings).includes('grants'))
      await vault.db.write((tx) =>
        tx.run(`update grants set server = 'github' where id = '${grant.id}'`, []),
      )
    },
  )
}

async function refusedWithinASecond(vault: TestVault, bearer: string): Promise<void> {
  const from = monotonicMs()
  for (;;) {
    try {
      await vault.identity.authentication.authenticate(bearer, GATEWAY)
    } catch (error) {
      REFUSED(error)
      return
    }
    assert.ok(monotonicMs() - from < 1000, 'it still counts after a second')
    await sleep(20)
  }
}

test('grants: they end with their time and with their agent', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { agents, authentication, grants } = vault.identity
  const { agent, bearer } = await granted(vault, { expiresAt: epochMs(T0 + MINUTE) })
  const lasting = await grants.create(PERSON, agent.id, { ...REQUEST, label: 'lasting' })
  await authentication.authenticate(bearer, GATEWAY)
  step(MINUTE)
  await assert.rejects(authentication.authenticate(bearer, GATEWAY), REFUSED)
  // The agent's own key is another matter.
  await agents.rotateKey(PERSON, agent.id)
  await authentication.authenticate(lasting.bearer.reveal(), GATEWAY)
  await agents.update(PERSON, agent.id, { isActive: false })
  await assert.rejects(authentication.authenticate(lasting.bearer.reveal(), GATEWAY), REFUSED)
  await agents.remove(PERSON, agent.id)
  assert.deepEqual(await grants.list(PERSON, null), [])
})

test('grants: owners and admins change them, a session only after a step-up, and agents never', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { authentication, grants } = vault.identity
  const session = await firstOwner(vault)
  const { agent, key, grant, bearer } = await granted(vault)
  const own = await authentication.authenticate(key, ORIGIN)
  const held = await authentication.authenticate(bearer, GATEWAY)
  const member = await authentication.authenticate((await userWithKey(vault, 'member')).key, ORIGIN)
  for (const caller of [own, held, member, AGENT]) {
    await assert.rejects(
      grants.create(caller, agent.id, { ...REQUEST, label: 'x' }),
      fault('ACCESS_DENIED'),
    )
    await assert.rejects(grants.rotate(caller, grant.id), fault('ACCESS_DENIED'))
    await assert.rejects(grants.revoke(caller, grant.id), fault('ACCESS_DENIED'))
  }
  for (const caller of [own, AGENT]) assert.deepEqual(await grants.list(caller, agent.id), [grant])
  await assert.rejects(grants.list(member, agent.id), fault('ACCESS_DENIED'))
  await assert.rejects(grants.list(own, null), fault('ACCESS_DENIED'))

  const signedIn = await callerOf(vault, session)
  const second = await grants.create(signedIn, agent.id, { ...REQUEST, label: 'second' })
  step(6 * MINUTE)
  const later = await callerOf(vault, session)
  await assert.rejects(grants.rotate(later, second.grant.id), fault('STEP_UP_REQUIRED'))
  await assert.rejects(
    grants.create(later, agent.id, { ...REQUEST, label: 'third' }),
    fault('STEP_UP_REQUIRED'),
  )
  await assert.rejects(grants.revoke(later, second.grant.id), fault('STEP_UP_REQUIRED'))
})

test('grants: a policy is attached and detached by a person who is there, once each', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { authentication, grants } = vault.identity
  const session = await firstOwner(vault)
  const { grant, key } = await granted(vault, { policies: [] })
  assert.deepEqual(grant.policies, [])
  assert.deepEqual((await grants.attach(PERSON, grant.id, 'a')).policies, ['a'])
  const owner = await callerOf(vault, session)
  assert.deepEqual((await grants.attach(owner, grant.id, 'b')).policies, ['a', 'b'])
  await assert.rejects(grants.attach(PERSON, grant.id, 'a'), fault('CONFLICT'))
  await assert.rejects(grants.attach(PERSON, newId<string>(), 'a'), fault('NOT_FOUND'))
  await assert.rejects(grants.attach(PERSON, grant.id, 'a/b'), fault('BAD_INPUT', /^policy /))
  const admin = await authentication.authenticate((await userWithKey(vault, 'admin')).key, ORIGIN)
  const own = await authentication.authenticate(key, ORIGIN)
  step(6 * MINUTE)
  for (const [caller, code] of [
    [admin, 'ACCESS_DENIED'],
    [own, 'ACCESS_DENIED'],
    [AGENT, 'ACCESS_DENIED'],
    [await callerOf(vault, session), 'STEP_UP_REQUIRED'],
  ] as const)
    for (const change of [grants.attach, grants.detach])
      await assert.rejects(change(caller, grant.id, 'b'), fault(code))
  assert.deepEqual((await grants.detach(PERSON, grant.id, 'a')).policies, ['b'])
  await assert.rejects(grants.detach(PERSON, grant.id, 'a'), fault('NOT_FOUND'))
  for (let count = 1; count < 32; count += 1) await grants.attach(PERSON, grant.id, `p${count}`)
  await assert.rejects(grants.attach(PERSON, grant.id, 'one-more'), fault('CONFLICT'))
  assert.deepEqual((await vault.audit.verify()).findings, [])
})

const WRONG: readonly (readonly [what: string, change: Partial<GrantRequest>, field: string])[] = [
  ['an empty label', { label: ' ' }, 'label'],
  ['a label of lines', { label: 'a\nb' }, 'label'],
  ['no server', { server: '' }, 'server'],
  ['a server with a slash', { server: 'a/b' }, 'server'],
  ['a policy without a name', { policies: ['ok', ''] }, 'policies'],
  ['an end in the past', { expiresAt: epochMs(T0 - 1) }, 'expires_at'],
]
test('grants: what is wrong is named by its field', async () => {
  const { clock } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { agent } = await granted(vault)
  const { grants } = vault.identity
  for (const [what, change, field] of WRONG)
    await assert.rejects(
      grants.create(PERSON, agent.id, { ...REQUEST, label: 'other', ...change }),
      fault('BAD_INPUT', new RegExp(`^${field} `)),
      what,
    )
  await assert.rejects(grants.create(PERSON, agent.id, REQUEST), fault('CONFLICT'))
  await assert.rejects(grants.create(PERSON, newId<string>(), REQUEST), fault('NOT_FOUND'))
})
