import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { AuditEntry } from '../../src/core/admin-port.ts'
import type { CanaryAlarm } from '../../src/core/canary-port.ts'
import { agentWith, userWith } from '../support/registered.ts'
import { AGENT, PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret, textOf } from '../support/vault-stores.ts'

const V = 'default'

function detailOf(entry: AuditEntry | undefined): Readonly<Record<string, unknown>> {
  return (JSON.parse(entry?.body ?? '{}') as { detail?: Record<string, unknown> }).detail ?? {}
}

for (const store of [SQLITE, POSTGRES])
  describe(`canaries on ${store.name}`, { skip: store.skip, concurrency: false }, () => {
    const open = new OpenVaults()
    afterEach(() => open.close(true))

    async function fresh(): Promise<{ vault: TestVault; alarms: CanaryAlarm[] }> {
      const vault = await open.fresh(store)
      for (const path of ['keys/root', 'keys/plain'])
        await vault.vault.put(PERSON, V, { path, value: secret(`value of ${path}`) })
      const alarms: CanaryAlarm[] = []
      vault.sharing.canaries.onAlarm((alarm) => alarms.push(alarm))
      return { vault, alarms }
    }

    test('reading, using, describing and being refused ring it; other paths do not', async () => {
      const { vault, alarms } = await fresh()
      const agent = await agentWith(vault, [
        ['keys/**', ['list', 'read']],
        ['keys/root', ['use']],
      ])
      const blind = await agentWith(vault, [])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root', { notes: 'nobody uses this' })
      await vault.vault.get(agent.caller, V, 'keys/plain')
      await vault.vault.list(agent.caller, V)
      assert.equal(alarms.length, 0)

      assert.equal(
        textOf(await vault.vault.get(agent.caller, V, 'keys/root')),
        'value of keys/root',
      )
      await vault.vault.use(agent.caller, V, ['keys/root', 'keys/plain'])
      await vault.vault.describe(agent.caller, V, 'keys/root')
      await assert.rejects(vault.vault.get(blind.caller, V, 'keys/root'), fault('ACCESS_DENIED'))
      await assert.rejects(
        vault.vault.describe(blind.caller, V, 'keys/root'),
        fault('ACCESS_DENIED'),
      )
      assert.deepEqual(
        alarms.map(({ action, actor, released }) => [action, actor, released]),
        [
          ['secret.read', `agent:${agent.id}`, true],
          ['secret.use', `agent:${agent.id}`, true],
          ['secret.describe', `agent:${agent.id}`, false],
          ['secret.read', `agent:${blind.id}`, false],
          ['secret.describe', `agent:${blind.id}`, false],
        ],
      )
      const events = await vault.audit.query({ action: 'canary.triggered' })
      assert.equal(events.length, 5)
      assert.deepEqual(detailOf(events.at(-1)), {
        severity: 'critical',
        asked: 'secret.read',
        released: true,
        frozen: false,
        address: '10.1.2.3',
      })
      const [info] = await vault.sharing.canaries.list(PERSON, V)
      assert.equal(info?.triggered, 5)
      assert.equal(info?.notes, 'nobody uses this')
    })

    test('changing it rings too, whether it is done, refused, impossible or wrong', async () => {
      const { vault, alarms } = await fresh()
      const agent = await agentWith(vault, [['keys/**', ['list', 'read', 'write', 'delete']]])
      const blind = await agentWith(vault, [['keys/none', ['use']]])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root')
      await vault.sharing.canaries.set(PERSON, V, 'keys/none')
      const { vault: vaults } = vault
      const put = (caller = agent.caller, more: object = {}) =>
        vaults.put(caller, V, { path: 'keys/root', value: secret('another value'), ...more })
      await put()
      await assert.rejects(put(agent.caller, { ifVersion: 9 }), fault('VERSION_CONFLICT'))
      await assert.rejects(put(agent.caller, { maxAccessCount: 0 }), fault('BAD_INPUT'))
      await assert.rejects(put(blind.caller), fault('ACCESS_DENIED'))
      await vaults.rotateGenerated(agent.caller, V, { path: 'keys/root' })
      await assert.rejects(
        vaults.rotateGenerated(agent.caller, V, { path: 'keys/none' }),
        fault('SECRET_NOT_FOUND'),
      )
      await vaults.setVersionEnabled(agent.caller, V, 'keys/root', 1, false)
      await vaults.delete(agent.caller, V, 'keys/root')
      await assert.rejects(vaults.delete(blind.caller, V, 'keys/root'), fault('ACCESS_DENIED'))
      await vaults.undelete(agent.caller, V, 'keys/root')
      await vaults.destroy(agent.caller, V, 'keys/root', 1)
      const asked = alarms.map(({ action, actor }) => [action, actor === `agent:${blind.id}`])
      assert.deepEqual(asked, [
        ['secret.put', false],
        ['secret.put', false],
        ['secret.put', false],
        ['secret.put', true],
        ['secret.rotate', false],
        ['secret.rotate', false],
        ['version.disable', false],
        ['secret.delete', false],
        ['secret.delete', true],
        ['secret.undelete', false],
        ['secret.destroy', false],
      ])
      assert.ok(alarms.every(({ released }) => !released))
      assert.equal((await vaults.history(PERSON, V, 'keys/root')).length, 3)
      assert.equal((await vault.audit.query({ action: 'canary.triggered' })).length, 12)
      // What does not stand at a canary is silent, in one batch with what does.
      alarms.splice(0)
      await Promise.all([
        vaults.put(agent.caller, V, { path: 'keys/plain', value: secret('a new value') }),
        put(),
      ])
      assert.deepEqual(
        alarms.map(({ path }) => path),
        ['keys/root'],
      )
    })

    test('a put that is refused freezes, and undoes nothing of the alarm', async () => {
      const { vault, alarms } = await fresh()
      const blind = await agentWith(vault, [['keys/plain', ['read', 'write']]])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root', { freezes: true })
      await assert.rejects(
        vault.vault.put(blind.caller, V, { path: 'keys/root', value: secret('a new value') }),
        fault('ACCESS_DENIED'),
      )
      assert.deepEqual(
        alarms.map(({ frozen, released }) => [frozen, released]),
        [[true, false]],
      )
      await assert.rejects(vault.vault.get(blind.caller, V, 'keys/plain'), fault('UNAUTHENTICATED'))
      assert.equal(textOf(await vault.vault.get(PERSON, V, 'keys/root')), 'value of keys/root')
    })

    test('one among references that are withheld rings as if it had been handed out', async () => {
      const { vault, alarms } = await fresh()
      const agent = await agentWith(vault, [['keys/**', ['use']]])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root')
      const used = await vault.vault.use(agent.caller, V, ['keys/root', 'other'], { all: true })
      assert.deepEqual(
        used.map((one) => [one.path, 'fault' in one]),
        [['other', true]],
      )
      assert.deepEqual(
        alarms.map(({ action, path, released }) => [action, path, released]),
        [['secret.use', 'keys/root', false]],
      )
    })

    test('it may freeze whoever asks, in the transaction of the reading', async () => {
      const { vault, alarms } = await fresh()
      const agent = await agentWith(vault, [['keys/**', ['list', 'read']]])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root', { freezes: true })
      await vault.vault.get(PERSON, V, 'keys/root')
      assert.equal(alarms[0]?.frozen, false)
      // Both are in one batch: the value of the first is what the canary is for, the next request is refused.
      await vault.vault.get(agent.caller, V, 'keys/root')
      assert.equal(alarms[1]?.frozen, true)
      await assert.rejects(vault.vault.get(agent.caller, V, 'keys/plain'), fault('UNAUTHENTICATED'))
      const [freeze] = await vault.identity.freezes.list(PERSON)
      assert.deepEqual(freeze?.target, { kind: 'agent', id: agent.id })
      assert.equal(freeze?.reason, 'canary keys/root')
    })

    test('many readers at once ring it as often as they read, and its count is right', async () => {
      const { vault, alarms } = await fresh()
      const agent = await agentWith(vault, [['keys/**', ['read']]])
      await vault.sharing.canaries.set(PERSON, V, 'keys/root')
      await Promise.all(
        Array.from({ length: 12 }, () => vault.vault.get(agent.caller, V, 'keys/root')),
      )
      assert.equal(alarms.length, 12)
      assert.equal((await vault.sharing.canaries.list(PERSON))[0]?.triggered, 12)
    })

    test('a share of one rings, and so does reading by a share', async () => {
      const { vault, alarms } = await fresh()
      await vault.sharing.canaries.set(PERSON, V, 'keys/root')
      const reader = await agentWith(vault, [])
      const { share } = await vault.sharing.shares.create(
        PERSON,
        { vault: V, path: 'keys/root' },
        {
          recipientType: 'agent',
          recipientId: reader.id,
          expiresAt: (Date.now() + 60_000) as never,
        },
      )
      await vault.sharing.shares.read(reader.caller, share.id)
      assert.deepEqual(
        alarms.map(({ action }) => action),
        ['share.create', 'share.read'],
      )
    })

    test('agents neither see nor set canaries; the one that is gone is silent', async () => {
      const { vault, alarms } = await fresh()
      const { canaries } = vault.sharing
      const agent = await agentWith(vault, [['**', ['list', 'read', 'write', 'share']]])
      const member = await userWith(vault, 'member')
      const admin = await userWith(vault, 'admin')
      for (const caller of [agent.caller, member.caller, AGENT]) {
        await assert.rejects(canaries.list(caller, V), fault('ACCESS_DENIED'))
        await assert.rejects(canaries.set(caller, V, 'keys/root'), fault('ACCESS_DENIED'))
        await assert.rejects(canaries.remove(caller, V, 'keys/root'), fault('ACCESS_DENIED'))
      }
      const { id } = await canaries.set(admin.caller, V, 'keys/root')
      await canaries.removeById(admin.caller, id)
      await vault.vault.get(agent.caller, V, 'keys/root')
      assert.equal(alarms.length, 0)
      await assert.rejects(canaries.remove(PERSON, V, 'keys/root'), fault('NOT_FOUND'))
    })

    test('a refusal says how near it was', async () => {
      const { vault } = await fresh()
      const agent = await agentWith(vault, [['spent', ['read']]])
      await vault.vault.put(PERSON, V, { path: 'spent', value: secret('v'), maxAccessCount: 1 })
      await vault.vault.get(PERSON, V, 'spent')
      await assert.rejects(vault.vault.get(agent.caller, V, 'keys/plain'), fault('ACCESS_DENIED'))
      await assert.rejects(vault.vault.get(agent.caller, V, 'keys/none'), fault('ACCESS_DENIED'))
      await assert.rejects(vault.vault.get(agent.caller, V, 'spent'), fault('SECRET_SPENT'))
      const of = async (path: string) =>
        detailOf((await vault.audit.query({ path, actor: `agent:${agent.id}` }))[0])['severity']
      assert.equal(await of('keys/plain'), 'medium')
      assert.equal(await of('keys/none'), undefined)
      assert.equal(await of('spent'), 'low')
    })
  })
