import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { newId, type VaultId } from '../../src/core/ids.ts'
import { epochMs } from '../../src/core/time.ts'
import { ORIGIN, standingOf, userWithKey } from '../support/identity.ts'
import { kinds, outside, restore, rows, run } from '../support/tampering.ts'
import { PERSON, type TestVault } from '../support/vault.ts'
import { fault, OpenVaults, SQLITE } from '../support/vault-stores.ts'

const open = new OpenVaults()
afterEach(() => open.close(false))

/** A store with somebody of every kind in it. */
async function peopled() {
  const vault = await open.fresh(SQLITE)
  const { agents, authentication, freezes } = vault.identity
  const narrow = await agents.create(PERSON, {
    name: 'narrow',
    scopes: ['a/**'],
    vaultIds: [newId<VaultId>()],
    expiresAt: epochMs(4_000_000_000_000),
  })
  const disabled = await agents.create(PERSON, { name: 'disabled' })
  await agents.update(PERSON, disabled.agent.id, { isActive: false })
  const frozen = await agents.create(PERSON, { name: 'frozen' })
  await freezes.freeze(PERSON, { kind: 'agent', id: frozen.agent.id }, null)
  const revoked = (await authentication.exchange(narrow.key.reveal(), null, ORIGIN)).token.reveal()
  await authentication.revoke(revoked, ORIGIN)
  const user = await userWithKey(vault, 'member')
  await vault.ledger.flush()
  assert.deepEqual((await vault.audit.verify()).findings, [])
  return {
    vault,
    revoked,
    narrow: narrow.key.reveal(),
    disabled: disabled.key.reveal(),
    frozen: frozen.key.reveal(),
    user: user.key,
  }
}

type Peopled = Awaited<ReturnType<typeof peopled>>

/** Another process that has remembered nothing. */
async function showElsewhere(vault: TestVault, bearer: string): Promise<void> {
  const twin = await open.twin(vault)
  const caller = await twin.identity.authentication.authenticate(bearer, ORIGIN)
  await standingOf(twin, caller)
}

describe('rows of identity', () => {
  const edits: readonly [who: keyof Omit<Peopled, 'vault'>, sql: string][] = [
    ['disabled', "update agents set state = 'active' where name = 'disabled'"],
    ['narrow', "update agents set scopes = null where name = 'narrow'"],
    ['narrow', "update agents set vault_ids = null where name = 'narrow'"],
    ['narrow', "update agents set expires_at = null where name = 'narrow'"],
    ['narrow', "update agents set token_ttl = 864000 where name = 'narrow'"],
    ['frozen', "update freezes set state = 'off'"],
    ['user', "update users set role = 'owner'"],
    ['user', 'update user_keys set scopes = null, mac = zeroblob(32)'],
    ['narrow', "update organisation set id = 'x'"],
    [
      'disabled',
      `create temp table taken as select key_digest from agents where name = 'disabled';
       update agents set key_digest = x'00' where name = 'disabled';
       update agents set key_digest = (select key_digest from taken) where name = 'narrow'`,
    ],
  ]
  for (const [who, sql] of edits)
    test(`nobody counts after: ${sql.replaceAll(/\s+/g, ' ')}`, async () => {
      const all = await peopled()
      outside(all.vault, (db) => db.exec(sql))
      await assert.rejects(showElsewhere(all.vault, all[who]), fault('STORE_TAMPERED'))
      assert.ok((await kinds(all.vault)).includes('row-changed'))
    })

  const removals: readonly [what: string, sql: string][] = [
    ['an ended token', 'delete from ended_tokens'],
    ['a freeze', 'delete from freezes'],
    ['an agent', "delete from agents where name = 'narrow'"],
    ['the organisation', 'delete from organisation'],
    ['a key of a person', 'delete from user_keys'],
  ]
  for (const [what, sql] of removals)
    test(`${what} that was taken away is missed by verify`, async () => {
      const { vault } = await peopled()
      run(vault, sql)
      assert.deepEqual(await kinds(vault), ['row-missing'])
    })

  test('an agent put back as it was before it was disabled is found by verify', async () => {
    const { vault } = await peopled()
    const [before] = rows(vault, "select * from agents where name = 'narrow'")
    await vault.identity.agents.update(PERSON, before?.['id'] as string, { isActive: false })
    await vault.ledger.flush()
    restore(vault, 'agents', before ?? {})
    assert.deepEqual(await kinds(vault), ['row-rolled-back'])
  })
})
