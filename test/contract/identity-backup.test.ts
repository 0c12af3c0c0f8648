import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { restoreBackup } from '../../src/app/restore.ts'
import { loadSettings } from '../../src/core/config.ts'
import { keyFileSource } from '../../src/crypto/index.ts'
import { createBackups, createKeyAdmin } from '../../src/vault/index.ts'
import { ORIGIN, originOf, standingOf } from '../support/identity.ts'
import { openTestVault, PERSON } from '../support/vault.ts'
import { fault, OpenVaults, POSTGRES, SQLITE, secret } from '../support/vault-stores.ts'

const PHRASE = 'violet harbour lantern'
const open = new OpenVaults()
const homes: string[] = []
afterEach(async () => {
  await open.close(true)
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true })
})

for (const [from, to] of [
  [SQLITE, POSTGRES],
  [POSTGRES, SQLITE],
] as const)
  test(`identity: from a backup of ${from.name} into ${to.name}, who counted counts and who did not does not`, {
    skip: from.skip || to.skip,
  }, async () => {
    const vault = await open.fresh(from)
    const { agents, authentication, freezes, workloads } = vault.identity
    const made = await agents.create(PERSON, { name: 'a', scopes: ['a/**'] })
    const frozen = await agents.create(PERSON, { name: 'b' })
    await freezes.freeze(PERSON, { kind: 'agent', id: frozen.agent.id }, 'why')
    const exchange = async () =>
      (await authentication.exchange(made.key.reveal(), null, ORIGIN)).token.reveal()
    const [token, revoked] = [await exchange(), await exchange()]
    await authentication.revoke(revoked, ORIGIN)
    const rule = await workloads.add(PERSON, made.agent.id, {
      issuer: 'https://idp.example.org',
      subject: 'system:serviceaccount:ci:deploy',
    })
    const file = join(vault.home, 'vault.backup')
    await createBackups(vault).backup(file, { passphrase: secret(PHRASE) })

    const home = mkdtempSync(join(tmpdir(), 'sallyport-restore-'))
    homes.push(home)
    const env = { SALLYPORT_HOME: home, SALLYPORT_KEY_SOURCE: 'keyfile', ...(await to.empty()) }
    const settings = loadSettings(env)
    const sourceOf = () => keyFileSource(settings)
    await restoreBackup({ settings, file, sourceOf, ask: async () => secret(PHRASE) })
    const restored = await openTestVault({ home, env })
    try {
      const door = restored.identity.authentication
      assert.deepEqual(await door.org(), await authentication.org())
      assert.deepEqual(await restored.identity.workloads.list(PERSON), [rule])
      for (const isRekeyed of [false, true]) {
        const caller = await door.authenticate(token, originOf(1))
        assert.deepEqual((await standingOf(restored, caller)).scopes, [['a/**']])
        await door.exchange(made.key.reveal(), made.agent.id, ORIGIN)
        for (const bearer of [revoked, frozen.key.reveal()])
          await assert.rejects(door.authenticate(bearer, originOf(2)), fault('UNAUTHENTICATED'))
        if (isRekeyed) break
        await createKeyAdmin({ ...restored, writeChoice: async () => {} }).rekey()
      }
      assert.deepEqual((await restored.audit.verify()).findings, [])
    } finally {
      await restored.close()
    }
  })
