import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentWith } from './support/registered.ts'
import { openTestVault, PERSON } from './support/vault.ts'
import { fault, secret } from './support/vault-stores.ts'

test('a quota counts from when it was set, and while one is set, whatever its limit becomes', async () => {
  const vault = await openTestVault()
  await vault.vault.put(PERSON, 'default', { path: 'a', value: secret('v') })
  const { id, caller } = await agentWith(vault, [['**', ['read']]])
  const { quotas } = vault.sharing
  const read = () => vault.vault.get(caller, 'default', 'a')
  const set = async (reads: number | null) =>
    (await quotas.set(PERSON, `agent:${id}`, { reads, writes: null })).used.reads
  for (let i = 0; i < 3; i += 1) await read()
  assert.equal(await set(2), 0, 'what was read before there was a limit is not counted')
  await read()
  await read()
  await assert.rejects(read(), fault('QUOTA_EXHAUSTED'))
  assert.equal(await set(3), 2, 'another limit goes on with the count')
  await read()
  await assert.rejects(read(), fault('QUOTA_EXHAUSTED'))
  assert.equal(await set(null), 3)
  await read()
  assert.equal(await set(4), 3, 'what was read without a limit is not counted')
  await read()
  await assert.rejects(read(), fault('QUOTA_EXHAUSTED'))
  await vault.dispose()
})
