import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { afterEach, test } from 'node:test'
import { isFault } from '../../src/core/faults.ts'
import { monotonicMs, sleep } from '../../src/core/time.ts'
import { ORIGIN, standingOf } from '../support/identity.ts'
import { query, startPostgres } from '../support/postgres.ts'
import { AGENT, openTestVault, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'
const open = new OpenVaults()
afterEach(() => open.close(true))

/** An agent that may read `a`, as both handles know it. */
async function reader(vault: TestVault) {
  await vault.vault.put(PERSON, V, { path: 'a', value: secret('value of a') })
  const { agent, key } = await vault.identity.agents.create(PERSON, { name: 'reader' })
  await vault.policies.create(PERSON, V, {
    pattern: '**',
    permissions: ['read'],
    principalType: 'agent',
    principalId: agent.id,
  })
  const { token } = await vault.identity.authentication.exchange(key.reveal(), null, ORIGIN)
  return { id: agent.id, token: token.reveal() }
}

const GONE = fault('UNAUTHENTICATED')

for (const store of [SQLITE, POSTGRES])
  test(`freeze on ${store.name}: the next read in another process is refused`, {
    skip: store.skip,
  }, async () => {
    const vault = await open.fresh(store)
    const elsewhere = await open.twin(vault)
    const { freezes } = vault.identity
    const { id, token } = await reader(vault)
    const caller = await elsewhere.identity.authentication.authenticate(token, ORIGIN)
    for (const target of [{ kind: 'agent', id }, { kind: 'all' }] as const) {
      assert.equal(textOf(await elsewhere.vault.get(caller, V, 'a')), 'value of a')
      await freezes.freeze(AGENT, target, null)
      await assert.rejects(elsewhere.vault.get(caller, V, 'a'), GONE)
      await freezes.lift(PERSON, target)
    }
    assert.equal(textOf(await elsewhere.vault.get(caller, V, 'a')), 'value of a')
  })

test('freeze: readers that never pause are all refused once it is committed', async () => {
  const vault = await open.fresh(SQLITE)
  const elsewhere = await open.twin(vault)
  const { token } = await reader(vault)
  const { authentication } = elsewhere.identity
  let frozenAt = Number.POSITIVE_INFINITY
  let lastValue = 0
  let refusals = 0
  const isOver = (): boolean => refusals >= 32
  const readOn = async () => {
    while (!isOver()) {
      const askedAt = monotonicMs()
      try {
        const caller = await authentication.authenticate(token, ORIGIN)
        textOf(await elsewhere.vault.get(caller, V, 'a'))
        if (askedAt > frozenAt) lastValue = Math.max(lastValue, askedAt)
      } catch (error) {
        if (!isFault(error, 'UNAUTHENTICATED')) throw error
        refusals += 1
      }
    }
  }
  const readers = Promise.all(Array.from({ length: 16 }, readOn))
  await sleep(200)
  await vault.identity.freezes.freeze(PERSON, { kind: 'all' }, null)
  frozenAt = monotonicMs()
  await readers
  assert.equal(lastValue, 0, 'a value left for a read that began after the freeze')
})

test('freeze: it holds where nothing is heard of changes', { skip: POSTGRES.skip }, async () => {
  const server = await startPostgres()
  try {
    const env = { SALLYPORT_DATABASE_URL: server.url }
    const vault = await openTestVault({ env })
    const elsewhere = await openTestVault({ env, home: vault.home })
    try {
      const { token } = await reader(vault)
      const { authentication } = elsewhere.identity
      const caller = await authentication.authenticate(token, ORIGIN)
      await standingOf(elsewhere, caller)
      await query(
        server.url,
        `select pg_terminate_backend(pid) from pg_stat_activity where query ilike '%listen %' and pid <> pg_backend_pid()`,
      )
      await vault.identity.freezes.freeze(PERSON, { kind: 'all' }, null)
      await assert.rejects(standingOf(elsewhere, caller), GONE)
      const frozenAt = monotonicMs()
      while (await counts(authentication.authenticate(token, ORIGIN))) await sleep(10)
      assert.ok(monotonicMs() - frozenAt < 1_000)
      await vault.identity.freezes.lift(PERSON, { kind: 'all' })
      await authentication.authenticate(token, ORIGIN)

      // A node that cannot ask its store knows of nobody that still counts.
      await server.stop()
      const stoppedAt = monotonicMs()
      while (await counts(authentication.authenticate(token, ORIGIN))) await sleep(10)
      assert.ok(monotonicMs() - stoppedAt < 1_000)
      await assert.rejects(standingOf(elsewhere, caller), fault('STORE_UNAVAILABLE'))
    } finally {
      await elsewhere.close().catch(() => {})
      await vault.close().catch(() => {})
      rmSync(vault.home, { recursive: true, force: true })
    }
  } finally {
    await server.stop()
  }
})

/** Whether it came to something; every fault is a no. */
async function counts(work: Promise<unknown>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (!isFault(error)) throw error
    return false
  }
}
