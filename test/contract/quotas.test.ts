import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { afterEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type EpochMs, epochMs } from '../../src/core/time.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, race, SQLITE, secret } from '../support/vault-stores.ts'

const V = 'default'
const PROCESS = fileURLToPath(new URL('../support/quota-process.ts', import.meta.url))
const REFUSED = /^Free tier quota exhausted\. Upgrade your plan or add payment at /

for (const store of [SQLITE, POSTGRES])
  describe(`quotas on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh(clock?: () => EpochMs): Promise<TestVault> {
      const vault = await open.fresh(store, clock)
      await vault.vault.put(PERSON, V, { path: 'config/db', value: secret('the value') })
      return vault
    }

    test('nothing is limited unless it is set, and what is refused costs nothing', async () => {
      const vault = await fresh()
      const agent = await agentWith(vault, [['config/**', ['list', 'read', 'write']]])
      const { quotas } = vault.sharing
      for (let i = 0; i < 3; i += 1) await vault.vault.get(agent.caller, V, 'config/db')
      assert.equal(quotas.seen(agent.caller), null)

      await quotas.set(PERSON, `agent:${agent.id}`, { reads: 2, writes: 1 })
      await assert.rejects(vault.vault.get(agent.caller, V, 'other'), fault('ACCESS_DENIED'))
      await assert.rejects(
        vault.vault.get(agent.caller, V, 'config/none'),
        fault('SECRET_NOT_FOUND'),
      )
      await vault.vault.get(agent.caller, V, 'config/db')
      assert.deepEqual(quotas.seen(agent.caller), { used: 1, limit: 2 })
      await vault.vault.get(agent.caller, V, 'config/db')
      await assert.rejects(
        vault.vault.get(agent.caller, V, 'config/db'),
        fault('QUOTA_EXHAUSTED', REFUSED),
      )
      const { accessCount } = await vault.vault.describe(PERSON, V, 'config/db')
      assert.equal(accessCount, 5)

      await vault.vault.put(agent.caller, V, { path: 'config/new', value: secret('v') })
      await assert.rejects(
        vault.vault.put(agent.caller, V, { path: 'config/new', value: secret('w') }),
        fault('QUOTA_EXHAUSTED', REFUSED),
      )
      await assert.rejects(
        vault.vault.rotateGenerated(agent.caller, V, { path: 'config/new' }),
        fault('QUOTA_EXHAUSTED'),
      )
      assert.equal((await vault.vault.describe(PERSON, V, 'config/new')).version, 1)
      const [last] = await vault.audit.query({
        actor: `agent:${agent.id}`,
        action: 'secret.rotate',
      })
      assert.equal(last?.decision, 'refused: QUOTA_EXHAUSTED')
      assert.deepEqual((await quotas.list(PERSON))[0]?.used, { reads: 2, writes: 1 })

      await quotas.set(PERSON, `agent:${agent.id}`, { reads: null, writes: null })
      await vault.vault.get(agent.caller, V, 'config/db')
    })

    test('the organisation has one, too, which the person here does not spend', async () => {
      const vault = await fresh()
      const one = await agentWith(vault, [['**', ['read']]])
      const two = await agentWith(vault, [['**', ['read']]])
      await vault.sharing.quotas.set(PERSON, 'org', { reads: 3, writes: null })
      await vault.sharing.quotas.set(PERSON, `agent:${one.id}`, { reads: 2, writes: null })
      const reads = await race(
        [one, one, one, two, two, two].map(({ caller }) => vault.vault.get(caller, V, 'config/db')),
      )
      assert.equal(reads.values.length, 3)
      assert.deepEqual(reads.faults, Array(3).fill('QUOTA_EXHAUSTED'))
      await vault.vault.get(PERSON, V, 'config/db')
    })

    test('a month later there is a new one', async () => {
      let now = Date.parse('2026-11-30T23:59:58Z')
      const vault = await fresh(() => epochMs(now))
      const agent = await agentWith(vault, [['**', ['read']]], { tokenTtlSeconds: 3600 })
      const { quotas } = vault.sharing
      await quotas.set(PERSON, `agent:${agent.id}`, { reads: 1, writes: null })
      await vault.vault.get(agent.caller, V, 'config/db')
      await assert.rejects(vault.vault.get(agent.caller, V, 'config/db'), fault('QUOTA_EXHAUSTED'))
      now += 3_000
      await vault.vault.get(agent.caller, V, 'config/db')
      assert.deepEqual(await quotas.list(agent.caller), [
        {
          subject: `agent:${agent.id}`,
          reads: 1,
          writes: null,
          used: { reads: 1, writes: 0 },
          tag: '1',
          month: '2026-12',
        },
      ])
      // A clock that steps back gives no second November.
      now -= 3_000
      await assert.rejects(vault.vault.get(agent.caller, V, 'config/db'), fault('QUOTA_EXHAUSTED'))
    })

    test('who may set one, and what one may be', async () => {
      const vault = await fresh()
      const { quotas } = vault.sharing
      const agent = await agentWith(vault, [['**', ['read', 'write', 'share']]])
      const member = await userWith(vault, 'member')
      const admin = await userWith(vault, 'admin')
      const none = { reads: null, writes: null }
      for (const caller of [agent.caller, member.caller, AGENT])
        await assert.rejects(quotas.set(caller, 'org', none), fault('ACCESS_DENIED'))
      assert.equal((await quotas.set(admin.caller, 'org', { reads: 0, writes: 5 })).reads, 0)
      assert.deepEqual(
        (await quotas.list(member.caller)).map(({ subject }) => subject),
        ['org'],
      )
      for (const subject of ['', 'agent:x', 'person:local', 'Org', `team:${agent.id}`])
        await assert.rejects(quotas.set(PERSON, subject, none), fault('BAD_INPUT', /subject/))
      for (const reads of [-1, 1.5, Number.NaN, 2_000_000_000])
        await assert.rejects(quotas.set(PERSON, 'org', { reads, writes: null }), fault('BAD_INPUT'))
    })

    test('64 callers on two processes at a limit of 100: exactly 100 pass', async () => {
      const env = await store.fresh()
      const vault = await open.fresh({ ...store, fresh: async () => env })
      await vault.vault.put(PERSON, V, { path: 'config/db', value: secret('the value') })
      const agents = await Promise.all(
        Array.from({ length: 64 }, () => agentWith(vault, [['config/**', ['read']]])),
      )
      await vault.sharing.quotas.set(PERSON, 'org', { reads: 100, writes: null })
      const keys = agents.map(({ key }) => key)
      const halves = [keys.slice(0, 32), keys.slice(32)]
      const answers = await Promise.all(
        halves.map(async (half) => {
          const database = env['SALLYPORT_DATABASE_URL'] ?? ''
          const args = [PROCESS, vault.home, database, '4', ...half]
          const { stdout } = await promisify(execFile)(process.execPath, args)
          return JSON.parse(stdout) as { values: number; others: string[] }
        }),
      )
      assert.deepEqual(
        answers.flatMap(({ others }) => others),
        [],
      )
      assert.equal(
        answers.reduce((sum, { values }) => sum + values, 0),
        100,
      )
      assert.deepEqual((await vault.sharing.quotas.list(PERSON))[0]?.used, {
        reads: 100,
        writes: 0,
      })
      const reads = await vault.audit.query({ action: 'secret.read', limit: 1000 })
      assert.equal(reads.filter(({ kind }) => kind === 'intent').length, 100)
      assert.equal(reads.filter(({ kind }) => kind === 'refusal').length, 156)
    })
  })
