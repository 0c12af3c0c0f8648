import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { isUuid, newId, type VaultId } from '../../src/core/ids.ts'
import { localAgent } from '../../src/core/principals.ts'
import { type Clock, epochMs, systemClock } from '../../src/core/time.ts'
import { ORIGIN, originOf, standingOf, userWithKey } from '../support/identity.ts'
import { AGENT, PERSON } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE } from '../support/vault-stores.ts'

const T0 = 1_800_000_000_000
const HOUR = 3_600_000
const open = new OpenVaults()
afterEach(() => open.close(true))

/** A clock that a test moves. */
function steppedClock(): { clock: Clock; step: (ms: number) => void } {
  let now = T0
  return { clock: () => epochMs(now), step: (ms) => (now += ms) }
}

const REFUSED = fault(
  'UNAUTHENTICATED',
  /^The token or key is missing, wrong or no longer valid\.$/,
)

for (const store of [SQLITE, POSTGRES]) {
  const on = { skip: store.skip }

  test(
    `identity on ${store.name}: an agent is made, its key changed for a token, the token counts`,
    on,
    async () => {
      const { clock } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { agents, authentication } = vault.identity
      const vaultId = newId<VaultId>()
      const made = await agents.create(PERSON, {
        name: 'builder',
        description: 'builds',
        scopes: ['ci/**', 'api/*'],
        vaultIds: [vaultId],
        tokenTtlSeconds: 900,
        environment: 'production',
        labels: ['ci', 'build', 'ci'],
      })
      const key = made.key.reveal()
      assert.match(key, /^ocv_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}$/)
      assert.ok(isUuid(made.agent.id))
      assert.deepEqual(made.agent, {
        id: made.agent.id,
        tag: '1',
        name: 'builder',
        description: 'builds',
        isActive: true,
        scopes: ['ci/**', 'api/*'],
        vaultIds: [vaultId],
        tokenTtlSeconds: 900,
        environment: 'production',
        labels: ['build', 'ci'],
        expiresAt: null,
        keyPrefix: key.slice(0, 12),
        keyExpiresAt: null,
        createdAt: T0,
        createdBy: 'person:local',
      })

      const exchanged = await authentication.exchange(key, null, ORIGIN)
      assert.equal(exchanged.expiresInSeconds, 900)
      assert.equal(exchanged.agent.id, made.agent.id)
      const token = exchanged.token.reveal()
      const org = await authentication.org()
      const { keys } = await authentication.keySet()
      const header = decodeProtectedHeader(token)
      assert.deepEqual(header, { alg: 'EdDSA', typ: 'JWT', kid: keys[0]?.['kid'] })
      assert.deepEqual(Object.keys(keys[0] ?? {}).toSorted(), [
        'alg',
        'crv',
        'kid',
        'kty',
        'use',
        'x',
      ])
      const claims = decodeJwt(token)
      assert.deepEqual(claims, {
        org: org.id,
        scopes: ['ci/**', 'api/*'],
        vault_ids: [vaultId],
        kver: claims['kver'],
        iss: `urn:sallyport:org:${org.id}`,
        aud: 'sallyport',
        sub: `agent:${made.agent.id}`,
        iat: T0 / 1000,
        nbf: T0 / 1000,
        exp: T0 / 1000 + 900,
        jti: claims.jti,
      })

      const caller = await authentication.authenticate(token, ORIGIN)
      assert.deepEqual(caller.principal, { kind: 'registered-agent', id: made.agent.id })
      assert.equal(caller.access?.address, '192.0.2.7')
      assert.equal(caller, await authentication.authenticate(token, ORIGIN), 'the same object')
      assert.notEqual(caller, await authentication.authenticate(token, originOf(1)))
      const standing = await standingOf(vault, caller, clock())
      assert.deepEqual(standing, {
        type: 'agent',
        orgId: org.id,
        vaultIds: [vaultId],
        scopes: [['ci/**', 'api/*']],
        role: null,
        environment: 'production',
        labels: ['build', 'ci'],
        endsAt: T0 + 900_000,
      })
      assert.equal(standing, await standingOf(vault, caller, clock()), 'the same object')
      assert.deepEqual((await agents.get(caller, made.agent.id)).name, 'builder')

      const direct = await authentication.authenticate(key, ORIGIN)
      assert.equal(direct.access?.credential.kind, 'agent-key')
      assert.deepEqual((await standingOf(vault, direct, clock())).scopes, [['ci/**', 'api/*']])
    },
  )

  test(
    `identity on ${store.name}: what ends an agent, its key or its token ends it in the next transaction`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const elsewhere = await open.twin(vault, clock)
      const { agents, authentication, freezes } = vault.identity
      const fresh = async (request: object = {}) => {
        const { agent, key } = await agents.create(PERSON, { name: 'a', ...request })
        const { token } = await authentication.exchange(key.reveal(), agent.id, ORIGIN)
        const caller = await elsewhere.identity.authentication.authenticate(token.reveal(), ORIGIN)
        await standingOf(elsewhere, caller, clock())
        return { agent, key: key.reveal(), token: token.reveal(), caller }
      }
      type Fresh = Awaited<ReturnType<typeof fresh>>
      const gone = async ({ caller, token, key }: Fresh, isKeyDead: boolean, n: number) => {
        await assert.rejects(standingOf(elsewhere, caller, clock()), REFUSED)
        await assert.rejects(authentication.authenticate(token, originOf(n)), REFUSED)
        if (isKeyDead)
          await assert.rejects(authentication.exchange(key, null, originOf(n)), REFUSED)
        else await authentication.exchange(key, null, originOf(n))
      }

      const rotated = await fresh()
      const { key } = await agents.rotateKey(PERSON, rotated.agent.id)
      await gone(rotated, true, 1)
      await authentication.exchange(key.reveal(), rotated.agent.id, ORIGIN)

      const disabled = await fresh()
      await agents.update(PERSON, disabled.agent.id, { isActive: false })
      await gone(disabled, true, 2)
      await agents.update(PERSON, disabled.agent.id, { isActive: true })
      await standingOf(elsewhere, disabled.caller, clock())

      const removed = await fresh()
      await agents.remove(PERSON, removed.agent.id)
      await gone(removed, true, 3)

      const revoked = await fresh()
      await authentication.revoke(revoked.token, ORIGIN)
      await gone(revoked, false, 4)

      const expiring = await fresh({ expiresAt: epochMs(clock() + HOUR / 2) })
      const keyExpiring = await fresh({ keyExpiresAt: epochMs(clock() + HOUR / 2) })
      assert.equal(expiring.caller.access?.expiresAt, clock() + HOUR / 2)
      step(HOUR / 2)
      await gone(expiring, true, 5)
      await gone(keyExpiring, true, 6)

      const frozen = await fresh()
      const other = await fresh()
      await freezes.freeze(AGENT, { kind: 'agent', id: frozen.agent.id }, 'odd reads')
      await gone(frozen, true, 7)
      await standingOf(elsewhere, other.caller, clock())
      await freezes.freeze(PERSON, { kind: 'all' }, null)
      await gone(other, true, 8)
      assert.deepEqual(
        (await freezes.list(PERSON)).map((one) => [one.target, one.by, one.reason]),
        [
          [{ kind: 'agent', id: frozen.agent.id }, 'agent:local', 'odd reads'],
          [{ kind: 'all' }, 'person:local', null],
        ].toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      )
      await assert.rejects(freezes.lift(AGENT, { kind: 'all' }), fault('ACCESS_DENIED'))
      await freezes.lift(PERSON, { kind: 'all' })
      await freezes.lift(PERSON, { kind: 'agent', id: frozen.agent.id })
      await assert.rejects(freezes.lift(PERSON, { kind: 'all' }), fault('NOT_FOUND'))
      await standingOf(elsewhere, frozen.caller, clock())
      await standingOf(elsewhere, other.caller, clock())

      step(HOUR)
      await assert.rejects(standingOf(elsewhere, other.caller, clock()), REFUSED)
      await assert.rejects(authentication.authenticate(other.token, originOf(9)), REFUSED)
    },
  )

  test(
    `identity on ${store.name}: what stands is judged by the snapshot that is read, whatever is remembered`,
    on,
    async () => {
      const vault = await open.fresh(store)
      const elsewhere = await open.twin(vault)
      const { agents, authentication } = vault.identity
      const { agent, key } = await agents.create(PERSON, { name: 'a' })
      const { token } = await authentication.exchange(key.reveal(), null, ORIGIN)
      const caller = await authentication.authenticate(token.reveal(), ORIGIN)
      const { standing } = vault.identity
      const { rightsRevision } = await import('../../src/keys/index.ts')
      await vault.db.read(async (reader) => {
        const old = standing.atRevision(await rightsRevision(reader))
        await elsewhere.identity.agents.update(PERSON, agent.id, { isActive: false })
        await assert.rejects(standingOf(vault, caller), REFUSED)
        // The older snapshot does not know it yet, and what it finds must not count for the newer one.
        await old.standingOf(reader, caller, systemClock())
        const again = old.standingOf(reader, caller, systemClock())
        assert.ok(!(again instanceof Promise), 'what is known is answered at once')
        await assert.rejects(standingOf(vault, caller), REFUSED)
      })
      await assert.rejects(standingOf(vault, caller), REFUSED)
    },
  )

  test(
    `identity on ${store.name}: handles that begin at once make one organisation and one signing key`,
    on,
    async () => {
      const vaults = await open.atOnce(store, 4)
      const orgs = await Promise.all(vaults.map(({ identity }) => identity.authentication.org()))
      assert.equal(new Set(orgs.map(({ id }) => id)).size, 1)
      const sets = await Promise.all(vaults.map(({ identity }) => identity.authentication.keySet()))
      assert.equal(new Set(sets.map(({ keys }) => JSON.stringify(keys))).size, 1)
      const { values } = await race(
        vaults.map(({ identity }) => identity.agents.create(PERSON, { name: 'same' })),
      )
      const [first] = vaults
      assert.equal(values.length, 4)
      assert.equal((await first?.identity.agents.list(PERSON))?.length, 4)
    },
  )

  test(
    `identity on ${store.name}: a signing key is replaced when it is old, and known while tokens of it live`,
    on,
    async () => {
      const { clock, step } = steppedClock()
      const vault = await open.fresh(store, clock)
      const { agents, authentication } = vault.identity
      const { key } = await agents.create(PERSON, { name: 'a', tokenTtlSeconds: 86_400 })
      const exchange = async () =>
        (await authentication.exchange(key.reveal(), null, ORIGIN)).token.reveal()
      step(0)
      await exchange()
      step(90 * 24 * HOUR - 1)
      const old = await exchange()
      step(1)
      const young = await exchange()
      const kids = [old, young].map((token) => decodeProtectedHeader(token).kid)
      assert.notEqual(kids[0], kids[1])
      assert.deepEqual(
        (await authentication.keySet()).keys.map((one) => one['kid']),
        kids,
      )
      step(23 * HOUR)
      const twin = await open.twin(vault, clock)
      await twin.identity.authentication.authenticate(old, ORIGIN)
      await twin.identity.authentication.authenticate(young, ORIGIN)
      step(2 * HOUR)
      assert.deepEqual(
        (await authentication.keySet()).keys.map((one) => one['kid']),
        [kids[1]],
      )
      await assert.rejects(authentication.authenticate(old, ORIGIN), REFUSED)
    },
  )
}

test('identity: who may administer agents', async () => {
  const vault = await open.fresh(SQLITE)
  const { agents, authentication, freezes } = vault.identity
  const { agent, key } = await agents.create(PERSON, { name: 'a' })
  const { agent: other } = await agents.create(PERSON, { name: 'b' })
  const asAgent = await authentication.authenticate(key.reveal(), ORIGIN)
  const as = async (role: 'owner' | 'admin' | 'member' | 'auditor', scopes?: readonly string[]) =>
    authentication.authenticate((await userWithKey(vault, role, scopes ?? null)).key, ORIGIN)
  const denied = fault('ACCESS_DENIED')

  for (const caller of [PERSON, await as('owner'), await as('admin')]) {
    assert.ok((await agents.list(caller)).length >= 2)
    const made = await agents.create(caller, { name: 'c' })
    await agents.update(caller, made.agent.id, { name: 'd' })
    await agents.rotateKey(caller, made.agent.id)
    await agents.remove(caller, made.agent.id)
    await freezes.freeze(caller, { kind: 'grant', id: 'g' }, null)
  }
  const nobody = { principal: localAgent(null), channel: 'cli' as const }
  for (const caller of [
    nobody,
    asAgent,
    await as('member'),
    await as('auditor'),
    await as('owner', ['ci/**']),
  ]) {
    if (caller !== nobody) {
      await assert.rejects(agents.list(caller), denied)
      await assert.rejects(agents.get(caller, other.id), denied)
    }
    await assert.rejects(agents.create(caller, { name: 'c' }), denied)
    await assert.rejects(agents.update(caller, agent.id, { name: 'd' }), denied)
    await assert.rejects(agents.rotateKey(caller, agent.id), denied)
    await assert.rejects(agents.remove(caller, agent.id), denied)
    await assert.rejects(freezes.lift(caller, { kind: 'grant', id: 'g' }), denied)
  }
  assert.equal((await agents.get(nobody, agent.id)).name, 'a')
  assert.equal((await agents.get(asAgent, agent.id)).name, 'a')
  await assert.rejects(freezes.freeze(asAgent, { kind: 'all' }, null), denied)
  await assert.rejects(
    freezes.lift(await as('owner'), { kind: 'grant', id: 'g' }),
    fault('STEP_UP_REQUIRED'),
  )
  await assert.rejects(agents.get(PERSON, 'x'), fault('NOT_FOUND'))
  const refusals = await vault.audit.query({ action: 'agent.create' })
  assert.equal(refusals.filter(({ kind }) => kind === 'refusal').length, 5)
})

test('identity: what an agent may be is checked by field', async () => {
  const { clock } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { agents } = vault.identity
  const bad: readonly [field: string, request: object][] = [
    ['name', { name: '' }],
    ['name', { name: ' ' }],
    ['name', { name: 'a\nb' }],
    ['name', { name: 'x'.repeat(101) }],
    ['name', { name: 'a\u202eb' }],
    ['description', { description: 'x'.repeat(1001) }],
    ['scopes', { scopes: [] }],
    ['pattern', { scopes: ['/a'] }],
    ['scopes', { scopes: Array.from({ length: 65 }, (_, i) => `p${i}`) }],
    ['vault_ids', { vaultIds: [] }],
    ['vault_ids', { vaultIds: ['default'] }],
    ['token_ttl_seconds', { tokenTtlSeconds: 59 }],
    ['token_ttl_seconds', { tokenTtlSeconds: 86_401 }],
    ['token_ttl_seconds', { tokenTtlSeconds: 90.5 }],
    ['environment', { environment: 'a b' }],
    ['expires_at', { expiresAt: T0 }],
    ['api_key_expires_at', { keyExpiresAt: T0 - 1 }],
  ]
  const { agent } = await agents.create(PERSON, { name: 'fine', description: '' })
  assert.equal(agent.description, null)
  const isNamed = (field: string) => (error: unknown) => {
    fault('BAD_INPUT')(error)
    assert.equal((error as { details: { field?: unknown } }).details.field, field)
    return true
  }
  for (const [field, request] of bad) {
    await assert.rejects(agents.create(PERSON, { name: 'n', ...request }), isNamed(field), field)
    await assert.rejects(agents.update(PERSON, agent.id, request), isNamed(field), field)
  }
  assert.equal((await agents.list(PERSON)).length, 1)
})

test('identity: wrong keys are recorded a few times a minute, then counted', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { agents, authentication } = vault.identity
  const { agent, key } = await agents.create(PERSON, { name: 'a' })
  const { agent: other } = await agents.create(PERSON, { name: 'b' })
  for (let i = 0; i < 10; i++)
    await assert.rejects(authentication.exchange(`ocv_${i}`, null, ORIGIN), REFUSED)
  await assert.rejects(authentication.exchange('ocv_x', null, ORIGIN), fault('THROTTLED', /6 s/))
  await assert.rejects(authentication.authenticate('ocv_x', ORIGIN), REFUSED)
  await assert.rejects(authentication.exchange(key.reveal(), other.id, originOf(1)), REFUSED)
  // Whoever has the key is let in, whoever else is behind the same address.
  await authentication.exchange(key.reveal(), agent.id, ORIGIN)
  step(6_000)
  await assert.rejects(authentication.exchange('ocv_x', null, ORIGIN), REFUSED)
  await assert.rejects(authentication.exchange('ocv_x', null, ORIGIN), fault('THROTTLED'))
  await vault.identity.close()
  const entries = await vault.audit.query({ limit: 100 })
  const refused = entries.filter(({ action }) => action === 'auth.refused')
  assert.equal(refused.length, 12)
  assert.equal(refused.filter(({ actor }) => actor === `agent:${agent.id}`).length, 1)
  const many = entries.filter(({ action }) => action === 'auth.refused-many')
  assert.match(many[0]?.body ?? '', /"detail":{"failures":3,"addresses":\["192.0.2.7"\]}/)
  assert.equal(many.length, 1)
  assert.ok(!JSON.stringify(entries).includes(key.reveal().slice(12)))
})

test('identity: addresses without number fill the audit no faster', async () => {
  const { clock } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { authentication } = vault.identity
  await race(
    Array.from({ length: 400 }, (_, i) =>
      authentication.authenticate('nothing', { address: `2001:db8:0:${i}::1`, channel: 'http' }),
    ),
  )
  await vault.identity.close()
  const entries = await vault.audit.query({ limit: 1000 })
  assert.equal(entries.filter(({ action }) => action === 'auth.refused').length, 120)
})

test('identity: a token that was ended is forgotten when it would have ended anyway', async () => {
  const { clock, step } = steppedClock()
  const vault = await open.fresh(SQLITE, clock)
  const { agents, authentication, tables } = vault.identity
  const { key } = await agents.create(PERSON, { name: 'a' })
  const exchange = async () =>
    (await authentication.exchange(key.reveal(), null, ORIGIN)).token.reveal()
  const left = async () =>
    (await vault.db.read((reader) => tables.endedTokens.stored(reader))).length
  for (let i = 0; i < 3; i++) await authentication.revoke(await exchange(), ORIGIN)
  assert.equal(await left(), 3)
  step(HOUR)
  const [last, next] = [await exchange(), await exchange()]
  await authentication.revoke(last, ORIGIN)
  assert.equal(await left(), 1)
  await assert.rejects(authentication.revoke(last, ORIGIN), REFUSED)
  await assert.rejects(authentication.revoke(key.reveal(), ORIGIN), fault('BAD_INPUT'))
  await authentication.authenticate(next, ORIGIN)
})

test('identity: of a rotation and exchanges at once, no token of the old key is left over', async () => {
  const vault = await open.fresh(SQLITE)
  const elsewhere = await open.twin(vault)
  const { agents } = vault.identity
  const { agent, key } = await agents.create(PERSON, { name: 'a' })
  const exchanges = Array.from({ length: 40 }, (_, i) =>
    [vault, elsewhere][i % 2]!.identity.authentication.exchange(key.reveal(), null, originOf(i)),
  )
  const [{ values }] = await Promise.all([race(exchanges), agents.rotateKey(PERSON, agent.id)])
  for (const { token } of values)
    await assert.rejects(elsewhere.identity.authentication.authenticate(token.reveal(), ORIGIN))
})
